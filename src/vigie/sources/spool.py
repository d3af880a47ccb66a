"""Bytes that come as a stream, put where they can be read anywhere and handed to another process."""

import fcntl
import os
import tempfile
from collections.abc import Iterable

from vigie.errors import Unreadable
from vigie.sources.file import FileBlob, in_words

IN_MEMORY = 32 * 1024 * 1024
"""Files up to this many bytes are put together in memory, larger ones in the folder for temporary files."""

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def spooled(pieces: Iterable[bytes], size: int) -> FileBlob:
    """The blob of these bytes, `size` of them at most; nobody can change it, and nothing is left behind.

    Raises:
        Unreadable: there is no room for it, or it is longer than was said.
    """
    in_memory = size <= IN_MEMORY
    try:
        fd = _memory() if in_memory else _disk(size)
        try:
            left = size
            for piece in pieces:
                left -= len(piece)
                if left < 0:
                    raise Unreadable("it is longer than its backup says")
                _write(fd, piece)
            return FileBlob.adopt(_read_only(fd, sealable=in_memory))
        finally:
            os.close(fd)
    except OSError as error:
        raise Unreadable(
            f"it cannot be put together in {tempfile.gettempdir()}: {in_words(error)}"
        ) from error


def _memory() -> int:
    return os.memfd_create("vigie", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def _disk(size: int) -> int:
    room = os.statvfs(tempfile.gettempdir())
    if size > room.f_bavail * room.f_frsize // 2:
        # Half is left to others: what lists one blob a million times must not fill the disk.
        raise Unreadable(f"{size} bytes are too many to put together in {tempfile.gettempdir()}")
    # It has no name any more once it is open: nothing is left behind however we end.
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _read_only(fd: int, *, sealable: bool) -> int:
    """The same bytes under a descriptor that cannot change them: it will be handed to other processes."""
    if sealable:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        return os.dup(fd)
    return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
