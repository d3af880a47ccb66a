"""The guard: one loop that never waits for the judge.

Each file is glanced at as it is closed; the process that wrote what looks random is held (with `contain`),
the file is queued for a lane, and when its verdict is there the detector decides. A held process goes on as
soon as nothing it wrote waits any more, unless an incident has been made of it: then it is frozen. So an
attack cannot run ahead of the judge, and everybody else loses a millisecond or two.
"""

import os
import selectors
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace

from vigie.config import GuardSettings
from vigie.errors import DiskFull, ExitCode, VigieError
from vigie.journal import Journal
from vigie.model import Entry, Skipped, State
from vigie.watch.actions import Actuators
from vigie.watch.deciding import Deciding
from vigie.watch.deeds import Acted
from vigie.watch.detector import Detector
from vigie.watch.events import Event, NameSensor, Overflow, Sensor, Written
from vigie.watch.facts import Renamed
from vigie.watch.freeze import Freezer
from vigie.watch.ground import Ground
from vigie.watch.hold import Holds
from vigie.watch.lanes import (
    QUICK,
    Job,
    Judge,
    JudgeAll,
    Judged,
    QuickLane,
    Result,
    Results,
    SlowLane,
    Vanished,
)
from vigie.watch.log import Emit, Log, process_record
from vigie.watch.memory import Memory
from vigie.watch.plan import Orders
from vigie.watch.processes import Births
from vigie.watch.replay import recall
from vigie.watch.response import Response, new_id
from vigie.watch.rules import Rule
from vigie.watch.scope import Scope
from vigie.watch.standing import Standing
from vigie.watch.suspend import Suspends
from vigie.watch.triage import Clients, Triage
from vigie.watch.waiting import Waiting

_PATIENCE = 0.1
"""Seconds to wait for another process that holds journal or baseline; what is to be written waits instead."""
_TICK = 1.0
"""Seconds between two rounds of housekeeping."""
_LOOK_AHEAD = 16
"""Events that may wait when more are read: who spares what is glanced at is found out by taking them."""
_EVENTS, _TAKES = 128, 16
"""Events of the sensor, and results, taken in one turn of the loop: neither may crowd out the other."""
_OPEN_JOBS = 1024
"""Jobs that keep their descriptor; those behind are opened by path when their turn comes."""
_JOBS = 200_000
"""Jobs that wait; beyond, events are dropped and the folders are read again."""


@dataclass(frozen=True, slots=True)
class Edges:
    """What the guard is wired to."""

    sensor: Sensor
    judge: Judge
    judge_all: JudgeAll
    glance: Callable[[bytes], bool]
    walk: Callable[[], Iterator[Entry | Skipped]]
    emit: Emit
    standing: Callable[[Standing], None] | None = None
    """Is told how the guard stands, once a second."""
    saved: Callable[[str], None] | None = None
    """Is told each healthy version that was written."""
    rules: tuple[Rule, ...] = ()
    """Of the detector, beyond its own two."""
    orders: Orders = field(default_factory=Orders)
    """What is done about an incident; whether anybody may be stopped is `contain`."""
    actuators: Actuators = field(default_factory=dict)
    """What does it, besides the freezer."""
    names: NameSensor | None = None
    """Tells what is renamed and deleted; None where nothing can."""
    clients: Clients | None = None
    """Who is behind a server process; None where there is no file server."""
    decoys: Container[str] = ()
    """Paths of decoys. Asked for each file written or renamed: from memory."""
    births: Births | None = None
    """Tells who started a process that has ended; None where nothing can."""
    lost: tuple[str, ...] = ()
    """What cannot be seen here besides what the sensors say of themselves."""


class Guard:
    """Watches until `stop` is called. The caller owns journal and sensor, and holds `sole_guard`.

    Raises:
        VigieError: journal or baseline cannot be used.
    """

    def __init__(
        self,
        edges: Edges,
        scope: Scope,
        settings: GuardSettings,
        journal: Journal,
        freezer: Freezer,
        *,
        contain: bool,
    ) -> None:
        state = journal.path.parent
        self._sensor, self._names, self._scope = edges.sensor, edges.names, scope
        self._births, self._lost = edges.births, edges.lost
        self._standing = edges.standing
        self._freezer, self._since_ns = freezer, time.time_ns()
        self._adjusted: tuple[GuardSettings, tuple[str, ...]] | None = None
        self._contain = contain and edges.sensor.attribution
        self._journal = journal
        self._log = Log(journal, edges.emit)
        self._detector = Detector(settings.encrypted_files, settings.window, new_id, edges.rules)
        self._results = Results()
        self._memory = Memory(state, scope.roots, journal, self._log)
        self._holds = Holds(state, freezer)
        holds = self._holds if self._contain else None
        self._response = Response(
            settings,
            journal,
            self._log,
            freezer,
            holds,
            self._detector,
            replace(edges.orders, contain=self._contain),
            edges.actuators,
            self._results.put,
        )
        self._deciding = Deciding(
            self._detector, self._response, self._memory, self._log, edges.decoys, edges.saved
        )
        suspected = self._deciding.suspected
        self._triage = Triage(
            scope, self._memory, holds, edges.glance, suspected, edges.clients, edges.births
        )
        self._waiting = Waiting(holds, self._response.holds_back, self._take_events)
        self._suspends = Suspends()
        self._ground = Ground(scope.roots, str(journal.path))
        self._sensor.ignore(scope.state)
        self._seen_since_ns = time.time_ns()
        """From when on every write came as an event: the sensor watches already."""
        self._events: deque[Event] = deque()
        """Read, and looked at once, but not taken yet."""
        self._jobs = 0
        self._lost_jobs = False
        self._stopping = False
        self._quick = QuickLane(edges.judge, self._results)
        self._slow = SlowLane(edges.judge_all, edges.walk, self._memory.for_scans(), self._results)

    def stop(self) -> None:
        """End the loop; may be called from a signal handler or another thread."""
        self._stopping = True
        self._results.wake()

    def run(self) -> ExitCode:
        """Watch. `FOUND` if an incident was opened."""
        try:
            self._response.start(self._holds)
            recall(self._journal, self._detector, time.time_ns())
            for file in (self._journal, self._memory.baseline):
                file.wait_at_most(_PATIENCE)  # somebody who reads them must not keep the guard from acting
            self._ready()
            self._slow.scan()
            tick = time.monotonic() + _TICK
            with selectors.DefaultSelector() as selector:
                selector.register(self._sensor, selectors.EVENT_READ)
                selector.register(self._results, selectors.EVENT_READ)
                if self._names is not None:
                    selector.register(self._names, selectors.EVENT_READ)
                while not self._stopping:
                    waits = self._events or len(self._results)
                    selector.select(0 if waits else max(0.0, tick - time.monotonic()))
                    self._take_events()
                    self._take_names()
                    self._results.calm()
                    for _ in range(_TAKES):
                        self._look_ahead()
                        if (result := self._results.take()) is None:
                            break
                        self._take_result(result)
                    if time.monotonic() >= tick:
                        self._housekeeping()
                        tick = time.monotonic() + _TICK
        finally:
            self._close()
        return ExitCode.FOUND if self._response.opened else ExitCode.CLEAN

    def _ready(self) -> None:
        sensor = self._sensor
        record = {
            "sensor": sensor.name,
            "attribution": sensor.attribution,
            "contain": self._contain,
            "lost": self._blind(),
            "paths": list(self._scope.roots),
            "filesystems": list(sensor.filesystems),
        }
        self._log.row("guard", {"what": "start", **record})
        self._stand()
        self._log.event("ready", **record)

    def _blind(self) -> list[str]:
        """What cannot be seen here, in words."""
        return [*self._sensor.lost, *(self._names.lost if self._names else ()), *self._lost]

    def _take_events(self) -> None:
        taken = 0
        while self._look_ahead() and taken < _EVENTS:
            self._take_event(self._events.popleft())
            taken += 1

    def _look_ahead(self) -> bool:
        """Read what is there: whoever wrote it stands still before the first of it is looked at properly.

        Called before anything that takes its time, so that nobody runs on meanwhile. Whether events wait.
        """
        if len(self._events) <= _LOOK_AHEAD:
            more = self._sensor.read()
            for event in more:
                if isinstance(event, Written):
                    self._triage.at_once(event)
            self._events += more
        return bool(self._events)

    def _take_event(self, event: Event) -> None:
        if isinstance(event, Overflow):
            self._overflow(event.reason)
        elif self._jobs >= _JOBS:
            self._triage.drop(event)
            self._lost_jobs = True
        else:
            try:
                job = self._triage.take(event)
            except VigieError as error:
                self._log.trouble("baseline", error)
                self._lost_jobs = True
                return
            if job is not None:
                self._deciding.touched(job.path, "written", job.actor)
                self._submit(job)

    def _take_names(self) -> None:
        for event in self._names.read() if self._names is not None else ():
            if isinstance(event, Overflow):
                self._overflow(event.reason)
            elif (fact := self._triage.named(event, time.time_ns())) is not None:
                self._deciding.see(fact)
                if isinstance(fact, Renamed):
                    self._deciding.touched(fact.old, "renamed", fact.actor)
                else:
                    self._deciding.touched(fact.path, "deleted", fact.actor)

    def _submit(self, job: Job) -> None:
        self._jobs += 1
        self._waiting.add(job)
        if self._jobs > _OPEN_JOBS and job.blob is not None:
            job.blob.close()
            job.blob = None
        if job.stamp[2] > QUICK:
            self._slow.submit(job)
        else:
            self._quick.submit(job)

    def _take_result(self, result: Result) -> None:
        if isinstance(result, Judged):
            if not result.job.scanned:
                self._jobs -= 1
            job = result.job
            # What was written since we watch comes as an event too, with its writer.
            twice = job.scanned and job.stamp[4] >= self._seen_since_ns
            if result.verdict.state is not State.SKIPPED and not twice and self._deciding.judged(result):
                self._waiting.hold(job)  # until all that its writer wrote meanwhile is judged
            self._waiting.done(job)
        elif isinstance(result, Acted):
            self._response.done(result)
        elif isinstance(result, Vanished):
            self._memory.forget(result.paths)
        else:
            self._memory.flush()
            self._log.event(
                "baseline", files=result.files, judged=result.judged, seconds=round(result.seconds, 3)
            )

    def _overflow(self, reason: str) -> None:
        self._log.row("guard", {"what": "overflow", "reason": reason})
        self._log.event("overflow", reason=reason)
        self._rescan()

    def _rescan(self) -> None:
        self._seen_since_ns = time.time_ns()
        self._log.row("guard", {"what": "rescan"}, durable=False)
        self._log.event("rescan", paths=list(self._scope.roots))
        self._slow.scan()

    def adjust(self, settings: GuardSettings, never: Iterable[str]) -> None:
        """Other settings, from the next second on; may be called from a signal handler."""
        self._adjusted = (settings, tuple(never))

    def _stand(self) -> None:
        if self._standing is None:
            return
        standing = Standing(
            pid=os.getpid(),
            time_ns=time.time_ns(),
            since_ns=self._since_ns,
            sensor=self._sensor.name,
            contain=self._contain,
            paths=self._scope.roots,
            lost=tuple(self._blind()),
            queue=self._jobs,
            held=len(self._holds),
            frozen=len(self._response.frozen),
            scanning=self._slow.scanning,
            files=self._slow.counts[0],
            judged=self._slow.counts[1],
            known=self._slow.before,
            troubles=dict(self._log.troubles),
        )
        try:
            self._standing(standing)
        except OSError as error:
            self._log.trouble("standing", DiskFull("standing", error.strerror or str(error), "Make room."))
        else:
            self._log.well("standing")

    def _housekeeping(self) -> None:
        if self._adjusted is not None:
            (settings, never), self._adjusted = self._adjusted, None
            self._detector.adjust(settings.encrypted_files, settings.window)
            self._response.adjust(settings.release_after)
            self._freezer.adjust(never)
            self._log.row("guard", {"what": "settings"})
            self._log.event("settings")
        self._stand()
        self._memory.flush()
        self._log.retry()
        self._waiting.release_overdue()
        self._response.expire(time.time_ns())
        self._response.notice_releases()
        self._deciding.pending()
        if self._lost_jobs:
            self._lost_jobs = False
            self._overflow("more files were written than can wait")
        for what, problem in self._ground.trouble().items():
            self._log.well(what) if problem is None else self._log.trouble(what, problem)
        if self._suspends.happened():
            self._overflow("the machine was suspended")
        if self._ground.changed():
            self._rescan()
        if self._names is not None:
            self._names.extend()
        if self._births is not None:
            self._births.catch_up()
        if added := self._sensor.extend():
            self._log.row("guard", {"what": "mounted", "filesystems": added, "lost": self._blind()})
            self._log.event("mounted", filesystems=added, lost=self._blind())
            self._rescan()

    def _close(self) -> None:
        self._quick.close()
        self._slow.close()
        self._response.close()
        while (result := self._results.take()) is not None:
            self._take_result(result)
        self._holds.close()
        self._memory.close()
        frozen = [process_record(process) for process in self._response.frozen]
        self._log.row("guard", {"what": "stop", "frozen": frozen})
        self._log.event("stopped", incidents=self._response.opened, frozen=frozen)
        self._results.close()
