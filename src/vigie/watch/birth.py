"""When an inode was made (statx(2), `stx_btime`): tells a renamed file from a new one with a used number.

File systems hand the number of a deleted file to the next one. Judged against the deleted file, a new archive
would look like a text that was encrypted.
"""

import ctypes
import os
import struct

_AT_EMPTY_PATH = 0x1000
_STATX_BTIME = 0x800
_SIZE = 256
"""sizeof(struct statx), which the kernel promises to keep."""
_MASK = struct.Struct("=I")  # stx_mask, at 0: what was filled in
_BTIME = struct.Struct("=qI")  # stx_btime.tv_sec, .tv_nsec, at 80
_BTIME_AT = 80

_LIBC = ctypes.CDLL(None, use_errno=True)
_STATX = getattr(_LIBC, "statx", None)  # glibc 2.28, musl 1.2.5


def born_ns(fd: int) -> int | None:
    """When the open file was made, or None where its file system does not say."""
    if _STATX is None:
        return None
    buffer = ctypes.create_string_buffer(_SIZE)
    if _STATX(fd, b"", _AT_EMPTY_PATH, ctypes.c_uint(_STATX_BTIME), buffer) != 0:
        return None
    (mask,) = _MASK.unpack_from(buffer)
    if not mask & _STATX_BTIME:
        return None
    seconds, nanoseconds = _BTIME.unpack_from(buffer, _BTIME_AT)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


def same_inode(fd: int, name: str, known_name: str, known_ctime_ns: int) -> bool:
    """Whether an open file is the one known by its inode number, not one that got the number later.

    It is when it was made no later than the other was last changed. Where that cannot be known, the names
    decide: the same ending, or one with something added ("report.pdf.locked").
    """
    born = born_ns(fd)
    if born is not None:
        return born <= known_ctime_ns
    old, new = os.path.basename(known_name), os.path.basename(name)
    return new.startswith(old) or os.path.splitext(new)[1] == os.path.splitext(old)[1] != ""
