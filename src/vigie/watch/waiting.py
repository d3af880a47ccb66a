"""Who waits for the judge: processes with files in the lanes, held while they must not get ahead of it.

A file waits for its writer and for those that started it: a script that starts one process a file is held in
place of a process that has ended already.
"""

import time
from collections import Counter
from collections.abc import Callable

from vigie.watch.hold import Holds
from vigie.watch.lanes import Job
from vigie.watch.processes import stat_of
from vigie.watch.responsible import ProcessKey as Key

_AHEAD = 8
"""Files known before that a process may rewrite ahead of the judge; then it is held until they are judged.

That is how an attack is caught that spares what is glanced at. Programs that make new files are not slowed.
"""


class Waiting:
    """Counts what waits, and lets a held process go on when nothing of it does.

    Args:
        holds: None when nothing may be stopped.
        frozen: whether a process is frozen, and so not ours to continue.
        catch_up: takes the events that wait: what a process wrote before it was stopped.
    """

    def __init__(
        self, holds: Holds | None, frozen: Callable[[Key], bool], catch_up: Callable[[], None]
    ) -> None:
        self._holds, self._frozen, self._catch_up = holds, frozen, catch_up
        self._jobs: Counter[Key] = Counter()
        """Jobs in the lanes, for each process and those that started it."""
        self._rewritten: Counter[Key] = Counter()
        """Those among them, since it last had none, that are new versions of known files."""

    def add(self, job: Job) -> None:
        """A job goes into a lane."""
        if self._holds is None:
            return
        self._jobs.update(job.line)
        if job.line and job.before is not None:
            writer = job.line[0]
            self._rewritten[writer] += 1
            if self._rewritten[writer] >= _AHEAD:
                self.hold(job)

    def done(self, job: Job) -> None:
        """A job was judged, and what the detector decided is done."""
        for key in job.line if self._holds is not None else ():
            self._settle(key)

    def hold(self, job: Job) -> None:
        """Hold the writer of a file or, if it is gone, the nearest of those that started it."""
        if self._holds is None:
            return
        for pid, started in job.line:
            stat = stat_of(pid)
            if stat is not None and stat.started == started and stat.state not in "ZX":
                self._holds.hold(pid, stat, None, time.monotonic())
                return

    def release_overdue(self) -> None:
        """Whoever has waited for too long goes on."""
        for key in self._holds.overdue(time.monotonic()) if self._holds is not None else ():
            self._let_go(key)

    def _settle(self, key: Key) -> None:
        self._jobs[key] -= 1
        if self._jobs[key] <= 0 and self._holds is not None and key in self._holds:
            self._catch_up()
            if self._jobs[key] <= 0:
                self._let_go(key)
        if self._jobs[key] <= 0:
            del self._jobs[key]
            self._rewritten.pop(key, None)

    def _let_go(self, key: Key) -> None:
        if self._holds is not None:
            (self._holds.keep if self._frozen(key) else self._holds.release)(key)
