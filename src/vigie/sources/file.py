"""A file at rest as a blob: opened without following links or waking devices, read by `pread`."""

import errno
import os
import stat
from types import TracebackType
from typing import Self

from vigie.errors import Unreadable

# O_NONBLOCK: a FIFO that takes the file's place must not hang us. O_NOFOLLOW: nor may a link lead elsewhere.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_PIECE = 64 * 1024 * 1024
"""Most bytes asked for in one call: `pread` gives at most 2 GiB, and reserves what it is asked for."""

_KEPT = 1024 * 1024
"""Most bytes of the last read that are kept: formats look at a file here and there, and a small one whole."""
_NEAR = 16 * 1024
"""What is read where less than a block is asked for: more of the neighbourhood will be."""
_BLOCK = 4096

_WORDS = {
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EIO: "input/output error: the disk may be failing",
    errno.ELOOP: "a symbolic link stands in its place",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
    errno.ENAMETOOLONG: "its path is too long to open",
    errno.ENODEV: "its device is gone",
    errno.ENOENT: "it vanished",
    errno.ENOTDIR: "its folder vanished",
    errno.ENXIO: "a socket or a device stands in its place",
    errno.ESTALE: "the network share it lies on has changed underneath",
    errno.ETIMEDOUT: "the network share it lies on does not answer",
}


def in_words(error: OSError) -> str:
    """Why the operating system refused, in words for a report."""
    code = error.errno or 0
    return _WORDS.get(code) or os.strerror(code).lower()


def kind_in_words(mode: int) -> str:
    """What a `st_mode` that is no regular file stands for: "a socket"."""
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        return "a device"
    return "not a regular file"


class FileBlob:
    """A regular file, open for reading (an `OpenBlob`). Its size is fixed when it is opened."""

    __slots__ = ("_base", "_fd", "_last", "_size")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._base = 0
        self._last = b""  # what was read last, from `_base` on
        try:
            status = os.fstat(fd)
        except OSError as error:
            self._fd = -1
            raise Unreadable(in_words(error)) from error
        self._size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise Unreadable(kind_in_words(status.st_mode))

    @classmethod
    def open(cls, path: str) -> Self:
        """Open the file at `path`, leaving its access time alone where the system permits.

        Raises:
            Unreadable: it cannot be opened, or is not a regular file.
        """
        try:
            # O_NOATIME is for the owner and root only (open(2)).
            try:
                fd = os.open(path, _FLAGS | os.O_NOATIME)
            except PermissionError:
                fd = os.open(path, _FLAGS)
        except OSError as error:
            raise Unreadable(in_words(error)) from error
        return cls(fd)

    @classmethod
    def adopt(cls, fd: int) -> Self:
        """Take over a descriptor received from elsewhere (fanotify, another process), and close it.

        Raises:
            Unreadable: it is not a regular file; the descriptor is closed all the same.
        """
        return cls(fd)

    @property
    def size(self) -> int:
        """Bytes in all, fixed when it was opened."""
        return self._size

    def at(self, offset: int, length: int) -> bytes:
        """The bytes of `[offset, offset + length)`, cut at `size`.

        Raises:
            Unreadable: input/output error, closed, or the file shrank since it was opened.
        """
        end = min(offset + length, self._size)
        if end <= offset:
            return b""
        start = offset - self._base
        if start < 0 or end - self._base > len(self._last):
            data = self._read(offset, end)
            if len(data) > _KEPT:
                return data
            self._base, self._last, start = offset, data, 0
        return self._last[start : end - self._base]

    def _read(self, offset: int, end: int) -> bytes:
        """The bytes of `[offset, end)`, and of a short range also what follows it."""
        wanted = max(end, min(offset + _NEAR, self._size)) if end - offset < _BLOCK else end
        pieces: list[bytes] = []
        while offset < end:
            try:
                piece = os.pread(self._fd, min(wanted - offset, _PIECE), offset)
            except OSError as error:
                raise Unreadable(in_words(error)) from error
            if not piece:
                raise Unreadable("it shrank while it was read")
            offset += len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def fileno(self) -> int:
        """The descriptor, owned by this object; -1 once closed."""
        return self._fd

    def close(self) -> None:
        """Give the descriptor back; more than once does no harm."""
        fd, self._fd = self._fd, -1
        self._base, self._last = 0, b""
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
