"""Bytes out of archives: many files a run, since starting borg costs more than a small file does.

`borg export-tar` is asked for a file and for some of those announced to come next, few or many as it proved
useful; tar names each of them and its length, so that a run that breaks off cannot shift bytes into another
file. borg verifies each chunk against its id. What it could not give in company is asked for alone, and only
then is it called unreadable.
"""

import os
import tarfile
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from vigie.errors import Unreadable, VigieError
from vigie.sources.borg.listing import Item, order
from vigie.sources.borg.program import Borg, Run
from vigie.sources.file import FileBlob, in_words
from vigie.sources.spool import spooled

AHEAD = 4 * 1024 * 1024
"""Files up to this many bytes are read ahead."""
HEAD = 512 * 1024
"""Bytes of a larger file that count as its head."""
_KEPT = 96 * 1024 * 1024
"""Bytes read ahead that are kept, the newest."""
_LEAST, _BATCH = 4 * 1024 * 1024, 24 * 1024 * 1024
"""Bytes that a run reads ahead, at least and at most: to start borg takes as long as 24 MiB of it."""
_MOST = 2048
"""Files asked for in one run,"""
_ARGUMENTS = 512 * 1024
"""and bytes of their names, which are arguments: the kernel takes 2 MiB of them (execve(2))."""
_PIECE = 1024 * 1024
_MISSING = "borg does not find it in its archive"

_Member = tuple[str, int, IO[bytes]]


class Reader:
    """Brings files out of archives, one caller at a time."""

    def __init__(self, borg: Borg) -> None:
        self._borg = borg
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0
        self._given: set[str] = set()
        """Contents that somebody had already, and hardly wants again."""
        self._coming: OrderedDict[str, Sequence[Item]] = OrderedDict()
        self._window = _LEAST
        self._hits = self._guessed = 0

    def announce(self, archive: str, items: Sequence[Item]) -> None:
        """Say that these files of an archive, in path order, may be asked for next."""
        with self._lock:
            self._coming[archive] = items
            self._coming.move_to_end(archive)
            while len(self._coming) > 2:
                self._coming.popitem(last=False)

    def open(self, archive: str, item: Item) -> FileBlob:
        """All of a file.

        Raises:
            Unreadable: a part of it is missing or damaged.
        """
        with self._lock:
            if item.size > AHEAD:
                return self._alone(archive, item, item.size)
            self._given.add(item.content)
            if item.chunks in self._kept:
                self._hits += 1
            elif item.size:
                self._read(archive, item)
            data = self._kept.get(item.chunks, b"")
        return spooled((data,), len(data))

    def head(self, archive: str, item: Item) -> FileBlob:
        """The first bytes of a file: `HEAD` of a large one, all of a small one.

        Raises:
            Unreadable: they are missing or damaged.
        """
        if item.size <= AHEAD:
            return self.open(archive, item)
        with self._lock:
            return self._alone(archive, item, HEAD)

    def _read(self, archive: str, item: Item) -> None:
        """Get a small file, and put others that may be wanted soon beside it."""
        # As with the read-ahead of kernels: more where the last guess was any good, else less. One file of it
        # that was wanted has saved a run, which is worth all of the others.
        if self._guessed:
            self._window = min(self._window * 4, _BATCH) if self._hits else max(self._window // 4, _LEAST)
        batch = self._batch(archive, item)
        self._guessed, self._hits = len(batch) - 1, 0
        said = self._fetch(archive, batch)
        if item.chunks not in self._kept and len(batch) > 1:
            said = self._fetch(archive, [item])  # another one may have been in its way
        if item.chunks not in self._kept:
            raise Unreadable(said or _MISSING)

    def _batch(self, archive: str, item: Item) -> list[Item]:
        batch, size, names = [item], item.size, 0
        contents = {item.chunks}
        coming = self._coming.get(archive, ())
        start = bisect_left(coming, order(item.path), key=lambda other: order(other.path))
        for other in coming[start : start + 8 * _MOST]:
            names += len(os.fsencode(other.home)) + 16
            if len(batch) >= _MOST or names > _ARGUMENTS:
                break
            fits = 0 < other.size <= AHEAD and size + other.size <= self._window and not other.flaw
            here = other.chunks in contents or other.chunks in self._kept
            if fits and not here and other.content not in self._given:
                batch.append(other)
                contents.add(other.chunks)
                size += other.size
        return batch

    def _fetch(self, archive: str, batch: Sequence[Item]) -> str:
        """Extract these small files; what came whole is kept. Gives the reason if one is missing."""
        wanted = {item.home[1:]: item for item in batch}
        with self._exported(archive, wanted) as (run, members):
            try:
                for name, size, stream in members:
                    item = wanted.get(name)
                    if item is not None and item.size == size:
                        # A name that comes twice was saved twice; the later one is what the listing has.
                        self._keep(item.chunks, stream.read(size))
            except tarfile.TarError:
                pass  # it breaks off: borg says why
            return self._reason(run)

    def _alone(self, archive: str, item: Item, limit: int) -> FileBlob:
        """The first `limit` bytes of a large file."""
        found: FileBlob | None = None
        with self._exported(archive, (item.home[1:],)) as (run, members):
            try:
                for name, size, stream in members:
                    if name == item.home[1:] and size == item.size:
                        found = spooled(_pieces(stream, limit), limit)
                        if limit < size:
                            return found
            except tarfile.TarError:
                found = None
            reason = self._reason(run)
        if found is None or reason:
            raise Unreadable(reason or _MISSING)
        return found

    def _reason(self, run: Run) -> str:
        run.out.close()
        return "" if run.ended() else self._borg.complaint(run).problem

    @contextmanager
    def _exported(self, archive: str, paths: Iterable[str]) -> Iterator[tuple[Run, Iterator[_Member]]]:
        # pf: a path, the whole path, and nothing but a path (borg help patterns).
        patterns = [f"pf:{path}" for path in paths]
        place = f"{self._borg.repository}::{archive}"
        try:
            with self._borg.running("export-tar", place, "-", *patterns) as run:
                yield run, _members(run.out)
        except VigieError as error:
            raise Unreadable(error.problem) from error
        except OSError as error:
            raise Unreadable(f"borg cannot be run for it: {in_words(error)}") from error

    def _keep(self, chunks: bytes, data: bytes) -> None:
        self._size += len(data) - len(self._kept.pop(chunks, b""))
        self._kept[chunks] = data
        while self._size > _KEPT:
            self._size -= len(self._kept.popitem(last=False)[1])


def _members(out: IO[bytes]) -> Iterator[_Member]:
    """The files of a tar stream: name, size, and its bytes, to be read before the next one.

    Raises:
        tarfile.TarError: it breaks off, or is none.
    """
    with tarfile.open(fileobj=out, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isreg() else None
            if stream is not None:
                yield member.name, member.size, stream


def _pieces(stream: IO[bytes], limit: int) -> Iterator[bytes]:
    while limit and (piece := stream.read(min(limit, _PIECE))):
        limit -= len(piece)
        yield piece
