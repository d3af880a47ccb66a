"""What `vigie check` knows from earlier runs: goes through the walk and the store in step.

It makes a run faster and nothing else. So whatever is wrong with the store is said once, and the run goes on
without it.
"""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Self

from vigie import config
from vigie.errors import Unreadable, VigieError
from vigie.journal.judged import Judged, Known, Seen, row, stamp
from vigie.model import Entry, Judge, Skipped, Verdict
from vigie.sources.folder import FolderEntry

SETTLED = 2_000_000_000
"""Nanoseconds for which a file must have been left alone: within the resolution of ctime, a change does not
show (git calls such an entry racily clean; FAT counts in steps of two seconds)."""
BATCH = 1000
"""Verdicts that are written at once."""
PATIENCE = 2.0
"""Seconds to wait for another run that is writing."""
_ENCODING = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


class Memory:
    """Answers what is known of an entry, and takes in what is judged. Does nothing unless opened.

    `problem` says why it knows nothing, for people.
    """

    def __init__(self, *, full: bool) -> None:
        self.problem = ""
        self._full = full
        self._begun = time.time_ns()
        self._store: Judged | None = None
        self._levels: list[_Level] = []
        self._learnt: list[tuple[str, Known]] = []
        self._gone: list[tuple[int, bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        if self._store is not None:
            self._store.close()
            self._store = None

    def open(self, state: str | None) -> None:
        """Use the store of this state folder, or of the default one."""
        try:
            self._store = Judged(config.state_folder(state))
            self._store.wait_at_most(PATIENCE)
        except (VigieError, RuntimeError) as error:  # RuntimeError: this user has no home (pathlib)
            self._give_up(error)

    def known(self, entry: Entry) -> Seen | None:
        """What was said of this file, if it is still the same and was read as thoroughly as now."""
        if self._store is None or not isinstance(entry, FolderEntry):
            return None
        # Of a million unchanged files each comes by here: what costs least is asked first.
        folder, _, name = entry.path.rpartition("/")
        try:
            level = self._levels[-1] if self._levels else None
            if level is None or level.path != folder:
                level = self._level(folder)
            found = level.find(name.encode(*_ENCODING))
        except VigieError as error:
            self._give_up(error)
            return None
        if found is None or found.full < self._full:
            return None
        same = (entry.dev, entry.ino, entry.size, entry.mtime_ns, entry.ctime_ns)
        if found[1:6] == same or found[1:6] == stamp(*same):
            return found
        return None

    def recalled(self, item: Entry | Skipped, judge: Judge) -> Verdict:
        """What was said then of what is known; what cannot be read any more is judged afresh."""
        try:
            folder, _, name = item.path.rpartition("/")
            if self._store is not None:
                known = self._store.known(os.path.abspath(folder or "/"), os.fsencode(name))
                if known is not None:
                    return known.verdict()
        except VigieError as error:
            self._give_up(error)
        assert isinstance(item, Entry)  # noqa: S101 - only entries are known
        try:
            blob = item.open()
        except Unreadable as reason:
            return Verdict.skipped(reason.reason)
        with closing(blob):
            return judge(blob, item.path)

    def learn(self, entry: Entry | Skipped, verdict: Verdict) -> None:
        """Remember a verdict, unless it is one on our own troubles or the file may still be changing."""
        if (
            self._store is None
            or not isinstance(entry, FolderEntry)
            or verdict.likeness is None  # not read, or not to the end
            or entry.ctime_ns > self._begun - SETTLED
        ):
            return
        folder, _, name = entry.path.rpartition("/")
        same = stamp(entry.dev, entry.ino, entry.size, entry.mtime_ns, entry.ctime_ns)
        known = row(name, same, verdict, full=self._full, at_ns=time.time_ns())
        self._learnt.append((os.path.abspath(folder or "/"), known))
        if len(self._learnt) >= BATCH:
            self._write()

    def left(self, folder: str, whole: bool) -> None:
        """The walk is through with a folder: what the store has beyond what was met is gone."""
        if self._store is None:
            return
        try:
            level = self._level(folder)
            if whole:
                level.end()
        except VigieError as error:
            self._give_up(error)
            return
        self._levels.pop()
        if len(self._gone) >= BATCH:
            self._write()

    def forget_below(self, targets: Sequence[str]) -> None:
        """Drop the folders at and below these that are there no more."""
        if self._store is None:
            return
        try:
            for target in targets:
                for folder in list(self._store.folders_below(os.path.abspath(target))):
                    if not os.path.isdir(folder):
                        self._store.forget_folder(folder)
        except VigieError as error:
            self._give_up(error)

    def _level(self, folder: str) -> "_Level":
        """The place in the store of a folder; the walk goes through folders as through nested brackets."""
        assert self._store is not None  # noqa: S101 - asked for only then
        if self._levels and self._levels[-1].path == folder:
            return self._levels[-1]
        folder = folder.rstrip("/") or "/"
        if not self._levels or self._levels[-1].path != folder:
            self._levels.append(_Level(self._store, folder, self._gone))
        return self._levels[-1]

    def _write(self) -> None:
        learnt, self._learnt = self._learnt, []
        gone, self._gone[:] = list(self._gone), []
        try:
            if self._store is not None and learnt:
                self._store.remember(learnt)
            if self._store is not None and gone:
                self._store.forget(gone)
        except VigieError as error:
            self._give_up(error)

    def _give_up(self, error: VigieError | RuntimeError) -> None:
        self.problem = str(error)
        if self._store is not None:
            with suppress(VigieError):
                self._store.close()
        self._store = None
        self._levels.clear()
        self._learnt.clear()
        self._gone.clear()


class _Level:
    """How far one folder has been gone through in the store; names come in rising order."""

    def __init__(self, store: Judged, path: str, gone: list[tuple[int, bytes]]) -> None:
        self.path = path
        self._store = store
        self._number = store.folder(os.path.abspath(path))
        self._gone = gone
        self._page: list[Seen] = []
        self._at = 0
        self._more = self._number is not None

    def find(self, name: bytes) -> Seen | None:
        """What is known under a name; what was passed over is gone."""
        if self._at < len(self._page) and self._page[self._at].name == name:  # nearly always
            self._at += 1
            return self._page[self._at - 1]
        while (known := self._next()) is not None and known.name <= name:
            self._at += 1
            if known.name == name:
                return known
            self._drop(known)
        return None

    def end(self) -> None:
        """Nothing else is in the folder."""
        while (known := self._next()) is not None:
            self._at += 1
            self._drop(known)

    def _next(self) -> Seen | None:
        if self._at == len(self._page):
            if not self._more or self._number is None:
                return None
            after = self._page[-1].name if self._page else b""
            self._page, self._at = self._store.page(self._number, after), 0
            self._more = bool(self._page)
            if not self._more:
                return None
        return self._page[self._at]

    def _drop(self, known: Seen) -> None:
        if self._number is not None:
            self._gone.append((self._number, known.name))
