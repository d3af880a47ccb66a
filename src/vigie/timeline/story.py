"""The story of an attack, told by the backups: snapshot after snapshot, oldest first.

When it began (the onset) is the first snapshot in which
- a file is encrypted that was not so, or not there, in the snapshots before; or
- in one folder, several files vanish and as many come that are random from end to end and of no known format:
  what is left when an attack renames everything to random names.
Files that were encrypted already when their folder was first backed up say nothing about the moment: they are
the onset only when nothing else is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vigie.model import Gone, Skipped, Snapshot, State, Verdict, Version
from vigie.timeline.coverage import below, covers
from vigie.timeline.document import Document, folder_of, identity, is_random
from vigie.timeline.naming import short
from vigie.timeline.successors import Successors, successors

SWAPPED = 3
"""Files of one folder that must vanish while as many random ones come, to be an attack and not a tidy-up."""

Seen = tuple[Version | Skipped, Verdict]
Change = Seen | Gone
"""What a snapshot has that the one before it had not (a file with its verdict), or has no more."""


@dataclass(slots=True)
class _Series:
    """The snapshots of the same folders: each is told by what differs from the one before."""

    present: dict[str, int] = field(default_factory=dict)
    """What the newest one holds: paths, and the marks below that apply to each."""
    encrypted: int = 0
    suspect: int = 0
    unread: frozenset[str] = frozenset()
    """Files and folders that could not be read in the newest one."""

    def hold(self, path: str, marks: int) -> None:
        self.drop(path)
        self.present[path] = marks
        self.encrypted += marks & _ENCRYPTED
        self.suspect += bool(marks & _SUSPECT)

    def drop(self, path: str) -> None:
        marks = self.present.pop(path, 0)
        self.encrypted -= marks & _ENCRYPTED
        self.suspect -= bool(marks & _SUSPECT)


_ENCRYPTED, _SUSPECT = 1, 2


@dataclass(frozen=True, slots=True)
class Row:
    """One snapshot in figures."""

    snapshot: Snapshot
    files: int
    """All that are in it, read or not."""
    new: int
    """Never seen before under this path."""
    changed: int
    """Other bytes than when last seen."""
    encrypted: int
    """Judged so, whether now or in an earlier snapshot already."""
    suspect: int
    """Damaged or not to be told though once intact; or new, random and of no known format."""
    unread: int
    """Files, or whole folders, that could not be read: nobody knows whether they are encrypted."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What all snapshots say together."""

    rows: tuple[Row, ...]
    documents: tuple[Document, ...]
    """In path order; new names that an attack gave are not among them."""
    leftovers: tuple[Document, ...]
    """What an attack made of documents: encrypted under a longer name, or random since the onset."""
    began: int | None
    """Number of the snapshot at the end of the onset, where its beginning can be told."""
    last_clean: Snapshot | None
    """The newest snapshot before it began (of all, where it never did) that could be read in full."""
    first_hit: Snapshot | None
    """The oldest snapshot that shows it."""
    vanished: frozenset[str]
    """Paths that are gone from the newest snapshot that should hold them, since the onset."""
    gone: frozenset[str]
    """Paths that were gone before it began, or are healthy under another name: that was their users."""
    affected: int
    """Documents that are encrypted, damaged, unreadable or vanished, and were healthy once or are lost."""
    became: Successors
    """What became of those that are gone, and which leftovers no backup has as documents."""
    notes: tuple[str, ...] = ()

    @property
    def already(self) -> int:
        """Files of the last clean snapshot that came encrypted: what they were, no backup tells."""
        return next((row.encrypted for row in self.rows if row.snapshot == self.last_clean), 0)


class Story:
    """Told by calling `add` for each snapshot, oldest first, then `end`. Holds one `Document` a path."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}
        self._rows: list[Row] = []
        self._began: int | None = None
        self._notes: list[str] = []
        self._series: dict[tuple[str, ...], _Series] = {}
        self._missing: set[str] = set()
        """Paths that are gone as of the newest snapshot that should hold them."""

    def add(self, snapshot: Snapshot, changes: Iterable[Change]) -> Row:
        """Take in the next snapshot: what differs from the one before of the same folders (`paths`).

        What could not be read must be told each time, as `Source.changes` does.
        """
        number = len(self._rows)
        if self._rows and snapshot.time_ns <= self._rows[-1].snapshot.time_ns:
            self._notes.append(
                f"snapshot {short(snapshot)} is dated no later than {short(self._rows[-1].snapshot)}: "
                "a clock was wrong, or somebody set a false time"
            )
        # All of it first: whether it began in this snapshot must be known before an *unknown* version counts.
        everything = list(changes)
        seen = [change for change in everything if not isinstance(change, Gone)]
        lost = [change.path for change in everything if isinstance(change, Gone)]
        first = snapshot.paths not in self._series
        series = self._series.setdefault(snapshot.paths, _Series())
        told = {_path(item) for item, _ in seen}
        unread = frozenset(item.path for item, _ in seen if isinstance(item, Skipped))
        lost += self._unsaid(snapshot, series, told, unread, first=first)
        if self._began is None and self._shows_it(seen, lost, snapshot, first=first):
            self._began = number
        for path in lost:
            self._lose(number, path, series)
        for path in series.unread - told:
            series.drop(path)  # a folder that could not be read, and can be now
        new = changed = random = 0
        for item, verdict in seen:
            path = _path(item)
            document = self._documents.get(path)
            if document is None:
                document = self._documents[path] = Document(path, number)
                new += 1
                random += verdict.state is State.UNKNOWN and number > 0 and is_random(verdict)
                marks = 0
            else:
                changed += isinstance(item, Version) and document.content != identity(item)
                troubled = verdict.state in (State.DAMAGED, State.UNKNOWN, State.SKIPPED)
                marks = _SUSPECT if troubled and document.intact is not None else 0
            document.see(number, item, verdict, began=self._began is not None)
            self._missing.discard(path)
            series.hold(path, marks | (_ENCRYPTED if verdict.state is State.ENCRYPTED else 0))
        if len(self._series) > 1:
            self._found_again(series)
        series.unread = unread
        row = Row(
            snapshot,
            len(series.present),
            new,
            changed,
            series.encrypted,
            series.suspect + random,
            len(unread),
        )
        self._rows.append(row)
        return row

    def end(self) -> Timeline:
        """What the snapshots say together."""
        became = successors(self._documents, self._began, max(1, len(self._series)))
        documents = [
            self._documents[path] for path in sorted(self._documents) if path not in became.leftovers
        ]
        vanished, gone, affected = set(), set(), len(became.orphans)
        for document in documents:
            if document.gone >= 0:
                if self._was_its_user(document, became):
                    gone.add(document.path)
                    continue
                vanished.add(document.path)
            unwell = document.state is State.ENCRYPTED or (
                document.state in (State.DAMAGED, State.SKIPPED) and document.intact is not None
            )
            affected += unwell or (document.path in vanished and document.path not in became.moved)
        last_clean, first_hit = self._onset()
        return Timeline(
            rows=tuple(self._rows),
            documents=tuple(documents),
            leftovers=tuple(self._documents[path] for path in sorted(became.leftovers)),
            began=self._began,
            last_clean=last_clean,
            first_hit=first_hit,
            vanished=frozenset(vanished),
            gone=frozenset(gone),
            affected=affected,
            became=became,
            notes=tuple(self._notes),
        )

    def _was_its_user(self, document: Document, became: Successors) -> bool:
        """Whether a file that is gone was deleted, or moved, by whoever it belongs to."""
        since_onset = self._began is not None and document.gone >= self._began
        if document.states == {State.SKIPPED} or not (since_onset or document.path in became.heirs):
            return True
        # What cannot be told healthy under its new name, which came with the attack, is handed back.
        return document.path in became.moved and document.state is State.INTACT

    def _unsaid(
        self, snapshot: Snapshot, series: _Series, told: set[str], unread: frozenset[str], *, first: bool
    ) -> list[str]:
        """Paths that are gone and not told: new folders are saved, or old ones can be read again."""
        again = series.unread - unread
        if first:
            known: Iterable[str] = (path for path, document in self._documents.items() if document.gone < 0)
            known = (path for path in known if covers(snapshot, path))
        elif again:
            known = (path for path in series.present if below(path, again))
        else:
            return []
        return [path for path in known if path not in told and not below(path, unread)]

    def _lose(self, number: int, path: str, series: _Series) -> None:
        series.drop(path)
        document = self._documents.get(path)
        if document is not None and document.gone < 0:
            document.gone = number
            self._missing.add(path)

    def _found_again(self, series: _Series) -> None:
        """Files that other snapshots lost, and that these hold still: two series may keep the same folder."""
        for path in [path for path in self._missing if path in series.present]:
            self._documents[path].gone = -1
            self._missing.discard(path)

    def _shows_it(
        self, seen: Sequence[Seen], lost: Iterable[str], snapshot: Snapshot, *, first: bool
    ) -> bool:
        others = {
            row.snapshot.paths: row.snapshot for row in self._rows if row.snapshot.paths != snapshot.paths
        }
        fresh: Counter[str] = Counter()
        for item, verdict in seen:
            path = _path(item)
            document = self._documents.get(path)
            if verdict.state is State.ENCRYPTED:
                if document is not None and document.hit < 0:
                    return True
                if document is None and (not first or any(covers(one, path) for one in others.values())):
                    return True
            elif verdict.state is State.UNKNOWN and document is None and is_random(verdict):
                fresh[folder_of(path)] += 1
        if max(fresh.values(), default=0) < SWAPPED:
            return False
        emptied = Counter(map(folder_of, lost))
        return any(min(count, emptied[folder]) >= SWAPPED for folder, count in fresh.items())

    def _onset(self) -> tuple[Snapshot | None, Snapshot | None]:
        hit = self._began
        if hit is None:
            hit = next((number for number, row in enumerate(self._rows) if row.encrypted), None)
        whole = [row.snapshot for row in self._rows[:hit] if not row.unread]
        return (whole[-1] if whole else None), (None if hit is None else self._rows[hit].snapshot)


def _path(item: Version | Skipped) -> str:
    return item.path if isinstance(item, Skipped) else item.entry.path
