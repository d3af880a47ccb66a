"""A document: what is remembered of one path through all snapshots, and whose new name a path may be."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from functools import cache

from vigie.model import Skipped, State, Verdict, Version

RANDOM = 0.9
"""Share of random blocks from which a file of unknown format may be an encrypted one under a new name."""

ENDINGS = 32
"""Endings of a name that are looked behind: a name may be nothing but dots."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One content of a path: from snapshot number `number` on, until the next one or until it is gone.

    What comes back after it was gone is sighted again.
    """

    number: int
    item: Version | Skipped
    verdict: Verdict


@dataclass(slots=True)
class Document:
    """One path, as far as the story has been told. Grows with the contents it had, not with the snapshots."""

    path: str
    first: int
    """Number of the snapshot in which it was first seen."""
    gone: int = -1
    """Number of the first snapshot that should hold it and does not; -1 while it is there."""
    content: str = ""
    """Identity of the bytes last seen; empty before the first time and where they could not be read."""
    newest: Version | None = None
    """Last seen and readable."""
    state: State = State.SKIPPED
    """What was last said of it."""
    reason: str = ""
    """In words, why that was not *intact*."""
    intact: Version | None = None
    """The newest one whose verdict is *intact*."""
    intact_verdict: Verdict | None = None
    unsure: Version | None = None
    """The newest one from before the onset that is *unknown* or *damaged*: what there was to work with."""
    unsure_verdict: Verdict | None = None
    hit: int = -1
    """Number of the snapshot in which it was first seen encrypted; -1 for never."""
    states: frozenset[State] = frozenset()
    """All that was ever said of it."""
    random: bool = False
    """Whether it is of unknown format and random from end to end."""
    sightings: list[Sighting] = field(default_factory=list)
    """Every content it had, oldest first."""

    def see(self, number: int, seen: Version | Skipped, verdict: Verdict, *, began: bool) -> None:
        """Take in the next version; `began` says whether the attack is seen in this snapshot or before."""
        back = self.gone >= 0
        self.gone, self.state = -1, verdict.state
        self.reason = "; ".join(verdict.evidence[:2])
        self.states = _and(self.states, verdict.state)
        if verdict.state is State.ENCRYPTED and self.hit < 0:
            self.hit = number
        if isinstance(seen, Skipped):
            if not self.sightings or not isinstance(self.sightings[-1].item, Skipped):
                self.sightings.append(Sighting(number, seen, verdict))
            self.content = ""
            return
        if not self.sightings or back or self.content != identity(seen):
            self.sightings.append(Sighting(number, seen, verdict))
        self.newest, self.content = seen, identity(seen)
        self.random = verdict.state is State.UNKNOWN and is_random(verdict)
        if verdict.state is State.INTACT:
            self.intact, self.intact_verdict = seen, verdict
        elif verdict.state in (State.UNKNOWN, State.DAMAGED) and not began:
            self.unsure, self.unsure_verdict = seen, verdict


@cache
def _and(states: frozenset[State], state: State) -> frozenset[State]:
    """The same few sets for a million documents."""
    return states | {state}


def identity(version: Version) -> str:
    """What tells two contents apart: the source's own word, else size and time."""
    return version.content or f"{version.entry.size}@{version.entry.mtime_ns}"


def is_random(verdict: Verdict) -> bool:
    """Whether the bytes were random from end to end."""
    return verdict.likeness is not None and verdict.likeness.random_share > RANDOM


def folder_of(path: str) -> str:
    """The folder a path lies in, without the last slash."""
    return path.rpartition("/")[0]


def name_of(path: str) -> str:
    """The name of a path in its folder."""
    return path.rpartition("/")[2]


def origin(path: str, known: Container[str]) -> str | None:
    """The known path of which `path` is a longer name: `a.pdf` for `a.pdf.id-7.[mail].crypt`.

    The longest known one is meant, so that `a.pdf.old.locked` is `a.pdf.old` where both exist.
    """
    return next((shorter for shorter in shorter_names(path) if shorter in known), None)


def shorter_names(path: str) -> Iterator[str]:
    """The path without its last ending, without the last two, and so on, `ENDINGS` times."""
    start = path.rfind("/") + 1
    dot = path.rfind(".")
    for _ in range(ENDINGS):
        if dot <= start:
            return
        yield path[:dot]
        dot = path.rfind(".", 0, dot)
