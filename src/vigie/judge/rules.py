"""The rules that turn an anatomy and its randomness into a verdict (DESIGN.md, "How a verdict is made").

| the file                             | where it fails is random        | it is not                    |
|--------------------------------------|---------------------------------|------------------------------|
| dissected, a structured region       | encrypted                       | intact                       |
| dissected, a flaw                    | encrypted                       | damaged                      |
| recognised, then malformed           | encrypted                       | damaged                      |
| not recognised, its name promises    | encrypted                       | damaged                      |
| not recognised, its name only hints  | encrypted, if from byte 0 on    | unknown                      |
| not recognised, no name              | unknown, and why                | unknown                      |
"""

from dataclasses import replace

from vigie.formats import Format, Malformed
from vigie.judge.kernels import CELL, FINE
from vigie.judge.randomness import Randomness, merged
from vigie.model import Anatomy, Basis, Charset, Flaw, Kind, Pattern, Range, State, Verdict

RUN = 256
"""Random bytes in a row that no healthy structured region holds (four cells; chance makes one, not four)."""
SCATTERED = 4
"""Separate random stretches that do the same: intermittent encryption leaves hundreds."""
TEXT_CELLS = 3
"""Text cells of 16 bytes that must be struck before a text is called encrypted."""
NEAR = 192
"""Bytes around a failure that are looked at: the widest period of small intermittent patterns."""
MOSTLY = 0.6
"""Share of random fine cells that makes a place random; healthy structures stay below a tenth."""
SOME = 0.25
"""The same for a place struck intermittently, where the original shows between."""
DENSE = 0.65
"""Share of struck cells inside a stretch that is random throughout."""
GAP = 4096
"""Stretches closer than this are reported as one range."""
MOST_RANGES = 64
"""Ranges a verdict carries at most; the last one then reaches to the end of the last hit."""


def empty(promised: Format | None) -> Verdict:
    """The verdict on no bytes at all."""
    if promised is None or not _needs_bytes(promised):
        return Verdict(
            State.INTACT, promised.name if promised else None, None, (), Basis.STRUCTURE, 0.9, ("empty",)
        )
    said = f"empty, and {promised.title} never is"
    return Verdict(State.DAMAGED, promised.name, None, (), Basis.STRUCTURE, 0.9, (said,))


def unrecognised(randomness: Randomness) -> Verdict:
    """The verdict where neither content nor name says what the file is: honest ignorance."""
    if randomness.share > 0.9:
        said = "no known format, and random from end to end: encrypted, or a container of an unknown kind"
    else:
        said = f"no known format; {randomness.share:.0%} of it looks random"
    return Verdict(State.UNKNOWN, None, None, (), Basis.STATISTICS, 0.5, (said,))


def not_as_hinted(hinted: Format, malformed: Malformed, randomness: Randomness) -> Verdict:
    """The verdict on an unrecognised file whose name only hints at a format, which it is not."""
    verdict = unrecognised(randomness)
    said = f"its name hints at {hinted.title}, which it is not: {malformed}"
    return replace(verdict, evidence=(*verdict.evidence, said))


def not_as_named(promised: Format, malformed: Malformed, randomness: Randomness) -> Verdict:
    """The verdict on a file that its name promises to be something, and its content does not."""
    return _broken(promised, f"named as {promised.title}: {malformed}", malformed, randomness)


def malformed(found: Format, malformed: Malformed, randomness: Randomness) -> Verdict:
    """The verdict on a file whose head is recognised and whose body cannot be."""
    return _broken(found, f"begins as {found.title}: {malformed}", malformed, randomness)


def _broken(kind: Format, said: str, malformed: Malformed, randomness: Randomness) -> Verdict:
    """Encrypted if the bytes at the failure, or the head, are random; else damaged."""
    for where in dict.fromkeys((malformed.offset, 0)):
        struck = _struck_text(where, randomness) if kind.textual else struck_at(where, randomness)
        if struck:
            pattern, ranges = _extent(where, randomness, textual=kind.textual)
            words = f"the bytes there are random ({_words(ranges)})"
            return Verdict(State.ENCRYPTED, kind.name, pattern, ranges, Basis.STRUCTURE, 0.97, (said, words))
    return Verdict(State.DAMAGED, kind.name, None, (), Basis.STRUCTURE, 0.8, (said, "nothing random there"))


def struck_at(where: int, randomness: Randomness) -> bool:
    """Whether the bytes around an offset look random, wholly or in small steps."""
    # The first window tells a clean edge (random up to here, or from here); the second one, wider, tells
    # intermittent patterns, whose random pieces are as small as a cell.
    after = randomness.fine_share(where - where % FINE, where + CELL)
    before = randomness.fine_share(max(0, where - CELL), where + FINE)
    around = randomness.fine_share(max(0, where - NEAR - where % FINE), where + NEAR)
    return after >= MOSTLY or before >= MOSTLY or around >= SOME


def _struck_text(where: int, randomness: Randomness) -> bool:
    """The same in a file that should be text: foreign alphabets look random, but hold no control bytes."""
    # One cell less than in a text that is otherwise whole: here something has failed already.
    start = max(0, where - NEAR - where % FINE)
    return _cells_in(randomness.text_hits(start, where + NEAR, Charset.LATIN1)) >= TEXT_CELLS - 1


def healthy_or_struck(
    anatomy: Anatomy, randomness: Randomness, *, recognised: bool, named: bool = True
) -> Verdict:
    """The verdict on a file that could be dissected.

    Args:
        anatomy: what the format found.
        randomness: what the kernels found.
        recognised: by its content (rather than by its name alone).
        named: its name promises a format as well.
    """
    hits, text_cells = _structured_hits(anatomy, randomness)
    struck = [flaw for flaw in anatomy.flaws if _flaw_is_random(flaw, anatomy, randomness)]
    said = tuple(f"at byte {flaw.start}: {flaw.what}" for flaw in anatomy.flaws[:8])
    if text_cells >= TEXT_CELLS or _telling(hits):
        pattern, ranges = shape(hits, randomness.size)
        if (
            text_cells
            and not named
            and len(ranges) == 1
            and pattern is Pattern.PARTIAL
            and _to_the_end(ranges, randomness)
        ):
            words = (
                f"text, then bytes that no text has ({_words(ranges)}): a program with its data, or encrypted"
            )
            return Verdict(State.UNKNOWN, anatomy.format, None, ranges, Basis.STRUCTURE, 0.5, (words, *said))
        words = f"random bytes where {anatomy.format} has none ({_words(ranges)})"
        return Verdict(
            State.ENCRYPTED, anatomy.format, pattern, ranges, Basis.STRUCTURE, 0.98, (words, *said)
        )
    if struck:
        pattern, ranges = shape([Range(flaw.start, flaw.end) for flaw in struck], randomness.size)
        basis = Basis.CHECKSUM if any(flaw.checksum for flaw in struck) else Basis.STRUCTURE
        words = f"broken where it is random too ({_words(ranges)})"
        return Verdict(State.ENCRYPTED, anatomy.format, pattern, ranges, basis, 0.8, (*said, words))
    if anatomy.flaws:
        basis = Basis.CHECKSUM if any(flaw.checksum for flaw in anatomy.flaws) else Basis.STRUCTURE
        ranges = tuple(Range(flaw.start, flaw.end) for flaw in anatomy.flaws[:MOST_RANGES])
        return Verdict(State.DAMAGED, anatomy.format, None, ranges, basis, 0.9, said)
    if not recognised and all(region.kind is Kind.OPAQUE for region in anatomy.regions):
        words = "its name says that any bytes may stand in it, so nothing can be told"
        return Verdict(
            State.UNKNOWN, anatomy.format, None, (), Basis.STATISTICS, 0.5, (words, *anatomy.notes)
        )
    return _intact(anatomy)


def _intact(anatomy: Anatomy) -> Verdict:
    if anatomy.checked:
        basis, confidence, words = Basis.CHECKSUM, 0.99, f"checksums hold over {anatomy.checked:,} bytes"
    elif all(region.kind is Kind.OPAQUE for region in anatomy.regions):
        basis, confidence, words = Basis.STRUCTURE, 0.8, "recognised; its content may be anything"
    else:
        basis, confidence, words = Basis.STRUCTURE, 0.95, "its structure holds from end to end"
    return Verdict(State.INTACT, anatomy.format, None, (), basis, confidence, (words, *anatomy.notes[:8]))


def _structured_hits(anatomy: Anatomy, randomness: Randomness) -> tuple[list[Range], int]:
    hits: list[Range] = []
    text_cells = 0
    for region in anatomy.regions:
        if region.kind is not Kind.STRUCTURED:
            continue
        if region.charset is Charset.NONE:
            hits.extend(randomness.binary_hits(region.start, region.end))
        else:
            found = randomness.text_hits(region.start, region.end, region.charset)
            text_cells += _cells_in(found)
            hits.extend(found)
    return hits, text_cells


def _cells_in(hits: list[Range]) -> int:
    return sum((hit.end - hit.start + FINE - 1) // FINE for hit in hits)


def _telling(hits: list[Range]) -> bool:
    return len(hits) >= SCATTERED or any(hit.end - hit.start >= RUN for hit in hits)


def _flaw_is_random(flaw: Flaw, anatomy: Anatomy, randomness: Randomness) -> bool:
    inside = next((r for r in anatomy.regions if r.start <= flaw.start < max(r.end, r.start + 1)), None)
    if inside is not None and inside.charset is not Charset.NONE:
        return _struck_text(flaw.start, randomness)
    if inside is not None and inside.kind is Kind.STRUCTURED:
        return struck_at(flaw.start, randomness)
    # Coded bytes look random anyway: only many of them, as uniform as chance, say encrypted. What ends too
    # early (an empty range) says nothing.
    if flaw.end - flaw.start < CELL or randomness.fine_share(flaw.start, flaw.end) < MOSTLY:
        return False
    if randomness.fine_share(flaw.start, min(flaw.end, flaw.start + RUN)) < SOME:
        return False  # what broke it is not random: zeros before compressed data, say
    return randomness.uniform(flaw.start, flaw.end) is not False


def _extent(where: int, randomness: Randomness, *, textual: bool) -> tuple[Pattern, tuple[Range, ...]]:
    """Pattern and ranges where no anatomy says what to expect: as far as the random bytes reach."""
    if textual:
        return shape(randomness.text_hits(0, randomness.size, Charset.LATIN1), randomness.size)
    if where < NEAR:
        end = randomness.random_from_start()
        if end >= randomness.size - CELL:
            return Pattern.FULL, (Range(0, randomness.size),)
        if end >= RUN:
            return Pattern.HEADER, (Range(0, end),)
    hits = randomness.binary_hits(max(0, where - NEAR), randomness.size)
    if len(hits) >= SCATTERED:
        return shape(hits, randomness.size)
    if hits:
        return Pattern.PARTIAL, (hits[0],)
    # Only small pieces are random: 16 bytes on, 16 off.
    return Pattern.INTERMITTENT, (Range(max(0, where - where % FINE), randomness.size),)


def shape(hits: list[Range], size: int) -> tuple[Pattern, tuple[Range, ...]]:
    """Pattern and reported ranges of raw hits, in rising order."""
    tight = merged(hits, CELL)
    covered = sum(hit.end - hit.start for hit in tight)
    # Of random bytes the kernels mark at least four cells in five: fewer means that something stands between.
    dense = sum(hit.end - hit.start for hit in hits) >= DENSE * covered
    if covered >= 0.9 * size and dense:
        return Pattern.FULL, (Range(0, size),)
    ranges = merged(hits, GAP)
    if len(ranges) > MOST_RANGES:
        ranges = [*ranges[: MOST_RANGES - 1], Range(ranges[MOST_RANGES - 1].start, ranges[-1].end)]
    span = ranges[-1].end - ranges[0].start
    if len(hits) >= SCATTERED and (not dense or covered < 0.8 * span):
        return Pattern.INTERMITTENT, tuple(ranges)
    if ranges[0].start < CELL:
        return Pattern.HEADER, tuple(ranges)
    return Pattern.PARTIAL, tuple(ranges)


def _to_the_end(ranges: tuple[Range, ...], randomness: Randomness) -> bool:
    return ranges[0].end >= randomness.size - GAP


def _needs_bytes(promised: Format) -> bool:
    try:
        promised.dissect(_Nothing())
    except Malformed:
        return True
    return False


class _Nothing:
    """A blob without bytes."""

    size = 0

    def at(self, offset: int, length: int) -> bytes:  # noqa: ARG002 - a Blob's signature
        return b""


def _words(ranges: tuple[Range, ...]) -> str:
    first = ", ".join(f"{r.start:,} to {r.end:,}" for r in ranges[:3])
    return f"bytes {first}" + (f" and {len(ranges) - 3} more" if len(ranges) > 3 else "")
