"""The baseline: what is known of the last good version of every watched file, to judge the next one by.

It lies beside the journal, not in it: it is a picture of now, rewritten all the time, that a scan can make
anew, while the journal is history. A version judged encrypted never replaces what is known of a good one.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vigie.journal.file import StateFile, explain
from vigie.model import Likeness, State

_SCHEMA = """
CREATE TABLE IF NOT EXISTS known (
    path BLOB PRIMARY KEY, dev INTEGER NOT NULL, ino INTEGER NOT NULL, mtime INTEGER NOT NULL,
    ctime INTEGER NOT NULL, state TEXT NOT NULL, format TEXT, size INTEGER NOT NULL,
    random REAL NOT NULL, map BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS known_inode ON known (dev, ino);
"""
_COLUMNS = "path, dev, ino, mtime, ctime, state, format, size, random, map"


@dataclass(frozen=True, slots=True)
class Known:
    """A file as it was when it was last judged."""

    path: str
    dev: int
    ino: int
    mtime_ns: int
    ctime_ns: int
    likeness: Likeness

    def same(self, status: os.stat_result) -> bool:
        """Whether the file on disk is still the one that was judged (inode, size, mtime and ctime)."""
        return (self.dev, self.ino, self.mtime_ns, self.ctime_ns, self.likeness.size) == (
            status.st_dev,
            status.st_ino,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_size,
        )


class Baseline(StateFile):
    """All that is `Known`, by path and by inode. Written in batches; losing the last ones costs a rescan.

    Raises as `StateFile` does.
    """

    def __init__(self, state: Path) -> None:
        super().__init__(state, "baseline.sqlite", _SCHEMA)
        self._db.execute("PRAGMA synchronous = NORMAL")

    def at(self, path: str) -> Known | None:
        """What is known of the file at a path."""
        return self._one("path = ?", (os.fsencode(path),))

    def of(self, dev: int, ino: int) -> Known | None:
        """What is known of an inode, under whatever name it was last seen."""
        return self._one("dev = ? AND ino = ?", (dev, ino))

    def below(self, folder: str) -> Iterator[Known]:
        """Everything known at or under a folder, in path order."""
        start = os.fsencode(folder.rstrip("/"))
        query = f"SELECT {_COLUMNS} FROM known WHERE path = ? OR (path > ? AND path < ?) ORDER BY path"  # noqa: S608 - constants
        with closing(self._run(query, (start, start + b"/", start + b"0"))) as found:
            for row in found:
                yield _known(row)

    def remember(self, items: Iterable[Known]) -> None:
        """Record what was judged, one transaction for all; a verdict *encrypted* is left out."""
        rows = [
            (
                os.fsencode(k.path),
                k.dev,
                k.ino,
                k.mtime_ns,
                k.ctime_ns,
                k.likeness.state.value,
                k.likeness.format,
                k.likeness.size,
                k.likeness.random_share,
                k.likeness.map,
            )
            for k in items
            if k.likeness.state is not State.ENCRYPTED
        ]
        self._many("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def forget(self, paths: Iterable[str]) -> None:
        """Drop files that are gone."""
        self._many("DELETE FROM known WHERE path = ?", [(os.fsencode(p),) for p in paths])

    def __len__(self) -> int:
        with closing(self._run("SELECT count(*) FROM known", ())) as found:
            return int(found.fetchone()[0])

    def _many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._run("BEGIN IMMEDIATE", ()).close()
        try:
            self._db.executemany(statement, rows)
            self._run("COMMIT", ()).close()
        except BaseException as error:
            self._db.rollback()
            if isinstance(error, sqlite3.Error):
                raise explain(self.path, error) from error
            raise

    def _one(self, where: str, values: tuple[object, ...]) -> Known | None:
        query = f"SELECT {_COLUMNS} FROM known WHERE {where} LIMIT 1"  # noqa: S608 - constants
        with closing(self._run(query, values)) as found:
            row = found.fetchone()
        return _known(row) if row else None

    def _run(self, statement: str, values: tuple[object, ...]) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise explain(self.path, error) from error


def _known(row: tuple[bytes, int, int, int, int, str, str | None, int, float, bytes]) -> Known:
    path, dev, ino, mtime, ctime, state, form, size, random, cells = row
    likeness = Likeness(State(state), form, size, random, cells)
    return Known(os.fsdecode(path), dev, ino, mtime, ctime, likeness)
