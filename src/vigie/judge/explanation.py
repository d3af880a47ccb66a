"""Why a verdict is what it is, in a form that can be drawn: the file as a strip of equal stretches."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import pairwise

from vigie.judge.kernels import BLOCK, CELL
from vigie.judge.randomness import Randomness
from vigie.judge.verdict import Findings
from vigie.model import Anatomy, Flaw, Kind, Region, Verdict

STRETCHES = 256
"""Stretches a strip has at most; of a small file each is one cell of 64 bytes."""
MOST = 400
"""Regions and flaws that are kept, each."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One part of a file: what its format expects there, and what was found."""

    start: int
    end: int
    expected: Kind | None
    """Of the region that fills most of it; nothing where the format claims nothing, or none is known."""
    random: float | None
    """Share of its cells of 64 bytes that look random, 0 to 1; nothing where nothing of it was read."""
    chi2: float | None
    """Mean chi-square of its blocks against equally frequent bytes (random bytes: 255, standard deviation
    22.6 a block); nothing without a whole block."""
    struck: bool
    """Whether the verdict says that bytes of it were overwritten."""
    flawed: bool
    """Whether it breaks its format."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict with what it was made from; small, whatever the size of the file."""

    size: int
    verdict: Verdict
    stretches: tuple[Stretch, ...]
    regions: tuple[Region, ...]
    """Those of the format, neighbours of a kind and name joined; the first `MOST`."""
    flaws: tuple[Flaw, ...]
    notes: tuple[str, ...]


def explain(findings: Findings) -> Explanation:
    """Draw up the explanation of what `examine` found.

    Raises:
        Unreadable: as the blob does.
    """
    anatomy = findings.anatomy or Anatomy("", ())
    size = findings.randomness.size
    regions = _joined(anatomy.regions)
    return Explanation(
        size,
        findings.verdict,
        tuple(_stretches(findings, anatomy, regions)),
        regions[:MOST],
        anatomy.flaws[:MOST],
        anatomy.notes,
    )


def _stretches(findings: Findings, anatomy: Anatomy, regions: tuple[Region, ...]) -> list[Stretch]:
    randomness = findings.randomness
    size = randomness.size
    count = min(STRETCHES, -(-size // CELL))
    edges = [size * index // count for index in range(count + 1)] if count else []
    starts = [region.start for region in regions]
    return [
        Stretch(
            start,
            end,
            _expected(start, end, regions, starts),
            randomness.share_in(start, end),
            _chi2(start, end, randomness),
            any(hit.start < end and hit.end > start for hit in findings.verdict.ranges),
            any(flaw.start < end and max(flaw.end, flaw.start + 1) > start for flaw in anatomy.flaws),
        )
        for start, end in pairwise(edges)
    ]


def _expected(start: int, end: int, regions: tuple[Region, ...], starts: list[int]) -> Kind | None:
    claimed: dict[Kind, int] = {}
    for region in regions[max(0, bisect_right(starts, start) - 1) : bisect_right(starts, end)]:
        overlap = min(end, region.end) - max(start, region.start)
        if overlap > 0:
            claimed[region.kind] = claimed.get(region.kind, 0) + overlap
    return max(claimed, key=lambda kind: claimed[kind]) if claimed else None


def _chi2(start: int, end: int, randomness: Randomness) -> float | None:
    if end - start < BLOCK:
        return randomness.chi2(start // BLOCK * BLOCK, start // BLOCK * BLOCK + BLOCK)
    return randomness.chi2(start, end)


def _joined(regions: tuple[Region, ...]) -> tuple[Region, ...]:
    """Regions that follow each other and say the same, as one."""
    result: list[Region] = []
    for region in regions:
        last = result[-1] if result else None
        if (
            last
            and last.end == region.start
            and (last.kind, last.what, last.member)
            == (
                region.kind,
                region.what,
                region.member,
            )
        ):
            result[-1] = replace(last, end=region.end)
        else:
            result.append(region)
    return tuple(result)
