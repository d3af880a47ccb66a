"""One whole run: the corpus, the attacks, the peers; kept together for the tables and the page."""

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import attack
import corpus
import healthy
import peers
import uniform
from patterns import PATTERNS, Pattern
from peers import Seen
from samples import Sample
from scoring import Outcome

from vigie.config import CheckSettings
from vigie.model import State
from vigie.workers import Workers

RENAMED = tuple(PATTERNS[n] for n in (0, 1, 2, 4, 7, 9, 16, 19))
"""Patterns of the second pass, in which the files are called NAME.locked."""
FULL_FROM = 1 << 20
"""Files from this size on are judged a second time with every byte read (`--full`)."""
PEERS_UP_TO = 4 << 20
"""Files up to this size are shown to the peers, which know no sampling."""
Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Peer:
    """How one rule did."""

    name: str
    alarms: int
    """Healthy files that it flags,"""
    healthy: int
    """of so many."""
    found: dict[str, tuple[int, int]]
    """By pattern: files found, of so many."""

    @property
    def recall(self) -> float:
        """Share found over all patterns."""
        return sum(found for found, _ in self.found.values()) / max(
            1, sum(of for _, of in self.found.values())
        )


@dataclass(slots=True)
class Results:
    """Everything that was measured."""

    samples: int = 0
    bytes: int = 0
    origins: Counter[str] = field(default_factory=Counter)
    known: int = 0
    wrong: list[tuple[State, str, str, str]] = field(default_factory=list)
    """Untouched samples that are not *intact*: verdict, name, format, evidence."""
    outcomes: list[Outcome] = field(default_factory=list)
    renamed: list[Outcome] = field(default_factory=list)
    sampled: list[Outcome] = field(default_factory=list)
    """Of `outcomes`, the large files,"""
    full: list[Outcome] = field(default_factory=list)
    """and the same ones with every byte read."""
    peers: list[Peer] = field(default_factory=list)
    pieces: list[uniform.Cell] = field(default_factory=list)
    health: healthy.Health | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def attacks(results: Results, settings: CheckSettings, said: Said, *, quick: bool) -> list[Sample]:
    """Fill in everything but the healthy files and the pieces; the corpus."""
    begun = time.monotonic()

    def lap(name: str) -> None:
        nonlocal begun
        now = time.monotonic()
        results.seconds[name] = now - begun
        said(f"{name}: {now - begun:.0f} s")
        begun = now

    samples = corpus.gathered(quick=quick)
    results.samples, results.bytes = len(samples), sum(len(s.data) for s in samples)
    results.origins = Counter(s.origin for s in samples)
    lap(f"corpus of {len(samples)} files, {results.bytes / 1e6:.0f} MB")
    with Workers(settings) as workers:
        for sample, verdict in attack.untouched(samples, workers):
            if verdict.state is not State.INTACT:
                results.wrong.append((verdict.state, sample.name, verdict.format or "", verdict.evidence[0]))
    known = {sample.name: attack.anatomy(sample) for sample in samples}
    results.known = sum(anatomy.known for anatomy in known.values())
    lap("untouched")

    def judged(
        chosen: Sequence[Sample], patterns: Sequence[Pattern], *, renamed: bool = False, full: bool = False
    ) -> list[Outcome]:
        return list(attack.attacked(chosen, known, patterns, renamed=renamed, full=full, settings=settings))

    results.outcomes = judged(samples, PATTERNS)
    lap(f"{len(PATTERNS)} patterns")
    few = RENAMED[:3] if quick else RENAMED
    results.renamed = judged(samples, few, renamed=True)
    lap("renamed")
    large = [s for s in samples if len(s.data) >= FULL_FROM]
    names = {s.name for s in large}
    results.sampled = [o for o in results.outcomes if o.sample in names]
    if not quick:
        results.full = judged(large, PATTERNS, full=True)
        lap("large files, every byte")
    results.peers = list(_peers(fair(samples), results, quick=quick))
    lap("peers")
    return samples


_shown: list[Sample] = []
_rules: dict[str, peers.Rule] = {}


def fair(samples: Sequence[Sample]) -> list[Sample]:
    """What all rules are compared on: no fixtures, whose coded parts are noise, and no huge files."""
    return [s for s in samples if s.origin != "fixture" and len(s.data) <= PEERS_UP_TO]


def _peers(samples: list[Sample], results: Results, *, quick: bool) -> Iterator[Peer]:
    """Every rule on every file of every pattern, in two processes that inherit the files; the judge first."""
    _shown[:] = samples[::4] if quick else samples
    names = {sample.name for sample in _shown}
    alarms = sum(state is State.ENCRYPTED and name in names for state, name, *_ in results.wrong)
    yield _ours([o for o in results.outcomes if o.sample in names], alarms, len(names))
    context = multiprocessing.get_context("fork")
    with context.Pool(1 if quick else None) as pool:
        rows = pool.map(_flagged, [None, *range(len(PATTERNS))], chunksize=1)
    plain = rows[0]
    for name, flagged in plain.items():
        found = {PATTERNS[n].name: (row[name], len(_shown)) for n, row in enumerate(rows[1:])}
        yield Peer(name, flagged, len(_shown), found)


def _flagged(which: int | None) -> dict[str, int]:
    """How many files each rule flags, under one pattern or untouched."""
    if not _rules:
        _rules.update(peers.rules())
    count = dict.fromkeys(_rules, 0)
    for sample in _shown:
        data = sample.data if which is None else attack.strike(sample, PATTERNS[which]).data
        seen = Seen(sample.name, data, sample.data)
        for name, rule in _rules.items():
            count[name] += rule(seen)
    return count


def _ours(outcomes: Sequence[Outcome], wrong: int, samples: int) -> Peer:
    """The judge in the same table."""
    found: dict[str, tuple[int, int]] = {}
    for outcome in outcomes:
        hits, files = found.get(outcome.pattern, (0, 0))
        found[outcome.pattern] = hits + outcome.found, files + 1
    return Peer("vigie check", wrong, samples, found)
