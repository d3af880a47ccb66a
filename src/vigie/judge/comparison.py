"""Judging the change from the version before: what covers formats that nobody knows.

| before                        | now                                              | verdict                |
|-------------------------------|--------------------------------------------------|------------------------|
| any, mostly not random        | no known format, random from end to end          | encrypted              |
| any, its head not random      | no known format, the head random                 | encrypted              |
| any, hardly random            | no known format, a fifth more of it random       | encrypted              |
| any, next to nothing random   | no known format, random stretches in a rhythm    | encrypted              |
| a known format, intact        | damaged or not as named, more random than before | encrypted              |
| a known format                | another known format, intact                     | intact, and said so    |
"""

from dataclasses import replace

from vigie.judge.kernels import CELL
from vigie.judge.randomness import Randomness, merged
from vigie.judge.shape import MOST_RANGES, Shape, shape
from vigie.judge.struck import RUN
from vigie.model import MAP_CELLS, Basis, Likeness, Pattern, Range, State, Verdict

CALM, WILD = 0.3, 0.9
"""Share of random cells of a version that is surely not encrypted as a whole, and of one that may be."""
QUIET = 0.02
"""The same of one in which even a few random stretches are news, if they keep a rhythm."""
GROWTH = 0.2
"""Growth of that share which no ordinary edit of an uncompressed file makes at once."""
CELL_CALM, CELL_WILD = 0.2 * 255, 0.85 * 255
"""The same for one cell of the map."""
BEATS = 4
"""Random stretches at equal distances that are no chance."""


def against(verdict: Verdict, randomness: Randomness, before: Likeness) -> Verdict:
    """The verdict, sharpened by what the version before was like."""
    if before.state is State.ENCRYPTED or not randomness.size or not before.size:
        return verdict
    was = before.format or "a file of unknown format"
    if verdict.state is State.INTACT and before.format and verdict.format != before.format:
        return replace(verdict, evidence=(*verdict.evidence, f"was {was}, is {verdict.format}"))
    if verdict.state not in (State.UNKNOWN, State.DAMAGED):
        return verdict
    if verdict.format == "text" and before.state is State.INTACT:  # unknown, since it spells random bytes
        said = f"was {was} in words"
        return _encrypted(verdict, before, Shape(Pattern.FULL, (Range(0, randomness.size),)), said, 0.8)
    now, share, size = randomness.map(), randomness.share, randomness.size
    grown = f"was {was} and {before.random_share:.0%} random, is {share:.0%} random"
    if before.size != size:
        grown += f" and {size - before.size:+,} bytes longer" if size > before.size else " and shorter"
    if before.random_share <= CALM and share >= WILD:
        return _encrypted(verdict, before, Shape(Pattern.FULL, (Range(0, size),)), grown, 0.95)
    if len(before.map) != MAP_CELLS:
        return verdict
    head = randomness.random_until(0, size)
    if before.map[0] <= CELL_CALM and head >= 512:
        said = f"was {was} whose head was not random; the first {head:,} bytes are now"
        return _encrypted(verdict, before, Shape(Pattern.HEADER, (Range(0, head),)), said, 0.9)
    if before.random_share <= CALM and share - before.random_share >= GROWTH:
        turned = [a <= CELL_CALM and b >= CELL_WILD for a, b in zip(before.map, now, strict=True)]
        ranges = [_part(index, size) for index, hit in enumerate(turned) if hit]
        pattern = Pattern.PARTIAL if ranges else Pattern.INTERMITTENT
        chosen = tuple(merged(ranges, 0))[:MOST_RANGES] or (Range(0, size),)
        return _encrypted(verdict, before, Shape(pattern, chosen), grown, 0.8)
    if before.random_share <= QUIET:
        solid = [hit for hit in merged(randomness.binary_hits(0, size), CELL) if hit.end - hit.start >= RUN]
        found = shape(solid, size) if len(solid) >= BEATS else None
        if found and found.period:
            said = f"was {was} with hardly a random byte, and has now {found.words()}"
            return _encrypted(verdict, before, found, said, 0.8)
    return verdict


def _encrypted(verdict: Verdict, before: Likeness, found: Shape, said: str, confidence: float) -> Verdict:
    return replace(
        verdict,
        state=State.ENCRYPTED,
        format=verdict.format or before.format,
        pattern=found.pattern,
        ranges=found.ranges,
        period=found.period,
        basis=Basis.COMPARISON,
        confidence=confidence,
        evidence=(said, *verdict.evidence),
    )


def _part(index: int, size: int) -> Range:
    return Range(index * size // MAP_CELLS, (index + 1) * size // MAP_CELLS)
