"""The journal: an append-only SQLite table in which each row carries the hash of the one before.

hash(n) = SHA-256 of the canonical JSON array [hash(n-1), n, time, kind, body]; hash(0) is 64 zeros.
A second table holds the number and hash of the last row, so that rows taken off the end are missed too.
Whoever may write the file can rewrite the whole chain: note the hash that `verify` returns somewhere else
(on paper, in a syslog on another machine), and give it back to `verify` to prove that nothing before moved.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vigie.errors import JournalBroken
from vigie.journal.file import StateFile, explain

START = "0" * 64
"""The hash before the first row."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, kind TEXT NOT NULL,
    body TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY CHECK (one = 1), id INTEGER NOT NULL,
    hash TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS journal_kind ON journal (kind, id);
CREATE TRIGGER IF NOT EXISTS journal_no_update BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER IF NOT EXISTS journal_no_delete BEFORE DELETE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the journal."""

    id: int
    time_ns: int
    kind: str
    body: dict[str, Any]
    hash: str


class Journal(StateFile):
    """The journal in a state folder. Safe to open from several processes at once.

    Every `append` is on disk when it returns, unless `durable=False` (then it survives the death of the
    process, not of the machine). Raises as `StateFile` does.
    """

    def __init__(self, state: Path) -> None:
        super().__init__(state, "journal.sqlite", _SCHEMA)

    def append(self, kind: str, body: dict[str, Any], *, durable: bool = True) -> Row:
        """Add one row, chained to the last one."""
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        now = time.time_ns()
        try:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                last, before = self._head()
                digest = _hash(before, last + 1, now, kind, text)
                self._db.execute(
                    "INSERT INTO journal VALUES (?, ?, ?, ?, ?)", (last + 1, now, kind, text, digest)
                )
                self._db.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (last + 1, digest))
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise explain(self.path, error) from error
        return Row(last + 1, now, kind, json.loads(text), digest)

    def rows(self, *kinds: str, after: int = 0) -> Generator[Row, None, None]:
        """Rows in order, of the given kinds (of all, where none is given), with an id above `after`."""
        chosen = f"AND kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        query = f"SELECT id, time, kind, body, hash FROM journal WHERE id > ? {chosen} ORDER BY id"  # noqa: S608 - only question marks are put in
        try:
            with closing(self._db.execute(query, (after, *kinds))) as found:
                for number, when, kind, text, digest in found:
                    yield Row(number, when, kind, json.loads(text), digest)
        except (sqlite3.Error, ValueError) as error:
            raise explain(self.path, error) from error

    def verify(self, expected: str | None = None) -> tuple[int, str]:
        """Recompute the whole chain; the number of rows and the last hash.

        `expected` is a last hash noted earlier: it must still be somewhere in the chain.

        Raises:
            JournalBroken: a row was changed, removed or inserted; the problem names it.
        """
        count, digest, seen = 0, START, expected in (None, START)
        remedy = "Keep this file as evidence, and take the truth from a copy: a vault snapshot, a syslog."

        def broken(problem: str) -> JournalBroken:
            return JournalBroken(str(self.path), problem, remedy)

        try:
            self._db.execute("BEGIN")  # rows and head as they are at one moment, though others append
            try:
                query = "SELECT id, time, kind, body, hash FROM journal ORDER BY id"
                with closing(self._db.execute(query)) as found:
                    for number, when, kind, text, said in found:
                        if number != count + 1:
                            raise broken(f"row {count + 1} is missing")
                        digest = _hash(digest, number, when, kind, text)
                        if digest != said:
                            raise broken(f"row {number} was changed, inserted or follows a removed one")
                        count = number
                        seen = seen or digest == expected
                if self._head() != (count, digest):
                    raise broken(f"rows are missing after row {count}")
            finally:
                self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise explain(self.path, error) from error
        if not seen:
            raise broken(f"the hash {expected} is not in the chain any more")
        return count, digest

    def _head(self) -> tuple[int, str]:
        found = self._db.execute("SELECT id, hash FROM head").fetchone()
        return (int(found[0]), str(found[1])) if found else (0, START)


def _hash(before: str, number: int, when: int, kind: str, text: str) -> str:
    line = json.dumps([before, number, when, kind, text], separators=(",", ":"))
    return hashlib.sha256(line.encode()).hexdigest()
