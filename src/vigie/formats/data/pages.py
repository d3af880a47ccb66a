"""Files made of pages of one size, as databases are: each page is checked by itself, many at a time.

What stands in the body of a page may be anything (images, compressed or encrypted columns), so bodies are
opaque. A page whose *header* is impossible is no page: all of it is expected to be structured, and random
bytes in it show where it was overwritten. A page whose header holds and whose *body* does not (a checksum, a
trailer) is flawed block by block, so that only the random ones are said to be encrypted.

By hand, with numpy: a page is a row of an array, and a check a comparison of columns.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vigie.model import Blob, Flaw, Kind, Region

Pages = NDArray[np.uint8]
"""Pages in a row, of shape (pages, bytes a page)."""
Marks = NDArray[np.uint8]
"""For each page `SOUND`, `HEADER` or `BODY`."""
Check = Callable[[Pages, int], Marks]
"""Marks some pages, of which the first has the given number."""

SOUND, HEADER, BODY = 0, 1, 2
BLOCK = 4096
"""What a flaw of a page's body is split into."""
BATCH = 256 * 1024
"""Bytes of pages that are read at once."""
RUNS = 256
"""Runs of broken pages told apart; beyond, the last one grows."""


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring pages that are broken in the same way, `[first, end)`."""

    first: int
    end: int
    mark: int


@dataclass(slots=True)
class Survey:
    """What a look at the pages of one file found."""

    size: int
    """Bytes a page."""
    start: int
    """Where page 0 begins."""
    pages: int
    """Whole pages in the file."""
    looked: int = 0
    """Pages that were checked."""
    runs: list[Run] = field(default_factory=list)

    def add(self, marks: Marks, first: int, *, joined: bool = False) -> None:
        """Take in the marks of pages `first` and following.

        With `joined`, what lies unread between these pages and the ones before shares their fate.
        """
        self.looked += len(marks)
        edges = np.flatnonzero(np.diff(marks)) + 1
        for low, high in zip([0, *edges.tolist()], [*edges.tolist(), len(marks)], strict=True):
            if not marks[low]:
                continue
            run = Run(first + low, first + high, int(marks[low]))
            last = self.runs[-1] if self.runs else None
            if last and last.mark == run.mark and (last.end == run.first or (joined and not low)):
                self.runs[-1] = Run(last.first, run.end, run.mark)
            elif last and len(self.runs) == RUNS:
                self.runs[-1] = Run(last.first, run.end, last.mark)
            else:
                self.runs.append(run)

    def flaws(self, header: str, body: str) -> Iterator[Flaw]:
        """Every run in words; `body` is what a checksum says of a page whose header holds."""
        for run in self.runs:
            first, end = self.start + run.first * self.size, self.start + run.end * self.size
            what = f"page {run.first}" if run.end == run.first + 1 else f"pages {run.first} to {run.end - 1}"
            seen = self.looked == self.pages
            said = f"{what}: {header if run.mark == HEADER else body}"
            for low, high in blocks(first, end, self.size):
                yield Flaw(
                    low, high, said, checksum=run.mark == BODY, throughout=seen and high - low >= self.size
                )

    def regions(self, header: int, what: str) -> Iterator[Region]:
        """The header of page 0 (`header` bytes), and every page whose own is impossible."""
        end = self.start + header
        if header and not (self.runs and self.runs[0].first == 0 and self.runs[0].mark == HEADER):
            yield Region(self.start, end, Kind.STRUCTURED, what)
        for run in self.runs:
            if run.mark == HEADER:
                first, last = self.start + run.first * self.size, self.start + run.end * self.size
                yield Region(first, last, Kind.STRUCTURED, "pages without a header")

    def notes(self) -> tuple[str, ...]:
        """How much was looked at, where it was not all."""
        if self.looked == self.pages:
            return ()
        return (f"looked at {self.looked:,} of {self.pages:,} pages",)


def survey(blob: Blob, size: int, check: Check, effort: int, start: int = 0) -> Survey:
    """Check the pages of `size` bytes from `start` on: all, or as many as `effort` allows.

    Then head and tail come first, and the rest evenly between. Pages of zeros are sound: every database
    sets pages aside before it fills them.

    Raises:
        Unreadable: as the blob does.
    """
    found = Survey(size, start, max(0, blob.size - start) // size)
    batch = max(1, BATCH // size)
    between = False  # the batch before ends in a page without a header
    for first in places(found.pages, batch, max(1, effort // (batch * size))):
        data = blob.at(start + first * size, min(batch, found.pages - first) * size)
        pages = np.frombuffer(data, np.uint8)[: len(data) // size * size].reshape(-1, size)
        if not len(pages):
            break
        marks = check(pages, first)
        for index in np.flatnonzero(marks).tolist():
            if not pages[index].any():
                marks[index] = SOUND
        found.add(marks, first, joined=between)
        between = bool((marks == HEADER).all())
    return found


def places(pages: int, batch: int, batches: int) -> Iterator[int]:
    """First pages of the batches to look at, rising: all of them, or `batches` spread evenly."""
    whole = -(-pages // batch)
    if whole <= batches:
        yield from range(0, pages, batch)
        return
    last = pages - batch
    yield from sorted({last * index // max(1, batches - 1) for index in range(batches)})


def blocks(first: int, end: int, edge: int = 1 << 62) -> Iterator[tuple[int, int]]:
    """Cut what is broken into blocks of the file; of a long run only `edge` bytes at both ends."""
    if end - first > 2 * edge:
        yield from blocks(first, first + edge)
        yield first + edge, end - edge
        first = end - edge
    while first < end:
        stop = min(end, first - first % BLOCK + BLOCK)
        yield first, stop
        first = stop


def column(
    pages: Pages, offset: int, kind: Literal["<u2", "<u4", "<u8", ">u2", ">u4", ">u8"]
) -> NDArray[Any]:
    """The field at `offset` of every page, as the numpy type says."""
    width = int(kind[2])
    return np.ascontiguousarray(pages[:, offset : offset + width]).view(kind)[:, 0]
