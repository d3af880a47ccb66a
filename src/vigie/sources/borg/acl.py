"""Access lists as borg keeps them, text with numeric ids behind, in the form the kernel takes.

A line is `tag:name:permissions` or `tag:name:permissions:id` (borg's platform/linux.pyx, acl_get); the
kernel's form is a version and entries of 8 bytes, in the order of their tags (<linux/posix_acl_xattr.h>).
"""

import struct
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

_KINDS = (("acl_access", "system.posix_acl_access"), ("acl_default", "system.posix_acl_default"))
_VERSION = struct.pack("<I", 2)
_TAGS = {"user": (0x01, 0x02), "group": (0x04, 0x08), "mask": (0x10, 0x10), "other": (0x20, 0x20)}
"""The tag of the owner or of all, and that of somebody named."""
_NOBODY = 0xFFFFFFFF
"""Stands where a tag names nobody."""
_BARE = 3
_MOST = 8191
"""Entries: what fits into the largest attribute, 64 KiB."""


def access_lists(document: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The access lists of an item, as extended attributes; one that cannot be read is left out."""
    for key, name in _KINDS:
        text = document.get(key)
        entries = _entries(text) if isinstance(text, str) else []
        # An access list of owner, group and others alone says what the mode says.
        if len(entries) > _BARE or (entries and key == "acl_default"):
            entries.sort(key=itemgetter(0))
            yield name, _VERSION + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def _entries(text: str) -> list[tuple[int, int, int]]:
    """Tag, permissions and id of each line; none where the list cannot be read."""
    entries: list[tuple[int, int, int]] = []
    for line in text.split("\n", _MOST + 1):
        if not line.strip():
            continue
        parts = line.partition("#")[0].strip().split(":")
        if len(parts) not in (3, 4) or parts[0] not in _TAGS or len(entries) >= _MOST:
            return []
        permissions = sum(bit for letter, bit in zip("rwx", (4, 2, 1), strict=True) if letter in parts[2])
        plain, named = _TAGS[parts[0]]
        if not parts[1]:
            entries.append((plain, permissions, _NOBODY))
            continue
        # The name may mean somebody else here; borg put the number behind it for that.
        number = parts[-1] if len(parts) == 4 else parts[1]
        if not (number.isascii() and number.isdigit() and len(number) <= 10 and int(number) < _NOBODY):
            return []
        entries.append((named, permissions, int(number)))
    return entries
