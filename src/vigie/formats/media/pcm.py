"""Uncompressed sound: where samples jump as only random ones do.

Two random samples lie a third of the range apart on average (21,845 of 65,536); of the loudest music,
neighbours lie some thousands apart. Ciphers strike in multiples of 16 bytes, which hold too few samples to
be told from a drum or a high tone. But all such cells that leap, taken together, can be told: those of
ciphertext are spread evenly over the whole range, and keep no relation to the samples before them. Tones do,
drums and clipped sound stand too seldom or too often at the ends of the range. So they are asked together,
of the whole recording, and where that is too loud, block by block.

White noise of the full scale would look the same, so nothing is said of a recording that is noise from its
first sample to its last.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.formats.media.findings import Findings
from vigie.formats.media.stretch import BLOCK, places
from vigie.model import Blob

CELL = 16
"""Bytes of the file that are looked at together: a block of most ciphers, and the least that any strikes."""
RUNS = 128
"""Runs shorter than a block that are kept of one file."""
_SLICE = 1 << 20
"""Bytes read at a time, less what is no whole number of blocks of every channel."""
_LEAP, _STILL = 9_000, 5_000  # mean step of a cell: of 95 % of random ones more; of calm ones less
_ROW, _QUIET = 32, 14  # cells, of which so many that do not leap show a recording to be more than noise
_WIDE = 5  # cells of which three must leap: where every other one was struck, three do
_SPREAD = 8  # bins of the range
_UNEVEN = 24.0, 0.005  # chi-square of 8 bins: mean and 4.5 deviations; and a trifle more for each sample
_RELATED = -0.14, 0.03, 4.5  # correlation with samples before: that leaps are chosen makes it less than 0
_LIMITS = 4, 0.02  # samples in the outermost 256ths of the range, and share of them; of random ones 0.008
_LAGS = 3  # samples before that one is compared with
_TELLING = 24  # samples that tell at all: if they stand in runs of three cells between calm ones;
_ENOUGH = 320  # and so many tell by themselves
_MOST = 0.75  # share of the cells of a block that leap if it was struck throughout

_Flags = NDArray[np.bool_]
_Sums = NDArray[np.float64]
_Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """How integer samples are written."""

    width: int
    """Bytes of a sample, 1 to 4."""
    channels: int
    big: bool = False
    signed: bool = True
    """Samples of one byte are unsigned in WAV, and signed in AIFF."""


def examine(blob: Blob, start: int, end: int, layout: Layout, findings: Findings, effort: int) -> None:
    """Look for struck cells and blocks in the samples of `[start, end)`.

    Raises:
        Unreadable: the blob cannot be read.
    """
    frame = layout.width * layout.channels
    if not (1 <= layout.width <= 4 and 1 <= layout.channels <= 32) or end - start < CELL * _WIDE:
        return
    leaps = _Leaps(layout)
    stride = _SLICE // (BLOCK * layout.width) * BLOCK * layout.width
    for first, last in places(start, end, effort):
        place = first + -(first - start) % frame  # windows begin with a whole frame
        while place + frame <= last:
            # A slice ends with a block of the file, as far as whole samples let it.
            size = min(stride - place % BLOCK + -(stride - place % BLOCK) % layout.width, last - place)
            leaps.add(_values(blob.at(place, size), layout), place)
            place += size
    for first, last in leaps.struck():
        findings.flaw(max(start, first), min(end, last), "samples that leap as no sound does")


class _Leaps:
    """Cells whose samples leap: all of one recording, and what they are together."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._varied = False  # whether the recording is more than noise
        self._blurred = False  # whether some that leap stand alone, or beside others that are not calm
        self._runs: list[tuple[int, int]] = []
        self._blocks: list[_Places] = []
        self._sums: list[_Sums] = []

    def add(self, values: NDArray[np.int32], place: int) -> None:
        """Take in samples, the first of which stands at byte `place`."""
        width, lag = self._layout.width, min(self._layout.channels, CELL // (2 * self._layout.width))
        if values.size <= lag:
            return
        offsets = place % BLOCK + np.arange(values.size) * width
        cell = offsets // CELL
        inside = offsets % CELL <= CELL - width
        along = _steps(values, cell, inside, lag)
        leap = along >= _LEAP
        if lag > 1:
            leap &= _steps(values, cell, inside, 1) >= _LEAP
        calm = along < _STILL
        first = int(cell[0])
        rows = np.convolve(~leap[first:], np.ones(_ROW, np.int64))
        self._varied = self._varied or int(rows.max()) >= _QUIET
        if not leap.any():
            return
        base = place - place % BLOCK
        self._runs.extend((base + low * CELL, base + high * CELL) for low, high in _dense(leap, calm))
        edges = np.flatnonzero(np.diff(np.concatenate(([False], leap, [False]))))
        calm[:first] = True
        around = np.concatenate(([True], calm, [True]))  # what lies outside of the samples is calm
        alone = around[edges[::2]] & around[edges[1::2] + 1] & (edges[1::2] - edges[::2] > 2)
        self._blurred = self._blurred or not alone.all()
        sums = _sums(values, cell, inside & leap[cell], lag)
        sums[:, -1] = np.add.reduceat(leap, np.arange(0, leap.size, BLOCK // CELL))
        some = np.flatnonzero(sums[:, -1])
        self._blocks.append(base // BLOCK + some)
        self._sums.append(sums[some])

    def struck(self) -> list[tuple[int, int]]:
        """The ranges of the file that are struck, if what leaps is chance."""
        if not self._blocks:
            return []
        sums, blocks = np.concatenate(self._sums), np.concatenate(self._blocks)
        total = sums.sum(axis=0, keepdims=True)
        count = total[0, :_SPREAD].sum()
        if _chance(total)[0]:
            telling = count >= _ENOUGH or (count >= _TELLING and not self._blurred)
            return _few(self._runs) if self._varied and telling else []
        told = _chance(sums) & (sums[:, :_SPREAD].sum(axis=1) >= _ENOUGH)
        whole = told & (sums[:, -1] >= _MOST * (BLOCK // CELL))
        found = [(at * BLOCK, at * BLOCK + BLOCK) for at in blocks[whole].tolist()]
        partly = frozenset(blocks[told & ~whole].tolist()) if self._varied else frozenset()
        return sorted(found + _few([run for run in self._runs if run[0] // BLOCK in partly]))


def _steps(values: NDArray[np.int32], cell: _Places, inside: _Flags, lag: int) -> _Sums:
    """For each cell the mean step between its samples `lag` apart; 0 where there is one pair at most."""
    both = inside[lag:] & inside[:-lag] & (cell[lag:] == cell[:-lag])
    where, size = cell[lag:][both], int(cell[-1]) + 1
    many = np.bincount(where, minlength=size)
    sums = np.bincount(where, weights=np.abs(values[lag:] - values[:-lag])[both], minlength=size)
    return np.where(many < 2, 0, sums / np.maximum(1, many))


def _dense(leap: _Flags, calm: _Flags) -> list[tuple[int, int]]:
    """Runs of cells, four at least, of which three in five leap, with what is not calm at their ends."""
    half = _WIDE // 2
    calm = np.pad(calm, half, constant_values=True)
    dense = np.convolve(leap, np.ones(_WIDE, np.int64), "same") * 5 >= 3 * _WIDE
    edges = np.flatnonzero(np.diff(np.concatenate(([False], dense, [False])))).reshape(-1, 2)
    runs: list[tuple[int, int]] = []
    for low, high in edges.tolist():
        if short := high - low < _WIDE - 1:  # around a single one: five of which every other one leaps
            low, high = high - 1 - half, low + half + 1  # noqa: PLW2901 - the same run, with what is around it
        else:
            # `calm` has two cells more ahead: what is left of the two on each side, up to a calm one.
            low -= next((n for n in range(half) if calm[low + half - 1 - n]), half)  # noqa: PLW2901 - as above
            high += next((n for n in range(half) if calm[high + half + n]), half)  # noqa: PLW2901 - as above
        run = max(0, low), min(leap.size, high)
        if not runs or run[0] > runs[-1][1]:
            runs.append(run)
        elif not short:
            runs[-1] = runs[-1][0], run[1]
    return runs


def _sums(values: NDArray[np.int32], cell: _Places, chosen: _Flags, lag: int) -> _Sums:
    """What `_chance` asks of the chosen samples, a row for each block; the last column is left free."""
    block = cell // (BLOCK // CELL)
    rows = int(block[-1]) + 1
    sums = np.zeros((rows, _SPREAD + 1 + 2 * _LAGS + 1))
    bins = block[chosen] * _SPREAD + (values[chosen] * _SPREAD >> 16)
    sums[:, :_SPREAD] = np.bincount(bins, minlength=rows * _SPREAD).reshape(rows, -1)
    limits = chosen & ((values < 256) | (values >= 65536 - 256))
    sums[:, _SPREAD] = np.bincount(block[limits], minlength=rows)
    level = values / 65536 - 0.5
    for index in range(_LAGS):
        gap = (index + 1) * lag
        both = chosen[gap:] & chosen[:-gap] & (cell[gap:] == cell[:-gap])
        where = block[gap:][both]
        products = (level[gap:] * level[:-gap])[both]
        at = _SPREAD + 1 + 2 * index
        sums[:, at] = np.bincount(where, weights=products, minlength=rows)
        sums[:, at + 1] = np.bincount(where, minlength=rows)
    return sums


def _chance(sums: _Sums) -> _Flags:
    """Of each row of sums, whether the samples are spread evenly and have nothing to do with one another."""
    bins, limits = sums[:, :_SPREAD], sums[:, _SPREAD]
    count = bins.sum(axis=1)
    even = np.maximum(count, 1)[:, None] / _SPREAD
    uneven = ((bins - even) ** 2 / even).sum(axis=1)
    products, pairs = sums[:, _SPREAD + 1 : -1 : 2], np.maximum(1, sums[:, _SPREAD + 2 : -1 : 2])
    related = products * 12 / pairs  # the variance of samples over a range of 1 is a twelfth
    allowed = _RELATED[2] / np.sqrt(pairs)
    chance: _Flags = (
        (uneven <= _UNEVEN[0] + _UNEVEN[1] * count)
        & (limits <= _LIMITS[0] + _LIMITS[1] * count)
        & ((related >= _RELATED[0] - allowed) & (related <= _RELATED[1] + allowed)).all(axis=1)
    )
    return chance


def _few(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """All runs of a block's length, and of shorter ones some, evenly."""
    long = [run for run in runs if run[1] - run[0] >= BLOCK]
    short = [run for run in runs if run[1] - run[0] < BLOCK]
    return sorted(long + short[:: max(1, -(-len(short) // RUNS))])


def _values(data: bytes, layout: Layout) -> NDArray[np.int32]:
    """The samples, by their top 16 bits, from 0 to 65,535."""
    count = len(data) // layout.width
    raw = np.frombuffer(data, np.uint8, count * layout.width).reshape(count, layout.width).astype(np.int32)
    if layout.width == 1:
        return (raw[:, 0] ^ (0x80 if layout.signed else 0)) * 256
    high, low = (raw[:, 0], raw[:, 1]) if layout.big else (raw[:, -1], raw[:, -2])
    return (high ^ 0x80) * 256 + low
