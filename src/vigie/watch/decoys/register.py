"""Which decoys there are: in the state folder, for its owner only. A decoy looks like any other file."""

import os
from dataclasses import dataclass
from pathlib import Path

from vigie.journal.file import StateFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS decoy (
    path BLOB PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL, placed_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Decoy:
    """One decoy, as it was placed."""

    path: str
    sha256: str
    size: int
    placed_ns: int


class Register(StateFile):
    """All decoys of this machine. Raises as `StateFile` does."""

    def __init__(self, state: Path) -> None:
        super().__init__(state, "decoys.sqlite", _SCHEMA)

    def version(self) -> int:
        """Another number after another process changed something (SQLite: PRAGMA data_version)."""
        return int(self._all("PRAGMA data_version", ())[0][0])

    def all(self) -> list[Decoy]:
        """Every decoy, in the order of their paths."""
        rows = self._all("SELECT path, sha256, size, placed_ns FROM decoy ORDER BY path", ())
        return [Decoy(os.fsdecode(path), digest, size, placed) for path, digest, size, placed in rows]

    def add(self, decoy: Decoy) -> None:
        """It was placed."""
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO decoy VALUES (?, ?, ?, ?)",
                (os.fsencode(decoy.path), decoy.sha256, decoy.size, decoy.placed_ns),
            )

    def strike(self, path: str) -> None:
        """It is one no more."""
        with self._transaction():
            self._db.execute("DELETE FROM decoy WHERE path = ?", (os.fsencode(path),))
