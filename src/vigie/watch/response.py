"""What is done about the detector's decisions: freeze, journal, tell; and undo it when it expires.

Stopping is urgent and comes first; then the incident is made durable, and the actions with it.
"""

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from vigie.config import GuardSettings
from vigie.errors import VigieError
from vigie.journal import Journal, Row
from vigie.model import Process
from vigie.watch.detector import Decision, Detector, Opened
from vigie.watch.freeze import FROZEN, Freezer
from vigie.watch.hold import Holds, Key, repair
from vigie.watch.incidents import KINDS, Action, Phase, action_body, incidents
from vigie.watch.log import Log, actor_record

_TRIED = 4096
"""Processes remembered as not to be frozen again and again."""


class Response:
    """Acts on decisions. `holds` is None when the guard only observes."""

    def __init__(
        self,
        settings: GuardSettings,
        journal: Journal,
        log: Log,
        freezer: Freezer,
        holds: Holds | None,
        detector: Detector,
    ) -> None:
        self._expiry_ns = int(settings.release_after * 1e9)
        self._journal, self._log, self._freezer = journal, log, freezer
        self._holds, self._detector = holds, detector
        self._frozen: dict[Key, tuple[Process, str, int]] = {}
        """Process, incident and expiry (ns) of every freeze in force."""
        self._tried: dict[tuple[str, Key], None] = {}
        self._last_row = 0
        self.opened = 0
        """Incidents since the start."""

    @property
    def frozen(self) -> list[Process]:
        """Processes frozen now."""
        return [process for process, _, _ in self._frozen.values()]

    def holds_back(self, key: Key) -> bool:
        """Whether a process is frozen by us."""
        return key in self._frozen

    def start(self, holds: Holds) -> None:
        """Take over what an earlier guard left: its freezes stay, its holds are released.

        Raises:
            JournalBroken: the journal cannot be read.
        """
        for incident in incidents(self._rows(*KINDS)):
            for action in incident.frozen:
                key = (action.process.pid, action.process.started)
                self._frozen[key] = (action.process, incident.id, action.expires_ns or 0)
        for process, outcome in repair(holds, self._frozen):
            body = action_body(None, "release", process, f"{outcome}: held by a guard that was killed")
            self._log.row("action", body)
            self._log.event("action", **_shown(None, body))
        self.expire(time.time_ns())

    def handle(self, decision: Decision) -> str:
        """Act; the id of the incident."""
        if isinstance(decision, Opened):
            self._open(decision)
            return decision.incident.id
        if decision.writer is not None:
            self._freeze(decision.incident, [decision.writer])
        return decision.incident

    def expire(self, now_ns: int) -> None:
        """Release what has been frozen for long enough: every action ends by itself."""
        over: dict[str, None] = {}
        for key, (process, incident, expires_ns) in list(self._frozen.items()):
            if expires_ns <= now_ns:
                del self._frozen[key]
                body = action_body(incident, "release", process, self._freezer.release(process))
                self._log.row("action", body)
                self._log.event("action", **_shown(incident, body))
                over[incident] = None
        for incident in over.keys() - {i for _, i, _ in self._frozen.values()}:
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

    def _let_go(self, incident: str) -> None:
        self._detector.close(incident)
        for key, (process, of, _) in list(self._frozen.items()):
            if of == incident:
                del self._frozen[key]
                self._freezer.spare(*key)
                # It may have written, and been stopped again, before we knew.
                self._freezer.release(process)

    def _rows(self, *kinds: str) -> Iterator[Row]:
        for row in self._journal.rows(*kinds, after=self._last_row):
            self._last_row = row.id
            yield row

    def _open(self, decision: Opened) -> None:
        incident = decision.incident
        self.opened += 1
        targets = [decision.writer, incident.actor.process if incident.actor else None]
        actions = self._stop(incident.id, [p for p in dict.fromkeys(targets) if p is not None])
        record = {
            "id": incident.id,
            "actor": actor_record(incident.actor),
            "files": list(incident.files),
            "count": incident.count,
            "reason": incident.reason,
        }
        self._log.row("incident", record)
        self._log.event("incident", **record)
        self._record(incident.id, actions)

    def _freeze(self, incident: str, processes: list[Process]) -> None:
        self._record(incident, self._stop(incident, processes))

    def _stop(self, incident: str, processes: list[Process]) -> list[Action]:
        done: list[Action] = []
        for process in processes if self._holds is not None else ():
            key = (process.pid, process.started)
            if key in self._frozen or (incident, key) in self._tried:
                continue
            outcome = self._freezer.freeze(process)
            now = time.time_ns()
            expires = now + self._expiry_ns if outcome == FROZEN else None
            if expires is not None:
                self._frozen[key] = (process, incident, expires)
            else:
                if len(self._tried) >= _TRIED:
                    self._tried.clear()
                self._tried[incident, key] = None
            done.append(Action("freeze", process, outcome, now, expires))
        return done

    def _record(self, incident: str, actions: list[Action]) -> None:
        for action in actions:
            body = action_body(incident, action.kind, action.process, action.outcome)
            self._log.row("action", {**body, "expires_ns": action.expires_ns})
            self._log.event("action", incident=incident, **_without_time(action))
            if self._holds is not None and action.expires_ns is not None:
                self._holds.keep((action.process.pid, action.process.started))


def new_id(time_ns: int) -> str:
    """An id for an incident that sorts by time and can be read out on the telephone: 20261123-1512-3f7a."""
    moment = datetime.fromtimestamp(time_ns // 10**9, UTC)
    return f"{moment:%Y%m%d-%H%M}-{secrets.token_hex(2)}"


def _without_time(action: Action) -> dict[str, object]:
    return {key: value for key, value in action.record().items() if key != "time"}


def _shown(incident: str | None, body: dict[str, object]) -> dict[str, object]:
    return {
        "incident": incident,
        "kind": body["action"],
        "pid": body["pid"],
        "executable": body["executable"],
        "outcome": body["outcome"],
        "expires": None,
    }
