"""Which file systems lie at and below the watched paths (proc(5), /proc/PID/mountinfo)."""

import os
import re
import select
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

_NETWORK = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3"}
)
_PSEUDO = frozenset(
    {"autofs", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "mqueue", "nsfs"}
    | {"proc", "pstore", "rpc_pipefs", "securityfs", "sysfs", "tracefs", "binfmt_misc", "efivarfs"}
)


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system."""

    point: str
    kind: str
    number: str = ""
    """Mount id and device (fields 1 and 3). Both are given again once a file system is gone."""

    @property
    def remote(self) -> bool:
        """Whether other machines write to it without this kernel knowing."""
        return self.kind in _NETWORK


class Mounts:
    """The file systems at and below `roots`, as they come and go.

    `take` begins to watch one and says what is wrong with that, or nothing.
    """

    def __init__(self, roots: Sequence[str], take: Callable[[Mount], str]) -> None:
        self._roots, self._take = tuple(roots), take
        self._known: dict[str, tuple[str, str]] = {}
        """Mount point -> what tells it from another one there, and its problem."""
        self._table = -1
        self._poll = select.poll()
        with suppress(OSError):
            self._table = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
            self._poll.register(self._table, select.POLLPRI)

    @property
    def problems(self) -> dict[str, str]:
        """Mount points, and what is wrong with each, or nothing."""
        return {point: problem for point, (_, problem) in self._known.items()}

    def changed(self) -> bool:
        """Whether anything was mounted or unmounted since the last call (proc(5)): two microseconds."""
        return self._table < 0 or not self._known or bool(self._poll.poll(0))

    def extend(self) -> list[str]:
        """Take in what is new, or replaced; its mount points.

        A file system that is unmounted takes its mark with it, without a word: when anything has changed, all
        are taken again. That costs microseconds, and changes nothing for those that are watched still.
        """
        if not self.changed():
            return []
        added, before = [], self._known
        self._known = {}
        for mount in mounts_of(self._roots):
            same = _identity(mount)
            self._known[mount.point] = (same, self._take(mount))
            if before.get(mount.point, ("",))[0] != same:
                added.append(mount.point)
        return added

    def close(self) -> None:
        """Look no more."""
        if self._table >= 0:
            os.close(self._table)
        self._table = -1


def fsid_of(point: str | int) -> int:
    """The id of a file system (a path on it, or a descriptor) as events have it: statfs(2); 0 without one."""
    try:
        return os.statvfs(point).f_fsid & 0xFFFF_FFFF_FFFF_FFFF
    except OSError:
        return 0


def _identity(mount: Mount) -> str:
    # The id of a remote file system is not asked for: its server may be gone, and we would wait for it.
    return f"{mount.number} {0 if mount.remote else fsid_of(mount.point)}"


def mounts_of(roots: Iterable[str], table: str | None = None) -> list[Mount]:
    """The mount each root lies on, and every one nested below a root; pseudo file systems are left out.

    `table` is the text of a mountinfo (None: of this process); what cannot be parsed is passed over.
    """
    found = _parse(_read() if table is None else table)
    chosen: dict[str, Mount] = {}
    for root in roots:
        below = root.rstrip("/") + "/"
        home: Mount | None = None
        for mount in found:
            if mount.point.startswith(below):
                if mount.kind not in _PSEUDO:
                    chosen[mount.point] = mount
            elif below.startswith(mount.point.rstrip("/") + "/") and (
                home is None or len(mount.point) >= len(home.point)
            ):
                home = mount  # the longest prefix, and of two at the same point the later one, on top
        # In a chroot the table does not show what the root lies on: any path on it will do.
        home = home or Mount(root, "unknown")
        chosen[home.point] = home
    return list(chosen.values())


def _read() -> str:
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return os.fsdecode(file.read())
    except OSError:
        return ""


def _parse(table: str) -> list[Mount]:
    mounts = []
    for line in table.split("\n"):
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if dash and len(fields) > 4:
            # Space, tab, newline and backslash stand as octal escapes.
            point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[4])
            mounts.append(Mount(point, after.split(" ")[0], f"{fields[0]} {fields[2]}"))
    return mounts
