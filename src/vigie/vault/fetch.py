"""Bytes of a backup, read ahead in a thread: the next files come in while these are brought to the disk.

A repository on a disk of this machine is read where its bytes are wanted: there is little to wait for, and
two busy threads cost each other more than they win.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar, runtime_checkable

from vigie.errors import Unreadable
from vigie.model import Source, Version
from vigie.vault.pace import Pace

PIECE = 1 << 20
"""Bytes read at once where the source does not cut its files into pieces itself."""
AHEAD = 32 << 20
"""Bytes that may wait to be written."""
AHEAD_PIECES = 1024
SHEAF, SHEAF_PIECES = 1 << 20, 32
"""Bytes, and pieces, that are handed over together: two threads that wait for each other's every file wake
each other up more than they read and write."""
HASTE = 0.01
"""Seconds after which fewer are handed over: from a slow source they come one by one."""


@runtime_checkable
class _InPieces(Protocol):
    """A source that gives a file piece by piece, so that a large one need not be assembled first."""

    def read(self, version: Version) -> Iterator[bytes]: ...


@runtime_checkable
class _Near(Protocol):
    """A source that says whether its bytes come from far away."""

    @property
    def far(self) -> bool: ...


class Job(Protocol):
    """Something to do, in order."""

    @property
    def wanted(self) -> Version | None:
        """What must be read for it, or None."""
        ...


J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class Piece(Generic[J]):
    """Some bytes of a job's version; a job without one has a single, empty piece."""

    job: J
    data: bytes
    last: bool
    trouble: str = ""
    """Why there are no more bytes, where they cannot be had; that piece is the last one."""


class Fetch(Generic[J]):
    """The pieces of all jobs, in order. `jobs` is gone through in the thread, no further ahead than needed.

    What `jobs` raises is raised here, at its place.
    """

    def __init__(self, source: Source, jobs: Iterable[J], limit: int = 0) -> None:
        """Read at most `limit` bytes a second; 0 is as fast as can be."""
        self._source = source
        self._in_pieces = source if isinstance(source, _InPieces) else None
        self._ahead = limit > 0 or not isinstance(source, _Near) or source.far
        self._jobs = jobs
        self._halt = threading.Event()
        self._pace = Pace(limit, wait=self._halt.wait)
        self._queue: deque[Piece[J]] = deque()
        self._bulk = 0
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="fetch", daemon=True)

    def __enter__(self) -> Self:
        if self._ahead:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._halt.set()
            self._changed.notify_all()
        if self._ahead:
            self._thread.join()

    def __iter__(self) -> Iterator[Piece[J]]:
        if not self._ahead:
            for job in self._jobs:
                yield from self._pieces(job)
            return
        while True:
            with self._changed:
                self._changed.wait_for(self._is_enough, HASTE)
                while not self._queue and not self._ended:
                    self._changed.wait()
                if not self._queue:
                    break
                pieces = list(self._queue)
                self._queue.clear()
                self._bulk = 0
                self._changed.notify_all()
            yield from pieces
        if self._error is not None:
            raise self._error

    def _read(self) -> None:
        try:
            for job in self._jobs:
                for piece in self._pieces(job):
                    if not self._put(piece):
                        return
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for us
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _pieces(self, job: J) -> Iterator[Piece[J]]:
        version = job.wanted
        if version is None:
            yield Piece(job, b"", last=True)
            return
        given, held = 0, b""
        try:
            # One is held back: the last one is to say so.
            for data in self._bytes(version):
                self._pace.spend(len(data))
                given += len(data)
                if held:
                    yield Piece(job, held, last=False)
                held = data
        except Unreadable as error:
            yield Piece(job, b"", last=True, trouble=error.reason)
            return
        size = version.entry.size
        trouble = "" if given == size else f"the backup gave {given} bytes instead of {size}"
        yield Piece(job, held, last=True, trouble=trouble)

    def _bytes(self, version: Version) -> Iterator[bytes]:
        if self._in_pieces is not None:
            yield from self._in_pieces.read(version)
            return
        blob = version.entry.open()
        try:
            for offset in range(0, blob.size, PIECE):
                yield blob.at(offset, PIECE)
        finally:
            blob.close()

    def _put(self, piece: Piece[J]) -> bool:
        with self._changed:
            while not self._halt.is_set() and (self._bulk >= AHEAD or len(self._queue) >= AHEAD_PIECES):
                self._changed.wait()
            first = not self._queue
            self._queue.append(piece)
            self._bulk += len(piece.data)
            if first or self._is_enough():
                self._changed.notify_all()
            return not self._halt.is_set()

    def _is_enough(self) -> bool:
        """Whether a sheaf is there, or all that there will be."""
        return self._ended or self._bulk >= SHEAF or len(self._queue) >= SHEAF_PIECES
