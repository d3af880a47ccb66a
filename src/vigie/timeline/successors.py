"""What became of files that are gone: moved by their users, or made into something else by an attack.

| gone, and in the same snapshot                                | what is said                              |
|---------------------------------------------------------------|-------------------------------------------|
| its bytes come under another name                             | its user moved it                         |
| a longer name of it comes, which nobody can read              | it became that                            |
| what nobody can tell comes into its folder, with pieces of it | it became that                            |
| the same, and all sizes of what came and vanished are alike   | it was struck; what it became, where only |
|                                                               | one has that size                         |
| the same, and one came and one vanished of its size           | it became that                            |
| anything else                                                 | nobody knows                              |

Its size is that of the file, and what the attack adds to all: as most of them tell, give or take a block of a
cipher. A file whose format was never known proves nothing: programs replace their own files as they like.
What came so and was never there before under any name that users gave is an *orphan*: no backup has it clean.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from vigie.formats import by_name
from vigie.model import State, Version
from vigie.timeline.document import Document, folder_of, identity, name_of, origin, shorter_names
from vigie.timeline.matching import added, matched
from vigie.timeline.moves import moves

SOME = 3
"""Files that must have got an ending for it to be the attack's, and folders that show one name for a note."""

Place = tuple[str, int]
"""A folder, and the number of a snapshot."""


@dataclass(frozen=True, slots=True)
class Successors:
    """What became of what."""

    leftovers: frozenset[str]
    """What an attack made of documents."""
    made: frozenset[str]
    """Those that are accounted for: by their names, or among those that vanished as they came."""
    heirs: Mapping[str, str]
    """Documents that were made into something else for sure, and into what; empty where several may be it."""
    moved: Mapping[str, str]
    """Documents whose bytes came under another name as they went, and that name."""
    orphans: frozenset[str]
    """Leftovers of documents that no backup ever had."""
    doubtful: frozenset[str]
    """What came where nobody can say whose it was, and more came than vanished: some are such orphans."""
    unsettled: frozenset[Place]
    """Where leftovers came and documents went, and nobody can say which belong together."""


def successors(documents: Mapping[str, Document], began: int | None, reach: int) -> Successors:
    """What became of all that is gone since snapshot number `began`.

    `reach`: how many snapshots a move may take, where folders are kept in snapshots of their own.
    """
    moved = {} if began is None else moves(documents, began, reach)
    tracing = _Tracing(documents, began, moved, frozenset(moved.values()))
    tracing.longer_names()
    if began is not None:
        tracing.other_names(began)
    return Successors(
        leftovers=frozenset(tracing.leftovers),
        made=frozenset(tracing.made),
        heirs={path: heir for path, heir in tracing.heirs.items() if path not in tracing.leftovers},
        moved=moved,
        orphans=frozenset(tracing.orphans()),
        doubtful=frozenset(tracing.doubtful),
        unsettled=frozenset(tracing.unsettled),
    )


def promises(path: str) -> bool:
    """Whether its name says what it is, as the names do that people and programs give."""
    promise = by_name(path)
    return promise is not None and promise.firm


@dataclass(slots=True)
class _Tracing:
    """What is found on the way."""

    documents: Mapping[str, Document]
    began: int | None
    moved: Mapping[str, str]
    names: frozenset[str]
    """What users gave to files that they moved: no attack touched these."""
    leftovers: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    heirs: dict[str, str] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    unsettled: set[Place] = field(default_factory=set)
    endings: Counter[str] = field(default_factory=Counter)
    """What was put behind names of files that are gone."""
    owned: set[str] = field(default_factory=set)
    """Leftovers under a longer name of a document."""
    free: list[Document] = field(default_factory=list)
    """What came and belongs to none of those that vanished there."""

    def longer_names(self) -> None:
        """What is a longer name of a document, and what is random under a name that says nothing."""
        for path, document in self.documents.items():
            came = self.began is not None and document.first >= self.began
            struck = document.hit == document.first or document.random
            if State.INTACT in document.states or path in self.names or not (struck or came):
                continue
            if came and struck and not promises(path):
                self.leftovers.add(path)
            owner = origin(path, self.documents)
            if owner is None or not (came or document.hit >= 0):
                continue
            original = self.documents[owner]
            # Deleted before the longer name came: that was its user, and this is another file.
            if original.first > document.first or 0 <= original.gone < document.first:
                continue
            missing = original.gone >= 0
            if (missing or came) and (struck or original.gone == document.first):
                self.leftovers.add(path)
                self.owned.add(path)
                if missing or _given_back(original, document.first):
                    self.heirs.setdefault(owner, path)
                    self.made.add(path)
                    self.endings[path[len(owner) :]] += 1

    def other_names(self, began: int) -> None:
        """What came under names of its own, beside what vanished from the same folder."""
        came: defaultdict[Place, list[Document]] = defaultdict(list)
        lost: defaultdict[Place, list[Document]] = defaultdict(list)
        for path, document in self.documents.items():
            if document.first >= began and path not in self.owned and self._told_by_nobody(document):
                if self._marked(path):  # a longer name of what nobody saved
                    self.leftovers.add(path)
                    self.made.add(path)
                    self.free.append(document)
                else:
                    came[folder_of(path), document.first].append(document)
            elif document.gone >= began and not (
                path in self.leftovers or path in self.heirs or path in self.moved
            ):
                lost[folder_of(path), document.gone].append(document)
        more = added((documents, lost[place]) for place, documents in came.items())
        for place, documents in came.items():
            self._settle(place, documents, lost[place], more)

    def orphans(self) -> Iterator[str]:
        """Those of the free ones that are documents: a key or a note has one name in many folders."""
        names = Counter(name_of(one.path) for one in self.free)
        for one in self.free:
            if one.path in self.leftovers and names[name_of(one.path)] < SOME:
                yield one.path

    def _settle(self, place: Place, came: list[Document], lost: list[Document], more: int) -> None:
        match = matched(came, lost, more)
        for document in lost:
            if document.path in match.pairs:
                verdict = document.intact_verdict
                if verdict is not None and verdict.format is not None:
                    self.heirs[document.path] = match.pairs[document.path]
                else:
                    self.unsettled.add(place)
        left = {one.path for one in match.left}
        paired = {one.path for one in came} - left
        self.leftovers |= paired
        if self.heirs.keys() >= match.pairs.keys():
            self.made |= paired
        if match.missing and len(left) <= len(match.missing):
            self.leftovers |= {one.path for one in match.left if one.states == {State.UNKNOWN}}
        if match.missing and left:
            self.unsettled.add(place)
        if len(left) > len(match.missing) > 0:
            self.doubtful |= left
        self.free += [
            one for one in match.left if not match.missing or any(map(promises, shorter_names(one.path)))
        ]

    def _told_by_nobody(self, document: Document) -> bool:
        """Whether no list and no byte of it says what it is."""
        path, states = document.path, document.states
        if document.newest is None or State.INTACT in states or path in self.names:
            return False
        return path in self.leftovers or states == {State.UNKNOWN} or not promises(path)

    def _marked(self, path: str) -> bool:
        """Whether it bears an ending that the attack gave to others."""
        return any(self.endings[path[len(short) :]] >= SOME for short in shorter_names(path))


def _given_back(document: Document, number: int) -> bool:
    """Whether it was gone after a snapshot, and came back with the bytes it had."""
    return any(
        new.number > number
        and isinstance(old.item, Version)
        and isinstance(new.item, Version)
        and identity(old.item) == identity(new.item)
        for old, new in pairwise(document.sightings)
    )
