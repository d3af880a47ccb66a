"""Rules of the detector beyond the first two, a file each: told every fact, they answer with what they found.

A rule is sans-I/O and bounded: whatever an attacker does, it remembers a fixed number of actors and paths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vigie.model import Actor
from vigie.watch.facts import Fact
from vigie.watch.responsible import Key, Link


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found of one actor."""

    rule: str
    """The name of the rule, one word."""
    key: Key
    actor: Actor | None
    files: tuple[str, ...]
    """The first ones."""
    count: int
    """All of them."""
    reason: str
    """In words that a person can check."""
    acts: bool
    """Whether the actor is to be stopped; otherwise people are told."""


class Rule(Protocol):
    """One way in which an attack shows."""

    def counts(self, fact: Fact) -> bool:
        """Whether this rule counts such a fact at all; few are, in normal life."""
        ...

    def see(self, fact: Fact, chain: Sequence[Link], now: int) -> Finding | None:
        """Count a fact.

        `chain` is who may answer for it, nearest first; `now` a clock (ns) that never jumps back.
        """
        ...

    def forget(self, key: Key) -> None:
        """An incident of this actor is over: it starts from nothing."""
        ...
