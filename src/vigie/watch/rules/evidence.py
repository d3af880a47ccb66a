"""What the rules share: who did what lately, bounded whatever an attacker does."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from vigie.model import State
from vigie.watch.facts import Fact, Observation
from vigie.watch.responsible import Key, Link

MINUTE = 60 * 10**9
"""Nanoseconds."""
_ACTORS = 4096
"""Actors that are counted at once; the one that has been quiet longest is dropped."""
_THINGS = 1024
"""Things remembered of one actor."""


class Lately:
    """Distinct things that each actor did within a window (nanoseconds)."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._by: OrderedDict[object, OrderedDict[str, int]] = OrderedDict()

    def add(self, key: object, thing: str, now: int) -> None:
        """It did that."""
        things = self._by.get(key)
        if things is None:
            things = self._by[key] = OrderedDict()
            if len(self._by) > _ACTORS:
                self._by.popitem(last=False)
        self._by.move_to_end(key)
        things[thing] = now
        things.move_to_end(thing)
        if len(things) > _THINGS:
            things.popitem(last=False)

    def of(self, key: object, now: int) -> tuple[str, ...]:
        """What it did within the window, oldest first."""
        things = self._by.get(key)
        if things is None:
            return ()
        while things and next(iter(things.values())) < now - self._window:
            things.popitem(last=False)
        return tuple(things)

    def __bool__(self) -> bool:
        return bool(self._by)

    def actors(self) -> Iterable[object]:
        """Everybody who did something."""
        return tuple(self._by)

    def forget(self, key: object) -> None:
        """It starts from nothing."""
        self._by.pop(key, None)


def add_all(lately: Lately, chain: Sequence[Link], thing: str, now: int) -> None:
    """Everybody who may answer for it did that."""
    for key, _ in chain:
        lately.add(key, thing, now)


def struck(fact: Fact) -> bool:
    """Whether a file became encrypted by it."""
    if not isinstance(fact, Observation) or fact.verdict.state is not State.ENCRYPTED:
        return False
    return fact.before is None or fact.before.state is not State.ENCRYPTED


def span(nanoseconds: int) -> str:
    """A length of time for people."""
    minutes = nanoseconds // MINUTE
    if minutes % (24 * 60) == 0:
        days = minutes // (24 * 60)
        return "a day" if days == 1 else f"{days} days"
    return f"{minutes} min"


__all__ = ["MINUTE", "Key", "Lately", "add_all", "span", "struck"]
