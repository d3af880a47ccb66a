"""A restic repository as a `Source`: snapshots, the versions in them, and their verified bytes."""

import fcntl
import hashlib
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from vigie.errors import NoSuchTarget, Unreadable
from vigie.model import Entry, Skipped, Snapshot, Version
from vigie.sources.file import FileBlob, in_words
from vigie.sources.restic.location import connect, shown
from vigie.sources.restic.repository import Repository
from vigie.sources.restic.tree import FileAttributes, Node, NodeKind, parse_tree

IN_MEMORY = 32 * 1024 * 1024
"""Files up to this many bytes are assembled in memory, larger ones in the folder for temporary files."""

_CACHED_NODES = 200_000
"""Nodes of decoded trees kept: most folders do not change from one snapshot to the next."""
_MAX_DEPTH = 4096
"""Folders in folders; a path of one-letter names that Linux can open ends at half of it."""
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file in the repository; calling it opens it (it is the `open` of its `Entry`)."""

    repository: Repository = field(repr=False)
    node: Node
    stored: int
    plain: int

    def ids(self) -> Iterator[bytes]:
        content = self.node.content
        return (content[start : start + 32] for start in range(0, len(content), 32))

    def blobs(self) -> Iterator[bytes]:
        return self.repository.blobs(self.ids())

    def __call__(self) -> FileBlob:
        try:
            fd = _memory() if self.plain <= IN_MEMORY else _disk(self.plain)
            try:
                for blob in self.blobs():
                    _write(fd, blob)
                return FileBlob.adopt(_read_only(fd, sealable=self.plain <= IN_MEMORY))
            finally:
                os.close(fd)
        except OSError as error:
            raise Unreadable(
                f"it cannot be assembled in {tempfile.gettempdir()}: {in_words(error)}"
            ) from error


def _memory() -> int:
    return os.memfd_create("vigie", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def _disk(size: int) -> int:
    room = os.statvfs(tempfile.gettempdir())
    if size > room.f_bavail * room.f_frsize // 2:
        # Half is left to others: what lists one blob a million times must not fill the disk.
        raise Unreadable(f"{size} bytes are too many to assemble in {tempfile.gettempdir()}")
    # It has no name any more once it is open: nothing is left behind however we end.
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _read_only(fd: int, *, sealable: bool) -> int:
    """The same bytes under a descriptor that cannot change them: it will be handed to other processes."""
    if sealable:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        return os.dup(fd)
    return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)


class _Trees:
    """Decoded trees by id, the least recently used dropped first."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._kept: OrderedDict[bytes, tuple[Node, ...]] = OrderedDict()
        self._nodes = 0
        self._lock = threading.Lock()

    def get(self, identifier: bytes) -> tuple[Node, ...]:
        with self._lock:
            nodes = self._kept.get(identifier)
            if nodes is not None:
                self._kept.move_to_end(identifier)
                return nodes
        nodes = parse_tree(self._repository.tree(identifier))
        with self._lock:
            if identifier not in self._kept:
                self._kept[identifier] = nodes
                self._nodes += len(nodes) + 1
            while self._nodes > _CACHED_NODES and len(self._kept) > 1:
                self._nodes -= len(self._kept.popitem(last=False)[1]) + 1
        return nodes


class ResticSource:
    """All snapshots of a restic repository (format 1 or 2), read-only and without a lock.

    Versions come in path order: names compared folder by folder, as bytes. Paths are as `restic ls` has them.
    """

    def __init__(self, location: str, password: str | Callable[[], str]) -> None:
        """Open the repository at `location`, written as for `restic -r`; a `password` function is asked once.

        Raises:
            NoSuchTarget: there is no repository, or it does not answer.
            NotPermitted: whoever keeps it refuses.
            MissingProgram: it takes rclone, which is not installed.
            WrongPassword: no key file opens with this password.
            RepositoryDamaged: nothing in it can be read, or its format is newer than we know.
        """
        self.location = shown(location)
        transport = connect(location)
        try:
            self._repository = Repository.open(transport, password, self.location)
        except BaseException:
            transport.close()
            raise
        self._trees = _Trees(self._repository)
        self._tree_of = {root.snapshot.id: root.tree for root in self._repository.roots}

    @property
    def damage(self) -> tuple[Skipped, ...]:
        """Files of the repository itself (config, keys, snapshots, index) that cannot be read, and why."""
        return tuple(self._repository.damage)

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All snapshots, oldest first."""
        return tuple(root.snapshot for root in self._repository.roots)

    def versions(self, snapshot: Snapshot) -> Iterator[Version | Skipped]:
        """Every regular file of one snapshot, in path order; what is damaged is skipped, the rest comes.

        Raises:
            NoSuchTarget: the snapshot is not of this repository.
        """
        tree = self._tree_of.get(snapshot.id)
        if tree is None:
            raise NoSuchTarget(
                f"{self.location}@{snapshot.id[:8]}", "no such snapshot", "List them: vigie timeline"
            )
        return self._walk(snapshot, tree)

    def sizes(self, version: Version) -> tuple[int, int]:
        """Bytes its blobs take in the repository (unsealed) and bytes of the file; nothing is read for it.

        The first over the second tells how compressible the file is, where the repository compresses.
        """
        stored = _stored(version)
        return stored.stored, stored.plain

    def attributes(self, version: Version) -> FileAttributes:
        """Mode, owner and time of the file."""
        return _stored(version).node.attributes

    def read(self, version: Version) -> Iterator[bytes]:
        """The bytes of the file, piece by piece, each verified.

        Raises:
            Unreadable: a blob is missing or damaged; those before it have been given.
        """
        return _stored(version).blobs()

    def close(self) -> None:
        """Let go of connections and child processes; blobs that are open stay readable."""
        self._repository.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _walk(self, snapshot: Snapshot, tree: bytes) -> Iterator[Version | Skipped]:
        # Depth first without recursion: a folder's nodes, and the path they are under.
        levels: list[tuple[str, Iterator[Node]]] = []
        found = self._enter("", tree, levels)
        if found:
            yield found
        while levels:
            folder, nodes = levels[-1]
            node = next(nodes, None)
            if node is None:
                levels.pop()
                continue
            path = f"{folder}/{node.name}"
            if node.flaw:
                yield Skipped(path, node.flaw)
            elif node.kind is NodeKind.FILE:
                yield self._version(snapshot, path, node)
            elif node.kind is NodeKind.FOLDER and (skipped := self._enter(path, node.subtree, levels)):
                yield skipped

    def _enter(self, path: str, tree: bytes, levels: list[tuple[str, Iterator[Node]]]) -> Skipped | None:
        if len(levels) >= _MAX_DEPTH:
            return Skipped(path, "folders are nested too deep")
        try:
            levels.append((path, iter(self._trees.get(tree))))
        except Unreadable as error:
            return Skipped(path or "/", f"the list of its files cannot be read: {error.reason}")
        return None

    def _version(self, snapshot: Snapshot, path: str, node: Node) -> Version | Skipped:
        stored = plain = 0
        for start in range(0, len(node.content), 32):
            place = self._repository.index.find(node.content[start : start + 32])
            if place is None:
                return Skipped(
                    path, f"a part of it is missing (blob {node.content[start : start + 4].hex()})"
                )
            stored += place.length - 32
            plain += place.plain
        # Its size is what opening it gives; that of the node differs where a file changed while it was saved.
        entry = Entry(path, plain, node.attributes.mtime_ns, _Stored(self._repository, node, stored, plain))
        return Version(snapshot, entry, hashlib.sha256(node.content).hexdigest())


def _stored(version: Version) -> _Stored:
    stored = version.entry.open
    if not isinstance(stored, _Stored):
        raise TypeError("the version is not from a restic repository")
    return stored
