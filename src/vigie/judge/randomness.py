"""Where in a file random-looking bytes stand: the kernels, run over a blob or over a stated sample of it.

Nothing of the file is kept but one word a block (`kernels.cell_masks`); what is asked about a place in
particular is read again. So the memory for a file of a terabyte is that of its sample.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vigie.judge import kernels, uniformity
from vigie.judge.kernels import BLOCK, CELL, FINE
from vigie.judge.sampling import windows
from vigie.judge.uniformity import SURE, UNIFORM_DEVIATION, UNIFORM_MEAN
from vigie.model import MAP_CELLS, Blob, Charset, Range

_SLICE = 1024 * 1024
_GATHER = 256
"""Blocks of a sample that are measured in one go."""
TEXT_HIT = 4
"""Impossible bytes among 16 that make a text cell a hit: random ones have 8."""
DOTTED = 0.25
"""Share of random fine cells in a block that is struck in small steps; healthy ones stay below a tenth."""
_CALM = 512
"""Cells of 16 bytes of which at most one is random in a region that is calm but for one stretch."""
_WIDE = 6
"""Different bytes among the eight high ones, and among the eight low ones, of a cell that is no UTF-16."""
_NEAR = 64 * 1024
"""Bytes that are read to look at one place."""
_BLOCKS = 64
"""Blocks that a test of uniformity looks at: with more it only gets slower."""
_MOST = 64 * 1024 * 1024
"""Bytes in which random parts are told from compressed ones."""
_FEW = 3
"""Blocks among which a random one can be told from the others at all."""
_APART = 3.0
"""Nats a block by which compressed data must be unlike random bytes, or a stretch of those would not show."""


class Randomness:
    """The randomness of one blob; with `full`, of every block of it.

    Raises:
        Unreadable: as the blob does, here and in every method that looks at a place.
    """

    def __init__(self, blob: Blob, *, full: bool = False) -> None:
        self.size = blob.size
        self.blob = blob
        self.windows = tuple(windows(blob.size, full=full))
        self.read = sum(length for _, length in self.windows)
        self.blocks, self.masks, self._controls = _measure(blob, self.windows)
        """Numbers of the blocks that were read, rising, their words of random cells, and whether they hold
        control bytes: shape (n,)."""
        self.calm = not self.masks.any()
        """Whether not a single cell looks random."""
        self._counts = np.bitwise_count(self.masks)
        cells = sum(length // CELL for _, length in self.windows)
        self.share = float(self._counts.sum(dtype=np.int64)) / cells if cells else self.fine_share(0, BLOCK)
        """Share of the cells that look random, 0 to 1."""

    @property
    def whole(self) -> bool:
        """Whether every byte was read."""
        return self.read >= self.size

    def map(self) -> bytes:
        """Share of random cells in each of `MAP_CELLS` equal parts, 0 to 255 (see `Likeness.map`)."""
        if not self.size:
            return b""
        if self.calm:
            return bytes([int(self.share * 255)]) * MAP_CELLS
        if self.blocks.size > 32 * MAP_CELLS:
            starts = self.blocks * BLOCK
            weights, units = self._counts / (BLOCK // CELL), np.ones(self.blocks.size)
        else:
            bits = np.unpackbits(self.masks.view(np.uint8), bitorder="little").reshape(-1, BLOCK // CELL)
            starts = (self.blocks[:, None] * BLOCK + np.arange(BLOCK // CELL) * CELL).ravel()
            weights, units = bits.ravel().astype(np.float64), (starts + CELL <= self.size).astype(np.float64)
        part = np.minimum(starts * MAP_CELLS // self.size, MAP_CELLS - 1)
        total = np.bincount(part, weights=units, minlength=MAP_CELLS)
        hits = np.bincount(part, weights=weights, minlength=MAP_CELLS)
        filled = np.divide(hits, total, out=np.full(MAP_CELLS, self.share), where=total > 0)
        return bytes((np.minimum(filled, 1) * 255).astype(np.uint8))

    def binary_hits(self, start: int, end: int) -> list[Range]:
        """Stretches of random cells inside `[start, end)`."""
        if self.calm:
            return []
        first = int(np.searchsorted(self.blocks, start // BLOCK))
        last = int(np.searchsorted(self.blocks, -(-end // BLOCK)))
        struck = np.flatnonzero(self.masks[first:last]) + first
        if not struck.size:
            return []
        bits = np.unpackbits(self.masks[struck].view(np.uint8), bitorder="little").reshape(struck.size, -1)
        row, cell = np.nonzero(bits)
        starts = self.blocks[struck[row]] * BLOCK + cell * CELL
        starts = starts[(starts >= start) & (starts + CELL <= end)]
        return _runs(starts, CELL)

    def text_hits(self, start: int, end: int, charset: Charset) -> list[Range]:
        """Stretches inside `[start, end)` whose bytes cannot stand in a text of this character set."""
        hits: list[Range] = []
        wide = charset is Charset.UTF16
        if not (wide or self._controls.any()):
            return hits  # the other kernels want a control byte in every cell they strike
        for window, length in self._stretches():
            first, last = max(start, window), min(end, window + length)
            if wide:
                first += (first - start) % 2
            for at in range(first, last, _SLICE):
                stop = min(at + _SLICE, last)
                if not (wide or self._controlled(at, stop)):
                    continue
                data = np.frombuffer(self.blob.at(at, stop - at), np.uint8)
                runs = _runs(
                    np.flatnonzero(kernels.impossible_bytes(data, charset) >= TEXT_HIT) * FINE + at, FINE
                )
                hits.extend(Range(run.start, min(run.end, last)) for run in runs)
        return hits

    def _controlled(self, start: int, end: int) -> bool:
        """Whether a block that meets `[start, end)` holds control bytes."""
        first, last = np.searchsorted(self.blocks, (start // BLOCK, -(-end // BLOCK)))
        return bool(self._controls[first:last].any())

    def fine(self, start: int, end: int) -> NDArray[np.bool_]:
        """Which cells of 16 bytes of `[start, end)` look random; of a long range, those of its start."""
        length = max(0, min(end - start, _NEAR))
        return kernels.random_fine(np.frombuffer(self.blob.at(start, length), np.uint8))

    def fine_share(self, start: int, end: int) -> float:
        """Share of random cells of 16 bytes inside `[start, end)`; 0 where there is not one."""
        found = self.fine(start, end)
        return float(found.mean()) if found.size else 0.0

    def lone(self, start: int, end: int) -> list[Range]:
        """The only random stretch inside `[start, end)`, if it is a cell long, on any multiple of 16.

        Nothing where other cells of 16 bytes are random, too: among noisy pixels, or in a Chinese text, a
        stretch of 64 bytes may be so by chance.
        """
        first = -(-start // FINE) * FINE
        data = np.frombuffer(self.blob.at(first, max(0, end - first)), np.uint8)
        found = kernels.random_fine(data)
        runs = [run for run in _runs(np.flatnonzero(found) * FINE, FINE) if run.end - run.start > CELL // 2]
        if len(runs) != 1:
            return []
        (run,) = runs
        if int(found.sum()) - (run.end - run.start) // FINE > found.size // _CALM:
            return []
        # Of four random cells one may not look it: the window may begin or end beside the run.
        places = range(max(0, run.start - FINE), min(run.end + FINE, data.size) - CELL + 1, FINE)
        inside = [at for at in places if kernels.cell_masks(data[at : at + CELL])[0]]
        return [Range(first + inside[0], first + inside[-1] + CELL)] if inside else []

    def wide_cells(self, start: int, end: int) -> int:
        """How many cells of 16 bytes inside `[start, end)` are no text in units of two bytes.

        Characters of one alphabet share their high bytes; those of random units all differ.
        """
        data = np.frombuffer(self.blob.at(start, max(0, min(end - start, _NEAR))), np.uint8)
        units = np.sort(data[: data.size - data.size % FINE].reshape(-1, FINE // 2, 2), axis=1)
        distinct = 1 + (np.diff(units, axis=1) != 0).sum(axis=1)
        return int((distinct.min(axis=1, initial=FINE) >= _WIDE).sum())

    def dotted(self, start: int, end: int) -> list[Range]:
        """Blocks inside `[start, end)` in which a quarter of the cells of 16 bytes is random, joined.

        What remains of a pattern so fine that no cell of 64 bytes is random throughout. Exact to a block.
        """
        hits: list[Range] = []
        for window, length in self._stretches():
            first, last = max(start, window), min(end, window + length)
            for at in range(first, last, _SLICE):
                data = np.frombuffer(self.blob.at(at, min(_SLICE, last - at)), np.uint8)
                found = kernels.random_fine(data)
                cells = BLOCK // FINE
                filled = np.pad(found, (0, -found.size % cells)).reshape(-1, cells)
                sizes = np.minimum(cells, found.size - np.arange(filled.shape[0]) * cells)
                struck = np.flatnonzero(filled.sum(axis=1) >= DOTTED * sizes)
                hits.extend(Range(r.start, min(r.end, last)) for r in _runs(struck * BLOCK + at, BLOCK))
        return [self._trimmed(hit) for hit in merged(hits, 0)]

    def _trimmed(self, hit: Range) -> Range:
        """A range of blocks without what is not random in its first and its last one."""
        span = 4  # cells, of which half must be random
        edges = []
        for start, forward in ((hit.start, True), (max(hit.start, hit.end - BLOCK), False)):
            struck = self.fine(start, min(start + BLOCK, hit.end))
            dense = np.flatnonzero(np.convolve(struck, np.ones(span), "valid") * 2 >= span)
            if not dense.size:
                return hit
            cell = int(dense[0]) if forward else int(dense[-1]) + span
            edges.append(start + cell * FINE)
        return Range(edges[0], hit.end if hit.end - edges[1] < FINE else edges[1])

    def uniform(self, start: int, end: int) -> bool | None:
        """Whether the blocks inside `[start, end)` are as uniform as random bytes (4 deviations).

        The mean over n blocks has 1/sqrt(n) of the deviation of one, so the test sharpens with length: of
        random ranges, 6 in 100,000 fail it. None where not one whole block lies inside.
        """
        found = self._sampled(start, end)
        if not found.size:
            return None
        away = abs(float(found.mean()) - UNIFORM_MEAN)
        return away <= 4 * UNIFORM_DEVIATION / float(np.sqrt(found.size))

    def uniform_window(self, start: int, end: int) -> Range | None:
        """The stretch of one block's length inside `[start, end)` that is as uniform as random bytes, if any.

        For a place whose blocks are all struck, and none of them whole: random bytes keep to no block.
        """
        data = np.frombuffer(self.blob.at(start, max(0, min(end - start, _NEAR))), np.uint8)
        places = range(0, data.size - BLOCK + 1, BLOCK // 8)
        values = [float(uniformity.chi2(kernels.block_histograms(data[at : at + BLOCK]))[0]) for at in places]
        if not values or min(values) > UNIFORM_MEAN + 4 * UNIFORM_DEVIATION:
            return None
        at = start + places[int(np.argmin(values))]
        return Range(at, at + BLOCK)

    def chi2(self, start: int, end: int) -> float | None:
        """Mean chi-square of whole blocks inside `[start, end)`, of many some; None where there is none."""
        found = self._sampled(start, end)
        return float(found.mean()) if found.size else None

    def share_in(self, start: int, end: int) -> float | None:
        """Share of the cells inside `[start, end)` that look random; None where nothing of it was read."""
        first, last = np.searchsorted(self.blocks, (start // BLOCK, -(-end // BLOCK)))
        if first == last:
            return None
        cells = np.unpackbits(self.masks[first:last].view(np.uint8), bitorder="little")
        starts = (self.blocks[first:last, None] * BLOCK + np.arange(BLOCK // CELL) * CELL).ravel()
        inside = (starts + CELL > start) & (starts < end) & (starts + CELL <= self.size)
        return float(cells[inside].mean()) if inside.any() else 0.0

    def _sampled(self, start: int, end: int) -> NDArray[np.float64]:
        """Chi-square of whole blocks inside `[start, end)`: of `_BLOCKS` of them at most, evenly spread."""
        first, last = -(-start // BLOCK), min(end, self.size) // BLOCK
        if last <= first:
            return np.empty(0)
        step = max(1, (last - first) // _BLOCKS)
        rows = [self._histograms(at * BLOCK, at * BLOCK + BLOCK) for at in range(first, last, step)]
        return uniformity.chi2(np.concatenate(rows))

    def random_until(self, start: int, end: int) -> int:
        """Where the random bytes that begin at `start` end: at the latest at `end`; `start` if none do.

        The end of a stretch of random cells, if what follows it is not random at all; if it is compressed,
        the end of the first part that `random_parts` tells.
        """
        stop = self._cells_until(start, end)
        parts = self.random_parts(start, stop)
        if parts is None:
            return stop
        return parts[0].end if parts and parts[0].start == start else start

    def random_parts(self, start: int, end: int) -> list[Range] | None:
        """The stretches of `[start, end)` that are random amid compressed data; None where nothing is told.

        Compressed data looks random cell by cell, but not block by block: its byte values are not quite
        equally frequent. Which blocks are which is the likeliest path through two states, where each change
        costs `_CHANGE` nats. Nothing is told where no block is compressed, or if compressed blocks are so
        like random ones that a random stretch would not show.
        """
        first = -(-start // BLOCK) * BLOCK
        rows = self._histograms(first, min(end, first + _MOST))
        if rows.shape[0] < _FEW:
            return None
        gain = uniformity.gain(rows)
        random = uniformity.likeliest(-gain)
        calm = gain[~random]
        if not calm.size or calm.sum() < SURE or (not random.any() and calm.mean() < _APART):
            return None
        parts = _runs(np.flatnonzero(random) * BLOCK + first, BLOCK)
        if parts and parts[0].start == first:
            parts[0] = Range(start, parts[0].end)
        if parts and end - parts[-1].end < BLOCK:
            parts[-1] = Range(parts[-1].start, end)
        return parts

    def _cells_until(self, start: int, end: int) -> int:
        """Where the stretch of random cells at `start` ends: the first four calm cells in a row.

        Among random bytes these come once in a petabyte.
        """
        base = start // BLOCK * BLOCK
        at = start
        while at < end:
            data = self.blob.at(base, min(_SLICE, end - base))
            masks = kernels.cell_masks(np.frombuffer(data, np.uint8))
            calm = np.unpackbits(masks.view(np.uint8), bitorder="little")[: len(data) // CELL] == 0
            skip = -(-(at - base) // CELL)
            pairs = calm[skip:-1] & calm[skip + 1 :]
            fours = np.flatnonzero(pairs[:-2] & pairs[2:])
            if fours.size:
                return max(start, base + (skip + int(fours[0])) * CELL)
            base += len(data)
            at = base
            if len(data) < _SLICE:
                break
        return end

    def _histograms(self, start: int, end: int) -> NDArray[np.int32]:
        return kernels.block_histograms(np.frombuffer(self.blob.at(start, max(0, end - start)), np.uint8))

    def _stretches(self) -> Iterator[tuple[int, int]]:
        """What was read, neighbours joined."""
        start = length = 0
        for at, more in self.windows:
            if start + length == at:
                length += more
                continue
            yield start, length
            start, length = at, more
        yield start, length


def merged(hits: list[Range], gap: int) -> list[Range]:
    """Ranges closer than `gap` joined into one."""
    result: list[Range] = []
    for hit in sorted(hits):
        if result and hit.start - result[-1].end <= gap:
            result[-1] = Range(result[-1].start, max(result[-1].end, hit.end))
        else:
            result.append(hit)
    return result


def _measure(
    blob: Blob, wanted: tuple[tuple[int, int], ...]
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.bool_]]:
    """Block numbers, masks and control bytes of everything that is to be read."""
    if len(wanted) == 1 and blob.size <= _SLICE:
        data = np.frombuffer(blob.at(0, blob.size), np.uint8)
        masks = kernels.cell_masks(data)
        return np.arange(masks.size), masks, kernels.control_blocks(data)
    numbers: list[NDArray[np.int64]] = []
    words: list[NDArray[np.uint64]] = []
    controls: list[NDArray[np.bool_]] = []
    for blocks, piece in _read(blob, wanted):
        data = np.frombuffer(piece, np.uint8)
        numbers.append(blocks)
        words.append(kernels.cell_masks(data))
        controls.append(kernels.control_blocks(data))
    return np.concatenate(numbers), np.concatenate(words), np.concatenate(controls)


def _read(blob: Blob, wanted: tuple[tuple[int, int], ...]) -> Iterator[tuple[NDArray[np.int64], bytes]]:
    """Block numbers and bytes of what is to be read, many single blocks in one piece."""
    singles: list[int] = []
    pieces: list[bytes] = []
    for start, length in (*wanted, (blob.size, 0)):
        if length == BLOCK:
            singles.append(start // BLOCK)
            pieces.append(blob.at(start, BLOCK))
        if pieces and (length != BLOCK or len(pieces) >= _GATHER):
            yield np.array(singles), b"".join(pieces)
            singles, pieces = [], []
        if length != BLOCK:
            for at in range(start, start + length, _SLICE):
                data = blob.at(at, min(_SLICE, start + length - at))
                yield at // BLOCK + np.arange(-(-len(data) // BLOCK)), data


def _runs(starts: NDArray[np.int64], width: int) -> list[Range]:
    """Ranges of cells that follow each other; `starts` are their offsets, rising."""
    if not starts.size:
        return []
    breaks = np.flatnonzero(np.diff(starts) != width)
    first = starts[np.concatenate(([0], breaks + 1))]
    last = starts[np.concatenate((breaks, [starts.size - 1]))] + width
    return [Range(*pair) for pair in zip(first.tolist(), last.tolist(), strict=True)]
