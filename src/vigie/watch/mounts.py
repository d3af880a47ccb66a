"""Which file systems lie at and below the watched paths (proc(5), /proc/PID/mountinfo)."""

import os
import re
from collections.abc import Iterable
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

    @property
    def remote(self) -> bool:
        """Whether other machines write to it without this kernel knowing."""
        return self.kind in _NETWORK


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
            mounts.append(Mount(point, after.split(" ")[0]))
    return mounts
