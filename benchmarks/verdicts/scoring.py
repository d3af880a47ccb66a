"""How good a verdict is, against the truth: found, named, placed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from patterns import BLOCK, Pattern, Spans, Struck, covered, joined, shape_of

from vigie.formats import HEAD
from vigie.judge.shape import GAP
from vigie.model import Kind, Period, Range, State, Verdict
from vigie.model import Pattern as Shape


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What is known of a sample while it is healthy."""

    format: str | None
    state: State
    known: bool
    """The catalogue has an anatomy of it that claims something of a tenth of it at least."""
    named: bool
    """Its name promises a format, or hints at one."""
    opaque: Spans
    """Where nothing is claimed: opaque regions and gaps."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One judged file of one pattern."""

    sample: str
    kind: str
    pattern: str
    known: bool
    """Of a known format that is still to be told: by its name, or by a head that was spared."""
    size: int
    share: float
    """Of the bytes that were overwritten, 0 to 1."""
    blind: float
    """Share of the overwritten bytes that stand where nothing can be claimed, 0 to 1."""
    state: State
    format: str | None
    shape: Shape
    said: Shape | None
    rhythm: bool | None
    """Whether the rhythm was told rightly; nothing where there is none to tell."""
    error: float | None
    """Mean distance between told and true edges, bytes; nothing where no range was told."""
    worst: float | None
    """The largest of these distances."""
    overlap: float | None
    """Told and true blocks of 4 KiB: the share they have in common (intersection over union)."""

    @property
    def fixture(self) -> bool:
        """Whether the file is one that a test of the project builds by hand."""
        return self.kind.endswith(", fixture")

    @property
    def found(self) -> bool:
        """Whether the verdict is *encrypted*."""
        return self.state is State.ENCRYPTED


def scored(
    sample: str, kind: str, pattern: Pattern, struck: Struck, healthy: Anatomy, verdict: Verdict
) -> Outcome:
    """The outcome of one verdict on one struck file."""
    size = len(struck.data)
    mask = covered(struck.spans, size)
    amount = int(mask.sum())
    blind = int((mask & covered(healthy.opaque, size)).sum()) / amount if pattern.disguise is None else 0.0
    told = _spans(verdict.ranges) if verdict.state is State.ENCRYPTED else _spans(())
    error, worst = edge_error(told, joined(struck.spans, GAP))
    return Outcome(
        sample,
        kind,
        pattern.name,
        healthy.known and (healthy.named or not mask[:HEAD].any()),
        size,
        amount / size,
        blind,
        verdict.state,
        verdict.format,
        shape_of(struck.spans, size),
        verdict.pattern,
        same_rhythm(verdict.period, pattern.period, size) if verdict.state is State.ENCRYPTED else None,
        error,
        worst,
        overlap(told, struck.spans, size) if len(told) else None,
    )


def edge_error(told: Spans, true: Spans) -> tuple[float | None, float | None]:
    """Mean and largest distance from told edges to the nearest true ones, and from true to told."""
    if not len(told) or not len(true):
        return None, None
    there, here = np.unique(told), np.unique(true)
    apart = np.concatenate([nearest(there, here), nearest(here, there)])
    return float(apart.mean()), float(apart.max())


def nearest(places: NDArray[np.int64], marks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Distance of each of `places` to the nearest of `marks` (sorted, at least one)."""
    right = np.minimum(np.searchsorted(marks, places), len(marks) - 1)
    left = np.maximum(right - 1, 0)
    found: NDArray[np.int64] = np.minimum(np.abs(marks[right] - places), np.abs(marks[left] - places))
    return found


def overlap(told: Spans, true: Spans, size: int) -> float:
    """Intersection over union of the 4 KiB blocks that the two touch."""
    count = -(-size // BLOCK)
    one, other = (covered(_blocks(spans), count) for spans in (told, true))
    return float((one & other).sum() / max(1, (one | other).sum()))


def _blocks(spans: Spans) -> Spans:
    return joined(np.stack([spans[:, 0] // BLOCK, -(-spans[:, 1] // BLOCK)], axis=1), 0)


def same_rhythm(told: Period | None, true: Period | None, size: int) -> bool | None:
    """Whether the told period is the true one, to a cell of 16 bytes; of files of 4 KiB or more."""
    if true is None or size < BLOCK:
        return None
    return told is not None and abs(sum(told) - sum(true)) <= 16 and abs(told.on - true.on) <= 16


def _spans(ranges: Sequence[Range]) -> Spans:
    return joined(np.array(sorted(ranges), np.int64).reshape(-1, 2), 0)


def opaque_in(size: int, regions: Sequence[tuple[int, int, Kind]]) -> Spans:
    """What of a file no region claims anything about."""
    claimed = [(start, end) for start, end, kind in regions if kind is not Kind.OPAQUE and end > start]
    free = ~covered(joined(np.array(sorted(claimed), np.int64).reshape(-1, 2), 0), size)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], free, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2).astype(np.int64)
