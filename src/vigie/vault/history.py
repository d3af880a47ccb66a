"""A source, judged in three stages and told as a timeline: what its lists say, what beginnings say, the rest.

1. Lists only (`timeline.triage`): names, sizes, and how far each version compresses. No file is read.
2. The first piece of what is open, through the judge.
3. All of what its first piece cannot settle; with `full`, of everything.

A content is judged once, whatever it is called, and equal parts of two snapshots are not gone through twice:
the cost follows what changed. With a `Recall`, neither is what an earlier run read.
"""

import heapq
import zlib
from collections.abc import Callable, Iterable, Sequence

from vigie.model import MAP_CELLS, Gone, Likeness, Skipped, Snapshot, Source, State, Verdict, Version
from vigie.timeline import Change, Row, Story, Timeline, look
from vigie.timeline.document import folder_of, origin
from vigie.timeline.triage import share
from vigie.vault.bursts import bursts
from vigie.vault.recall import Recall
from vigie.vault.stages import Effort, JudgeAll, Key, OnJudged, Open, Stages, key_of

FEW = 3
"""Encrypted files from which a snapshot shows an attack, and nothing new in it is presumed any more."""
FIRST, SPOT = 96, 4
"""Files that are read of the presumed ones of the first snapshot, and of each further one."""
_COMPRESSIBLE = 0.5
"""Share of its size to which a file packs that had no random part to speak of."""

Item = Version | Skipped | Gone


class History:
    """What is known of a source so far: the verdict on each content, and what each path last held."""

    def __init__(
        self,
        source: Source,
        judge_all: JudgeAll,
        *,
        full: bool = False,
        effort: Effort | None = None,
        recall: Recall | None = None,
    ) -> None:
        """`full` judges all of every content, and trusts no list. `recall` knows what earlier runs read."""
        self._recall = recall or Recall()
        self._source, self._judge_all, self._full = source, self._recall.judging(judge_all), full
        self._verdicts: dict[Key, Verdict] = {}
        self._healthy: dict[str, Verdict] = {}
        """Contents that were found intact, under whatever name."""
        self._last: dict[tuple[str, ...], Snapshot] = {}
        self._held: dict[str, Version] = {}
        self._likeness: dict[str, Likeness] = {}
        self._effort = effort or Effort()

    def next(self, snapshot: Snapshot, on_judged: OnJudged = lambda _done, _total: None) -> list[Change]:
        """What differs in the next snapshot (oldest first), each file with its verdict.

        `on_judged` is told how many files were read, and of how many.
        """
        items = list(self._recall.changes(self._source, self._last.get(snapshot.paths), snapshot))
        self._last[snapshot.paths] = snapshot
        unseen = self._unseen(items)
        stages = Stages(self._source, self._judge_all, self._settle, self._before, self._effort, on_judged)
        if self._full:
            stages.whole(unseen)
        else:
            self._triage(unseen, stages)
        return [self._change(item) for item in items]

    def _change(self, item: Item) -> Change:
        if isinstance(item, Gone):
            return item
        if isinstance(item, Skipped):
            return item, Verdict.skipped(item.reason)
        verdict = self._verdicts[key_of(item)]
        # As in the baseline: an encrypted version never replaces what is known of a good one.
        if verdict.state is not State.ENCRYPTED:
            self._held[item.entry.path] = item
            if verdict.likeness:
                self._likeness[item.entry.path] = verdict.likeness
        return item, verdict

    def _unseen(self, items: Iterable[Item]) -> list[Version]:
        """One version for each content that no verdict is known of."""
        unseen: dict[Key, Version] = {}
        for item in items:
            if isinstance(item, Version) and (key := key_of(item)) not in self._verdicts:
                unseen.setdefault(key, item)
        return list(unseen.values())

    def _triage(self, unseen: Iterable[Version], stages: Stages) -> None:
        opened: list[Open] = []
        presumed: list[Open] = []
        fresh: list[Open] = []
        """New ones that look healthy, and have no version before to be compared with."""
        for version in unseen:
            healthy = self._healthy.get(version.content)
            if healthy is not None:
                self._settle(version, healthy, 1)  # moved or copied under a name of another kind
                continue
            before = self._held.get(version.entry.path)
            first = look(version, before)
            open_ = Open(version, first, before)
            if first.verdict is None:
                opened.append(open_)
                continue
            self._settle(version, first.verdict, 1)
            if first.presumed:
                presumed.append(open_)
            elif before is None and version.entry.size:
                fresh.append(open_)
        _read(opened, stages)
        struck = [open_ for open_ in opened if self._is_struck(open_)]
        # Was all of it hit before it was first backed up? Then nothing in it changes, and names say little.
        sample, rest = _sampled(presumed, SPOT if self._held else FIRST)
        stages.heads(sample)
        if any(map(self._is_struck, sample)) or len(struck) >= (FEW if self._held else 1):
            _read(rest + fresh if self._held else rest, stages)
        elif struck:
            folders = {folder_of(open_.version.entry.path) for open_ in struck}
            _read([o for o in rest + fresh if folder_of(o.version.entry.path) in folders], stages)

    def _is_struck(self, open_: Open) -> bool:
        return self._verdicts[key_of(open_.version)].state is State.ENCRYPTED

    def _settle(self, version: Version, verdict: Verdict, stage: int) -> None:
        key = key_of(version)
        if key in self._verdicts:
            self._effort.unsettle(version)
        self._verdicts[key] = verdict
        self._effort.settle(version, stage)
        if version.content and verdict.state is State.INTACT:
            self._healthy[version.content] = verdict

    def _before(self, path: str) -> Likeness | None:
        known = path if path in self._held else origin(path, self._held)
        if known is None:
            return None
        if known in self._likeness:
            return self._likeness[known]
        version = self._held[known]
        packed = share(version)
        if packed is None or packed > _COMPRESSIBLE:
            return None
        # It was not read, but what packs so well held no random block to speak of.
        return Likeness(State.INTACT, None, version.entry.size, 0.0, bytes(MAP_CELLS))


def _read(opened: Sequence[Open], stages: Stages) -> None:
    """Each, or a sample where they may stand for each other."""
    alone, together = bursts(opened)
    stages.heads(alone)
    for group in together:
        stages.pooled(group)


def told(
    source: Source,
    judge_all: JudgeAll,
    snapshots: Iterable[Snapshot],
    *,
    full: bool = False,
    effort: Effort | None = None,
    recall: Recall | None = None,
    on_row: Callable[[Row], None] = lambda _row: None,
    on_judged: OnJudged = lambda _done, _total: None,
) -> Timeline:
    """The timeline of these snapshots, oldest first; `on_row` gets each one's figures as they come.

    What it took is added to `effort`; what it learnt, to `recall`.
    """
    recall = recall or Recall()
    history, story = History(source, judge_all, full=full, effort=effort, recall=recall), Story()
    for snapshot in snapshots:
        on_row(story.add(snapshot, history.next(snapshot, on_judged)))
        recall.write(source)
    recall.done(source)
    return story.end()


def _sampled(presumed: Sequence[Open], count: int) -> tuple[list[Open], list[Open]]:
    """So many of the smaller half, which cost little to read; chosen by their bytes, not by their names.

    The same ones in every run, and nobody who sees names alone can tell which.
    """
    by_size = sorted(presumed, key=lambda open_: open_.version.entry.size)
    small = by_size[: max(count, len(by_size) // 2)]
    sample = heapq.nsmallest(
        count, small, key=lambda o: zlib.crc32("\0".join(key_of(o.version)).encode(errors="replace"))
    )
    taken = set(map(id, sample))
    return sample, [open_ for open_ in presumed if id(open_) not in taken]
