"""What the guard knows of the files it watches: the baseline, what is not in it yet, and what was bad."""

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from vigie.errors import VigieError
from vigie.journal import Baseline, Journal, Known
from vigie.model import State, Verdict
from vigie.watch.lanes import Job, Picture, Stamp
from vigie.watch.log import Log

_BATCH = 500
"""Healthy files remembered in one transaction."""
_BAD = 100_000
"""Bad files remembered, so that the same bytes are not reported twice."""
_NEW = 100_000
"""New files of which it is remembered since when there is one."""
_LOOKED_UP = 4096
"""Known files of a folder looked at when the detector asks what vanished."""
_SCRATCH = 0.5
"""Share of random blocks from which a file of no known kind is nobody's loss (short ones never reach 1)."""


class Memory:
    """The watched files as they were last judged.

    Raises:
        VigieError: the baseline or the journal cannot be used.
    """

    def __init__(self, state: Path, roots: tuple[str, ...], journal: Journal, log: Log) -> None:
        self.baseline = Baseline(state)
        self._for_scans = Baseline(state)
        self._roots = roots
        self._log = log
        self._healthy: dict[str, Known] = {}
        """Not in the baseline yet."""
        self._new: OrderedDict[str, int] = OrderedDict()
        """Files that were made while we watched, and when (ns)."""
        self._bad: OrderedDict[str, tuple[State, Stamp]] = OrderedDict()
        for row in journal.rows("verdict"):
            with suppress(KeyError, ValueError, TypeError):
                dev, ino, size, mtime, ctime = row.body["stamp"]
                self.bad(row.body["path"], State(row.body["verdict"]), (dev, ino, size, mtime, ctime))

    def for_scans(self) -> Picture:
        """What the slow lane needs, through a connection of its own."""
        return Picture(self._for_scans.at, self._stamp, self._all, self._first_time)

    def at(self, path: str) -> Known | None:
        """What is known of the file at a path; it may have been judged a moment ago.

        Raises:
            VigieError: the baseline cannot be read.
        """
        return self._healthy.get(path) or self.baseline.at(path)

    def of(self, dev: int, ino: int) -> Known | None:
        """What is known of an inode, under whatever name; what was judged a moment ago may be missing.

        Raises:
            VigieError: the baseline cannot be read.
        """
        return self.baseline.of(dev, ino)

    def was(self, path: str) -> State | None:
        """Encrypted or damaged, if it was when it was last judged."""
        bad = self._bad.get(path)
        return bad[0] if bad is not None else None

    def bad(self, path: str, state: State, stamp: Stamp) -> None:
        """It is encrypted or damaged; what is known of a good version stays."""
        self._bad[path] = (state, stamp)
        self._bad.move_to_end(path)
        if len(self._bad) > _BAD:
            self._bad.popitem(last=False)

    def healthy(self, job: Job, verdict: Verdict) -> None:
        """Remember this version, to judge the next one by."""
        self._bad.pop(job.path, None)
        if verdict.likeness is None:
            return
        if job.before is None and not job.scanned:
            self._new.setdefault(job.path, time.time_ns())
            if len(self._new) > _NEW:
                self._new.popitem(last=False)
        dev, ino, _, mtime, ctime = job.stamp
        self._healthy[job.path] = Known(job.path, dev, ino, mtime, ctime, verdict.likeness)
        if len(self._healthy) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Put what is new into the baseline; where that fails, the next start reads these files again."""
        if self._healthy:
            batch = tuple(self._healthy.values())
            self._healthy.clear()
            self._try(lambda: self.baseline.remember(batch))

    def forget(self, paths: tuple[str, ...]) -> None:
        """These are gone."""
        self._try(lambda: self.baseline.forget(paths))

    def gone_from(self, folder: str, since_ns: int) -> int:
        """Files known before that moment that are not in a folder any more.

        A program that removes or renames its own scratch files replaces nobody's: what was made since is
        left out (`git add` makes and renames hundreds), and so is what looks as if it held nothing.
        """
        try:
            known = list(islice(self.baseline.below(folder), _LOOKED_UP))
        except VigieError as error:
            self._log.trouble("baseline", error)
            return 0
        return sum(
            os.path.dirname(k.path) == folder
            and not (k.likeness.state is State.UNKNOWN and k.likeness.random_share > _SCRATCH)
            and self._new.get(k.path, 0) < since_ns
            and not os.path.lexists(k.path)
            for k in known
        )

    def close(self) -> None:
        """Write what is left, and let go."""
        self.flush()
        self.baseline.close()
        self._for_scans.close()

    def _try(self, change: Callable[[], None]) -> None:
        try:
            change()
        except VigieError as error:
            self._log.trouble("baseline", error)
        else:
            self._log.well("baseline")

    def _stamp(self, path: str) -> Stamp | None:
        bad = self._bad.get(path)
        return bad[1] if bad is not None else None

    def _all(self) -> Iterator[Known]:
        return (known for root in self._roots for known in self._for_scans.below(root))

    def _first_time(self) -> bool:
        return next(self._all(), None) is None
