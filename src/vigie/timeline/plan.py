"""What to restore: for each document the newest version that is known to be healthy.

| its versions                                              | the plan                                    |
|-----------------------------------------------------------|---------------------------------------------|
| one or more intact                                        | the newest of these                         |
| none intact, unknown or damaged ones before the onset     | the newest of these, said to be unverified  |
| anything else                                             | nothing: unrecoverable, and why             |
| gone before the onset                                     | nothing: its user deleted it                |
| gone since, as its bytes came under another path          | nothing: its user moved it                  |
| never there but as what an attack left                    | nothing: unrecoverable, and why             |
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from vigie.model import State, Verdict, Version
from vigie.timeline.document import Document, identity, is_random
from vigie.timeline.story import Timeline


class Why(StrEnum):
    """Why this version was chosen."""

    NEWEST = "newest"
    """The newest one there is, and intact."""
    OLDER = "older"
    """Newer ones are not intact."""
    VANISHED = "vanished"
    """The file is gone since the attack began."""
    UNVERIFIED = "unverified"
    """Unknown or damaged, but from before the onset, and nothing better is there."""
    NEAREST = "nearest"
    """Unknown or damaged, and since the onset: no plan, only the nearest thing to one."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A version to restore."""

    version: Version
    verdict: Verdict
    why: Why
    note: str = ""
    """In words, where there is something to say."""
    older: tuple[Version, ...] = ()
    """Other versions said to be intact, newest first: should this one turn out not to be what it seemed."""

    @property
    def path(self) -> str:
        """Where it was."""
        return self.version.entry.path


@dataclass(frozen=True, slots=True)
class Lost:
    """A document of which no version can be handed back."""

    path: str
    state: State
    """What its newest version is."""
    reason: str
    nearest: Choice | None = None
    """The version that may still be of use: not known to be healthy, and not encrypted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to restore and what cannot be, both in path order."""

    choices: tuple[Choice, ...]
    lost: tuple[Lost, ...]


def plan(timeline: Timeline) -> Plan:
    """Choose a version of every document that is there, or is gone since the attack began."""
    choices: list[Choice] = []
    lost: list[Lost] = []
    orphans = (one for one in timeline.leftovers if one.path in timeline.became.orphans)
    for document in heapq.merge(timeline.documents, orphans, key=lambda one: one.path):
        if document.path in timeline.gone:
            continue
        chosen = _choose(document, vanished=document.path in timeline.vanished)
        if isinstance(chosen, Lost):
            lost.append(chosen)
        else:
            choices.append(chosen)
    return Plan(tuple(choices), tuple(lost))


def _choose(document: Document, *, vanished: bool) -> Choice | Lost:
    version, verdict = document.intact, document.intact_verdict
    if version is not None and verdict is not None:
        older = tuple(_older(document, version))
        if document.state is not State.INTACT:
            note = f"newer ones: {document.state.value} ({document.reason})"
            return Choice(version, verdict, Why.OLDER, note, older)
        if vanished:
            return Choice(version, verdict, Why.VANISHED, "gone since the attack began", older)
        return Choice(version, verdict, Why.NEWEST, older=older)
    version, verdict = document.unsure, document.unsure_verdict
    if version is not None and verdict is not None:
        newest = document.newest is not None and identity(document.newest) == identity(version)
        note = "the newest version" if newest else "the newest version from before the attack"
        doubt = "was damaged already" if verdict.state is State.DAMAGED else "cannot be told healthy"
        return Choice(version, verdict, Why.UNVERIFIED, f"{note}, which {doubt}")
    return Lost(document.path, document.state, _why_lost(document), _nearest(document))


def _older(document: Document, chosen: Version) -> Iterator[Version]:
    """The intact versions with other bytes than the chosen one, which is the newest of them."""
    for sighting in reversed(document.sightings):
        version = sighting.item
        intact = sighting.verdict.state is State.INTACT
        if intact and isinstance(version, Version) and identity(version) != identity(chosen):
            yield version


def _nearest(document: Document) -> Choice | None:
    """The newest version that is damaged, or unknown without being random from end to end."""
    for sighting in reversed(document.sightings):
        version, verdict = sighting.item, sighting.verdict
        if not isinstance(version, Version) or is_random(verdict):
            continue
        if verdict.state in (State.DAMAGED, State.UNKNOWN):
            said = "; ".join(verdict.evidence[:2])
            return Choice(version, verdict, Why.NEAREST, f"not known to be healthy ({said})")
    return None


def _why_lost(document: Document) -> str:
    if document.states == {State.ENCRYPTED}:
        return "every version is encrypted"
    if document.states == {State.DAMAGED}:
        return f"damaged in all versions, all since the attack began: {document.reason}"
    if document.state is State.SKIPPED:
        return f"could not be read: {document.reason}"
    if document.states == {State.UNKNOWN}:
        return "came after the attack began, and cannot be told healthy"
    said = ", ".join(sorted(state.value for state in document.states))
    return f"no version is intact ({said})"
