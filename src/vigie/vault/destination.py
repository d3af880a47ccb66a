"""The folder files are handed back into: nothing in it is ever overwritten, nothing is written outside of it.

Folders are entered one by one by descriptor and without following links, so that a link that somebody puts
there meanwhile leads nowhere. A file is written under a name of ours in its own folder, and gets its real
name at the very end by a call that fails where that name is taken: link(2), or renameat2(2) with
RENAME_NOREPLACE.
"""

import ctypes
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from vigie.errors import DiskFull, NotPermitted, StateInUse, VigieError
from vigie.sources.file import in_words, kind_in_words

_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAKE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_RENAME_NOREPLACE = 1  # <linux/fs.h>
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What link(2) says where the file system has no hard links (FAT, many network shares)."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_PERMISSIONS = 0o777
"""Bits of a mode that are restored: never set-user-ID, set-group-ID or sticky."""
PIECE = 1 << 20


class Refused(Exception):
    """One file cannot be put where it belongs, and why; the others still can."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Taken(Exception):
    """The place is taken."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file goes: its folder, open as long as the next file lies there as well, and its name."""

    folder: int
    name: bytes

    @property
    def draft(self) -> bytes:
        """The name it has while it is written; the same again after a run that was killed."""
        return b".vigie-" + hashlib.sha256(self.name).hexdigest()[:24].encode() + b".part"


class Destination:
    """The folder, held by one run at a time.

    Raises:
        NotPermitted: it is no folder, or cannot be made or written.
        StateInUse: another run restores into it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        another = "Give another folder with --to."
        try:
            os.makedirs(path, exist_ok=True)
            self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileExistsError, NotADirectoryError) as error:
            raise NotPermitted(path, "a file stands there", another) from error
        except OSError as error:
            raise self._fatal(error) or NotPermitted(path, in_words(error), another) from error
        try:
            fcntl.flock(self._root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._root)
            raise StateInUse(path, "another run restores into this folder", "Wait for it to end.") from error
        except OSError:
            pass  # a network share without locks: link() and RENAME_NOREPLACE still guard every file
        self._folder = (b"", self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        os.close(self._root)

    def place(self, path: str) -> Place:
        """Where the file of that path in a snapshot goes; the folders above it are made.

        Raises:
            Refused: the path leads outside, or something that is no folder stands in the way.
            DiskFull: there is no room for a folder.
        """
        folder, _, name = os.fsencode(path).strip(b"/").rpartition(b"/")
        parts = folder.split(b"/") if folder else []
        if any(part in (b"", b".", b"..") or b"\0" in part for part in (*parts, name)):
            raise Refused("its path leads elsewhere")
        if folder != self._folder[0]:
            self._leave()
            self._folder = (folder, self._enter(parts))
        return Place(self._folder[1], name)

    def digest(self, place: Place) -> str | None:
        """SHA-256 of the file that stands in the place already, or None where there is none.

        Raises:
            Refused: what stands there is no regular file, or cannot be read.
        """
        try:
            fd = os.open(place.name, _LOOK, dir_fd=place.folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"something stands there already: {in_words(error)}") from error
        try:
            mode = os.fstat(fd).st_mode
            if not stat.S_ISREG(mode):
                raise Refused(f"{kind_in_words(mode)} stands there already")
            return digest(fd)
        except OSError as error:
            raise Refused(f"a file stands there already: {in_words(error)}") from error
        finally:
            os.close(fd)

    @contextmanager
    def draft(self, place: Place) -> Iterator[int]:
        """A new file beside the place, open for reading and writing, gone afterwards unless it was published.

        Raises:
            Refused: it cannot be written.
            DiskFull: there is no room left.
        """
        try:
            with suppress(FileNotFoundError):
                os.unlink(place.draft, dir_fd=place.folder)  # ours, from a run that was killed
            fd = os.open(place.draft, _MAKE, 0o600, dir_fd=place.folder)
            try:
                yield fd
            finally:
                os.close(fd)
                with suppress(FileNotFoundError):
                    os.unlink(place.draft, dir_fd=place.folder)
        except OSError as error:
            raise self._fatal(error) or Refused(in_words(error)) from error

    def publish(self, place: Place) -> None:
        """Give the draft its name.

        Raises:
            Taken: the name is taken by now.
            OSError: it cannot be; `draft` turns that into `Refused`.
        """
        try:
            os.link(
                place.draft,
                place.name,
                src_dir_fd=place.folder,
                dst_dir_fd=place.folder,
                follow_symlinks=False,
            )
        except FileExistsError as error:
            raise Taken from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _rename_new(place)

    def _enter(self, parts: list[bytes]) -> int:
        here = os.dup(self._root)
        try:
            for part in parts:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=here)
                below = os.open(part, _ENTER, dir_fd=here)
                os.close(here)
                here = below
        except OSError as error:
            os.close(here)
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise Refused("a link or a file stands where a folder must be") from error
            raise self._fatal(error) or Refused(f"its folder cannot be made: {in_words(error)}") from error
        return here

    def _leave(self) -> None:
        if self._folder[1] != self._root:
            os.close(self._folder[1])
        self._folder = (b"", self._root)

    def _fatal(self, error: OSError) -> VigieError | None:
        if error.errno in _FULL:
            again = "Make room, then run the same command again: what is there already is recognised."
            return DiskFull(self.path, "there is no room left", again)
        if error.errno == errno.EROFS:
            return NotPermitted(self.path, "the file system is read-only", "Give another folder with --to.")
        return None


def dress(fd: int, mode: int, uid: int, gid: int, mtime_ns: int) -> None:
    """Give a file its permissions, its time and, where we are root, its owner, as far as the disk can."""
    with suppress(OSError):  # FAT and many network shares know no owners or modes: the bytes are what counts
        if os.geteuid() == 0:
            os.fchown(fd, uid, gid)
    with suppress(OSError):
        os.fchmod(fd, mode & _PERMISSIONS)
    with suppress(OSError, OverflowError):
        os.utime(fd, ns=(mtime_ns, mtime_ns))


def write(fd: int, data: bytes) -> None:
    """Write all of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def digest(fd: int) -> str:
    """SHA-256 of a file, read from its start to its end."""
    found, offset = hashlib.sha256(), 0
    while piece := os.pread(fd, PIECE, offset):
        found.update(piece)
        offset += len(piece)
    return found.hexdigest()


def _rename_new(place: Place) -> None:
    """renameat2(2): Python has no call of its own for RENAME_NOREPLACE."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.renameat2(place.folder, place.draft, place.folder, place.name, _RENAME_NOREPLACE)
    if done:
        code = ctypes.get_errno()
        if code == errno.EEXIST:
            raise Taken
        raise OSError(code, os.strerror(code))
