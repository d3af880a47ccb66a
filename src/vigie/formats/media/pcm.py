"""Uncompressed sound: where samples jump as only random ones do, in a recording that is calm elsewhere.

Two random samples lie a third of the range apart on average (21,845 of 65,536); of the loudest music,
neighbours lie some thousands apart. Full-scale white noise would look the same, so nothing is said of a
recording that has no calm place.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.formats.media.findings import Findings
from vigie.formats.media.stretch import BLOCK, places
from vigie.model import Blob

CELL = 32
"""Samples that are looked at together."""
_WILD_LOW, _WILD_HIGH = 15_500, 28_500  # mean step of random samples, 2.3 deviations of a cell each way
_CALM = 6_000
_STRUCK = 0.25  # share of wild cells that makes a block struck; patterns of one third give 0.33
_QUIET = 0.05  # share of calm cells that a recording must have


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
    if not (1 <= layout.width <= 4 and 1 <= layout.channels <= 32) or end - start < 4 * BLOCK:
        return
    cells = calm = 0
    struck: list[int] = []
    size = CELL * layout.width
    for first, last in places(start, end, effort):
        first += -(first - start) % frame  # noqa: PLW2901 - windows begin with a whole frame
        for place in range(first, last, 1 << 20):
            # Steps are taken between samples of one channel; a slice more gives the last one its neighbour.
            data = blob.at(place, min((1 << 20) + frame, last - place))
            steps = _steps(data, layout)
            means = steps[: steps.size // CELL * CELL].reshape(-1, CELL).mean(axis=1)
            wild = (means > _WILD_LOW) & (means < _WILD_HIGH)
            cells += means.size
            calm += int((means < _CALM).sum())
            blocks = (place + np.arange(means.size) * size) // BLOCK
            base = int(blocks[0]) if blocks.size else 0
            share = np.bincount(blocks - base, weights=wild) / np.maximum(1, np.bincount(blocks - base))
            struck.extend((base + np.flatnonzero(share >= _STRUCK)).tolist())
    if calm < _QUIET * cells:
        return
    for block in struck:
        where = max(start, block * BLOCK), min(end, (block + 1) * BLOCK)
        findings.flaw(*where, "samples that jump as no sound does")


def _steps(data: bytes, layout: Layout) -> NDArray[np.int32]:
    """Distance of each sample from the one before in its channel, of their top 16 bits."""
    count = len(data) // layout.width
    raw = np.frombuffer(data, np.uint8, count * layout.width).reshape(count, layout.width).astype(np.int32)
    if layout.width == 1:
        values = (raw[:, 0] ^ (0x80 if layout.signed else 0)) * 256
    else:
        high, low = (raw[:, 0], raw[:, 1]) if layout.big else (raw[:, -1], raw[:, -2])
        values = (high ^ 0x80) * 256 + low
    steps: NDArray[np.int32] = np.abs(values[layout.channels :] - values[: -layout.channels])
    return steps
