"""What the numbers of a file mean where it lies: whether inode and times tell its bytes apart.

A kernel's own file system changes the ctime of an inode whenever its bytes change, and nobody can set a ctime
back, short of the clock of the machine or the raw disk. btrfs and ZFS keep inode numbers and times in
their snapshots, though each of these has a device number of its own.
"""

import os
from dataclasses import dataclass

_TRUSTED = frozenset(
    {
        "bcachefs",
        "btrfs",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "jfs",
        "nfs",
        "nfs4",
        "overlay",
        "tmpfs",
        "xfs",
        "zfs",
    }
)
"""Not so SMB (its ChangeTime can be set), FUSE and the like, which may make numbers up."""


@dataclass(frozen=True, slots=True)
class Home:
    """The file system that a snapshot is part of."""

    name: str
    """The same for all snapshots of one file system; empty where it has no numbers to be trusted."""
    many_devices: bool
    """Whether each snapshot in it has a device number of its own."""


def home(path: str) -> Home:
    """The file system of a folder (proc(5), /proc/[pid]/mountinfo: fields 5, 9 and 10)."""
    found, longest = Home("", many_devices=False), -1
    path = os.path.realpath(path)
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                before, _, after = line.partition(" - ")
                point = _plain(before.split()[4])
                kind, device = after.split()[:2]
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= longest:  # of two on one point, the later hides the other
                    longest = len(point)
                    found = _home(kind, _plain(device))
    except (OSError, ValueError, IndexError):
        return Home("", many_devices=False)
    return found


def _home(kind: str, device: str) -> Home:
    if kind not in _TRUSTED:
        return Home("", many_devices=False)
    if kind == "zfs":
        return Home(f"zfs {device.partition('@')[0]}", many_devices=True)
    return Home(f"{kind} {device}", many_devices=kind == "btrfs")


def _plain(text: str) -> str:
    """Undo the octal escapes of space, tab, line feed and backslash."""
    for character in (" ", "\t", "\n", "\\"):
        text = text.replace(f"\\{ord(character):03o}", character)
    return text
