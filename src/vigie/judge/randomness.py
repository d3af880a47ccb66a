"""Where in a file random-looking bytes stand: the kernels, run once over a blob or over a stated sample."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.judge import kernels
from vigie.judge.kernels import BLOCK, CELL, FINE
from vigie.model import MAP_CELLS, Blob, Charset, Range

WHOLE = 64 * 1024 * 1024
"""Files up to this size are read to the last byte."""
HEAD, TAIL = 4 * 1024 * 1024, 1024 * 1024
"""Of larger ones: the head, the tail, and evenly between"""
WINDOW = 256 * 1024
"""windows of this size, `WHOLE` bytes in all."""

UNIFORM_MEAN, UNIFORM_DEVIATION = 255.0, 22.6
"""Chi-square of a block of random bytes: 255 degrees of freedom, variance twice that."""
TEXT_HIT = 4
"""Impossible bytes among 16 that make a text cell a hit: random ones have 8."""


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch that was read, with what the kernels say of it; `start` is a multiple of `BLOCK`."""

    start: int
    data: kernels.Bytes
    cells: NDArray[np.bool_]
    chi2: NDArray[np.float64]


class Randomness:
    """The randomness of one blob.

    Raises:
        Unreadable: as the blob does.
    """

    def __init__(self, blob: Blob) -> None:
        self.size = blob.size
        self.windows = tuple(_measure(blob, start, length) for start, length in _sample(blob.size))
        self.read = sum(window.data.size for window in self.windows)
        cells = sum(window.cells.size for window in self.windows)
        self.share = (
            sum(int(window.cells.sum()) for window in self.windows) / cells if cells else self._small()
        )

    def _small(self) -> float:
        # Fewer than 64 bytes: the fine cells are all there is.
        fine = [kernels.random_fine(window.data) for window in self.windows]
        return float(np.concatenate(fine).mean()) if fine and fine[0].size else 0.0

    def map(self) -> bytes:
        """Share of random cells in each of `MAP_CELLS` equal parts, 0 to 255 (see `Likeness.map`)."""
        if not self.size:
            return b""
        total, hits = np.zeros(MAP_CELLS), np.zeros(MAP_CELLS)
        for window in self.windows:
            part = (window.start + np.arange(window.cells.size) * CELL) * MAP_CELLS // self.size
            total += np.bincount(part, minlength=MAP_CELLS)
            hits += np.bincount(part, weights=window.cells, minlength=MAP_CELLS)
        filled = np.divide(hits, total, out=np.full(MAP_CELLS, self.share), where=total > 0)
        return bytes((filled * 255).astype(np.uint8))

    def binary_hits(self, start: int, end: int) -> list[Range]:
        """Stretches of random cells inside `[start, end)`."""
        hits: list[Range] = []
        for window in self.windows:
            first = max(0, -((window.start - start) // CELL)) if start > window.start else 0
            last = min(window.cells.size, max(0, (end - window.start) // CELL))
            hits.extend(_runs(window.cells[first:last], window.start + first * CELL, CELL))
        return hits

    def text_hits(self, start: int, end: int, charset: Charset) -> list[Range]:
        """Stretches inside `[start, end)` whose bytes cannot stand in a text of this character set."""
        hits: list[Range] = []
        for window in self.windows:
            first, last = max(start, window.start), min(end, window.start + window.data.size)
            if charset is Charset.UTF16:
                first += (first - start) % 2
            if first < last:
                data = window.data[first - window.start : last - window.start]
                struck = kernels.impossible_bytes(data, charset) >= TEXT_HIT
                hits.extend(_runs(struck, first, FINE, last))
        return hits

    def fine_share(self, start: int, end: int) -> float:
        """Share of random cells of 16 bytes inside `[start, end)`; 0 where nothing of it was read."""
        for window in self.windows:
            first = max(start, window.start) - window.start
            last = min(end, window.start + window.data.size) - window.start
            if last - first >= FINE:
                return float(kernels.random_fine(window.data[first:last]).mean())
        return 0.0

    def uniform(self, start: int, end: int) -> bool | None:
        """Whether the blocks inside `[start, end)` are as uniform as random bytes (4 deviations).

        The mean over n blocks has 1/sqrt(n) of the deviation of one, so the test sharpens with length.
        None where not one whole block lies inside.
        """
        values = [
            window.chi2[max(0, -((window.start - start) // BLOCK)) : max(0, (end - window.start) // BLOCK)]
            for window in self.windows
        ]
        blocks = np.concatenate(values) if values else np.empty(0)
        if not blocks.size:
            return None
        away = abs(float(blocks.mean()) - UNIFORM_MEAN)
        return away <= 4 * UNIFORM_DEVIATION / float(np.sqrt(blocks.size))

    def random_from_start(self) -> int:
        """Where the random head ends: the first of two blocks in a row that are not uniform.

        Compressed content behind an encrypted header looks random in cells, but seldom in blocks.
        """
        end = 0
        for window in self.windows:
            if window.start != end:
                break
            calm = np.abs(window.chi2 - UNIFORM_MEAN) > 5 * UNIFORM_DEVIATION
            for index in range(window.chi2.size):
                if calm[index] and (index + 1 >= calm.size or calm[index + 1]):
                    return max(window.start + index * BLOCK, self._cells_from_start())
            end = window.start + window.data.size
        return max(end, self._cells_from_start()) if end >= 1024 else self._cells_from_start()

    def _cells_from_start(self) -> int:
        if not self.windows or not self.windows[0].cells.size:
            return 0
        calm = np.flatnonzero(~self.windows[0].cells[: BLOCK // CELL])
        cells = self.windows[0].cells.size if not calm.size and self.size < BLOCK else BLOCK // CELL
        return (int(calm[0]) if calm.size else cells) * CELL


def merged(hits: list[Range], gap: int) -> list[Range]:
    """Ranges closer than `gap` joined into one."""
    result: list[Range] = []
    for hit in sorted(hits):
        if result and hit.start - result[-1].end <= gap:
            result[-1] = Range(result[-1].start, max(result[-1].end, hit.end))
        else:
            result.append(hit)
    return result


def _sample(size: int) -> Iterator[tuple[int, int]]:
    if size <= WHOLE:
        yield 0, size
        return
    yield 0, HEAD
    between = size - HEAD - TAIL
    count = (WHOLE - HEAD - TAIL) // WINDOW
    for index in range(count):
        start = HEAD + (between - WINDOW) * index // (count - 1)
        yield start - start % BLOCK, WINDOW
    start = size - TAIL
    yield start - start % BLOCK, TAIL + start % BLOCK


def _measure(blob: Blob, start: int, length: int) -> Window:
    data = np.frombuffer(blob.at(start, length), np.uint8)
    return Window(start, data, kernels.random_cells(data), kernels.block_chi2(data))


def _runs(flags: NDArray[np.bool_], start: int, width: int, limit: int | None = None) -> Iterator[Range]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    for first, last in edges.reshape(-1, 2).tolist():
        end = start + last * width
        yield Range(start + first * width, end if limit is None else min(end, limit))
