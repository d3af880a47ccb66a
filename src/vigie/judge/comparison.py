"""Judging the change from the version before: what covers formats that nobody knows.

| before                        | now                                              | verdict                |
|-------------------------------|--------------------------------------------------|------------------------|
| any, mostly not random        | no known format, random from end to end          | encrypted              |
| any, its head not random      | no known format, the head random                 | encrypted              |
| any, hardly random            | no known format, a fifth more of it random       | encrypted              |
| a known format, intact        | damaged or not as named, more random than before | encrypted              |
"""

from dataclasses import replace

from vigie.judge.randomness import Randomness, merged
from vigie.judge.shape import MOST_RANGES
from vigie.model import MAP_CELLS, Basis, Likeness, Pattern, Range, State, Verdict

CALM, WILD = 0.3, 0.9
"""Share of random cells of a version that is surely not encrypted as a whole, and of one that may be."""
GROWTH = 0.2
"""Growth of that share which no ordinary edit of an uncompressed file makes at once."""
CELL_CALM, CELL_WILD = 0.2 * 255, 0.85 * 255
"""The same for one cell of the map."""


def against(verdict: Verdict, randomness: Randomness, before: Likeness) -> Verdict:
    """The verdict, sharpened by what the version before was like."""
    if verdict.state not in (State.UNKNOWN, State.DAMAGED) or not randomness.size or not before.size:
        return verdict
    if before.state is State.ENCRYPTED:
        return verdict
    now, share = randomness.map(), randomness.share
    was = before.format or "a file of unknown format"
    if before.random_share <= CALM and share >= WILD:
        said = f"was {was} and {before.random_share:.0%} random, is {share:.0%} random"
        return _encrypted(verdict, before, Pattern.FULL, (Range(0, randomness.size),), said, 0.95)
    if len(before.map) != MAP_CELLS:
        return verdict
    turned = [a <= CELL_CALM and b >= CELL_WILD for a, b in zip(before.map, now, strict=True)]
    head = randomness.random_until(0, randomness.size)
    if before.map[0] <= CELL_CALM and head >= 512:
        said = f"was {was} whose head was not random; the first {head:,} bytes are now"
        return _encrypted(verdict, before, Pattern.HEADER, (Range(0, head),), said, 0.9)
    if before.random_share <= CALM and share - before.random_share >= GROWTH:
        ranges = [_part(index, randomness.size) for index, hit in enumerate(turned) if hit]
        pattern = Pattern.PARTIAL if ranges else Pattern.INTERMITTENT
        chosen = tuple(merged(ranges, 0))[:MOST_RANGES] or (Range(0, randomness.size),)
        said = f"was {was} and {before.random_share:.0%} random, is {share:.0%} random"
        return _encrypted(verdict, before, pattern, chosen, said, 0.8)
    return verdict


def _encrypted(
    verdict: Verdict,
    before: Likeness,
    pattern: Pattern,
    ranges: tuple[Range, ...],
    said: str,
    confidence: float,
) -> Verdict:
    return replace(
        verdict,
        state=State.ENCRYPTED,
        format=verdict.format or before.format,
        pattern=pattern,
        ranges=ranges,
        basis=Basis.COMPARISON,
        confidence=confidence,
        evidence=(said, *verdict.evidence),
    )


def _part(index: int, size: int) -> Range:
    return Range(index * size // MAP_CELLS, (index + 1) * size // MAP_CELLS)
