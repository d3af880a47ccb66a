"""Uncompressed sound: where samples jump as only random ones do, in a recording that is calm elsewhere.

Two random samples lie a third of the range apart on average (21,845 of 65,536); of the loudest music,
neighbours lie some thousands apart. Tones of a high pitch jump as far, but not to the next sample and to the
one after it alike; what is clipped stands at the ends of the range too often, and what is not full scale
never. Where a recording has calm places, a block that jumps so in a quarter of its cells was hit. Where it
has none, a block must be chance in every respect: all of its cells jump, and its samples are spread evenly.
White noise of the full scale would look the same, so nothing is said of a recording that is noise from its
first sample to its last.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.formats.media.findings import Findings
from vigie.formats.media.stretch import BLOCK, places
from vigie.model import Blob

CELL = 32
"""Samples that are looked at together."""
_SLICE = 1 << 20
"""Bytes read at a time, less what is no whole number of cells of every channel."""
_WILD_LOW, _WILD_HIGH = 15_500, 28_500  # mean step of random samples, 2.3 deviations of a cell each way
_CALM = 6_000
_STRUCK = 0.25  # share of wild cells that makes a block struck; patterns of one third give 0.33
_NOISE = 0.75  # the same where nothing is calm; of random blocks 0.96 on average
_QUIET = 0.05  # share of calm cells that a recording must have to be called calm
_ENDS = 0.02, 0.16  # share of samples in the outermost 32nds of the range; of random ones 0.06
_BINS = 32
_EVEN = 31 + 5 * 7.9  # chi-square of random samples in so many bins: mean, and five deviations
_TELLING = 8  # cells from which on a block can tell that a recording is more than noise


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
    """Look for struck blocks in the samples of `[start, end)`."""
    frame = layout.width * layout.channels
    if not (1 <= layout.width <= 4 and 1 <= layout.channels <= 32) or end - start < BLOCK:
        return
    cells = calm = 0
    sound = False
    struck: list[int] = []
    noise: list[int] = []
    size = CELL * layout.width
    stride = _SLICE // (CELL * frame) * CELL * frame
    for first, last in places(start, end, effort):
        first += -(first - start) % frame  # noqa: PLW2901 - windows begin with a whole frame
        for place in range(first, last, stride):
            # Steps are taken between samples of one channel; some more give the last one its neighbours.
            data = blob.at(place, min(stride + 2 * frame, last - place))
            values = _values(data, layout)
            count = max(0, values.size - 2 * layout.channels) // CELL
            if not count:
                continue
            near, far = (_steps(values, lag * layout.channels, count) for lag in (1, 2))
            wild = (near > _WILD_LOW) & (near < _WILD_HIGH) & (far > _WILD_LOW) & (far < _WILD_HIGH)
            cells += count
            calm += int((near < _CALM).sum())
            blocks = (place + np.arange(count) * size) // BLOCK
            base = int(blocks[0])
            sizes = np.bincount(blocks - base)
            hits = np.bincount(blocks - base, weights=wild)
            share = hits / np.maximum(1, sizes)
            ends = np.bincount(blocks - base, weights=_at_ends(values[: count * CELL]) * wild)
            full = (ends >= _ENDS[0] * hits) & (ends <= _ENDS[1] * hits)
            struck.extend((base + np.flatnonzero((share >= _STRUCK) & full)).tolist())
            uneven = _evenness(values[: count * CELL], blocks - base)
            noise.extend((base + np.flatnonzero((share >= _NOISE) & (uneven < _EVEN))).tolist())
            more = (share < _STRUCK) | (uneven > 3 * _EVEN)
            sound = sound or bool((more & (sizes >= _TELLING)).any())
    if calm < _QUIET * cells:
        struck = noise if sound else []
    for block in struck:
        where = max(start, block * BLOCK), min(end, (block + 1) * BLOCK)
        findings.flaw(*where, "samples that jump as no sound does")


def _values(data: bytes, layout: Layout) -> NDArray[np.int32]:
    """The samples, by their top 16 bits, from 0 to 65,535."""
    count = len(data) // layout.width
    raw = np.frombuffer(data, np.uint8, count * layout.width).reshape(count, layout.width).astype(np.int32)
    if layout.width == 1:
        return (raw[:, 0] ^ (0x80 if layout.signed else 0)) * 256
    high, low = (raw[:, 0], raw[:, 1]) if layout.big else (raw[:, -1], raw[:, -2])
    return (high ^ 0x80) * 256 + low


def _steps(values: NDArray[np.int32], lag: int, count: int) -> NDArray[np.float64]:
    """How far samples lie from the ones `lag` behind, on average in each of the first `count` cells."""
    steps = np.abs(values[lag : lag + count * CELL] - values[: count * CELL])
    means: NDArray[np.float64] = steps.reshape(-1, CELL).mean(axis=1)
    return means


def _at_ends(values: NDArray[np.int32]) -> NDArray[np.float64]:
    """Share of the samples of each cell that stand in the outermost bin at either end."""
    width = 65536 // _BINS
    outer = (values < width) | (values >= 65536 - width)
    share: NDArray[np.float64] = outer.reshape(-1, CELL).mean(axis=1)
    return share


def _evenness(values: NDArray[np.int32], blocks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Chi-square of the samples of each block against ones that are spread evenly over the range."""
    bins = np.repeat(blocks, CELL) * _BINS + values // (65536 // _BINS)
    counts = np.bincount(bins, minlength=(int(blocks[-1]) + 1) * _BINS).reshape(-1, _BINS)
    expected = np.maximum(counts.sum(axis=1, keepdims=True) / _BINS, 1e-9)
    found: NDArray[np.float64] = ((counts - expected) ** 2 / expected).sum(axis=1)
    return found
