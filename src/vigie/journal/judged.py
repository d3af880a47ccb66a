"""What was judged before, so that a file that is still the same need not be opened again.

A file is the same if its folder and name, device, inode, size, mtime and ctime are; ctime is the one that no
program can set (inode(7)). Like the baseline this is a picture of now, beside the journal and not history:
losing it costs a run that judges everything afresh. In contrast to the baseline it keeps whole verdicts, and
those of encrypted files too.
"""

import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from vigie import __version__
from vigie.errors import JournalBroken
from vigie.journal.file import StateFile
from vigie.model import Basis, Pattern, Period, Range, State, Verdict

RULES = 2
"""Raised by one with every change of formats, kernels or rules that can change a verdict."""
GENERATION = f"{__version__}/{RULES}"
"""Verdicts of another generation are not known any more."""
PAGE = 1000
"""Rows that are read at once."""

# What is below one folder lies together, in the order of the walk, so that both can be gone through in step.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS folders (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS judged (
    folder INTEGER NOT NULL, name BLOB NOT NULL, dev INTEGER NOT NULL, ino INTEGER NOT NULL,
    size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, full INTEGER NOT NULL,
    generation TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, format TEXT, read INTEGER NOT NULL,
    said TEXT NOT NULL, PRIMARY KEY (folder, name)
) STRICT, WITHOUT ROWID;
"""
_COLUMNS = "name, dev, ino, size, mtime, ctime, full, generation, at, state, format, read, said"
# Of a million unchanged files each is met, and hardly one is shown: the text of a verdict is left unread.
_SEEN = "name, dev, ino, size, mtime, ctime, iif(generation = ?, full, -1), state, format"
_MASK = (1 << 63) - 1
"""Inode numbers are unsigned and SQLite's integers are not; a bit less tells files apart just as well."""


class Known(NamedTuple):
    """A file as it was when it was judged, and what was said of it; one row."""

    name: bytes
    dev: int
    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int
    full: int
    """1 if every byte was read."""
    generation: str
    at_ns: int
    """When it was judged."""
    state: str
    format: str | None
    read: int
    said: str
    """The rest of the verdict, as JSON."""

    def verdict(self) -> Verdict:
        """The verdict of then, with the evidence that nothing changed since.

        Raises:
            JournalBroken: this is not what we wrote.
        """
        try:
            pattern, period, ranges, basis, confidence, evidence = json.loads(self.said)
            when = datetime.fromtimestamp(self.at_ns // 10**9, UTC)
            return Verdict(
                State(self.state),
                self.format,
                Pattern(pattern) if pattern else None,
                tuple(Range(*pair) for pair in ranges),
                Basis(basis) if basis else None,
                confidence,
                (*evidence, f"unchanged since it was judged on {when:%Y-%m-%d %H:%M} UTC"),
                None,
                Period(*period) if period else None,
                self.read,
            )
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            remedy = "Delete it: it is made anew."
            said = f"a verdict in it makes no sense: {error}"
            raise JournalBroken("judged.sqlite", said, remedy) from error


class Seen(NamedTuple):
    """What of a `Known` is asked about every file."""

    name: bytes
    dev: int
    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int
    full: int
    """1 if every byte was read, -1 if it was judged by another generation."""
    state: str
    format: str | None


def stamp(dev: int, ino: int, size: int, mtime_ns: int, ctime_ns: int) -> tuple[int, int, int, int, int]:
    """What must be the same, as `Known` and `Seen` have it."""
    return dev & _MASK, ino & _MASK, size & _MASK, mtime_ns & _MASK, ctime_ns & _MASK


def row(
    name: str, same: tuple[int, int, int, int, int], verdict: Verdict, *, full: bool, at_ns: int
) -> Known:
    """What is remembered of a verdict."""
    said: list[Any] = [
        verdict.pattern,
        verdict.period,
        verdict.ranges,
        verdict.basis,
        verdict.confidence,
        verdict.evidence,
    ]
    text = json.dumps(said, separators=(",", ":"))
    form, read = verdict.format, verdict.read
    return Known(
        os.fsencode(name), *same, int(full), GENERATION, at_ns, verdict.state.value, form, read, text
    )


class Judged(StateFile):
    """All that is `Known`, by folder and name. Folders are absolute paths.

    Raises as `StateFile` does.
    """

    def __init__(self, state: Path) -> None:
        super().__init__(state, "judged.sqlite", _SCHEMA)
        self._db.execute("PRAGMA synchronous = NORMAL")

    def folder(self, path: str) -> int | None:
        """The number of a folder; None if nothing is known of it."""
        found = self._all("SELECT id FROM folders WHERE path = ?", (os.fsencode(path),))
        return found[0][0] if found else None

    def page(self, folder: int, after: bytes = b"") -> list[Seen]:
        """The next `PAGE` files of a folder whose names come after one, in the order of their bytes."""
        query = f"SELECT {_SEEN} FROM judged WHERE folder = ? AND name > ? ORDER BY name LIMIT {PAGE}"  # noqa: S608 - constants
        return list(map(Seen._make, self._all(query, (GENERATION, folder, after))))

    def known(self, folder: str, name: bytes) -> Known | None:
        """All that is known of one file."""
        query = f"SELECT {_COLUMNS} FROM judged WHERE folder = ? AND name = ?"  # noqa: S608 - constants
        found = self._all(query, (self.folder(folder), name))
        return Known._make(found[0]) if found else None

    def folders_below(self, path: str) -> Iterator[str]:
        """Every folder that something is known of, at and below a path, page by page."""
        if self.folder(path) is not None:
            yield path
        start = os.fsencode(path.rstrip("/"))
        last, end = start + b"/", start + b"0"  # "0" is the byte after "/"
        query = f"SELECT path FROM folders WHERE path > ? AND path < ? ORDER BY path LIMIT {PAGE}"  # noqa: S608 - constants
        while paths := self._all(query, (last, end)):
            last = paths[-1][0]
            yield from (os.fsdecode(values[0]) for values in paths)

    def remember(self, items: Iterable[tuple[str, Known]]) -> None:
        """Record what was judged, by folder; one transaction for all."""
        with self._transaction():
            ids: dict[str, int] = {}
            for path, known in items:
                if path not in ids:
                    ids[path] = self._id(path)
                marks = "?, " * len(known) + "?"
                self._db.execute(f"INSERT OR REPLACE INTO judged VALUES ({marks})", (ids[path], *known))  # noqa: S608 - marks

    def forget(self, gone: Iterable[tuple[int, bytes]]) -> None:
        """Drop files that are gone, by folder number and name."""
        with self._transaction():
            self._db.executemany("DELETE FROM judged WHERE folder = ? AND name = ?", gone)

    def forget_folder(self, path: str) -> None:
        """Drop a folder with all that is known of its files."""
        number = self.folder(path)
        with self._transaction():
            self._db.execute("DELETE FROM judged WHERE folder = ?", (number,))
            self._db.execute("DELETE FROM folders WHERE id = ?", (number,))

    def __len__(self) -> int:
        return int(self._all("SELECT count(*) FROM judged", ())[0][0])

    def _id(self, path: str) -> int:
        known = self.folder(path)
        if known is None:
            made = self._db.execute("INSERT INTO folders (path) VALUES (?)", (os.fsencode(path),))
            known = made.lastrowid
            assert known is not None  # noqa: S101 - what an INSERT leaves
        return known
