"""What the guard knows of the files it watches: the baseline, what is not in it yet, and what was bad."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from vigie.errors import VigieError
from vigie.journal import Baseline, Journal, Known
from vigie.model import State, Verdict
from vigie.watch.detector import stranger
from vigie.watch.lanes import Job, Picture, Stamp
from vigie.watch.log import Log

_BATCH = 500
"""Healthy files remembered in one transaction."""
_BAD = 100_000
"""Bad files remembered, so that the same bytes are not reported twice."""
_LOOKED_UP = 4096
"""Known files of a folder looked at when the detector asks what vanished."""


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
        self._bad: OrderedDict[str, tuple[State, Stamp]] = OrderedDict()
        for row in journal.rows("verdict"):
            with suppress(KeyError, ValueError, TypeError):
                dev, ino, size, mtime, ctime = row.body["stamp"]
                self.bad(row.body["path"], State(row.body["verdict"]), (dev, ino, size, mtime, ctime))

    def for_scans(self) -> Picture:
        """What the slow lane needs, through a connection of its own."""
        return Picture(self._for_scans.at, self._stamp, self._all, self._first_time)

    def recent(self, path: str) -> Known | None:
        """A file that was judged a moment ago, and is not in the baseline yet."""
        return self._healthy.get(path)

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

    def gone_from(self, folder: str) -> int:
        """Known files that are not in a folder any more.

        Strangers are left out: a program that removes its own scratch files replaces nobody's.
        """
        try:
            known = [
                k.path for k in islice(self.baseline.below(folder), _LOOKED_UP) if not stranger(k.likeness)
            ]
        except VigieError as error:
            self._log.trouble("baseline", error)
            return 0
        return sum(os.path.dirname(path) == folder and not os.path.lexists(path) for path in known)

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
