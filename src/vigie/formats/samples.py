"""Measured values in a row: which stretches of them are chance, and no measurement.

Medical images, electrocardiograms and electroencephalograms hold numbers whose lower bits are noise, so their
bytes may look random to a kernel that knows no numbers. What is random about encrypted bytes is the upper
bits as well: these tests look at them. They are numpy over whole slices, no loop a sample.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vigie.model import Blob

RUN = 32
"""Integers looked at together: 64 bytes of 16-bit ones, a cell of the judge."""
_MEAN_LOW, _MEAN_HIGH = 40, 88
"""Mean of the upper byte, sign folded away (0 to 127), over a run of chance: 63.5 (deviation 6.5)."""
_KINDS = 22
"""Different ones of them: 28.3 (1.7) for chance."""
_UNFORESEEN = 0.5
"""Share of a run that two values before do not foresee: 0.93 (0.06) for chance, near 0 for any one sine."""
_SPAN, _DENSE, _SPARSE = 64, 8, 4
"""Runs in 2,048 samples; hits in them that count, and hits in a row that do where there are fewer."""

CELL = 64
"""Bytes looked at together: a cell of the judge, and of attackers who encrypt in small steps."""
_HUGE = {4: 94, 8: 68}
"""By width: from which upper byte on, but for its sign, a number is beyond 2^60, or is none."""
_HUGE_KINDS = 3
"""Different ones of those in a cell: about four for chance. Masks repeat one of them (not a number)."""


class Stretch(NamedTuple):
    """A stretch `[start, end)`, in bytes."""

    start: int
    end: int


def tops(data: bytes, width: int, *, big: bool = False) -> NDArray[np.int16]:
    """The upper 16 bits of each whole integer of `width` bytes (2 or more) in `data`, signed."""
    count = len(data) // width
    raw = np.frombuffer(data, np.uint8, count * width).reshape(count, width)
    pair = raw[:, :2] if big else raw[:, -2:]
    return np.ascontiguousarray(pair).view(">i2" if big else "<i2").reshape(count).astype(np.int16)


def chance(values: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which runs of `RUN` values are chance rather than a measured signal.

    Args:
        values: one signal, as `tops` gives it.

    Returns:
        bool of shape (values.size // RUN,). Noise that fills the range has a hit now and then as well:
        see `telling`.
    """
    count = values.size // RUN
    runs = values[: count * RUN].reshape(count, RUN)
    folded = ((runs ^ (runs >> 15)) >> 8).astype(np.uint8)
    total = folded.sum(axis=1, dtype=np.uint32)
    result: NDArray[np.bool_] = (total >= _MEAN_LOW * RUN) & (total <= _MEAN_HIGH * RUN)
    # Hardly any run of a healthy signal gets this far, so what is slow is done last.
    places = np.flatnonzero(result)
    result[places] = (np.diff(np.sort(folded[places], axis=1), axis=1) != 0).sum(axis=1) + 1 >= _KINDS
    places = np.flatnonzero(result)
    result[places] = _unforeseen(runs[places]) >= _UNFORESEEN
    return result


def _unforeseen(runs: NDArray[np.int16]) -> NDArray[np.float32]:
    """Of each run, the share of its energy that no linear prediction from two values before explains."""
    x = runs.astype(np.float32)
    x -= x.mean(axis=1, keepdims=True)
    now, one, two = x[:, 2:], x[:, 1:-1], x[:, :-2]
    a, b, d = (one * one).sum(1), (one * two).sum(1), (two * two).sum(1)
    e, f = (one * now).sum(1), (two * now).sum(1)
    det = a * d - b * b
    det[det < 1.0] = np.inf  # constant runs: nothing to predict
    p, q = (e * d - f * b) / det, (a * f - b * e) / det
    rest = now - p[:, None] * one - q[:, None] * two
    energy = (now * now).sum(1)
    energy[energy < 1.0] = np.inf
    share: NDArray[np.float32] = (rest * rest).sum(1) / energy
    return share


def telling(hits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The hits of `chance` that are not themselves chance: many near one another, or some in a row."""
    if not hits.any():
        return hits
    padded = np.zeros(-(-hits.size // _SPAN) * _SPAN, np.bool_)
    padded[: hits.size] = hits
    crowded = np.repeat(padded.reshape(-1, _SPAN).sum(axis=1) >= _DENSE, _SPAN)[: hits.size]
    edges = np.flatnonzero(np.diff(np.concatenate(([False], hits, [False])).astype(np.int8)))
    in_a_row = np.zeros(hits.size, np.bool_)
    for first, last in edges.reshape(-1, 2).tolist():
        in_a_row[first:last] = last - first >= _SPARSE
    result: NDArray[np.bool_] = hits & (crowded | in_a_row)
    return result


def joined(found: list[Stretch], most: int, gap: int = CELL) -> list[Stretch]:
    """In rising order, those less than `gap` bytes apart as one; past `most` the last one grows.

    Not more: what stands between struck cells is healthy where every second one was struck.
    """
    result: list[Stretch] = []
    for start, end in sorted(found):
        if result and (start - result[-1].end < gap or len(result) == most):
            result[-1] = Stretch(result[-1].start, max(result[-1].end, end))
        else:
            result.append(Stretch(start, end))
    return result


def odd_floats(
    blob: Blob, start: int, end: int, width: int, effort: int, *, big: bool = False
) -> Iterator[Stretch]:
    """Where floating point values of `width` bytes (4 or 8) are chance, as far as the effort goes.

    Mantissas of measured values look random, exponents do not, and nothing that is measured is beyond 2^60.
    """
    start += (-start % CELL) // width * width
    for at in places(start, end, SLICE, effort):
        data = blob.at(at, min(SLICE, end - at))
        count = len(data) // CELL
        upper = np.frombuffer(data, np.uint8, count * CELL)[0 if big else width - 1 :: width]
        cells = np.sort(
            np.where(upper & 0x7F >= _HUGE[width], upper, 0).reshape(count, CELL // width), axis=1
        )
        kinds = (np.diff(cells, axis=1) != 0).sum(axis=1) + (cells[:, 0] != 0)
        for index in np.flatnonzero(telling(kinds >= _HUGE_KINDS)).tolist():
            yield Stretch(at + index * CELL, at + (index + 1) * CELL)


def places(start: int, end: int, step: int, effort: int) -> Iterator[int]:
    """Where to read slices of `step` bytes of `[start, end)`: all, or both ends and evenly between.

    The offsets are multiples of `step` behind `start`; at most `effort` bytes are asked for.
    """
    total = -(-(end - start) // step)
    count = min(total, max(0, effort) // step) or (1 if total and effort >= end - start else 0)
    for index in range(count):
        yield start + (index * (total - 1) // (count - 1) if count > 1 else 0) * step


def ends_first(count: int) -> Iterator[int]:
    """0 to count - 1: both ends, then the middles of what is left; for work that may be cut short."""
    yield from range(min(count, 1))
    yield from range(count - 1, max(0, count - 2), -1)
    step = 1 << max(0, count - 2).bit_length()
    while step > 1:
        yield from range(step // 2, count - 1, step)
        step //= 2


_GLIMPSES, _GLIMPSE = 16, 16 * 1024
"""Places of a picture that are looked at to learn how noisy it is, and bytes of each."""
_NOISY, _WITHIN, _COMMON = 5, 95, 0.02
"""Mean of the folded upper bytes in a noisy cell; the most any of them may be there (8 random values stay
below one time in ten, 16 one in a hundred); share of such cells that makes a picture noisy."""
SLICE = 1024 * 1024


def noisy(blob: Blob, start: int, end: int, *, big: bool = False) -> bool:
    """Whether 16-bit integers in `[start, end)` are wide noise, whose bytes look random and are healthy.

    Phase images hold such noise wherever there is no tissue: of either sign and 13 bits wide, say. It is told
    from a struck picture by what it never is: near the ends of the range. Reads at most 256 KiB.
    """
    start += -start % CELL  # a piece struck by multiples of 64 bytes fills whole cells
    cells = common = 0
    step = max(_GLIMPSE, (end - start) // _GLIMPSES // CELL * CELL)
    for at in range(start, end, step)[:_GLIMPSES]:
        values = tops(blob.at(at, min(_GLIMPSE, end - at)), 2, big=big)
        count = values.size // RUN
        runs = values[: count * RUN].reshape(count, RUN)
        folded = ((runs ^ (runs >> 15)) >> 8).astype(np.uint8)
        total, most = folded.sum(axis=1, dtype=np.uint32), folded.max(axis=1, initial=0)
        common += int(((total >= _NOISY * RUN) & (most <= _WITHIN)).sum())
        cells += count
    return common > _COMMON * cells


def struck(blob: Blob, start: int, end: int, effort: int, *, big: bool = False) -> Iterator[Stretch]:
    """Where 16-bit integers in `[start, end)` are chance, in bytes of the blob, as far as the effort goes."""
    start += -start % CELL
    for at in places(start, end, SLICE, effort):
        hits = telling(chance(tops(blob.at(at, min(SLICE, end - at)), 2, big=big)))
        for index in np.flatnonzero(hits).tolist():
            yield Stretch(at + index * CELL, at + (index + 1) * CELL)
