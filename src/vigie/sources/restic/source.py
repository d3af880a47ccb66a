"""A restic repository as a `Source`: snapshots, the versions in them, and their verified bytes."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Self

from vigie.errors import NoSuchTarget, Unreadable
from vigie.model import Attributes, Entry, Gone, Skipped, Snapshot, Version
from vigie.sources.file import FileBlob
from vigie.sources.restic.crypto import OVERHEAD
from vigie.sources.restic.location import connect, shown
from vigie.sources.restic.repository import Repository
from vigie.sources.restic.tree import Node, NodeKind
from vigie.sources.restic.walk import Lost, Trees, Walk
from vigie.sources.spool import spooled


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file in the repository; calling it opens it (it is the `open` of its `Entry`)."""

    repository: Repository = field(repr=False)
    content: bytes
    """The ids of its blobs in order."""
    plain: int
    attributes: Attributes | None
    """None: its tree was not read in this run, and tells when it is asked."""

    def ids(self) -> Iterator[bytes]:
        return (self.content[start : start + 32] for start in range(0, len(self.content), 32))

    def blobs(self) -> Iterator[bytes]:
        return self.repository.blobs(self.ids())

    def head(self) -> FileBlob:
        # All of the blob, though a piece of it could be decrypted: AES-CTR is open to whoever knows what was
        # sealed, and an attack knows what it wrote. The tag over the whole blob is what stands in their way.
        # Such a piece could but raise a suspicion, and what is struck is found by its packing, and sampled.
        first = b"".join(self.repository.blobs(islice(self.ids(), 1)))
        return spooled((first,), len(first))

    def __call__(self) -> FileBlob:
        return spooled(self.blobs(), self.plain)


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
        self._trees = Trees(self._repository)
        self._tree_of = {root.snapshot.id: root.tree for root in self._repository.roots}

    @property
    def far(self) -> bool:
        """Whether reading waits for a network, so that it is worth to read ahead."""
        return self._repository.far

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
        found = self._walk(None, self._tree(snapshot), snapshot)
        return (item for item in found if not isinstance(item, Gone))

    def changes(self, before: Snapshot | None, after: Snapshot) -> Iterator[Version | Skipped | Gone]:
        """What differs from one snapshot to the next, in path order; equal trees are not even read.

        Raises:
            NoSuchTarget: one of the snapshots is not of this repository.
        """
        return self._walk(self._tree(before) if before else None, self._tree(after), after)

    def head(self, version: Version) -> FileBlob:
        """The first blob of the file, verified: 512 KiB or more of it, all of a smaller one.

        Raises:
            Unreadable: it is missing or damaged.
        """
        return _stored(version).head()

    def attributes(self, version: Version) -> Attributes:
        """Mode, owner and time of the file; where its tree cannot be read any more, as private as can be."""
        known = _stored(version).attributes
        if known is not None:
            return known
        node = self._node(version.snapshot, version.entry.path)
        if node is not None and node.content == version.chunks:
            return node.attributes
        return Attributes(0o600, os.getuid(), os.getgid(), version.entry.mtime_ns)

    def folder(self, snapshot: Snapshot, path: str) -> Attributes | None:
        """Mode, owner and time of a folder of the snapshot; None where it cannot be told."""
        node = self._node(snapshot, path)
        return node.attributes if node is not None and node.kind is NodeKind.FOLDER else None

    def root(self, snapshot: Snapshot) -> str:
        """The id of its topmost tree: what snapshots that hold the same files have in common.

        Raises:
            NoSuchTarget: the snapshot is not of this repository.
        """
        return self._tree(snapshot).hex()

    @property
    def troubled(self) -> bool:
        """Whether something in the trees that were read so far could not be."""
        return bool(self._trees.troubled) or self._trees.partial

    def noted(self, snapshot: Snapshot, path: str, mtime_ns: int, chunks: bytes) -> Version | Skipped:
        """What `changes` gave for this file in an earlier run, without its tree; the index is asked again."""
        return self._version(snapshot, path, mtime_ns, chunks, None)

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

    def _tree(self, snapshot: Snapshot) -> bytes:
        tree = self._tree_of.get(snapshot.id)
        if tree is None:
            raise NoSuchTarget(
                f"{self.location}@{snapshot.id[:8]}", "no such snapshot", "List them: vigie timeline"
            )
        return tree

    def _walk(self, old: bytes | None, new: bytes, snapshot: Snapshot) -> Iterator[Version | Skipped | Gone]:
        walk = Walk(self._trees, old, new)
        for item in walk:
            if isinstance(item, Lost):
                yield Gone(item.path)
            elif item.node is None:
                yield Skipped(item.path, item.flaw)
            else:
                attributes = item.node.attributes
                version = self._version(
                    snapshot, item.path, attributes.mtime_ns, item.node.content, attributes
                )
                if isinstance(version, Skipped):
                    walk.mark()
                yield version

    def _version(
        self, snapshot: Snapshot, path: str, mtime_ns: int, chunks: bytes, attributes: Attributes | None
    ) -> Version | Skipped:
        packed = plain = 0
        compressed = True
        for start in range(0, len(chunks), 32):
            place = self._repository.index.find(chunks[start : start + 32])
            if place is None:
                self._repository.note_gap()
                return Skipped(path, f"a part of it is missing (blob {chunks[start : start + 4].hex()})")
            packed += place.length - OVERHEAD
            plain += place.plain
            compressed &= place.compressed
        # Its size is what opening it gives; that of the node differs where a file changed while it was saved.
        entry = Entry(path, plain, mtime_ns, _Stored(self._repository, chunks, plain, attributes))
        content = hashlib.sha256(chunks).hexdigest()
        return Version(snapshot, entry, content, packed if compressed else None, chunks)

    def _node(self, snapshot: Snapshot, path: str) -> Node | None:
        """The file or folder at a path, from one tree to the next; None where it cannot be told."""
        tree, found = self._tree(snapshot), None
        for name in path.strip("/").split("/"):
            if found is not None and found.kind is not NodeKind.FOLDER:
                return None
            try:
                nodes = self._trees.get(found.subtree if found else tree)
            except Unreadable:
                return None
            found = next((node for node in nodes if node.name == name and not node.flaw), None)
            if found is None:
                return None
        return found


def _stored(version: Version) -> _Stored:
    stored = version.entry.open
    if not isinstance(stored, _Stored):
        raise TypeError("the version is not from a restic repository")
    return stored
