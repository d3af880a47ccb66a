"""One file, one verdict: recognise, dissect, measure, and let the rules join the three."""

from dataclasses import replace

from vigie import formats
from vigie.errors import Unreadable
from vigie.formats import Format, Malformed, Promise
from vigie.judge import comparison, rules
from vigie.judge.kernels import glance
from vigie.judge.randomness import Randomness
from vigie.model import Anatomy, Blob, Likeness, Verdict


def judge(blob: Blob, name: str, before: Likeness | None = None, *, full: bool = False) -> Verdict:  # noqa: ARG001 - TEMPORARY
    """Judge a blob called `name`, against the version before where one is known (a `model.Judge`).

    With `full`, every byte of it is read; otherwise of large files a stated sample.

    Never raises for what the bytes are; `Unreadable` becomes a *skipped* verdict with the reason.
    """
    try:
        randomness = Randomness(blob)
        verdict = _judge(blob, name, randomness)
    except Unreadable as reason:
        return Verdict.skipped(reason.reason)
    if before is not None:
        verdict = comparison.against(verdict, randomness, before)
    if randomness.read < blob.size:
        said = f"read {randomness.read:,} of {blob.size:,} bytes: head, tail and evenly between"
        verdict = replace(verdict, evidence=(*verdict.evidence, said))
    likeness = Likeness(verdict.state, verdict.format, blob.size, randomness.share, randomness.map())
    return replace(verdict, likeness=likeness)


def _judge(blob: Blob, name: str, randomness: Randomness) -> Verdict:
    promise = formats.by_name(name)
    promised = promise.format if promise and promise.firm else None
    if not blob.size:
        return rules.empty(promised)
    head = blob.at(0, formats.HEAD)
    found = formats.by_content(head)
    if found is None:
        return (
            rules.unrecognised(randomness) if promise is None else _by_name(blob, promise, randomness, head)
        )
    if found.name == "text" and promised is not None and promised.name != "text":
        # Text is what many formats are written in: the name says which one to hold it to.
        found = promised
    return _dissected(blob, found, randomness, promised)


def _by_name(blob: Blob, promise: Promise, randomness: Randomness, head: bytes) -> Verdict:
    try:
        anatomy = promise.format.dissect(blob)
    except Malformed as malformed:
        if promise.firm or glance(head):
            return rules.not_as_named(promise.format, malformed, randomness)
        # `java.xml.jmod` is no XML; and what a random head begins is no header of another format.
        return rules.not_as_hinted(promise.format, malformed, randomness)
    return rules.healthy_or_struck(anatomy, randomness, recognised=False)


def _dissected(blob: Blob, found: Format, randomness: Randomness, promised: Format | None) -> Verdict:
    try:
        anatomy: Anatomy = found.dissect(blob)
    except Malformed as malformed:
        return rules.malformed(found, malformed, randomness)
    verdict = rules.healthy_or_struck(anatomy, randomness, recognised=True, named=promised is not None)
    if promised is not None and promised.name != anatomy.format and found is not promised:
        said = f"named as {promised.title}, but it is {found.title}"
        verdict = replace(verdict, evidence=(*verdict.evidence, said))
    return verdict
