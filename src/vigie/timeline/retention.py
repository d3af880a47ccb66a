"""Before anyone runs `forget`: times that cannot be, bursts, and policies that drop the last clean snapshots.

Whoever can add snapshots to an append-only repository can make an honest `forget` delete the good ones: by
false times, or by so many that the last clean one is no longer among those that are kept (restic issue 22057,
and its "Removing backup snapshots", section "Security considerations in append-only mode").
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from statistics import median

from vigie.model import Snapshot, Version
from vigie.timeline.coverage import covers
from vigie.timeline.document import Document, identity
from vigie.timeline.story import Row, Timeline

HOUR = 3600 * 1_000_000_000
_BURST = 6
"""Snapshots of the same folders within an hour of each other, where they usually lie much further apart."""
_APART = 4 * HOUR
"""Nanoseconds between snapshots from which a burst of them is odd."""
_SOME = 3
_SHRUNK = 0.5
"""Share of the usual number of files below which a snapshot is called tiny."""


class Oddity(StrEnum):
    """What is wrong with a snapshot, or with forgetting."""

    FUTURE = "future"
    """Dated later than now."""
    BEFORE_ITS_FILES = "before-its-files"
    """Dated before the newest file in it was written."""
    BURST = "burst"
    """One of many within an hour."""
    TINY = "tiny"
    """Holds far fewer files than the one before."""
    NEEDED = "needed"
    """The policy would forget it, and it holds the last clean version of files."""


@dataclass(frozen=True, slots=True)
class Caution:
    """One thing to look at before forgetting anything."""

    oddity: Oddity
    snapshots: tuple[Snapshot, ...]
    files: int = 0
    """Of `NEEDED`: whose last clean version would be gone. Of `TINY`: that it holds."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What `restic forget` is told to keep; 0 keeps nothing for that reason."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    def kept(self, snapshots: Sequence[Snapshot]) -> set[str]:
        """Ids of the snapshots that stay, of one host and the same paths (restic doc/060_forget.rst)."""
        kept: set[str] = set()
        newest_first = sorted(snapshots, key=lambda snapshot: snapshot.time_ns, reverse=True)
        kept.update(snapshot.id for snapshot in newest_first[: self.last])
        for count, form in (
            (self.hourly, "%Y-%m-%d %H"),
            (self.daily, "%Y-%m-%d"),
            (self.weekly, "%G-%V"),
            (self.monthly, "%Y-%m"),
            (self.yearly, "%Y"),
        ):
            seen: set[str] = set()
            for snapshot in newest_first:
                if len(seen) == count:
                    break
                slot = datetime.fromtimestamp(snapshot.time_ns / 1e9, UTC).strftime(form)
                if slot not in seen:
                    seen.add(slot)
                    kept.add(snapshot.id)
        return kept


def cautions(timeline: Timeline, now_ns: int, policy: Policy | None = None) -> tuple[Caution, ...]:
    """What to look at before forgetting; `now_ns` is the time on a clock that can be trusted."""
    found: list[Caution] = []
    if late := [row.snapshot for row in timeline.rows if row.snapshot.time_ns > now_ns + HOUR]:
        found.append(Caution(Oddity.FUTURE, tuple(late)))
    if early := _before_their_files(timeline):
        found.append(Caution(Oddity.BEFORE_ITS_FILES, early))
    for rows in _series(timeline.rows):
        found += [Caution(Oddity.BURST, tuple(row.snapshot for row in run)) for run in _bursts(rows)]
        found += [Caution(Oddity.TINY, (row.snapshot,), row.files) for row in _tiny(rows)]
    found += _needed(timeline, policy) if policy else []
    return tuple(found)


def _series(rows: Iterable[Row]) -> list[list[Row]]:
    series: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        series.setdefault(row.snapshot.paths, []).append(row)
    return list(series.values())


def _before_their_files(timeline: Timeline) -> tuple[Snapshot, ...]:
    """Snapshots of whose new contents a tenth, and three or more, were written after they were made."""
    new: Counter[int] = Counter()
    later: Counter[int] = Counter()
    for document in timeline.documents:
        for sighting in document.sightings:
            if isinstance(sighting.item, Version):
                new[sighting.number] += 1
                late = sighting.item.entry.mtime_ns > timeline.rows[sighting.number].snapshot.time_ns + HOUR
                later[sighting.number] += late
    odd = (number for number, count in sorted(later.items()) if count >= max(_SOME, new[number] / 10))
    return tuple(timeline.rows[number].snapshot for number in odd)


def _bursts(rows: Sequence[Row]) -> list[list[Row]]:
    runs: list[list[Row]] = []
    for row in rows:
        if runs and row.snapshot.time_ns - runs[-1][0].snapshot.time_ns <= HOUR:
            runs[-1].append(row)
        else:
            runs.append([row])
    gaps = [b[0].snapshot.time_ns - a[0].snapshot.time_ns for a, b in pairwise(runs)]
    usual = median(gaps) if gaps else 0
    return [run for run in runs if len(run) >= _BURST] if usual >= _APART else []


def _tiny(rows: Sequence[Row]) -> list[Row]:
    return [
        row
        for number, row in enumerate(rows)
        if number >= _SOME
        and row.files < _SHRUNK * median(earlier.files for earlier in rows[max(0, number - 7) : number])
    ]


def _needed(timeline: Timeline, policy: Policy) -> list[Caution]:
    """Snapshots that the policy forgets although they alone hold the last clean version of something."""
    kept: set[str] = set()
    for rows in _series(timeline.rows):
        kept |= policy.kept([row.snapshot for row in rows])
    lost: Counter[int] = Counter()
    for document in timeline.documents:
        newest = -1
        for number in clean_in(timeline, document):
            newest = max(newest, number)
            if timeline.rows[number].snapshot.id in kept:
                break
        else:
            lost[newest] += newest >= 0
    return [
        Caution(Oddity.NEEDED, (timeline.rows[number].snapshot,), count)
        for number, count in sorted(lost.items())
        if count
    ]


def clean_in(timeline: Timeline, document: Document) -> Iterator[int]:
    """Numbers of the snapshots that hold the last clean content of a document, the newest first."""
    sightings = document.sightings
    for place in reversed(range(len(sightings))):
        item = sightings[place].item
        if document.intact and isinstance(item, Version) and identity(item) == identity(document.intact):
            later = sightings[place + 1].number if place + 1 < len(sightings) else len(timeline.rows)
            if document.gone >= 0:
                later = min(later, document.gone)
            yield from _holding(timeline.rows, range(sightings[place].number, later), document.path)
            return


def _holding(rows: Sequence[Row], span: range, path: str) -> Iterator[int]:
    """Those of the span that are about the path: between them lie snapshots of other folders."""
    shown = rows[span.start].snapshot.paths
    for number in reversed(span):
        snapshot = rows[number].snapshot
        # `restic backup .` names its folder in full and saves its files without: their snapshots are alike.
        if snapshot.paths == shown or covers(snapshot, path):
            yield number
