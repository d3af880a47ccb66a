"""The rules that turn an anatomy and its randomness into a verdict (DESIGN.md, "How a verdict is made").

| the file                             | where it fails is random        | it is not                    |
|--------------------------------------|---------------------------------|------------------------------|
| dissected, a structured region       | encrypted                       | intact                       |
| dissected, a flaw                    | encrypted                       | damaged                      |
| recognised, then malformed           | encrypted, also in disguise     | damaged                      |
| not recognised, its name promises    | encrypted, also in disguise     | damaged                      |
| not recognised, its name only hints  | encrypted, if from byte 0 on    | unknown                      |
| not recognised, no name              | unknown, and why                | unknown                      |
"""

from dataclasses import replace

from vigie.formats import Format, Malformed
from vigie.judge.disguise import disguise
from vigie.judge.kernels import BLOCK, CELL, FINE
from vigie.judge.randomness import DOTTED, Randomness, merged
from vigie.judge.shape import DENSE, GAP, MOST_RANGES, Shape, shape, with_rhythm
from vigie.model import Anatomy, Basis, Charset, Flaw, Kind, Pattern, Range, Region, State, Verdict

RUN = 128
"""Random bytes in a row that no healthy structured region holds: two cells; in 129,250 files there was never
more than one."""
SCATTERED = 4
"""Separate random stretches that do the same: intermittent encryption leaves hundreds."""
SEVERAL = 3
"""Chunks, members or frames that fail one by one: more than a failing disk leaves."""
TEXT_CELLS = 3
"""Text cells of 16 bytes that must be struck before a text is called encrypted."""
MANY = 16
"""Blocks of coded data whose uniformity hardly ever is chance."""
NEAREST = BLOCK
"""Bytes behind the start of a flaw, within which its random part begins if it does not begin right there."""
NEAR = 192
"""Bytes around a failure that are looked at: the widest period of small intermittent patterns."""
MOSTLY = 0.6
"""Share of random fine cells that makes a place random; healthy structures stay below a tenth."""
LOOSE = frozenset({"text", "csv"})
"""Formats that are whatever stands in them, so long as it is text."""
SCRIPTS = LOOSE | {"source"}
"""Formats that a program may be written in which carries its data behind it."""
SOME = DOTTED
"""The same for a place struck intermittently, where the original shows between."""


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
            found = _extent(where, randomness, textual=kind.textual)
            words = f"the bytes there are random ({found.words()})"
            return _encrypted(kind.name, found, Basis.STRUCTURE, 0.97, (said, words))
    hidden = disguise(randomness.blob)
    if hidden:
        found = Shape(Pattern.FULL, (Range(0, randomness.size),))
        return _encrypted(kind.name, found, Basis.STRUCTURE, 0.9, (said, hidden))
    return Verdict(State.DAMAGED, kind.name, None, (), Basis.STRUCTURE, 0.8, (said, "nothing random there"))


def wordless(verdict: Verdict, kind: Format, randomness: Randomness) -> Verdict:
    """The verdict on a text that nothing is wrong with, unless its letters spell random bytes.

    A plain text may be a key; a web page, a letter or a program without a word is none.
    """
    hidden = disguise(randomness.blob, letters=True) if randomness.size >= BLOCK else None
    if hidden is None:
        return verdict
    if kind.name in LOOSE:
        said = f"a text, but {hidden}: a key, an attachment without its name, or encrypted"
        return replace(verdict, state=State.UNKNOWN, basis=Basis.STATISTICS, confidence=0.5, evidence=(said,))
    found = Shape(Pattern.FULL, (Range(0, randomness.size),))
    return _encrypted(kind.name, found, Basis.STRUCTURE, 0.8, (f"named as {kind.title}, but {hidden}",))


def _encrypted(
    form: str, found: Shape, basis: Basis, confidence: float, evidence: tuple[str, ...]
) -> Verdict:
    return Verdict(
        State.ENCRYPTED,
        form,
        found.pattern,
        found.ranges,
        basis,
        confidence,
        evidence,
        period=found.period,
    )


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
    said = tuple(f"at byte {flaw.start}: {flaw.what}" for flaw in anatomy.flaws[:8])
    hits, text_cells = _structured_hits(anatomy, randomness)
    broken, patchy = _random_flaws(anatomy, randomness)
    if text_cells >= TEXT_CELLS or _telling(hits):
        found = _shaped([*hits, *broken], anatomy, randomness)
        if text_cells and not named and anatomy.format in SCRIPTS and _is_tail(found, randomness.size):
            words = f"text, then no text ({found.words()}): a program with its data, or encrypted"
            return Verdict(
                State.UNKNOWN, anatomy.format, None, found.ranges, Basis.STRUCTURE, 0.5, (words, *said)
            )
        words = f"random bytes where {anatomy.format} has none ({found.words()})"
        return _encrypted(anatomy.format, found, Basis.STRUCTURE, 0.98, (words, *said))
    if broken:
        found = _shaped(broken, anatomy, randomness, patchy=patchy)
        basis = Basis.CHECKSUM if any(flaw.checksum for flaw in anatomy.flaws) else Basis.STRUCTURE
        words = f"broken where it is random too ({found.words()})"
        # A few blocks of deflate pass for random: so may a flipped bit in them.
        sure = not patchy and sum(r.end - r.start for r in found.ranges) >= MANY * BLOCK
        return _encrypted(anatomy.format, found, basis, 0.8 if sure else 0.6, (words, *said))
    hidden = disguise(randomness.blob) if anatomy.flaws else None
    if hidden:
        found = Shape(Pattern.FULL, (Range(0, randomness.size),))
        return _encrypted(anatomy.format, found, Basis.STRUCTURE, 0.8, (hidden, *said))
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


def _random_flaws(anatomy: Anatomy, randomness: Randomness) -> tuple[list[Range], bool]:
    """The flaws that are random, as far as they are, and whether other bytes stand in between."""
    random: list[Range] = []
    mixed: list[Range] = []
    for flaw in anatomy.flaws:
        inside = _around(flaw.start, anatomy)
        if inside is not None and inside.kind is Kind.STRUCTURED:
            text = inside.charset is not Charset.NONE
            if _struck_text(flaw.start, randomness) if text else struck_at(flaw.start, randomness):
                # Such a flaw says where the format noticed; the cells around say what was struck.
                exact = Range(flaw.start, flaw.end) if flaw.throughout else _cell(flaw.start, randomness.size)
                random.append(exact)
        elif flaw.end - flaw.start >= CELL and randomness.fine_share(flaw.start, flaw.end) >= MOSTLY:
            # Coded bytes look random anyway: only what is as uniform as chance amid them says encrypted. What
            # ends too early (an empty range) says nothing.
            parts = _random_parts(flaw, randomness)
            if not parts:
                mixed.append(Range(flaw.start, flaw.end))
            else:
                random.extend(parts)
    if not random and _many(mixed, anatomy):
        return mixed, True
    return random, False


def _random_parts(flaw: Flaw, randomness: Randomness) -> list[Range] | None:
    """What of a flaw in coded data is random: nothing, parts, all of it; None: patches too fine to tell."""
    whole = Range(flaw.start, flaw.end)
    if flaw.throughout:
        return [whole] if randomness.uniform(*whole) is not False else None
    parts = randomness.random_parts(*whole)
    if parts is not None:
        return parts
    if randomness.fine_share(flaw.start, min(flaw.end, flaw.start + RUN)) < SOME:
        # What broke it may be no random bytes, but zeros before compressed data; a long tail that is uniform
        # is no compressed data, though.
        tail = flaw.start + NEAREST
        long = flaw.end - tail >= MANY // 2 * BLOCK and randomness.uniform(tail, flaw.end)
        return [Range(tail, flaw.end)] if long else []
    end = randomness.random_until(*whole)
    if randomness.uniform(flaw.start, end) is not False:
        return [Range(flaw.start, max(end, flaw.start + CELL))]
    return None


def _many(mixed: list[Range], anatomy: Anatomy) -> bool:
    """Whether so many places are broken that no failing disk did it, though none is random throughout."""
    wide = sum(f.end - f.start for f in anatomy.flaws if f.throughout)
    return len(mixed) >= SEVERAL or wide >= SCATTERED * BLOCK


def _around(offset: int, anatomy: Anatomy) -> Region | None:
    return next((r for r in anatomy.regions if r.start <= offset < max(r.end, r.start + 1)), None)


def _shaped(hits: list[Range], anatomy: Anatomy, randomness: Randomness, *, patchy: bool = False) -> Shape:
    grown = _grown(merged(hits, 0), anatomy, randomness)
    found = shape(grown, randomness.size, patchy=patchy)
    if len(found.ranges) >= SCATTERED and found.period is None:
        # Odds and ends: a pattern too fine for the cells, perhaps.
        dots = [
            dot
            for region in anatomy.regions
            if region.kind is Kind.STRUCTURED and region.charset is Charset.NONE
            for dot in randomness.dotted(region.start, region.end)
        ]
        if sum(dot.end - dot.start for dot in dots) > 2 * sum(r.end - r.start for r in found.ranges):
            found = shape(merged([*grown, *dots], 0), randomness.size, patchy=True)
    return with_rhythm(found, randomness)


def _grown(hits: list[Range], anatomy: Anatomy, randomness: Randomness) -> list[Range]:
    """The hits, and what is random beside them where anything may stand: that was overwritten as well."""
    grown: list[Range] = []
    loose = [r for r in anatomy.regions if r.kind is Kind.OPAQUE and r.end - r.start >= CELL]
    for region in loose[:MOST_RANGES]:
        before = any(region.start - CELL <= hit.end <= region.start + CELL for hit in hits)
        behind = any(region.end - CELL <= hit.start <= region.end + CELL for hit in hits)
        if not (before or behind):
            continue
        end = randomness.random_until(region.start, region.end)
        if before and end - region.start >= CELL:
            grown.append(Range(region.start, end))
        elif behind and end >= region.end - CELL:
            grown.append(Range(region.start, region.end))
    return merged([*hits, *grown], 0)


def _extent(where: int, randomness: Randomness, *, textual: bool) -> Shape:
    """What is struck where no anatomy says what to expect: as far as the random bytes reach."""
    size = randomness.size
    if textual:
        hits = randomness.text_hits(0, size, Charset.LATIN1) or [_cell(where, size)]
        return with_rhythm(shape(hits, size), randomness)
    hits = randomness.binary_hits(0, size)
    dense = sum(hit.end - hit.start for hit in hits) >= DENSE * size
    parts = randomness.random_parts(0, size) if dense else None
    if parts:
        return with_rhythm(shape(parts, size), randomness)
    start = 0 if where < NEAR else max(0, where - NEAR)
    for hit in merged(hits, CELL):
        if hit.start <= where + NEAR and hit.end > start:
            start = 0 if hit.start < CELL else hit.start
            break
    end = randomness.random_until(start, size)
    if end - start < RUN or (randomness.share_in(start, end) or 0.0) < DENSE:
        # Only small pieces are random, or bytes between them were left alone.
        near = randomness.dotted(0, size) or hits or [_cell(where, size)]
        return with_rhythm(shape(near, size, patchy=True), randomness)
    telling = [hit for hit in hits if hit.start >= end and hit.end - hit.start >= RUN]
    if dense:
        telling = []  # compressed behind, most likely: what of it was overwritten as well cannot be told
    mixed = end >= size - CELL and randomness.uniform(start, end) is False
    return with_rhythm(shape([Range(start, end), *telling], size, patchy=mixed), randomness)


def _cell(where: int, size: int) -> Range:
    start = max(0, where - where % FINE)
    return Range(start, max(start, min(size, start + FINE)))


def _is_tail(found: Shape, size: int) -> bool:
    return found.pattern is Pattern.PARTIAL and found.ranges[0].end >= size - GAP


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
