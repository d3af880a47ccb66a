"""What the timeline's picture shows: folders as rows, snapshots as columns, how much of each was encrypted.

Everything is bounded whatever the backups hold: `COLUMNS` snapshots, `FOLDERS` rows, `NAMED` files a row.
"""

import heapq
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from vigie.model import Skipped, Snapshot, State
from vigie.timeline import Affected, Document, Sighting, Timeline, affected
from vigie.timeline.coverage import covers
from vigie.timeline.document import folder_of, is_random

COLUMNS = 60
FOLDERS = 40
NAMED = 50
"""Files that were hit which a folder names one by one."""
_BEFORE, _AFTER = 6, 14
"""Snapshots before and after the onset that are columns even where not all can be."""
_HIT_WEIGHS = 9
"""Healthy files that one hit file outweighs where small folders give up their row."""
_DEPTH = 32


class Cell(NamedTuple):
    """One folder in one snapshot."""

    files: int
    """Those that could be read, as they were last seen."""
    encrypted: int
    unread: int
    """Files and folders in it that could not be read."""


@dataclass(frozen=True, slots=True)
class Folder:
    """One row."""

    path: str
    merged: int
    """Folders below it that have no row of their own."""
    files: int
    """Documents, but for those that users had deleted before it began."""
    hit: int
    """Those of them that were encrypted, spoilt or taken away at some time."""
    named: tuple[Affected, ...]
    """Some of these: those without a clean version first."""
    cells: tuple[Cell | None, ...]
    """One a column; None where the snapshot is of other folders."""


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it."""

    columns: tuple[int, ...]
    """Numbers of the snapshots that are drawn."""
    onset: int | None
    """The first column that shows the attack."""
    folders: tuple[Folder, ...]
    """Most of it hit first."""
    all_folders: int
    unsure: int
    """Documents that only vanished, or cannot be read: nothing of them was seen encrypted."""


def picture(timeline: Timeline) -> Picture:
    """Count, in one pass over the contents of every document."""
    shown = columns(timeline)
    struck = list(affected(timeline))
    paths = {item.document.path for item in struck}
    weights: Counter[str] = Counter()
    for document in (*timeline.documents, *timeline.leftovers):
        weights[_place(document)] += 1
    for item in struck:
        weights[_place(item.document)] += _HIT_WEIGHS
    rows = _grouped(weights)
    files = Counter(
        rows[_place(document)]
        for document in (*timeline.documents, *timeline.leftovers)
        if document.path in paths
        or (document.path not in timeline.gone and document.path not in timeline.became.leftovers)
    )
    hits: defaultdict[str, list[Affected]] = defaultdict(list)
    for item in struck:
        hits[rows[_place(item.document)]].append(item)
    cells = _cells(timeline, shown, rows)
    merged = Counter(rows.values())
    folders = [
        Folder(
            path,
            merged[path] - (rows.get(path) == path),
            files[path],
            len(hits[path]),
            tuple(heapq.nsmallest(NAMED, hits[path], key=lambda i: (i.clean is not None, i.document.path))),
            tuple(
                cell if _holds(timeline.rows[number].snapshot, path) else None
                for number, cell in zip(shown, line, strict=True)
            ),
        )
        for path, line in cells.items()
    ]
    folders.sort(key=lambda row: (-row.hit / max(1, row.files), -row.hit, row.path))
    first = timeline.first_hit
    onset = next((place for place, n in enumerate(shown) if timeline.rows[n].snapshot == first), None)
    return Picture(shown, onset, tuple(folders), len(rows), sum(not item.sure for item in struck))


def columns(timeline: Timeline) -> tuple[int, ...]:
    """The snapshots that are drawn: all of them, or those about the onset and others evenly."""
    count = len(timeline.rows)
    if count <= COLUMNS:
        return tuple(range(count))
    onset = next((n for n, row in enumerate(timeline.rows) if row.snapshot == timeline.first_hit), count)
    near = range(max(0, onset - _BEFORE), min(count, onset + _AFTER))
    step = -(-count // (COLUMNS - _BEFORE - _AFTER))
    return tuple(sorted({*near, *range(count - 1, -1, -step)}))


def spans(
    document: Document, end: int, *, leftover: bool, made: bool = False
) -> Iterator[tuple[int, int, Sighting, State]]:
    """From which snapshot to which it had which content, and what is said of that.

    A file that went and came back as it was is taken to have been there all the time. What an attack left
    behind under a name that tells nothing counts as encrypted, as it does in the list of hits: where it is
    random, or `made` of a document for sure.
    """
    stop = document.gone if document.gone >= 0 else end
    sightings = document.sightings
    for place, sighting in enumerate(sightings):
        until = sightings[place + 1].number if place + 1 < len(sightings) else stop
        state = sighting.verdict.state
        if leftover and state is State.UNKNOWN and (made or is_random(sighting.verdict)):
            state = State.ENCRYPTED
        yield sighting.number, until, sighting, state


def _place(document: Document) -> str:
    """The folder it lies in; itself where it is a folder that could not be read."""
    unread = any(isinstance(sighting.item, Skipped) for sighting in document.sightings[:1])
    folder = document.path if unread and document.newest is None else folder_of(document.path)
    return "/".join(folder.split("/", _DEPTH)[:_DEPTH])


def _grouped(weights: Counter[str]) -> dict[str, str]:
    """For each folder the one in whose row it is: itself, or one above it if it is small among many.

    The lightest of those with nothing below them goes first: nothing is counted further up than it must be.
    """
    left = dict(weights)
    into: dict[str, str] = {}
    below = Counter(above for folder in left for above in _above(folder))
    heap = [(weight, folder) for folder, weight in left.items() if not below[folder]]
    heapq.heapify(heap)
    while len(left) > FOLDERS:
        weight, folder = heapq.heappop(heap)
        if left.get(folder) != weight or below[folder]:
            continue  # it has changed since it was put there
        below.subtract(_above(folder))
        above = into[folder] = folder_of(folder)
        if above not in left:
            below.update(_above(above))
        left[above] = left.get(above, 0) + left.pop(folder)
        for higher in _above(folder):
            if higher in left and not below[higher]:
                heapq.heappush(heap, (left[higher], higher))
    return {folder: _end(folder, into) for folder in weights}


def _above(folder: str) -> Iterator[str]:
    while folder:
        folder = folder_of(folder)
        yield folder


def _end(folder: str, into: dict[str, str]) -> str:
    while folder in into:
        folder = into[folder]
    return folder


def _cells(timeline: Timeline, shown: Sequence[int], rows: dict[str, str]) -> dict[str, list[Cell]]:
    """Difference arrays: a content adds one where it comes, and takes it away where it goes."""
    width = len(shown) + 1
    sums = {path: ([0] * width, [0] * width, [0] * width) for path in set(rows.values())}
    starts = [bisect_left(shown, number) for number in range(len(timeline.rows) + 1)]
    for documents, leftover in ((timeline.documents, False), (timeline.leftovers, True)):
        for document in documents:
            files, encrypted, unread = sums[rows[_place(document)]]
            made = document.path in timeline.became.made
            for begin, end, _, state in spans(document, len(timeline.rows), leftover=leftover, made=made):
                start, stop = starts[begin], starts[end]
                marked = [unread] if state is State.SKIPPED else [files]
                if state is State.ENCRYPTED:
                    marked.append(encrypted)
                for marks in marked:
                    marks[start] += 1
                    marks[stop] -= 1
    # Unread, read and unread again may be told as one stretch: the snapshot itself knows better.
    whole = [not timeline.rows[number].unread for number in shown]
    return {
        path: [
            Cell(files, encrypted, 0 if all_read else unread)
            for files, encrypted, unread, all_read in zip(
                *map(accumulate, parts), [*whole, True], strict=True
            )
        ][:-1]
        for path, parts in sums.items()
    }


def _holds(snapshot: Snapshot, folder: str) -> bool:
    """Whether a snapshot is of a folder, or of some of what is below it."""
    return covers(snapshot, folder or "/") or any(top.startswith(f"{folder}/") for top in snapshot.paths)
