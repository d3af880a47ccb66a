"""Through the trees of one snapshot, or of two at once: equal trees have equal ids, so one look will do."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from vigie.errors import Unreadable
from vigie.sources.restic.repository import Repository
from vigie.sources.restic.tree import Interned, Node, NodeKind, order_of, parse_tree

_CACHED_NODES = 1_000_000
"""Nodes of decoded trees kept: most folders do not change from one snapshot to the next."""
_MAX_DEPTH = 4096
"""Folders in folders; a path of one-letter names that Linux can open ends at half of it."""
_FEW = 10_000_000
_OFTEN = 1024
_MOST = 100_000_000
"""Nodes gone through in one walk. Whoever can write a backup can have forty trees stand for 2^40 folders,
each holding the next one twice: past `_FEW`, a walk ends at `_OFTEN` times what the trees really hold."""

Nodes = tuple[Node, ...]
Pair = tuple[Node | None, Node | None]


class Trees:
    """Decoded trees by id, the least recently used dropped first."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._kept: OrderedDict[bytes, Nodes] = OrderedDict()
        self._nodes = 0
        self._lock = threading.Lock()
        self._interned: Interned = {}
        self.troubled: set[bytes] = set()
        """Trees at or below which something could not be read: they are entered each time."""
        self.loaded = 0
        """Nodes of all trees that were read."""
        self.partial = False
        """Whether a walk could not read an older tree: what is gone since it was not told in full."""

    def get(self, identifier: bytes) -> Nodes:
        """The nodes of one tree.

        Raises:
            Unreadable: it is missing, damaged or no tree.
        """
        with self._lock:
            nodes = self._kept.get(identifier)
            if nodes is not None:
                self._kept.move_to_end(identifier)
                return nodes
        data = self._repository.tree(identifier)
        with self._lock:
            if len(self._interned) > 2 * _CACHED_NODES:
                self._interned.clear()
            nodes = parse_tree(data, self._interned)
            self.loaded += len(nodes) + 1
            if identifier not in self._kept:
                self._kept[identifier] = nodes
                self._nodes += len(nodes) + 1
            while self._nodes > _CACHED_NODES and len(self._kept) > 1:
                self._nodes -= len(self._kept.popitem(last=False)[1]) + 1
        return nodes

    def drop(self, identifier: bytes) -> None:
        """Another tree stands in its place from now on: the room is for those that will be asked for."""
        with self._lock:
            nodes = self._kept.pop(identifier, None)
            if nodes is not None:
                self._nodes -= len(nodes) + 1


@dataclass(frozen=True, slots=True)
class Found:
    """A file in the new tree that the old one does not hold with the same bytes, or something unreadable."""

    path: str
    node: Node | None
    """None where `flaw` says why nothing can be read here."""
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """A file of the old tree that is not in the new one."""

    path: str


@dataclass(slots=True)
class _Level:
    """A folder that is being gone through."""

    path: str
    old: bytes | None
    tree: bytes
    pairs: Iterator[Pair]
    calm: bool
    """Whether nothing in the tree was unreadable so far: equal files then need no second look."""
    trouble: bool = False


class Walk:
    """From one tree to the next, depth first and without recursion, in path order.

    A file or folder that cannot be read is told each time, whether or not its tree changed.
    """

    def __init__(self, trees: Trees, old: bytes | None, new: bytes) -> None:
        self._trees = trees
        self._levels: list[_Level] = []
        self._old, self._new = old, new
        self._passed = 0

    def __iter__(self) -> Iterator[Found | Lost]:
        yield from self._enter("", self._old, self._new)
        while self._levels:
            level = self._levels[-1]
            pair = next(level.pairs, None)
            if pair is None:
                self._leave()
                continue
            old, new = pair
            if old is new and new is not None and new.kind is NodeKind.FILE and level.calm:
                continue
            for item in self._step(level, old, new):
                level.trouble |= isinstance(item, Found) and item.node is None
                yield item

    def mark(self) -> None:
        """The file told last could not be read after all: what leads to it is entered each time."""
        self._levels[-1].trouble = True

    def _step(self, level: _Level, old: Node | None, new: Node | None) -> Iterator[Found | Lost]:
        if new is None:
            if old is not None:
                yield from self._all_lost(f"{level.path}/{old.name}", old)
            return
        path = f"{level.path}/{new.name}"
        if new.flaw:
            yield Found(path, None, new.flaw)
            return
        if old is not None and (old.kind is not new.kind or old.flaw):
            yield from self._all_lost(path, old)
            old = None
        if new.kind is NodeKind.FILE:
            # A file in a troubled tree is told again: a part of it may be missing.
            if old is None or old.content != new.content or not level.calm:
                yield Found(path, new)
        elif new.kind is NodeKind.FOLDER:
            yield from self._enter(path, old.subtree if old else None, new.subtree)

    def _enter(self, path: str, old: bytes | None, new: bytes) -> Iterator[Found]:
        if len(self._levels) >= _MAX_DEPTH:
            yield Found(path, None, "folders are nested too deep")
            return
        if old == new and new not in self._trees.troubled:
            return
        flaw = ""
        try:
            after = self._trees.get(new)
        except Unreadable as error:
            flaw = f"the list of its files cannot be read: {error.reason}"
        else:
            if self._endless(after):
                flaw = "the same folders lie in each other over and over"
        if flaw:
            self._trees.troubled.add(new)
            yield Found(path or "/", None, flaw)
            return
        try:
            before = self._trees.get(old) if old is not None else ()
        except Unreadable:
            before, self._trees.partial = (), True
        self._levels.append(_Level(path, old, new, _paired(before, after), new not in self._trees.troubled))

    def _leave(self) -> None:
        level = self._levels.pop()
        if level.old is not None and level.old != level.tree:
            self._trees.drop(level.old)
        if level.trouble:
            self._trees.troubled.add(level.tree)
            if self._levels:
                self._levels[-1].trouble = True

    def _endless(self, nodes: Nodes) -> bool:
        self._passed += len(nodes) + 1
        return self._passed > min(_MOST, max(_FEW, _OFTEN * self._trees.loaded))

    def _all_lost(self, path: str, node: Node) -> Iterator[Lost]:
        if node.kind is NodeKind.FILE and not node.flaw:
            yield Lost(path)
        elif node.kind is NodeKind.FOLDER:
            below: list[tuple[str, Iterator[Node]]] = [(path, iter(self._known(node.subtree)))]
            while below:
                folder, nodes = below[-1]
                here = next(nodes, None)
                if here is None:
                    below.pop()
                elif here.kind is NodeKind.FILE and not here.flaw:
                    yield Lost(f"{folder}/{here.name}")
                elif here.kind is NodeKind.FOLDER and len(below) < _MAX_DEPTH:
                    below.append((f"{folder}/{here.name}", iter(self._known(here.subtree))))

    def _known(self, tree: bytes) -> Nodes:
        try:
            nodes = self._trees.get(tree)
        except Unreadable:
            nodes = None
        if nodes is None or self._endless(nodes):
            self._trees.partial = True
            return ()
        return nodes


def _paired(before: Nodes, after: Nodes) -> Iterator[Pair]:
    """Nodes of the same name side by side, in the order of the bytes of the names."""
    old, new = iter(before), iter(after)
    left, right = next(old, None), next(new, None)
    while left is not None or right is not None:
        if left is right:
            yield left, right
            left, right = next(old, None), next(new, None)
        elif left is None or (right is not None and order_of(right) < order_of(left)):
            yield None, right
            right = next(new, None)
        elif right is None or order_of(left) < order_of(right):
            yield left, None
            left = next(old, None)
        else:
            yield left, right
            left, right = next(old, None), next(new, None)
