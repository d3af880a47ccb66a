"""Stages two and three: what the lists leave open is read, beginnings first, and no more than settles it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vigie.model import Basis, Entry, Likeness, OpenBlob, Skipped, Source, State, Verdict, Version
from vigie.timeline import Look
from vigie.timeline.document import is_random

SAMPLE = 24
"""Files that are read of a group which is open for one reason; the others follow where all are the same."""

OnJudged = Callable[[int, int], None]
Before = Callable[[str], Likeness | None]

_HEALTHY = Verdict(
    State.INTACT,
    basis=Basis.STRUCTURE,
    confidence=0.7,
    evidence=("its first piece was read, and it is healthy; the rest was not read",),
)


class JudgeAll(Protocol):
    """Judges many entries, several at a time, and answers in their order."""

    def __call__(
        self, entries: Iterable[Entry | Skipped], /, before: Before | None = None
    ) -> Iterator[tuple[Entry | Skipped, Verdict]]:
        """Each entry with its verdict; `before` knows what the last good version at a path was like."""
        ...


@dataclass(slots=True)
class Effort:
    """What a telling took."""

    settled: Counter[int] = field(default_factory=Counter)
    """Contents by the stage that settled them."""
    read: int = 0
    """Bytes of files that were asked of the source."""


@dataclass(frozen=True, slots=True)
class Open:
    """A version that the lists leave open, or only presume to be healthy."""

    version: Version
    look: Look


Settle = Callable[[Version, Verdict, int], None]
"""Told the verdict on each version, and the stage that gave it."""


class Stages:
    """Reads and judges for one snapshot; `before` knows what paths held, `on_judged` how far it is."""

    def __init__(
        self,
        source: Source,
        judge_all: JudgeAll,
        settle: Settle,
        before: Before,
        effort: Effort,
        on_judged: OnJudged,
    ) -> None:
        self._source, self._judge_all = source, judge_all
        self._settle, self._before = settle, before
        self._effort, self._on_judged = effort, on_judged
        self._done = self._total = 0

    def heads(self, opened: Sequence[Open]) -> list[Verdict]:
        """Stage 2, and stage 3 for what it leaves open; the verdicts in this order."""
        heads = [_Head(self._source, open_.version) for open_ in opened]
        entries = [
            Entry(h.version.entry.path, h.version.entry.size, h.version.entry.mtime_ns, h) for h in heads
        ]
        found: list[Verdict | None] = []
        whole: list[Version] = []
        self._expect(len(entries))
        for open_, head, (_, verdict) in zip(
            opened, heads, self._judge_all(entries, self._before), strict=True
        ):
            self._step(head.size)
            cut = head.size < open_.version.entry.size
            if cut and verdict.state is not State.ENCRYPTED:
                if open_.look.whole or verdict.state in (State.UNKNOWN, State.SKIPPED):
                    whole.append(open_.version)
                    found.append(None)
                    continue
                # What is broken may be broken by the cut.
                verdict = _HEALTHY  # noqa: PLW2901 - the verdict on the file, from that on its head
            self._settle(open_.version, verdict, 2)
            found.append(verdict)
        rest = iter(self.whole(whole))
        return [next(rest) if verdict is None else verdict for verdict in found]

    def whole(self, versions: Sequence[Version]) -> list[Verdict]:
        """Stage 3."""
        self._expect(len(versions))
        found: list[Verdict] = []
        entries = [version.entry for version in versions]
        for version, (_, verdict) in zip(versions, self._judge_all(entries, self._before), strict=True):
            self._step(version.entry.size)
            self._settle(version, verdict, 3)
            found.append(verdict)
        return found

    def pooled(self, group: Sequence[Open]) -> list[Verdict]:
        """Read a sample of a group; the rest as well, unless all of the sample is encrypted, or random."""
        step = max(1, len(group) // SAMPLE)
        sample = group[::step][:SAMPLE]
        said = self.heads(sample)
        taken = set(map(id, sample))
        rest = [open_ for open_ in group if id(open_) not in taken]
        if not rest:
            return said
        encrypted = all(verdict.state is State.ENCRYPTED for verdict in said)
        if not encrypted and not all(
            verdict.state is State.UNKNOWN and is_random(verdict) for verdict in said
        ):
            return said + self.heads(rest)
        model = said[0]
        why = f"not read: {rest[0].look.why}, as all {len(said)} of {len(group):,} such files that were read"
        alike = Verdict(
            model.state,
            basis=model.basis,
            confidence=0.9 if encrypted else 0.5,
            evidence=(why, *model.evidence[:1]),
            likeness=model.likeness,
        )
        for open_ in rest:
            self._settle(open_.version, alike, 1)
        return said + [alike] * len(rest)

    def _expect(self, more: int) -> None:
        self._total += more

    def _step(self, read: int) -> None:
        self._done += 1
        self._effort.read += read
        self._on_judged(self._done, self._total)


class _Head:
    """The `open` of an entry that is the first piece of a version, and knows how long that was."""

    def __init__(self, source: Source, version: Version) -> None:
        self._source = source
        self.version = version
        self.size = version.entry.size

    def __call__(self) -> OpenBlob:
        blob = self._source.head(self.version)
        self.size = blob.size
        return blob
