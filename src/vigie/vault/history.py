"""A source, judged: every distinct content once, against the version before it, told as a timeline."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from vigie.model import Entry, Likeness, Skipped, Snapshot, Source, State, Verdict, Version
from vigie.timeline import Row, Story, Timeline
from vigie.timeline.document import origin

Seen = tuple[Version | Skipped, Verdict]


class JudgeAll(Protocol):
    """Judges many entries, several at a time, and answers in their order."""

    def __call__(
        self,
        entries: Iterable[Entry | Skipped],
        /,
        before: Callable[[str], Likeness | None] | None = None,
    ) -> Iterator[tuple[Entry | Skipped, Verdict]]:
        """Each entry with its verdict; `before` knows what the last good version at a path was like."""
        ...


class History:
    """What is known of a source so far: the verdict on each content, and what each path was last like."""

    def __init__(self, source: Source, judge_all: JudgeAll) -> None:
        self._source = source
        self._judge_all = judge_all
        self._verdicts: dict[tuple[str, str], Verdict] = {}
        self._likeness: dict[str, Likeness] = {}

    def next(self, snapshot: Snapshot, on_judged: Callable[[int, int], None] | None = None) -> list[Seen]:
        """Every file of the next snapshot (oldest first) with its verdict.

        Contents met before are not read again. `on_judged` is told how many are judged, and of how many.
        """
        items = list(self._source.versions(snapshot))
        unseen: dict[tuple[str, str], Entry] = {}
        for item in items:
            if isinstance(item, Version) and (key := _key(item)) not in self._verdicts:
                unseen.setdefault(key, item.entry)
        judged = self._judge_all(unseen.values(), self._before)
        for done, (key, (_, verdict)) in enumerate(zip(unseen, judged, strict=True), 1):
            self._verdicts[key] = verdict
            if on_judged:
                on_judged(done, len(unseen))
        seen = [(item, self._verdict(item)) for item in items]
        for item, verdict in seen:
            # As in the baseline: an encrypted version never replaces what is known of a good one.
            if verdict.likeness and verdict.state is not State.ENCRYPTED and isinstance(item, Version):
                self._likeness[item.entry.path] = verdict.likeness
        return seen

    def _verdict(self, item: Version | Skipped) -> Verdict:
        return Verdict.skipped(item.reason) if isinstance(item, Skipped) else self._verdicts[_key(item)]

    def _before(self, path: str) -> Likeness | None:
        known = path if path in self._likeness else origin(path, self._likeness)
        return self._likeness.get(known) if known else None


def told(
    source: Source,
    judge_all: JudgeAll,
    snapshots: Iterable[Snapshot],
    *,
    on_row: Callable[[Row], None] | None = None,
    on_judged: Callable[[int, int], None] | None = None,
) -> Timeline:
    """The timeline of these snapshots, oldest first; `on_row` gets each one's figures as they come."""
    history, story = History(source, judge_all), Story()
    for snapshot in snapshots:
        row = story.add(snapshot, history.next(snapshot, on_judged))
        if on_row:
            on_row(row)
    return story.end()


def _key(version: Version) -> tuple[str, str]:
    """What makes two versions one to the judge: their bytes, and the endings of their names, which promise.

    A source without content addresses has nothing but path, size and time to tell them apart.
    """
    entry = version.entry
    name = entry.path.rpartition("/")[2]
    if not version.content:
        return f"{entry.size}@{entry.mtime_ns}", entry.path
    return version.content, name.partition(".")[2] or name
