"""What the kernel and the fanotify sensors say to each other: flags, structures and three system calls.

Written after fanotify_init(2), fanotify_mark(2), fanotify(7), open_by_handle_at(2) and <linux/fanotify.h>.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator

# Flags: fanotify_init(2).
FAN_CLOEXEC = 0x1
FAN_NONBLOCK = 0x2
FAN_CLASS_NOTIF = 0x0
FAN_UNLIMITED_QUEUE = 0x10
FAN_UNLIMITED_MARKS = 0x20
FAN_REPORT_PIDFD = 0x80  # Linux 5.15
FAN_REPORT_FID = 0x200  # Linux 5.1
FAN_REPORT_DFID_NAME = 0x400 | 0x800  # Linux 5.9
FAN_REPORT_TARGET_FID = 0x1000  # Linux 5.17
# Flags and mask: fanotify_mark(2).
FAN_MARK_ADD = 0x1
FAN_MARK_FILESYSTEM = 0x100  # Linux 4.20
FAN_MARK_IGNORED_MASK = 0x20
FAN_MARK_IGNORED_SURV_MODIFY = 0x40
FAN_CLOSE_WRITE = 0x8
FAN_MOVED_FROM = 0x40
FAN_MOVED_TO = 0x80
FAN_DELETE = 0x200
FAN_Q_OVERFLOW = 0x4000
FAN_RENAME = 0x10000000  # Linux 5.17
FAN_ONDIR = 0x40000000
# Kinds of further records: fanotify(7).
INFO_FID = 1
INFO_DFID_NAME = 2
INFO_PIDFD = 4
INFO_OLD_DFID_NAME = 10
INFO_NEW_DFID_NAME = 12

FAN_NOFD = -1
FAN_NOPIDFD = -1
"""The process had ended, and been waited for, when the event was read."""
FAN_EPIDFD = -2
"""No pidfd could be made; here also: the kernel gives none."""

# Structures: fanotify(7), "Reading fanotify events".
METADATA = struct.Struct("=IBBHQii")  # event_len, vers, reserved, metadata_len, mask, fd, pid
VERSION = 3
_INFO = struct.Struct("=BBH")  # info_type, pad, len
_PIDFD = struct.Struct("=i")

_libc = ctypes.CDLL(None, use_errno=True)


def init(flags: int, event_flags: int) -> int:
    """A group, non-blocking and without limits on queue and marks, that closes on exec.

    Raises:
        OSError: as fanotify_init(2) says.
    """
    flags |= FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS
    return _checked(_libc.fanotify_init(ctypes.c_uint(flags), ctypes.c_uint(event_flags)))


def mark(group: int, flags: int, mask: int, path: str) -> None:
    """Add to what the group is told.

    Raises:
        OSError: as fanotify_mark(2) says.
    """
    flags |= FAN_MARK_ADD
    _checked(_libc.fanotify_mark(group, ctypes.c_uint(flags), ctypes.c_uint64(mask), -1, os.fsencode(path)))


def open_by_handle(mount: int, handle: bytes, flags: int) -> int:
    """Open what a `struct file_handle` means, on the mount that `mount` is open on.

    Raises:
        OSError: ESTALE when it does not exist any more; else as open_by_handle_at(2) says.
    """
    return _checked(_libc.open_by_handle_at(mount, handle, flags))


def events(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Mask, descriptor, pid, and begin and end of the further records of each event in what was read."""
    offset = 0
    while offset + METADATA.size <= len(data):
        length, version, _, header, mask, fd, pid = METADATA.unpack_from(data, offset)
        end = offset + length
        if version != VERSION or length < METADATA.size or end > len(data):
            # Not ours to guess at: the kernel speaks another language than the headers promise.
            yield FAN_Q_OVERFLOW, FAN_NOFD, 0, len(data), len(data)
            return
        yield mask, fd, pid, offset + max(header, METADATA.size), end
        offset = end


def infos(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Kind, and begin and end of the body, of each further record."""
    while at + _INFO.size <= end:
        kind, _, size = _INFO.unpack_from(data, at)
        stop = at + max(size, _INFO.size)
        if stop > end:
            return
        yield kind, at + _INFO.size, stop
        at = stop


def pidfd_in(data: bytes, at: int, end: int) -> int:
    """The descriptor in the body of a record of kind `INFO_PIDFD`; below 0: none."""
    return int(_PIDFD.unpack_from(data, at)[0]) if at + _PIDFD.size <= end else FAN_EPIDFD


def why(error: OSError) -> str:
    """What a refused mark means, in words."""
    return {
        errno.EOPNOTSUPP: "this file system has no lasting file handles",
        errno.ENODEV: "this file system has no id",
        errno.EXDEV: "it is a subvolume with an id of its own",
    }.get(error.errno or 0, (error.strerror or str(error)).lower())


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
