"""What a file or folder had besides its bytes, given back; never what is a privilege.

Extended attributes: xattr(7). A disk may know none of them (FAT), few (a network share) or have too little
room (ext4 keeps them in one block); some only root may set. What cannot be set is told, and does no harm.
"""

import os
from collections.abc import Iterable
from contextlib import suppress

from vigie.model import Attributes

_PERMISSIONS = 0o777
"""Bits of a mode that are restored: never set-user-ID, set-group-ID or sticky."""
_GIVEN = ("user.", "security.", "trusted.", "system.posix_acl_access", "system.posix_acl_default")
"""How those begin that are given back. Others belong to one file system only, which makes them itself."""
_NEVER = ("security.capability", "trusted.overlay.", "user.overlay.")
"""How those begin that an attacker gains by: what a program may do as if it were root (capabilities(7)), and
what leads overlayfs to other files. They stay away as set-user-ID does."""


def dress(fd: int, attributes: Attributes) -> tuple[str, ...]:
    """Give a file its permissions, time, extended attributes and, as root, its owner, as far as the disk can.

    Returns the names of the extended attributes that it could not be given.
    """
    with suppress(OSError):  # FAT and many network shares know no owners or modes: the bytes are what counts
        if os.geteuid() == 0:
            status = os.fstat(fd)
            # To change an owner to what it is costs the disk as much as any change.
            if (status.st_uid, status.st_gid) != (attributes.uid, attributes.gid):
                os.fchown(fd, attributes.uid, attributes.gid)
    with suppress(OSError):
        os.fchmod(fd, attributes.mode & _PERMISSIONS)
    # After the mode, which an access list refines (acl(5)).
    lacking = _extend(fd, attributes.extended) if attributes.extended else ()
    with suppress(OSError, OverflowError):
        os.utime(fd, ns=(attributes.mtime_ns, attributes.mtime_ns))
    return lacking


def _extend(fd: int, extended: Iterable[tuple[str, bytes]]) -> tuple[str, ...]:
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
