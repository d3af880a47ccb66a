"""What the attack did to each document: since when, what stands there now, which snapshot holds it clean."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from vigie.model import Snapshot, State
from vigie.timeline.document import Document, folder_of, origin
from vigie.timeline.retention import clean_in
from vigie.timeline.story import Timeline


@dataclass(frozen=True, slots=True)
class Affected:
    """One document that was encrypted, spoilt or taken away."""

    document: Document
    hit: Snapshot
    """The oldest snapshot that shows it."""
    clean: Snapshot | None
    """The newest snapshot that holds its last clean content."""
    now: str
    """What it was made into: another path, its own where it was overwritten, nothing where it vanished."""
    sure: bool
    """Whether bytes were seen or measured that say so; otherwise it only vanished, or cannot be read."""


_SWEPT = 0.5
"""Share of a folder that must vanish in one snapshot, to be more than what users delete."""
_SOME = 3


def affected(timeline: Timeline) -> Iterator[Affected]:
    """Every document that was hit, in path order; those that were repaired since are among them."""
    known = {document.path for document in timeline.documents}
    successors: dict[str, Document] = {}
    for leftover in timeline.leftovers:
        if owner := origin(leftover.path, known):
            successors.setdefault(owner, leftover)
    swept = _swept(timeline, successors)
    for document in timeline.documents:
        successor = successors.get(document.path)
        number = document.hit
        if number < 0 and successor is not None and successor.first >= document.first:
            number = successor.first
        sure = number >= 0
        if number < 0 and document.path in timeline.vanished and _place(document) in swept:
            number = document.gone
        spoilt = document.state in (State.DAMAGED, State.UNKNOWN, State.SKIPPED)
        if number < 0 and spoilt and document.intact is not None:
            number = document.sightings[-1].number
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
        )


def _swept(timeline: Timeline, successors: dict[str, Document]) -> set[tuple[str, int]]:
    """Folders, and numbers of snapshots, in which documents vanish as users do not delete them.

    Either what nobody can recognise came into the folder at the same time, or half of the folder is gone.
    """
    named = {leftover.path for leftover in successors.values()}
    began = len(timeline.rows) if timeline.began is None else timeline.began
    swept = {
        (folder_of(d.path), d.first)
        for d in (*timeline.documents, *timeline.leftovers)
        if d.first >= began and d.path not in named and State.INTACT not in d.states
    }
    held = Counter(folder_of(d.path) for d in timeline.documents if d.path not in timeline.gone)
    lost = Counter(
        _place(d) for d in timeline.documents if d.path in timeline.vanished and d.path not in successors
    )
    swept |= {place for place, n in lost.items() if n >= max(_SOME, _SWEPT * held[place[0]])}
    return swept


def _place(document: Document) -> tuple[str, int]:
    return folder_of(document.path), document.gone
