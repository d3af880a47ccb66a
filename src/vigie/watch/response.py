"""What is done about the detector's decisions: act, journal, tell; and undo it when it expires.

Stopping is urgent and comes first; then the incident is made durable, and the actions with it. What takes
time is asked of `Deeds`, and journaled when it is done.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from vigie.config import GuardSettings
from vigie.errors import VigieError
from vigie.journal import Journal, Row
from vigie.model import Process
from vigie.watch.actions import Actuators, Measure, Outcome, Target, about, of_process, to_process
from vigie.watch.deeds import Acted, Deeds
from vigie.watch.detector import Decision, Detector, Opened
from vigie.watch.family import take_family
from vigie.watch.freeze import Freezer
from vigie.watch.freeze_group import GroupFreezer
from vigie.watch.hold import Holds, repair
from vigie.watch.incidents import KINDS, Action, Phase, incidents, undo
from vigie.watch.log import Log, actor_record
from vigie.watch.plan import Orders, Plan, again, plan
from vigie.watch.processes import Stat, executable_of
from vigie.watch.responsible import ProcessKey

_TRIED = 4096
"""Processes remembered as not to be frozen again and again."""
_CLIENTS = 1024
"""Incidents of which it is remembered which client they are about."""


class Response:
    """Acts on decisions. `holds` is None when the guard only observes; `tell` takes what `Deeds` did."""

    def __init__(
        self,
        settings: GuardSettings,
        journal: Journal,
        log: Log,
        freezer: Freezer,
        holds: Holds | None,
        detector: Detector,
        orders: Orders,
        actuators: Actuators,
        tell: Callable[[Acted], None],
    ) -> None:
        self._expiry_ns = int(settings.release_after * 1e9)
        self._journal, self._log, self._freezer = journal, log, freezer
        self._holds, self._detector = holds, detector
        self._orders = orders
        self._groups = GroupFreezer(freezer)
        self._actuators = {**actuators, freezer.kind: freezer, self._groups.kind: self._groups}
        self._deeds = Deeds(self._actuators, tell)
        self._in_force: dict[tuple[object, ...], tuple[Action, str]] = {}
        """Every action in force, and its incident."""
        self._frozen: dict[ProcessKey, tuple[object, ...]] = {}
        """Processes frozen now, and the key of the action."""
        self._tried: dict[tuple[str, ProcessKey], None] = {}
        self._clients: dict[str, str] = {}
        """Incident -> address of the client it is about."""
        self._last_row = 0
        self.opened = 0
        """Incidents since the start."""

    @property
    def frozen(self) -> list[Process]:
        """Processes frozen now."""
        return [to_process(self._in_force[key][0].target) for key in self._frozen.values()]

    def holds_back(self, key: object) -> bool:
        """Whether a process is frozen by us."""
        return key in self._frozen

    def start(self, holds: Holds) -> None:
        """Take over what an earlier guard left: its actions stay, its holds are released.

        Raises:
            JournalBroken: the journal cannot be read.
        """
        for incident in incidents(self._rows(*KINDS)):
            for action in incident.in_force:
                self._keep(action, incident.id)
        for process, outcome in repair(holds, self._frozen):
            words = f"{outcome}: held by a guard that was killed"
            self._record(
                Action("freeze", of_process(process), words, False, time.time_ns(), undone=True), None
            )
        self.expire(time.time_ns())

    def adjust(self, release_after: float) -> None:
        """Other settings from now on; what is in force expires as it was said."""
        self._expiry_ns = int(release_after * 1e9)

    def handle(self, decision: Decision) -> str:
        """Act; the id of the incident."""
        if isinstance(decision, Opened):
            self._open(decision)
            return decision.incident.id
        self._take(
            decision.incident, again(decision.writer, self._clients.get(decision.incident), self._orders)
        )
        return decision.incident

    def done(self, acted: Acted) -> None:
        """A measure was taken by `Deeds`."""
        outcome, now = acted.outcome, time.time_ns()
        expires = now + self._expiry_ns if outcome.in_force else None
        action = Action(
            acted.measure.kind, acted.measure.target, outcome.words, outcome.in_force, now, expires
        )
        self._record(action, acted.incident)
        if outcome.in_force:
            self._keep(action, acted.incident)
        if acted.measure.kind == "kill-client" and outcome.done:
            # Its client is cut off: what its smbd has locked must be free for others.
            for key, (frozen, incident) in list(self._in_force.items()):
                if incident == acted.incident and frozen.kind == self._freezer.kind:
                    self._undo(key)

    def expire(self, now_ns: int) -> None:
        """Undo what has been in force for long enough: every action ends by itself."""
        over: dict[str, None] = {}
        for key, (action, incident) in list(self._in_force.items()):
            if (action.expires_ns or 0) <= now_ns:
                self._undo(key)
                over[incident] = None
        for incident in over.keys() - {i for _, i in self._in_force.values()}:
            self._detector.close(incident)
            self._log.row("incident", {"id": incident, "state": Phase.RELEASED.value, "by": "expiry"})

    def notice_releases(self) -> None:
        """See what `vigie release` did since: those processes are left alone from now on."""
        try:
            for row in self._rows("incident"):
                if row.body.get("by") == "hand":
                    self._let_go(str(row.body["id"]))
        except VigieError as error:
            self._log.trouble("journal", error)

    def close(self) -> None:
        """Finish what was asked for."""
        self._deeds.close()

    def _let_go(self, incident: str) -> None:
        self._detector.close(incident)
        for key, (action, of) in list(self._in_force.items()):
            if of != incident:
                continue
            del self._in_force[key]
            if action.kind == self._freezer.kind:
                process = to_process(action.target)
                del self._frozen[process.pid, process.started]
                self._freezer.spare(process.pid, process.started)
                # It may have written, and been stopped again, before we knew.
                self._freezer.release(process)

    def _rows(self, *kinds: str) -> Iterator[Row]:
        for row in self._journal.rows(*kinds, after=self._last_row):
            self._last_row = row.id
            yield row

    def _open(self, decision: Opened) -> None:
        incident = decision.incident
        self.opened += incident.acts
        planned = plan(incident, decision.writer, self._orders)
        behind = incident.actor.client if incident.actor is not None else None
        actions = self._stop(incident.id, planned.stop, families=behind is None)
        if behind is not None:
            if len(self._clients) >= _CLIENTS:
                self._clients.pop(next(iter(self._clients)))
            self._clients[incident.id] = behind.address
        record = {
            "id": incident.id,
            "actor": actor_record(incident.actor),
            "files": list(incident.files),
            "count": incident.count,
            "reason": incident.reason,
            "acts": incident.acts,
        }
        self._log.row("incident", record)
        self._log.event("incident", **record)
        self._follow(incident.id, actions, planned.then)

    def _take(self, incident: str, planned: Plan) -> None:
        actions = self._stop(incident, planned.stop, families=incident not in self._clients)
        # A client that is cut off already, and whose last writes are only now being judged, is not cut again.
        self._follow(incident, actions, planned.then if actions else ())

    def _follow(self, incident: str, actions: list[Action], then: tuple[Measure, ...]) -> None:
        for action in actions:
            self._record(action, incident)
            if self._holds is not None and action.in_force and action.kind == self._freezer.kind:
                process = to_process(action.target)
                self._holds.keep((process.pid, process.started))
        for measure in then:
            self._deeds.ask(incident, about(measure, incident))

    def _stop(self, incident: str, processes: tuple[Process, ...], *, families: bool) -> list[Action]:
        """Freeze these and, with `families`, all that belongs to them."""
        done: list[Action] = []
        for process in processes if self._holds is not None else ():
            self._freeze(incident, process, done)
        for process in [to_process(action.target) for action in done if families and action.in_force]:
            if not take_family(
                process.pid, lambda pid, stat: self._freeze(incident, _named(pid, stat), done)
            ):
                done.append(self._freeze_group(incident, process.pid))
        return done

    def _freeze(self, incident: str, process: Process, done: list[Action]) -> bool:
        """Whether it stands still."""
        key = (process.pid, process.started)
        if key in self._frozen or (incident, key) in self._tried:
            return key in self._frozen
        outcome = self._freezer.do(of_process(process))
        now = time.time_ns()
        expires = now + self._expiry_ns if outcome.in_force else None
        action = Action("freeze", of_process(process), outcome.words, outcome.in_force, now, expires)
        if outcome.in_force:
            self._keep(action, incident)
        else:
            if len(self._tried) >= _TRIED:
                self._tried.clear()
            self._tried[incident, key] = None
        done.append(action)
        return outcome.in_force

    def _freeze_group(self, incident: str, root: int) -> Action:
        """What is left of a family that is too large, or forks faster than it is frozen."""
        found = self._groups.group_of(root)
        target: Target = {} if isinstance(found, str) else found
        outcome = Outcome(False, found, False) if isinstance(found, str) else self._groups.do(target)
        now = time.time_ns()
        expires = now + self._expiry_ns if outcome.in_force else None
        action = Action(self._groups.kind, target, outcome.words, outcome.in_force, now, expires)
        if outcome.in_force:
            self._keep(action, incident)
        return action

    def _keep(self, action: Action, incident: str) -> None:
        self._in_force[action.key] = (action, incident)
        if action.kind == self._freezer.kind:
            process = to_process(action.target)
            self._frozen[process.pid, process.started] = action.key

    def _undo(self, key: tuple[object, ...]) -> None:
        action, incident = self._in_force.pop(key)
        if action.kind == self._freezer.kind:
            process = to_process(action.target)
            del self._frozen[process.pid, process.started]
        self._record(undo(action, self._actuators, time.time_ns()), incident)

    def _record(self, action: Action, incident: str | None) -> None:
        self._log.row("action", action.body(incident))
        shown = {key: value for key, value in action.record().items() if key != "time"}
        self._log.event("action", incident=incident, **shown)


def _named(pid: int, stat: Stat) -> Process:
    return Process(pid, stat.started, executable_of(pid, stat.name))


def new_id(time_ns: int) -> str:
    """An id for an incident that sorts by time and can be read out on the telephone: 20261123-1512-3f7a."""
    moment = datetime.fromtimestamp(time_ns // 10**9, UTC)
    return f"{moment:%Y%m%d-%H%M}-{secrets.token_hex(2)}"
