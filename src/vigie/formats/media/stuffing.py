"""Codes that stuffing keeps out of coded data, gathered by blocks: what JPEG and JPEG 2000 share.

Random bytes hold such a code every few hundred bytes, healthy ones never: each block of 4 KiB that holds one
is flawed by itself, whatever its neighbours are, and any part of the data can be tested without the rest.
"""

from dataclasses import dataclass

from vigie.formats.contract import Effort
from vigie.formats.media.stretch import uniform_part
from vigie.model import Blob, Flaw, Region

BLOCK = 4096
"""Forbidden codes are gathered by blocks of this size, on multiples of it."""
STRETCHES = 256
"""Flawed stretches told apart in one image; beyond, the last one grows."""
WINDOW = 64 * 1024
"""What is read at each place where the effort does not reach over all of it."""


@dataclass(frozen=True, slots=True)
class Coded:
    """What was found in a coded image inside a blob; offsets are those of the blob."""

    regions: tuple[Region, ...]
    flaws: tuple[Flaw, ...]
    notes: tuple[str, ...]


class Struck:
    """The blocks that hold a forbidden code, met in rising order."""

    __slots__ = ("_spans",)

    def __init__(self) -> None:
        self._spans: list[list[int]] = []

    def add(self, position: int) -> None:
        """A forbidden code stands at `position`."""
        block = position // BLOCK
        if not self._spans or (block > self._spans[-1][1] and len(self._spans) < STRETCHES):
            self._spans.append([block, block + 1])
        else:
            self._spans[-1][1] = block + 1

    def flaws(self, start: int, end: int, what: str) -> list[Flaw]:
        """One flaw for each stretch of adjacent blocks, cut at the edges of the coded data."""
        seen = len(self._spans) < STRETCHES  # or the last one may have grown over healthy blocks
        return [
            Flaw(max(start, a * BLOCK), min(end, b * BLOCK), what, throughout=seen) for a, b in self._spans
        ]


def narrowed(blob: Blob, start: int, end: int) -> tuple[int, int]:
    """The blocks of a stretch that is broken somewhere which are as uniform as chance, or all of it."""
    part = uniform_part(blob, start, end)
    return part if part is not None and part[1] - part[0] >= BLOCK else (start, end)


def spread(start: int, end: int, effort: Effort) -> list[tuple[int, int]]:
    """What of `[start, end)` the effort reaches: all, or windows at both ends and evenly between.

    The effort is spent by it.
    """
    if end - start <= effort.left:
        effort.spend(end - start)
        return [(start, end)]
    count = max(0, effort.left) // WINDOW
    effort.spend(count * WINDOW)
    if count == 1:
        return [(start, start + WINDOW)]
    return [
        (first, first + WINDOW)
        for first in (start + (end - start - WINDOW) * index // (count - 1) for index in range(count))
    ]
