"""Of one folder and one moment: which of the files that came was made of which of those that vanished.

By pieces they share, which an attack on parts of a file leaves; then by size. What an attack adds to each
file (its key, its marks) is told by most of them; a cipher may pad each to its block.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vigie.model import Version
from vigie.timeline.document import Document

FOOTER = 1100
"""Bytes that an attack may add to each file."""
PADDING = 16
"""Bytes by which they may differ in that: a block of AES."""
SOME = 3
"""Files that must agree on what is added."""
_ID = 32
"""Bytes of the id of a piece (`Version.chunks`)."""


@dataclass(frozen=True, slots=True)
class Match:
    """What belongs together, and what does not."""

    pairs: dict[str, str]
    """Vanished files that became one each of those that came, and which; empty where several may be it."""
    left: tuple[Document, ...]
    """What came besides."""
    missing: tuple[Document, ...]
    """What vanished besides."""


def added(places: Iterable[tuple[Sequence[Document], Sequence[Document]]]) -> int:
    """Bytes that the attack adds to a file, by most of the folders where as many came as vanished."""
    votes: Counter[int] = Counter()
    for came, lost in places:
        if len(came) == len(lost):
            grown = (
                new - old
                for new, old in zip(sorted(map(_came_size, came)), sorted(map(_lost_size, lost)), strict=True)
            )
            votes.update(bytes_ for bytes_ in grown if 0 <= bytes_ <= FOOTER)
    [(most, count)] = votes.most_common(1) or [(0, 0)]
    return most if count >= SOME else 0


def matched(came: Sequence[Document], lost: Sequence[Document], more: int) -> Match:
    """Pair them; `more` bytes are added to each."""
    pairs = _by_pieces(came, lost)
    heirs = set(pairs.values())
    new = sorted((one for one in came if one.path not in heirs), key=_came_size)
    old = sorted((one for one in lost if one.path not in pairs), key=_lost_size)
    if len(new) == len(old) and all(map(lambda n, o: _fits(n, o, more), new, old)):
        pairs |= _in_order(new, old)
        return Match(pairs, (), ())
    found = _of_one_size(new, old, more)
    used = set(found.values())
    return Match(
        pairs | found,
        tuple(one for one in new if one.path not in used),
        tuple(one for one in old if one.path not in found),
    )


def _by_pieces(came: Iterable[Document], lost: Iterable[Document]) -> dict[str, str]:
    """Of files of several pieces: those that share some with one other file, and with no second one."""
    holders: dict[bytes, str] = {}
    for one in lost:
        for piece in _pieces(one.newest):
            holders[piece] = one.path if holders.get(piece, one.path) == one.path else ""
    sharing: defaultdict[str, set[str]] = defaultdict(set)
    if holders:
        for one in came:
            owners = {holders.get(piece, "") for piece in _pieces(_first(one))} - {""}
            if len(owners) == 1:
                sharing[owners.pop()].add(one.path)
    return {owner: heirs.pop() for owner, heirs in sharing.items() if len(heirs) == 1}


def _in_order(new: Sequence[Document], old: Sequence[Document]) -> dict[str, str]:
    """All of them; by name, where no other has nearly that size."""
    sizes = [_lost_size(one) for one in old]
    grown = {_came_size(n) - size for n, size in zip(new, sizes, strict=True)}
    apart = 2 * PADDING if len(grown) > 1 else 0
    near = {place for place, (a, b) in enumerate(pairwise(sizes)) if b - a <= apart}
    return {
        one.path: "" if place in near or place - 1 in near else heir.path
        for place, (one, heir) in enumerate(zip(old, new, strict=True))
    }


def _of_one_size(new: Iterable[Document], old: Iterable[Document], more: int) -> dict[str, str]:
    """Those of a size of which one came and one vanished.

    Where sizes do not add up as a whole, some of what vanished was deleted, and some of what came was never
    saved, or was edited first: two of a size may be one of each.
    """
    came: defaultdict[int, list[str]] = defaultdict(list)
    lost: defaultdict[int, list[str]] = defaultdict(list)
    for one in new:
        came[_came_size(one) - more].append(one.path)
    for one in old:
        lost[_lost_size(one)].append(one.path)
    return {
        path: heir
        for size, [path, *others] in lost.items()
        for heir, *further in [came.get(size, ("",))]
        if size >= 0 and heir and not others and not further
    }


def _fits(new: Document, old: Document, more: int) -> bool:
    size = _lost_size(old)
    grown = _came_size(new) - size
    return size >= 0 <= grown and abs(grown - more) <= PADDING


def _first(document: Document) -> Version | None:
    """What it was when it came."""
    item = document.sightings[0].item
    return item if isinstance(item, Version) else None


def _came_size(document: Document) -> int:
    """Bytes; less than any file has where it could not be read."""
    version = _first(document)
    return version.entry.size if version else -1


def _lost_size(document: Document) -> int:
    return document.newest.entry.size if document.newest else -1


def _pieces(version: Version | None) -> set[bytes]:
    """The ids of its pieces; none of a file of one piece, which is gone as a whole when any of it changes."""
    chunks = version.chunks if version else b""
    return {chunks[at : at + _ID] for at in range(0, len(chunks), _ID)} if len(chunks) > _ID else set()
