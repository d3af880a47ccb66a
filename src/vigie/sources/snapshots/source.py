"""A folder of snapshots as a `Source`: moments, the versions in them, and their bytes."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from vigie.errors import NoSuchTarget, Unreadable
from vigie.model import Attributes, Entry, Gone, Skipped, Snapshot, Version
from vigie.sources.file import FileBlob, in_words
from vigie.sources.folder import FolderEntry, walk
from vigie.sources.snapshots.filesystem import Home, home
from vigie.sources.snapshots.moments import Moment, moments

_Pair = tuple["Version | Skipped | None", "Version | Skipped | None"]


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file in a snapshot folder; calling it opens it (it is the `open` of its `Entry`)."""

    path: str

    def __call__(self) -> FileBlob:
        return FileBlob.open(self.path)

    def attributes(self) -> Attributes:
        try:
            return _attributes(self.path, os.lstat(self.path))
        except OSError as error:
            raise Unreadable(in_words(error)) from error


class SnapshotsSource:
    """All moments in a folder, read-only. A snapshot's id is its folder's name; a tag says what dates it.

    Two versions are of one content where they are one inode, with the same size, mtime and ctime: hard links,
    or a file in two snapshots of one btrfs or ZFS file system. Copies have no identity in common: of two
    moments that share no inode at all, `changes` believes size and mtime, which an attacker can keep.
    """

    def __init__(self, folder: str) -> None:
        """Look for moments in `folder`.

        Raises:
            NoSuchTarget: there is no such folder, or no moment in it.
            NotPermitted: it may not be listed.
        """
        self.location = folder
        found, self.damage = moments(folder)
        self._moments: dict[str, tuple[Moment, Home]] = {}
        for moment in found:
            self._moments[moment.name] = moment, home(moment.root)
        self._linked: dict[tuple[str, str], bool] = {}

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All moments, oldest first."""
        return tuple(
            Snapshot(moment.name, moment.time_ns, paths=("/",), tags=(moment.dated,))
            for moment, _ in self._moments.values()
        )

    def versions(self, snapshot: Snapshot) -> Iterator[Version | Skipped]:
        """Every regular file of one moment, in path order.

        Raises:
            NoSuchTarget: the snapshot is not of this folder.
        """
        return self._walk(snapshot, *self._moment(snapshot))

    def changes(self, before: Snapshot | None, after: Snapshot) -> Iterator[Version | Skipped | Gone]:
        """What differs from one moment to the next, in path order.

        Raises:
            NoSuchTarget: one of the snapshots is not of this folder.
        """
        if before is None:
            return self.versions(after)
        self._moment(before)
        self._moment(after)
        return self._changes(before, after)

    def head(self, version: Version) -> FileBlob:
        """The file itself: no more of it is read than is asked for.

        Raises:
            Unreadable: it cannot be opened.
        """
        return _stored(version)()

    def attributes(self, version: Version) -> Attributes:
        """Mode, owner and time of the file.

        Raises:
            Unreadable: it is no longer there.
        """
        return _stored(version).attributes()

    def folder(self, snapshot: Snapshot, path: str) -> Attributes | None:
        """Mode, owner and time of a folder of the moment; None where it cannot be told.

        Raises:
            NoSuchTarget: the snapshot is not of this folder.
        """
        moment, _ = self._moment(snapshot)
        place = f"{moment.root.rstrip('/')}/{path.strip('/')}"
        try:
            status = os.lstat(place)
            return _attributes(place, status) if stat.S_ISDIR(status.st_mode) else None
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _moment(self, snapshot: Snapshot) -> tuple[Moment, Home]:
        found = self._moments.get(snapshot.id)
        if found is None:
            raise NoSuchTarget(
                f"{self.location}@{snapshot.id}", "no such snapshot", "List them: vigie timeline"
            )
        return found

    def _walk(self, snapshot: Snapshot, moment: Moment, where: Home) -> Iterator[Version | Skipped]:
        cut = len(moment.root.rstrip("/"))
        try:
            # What is mounted inside a snapshot is not of that moment.
            found = walk((moment.root,), one_filesystem=True)
        except NoSuchTarget:
            yield Skipped("/", "the snapshot vanished")
            return
        for item in found:
            path = item.path[cut:] or "/"
            if isinstance(item, FolderEntry):
                entry = Entry(path, item.size, item.mtime_ns, _Stored(item.path))
                yield Version(snapshot, entry, _identity(item, where))
            else:
                yield Skipped(path, item.reason if isinstance(item, Skipped) else "no folder any more")

    def _changes(self, before: Snapshot, after: Snapshot) -> Iterator[Version | Skipped | Gone]:
        exact = self._is_exact(before, after)
        hidden: bytes | None = None
        for old, new in self._pairs(before, after):
            if isinstance(new, Skipped):
                hidden = _order(new.path)
                yield new
            elif new is not None:
                if not isinstance(old, Version) or not _same(old, new, exact=exact):
                    yield new
            elif isinstance(old, Version) and not (hidden and _is_below(_order(old.entry.path), hidden)):
                yield Gone(old.entry.path)

    def _pairs(self, before: Snapshot, after: Snapshot) -> Iterator[_Pair]:
        """What lies at the same path side by side, in path order."""
        old, new = self.versions(before), self.versions(after)
        left, right = next(old, None), next(new, None)
        while left is not None or right is not None:
            here = _order(_path(left)) if left is not None else None
            there = _order(_path(right)) if right is not None else None
            if here is None or (there is not None and there < here):
                yield None, right
                right = next(new, None)
            elif there is None or here < there:
                yield left, None
                left = next(old, None)
            else:
                yield left, right
                left, right = next(old, None), next(new, None)

    def _is_exact(self, before: Snapshot, after: Snapshot) -> bool:
        """Whether a file that did not change is the same inode in both moments.

        So it is in snapshots of one file system, and where tools make hard links: then a file that is not
        shared was written, whatever its mtime says.
        """
        (old, here), (new, there) = self._moment(before), self._moment(after)
        if old == new or (here.many_devices and here == there and old.device != new.device):
            return True
        pair = before.id, after.id
        if pair not in self._linked:
            # Any pair that shares one tells how this folder is made. As a rule the first few files do.
            self._linked[pair] = any(self._linked.values()) or any(
                isinstance(old, Version) and isinstance(new, Version) and _same(old, new, exact=True)
                for old, new in self._pairs(before, after)
            )
        return self._linked[pair]


def _attributes(path: str, status: os.stat_result) -> Attributes:
    extended: list[tuple[str, bytes]] = []
    with suppress(OSError):  # a file system without them; or one is gone again: the others do
        for name in os.listxattr(path, follow_symlinks=False):
            with suppress(OSError):
                extended.append((name, os.getxattr(path, name, follow_symlinks=False)))
    return Attributes(
        stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns, tuple(extended)
    )


def _identity(item: FolderEntry, where: Home) -> str:
    if not where.name:
        return ""
    device = "" if where.many_devices else f"{item.dev:x}"
    return f"{where.name}:{device}:{item.ino}:{item.size}:{item.mtime_ns}:{item.ctime_ns}"


def _same(old: Version, new: Version, *, exact: bool) -> bool:
    if old.content and old.content == new.content:
        return True
    return not exact and (old.entry.size, old.entry.mtime_ns) == (new.entry.size, new.entry.mtime_ns)


def _path(item: Version | Skipped) -> str:
    return item.path if isinstance(item, Skipped) else item.entry.path


def _order(path: str) -> bytes:
    """What sorts paths folder by folder, by the bytes of the names."""
    return os.fsencode(path).replace(b"/", b"\0")


def _is_below(path: bytes, folder: bytes) -> bool:
    return path.startswith(folder.rstrip(b"\0") + b"\0")  # the topmost one is a slash alone


def _stored(version: Version) -> _Stored:
    stored = version.entry.open
    if not isinstance(stored, _Stored):
        raise TypeError("the version is not from a folder of snapshots")
    return stored
