"""What was overwritten: from single struck cells to ranges, a pattern and, where there is one, its rhythm.

| the struck places                                             | pattern       |
|---------------------------------------------------------------|---------------|
| one dense stretch over the whole file                         | full          |
| one dense stretch from the start                              | header        |
| one dense stretch elsewhere                                   | partial       |
| several stretches, or one of which less than two thirds is hit | intermittent  |
"""

from dataclasses import dataclass

import numpy as np
from numpy import fft  # as an attribute it would be imported when first used, which a confined worker cannot
from numpy.typing import NDArray

from vigie.judge.kernels import BLOCK, CELL, FINE
from vigie.judge.randomness import Randomness, merged
from vigie.model import Pattern, Period, Range

DENSE = 0.65
"""Share of a stretch that is struck if it is random throughout: the kernels see four cells in five."""
GAP = 1024
"""Hits closer than this make one range: finer patterns are told by their period."""
MOST_RANGES = 256
"""Ranges a verdict carries at most; the last one then reaches to the end of the last hit."""
_ALIKE = 0.4
"""Correlation of a struck stretch with itself, one period later, at which it is regular."""
_PERIODS = 3
"""Periods that must be seen."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a file was overwritten, and how."""

    pattern: Pattern
    ranges: tuple[Range, ...]
    period: Period | None = None

    def words(self) -> str:
        """The ranges and the rhythm, for people."""
        first = ", ".join(f"{r.start:,} to {r.end:,}" for r in self.ranges[:3])
        more = f" and {len(self.ranges) - 3} more" if len(self.ranges) > 3 else ""
        beat = f", {self.period.on:,} of every {sum(self.period):,} bytes" if self.period else ""
        return f"bytes {first}{more}{beat}"


def shape(hits: list[Range], size: int, *, patchy: bool = False) -> Shape:
    """The shape of raw hits, in rising order.

    Args:
        hits: what is struck, cell by cell or stretch by stretch; at least one.
        size: of the file, in bytes.
        patchy: that the hits are known to hold bytes between that were left alone.
    """
    ranges = [_snapped(hit, size) for hit in merged(hits, GAP)]
    covered = sum(hit.end - hit.start for hit in ranges)
    dense = not patchy and sum(hit.end - hit.start for hit in hits) >= DENSE * covered
    beat = _beat(ranges) if dense else None
    if len(ranges) > MOST_RANGES:
        ranges = [*ranges[: MOST_RANGES - 1], Range(ranges[MOST_RANGES - 1].start, ranges[-1].end)]
    if len(ranges) > 1 or not dense:
        return Shape(Pattern.INTERMITTENT, tuple(ranges), beat)
    (only,) = ranges
    if only.start:
        return Shape(Pattern.PARTIAL, (only,))
    return Shape(Pattern.FULL if only.end == size else Pattern.HEADER, (only,))


def with_rhythm(found: Shape, randomness: Randomness) -> Shape:
    """The shape, with the rhythm inside its longest range where it is intermittent and regular.

    Raises:
        Unreadable: as the blob does.
    """
    if found.pattern is not Pattern.INTERMITTENT or found.period:
        return found
    longest = max(found.ranges, key=lambda r: r.end - r.start)
    return Shape(found.pattern, found.ranges, rhythm(randomness.fine(*longest)))


def rhythm(struck: NDArray[np.bool_]) -> Period | None:
    """The rhythm of struck cells of `FINE` bytes: the first lag at which they are most like themselves."""
    count = struck.size
    lags = count // _PERIODS
    if lags < 3:
        return None
    centred = struck - struck.mean()
    spectrum = np.abs(fft.rfft(centred, 2 * count)) ** 2
    alike = fft.irfft(spectrum)[: lags + 1] / np.arange(count, count - lags - 1, -1)
    if alike[0] <= 0:
        return None
    alike = alike / alike[0]
    # Neighbours in one piece are alike as well: the beat comes after the first lag at which they are not.
    dips = np.flatnonzero(alike < _ALIKE / 2)
    first = int(dips[0]) + 1 if dips.size else lags + 1
    best = float(alike[first:].max(initial=0))
    if best < _ALIKE:
        return None
    lag = int(np.flatnonzero(alike[first:] >= 0.85 * best)[0]) + first
    while lag < lags and alike[lag + 1] > alike[lag]:
        lag += 1
    profile = struck[: count - count % lag].reshape(-1, lag).mean(axis=0)
    on = int((profile > 0.5 * profile.max()).sum())
    return Period(on * FINE, (lag - on) * FINE) if 0 < on < lag else None


def _beat(ranges: list[Range]) -> Period | None:
    """The rhythm of ranges that start at equal distances; the last one may be cut by the end of the file."""
    if len(ranges) < _PERIODS:
        return None
    steps = np.diff([r.start for r in ranges])
    step = int(np.median(steps))
    lengths = [r.end - r.start for r in ranges[:-1]]
    on = int(np.median(lengths))
    close = max(CELL, step // 64)
    # A piece that was missed makes a step of twice the length.
    if np.any(np.abs(steps - np.maximum(1, np.round(steps / step)) * step) > close):
        return None
    if any(abs(length - on) > max(close, BLOCK) for length in lengths):
        return None
    return Period(on, step - on)


def _snapped(hit: Range, size: int) -> Range:
    """To the ends of the file, where less than a cell lies between."""
    return Range(0 if hit.start < CELL else hit.start, size if size - hit.end < CELL else hit.end)
