"""How the files of a repository are reached: the interface the reader needs, and the local folder."""

import errno
import os
import stat
from typing import Protocol

from vigie.errors import Unreadable
from vigie.sources.file import in_words, kind_in_words


class Absent(Unreadable):
    """There is no such file in the repository."""


class Refused(Unreadable):
    """Whoever keeps the repository does not let us read it."""


class Unreachable(Unreadable):
    """Whoever keeps the repository does not answer."""


class Transport(Protocol):
    """Read-only access to the files of a repository.

    `kind` is "config", "keys", "snapshots", "index" or "data" (restic doc/design.rst, "Repository Layout");
    the one config file has an empty name.
    """

    @property
    def far(self) -> bool:
        """Whether a read costs a round trip, so that few large ones are better than many small ones."""
        ...

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of all files of a kind, sorted; whatever they are called.

        Raises:
            Unreadable: they cannot be listed.
        """
        ...

    def read(self, kind: str, name: str, offset: int, length: int) -> bytes:
        """The bytes of `[offset, offset + length)`; fewer where the file ends before.

        Raises:
            Unreadable: as `Absent`, `Refused` or `Unreachable` where that is why.
        """
        ...

    def close(self) -> None:
        """Let go of connections and child processes."""
        ...


def _refusal(error: OSError) -> Unreadable:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Absent("it is missing")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Refused(in_words(error))
    return Unreadable(in_words(error))


class LocalTransport:
    """A repository in a folder."""

    far = False

    def __init__(self, path: str) -> None:
        self._path = path

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of all files of a kind; none where their folder is missing.

        Raises:
            Unreadable: the folder cannot be read.
        """
        try:
            return tuple(sorted(os.listdir(os.path.join(self._path, kind))))
        except OSError as error:
            reason = _refusal(error)
            if isinstance(reason, Absent):
                return ()
            raise reason from error

    def read(self, kind: str, name: str, offset: int, length: int) -> bytes:
        """The bytes of `[offset, offset + length)`, cut where the file ends.

        Raises:
            Unreadable: as `Absent` or `Refused` where that is why.
        """
        try:
            fd = os.open(self._file(kind, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise _refusal(error) from error
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable(kind_in_words(status.st_mode))
            return _pread(fd, offset, min(length, status.st_size - offset))
        except OSError as error:
            raise _refusal(error) from error
        finally:
            os.close(fd)

    def close(self) -> None:
        """Nothing is held open between reads."""

    def _file(self, kind: str, name: str) -> str:
        if kind == "config":
            return os.path.join(self._path, kind)
        if kind == "data":
            return os.path.join(self._path, kind, name[:2], name)
        return os.path.join(self._path, kind, name)


def _pread(fd: int, offset: int, length: int) -> bytes:
    pieces: list[bytes] = []
    while length > 0 and (piece := os.pread(fd, length, offset)):
        pieces.append(piece)
        offset += len(piece)
        length -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
