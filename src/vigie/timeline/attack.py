"""What the attack looks like in the backups: its waves, its first file, the endings it adds, its notes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vigie.model import Snapshot, State, Version
from vigie.timeline.document import Document, folder_of, identity, origin
from vigie.timeline.story import Row, Timeline

NOTE_FOLDERS = 3
"""Folders in which the same new small file must stand to be called a note."""
NOTE_BYTES = 64 * 1024
SLOW = 50
"""Newly encrypted files of one snapshot up to which a wave is called slow."""
_CLOCK = 2 * 3600 * 1_000_000_000
"""Nanoseconds by which the clocks of a client and of the backup may differ."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A file that was encrypted, as the first snapshot that shows it has it."""

    path: str
    number: int
    mtime_ns: int
    added: str
    """What was put behind its name; empty where it kept it or got another."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Snapshots in a row, each with newly encrypted files."""

    clean: Snapshot | None
    """The snapshot before the first of them: it began between these two."""
    first: Snapshot
    last: Snapshot
    files: int
    folders: int
    earliest: Hit | None
    """By its mtime, where that lies between the two snapshots: an attacker can set it."""
    endings: tuple[tuple[str, int], ...]
    """What was added to names, the most frequent first."""
    slow: bool
    """A few files in each snapshot rather than all at once."""


@dataclass(frozen=True, slots=True)
class Note:
    """The same small file, new in many folders while files were encrypted."""

    name: str
    folders: int
    example: str
    """One of its paths."""
    first: Snapshot


@dataclass(frozen=True, slots=True)
class Attack:
    """All of it."""

    hits: tuple[Hit, ...]
    waves: tuple[Wave, ...]
    notes: tuple[Note, ...]
    never_hit: int
    """Documents that no snapshot shows encrypted."""


def attack(timeline: Timeline) -> Attack:
    """What the snapshots show of it."""
    hits = _hits(timeline)
    rows = timeline.rows
    by_number: dict[int, list[Hit]] = defaultdict(list)
    for hit in hits:
        by_number[hit.number].append(hit)
    waves = tuple(_wave(rows, run, by_number) for run in _runs(sorted(by_number)))
    struck = {hit.path for hit in hits}
    never = sum(d.path not in struck and d.path not in timeline.vanished for d in timeline.documents)
    return Attack(tuple(hits), waves, _notes(timeline, min(by_number, default=None)), never)


def _hits(timeline: Timeline) -> list[Hit]:
    known = {document.path for document in timeline.documents}
    hits = []
    for document in (*timeline.documents, *timeline.leftovers):
        found = next(
            (
                s
                for s in document.sightings
                if s.verdict.state is State.ENCRYPTED and isinstance(s.item, Version)
            ),
            None,
        )
        if found is None and timeline.began is not None and document.first >= timeline.began:
            # Renamed to nothing that could be recognised: it is random, or what became of a document.
            made = document.random or document.path in timeline.became.made
            found = document.sightings[-1] if made else None
        if found is None or not isinstance(found.item, Version):
            continue
        owner = origin(document.path, known)
        added = document.path[len(owner) :] if owner and document.path not in known else ""
        hits.append(Hit(document.path, found.number, found.item.entry.mtime_ns, added))
    return sorted(hits, key=lambda hit: (hit.number, hit.mtime_ns, hit.path))


def _runs(numbers: Sequence[int]) -> Iterable[list[int]]:
    run: list[int] = []
    for number in numbers:
        if run and number != run[-1] + 1:
            yield run
            run = []
        run.append(number)
    if run:
        yield run


def _wave(rows: Sequence[Row], run: Sequence[int], by_number: dict[int, list[Hit]]) -> Wave:
    hits = [hit for number in run for hit in by_number[number]]
    clean = rows[run[0] - 1].snapshot if run[0] else None
    first = rows[run[0]].snapshot
    begin = clean.time_ns - _CLOCK if clean else 0
    dated = [h for h in by_number[run[0]] if begin <= h.mtime_ns <= first.time_ns + _CLOCK]
    return Wave(
        clean=clean,
        first=first,
        last=rows[run[-1]].snapshot,
        files=len(hits),
        folders=len({folder_of(hit.path) for hit in hits}),
        earliest=min(dated, key=lambda hit: (hit.mtime_ns, hit.path), default=None),
        endings=tuple(Counter(hit.added for hit in hits if hit.added).most_common()),
        slow=all(len(by_number[number]) <= SLOW for number in run),
    )


def _notes(timeline: Timeline, first: int | None) -> tuple[Note, ...]:
    if first is None:
        return ()
    places: dict[str, list[Document]] = defaultdict(list)
    for document in timeline.documents:
        newest = document.newest
        if document.first >= first and newest and 0 < newest.entry.size <= NOTE_BYTES and document.hit < 0:
            name = document.path.rpartition("/")[2]
            places[f"{name}\0{identity(newest) if newest.content else newest.entry.size}"].append(document)
    notes = []
    for documents in places.values():
        folders = {folder_of(document.path) for document in documents}
        if len(folders) >= NOTE_FOLDERS:
            example = min(documents, key=lambda document: (document.first, document.path))
            name = example.path.rpartition("/")[2]
            notes.append(Note(name, len(folders), example.path, timeline.rows[example.first].snapshot))
    return tuple(sorted(notes, key=lambda note: (-note.folders, note.name)))
