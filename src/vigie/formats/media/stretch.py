"""Where inside a stretch that cannot be followed the bytes are overwritten, to one block.

A container tells that a frame header is lost, and where the next one stands; the frame between may be far
longer than what was overwritten. Most codecs leave their mark in the bytes (measured on films and sounds of
20 encoders: median chi-square of a 4 KiB block of 320 to 1,500 for MPEG-1, 2 and 4, H.264 with CAVLC, Motion
JPEG, MP3, AAC, Opus and Vorbis, where chance gives 255, deviation 22.6). So the blocks that are closer to
chance than to what stands around the stretch are those that were hit: the run of them that explains the most.
With codecs as uniform as chance (H.265, AV1, VP9) the whole stretch is given.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vigie.model import Blob

BLOCK = 4096
"""Bytes of a block, on multiples of it: what verdicts are given to."""
MOST = 4 * 1024 * 1024
"""Bytes looked at on each side of the lost header."""
WINDOW = 1024 * 1024
"""Bytes of a place where a long file is looked at."""
_AROUND = 16 * BLOCK
_MEAN = 255.0  # of random bytes
_CLEAR = 60.0  # half the distance to chance at which a codec is told from it without a hint
_FAR = 113.0  # five deviations: no need to be stricter
_TOLD = 8.0


def overwritten(blob: Blob, start: int, end: int, lost: int) -> tuple[int, int]:
    """The part of `[start, end)` around the lost header that looks overwritten: at least its block's rest.

    `start` is where the last thing that held begins, `end` where the next one that holds does.

    Raises:
        Unreadable: the blob cannot be read.
    """
    margin = _margin(blob, start, end)
    if margin < _TOLD:
        return lost, end
    here = lost // BLOCK
    first = max(start // BLOCK, here - MOST // BLOCK)
    last = min(-(-end // BLOCK), here + MOST // BLOCK)
    score = _score(blob, first, last, margin)
    at = min(here - first, score.size - 1)
    if at < 0:
        return lost, end
    if score[at] <= 0 and at + 1 < score.size and score[at + 1] > 0:
        at += 1  # hit from the middle of a block on
    ahead, behind = np.cumsum(score[at + 1 :]), np.cumsum(score[:at][::-1])
    after = at + 1 + (int(ahead.argmax()) + 1 if ahead.size and ahead.max() > 0 else 0)
    before = at - (int(behind.argmax()) + 1 if behind.size and behind.max() > 0 else 0)
    # What was hit may begin before the header that was lost, but only in blocks that say so themselves.
    begin = lost if score[before] <= 0 or before > here - first else max(start, (first + before) * BLOCK)
    stop = end if after == score.size and last * BLOCK < end else min(end, (first + after) * BLOCK)
    return begin, max(stop, min(end, lost + 1))


def uniform_part(blob: Blob, start: int, end: int) -> tuple[int, int] | None:
    """The part of `[start, end)` that is as uniform as chance where all around is clearly not; else nothing.

    Raises:
        Unreadable: the blob cannot be read.
    """
    margin = _margin(blob, start, end)
    first, last = start // BLOCK, min(-(-end // BLOCK), (start + 2 * MOST) // BLOCK)
    if margin < _CLEAR or first >= last:
        return None
    score = _score(blob, first, last, margin)
    if not score.size or score.max() <= 0:
        return None
    run = _best(score)
    return max(start, (first + run[0]) * BLOCK), min(end, (first + run[1]) * BLOCK)


def places(start: int, end: int, effort: int) -> Iterator[tuple[int, int]]:
    """Where to look in `[start, end)` with so much effort: everything, or head, tail and evenly between."""
    if end - start <= max(effort, 2 * WINDOW):
        if start < end:
            yield start, end
        return
    window = min(WINDOW, max(64 * 1024, effort // 16))
    head = max(window, effort // 4)
    yield start, start + head
    low, high = start + head, end - window
    count = min(max(1, (effort - head) // window - 1), (high - low) // window)
    for index in range(count):
        place = low + (high - low - window) * index // max(1, count - 1)
        yield place, place + window
    yield high, end


def _best(score: NDArray[np.float64]) -> tuple[int, int]:
    """The run with the largest sum."""
    sums = np.concatenate(([0.0], np.cumsum(score)))
    lowest = np.minimum.accumulate(sums)
    stop = int((sums - lowest).argmax())
    begin = int(sums[: stop + 1].argmin())
    return begin, stop


def _margin(blob: Blob, start: int, end: int) -> float:
    """How far above chance a block may be to count as hit: half way to what stands around `[start, end)`."""
    low = max(0, start // BLOCK * BLOCK - _AROUND)
    before = _chi2(blob.at(low, start // BLOCK * BLOCK - low))
    after = _chi2(blob.at(-(-end // BLOCK) * BLOCK, _AROUND))
    around = np.concatenate((before, after))
    return min(_FAR, (float(np.median(around)) - _MEAN) / 2) if around.size else 0.0


def _score(blob: Blob, first: int, last: int, margin: float) -> NDArray[np.float64]:
    """Of each block, how much it speaks for chance (above 0) or for what stands around (below)."""
    data = blob.at(first * BLOCK, (last - first) * BLOCK)
    excess = _chi2(data) - _MEAN
    score = np.where(excess < -_FAR, -_FAR, np.clip(margin - excess, -2 * _FAR, _FAR))
    # Of a short last block nothing is known: it goes with the one before.
    return np.append(score, score[-1:] * 0.01) if len(data) % BLOCK else score


def _chi2(data: bytes) -> NDArray[np.float64]:
    """Chi-square of each whole block against uniform bytes."""
    count = len(data) // BLOCK
    whole = np.frombuffer(data, np.uint8, count * BLOCK).reshape(count, BLOCK)
    squares = [int(np.square(np.bincount(row, minlength=256)).sum()) for row in whole]
    return np.array(squares, np.float64) * (256 / BLOCK) - BLOCK
