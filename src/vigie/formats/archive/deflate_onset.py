"""Where the rubbish begins in a deflate stream that broke later: told from what it inflates to.

Random bytes inside a Huffman block decode to bytes that are as frequent as ever, for the code gives each its
share, but they stand in no order: what a byte says about the next one and the one after is lost. So a model
of pairs is learnt as the output comes, and the stretch in which it foretells least is where the stream was
hit. Measured on program text, programs, pixels, XML and CSV, random for 4 KiB to the end of the stream: the
start is told to 4 KiB in nine cases of ten, where `LATE` before the break does in one.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.formats.archive.deflate import Mark
from vigie.formats.contract import Effort
from vigie.model import Blob

STEP = 512
"""Bytes of the stream that are judged as one."""
LEARN = 4
"""Steps between two lessons of the model."""
WARM = 32
"""Steps that only teach, or a quarter of them where there are few."""
SMOOTH = 4
"""Steps over which a level is taken."""
LEAD = 2 * STEP
"""Bytes shown before the place where the rubbish is seen: it takes some of it to be seen."""
SOON = 4096
"""Bytes before the break at which the rubbish is taken to begin where none is seen in the output."""
_FEW = 12
_OUTPUT = 8 * 1024 * 1024
_FEED = 64 * 1024
_CLEAR = 0.1  # bits a byte by which order must be worth more than rubbish, to be told from it
_TAX = 0.03  # of the distance between order and rubbish, that each step of lateness costs
_FORGIVEN = 4.0  # pairs of the unordered kind that each context is taken to have seen
_LEAST = 8


@dataclass(frozen=True, slots=True)
class _Output:
    """What each step of a stretch of the stream inflates to."""

    start: int
    steps: list[NDArray[np.uint8]]


def onset(blob: Blob, mark: Mark, end: int, effort: Effort) -> int | None:
    """Where in `[mark.position, end)` the rubbish begins; nothing where that cannot be told.

    Raises:
        Unreadable: the blob cannot be read.
    """
    if (end - mark.position) // STEP < _FEW:
        return None
    found = _inflated(blob, mark, end, effort)
    if found is None or len(found.steps) < _FEW:
        return None
    warm = min(WARM, len(found.steps) // 4)
    place = _lowest(_order(found.steps, warm)[warm:])
    if place is None:
        return None
    place += warm
    at = found.start + place * STEP - LEAD if place < len(found.steps) else end - SOON
    return max(mark.position, at)


def _inflated(blob: Blob, mark: Mark, end: int, effort: Effort) -> _Output | None:
    """The output up to the break, or nothing where it is too much."""
    engine = mark.engine.copy()
    data = blob.at(mark.position, end - mark.position)
    steps: list[NDArray[np.uint8]] = []
    total = 0
    for place in range(0, len(data), STEP):
        feed, out = data[place : place + STEP], b""
        while feed:
            try:
                more = engine.decompress(feed, _FEED)
            except zlib.error:
                return _Output(mark.position, steps)
            out += more if len(out) < _FEED else b""
            total += len(more)
            effort.spend(len(more))
            if total > _OUTPUT or effort.left <= 0:
                return None
            feed = engine.unconsumed_tail
        steps.append(np.frombuffer(out, np.uint8))
    return _Output(mark.position, steps)


def _order(steps: list[NDArray[np.uint8]], warm: int) -> NDArray[np.float64]:
    """Bits a byte that knowing the byte before, and the one before that, is worth in each step."""
    worth = np.full(len(steps), np.nan)
    single = np.full(256, 0.5)
    pairs = np.zeros((2, 65536))
    seen = np.zeros((2, 256))
    for first in range(0, len(steps), LEARN):
        group = steps[first : first + LEARN]
        if first + LEARN > warm:
            share = single / single.sum()
            for index, out in enumerate(group, first):
                if out.size >= _LEAST:
                    worth[index] = sum(
                        _worth(out, lag, share, pairs[lag - 1], seen[lag - 1]) for lag in (1, 2)
                    )
        joined = np.concatenate(group)
        single += np.bincount(joined, minlength=256)
        for lag in (1, 2):
            pairs[lag - 1] += np.bincount(_pairs(joined, lag), minlength=65536)
            seen[lag - 1] += np.bincount(joined[:-lag], minlength=256)
    return worth


def _worth(
    out: NDArray[np.uint8],
    lag: int,
    share: NDArray[np.float64],
    pairs: NDArray[np.float64],
    seen: NDArray[np.float64],
) -> float:
    alone = share[out[lag:]]
    foretold = (pairs[_pairs(out, lag)] + _FORGIVEN * alone) / (seen[out[:-lag]] + _FORGIVEN)
    return float(np.log2(foretold / alone).mean())


def _pairs(out: NDArray[np.uint8], lag: int) -> NDArray[np.int64]:
    return out[:-lag].astype(np.int64) * 256 + out[lag:]


def _lowest(worth: NDArray[np.float64]) -> int | None:
    """The step at which the stretch begins that is the farthest below the middle between order and rubbish.

    The number of steps if there is order throughout, nothing if there is none.
    """
    known = np.isfinite(worth)
    if known.sum() < 2 * SMOOTH:
        return None
    worth = np.where(known, worth, np.median(worth[known]))
    level = np.convolve(worth, np.full(SMOOTH, 1 / SMOOTH), "valid")
    high, low = float(np.percentile(level, 75)), float(level.min())
    if high < _CLEAR:
        return None
    if high - low < _CLEAR:
        return worth.size
    sums = np.concatenate(([0.0], np.cumsum((high + low) / 2 - worth)))
    late = np.arange(sums.size)[::-1] * (_TAX * (high - low))
    gain = np.maximum.accumulate(sums[::-1])[::-1] - sums - late
    return int(gain.argmax())
