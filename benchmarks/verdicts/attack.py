"""Every sample under every pattern, judged as `vigie check` judges.

Nothing on a disk is overwritten: the struck copy is a file without a name, in memory (memfd_create(2)), made
for one verdict, and the confined workers get its descriptor as they get any other.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import patterns
import scoring
from patterns import Pattern, Struck
from samples import Sample
from scoring import Outcome

from vigie import formats
from vigie.config import CheckSettings
from vigie.formats.contract import Bytes
from vigie.judge import examine
from vigie.model import Entry, State, Verdict
from vigie.sources.file import FileBlob
from vigie.workers import Workers

LOCKED = ".locked"
CLAIMED = 0.1
"""Share of a file that its anatomy must claim something about, for its format to be called known."""


@dataclass(frozen=True, slots=True)
class Victim(Entry):
    """An entry that is made when it is opened."""

    sample: Sample
    pattern: Pattern


def in_memory(data: bytes) -> FileBlob:
    """Bytes behind a descriptor of their own, on no disk."""
    descriptor = os.memfd_create("vigie-benchmark", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(data)
    return FileBlob.adopt(descriptor)


def strike(sample: Sample, pattern: Pattern) -> Struck:
    """The sample after the attack: always the same."""
    return pattern.strike(sample.data, patterns.seed_of(sample.name, pattern.name))


def _struck(sample: Sample, pattern: Pattern) -> FileBlob:
    return in_memory(strike(sample, pattern).data)


def untouched(samples: Sequence[Sample], workers: Workers) -> Iterator[tuple[Sample, Verdict]]:
    """The verdicts on the healthy files."""
    entries = (Entry(s.name, len(s.data), 0, partial(in_memory, s.data)) for s in samples)
    for sample, (_, verdict) in zip(samples, workers.judge_all(entries), strict=True):
        yield sample, verdict


def anatomy(sample: Sample) -> scoring.Anatomy:
    """What the catalogue knows of a healthy sample; it was made here, so it is looked at in this process."""
    findings = examine(Bytes(sample.data), sample.name)
    regions = findings.anatomy.regions if findings.anatomy else ()
    opaque = scoring.opaque_in(len(sample.data), [(r.start, r.end, r.kind) for r in regions])
    claimed = len(sample.data) - int((opaque[:, 1] - opaque[:, 0]).sum())
    known = findings.verdict.state is State.INTACT and claimed >= CLAIMED * len(sample.data)
    named = formats.by_name(sample.name) is not None
    return scoring.Anatomy(findings.verdict.format, findings.verdict.state, known, named, opaque)


def attacked(
    samples: Sequence[Sample],
    healthy: dict[str, scoring.Anatomy],
    chosen: Sequence[Pattern],
    *,
    renamed: bool,
    full: bool,
    settings: CheckSettings,
) -> Iterator[Outcome]:
    """The outcome for every sample under every chosen pattern."""

    def victims() -> Iterator[Victim]:
        for pattern in chosen:
            for sample in samples:
                name = sample.name + LOCKED * renamed
                yield Victim(name, len(sample.data), 0, partial(_struck, sample, pattern), sample, pattern)

    with Workers(settings, full=full) as workers:
        for item, verdict in workers.judge_all(victims()):
            assert isinstance(item, Victim)
            struck = strike(item.sample, item.pattern)
            if len(struck.spans):
                known = healthy[item.sample.name]
                yield scoring.scored(item.sample.name, item.sample.kind, item.pattern, struck, known, verdict)
