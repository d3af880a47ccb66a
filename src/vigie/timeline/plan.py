"""What to restore: for each document the newest version that is known to be healthy.

| its versions                                              | the plan                                    |
|-----------------------------------------------------------|---------------------------------------------|
| one or more intact                                        | the newest of these                         |
| none intact, unknown or damaged ones before the onset     | the newest of these, said to be unverified  |
| anything else                                             | nothing: unrecoverable, and why             |
| gone before the onset                                     | nothing: its user deleted it                |
| gone since, and its bytes lie intact under another path   | nothing: its user moved it                  |
"""

from dataclasses import dataclass
from enum import StrEnum

from vigie.model import State, Verdict, Version
from vigie.timeline.document import Document, identity
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


@dataclass(frozen=True, slots=True)
class Choice:
    """A version to restore."""

    version: Version
    verdict: Verdict
    why: Why
    note: str = ""
    """In words, where there is something to say."""

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


@dataclass(frozen=True, slots=True)
class Plan:
    """What to restore and what cannot be, both in path order."""

    choices: tuple[Choice, ...]
    lost: tuple[Lost, ...]


def plan(timeline: Timeline) -> Plan:
    """Choose a version of every document that is there, or is gone since the attack began."""
    here: list[Choice] = []
    missing: list[Choice] = []
    lost: list[Lost] = []
    for document in timeline.documents:
        if document.path in timeline.gone:
            continue
        chosen = _choose(document, vanished=document.path in timeline.vanished)
        if isinstance(chosen, Lost):
            lost.append(chosen)
        elif chosen.why is Why.VANISHED:
            missing.append(chosen)
        else:
            here.append(chosen)
    contents = {choice.version.content for choice in here} - {""}
    here += [choice for choice in missing if choice.version.content not in contents]
    return Plan(tuple(sorted(here, key=lambda choice: choice.path)), tuple(lost))


def _choose(document: Document, *, vanished: bool) -> Choice | Lost:
    version, verdict = document.intact, document.intact_verdict
    if version is not None and verdict is not None:
        if document.state is not State.INTACT:
            return Choice(
                version, verdict, Why.OLDER, f"newer ones: {document.state.value} ({document.reason})"
            )
        if vanished:
            return Choice(version, verdict, Why.VANISHED, "gone since the attack began")
        return Choice(version, verdict, Why.NEWEST)
    version, verdict = document.unsure, document.unsure_verdict
    if version is not None and verdict is not None:
        newest = document.newest is not None and identity(document.newest) == identity(version)
        note = "the newest version" if newest else "the newest version from before the attack"
        doubt = "was damaged already" if verdict.state is State.DAMAGED else "cannot be told healthy"
        return Choice(version, verdict, Why.UNVERIFIED, f"{note}, which {doubt}")
    return Lost(document.path, document.state, _why_lost(document))


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
