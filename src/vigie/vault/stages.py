"""Stages two and three: what the lists leave open is read, beginnings first, and no more than settles it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from vigie.model import Basis, Entry, Likeness, OpenBlob, Skipped, Source, State, Verdict, Version
from vigie.timeline import Look
from vigie.timeline.document import is_random

SAMPLE = 24
"""Files that are read of a group which is open for one reason; the others follow where all are the same."""
BURST = 8
"""The same of files that were rewritten in one go (`bursts`): all of the burst speaks for them, too."""
ENOUGH = 4096
"""Bytes from which the judge can tell for sure."""

OnJudged = Callable[[int, int], None]
Before = Callable[[str], Likeness | None]

_HEALTHY = Verdict(
    State.INTACT,
    basis=Basis.STRUCTURE,
    confidence=0.7,
    evidence=("its first piece was read, and it is healthy; the rest was not read",),
)

Key = tuple[str, str]


def key_of(version: Version) -> Key:
    """What makes two versions one to the judge: their bytes, and the endings of their names, which promise.

    A source without content addresses has nothing but path, size and time to tell them apart.
    """
    entry = version.entry
    name = entry.path.rpartition("/")[2]
    if not version.content:
        return f"{entry.size}@{entry.mtime_ns}", entry.path
    return version.content, name.partition(".")[2] or name


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
    _later: dict[Key, int] = field(default_factory=dict)

    def settle(self, version: Version, stage: int) -> None:
        """Count a content."""
        self.settled[stage] += 1
        if stage > 1:
            self._later[key_of(version)] = stage

    def unsettle(self, version: Version) -> None:
        """Forget the stage of a content that is looked at more closely."""
        self.settled[self.stage(version)] -= 1
        self._later.pop(key_of(version), None)

    def stage(self, version: Version) -> int:
        """The stage that settled a content: 1 the lists, 2 its first piece, 3 all of it."""
        return self._later.get(key_of(version), 1)


@dataclass(frozen=True, slots=True)
class Open:
    """A version that the lists leave open, or only presume to be healthy."""

    version: Version
    look: Look
    before: Version | None = None
    """What its path held last, where it changed."""


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
        heads = [Piece(self._source, open_.version, head=True) for open_ in opened]
        entries = [head.entry() for head in heads]
        found: list[Verdict | None] = []
        whole: list[Version] = []
        self._expect(len(entries))
        for open_, head, (_, verdict) in zip(
            opened, heads, self._judge_all(entries, self._before), strict=True
        ):
            self._step(head)
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
        pieces = [Piece(self._source, version, head=False) for version in versions]
        entries = [piece.entry() for piece in pieces]
        for piece, (_, verdict) in zip(pieces, self._judge_all(entries, self._before), strict=True):
            self._step(piece)
            self._settle(piece.version, verdict, 3)
            found.append(verdict)
        return found

    def pooled(self, group: Sequence[Open]) -> list[Verdict]:
        """Read a sample of a group; the rest as well, unless all of the sample is encrypted.

        Of new ones, *unknown* is an answer, too: where some are encrypted and nobody can tell of some, nobody
        can tell of the rest. Of changed ones it is not: what they were before may tell.
        """
        sample = _sampled(group, SAMPLE if group[0].look.group else BURST)
        said = self.heads(sample)
        taken = set(map(id, sample))
        rest = [open_ for open_ in group if id(open_) not in taken]
        if not rest:
            return said
        encrypted = all(verdict.state is State.ENCRYPTED for verdict in said)
        answers = (State.ENCRYPTED, State.UNKNOWN) if rest[0].before is None else (State.ENCRYPTED,)
        if any(verdict.state not in answers for verdict in said):
            return said + self.heads(rest)
        # As most of those of whom nobody can tell.
        unknown = sorted((v for v in said if v.state is State.UNKNOWN), key=is_random)
        model = said[0] if encrypted else unknown[len(unknown) // 2]
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

    def _step(self, piece: "Piece") -> None:
        self._done += 1
        self._effort.read += piece.read
        self._on_judged(self._done, self._total)


def _sampled(group: Sequence[Open], count: int) -> list[Open]:
    """So many of them, evenly between, and of each stretch the one that costs the least to be sure of."""
    count = min(count, len(group))
    ends = [number * len(group) // count for number in range(count + 1)]
    return [min(group[start:end], key=_cost) for start, end in pairwise(ends)]


def _cost(open_: Open) -> tuple[bool, int]:
    size = open_.version.entry.size
    return (False, size) if size >= ENOUGH else (True, -size)


class Piece:
    """The `open` of an entry: a version, or its first piece. Who remembers the answer need not open it."""

    __slots__ = ("_source", "head", "read", "size", "version")

    def __init__(self, source: Source, version: Version, *, head: bool) -> None:
        self._source = source
        self.version, self.head = version, head
        self.size = version.entry.size
        """Bytes of the piece, known for sure once it was opened."""
        self.read = 0
        """Bytes that were asked of the source."""

    def __call__(self) -> OpenBlob:
        """Open it; raises `Unreadable` as an entry does."""
        blob = self._source.head(self.version) if self.head else self.version.entry.open()
        self.size = self.read = blob.size
        return blob

    def entry(self) -> Entry:
        """What a judge is given."""
        entry = self.version.entry
        return Entry(entry.path, entry.size, entry.mtime_ns, self)
