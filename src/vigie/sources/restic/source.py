"""A restic repository as a `Source`: snapshots, the versions in them, and their verified bytes."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Self

from vigie.errors import NoSuchTarget, Unreadable
from vigie.model import Attributes, Entry, Gone, Skipped, Snapshot, Version
from vigie.sources.file import FileBlob, in_words
from vigie.sources.restic.crypto import OVERHEAD
from vigie.sources.restic.location import connect, shown
from vigie.sources.restic.repository import Repository
from vigie.sources.restic.tree import Node, NodeKind
from vigie.sources.restic.walk import Lost, Trees, Walk

IN_MEMORY = 32 * 1024 * 1024
"""Files up to this many bytes are assembled in memory, larger ones in the folder for temporary files."""

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file in the repository; calling it opens it (it is the `open` of its `Entry`)."""

    repository: Repository = field(repr=False)
    node: Node
    plain: int

    def ids(self) -> Iterator[bytes]:
        content = self.node.content
        return (content[start : start + 32] for start in range(0, len(content), 32))

    def blobs(self) -> Iterator[bytes]:
        return self.repository.blobs(self.ids())

    def head(self) -> FileBlob:
        return self._assembled(self.repository.blobs(islice(self.ids(), 1)), in_memory=True)

    def __call__(self) -> FileBlob:
        return self._assembled(self.blobs(), in_memory=self.plain <= IN_MEMORY)

    def _assembled(self, blobs: Iterable[bytes], *, in_memory: bool) -> FileBlob:
        try:
            fd = _memory() if in_memory else _disk(self.plain)
            try:
                for blob in blobs:
                    _write(fd, blob)
                return FileBlob.adopt(_read_only(fd, sealable=in_memory))
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
        """Mode, owner and time of the file."""
        return _stored(version).node.attributes

    def folder(self, snapshot: Snapshot, path: str) -> Attributes | None:
        """Mode, owner and time of a folder of the snapshot; None where it cannot be told."""
        tree, found = self._tree(snapshot), None
        for name in path.strip("/").split("/"):
            try:
                nodes = self._trees.get(tree)
            except Unreadable:
                return None
            node = next((node for node in nodes if node.name == name and not node.flaw), None)
            if node is None or node.kind is not NodeKind.FOLDER:
                return None
            tree, found = node.subtree, node.attributes
        return found

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
                version = self._version(snapshot, item.path, item.node)
                if isinstance(version, Skipped):
                    walk.mark()
                yield version

    def _version(self, snapshot: Snapshot, path: str, node: Node) -> Version | Skipped:
        packed = plain = 0
        compressed = True
        for start in range(0, len(node.content), 32):
            place = self._repository.index.find(node.content[start : start + 32])
            if place is None:
                return Skipped(
                    path, f"a part of it is missing (blob {node.content[start : start + 4].hex()})"
                )
            packed += place.length - OVERHEAD
            plain += place.plain
            compressed &= place.compressed
        # Its size is what opening it gives; that of the node differs where a file changed while it was saved.
        entry = Entry(path, plain, node.attributes.mtime_ns, _Stored(self._repository, node, plain))
        content = hashlib.sha256(node.content).hexdigest()
        return Version(snapshot, entry, content, packed if compressed else None, node.content)


def _stored(version: Version) -> _Stored:
    stored = version.entry.open
    if not isinstance(stored, _Stored):
        raise TypeError("the version is not from a restic repository")
    return stored
