"""Where the guard says what happens: rows of the journal, and events for whoever listens.

A journal that cannot be written (disk full) never keeps the guard from acting: rows wait and are tried again,
and the trouble is said once.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from vigie.errors import VigieError
from vigie.journal import Journal
from vigie.model import Actor, Process

_WAITING = 10_000
"""Rows that wait for a journal that can be written; beyond, the oldest are lost (and that is said)."""

Emit = Callable[[dict[str, Any]], None]


class Log:
    """Journal and events of one guard."""

    def __init__(self, journal: Journal, emit: Emit) -> None:
        self._journal = journal
        self._emit = emit
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_WAITING)
        self.troubles: dict[str, str] = {}
        """What does not work now, and why."""

    def event(self, name: str, **fields: Any) -> None:
        """Tell whoever listens, now."""
        self._emit({"event": name, "time": timestamp(time.time_ns()), **fields})

    def row(self, kind: str, body: dict[str, Any], *, durable: bool = True) -> None:
        """Add a row to the journal, behind those that still wait."""
        self._waiting.append((kind, body))
        self.retry(durable=durable)

    def retry(self, *, durable: bool = True) -> None:
        """Write what waits; the last of it durably carries all before it."""
        while self._waiting:
            kind, body = self._waiting[0]
            try:
                self._journal.append(kind, body, durable=durable and len(self._waiting) == 1)
            except VigieError as error:
                self.trouble("journal", error)
                return
            self._waiting.popleft()
        self.well("journal")

    def trouble(self, what: str, error: VigieError) -> None:
        """Say what cannot be done, the first time."""
        if what not in self.troubles:
            self.troubles[what] = str(error)
            self.event("trouble", what=what, problem=str(error), remedy=error.remedy)

    def well(self, what: str) -> None:
        """It works again; said if it did not."""
        if self.troubles.pop(what, None) is not None:
            self.event("trouble", what=what, problem="", remedy="")


def timestamp(time_ns: int) -> str:
    """ISO 8601, UTC, with milliseconds."""
    moment = datetime.fromtimestamp(time_ns // 10**9, UTC).replace(microsecond=time_ns % 10**9 // 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def process_record(process: Process) -> dict[str, Any]:
    """A process, for JSON."""
    return {
        "pid": process.pid,
        "started": process.started,
        "executable": process.executable,
        "command": list(process.command),
        "user": process.user,
    }


def actor_record(actor: Actor | None) -> dict[str, Any] | None:
    """An actor, for JSON: its process, and its parents, nearest first.

    The parents without their command lines: these are long, sometimes hold secrets, and say little.
    """
    if actor is None:
        return None
    parents = [
        {"pid": p.pid, "started": p.started, "executable": p.executable, "user": p.user}
        for p in actor.parents
    ]
    client = actor.client
    return {
        **process_record(actor.process),
        "parents": parents,
        "client": {
            "address": client.address,
            "user": client.user,
            "machine": client.machine,
            "share": client.share,
        }
        if client
        else None,
        "unit": actor.unit,
        "container": actor.container,
    }
