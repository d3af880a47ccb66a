"""How often people are told: at once the first time, then so that an attack cannot flood them. Sans-I/O.

| of one kind (incident, action, trouble)          |                                         |
|--------------------------------------------------|-----------------------------------------|
| nothing was told within the last minute          | it is told at once                      |
| otherwise, or beyond 20 messages within the hour | it waits, and is summed up with others  |
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

PAUSE = 60.0
"""Seconds between two messages of a kind."""
HOUR, MOST = 3600.0, 20
"""Messages of a kind within so many seconds."""
_KEPT = 20
"""Events that wait with all they say; of more, only the number is kept."""

Event = dict[str, Any]


@dataclass(slots=True)
class _Kind:
    told: deque[float] = field(default_factory=deque)
    waiting: list[Event] = field(default_factory=list)
    more: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """What is told now: events, and how many more there were of the kind."""

    kind: str
    events: tuple[Event, ...]
    more: int = 0


class Limits:
    """Decides what is told when; `now` is a clock in seconds that never jumps back."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def take(self, event: Event, now: float) -> Message | None:
        """The message for an event, if it is to be sent at once."""
        name = str(event["event"])
        kind = self._kinds.setdefault(name, _Kind())
        if not kind.waiting and self._free(kind, now):
            kind.told.append(now)
            return Message(name, (event,))
        if len(kind.waiting) < _KEPT:
            kind.waiting.append(event)
        else:
            kind.more += 1
        return None

    def due(self, now: float) -> list[Message]:
        """What has waited for long enough."""
        return [self._sum_up(name, kind, now) for name, kind in self._kinds.items() if self._due(kind, now)]

    def rest(self, now: float) -> list[Message]:
        """All that waits: at the end nothing is left unsaid."""
        return [self._sum_up(name, kind, now) for name, kind in self._kinds.items() if kind.waiting]

    def _due(self, kind: _Kind, now: float) -> bool:
        return bool(kind.waiting) and self._free(kind, now)

    @staticmethod
    def _free(kind: _Kind, now: float) -> bool:
        while kind.told and kind.told[0] <= now - HOUR:
            kind.told.popleft()
        return len(kind.told) < MOST and (not kind.told or kind.told[-1] <= now - PAUSE)

    @staticmethod
    def _sum_up(name: str, kind: _Kind, now: float) -> Message:
        message = Message(name, tuple(kind.waiting), kind.more)
        kind.waiting, kind.more = [], 0
        kind.told.append(now)
        return message
