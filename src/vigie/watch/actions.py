"""What can be done about an attack: measures, and the actuators that take and undo them.

Every measure is reversible, expires by itself, and is journaled with all that undoing it needs: `vigie
release` runs in another process, maybe after a restart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vigie.model import Process

Target = Mapping[str, str | int]
"""What a measure is taken against, as the journal keeps it: `{"pid", "started", "executable"}`,
`{"address"}`, `{"share"}`, `{"mount"}`, `{"command"}`, or empty."""

FIELDS = (
    "pid",
    "started",
    "executable",
    "address",
    "share",
    "mount",
    "command",
    "repository",
    "cgroup",
    "about",
)
"""Every key a target may have."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing to be done."""

    kind: str
    """The word of its actuator: "freeze", "deny-address", …"""
    target: Target


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went."""

    in_force: bool
    """Whether it holds now: done, and not undone. What is over at once (an alert, a kill) never holds."""
    words: str
    done: bool = True
    """Whether what was asked for was done."""


class Actuator(Protocol):
    """Does one kind of thing. Neither method raises, or takes longer than its time limit."""

    @property
    def kind(self) -> str:
        """Its word."""
        ...

    def do(self, target: Target) -> Outcome:
        """Do it."""
        ...

    def undo(self, target: Target) -> Outcome:
        """Undo it; `in_force` says whether it still holds."""
        ...


Actuators = Mapping[str, Actuator]
"""By kind."""


def of_process(process: Process) -> Target:
    """A process as a target."""
    return {"pid": process.pid, "started": process.started, "executable": process.executable}


def to_process(target: Target) -> Process:
    """The process of a target."""
    return Process(int(target["pid"]), int(target["started"]), str(target["executable"]))


def about(measure: Measure, incident: str) -> Measure:
    """A command of the hospital's own is told what it is about; the rest concerns its target."""
    if measure.kind != "command":
        return measure
    return Measure(measure.kind, {**measure.target, "about": incident})


def target_of(body: Mapping[str, Any]) -> Target:
    """The target in the body of a row."""
    return {key: body[key] for key in FIELDS if key in body}


def words_of(target: Target) -> str:
    """A target in a few words, for people."""
    if "pid" in target:
        return f"{target['executable']} (pid {target['pid']})"
    return ", ".join(str(value) for value in target.values())
