"""Files that their users moved: as they went, their bytes came under another name."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from vigie.model import State, Version
from vigie.timeline.document import Document, name_of

_FARTHEST = 16
"""Snapshots that a move may take at most."""


def moves(documents: Mapping[str, Document], began: int, reach: int) -> dict[str, str]:
    """For each file that went since snapshot number `began`, and was moved: where its bytes came instead.

    One file that came stands for one that went; those of the same name go together first. `reach`: how many
    snapshots a move may take, where folders are kept in snapshots of their own.
    """
    reach = min(reach, _FARTHEST)
    went: defaultdict[str, list[Document]] = defaultdict(list)
    for document in documents.values():
        if document.gone >= began and document.newest and document.newest.content:
            went[document.newest.content].append(document)
    came: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for path, document in documents.items():
        for sighting in document.sightings:
            item = sighting.item
            healthy = sighting.verdict.state is not State.ENCRYPTED
            recent = sighting.number > began - reach
            if recent and healthy and isinstance(item, Version) and item.content in went:
                came[item.content].append((path, sighting.number))
    moved: dict[str, str] = {}
    for content, places in came.items():
        _pair(went[content], places, reach, moved, name_of)
        taken = {moved[document.path] for document in went[content] if document.path in moved}
        _pair(went[content], (one for one in places if one[0] not in taken), reach, moved, lambda _: "")
    return moved


def _pair(
    went: Iterable[Document],
    came: Iterable[tuple[str, int]],
    reach: int,
    moved: dict[str, str],
    alike: Callable[[str], str],
) -> None:
    """Each with the next that came at its time and is `alike`: nothing is looked at twice."""
    queues: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for path, number in came:
        queues[alike(path), number].append(path)
    for document in went:
        for number in range(document.gone - reach + 1, document.gone + reach):
            queue = queues.get((alike(document.path), number), [])
            last = -2 if queue and queue[-1] == document.path else -1
            if document.path not in moved and len(queue) >= -last:
                moved[document.path] = queue.pop(last)
