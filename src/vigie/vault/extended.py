"""Extended attributes given back: those of users, access lists, labels; never one that is a privilege.

Which names there are: xattr(7). A disk may know none of them (FAT), few (a network share) or have too little
room (ext4 keeps them in one block); some only root may set. What cannot be set is told, and does no harm.
"""

import os
from collections.abc import Iterable

_GIVEN = ("user.", "security.", "trusted.", "system.posix_acl_access", "system.posix_acl_default")
"""How those begin that are given back. Others belong to one file system only, which makes them itself."""
_NEVER = ("security.capability", "trusted.overlay.", "user.overlay.")
"""How those begin that an attacker gains by: what a program may do as if it were root (capabilities(7)), and
what leads overlayfs to other files. They stay away as set-user-ID does."""
LONGEST_NAME, LARGEST = 255, 65_536
"""Bytes of a name, and of a value (<linux/limits.h>)."""


def extend(fd: int, extended: Iterable[tuple[str, bytes]]) -> tuple[str, ...]:
    """Set them on an open file or folder; the names of those that could not be, but should."""
    lacking: list[str] = []
    for name, value in extended:
        if name.startswith(_NEVER):
            continue
        try:
            if not name.startswith(_GIVEN):
                raise OSError  # noqa: TRY301 - told like one that the disk does not take
            os.setxattr(fd, name, value)
        except (OSError, ValueError):  # ValueError: a name with a zero byte, or one that cannot be encoded
            lacking.append(name)
    return tuple(lacking)
