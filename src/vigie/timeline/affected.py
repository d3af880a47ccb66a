"""What the attack did to each document: since when, what stands there now, which snapshot holds it clean."""

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from vigie.model import Snapshot, State
from vigie.timeline.document import Document, Sighting, folder_of
from vigie.timeline.retention import clean_in
from vigie.timeline.story import Timeline


@dataclass(frozen=True, slots=True)
class Affected:
    """One document that was encrypted, spoilt or taken away."""

    document: Document
    """Known by the name that the attack gave it where no backup has another."""
    hit: Snapshot
    """The oldest snapshot that shows it."""
    clean: Snapshot | None
    """The newest snapshot that holds its last clean content."""
    now: str
    """What it was made into: another path, its own where it was overwritten; empty where it vanished, and
    where it is one of several that came and have its size."""
    sure: bool
    """Whether bytes were seen or measured that say so, or it is accounted for among what came as it went;
    otherwise it only vanished, or cannot be read."""
    shown: Sighting | None = None
    """What shows it; None where nothing is there to be looked at."""


_SWEPT = 0.5
"""Share of a folder that must vanish in one snapshot, to be more than what users delete."""
_SOME = 3


def affected(timeline: Timeline) -> Iterator[Affected]:
    """Every document that was hit, in path order; those that were repaired since are among them."""
    leftovers = {leftover.path: leftover for leftover in timeline.leftovers}
    orphans, doubtful = timeline.became.orphans, timeline.became.doubtful
    strays = (one for one in timeline.leftovers if one.path in orphans or one.path in doubtful)
    swept = _swept(timeline)
    for document in heapq.merge(timeline.documents, strays, key=lambda one: one.path):
        heir = timeline.became.heirs.get(document.path)
        successor = leftovers.get(heir or "")
        number, sure = document.hit, True
        if document.path in orphans or document.path in doubtful:
            number, sure = document.first, document.path in orphans
        elif number < 0 and heir is not None:
            number = successor.first if successor else document.gone
        elif number < 0:
            sure, number = False, _presumably(timeline, document, swept)
        if number < 0:
            continue
        clean = next(clean_in(timeline, document), None)
        if document.gone < 0 and document.state is not State.SKIPPED:
            now = document.path
        else:
            now = successor.path if successor else ""
        yield Affected(
            document,
            timeline.rows[number].snapshot,
            None if clean is None else timeline.rows[clean].snapshot,
            now,
            sure,
            _at(document, number) or (_at(successor, number) if successor else None),
        )


def _presumably(timeline: Timeline, document: Document, swept: set[tuple[str, int]]) -> int:
    """The snapshot that may show it hit although no byte says so; -1 for none."""
    if document.path in timeline.became.moved:
        return -1
    if document.path in timeline.vanished and (folder_of(document.path), document.gone) in swept:
        return document.gone
    spoilt = document.state in (State.DAMAGED, State.UNKNOWN, State.SKIPPED)
    return document.sightings[-1].number if spoilt and document.intact is not None else -1


def _at(document: Document, number: int) -> Sighting | None:
    """What of it came with a snapshot."""
    return next((sighting for sighting in document.sightings if sighting.number == number), None)


def _swept(timeline: Timeline) -> set[tuple[str, int]]:
    """Folders, and numbers of snapshots, in which documents vanish as users do not delete them.

    Either what nobody can recognise came into the folder at the same time, or half of the folder is gone.
    """
    held = Counter(folder_of(d.path) for d in timeline.documents if d.path not in timeline.gone)
    lost = Counter(
        (folder_of(d.path), d.gone)
        for d in timeline.documents
        if d.path in timeline.vanished and d.path not in timeline.became.heirs
    )
    half = {place for place, n in lost.items() if n >= max(_SOME, _SWEPT * held[place[0]])}
    return half | timeline.became.unsettled
