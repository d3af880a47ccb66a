"""What happened, read back from the journal; and how all actions of an incident are undone.

Rows used: `incident` (opened: id, actor, files, count, reason; over: id, state, by), `verdict` (with the
incident its file belongs to) and `action` (incident, action, pid, started, executable, outcome, expires_ns).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vigie.errors import NoSuchTarget, NotPermitted
from vigie.journal import Journal, Row
from vigie.model import Process
from vigie.watch.freeze import FROZEN, REFUSED, Freezer
from vigie.watch.log import timestamp

KINDS = ("incident", "verdict", "action")
"""Kinds of rows that `incidents` reads."""

_FILES = 1000
"""Files an incident names at most; they are all counted."""


class Phase(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    RELEASED = "released"
    """Its actions are undone, or there were none and somebody has seen to it."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something Vigie did to a process."""

    kind: str
    process: Process
    outcome: str
    time_ns: int
    expires_ns: int | None = None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kind": self.kind,
            "pid": self.process.pid,
            "executable": self.process.executable,
            "outcome": self.outcome,
            "time": timestamp(self.time_ns),
            "expires": timestamp(self.expires_ns) if self.expires_ns is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as the journal tells it."""

    id: str
    time_ns: int
    actor: dict[str, Any] | None
    reason: str
    files: tuple[str, ...]
    count: int
    phase: Phase
    actions: tuple[Action, ...]

    @property
    def frozen(self) -> tuple[Action, ...]:
        """Actions in force: processes frozen and not released since."""
        last = {(a.process.pid, a.process.started): a for a in self.actions}
        return tuple(a for a in last.values() if a.kind == "freeze" and a.outcome == FROZEN)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.id,
            "time": timestamp(self.time_ns),
            "actor": self.actor,
            "reason": self.reason,
            "files": list(self.files),
            "count": self.count,
            "state": self.phase.value,
            "actions": [a.record() for a in self.actions],
        }


@dataclass(slots=True)
class _Draft:
    row: Row
    files: dict[str, None]
    count: int
    phase: Phase = Phase.OPEN
    actions: list[Action] = field(default_factory=list)


def incidents(rows: Iterable[Row]) -> list[Incident]:
    """Every incident in `rows` (kinds `KINDS`, in order), oldest first."""
    drafts: dict[str, _Draft] = {}
    for row in rows:
        body = row.body
        if row.kind == "incident" and "reason" in body:
            drafts[body["id"]] = _Draft(row, dict.fromkeys(body["files"]), body["count"])
            continue
        draft = drafts.get(body.get("id") or body.get("incident") or "")
        if draft is None:
            continue
        if row.kind == "incident":
            draft.phase = Phase(body["state"])
        elif row.kind == "verdict":
            draft.count += bool(body["joined"])  # the one that opened it is counted there
            if len(draft.files) < _FILES:
                draft.files[body["path"]] = None
        else:
            process = Process(body["pid"], body["started"], body["executable"])
            action = Action(body["action"], process, body["outcome"], row.time_ns, body.get("expires_ns"))
            draft.actions.append(action)
    return [
        Incident(
            id=id_,
            time_ns=draft.row.time_ns,
            actor=draft.row.body["actor"],
            reason=draft.row.body["reason"],
            files=tuple(draft.files),
            count=draft.count,
            phase=draft.phase,
            actions=tuple(draft.actions),
        )
        for id_, draft in drafts.items()
    ]


def action_body(incident: str | None, kind: str, process: Process, outcome: str) -> dict[str, Any]:
    """The body of an `action` row."""
    return {
        "incident": incident,
        "action": kind,
        "pid": process.pid,
        "started": process.started,
        "executable": process.executable,
        "outcome": outcome,
    }


def release(journal: Journal, incident_id: str) -> list[Action]:
    """Undo every action of an incident that is in force, and close it; empty when that was done before.

    Raises:
        NoSuchTarget: there is no such incident.
        NotPermitted: a process may not be continued by this user; the incident stays open.
    """
    known = {incident.id: incident for incident in incidents(journal.rows(*KINDS))}
    incident = known.get(incident_id)
    if incident is None:
        remedy = "`vigie incidents` lists them."
        raise NoSuchTarget(incident_id, "there is no such incident in this journal", remedy)
    if incident.phase is Phase.RELEASED and not incident.frozen:
        return []
    done = []
    for action in incident.frozen:
        outcome = Freezer.release(action.process)
        row = journal.append("action", action_body(incident_id, "release", action.process, outcome))
        done.append(Action("release", action.process, outcome, row.time_ns))
    if refused := [a for a in done if a.outcome == REFUSED]:
        names = ", ".join(str(a.process.pid) for a in refused)
        raise NotPermitted(f"process {names}", "it may not be continued by this user", "Run as root.")
    journal.append("incident", {"id": incident_id, "state": Phase.RELEASED.value, "by": "hand"})
    return done
