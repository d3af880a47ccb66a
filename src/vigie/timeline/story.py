"""The story of an attack, told by the backups: snapshot after snapshot, oldest first.

When it began (the onset) is the first snapshot in which
- a file is encrypted that was not so, or not there, in the snapshots before; or
- in one folder, several files vanish and as many come that are random from end to end and of no known format:
  what is left when an attack renames everything to random names.
Files that were encrypted already when their folder was first backed up say nothing about the moment: they are
the onset only when nothing else is.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from vigie.errors import NoSuchTarget
from vigie.model import Skipped, Snapshot, State, Verdict, Version
from vigie.timeline.coverage import Coverage, covers
from vigie.timeline.document import Document, folder_of, identity, is_random, origin

SWAPPED = 3
"""Files of one folder that must vanish while as many random ones come, to be an attack and not a tidy-up."""

Seen = tuple[Version | Skipped, Verdict]


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
    leftovers: tuple[str, ...]
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
    """Paths that were gone before it began: somebody deleted them."""
    affected: int
    """Documents that are encrypted, damaged, unreadable or vanished, and were healthy once or are lost."""
    notes: tuple[str, ...] = ()


class Story:
    """Told by calling `add` for each snapshot, oldest first, then `end`. Holds one `Document` a path."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}
        self._rows: list[Row] = []
        self._began: int | None = None
        self._notes: list[str] = []
        self._unread: list[frozenset[str]] = []

    def add(self, snapshot: Snapshot, seen: Iterable[Seen]) -> Row:
        """Take in the next snapshot: every file of it, each with its verdict."""
        number = len(self._rows)
        if self._rows and snapshot.time_ns <= self._rows[-1].snapshot.time_ns:
            self._notes.append(
                f"snapshot {snapshot.id[:8]} is dated no later than {self._rows[-1].snapshot.id[:8]}: "
                "a clock was wrong, or somebody set a false time"
            )
        # All of it first: whether it began in this snapshot must be known before an *unknown* version counts.
        everything = list(seen)
        paths = {_path(item) for item, _ in everything}
        if self._began is None and self._shows_it(snapshot, everything, paths):
            self._began = number
        new = changed = suspect = 0
        for item, verdict in everything:
            path = _path(item)
            document = self._documents.get(path)
            if document is None:
                document = self._documents[path] = Document(path, number)
                new += 1
                suspect += verdict.state is State.UNKNOWN and number > 0 and is_random(verdict)
            else:
                changed += isinstance(item, Version) and document.content != identity(item)
                troubled = verdict.state in (State.DAMAGED, State.UNKNOWN, State.SKIPPED)
                suspect += troubled and document.intact is not None
            document.see(number, item, verdict, began=self._began is not None)
        encrypted = sum(verdict.state is State.ENCRYPTED for _, verdict in everything)
        unread = sum(verdict.state is State.SKIPPED for _, verdict in everything)
        row = Row(snapshot, len(everything), new, changed, encrypted, suspect, unread)
        self._rows.append(row)
        self._unread.append(frozenset(item.path for item, _ in everything if isinstance(item, Skipped)))
        return row

    def end(self) -> Timeline:
        """What the snapshots say together."""
        held = Coverage([row.snapshot for row in self._rows], self._unread)
        leftovers, owners = self._leftovers(held)
        documents = [self._documents[path] for path in sorted(self._documents) if path not in leftovers]
        vanished, gone, affected = set(), set(), 0
        for document in documents:
            missing = held.missing_since(document.path, document.last)
            if missing is not None:
                since_onset = self._began is not None and missing >= self._began
                never_read = document.states == {State.SKIPPED}
                if never_read or not (since_onset or document.path in owners):
                    gone.add(document.path)
                    continue
                vanished.add(document.path)
            unwell = document.state is State.ENCRYPTED or (
                document.state in (State.DAMAGED, State.SKIPPED) and document.intact is not None
            )
            affected += unwell or document.path in vanished
        last_clean, first_hit = self._onset()
        return Timeline(
            rows=tuple(self._rows),
            documents=tuple(documents),
            leftovers=tuple(sorted(leftovers)),
            began=self._began,
            last_clean=last_clean,
            first_hit=first_hit,
            vanished=frozenset(vanished),
            gone=frozenset(gone),
            affected=affected,
            notes=tuple(self._notes),
        )

    def _shows_it(self, snapshot: Snapshot, seen: list[Seen], paths: set[str]) -> bool:
        covered = [row.snapshot for row in self._rows]
        for item, verdict in seen:
            if verdict.state is not State.ENCRYPTED:
                continue
            path = _path(item)
            document = self._documents.get(path)
            if document is not None and document.hit < 0:
                return True
            if document is None and any(covers(earlier, path) for earlier in covered):
                return True
        fresh = Counter(
            folder_of(_path(item))
            for item, verdict in seen
            if verdict.state is State.UNKNOWN and is_random(verdict) and _path(item) not in self._documents
        )
        if max(fresh.values(), default=0) < SWAPPED:
            return False
        previous = max((d.last for d in self._documents.values() if covers(snapshot, d.path)), default=-1)
        lost = Counter(
            folder_of(d.path)
            for d in self._documents.values()
            if d.last == previous and d.path not in paths and covers(snapshot, d.path)
        )
        return any(min(count, lost[folder]) >= SWAPPED for folder, count in fresh.items())

    def _leftovers(self, held: Coverage) -> tuple[set[str], set[str]]:
        """What an attack made of documents, and the vanished paths it was made of."""
        leftovers: set[str] = set()
        owners: set[str] = set()
        for path, document in self._documents.items():
            came = self._began is not None and document.first >= self._began
            if State.INTACT in document.states or not (document.hit == document.first or document.random):
                continue
            if came and document.random:
                leftovers.add(path)
            owner = origin(path, self._documents)
            if owner is None or not (came or document.hit >= 0):
                continue
            original = self._documents[owner]
            # Deleted before the longer name came: that was its user, and this is another file.
            if original.first > document.first or original.last < held.last_before(path, document.first):
                continue
            missing = held.missing_since(owner, original.last) is not None
            if missing or came:
                leftovers.add(path)
            if missing:
                owners.add(owner)
        return leftovers, owners - leftovers

    def _onset(self) -> tuple[Snapshot | None, Snapshot | None]:
        hit = self._began
        if hit is None:
            hit = next((number for number, row in enumerate(self._rows) if row.encrypted), None)
        whole = [row.snapshot for row in self._rows[:hit] if not row.unread]
        return (whole[-1] if whole else None), (None if hit is None else self._rows[hit].snapshot)


def one_machine(snapshots: Iterable[Snapshot], host: str | None, subject: str) -> tuple[Snapshot, ...]:
    """The snapshots of one machine: two machines have the same paths, and other files there.

    Raises:
        NoSuchTarget: there are several machines and none is named, or none of the snapshots is of `host`.
    """
    every = tuple(snapshots)
    hosts = sorted({snapshot.host for snapshot in every})
    if host is None and len(hosts) > 1:
        raise NoSuchTarget(
            subject, f"it keeps {len(hosts)} machines", f"Choose one: --host {'|'.join(hosts)}"
        )
    chosen = tuple(snapshot for snapshot in every if host in (None, snapshot.host))
    if not chosen:
        problem = f"no snapshot of the machine {host}" if host and every else "no snapshot is in it"
        raise NoSuchTarget(
            subject, problem, f"There are: {', '.join(hosts)}" if every else "vigie vault keep"
        )
    return chosen


def _path(item: Version | Skipped) -> str:
    return item.path if isinstance(item, Skipped) else item.entry.path
