"""The folder files are handed back into: nothing in it is ever overwritten, nothing is written outside of it.

A file is written under a name of ours in its own folder, and gets its real name at the very end by a call
that fails where that name is taken: renameat2(2) with RENAME_NOREPLACE, or link(2) where a file system does
not have that.
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
from functools import lru_cache
from types import TracebackType
from typing import Self

from vigie.errors import DiskFull, NotPermitted, StateInUse, VigieError
from vigie.model import Attributes
from vigie.sources.file import in_words, kind_in_words
from vigie.vault.dress import dress
from vigie.vault.entered import Entered, is_no_folder

_MAKE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_RENAME_NOREPLACE = 1  # <linux/fs.h>
_UNKNOWN = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""What renameat2(2) says where kernel or file system does not know the flag (NFS, many FUSE ones)."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
PIECE = 1 << 20
OURS = b"vigie-manifest"
"""How the names of what Vigie itself writes at the top of the folder begin."""


class Refused(Exception):
    """One file cannot be put where it belongs, and why; the others still can."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Taken(Exception):
    """The place is taken."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file goes: its folder below the destination, empty for the top, and its name."""

    folder: bytes
    name: bytes
    draft: bytes
    """The name it has while it is written; the same again after a run that was killed."""

    @classmethod
    def of(cls, folder: bytes, name: bytes) -> Self:
        """The place of that name."""
        return cls(folder, name, b".vigie-" + hashlib.sha256(name).hexdigest()[:24].encode() + b".part")


class Destination:
    """The folder, held by one run at a time. Its methods may be called from several threads.

    Raises:
        NotPermitted: it is no folder, or cannot be made or written.
        StateInUse: another run restores into it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        another = "Give another folder with --to."
        try:
            os.makedirs(path, exist_ok=True)
            root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileExistsError, NotADirectoryError) as error:
            raise NotPermitted(path, "a file stands there", another) from error
        except OSError as error:
            raise self.fatal(error) or NotPermitted(path, in_words(error), another) from error
        try:
            fcntl.flock(root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(root)
            raise StateInUse(path, "another run restores into this folder", "Wait for it to end.") from error
        except OSError:
            pass  # a network share without locks: RENAME_NOREPLACE and link() still guard every file
        self._entered = Entered(root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.close()

    def place(self, path: str, *, folders: int = 0o777) -> Place:
        """Where the file of that path in a snapshot goes; the folders above it are made, with that mode.

        Raises:
            Refused: the path leads outside, or something that is no folder stands in the way.
            DiskFull: there is no room for a folder.
        """
        folder, _, name = os.fsencode(path).strip(b"/").rpartition(b"/")
        if not (_is_straight(folder) and _is_straight(name)) or not name:
            raise Refused("its path leads elsewhere")
        if not folder and name.startswith(OURS):
            raise Refused("that name is kept for the manifest")
        try:
            with self._entered.folder(folder, make=folders):
                return Place.of(folder, name)
        except OSError as error:
            if is_no_folder(error):
                raise Refused("a link or a file stands where a folder must be") from error
            raise self.fatal(error) or Refused(f"its folder cannot be made: {in_words(error)}") from error

    def look(self, place: Place) -> os.stat_result | None:
        """The file that stands in the place already, or None where there is none.

        Raises:
            Refused: what stands there is no regular file, or cannot be looked at.
        """
        try:
            with self._entered.folder(place.folder) as folder:
                status = os.stat(place.name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"something stands there already: {in_words(error)}") from error
        if stat.S_ISLNK(status.st_mode):
            raise Refused("a symbolic link stands there already")
        if not stat.S_ISREG(status.st_mode):
            raise Refused(f"{kind_in_words(status.st_mode)} stands there already")
        return status

    def open(self, place: Place, *, draft: bool = False) -> int:
        """A descriptor that reads the file in the place, or its draft, and cannot write it.

        Raises:
            OSError: it cannot be opened.
        """
        with self._entered.folder(place.folder) as folder:
            return os.open(place.draft if draft else place.name, _LOOK, dir_fd=folder)

    def digest(self, place: Place) -> str:
        """SHA-256 of the file that stands in the place.

        Raises:
            Refused: it cannot be read.
        """
        try:
            fd = self.open(place)
            try:
                return digest(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise Refused(f"a file stands there already: {in_words(error)}") from error

    def draft(self, place: Place) -> int:
        """A descriptor for a new, empty file beside the place, also where a killed run left one.

        Raises:
            OSError: it cannot be made.
        """
        with self._entered.folder(place.folder) as folder:
            try:
                return os.open(place.draft, _MAKE, 0o600, dir_fd=folder)
            except FileExistsError:
                os.unlink(place.draft, dir_fd=folder)
                return os.open(place.draft, _MAKE, 0o600, dir_fd=folder)

    def discard(self, place: Place) -> None:
        """Take the draft away, where there is one."""
        with suppress(OSError), self._entered.folder(place.folder) as folder:
            os.unlink(place.draft, dir_fd=folder)

    def publish(self, place: Place) -> os.stat_result:
        """Give the draft its name; what it is like then.

        Raises:
            Taken: the name is taken by now.
            OSError: it cannot be.
        """
        with self._entered.folder(place.folder) as folder:
            try:
                _rename_new(folder, place)
            except OSError as error:
                if error.errno not in _UNKNOWN:
                    raise
                _link_new(folder, place)
            return os.stat(place.name, dir_fd=folder, follow_symlinks=False)

    def sync(self) -> None:
        """Wait until files and names are on the disk.

        Raises:
            OSError: the disk could not take something.
        """
        self._entered.sync()

    def dress_folder(self, path: str, attributes: Attributes) -> tuple[str, ...]:
        """Give the folder of that path in a snapshot what it had; the extended attributes it could not be."""
        with suppress(OSError), self._entered.folder(os.fsencode(path).strip(b"/")) as folder:
            return dress(folder, attributes)
        return tuple(name for name, _ in attributes.extended)

    def open_folder(self, path: str, mode: int) -> None:
        """Let a folder of which nothing is known be entered, if this run made it; else it is left alone."""
        folder = os.fsencode(path).strip(b"/")
        if folder in self._entered.made:
            with suppress(OSError), self._entered.folder(folder) as fd:
                os.fchmod(fd, mode)

    @contextmanager
    def own(self, name: str, flags: int) -> Iterator[int]:
        """A file of Vigie's own at the top of the folder, readable by its owner only.

        Raises:
            DiskFull, NotPermitted: it cannot be made or used.
        """
        try:
            with self._entered.folder(b"") as root:
                fd = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=root)
            try:
                yield fd
            finally:
                os.close(fd)
        except OSError as error:
            said = NotPermitted(f"{self.path}/{name}", in_words(error), "Give another folder with --to.")
            raise self.fatal(error) or said from error

    def fatal(self, error: OSError) -> VigieError | None:
        """The error that ends the run, where this concerns more than one file."""
        if error.errno in _FULL:
            again = "Make room, then run the same command again: what is there already is recognised."
            return DiskFull(self.path, "there is no room left", again)
        if error.errno == errno.EROFS:
            return NotPermitted(self.path, "the file system is read-only", "Give another folder with --to.")
        return None


@lru_cache(maxsize=256)  # files of one folder mostly follow each other
def _is_straight(path: bytes) -> bool:
    """Whether each part of a path leads one folder down; so does none at all."""
    return not path or not any(part in (b"", b".", b"..") or b"\0" in part for part in path.split(b"/"))


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


_libc = ctypes.CDLL(None, use_errno=True)


def _rename_new(folder: int, place: Place) -> None:
    """renameat2(2): Python has no call of its own for RENAME_NOREPLACE."""
    if _libc.renameat2(folder, place.draft, folder, place.name, _RENAME_NOREPLACE):
        code = ctypes.get_errno()
        if code == errno.EEXIST:
            raise Taken
        raise OSError(code, os.strerror(code))


def _link_new(folder: int, place: Place) -> None:
    try:
        os.link(place.draft, place.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError as error:
        raise Taken from error
    os.unlink(place.draft, dir_fd=folder)
