"""Events to other programs (syslog, a file for a SIEM): a thread sends them, and nobody waits for it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, Full, Queue
from typing import Any, Protocol

SENT = frozenset({"ready", "incident", "verdict", "action", "trouble", "overflow", "stopped"})
"""Events that are sent."""
_QUEUE = 10_000


class Sink(Protocol):
    """Where events go."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def write(self, event: Mapping[str, Any]) -> None:
        """One event.

        Raises:
            OSError: it cannot be written; it is lost for this sink.
        """
        ...

    def close(self) -> None:
        """Let go."""
        ...


class Machines:
    """Hands events to sinks. `trouble` is called from the thread, once until it works again."""

    def __init__(self, sinks: Sequence[Sink], trouble: Callable[[str], None]) -> None:
        self._sinks, self._trouble = tuple(sinks), trouble
        self._queue: Queue[dict[str, Any] | None] = Queue(_QUEUE)
        self._lost = 0
        self._failing: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="syslog", daemon=True)
        self._thread.start()

    def tell(self, event: dict[str, Any]) -> None:
        """An event of the guard; never waits."""
        if event["event"] not in SENT:
            return
        try:
            self._queue.put_nowait(event)
        except Full:
            self._lost += 1

    def close(self, seconds: float = 5.0) -> None:
        """Write what is left, for at most so long."""
        try:
            self._queue.put(None, timeout=seconds)
        except Full:
            return
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            try:
                event = self._queue.get(timeout=1.0)
            except Empty:
                self._say_lost()
                continue
            if event is None:
                break
            for sink in self._sinks:
                self._write(sink, event)
        for sink in self._sinks:
            sink.close()

    def _write(self, sink: Sink, event: Mapping[str, Any]) -> None:
        try:
            sink.write(event)
        except OSError as error:
            if sink.name not in self._failing:
                self._failing.add(sink.name)
                self._trouble(f"{sink.name}: {error.strerror or error}")
        else:
            self._failing.discard(sink.name)

    def _say_lost(self) -> None:
        lost, self._lost = self._lost, 0
        if lost:
            self._trouble(f"{lost} events were not sent: they came faster than they could be")
