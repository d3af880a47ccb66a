"""What happened, read back from the journal; and how all actions of an incident are undone.

Rows used: `incident` (opened: id, actor, files, count, reason; over: id, state, by), `verdict` (with the
incident its file belongs to) and `action` (incident, action, the target's own keys (`watch.actions.FIELDS`),
outcome, in_force, expires_ns; an undone one is a row of its own with `undone`).
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vigie.errors import NoSuchTarget, NotPermitted
from vigie.journal import Journal, Row
from vigie.watch.actions import Actuators, Outcome, Target, target_of, words_of
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
    """Something Vigie did, or undid."""

    kind: str
    target: Target
    outcome: str
    in_force: bool
    time_ns: int
    expires_ns: int | None = None
    undone: bool = False
    """Whether this is the undoing of an action of that kind."""

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from others: its kind and what it was done to."""
        return (self.kind, *sorted((k, str(v)) for k, v in self.target.items() if k != "executable"))

    @property
    def words(self) -> str:
        """What was done to whom, for people."""
        verb = "release from " if self.undone else ""
        return f"{verb}{self.kind} {words_of(self.target)}".rstrip()

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kind": "release" if self.undone else self.kind,
            "of": self.kind,
            **self.target,
            "outcome": self.outcome,
            "in_force": self.in_force,
            "time": timestamp(self.time_ns),
            "expires": timestamp(self.expires_ns) if self.expires_ns is not None else None,
        }

    def body(self, incident: str | None) -> dict[str, Any]:
        """The body of its row."""
        return {
            "incident": incident,
            "action": self.kind,
            **self.target,
            "outcome": self.outcome,
            "in_force": self.in_force,
            "expires_ns": self.expires_ns,
            "undone": self.undone,
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
    def in_force(self) -> tuple[Action, ...]:
        """Actions done and not undone since, oldest first."""
        last = {action.key: action for action in self.actions}
        return tuple(action for action in last.values() if action.in_force)

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
            draft.actions.append(_action(row))
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


def _action(row: Row) -> Action:
    body = row.body
    # Rows of the first release had neither key, and knew one kind of action and its undoing.
    old_release = body["action"] == "release"
    return Action(
        "freeze" if old_release else body["action"],
        target_of(body),
        body["outcome"],
        body.get("in_force", body["outcome"] == "frozen"),
        row.time_ns,
        body.get("expires_ns"),
        body.get("undone", old_release),
    )


def undo(action: Action, actuators: Actuators, time_ns: int) -> Action:
    """Undo an action that is in force; what came of it."""
    actuator = actuators.get(action.kind)
    if actuator is None:
        outcome = Outcome(True, "nothing here knows how to undo it", False)
    else:
        outcome = actuator.undo(action.target)
    return Action(
        action.kind, action.target, outcome.words, outcome.in_force, time_ns, action.expires_ns, undone=True
    )


def release(journal: Journal, incident_id: str, actuators: Actuators) -> list[Action]:
    """Undo every action of an incident that is in force, newest first, and close it.

    Empty when that was done before.

    Raises:
        NoSuchTarget: there is no such incident.
        NotPermitted: something may not be undone by this user; the incident stays open.
    """
    known = {incident.id: incident for incident in incidents(journal.rows(*KINDS))}
    incident = known.get(incident_id)
    if incident is None:
        remedy = "`vigie incidents` lists them."
        raise NoSuchTarget(incident_id, "there is no such incident in this journal", remedy)
    if incident.phase is Phase.RELEASED and not incident.in_force:
        return []
    done = []
    for action in reversed(incident.in_force):
        undone = undo(action, actuators, time.time_ns())
        journal.append("action", undone.body(incident_id))
        done.append(undone)
    if still := [action for action in done if action.in_force]:
        names = ", ".join(words_of(action.target) for action in still)
        raise NotPermitted(names, still[0].outcome, "Run as root.")
    journal.append("incident", {"id": incident_id, "state": Phase.RELEASED.value, "by": "hand"})
    return done
