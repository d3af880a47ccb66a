"""One file, one verdict: recognise, dissect, measure, and let the rules join the three."""

from dataclasses import dataclass, replace

from vigie import formats
from vigie.errors import Unreadable
from vigie.formats import Format, Malformed, Promise
from vigie.judge import comparison, rules
from vigie.judge.addressed import by_address
from vigie.judge.kernels import glance
from vigie.judge.members import unfolded
from vigie.judge.randomness import Randomness
from vigie.judge.sampling import WHOLE
from vigie.model import Anatomy, Blob, Likeness, State, Verdict

HURRIED = 32 * 1024 * 1024
"""Bytes that a dissection may read, decode or checksum of a file that is read to the last byte."""
LEAST, SHARE = 4 * 1024 * 1024, 8
"""Of a larger one at least so many, or one in so many of its own, up to `HURRIED`."""
PATIENT = 2 * 1024 * 1024 * 1024
"""The same when every byte is asked for, and eight times the size of the file on top."""
LOCATED = 1024 * 1024 * 1024
"""A struck file up to this size is read in full after all, to say which bytes were overwritten."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a verdict was made from."""

    verdict: Verdict
    randomness: Randomness
    anatomy: Anatomy | None = None
    """Nothing where no format could be made out."""


def judge(blob: Blob, name: str, before: Likeness | None = None, *, full: bool = False) -> Verdict:
    """Judge a blob called `name`, against the version before where one is known (a `model.Judge`).

    With `full`, every byte of it is read; otherwise of a large file a sample (see `sampling`), unless that
    shows it to be struck. Never raises for what the bytes are; `Unreadable` becomes a *skipped* verdict with
    the reason.
    """
    try:
        return examine(blob, name, before, full=full).verdict
    except Unreadable as reason:
        return Verdict.skipped(reason.reason)


def examine(blob: Blob, name: str, before: Likeness | None = None, *, full: bool = False) -> Findings:
    """Judge a blob as `judge` does, and show what the verdict was made from.

    Raises:
        Unreadable: as the blob does.
    """
    found = _look(blob, name, before, full=full)
    struck = found.verdict.state in (State.ENCRYPTED, State.DAMAGED)
    if struck and not found.randomness.whole and blob.size <= LOCATED:
        found = _look(blob, name, before, full=True)
    return found


def _look(blob: Blob, name: str, before: Likeness | None, *, full: bool) -> Findings:
    randomness = Randomness(blob, full=full)
    addressed = by_address(name, randomness, full=full)
    anatomy = None
    if addressed is not None:
        verdict = addressed
    else:
        verdict, anatomy = _judge(blob, name, randomness, full=full)
    if before is not None:
        verdict = comparison.against(verdict, randomness, before)
    if not randomness.whole:
        said = f"read {randomness.read:,} of {blob.size:,} bytes: head, tail and evenly between"
        verdict = replace(verdict, evidence=(*verdict.evidence, said))
    likeness = Likeness(verdict.state, verdict.format, blob.size, randomness.share, randomness.map())
    return Findings(replace(verdict, likeness=likeness, read=randomness.read), randomness, anatomy)


def _effort(size: int, *, full: bool) -> int:
    if full:
        return PATIENT + 8 * size
    return HURRIED if size <= WHOLE else min(HURRIED, max(LEAST, size // SHARE))


def _judge(blob: Blob, name: str, randomness: Randomness, *, full: bool) -> tuple[Verdict, Anatomy | None]:
    effort = _effort(blob.size, full=full)
    promise = formats.by_name(name)
    promised = promise.format if promise and promise.firm else None
    if not blob.size:
        return rules.empty(promised), None
    head = blob.at(0, formats.HEAD)
    found = formats.by_content(head)
    if found is None:
        if promise is None:
            return rules.unrecognised(randomness), None
        return _by_name(blob, promise, randomness, head, effort)
    if found.name == "text" and promised is not None and promised.name != "text":
        # Text is what many formats are written in: the name says which one to hold it to.
        verdict, anatomy = _dissected(blob, promised, randomness, promised, effort)
        if verdict.state is State.INTACT:
            verdict = rules.wordless(verdict, promised, randomness)
        return verdict, anatomy
    verdict, anatomy = _dissected(blob, found, randomness, promised, effort)
    if verdict.state is State.INTACT and found.textual:
        verdict = rules.wordless(verdict, found, randomness)
    return verdict, anatomy


def _by_name(
    blob: Blob, promise: Promise, randomness: Randomness, head: bytes, effort: int
) -> tuple[Verdict, Anatomy | None]:
    try:
        anatomy = unfolded(promise.format.dissect(blob, effort), blob, effort)
    except Malformed as malformed:
        if promise.firm or glance(head):
            return rules.not_as_named(promise.format, malformed, randomness), None
        # `java.xml.jmod` is no XML; and what a random head begins is no header of another format.
        return rules.not_as_hinted(promise.format, malformed, randomness), None
    return rules.healthy_or_struck(anatomy, randomness, recognised=False), anatomy


def _dissected(
    blob: Blob, found: Format, randomness: Randomness, promised: Format | None, effort: int
) -> tuple[Verdict, Anatomy | None]:
    try:
        anatomy = unfolded(found.dissect(blob, effort), blob, effort)
    except Malformed as malformed:
        return rules.malformed(found, malformed, randomness), None
    verdict = rules.healthy_or_struck(anatomy, randomness, recognised=True, named=promised is not None)
    if promised is not None and promised.name != anatomy.format and found is not promised:
        said = f"named as {promised.title}, but it is {found.title}"
        verdict = replace(verdict, evidence=(*verdict.evidence, said))
    return verdict, anatomy
