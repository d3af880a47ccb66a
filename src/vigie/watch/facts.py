"""What the detector is told: one thing that somebody did. Plain values, into the journal and back again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vigie.model import Actor, Client, Likeness, Process, State, Verdict


@dataclass(frozen=True, slots=True)
class Observation:
    """One version of one file was judged."""

    path: str
    verdict: Verdict
    before: Likeness | None
    """The version before, where one was known."""
    actor: Actor | None
    time_ns: int
    digest: str = ""
    """SHA-256 (hex) of what it holds, if it is new and small: the same note in many folders shows by it."""
    asks: bool = False
    """Whether it is new and small, and reads like a ransom note."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """A file was given another name."""

    path: str
    """The new one."""
    old: str
    actor: Actor | None
    time_ns: int


@dataclass(frozen=True, slots=True)
class Deleted:
    """A file was deleted."""

    path: str
    actor: Actor | None
    time_ns: int


@dataclass(frozen=True, slots=True)
class Touched:
    """A decoy was written, renamed or deleted: nobody has a reason to."""

    path: str
    how: str
    """"written", "renamed" or "deleted"."""
    actor: Actor | None
    time_ns: int


Fact = Observation | Renamed | Deleted | Touched


def to_body(fact: Fact) -> dict[str, Any]:
    """A fact as the body of a row of the journal (kind `fact`)."""
    body: dict[str, Any] = {
        "fact": type(fact).__name__.lower(),
        "path": fact.path,
        "time_ns": fact.time_ns,
        "actor": _actor_body(fact.actor),
    }
    if isinstance(fact, Observation):
        body["verdict"] = fact.verdict.state.value
        body["likeness"] = _likeness_body(fact.verdict.likeness)
        body["before"] = _likeness_body(fact.before)
        if fact.digest:
            body["digest"] = fact.digest
            body["asks"] = fact.asks
    elif isinstance(fact, Renamed):
        body["old"] = fact.old
    elif isinstance(fact, Touched):
        body["how"] = fact.how
    return body


def from_body(body: Mapping[str, Any]) -> Fact:
    """The fact of a row.

    Raises:
        ValueError: it is none; KeyError and TypeError never come out.
    """
    try:
        path, time_ns = str(body["path"]), int(body["time_ns"])
        actor = _actor(body["actor"])
        match body["fact"]:
            case "observation":
                verdict = Verdict(State(body["verdict"]), likeness=_likeness(body["likeness"]))
                before, digest = _likeness(body["before"]), str(body.get("digest", ""))
                return Observation(path, verdict, before, actor, time_ns, digest, body.get("asks") is True)
            case "renamed":
                return Renamed(path, str(body["old"]), actor, time_ns)
            case "deleted":
                return Deleted(path, actor, time_ns)
            case "touched":
                return Touched(path, str(body["how"]), actor, time_ns)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a fact: {error}") from error
    raise ValueError(f"not a fact: {body['fact']!r}")


def _actor_body(actor: Actor | None) -> dict[str, Any] | None:
    if actor is None:
        return None
    client = actor.client
    return {
        "line": [[p.pid, p.started, p.executable, p.user] for p in (actor.process, *actor.parents)],
        "client": [client.address, client.user, client.machine, client.share] if client else None,
        "unit": actor.unit,
        "container": actor.container,
    }


def _actor(body: Mapping[str, Any] | None) -> Actor | None:
    if body is None:
        return None
    line = [Process(int(p), int(s), str(e), user=str(u)) for p, s, e, u in body["line"]]
    if not line:
        raise ValueError("an actor without a process")
    client = Client(*map(str, body["client"])) if body["client"] else None
    return Actor(line[0], tuple(line[1:]), client, str(body["unit"]), str(body["container"]))


def _likeness_body(likeness: Likeness | None) -> list[Any] | None:
    """What the rules look at: the map of random blocks stays in the baseline."""
    if likeness is None:
        return None
    return [likeness.state.value, likeness.format, likeness.size, round(likeness.random_share, 4)]


def _likeness(body: list[Any] | None) -> Likeness | None:
    if body is None:
        return None
    state, kind, size, share = body
    return Likeness(State(state), kind, int(size), float(share), b"")
