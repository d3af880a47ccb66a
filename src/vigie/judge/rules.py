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
from vigie.judge import struck
from vigie.judge.disguise import disguise
from vigie.judge.kernels import BLOCK
from vigie.judge.randomness import Randomness
from vigie.judge.shape import GAP, MOST_RANGES, Shape
from vigie.model import Anatomy, Basis, Kind, Pattern, Range, State, Verdict

LOOSE = frozenset({"text", "csv"})
"""Formats that are whatever stands in them, so long as it is text."""
SCRIPTS = LOOSE | {"source"}
"""Formats that a program may be written in which carries its data behind it."""


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
        there = struck.struck_text if kind.textual else struck.struck_at
        if there(where, randomness):
            found = struck.extent(where, randomness, textual=kind.textual)
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
    hits, text_cells = struck.structured_hits(anatomy, randomness)
    broken, patchy = struck.random_flaws(anatomy, randomness)
    if text_cells >= struck.TEXT_CELLS or struck.telling(hits):
        found = struck.shaped([*hits, *broken], anatomy, randomness)
        if text_cells and not named and anatomy.format in SCRIPTS and _is_tail(found, randomness.size):
            words = f"text, then no text ({found.words()}): a program with its data, or encrypted"
            return Verdict(
                State.UNKNOWN, anatomy.format, None, found.ranges, Basis.STRUCTURE, 0.5, (words, *said)
            )
        words = f"random bytes where {anatomy.format} has none ({found.words()})"
        return _encrypted(anatomy.format, found, Basis.STRUCTURE, 0.98, (words, *said))
    if broken:
        found = struck.shaped(broken, anatomy, randomness, patchy=patchy)
        basis = Basis.CHECKSUM if any(flaw.checksum for flaw in anatomy.flaws) else Basis.STRUCTURE
        words = f"broken where it is random too ({found.words()})"
        # A few blocks of deflate pass for random: so may a flipped bit in them.
        sure = not patchy and sum(r.end - r.start for r in found.ranges) >= struck.MANY * BLOCK
        return _encrypted(anatomy.format, found, basis, 0.8 if sure else 0.6, (words, *said))
    lone = struck.lone_hits(anatomy, randomness)
    if lone:
        found = struck.shaped(lone, anatomy, randomness)
        words = f"random bytes where all around is calm ({found.words()})"
        return _encrypted(anatomy.format, found, Basis.STRUCTURE, 0.7, (words, *said))
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
