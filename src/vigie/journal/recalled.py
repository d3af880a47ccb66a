"""What earlier runs learnt of backups: what the judge answered, and what differs between two snapshots.

Both are pictures of what never changes: a content, and a pair of trees. So nothing in here goes stale: a row
is of use, or nobody asks for it. Losing the file costs a run that reads everything afresh. It holds the names
of the files in the backups, patients' among them: like all of the state folder it is readable by its owner
only, what is deleted is overwritten, and what belongs to forgotten snapshots goes with the next run.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from vigie.journal.file import StateFile

NAME = "timeline.sqlite"
KEPT = 90
"""Days for which a row is kept that no run asked for."""
TOUCHED = 7
"""Days after which it is noted that a row was asked for again: not each time, or reading were writing."""
LARGEST = 2 << 30
"""Bytes in the file: of 1,000,000 files in 90 snapshots it holds some 500 MB."""
_AT_ONCE = 500
"""Keys asked for in one statement; SQLite takes 999 at least (limits, "SQLITE_MAX_VARIABLE_NUMBER")."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, used INTEGER NOT NULL, said BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changes (
    before TEXT NOT NULL, after TEXT NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,
    place BLOB NOT NULL, used INTEGER NOT NULL, told BLOB NOT NULL, PRIMARY KEY (before, after, part)
) STRICT;
"""


class Pair(NamedTuple):
    """Two snapshots by what they hold: the ids of their topmost trees."""

    before: str
    """Empty for nothing at all."""
    after: str


class Recalled(StateFile):
    """Answers by a key, and what differs between the snapshots of a `Pair`, in parts; both are opaque here.

    Raises as `StateFile` does.
    """

    def __init__(self, state: Path, today: int) -> None:
        """Open it; `today` counts days, from wherever."""
        super().__init__(state, NAME, _SCHEMA)
        self._today = today
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._old: list[bytes] = []
        self._old_pairs: list[Pair] = []

    def answers(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """What is known under these keys."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(keys), _AT_ONCE):
            asked = keys[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(asked))
            for key, used, said in self._all(
                f"SELECT key, used, said FROM answers WHERE key IN ({marks})",  # noqa: S608 - marks
                tuple(asked),
            ):
                found[key] = said
                if used + TOUCHED <= self._today:
                    self._old.append(key)
        return found

    def changes(self, pair: Pair) -> list[bytes]:
        """The parts of what differs, in order; none where it is not known in full."""
        query = "SELECT part, parts, used, told FROM changes WHERE before = ? AND after = ? ORDER BY part"
        rows = self._all(query, pair)
        if [row[:2] for row in rows] != [(number, len(rows)) for number in range(len(rows))]:
            return []
        if rows and rows[0][2] + TOUCHED <= self._today:
            self._old_pairs.append(pair)
        return [row[3] for row in rows]

    def remember(
        self,
        answers: Iterable[tuple[bytes, bytes]],
        changes: Iterable[tuple[Pair, Sequence[bytes]]] = (),
        place: str = "",
    ) -> None:
        """Record answers, and changes seen in the backup that is called `place`; one transaction for all.

        Nothing is, where the file is as large as it may be.
        """
        if self._size() > LARGEST:
            return
        where, today = _digest(place), self._today
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?)",
                ((key, today, said) for key, said in answers),
            )
            for pair, parts in changes:
                self._db.execute("DELETE FROM changes WHERE before = ? AND after = ?", pair)
                self._db.executemany(
                    "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?)",
                    ((*pair, number, len(parts), where, today, told) for number, told in enumerate(parts)),
                )

    def tidy(self, place: str, trees: Collection[str]) -> None:
        """Drop what differs from or to a tree that `place` holds no more, what is old, and what is too much.

        What was asked for today is never too much.
        """
        gone = [
            (before, after)
            for before, after in self._all(
                "SELECT before, after FROM changes WHERE place = ? AND part = 0", (_digest(place),)
            )
            if after not in trees or (before and before not in trees)
        ]
        with self._transaction():
            self._db.executemany(
                "UPDATE answers SET used = ? WHERE key = ?", ((self._today, key) for key in self._old)
            )
            self._db.executemany(
                "UPDATE changes SET used = ? WHERE before = ? AND after = ?",
                ((self._today, *pair) for pair in self._old_pairs),
            )
            self._db.executemany("DELETE FROM changes WHERE before = ? AND after = ?", gone)
            self._drop(self._today - KEPT)
        self._old.clear()
        self._old_pairs.clear()
        while self._size() > LARGEST:
            oldest = "SELECT min(used) FROM (SELECT used FROM answers UNION ALL SELECT used FROM changes)"
            day = self._all(oldest, ())[0][0]
            if day is None or day >= self._today:
                return
            with self._transaction():
                self._drop(day)

    def _drop(self, day: int) -> None:
        for table in ("answers", "changes"):
            self._db.execute(f"DELETE FROM {table} WHERE used <= ?", (day,))  # noqa: S608 - constants

    def _size(self) -> int:
        """Bytes in use, without the room that deleted rows left."""
        pages, free, page = (
            self._all(f"PRAGMA {what}", ())[0][0] for what in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * page)


def _digest(place: str) -> bytes:
    return hashlib.blake2b(place.encode("utf-8", "surrogatepass"), digest_size=16).digest()
