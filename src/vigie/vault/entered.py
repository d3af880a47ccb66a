"""Folders below a root, entered one by one by descriptor and without following links, and kept open a while.

A link that somebody puts in the way meanwhile leads nowhere. `sync` brings to the disk all that was written
below the root, on every file system that was entered, at once: a call per file costs a hundred times as much.
"""

import ctypes
import errno
import os
import threading
from collections import OrderedDict
from contextlib import AbstractContextManager, suppress

_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KEPT = 64
"""Folders kept open: files of one folder mostly follow each other, but not where the newest comes first."""


class _Open:
    """A folder that is open, and stays so for as long as a block uses it: `with folder as descriptor`."""

    __slots__ = ("_lock", "fd", "users")

    def __init__(self, fd: int, lock: threading.Lock) -> None:
        self.fd = fd
        self.users = 0
        """Blocks that are using it."""
        self._lock = lock

    def __enter__(self) -> int:
        return self.fd

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.users -= 1


class Entered:
    """Open folders below `root`, a descriptor that is owned from now on. May be used from several threads."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._kept: OrderedDict[bytes, _Open] = OrderedDict()
        self._lock = threading.Lock()
        self._top = _Open(root, self._lock)
        self.made: set[bytes] = set()
        """Paths of the folders that were not there."""
        self._systems: dict[int, int] = {}
        """A descriptor for each file system met, by its number: syncfs(2) takes one at a time."""
        self._meet(root)

    def close(self) -> None:
        """Let go of all folders."""
        with self._lock:
            for fd in (*(known.fd for known in self._kept.values()), *self._systems.values(), self._root):
                os.close(fd)
            self._kept.clear()
            self._systems.clear()
            self._root = self._top.fd = -1

    def folder(self, path: bytes, *, make: int | None = None) -> AbstractContextManager[int]:
        """The descriptor of the folder at `path` below the root; for as long as a block lasts, used once.

        Where `make` is a mode, folders that are missing are made with it.

        Raises:
            OSError: it is not there, or cannot be entered or made; ELOOP or ENOTDIR where it is no folder.
        """
        # Held for the look-up only: what is done in a folder may take its time.
        with self._lock:
            known = self._kept.get(path) if path else self._top
            if known is None:
                known = self._kept[path] = _Open(self._enter(path.split(b"/"), make), self._lock)
            elif path:
                self._kept.move_to_end(path)
            known.users += 1
            if len(self._kept) > _KEPT:
                self._drop_oldest()
        return known

    def sync(self) -> None:
        """Wait until all that was written on the file systems that were entered is on their disks.

        Raises:
            OSError: a disk could not take something, of ours or of somebody else.
        """
        with self._lock:
            systems = tuple(self._systems.values())
        libc = ctypes.CDLL(None, use_errno=True)
        for fd in systems:
            if libc.syncfs(fd):
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))

    def _drop_oldest(self) -> None:
        unused = next((path for path, known in self._kept.items() if not known.users), None)
        if unused is not None:
            os.close(self._kept.pop(unused).fd)

    def _enter(self, parts: list[bytes], make: int | None) -> int:
        here = os.dup(self._root)
        try:
            for depth, part in enumerate(parts, 1):
                try:
                    below = os.open(part, _ENTER, dir_fd=here)
                except FileNotFoundError:
                    if make is None:
                        raise
                    with suppress(FileExistsError):
                        os.mkdir(part, make, dir_fd=here)
                        self.made.add(b"/".join(parts[:depth]))
                    below = os.open(part, _ENTER, dir_fd=here)
                os.close(here)
                here = below
            self._meet(here)
        except OSError:
            os.close(here)
            raise
        return here

    def _meet(self, fd: int) -> None:
        number = os.fstat(fd).st_dev
        if number not in self._systems:
            self._systems[number] = os.dup(fd)


def is_no_folder(error: OSError) -> bool:
    """Whether a folder could not be entered because a link or a file stands in its place."""
    return error.errno in (errno.ELOOP, errno.ENOTDIR)
