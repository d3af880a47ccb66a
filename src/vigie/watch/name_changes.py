"""What the kernel tells of changed names: the records of fanotify's events with file handles. Pure.

Written after fanotify(7), "Events with file identifiers", and <linux/fanotify.h>.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vigie.watch import fanotify_abi as abi

Handle = tuple[int, bytes]
"""Id of a file system, and the `struct file_handle` of a folder or file on it."""

_PLACE = struct.Struct("=IIIi")  # fsid (twice 32 bits), and of struct file_handle: handle_bytes, handle_type
_FSID = 8
_MAX_HANDLE = 128  # MAX_HANDLE_SZ, <linux/exportfs.h>


@dataclass(frozen=True, slots=True)
class Name:
    """A name in a folder."""

    folder: Handle
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One event, as the kernel tells it."""

    mask: int
    pid: int
    pidfd: int
    """Or FAN_NOPIDFD (the process is gone), FAN_EPIDFD (nothing is known)."""
    at: Name | None = None
    """What was renamed or deleted."""
    to: Name | None = None
    """Its new name."""
    itself: Handle | None = None
    """What was deleted; of interest if it is a folder."""


def parse(data: bytes) -> Iterator[Change]:
    """The events in what was read; what makes no sense in one is left out of it."""
    for mask, _, pid, begin, end in abi.events(data):
        pidfd = abi.FAN_EPIDFD
        at: Name | None = None
        to: Name | None = None
        itself: Handle | None = None
        for kind, start, stop in abi.infos(data, begin, end):
            if kind == abi.INFO_PIDFD:
                pidfd = abi.pidfd_in(data, start, stop)
            elif kind in (abi.INFO_DFID_NAME, abi.INFO_OLD_DFID_NAME):
                at = _name(data, start, stop)
            elif kind == abi.INFO_NEW_DFID_NAME:
                to = _name(data, start, stop)
            elif kind == abi.INFO_FID and (found := _handle(data, start, stop)) is not None:
                itself = found[0]
        yield Change(mask, pid, pidfd, at, to, itself)


def _handle(data: bytes, start: int, stop: int) -> tuple[Handle, int] | None:
    """A handle, and where it ends."""
    if start + _PLACE.size > stop:
        return None
    low, high, length, _ = _PLACE.unpack_from(data, start)
    end = start + _PLACE.size + length
    if length > _MAX_HANDLE or end > stop:
        return None
    return (low | high << 32, data[start + _FSID : end]), end


def _name(data: bytes, start: int, stop: int) -> Name | None:
    found = _handle(data, start, stop)
    if found is None:
        return None
    folder, end = found
    name, zero, _ = data[end:stop].partition(b"\0")
    # A folder's own events are told as those of "." in it.
    if not zero or name in (b"", b".", b"..") or b"/" in name:
        return None
    return Name(folder, os.fsdecode(name))
