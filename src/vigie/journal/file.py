"""A SQLite file of ours in the state folder: opened, shared and complained about in one way."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from vigie.errors import DiskFull, JournalBroken, NotPermitted, StateInUse, VigieError

BUSY_SECONDS = 10.0
"""How long to wait for another process that holds a file of ours, unless said."""


class StateFile:
    """One file of the state folder, readable by its owner only, in WAL mode. Several processes may open it.

    Raises:
        NotPermitted: the folder cannot be written.
        DiskFull: there is no room left.
        JournalBroken: the file is not one of ours.
    """

    def __init__(self, state: Path, name: str, schema: str) -> None:
        self.path = state / name
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = _connect(self.path, schema)
        except OSError as error:
            remedy = "Give another state folder with --state or VIGIE_STATE."
            raise NotPermitted(str(state), error.strerror or str(error), remedy) from error
        except sqlite3.Error as error:
            raise explain(self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def wait_at_most(self, seconds: float) -> None:
        """How long to wait for another process that holds the file; `BUSY_SECONDS` unless said."""
        self._db.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def _all(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise explain(self.path, error) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            self._db.rollback()
            if isinstance(error, sqlite3.Error):
                raise explain(self.path, error) from error
            raise


def _connect(path: Path, schema: str) -> sqlite3.Connection:
    # Never opened and closed where it exists: closing any descriptor of a file drops all POSIX locks that
    # this process has on it, SQLite's among them (fcntl(2), "Record locking and file descriptors").
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _prepare(db, schema)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, schema: str) -> None:
    # Going over to WAL asks for the file alone, and SQLite says "locked" at once, without its busy handler
    # (sqlite3_busy_handler: "might not be invoked"), when two processes make a new file. So we ask again.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(schema)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def explain(path: Path, error: Exception) -> VigieError:
    """The error for what SQLite said of a file of ours."""
    problem = str(error)
    if "disk is full" in problem or "disk I/O error" in problem:
        return DiskFull(str(path), problem, "Make room, or give another state folder with --state.")
    if "locked" in problem:
        return StateInUse(str(path), "another process is busy with it", "Try again in a moment.")
    if "readonly" in problem or "unable to open" in problem:
        return NotPermitted(str(path), problem, "Run as the user who owns it, or give another --state.")
    return JournalBroken(str(path), problem, "Set this file aside (do not delete it) and start again.")
