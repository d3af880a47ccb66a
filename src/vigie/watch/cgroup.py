"""Which systemd unit and which container a process belongs to, from /proc/PID/cgroup (cgroups(7)). Pure.

For people, and not for decisions: whoever may make control groups (a user below their own `user@UID.service`,
anybody within a container) can name one as they like, and be in it. The unit stays true: it is the first name
that is systemd's own, above all that was handed on.
"""

import re

_LINES, _PARTS = 64, 64
"""Looked at of what a process says: there are 14 hierarchies at most, and few levels."""

# systemd.unit(5), "Description"; a slice only groups units.
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,247}\.(?:service|scope|socket|mount|swap)")
_SLICE = ".slice"
_ID = re.compile(r"[0-9a-f]{32}(?:[0-9a-f]{32})?")
# Docker, containerd and CRI-O under Kubernetes, Podman, LXC and Incus, systemd-nspawn, as they name them.
_SCOPE = re.compile(r"(?:docker|cri-containerd|crio|libpod|nerdctl)-([0-9a-f]{64})(?:\.scope)?")
_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
_LXC = re.compile(r"lxc\.payload\.([\w.-]{1,64})", re.ASCII)
_MACHINE = re.compile(r"machine-([\w.\\-]{1,64})\.scope|systemd-nspawn@([\w.\\-]{1,64})\.service", re.ASCII)
_PARENTS = frozenset({"docker", "lxc", "lxc.payload", "libpod_parent", "garden", "containerd"})
"""Folders whose members are containers, by id or by name, where systemd does not manage the groups."""
_DELETED = " (deleted)"


def membership(text: str) -> tuple[str, str]:
    """Unit and container, as far as the groups tell; each may be empty."""
    unit = container = ""
    for path in _paths(text):
        parts = _parts(path)
        unit = unit or _unit(parts)
        container = container or _container(parts)
    return unit, container


def _paths(text: str) -> list[str]:
    """The paths: that of version 2 first, then systemd's own of version 1, then the others."""
    found: list[tuple[int, str]] = []
    for line in text.split("\n", _LINES)[:_LINES]:
        number, colon, rest = line.partition(":")
        names, second, path = rest.partition(":")
        if colon and second and path.startswith("/"):
            rank = 0 if number == "0" and not names else 1 if names == "name=systemd" else 2
            found.append((rank, path.removesuffix(_DELETED)))
    return [path for _, path in sorted(found, key=lambda ranked: ranked[0])]


def _parts(path: str) -> list[str]:
    # A name that would mean something else to the kernel has an underscore before it (systemd's cg_escape).
    parts = path.split("/", _PARTS)[1 : _PARTS + 1]
    return [part.removeprefix("_") for part in parts if part not in ("", ".", "..")]


def _unit(parts: list[str]) -> str:
    """The first that is no slice (systemd's cg_path_get_unit): what is below, it may have been given away."""
    for part in parts:
        if not part.endswith(_SLICE):
            return part if _UNIT.fullmatch(part) else ""
    return ""


def _container(parts: list[str]) -> str:
    """The innermost: a container in a container is the one that was attacked."""
    for number in range(len(parts) - 1, -1, -1):
        part, above = parts[number], parts[number - 1] if number else ""
        if found := _SCOPE.fullmatch(part) or _LXC.fullmatch(part):
            return found[1]
        if found := _MACHINE.fullmatch(part):
            return found[1] or found[2]
        if above in _PARENTS and (_ID.fullmatch(part) or above.startswith("lxc")):
            return part if _NAME.fullmatch(part) else ""
        if _ID.fullmatch(part) and any(p.startswith(("kubepods", "pod", "ecs")) for p in parts[:number]):
            return part
    return ""
