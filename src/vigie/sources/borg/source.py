"""A borg repository as a `Source`: archives, the versions in them, and their bytes."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from vigie.errors import NoSuchTarget, RepositoryDamaged, WrongPassword
from vigie.model import Attributes, Entry, Gone, Skipped, Snapshot, Version
from vigie.sources.borg.archive import BRIEF, FULL, Archive, archives
from vigie.sources.borg.listing import Item, Listing, order, parse_listing
from vigie.sources.borg.program import Borg
from vigie.sources.borg.reader import Reader
from vigie.sources.borg.shadow import Shadow
from vigie.sources.file import FileBlob

_LISTINGS = 2
"""Listings that are kept: a walk from archive to archive needs each one twice."""
_LONGEST_LINE = 1 << 20

_ENCRYPTED, _PLAIN = 43, 3
"""Bytes that borg adds to a chunk (its manual, "Data structures and file formats"), two for compression."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file in an archive; calling it opens it (it is the `open` of its `Entry`)."""

    reader: Reader = field(repr=False)
    archive: str
    item: Item

    def __call__(self) -> FileBlob:
        return self.reader.open(self.archive, self.item)

    def head(self) -> FileBlob:
        return self.reader.head(self.archive, self.item)


class BorgSource:
    """All archives of a borg 1.x repository in a local folder, read-only and without a lock.

    Versions come in path order: names compared folder by folder, as bytes. Paths are as `borg list` has them,
    behind a slash. A snapshot's id is the archive's, and its first tag the archive's name.
    """

    def __init__(self, location: str, password: str | Callable[[], str]) -> None:
        """Open the repository in the folder `location`; a `password` function is asked once, if need be.

        Raises:
            NoSuchTarget: there is no repository.
            NotPermitted: it may not be read.
            MissingProgram: borg is not installed.
            WrongPassword: the passphrase is wrong, or its key file is not found.
            RepositoryDamaged: nothing in it can be read, or it was made by borg 2.
        """
        self.location = location
        if "::" in location or location.startswith("ssh://"):
            raise NoSuchTarget(
                location, "only a repository in a folder can be read", "Mount it read-only: sshfs -o ro"
            )
        self._damage: list[Skipped] = []
        self._shadow = Shadow.of(location)
        try:
            self._borg, document = self._opened(password)
        except BaseException:
            self._shadow.close()
            raise
        self._archives = {archive.snapshot.id: archive for archive in archives(document)}
        # Chunks are shared: one run that was not to compress makes what any archive holds doubtful.
        self._compressed = all(archive.compressed for archive in self._archives.values())
        mode = document.get("encryption")
        sealed = isinstance(mode, dict) and str(mode.get("mode")).startswith(("repokey", "keyfile"))
        self._overhead = _ENCRYPTED if sealed else _PLAIN
        self._listings: OrderedDict[str, Listing] = OrderedDict()
        self._reader = Reader(self._borg)

    def _opened(self, password: str | Callable[[], str]) -> tuple[Borg, dict[str, object]]:
        """The program with the passphrase that fits, and what it lists."""
        borg = Borg.at(self.location, self._shadow)
        if isinstance(password, str):
            return (borg := borg.with_passphrase(password)), self._listed(borg)
        if not self._shadow.has_key:
            # Most likely not encrypted; only borg can tell.
            try:
                return borg, self._listed(borg)
            except WrongPassword as error:
                if "passphrase" not in error.problem:
                    raise
        return (borg := borg.with_passphrase(password())), self._listed(borg)

    def _listed(self, borg: Borg) -> dict[str, object]:
        try:
            return borg.json("list", *FULL, borg.repository)
        except RepositoryDamaged as error:
            # One archive that cannot be read keeps borg from listing the others, but not from naming them.
            document = borg.json("list", *BRIEF, borg.repository)
            self._damage.append(Skipped("archives", f"host and paths are not known: {error.problem}"))
            return document

    @property
    def damage(self) -> tuple[Skipped, ...]:
        """Archives whose list of files cannot be read, so far as they were looked at, and why."""
        return tuple(self._damage)

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All archives, oldest first."""
        return tuple(archive.snapshot for archive in self._archives.values())

    def versions(self, snapshot: Snapshot) -> Iterator[Version | Skipped]:
        """Every regular file of one archive, in path order; what is damaged is skipped, the rest comes.

        Raises:
            NoSuchTarget: the snapshot is not of this repository.
        """
        found = self.changes(None, snapshot)
        return (item for item in found if not isinstance(item, Gone))

    def changes(self, before: Snapshot | None, after: Snapshot) -> Iterator[Version | Skipped | Gone]:
        """What differs from one archive to the next, in path order: files whose lists of chunks differ.

        Raises:
            NoSuchTarget: one of the snapshots is not of this repository.
        """
        archive = self._archive(after)
        old = self._listing(self._archive(before)) if before else Listing(())
        new = self._listing(archive)
        differs = list(_differing(old, new))
        self._reader.announce(archive.name, [item for item in differs if isinstance(item, Item)])
        return self._told(archive, new.flaw, differs)

    def head(self, version: Version) -> FileBlob:
        """The first 512 KiB of a file of more than 4 MiB, all of a smaller one.

        Raises:
            Unreadable: they are missing or damaged.
        """
        return _stored(version).head()

    def attributes(self, version: Version) -> Attributes:
        """Mode, owner and time of the file."""
        return _stored(version).item.attributes

    def folder(self, snapshot: Snapshot, path: str) -> Attributes | None:
        """Mode, owner and time of a folder; None of one that is not in the archive: borg leaves out parents.

        Raises:
            NoSuchTarget: the snapshot is not of this repository.
        """
        return self._listing(self._archive(snapshot)).folders.get(path)

    def close(self) -> None:
        """Remove the shadow; blobs that are open stay readable."""
        self._shadow.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _archive(self, snapshot: Snapshot) -> Archive:
        archive = self._archives.get(snapshot.id)
        if archive is None:
            raise NoSuchTarget(
                f"{self.location}@{snapshot.id[:8]}", "no such archive", "List them: vigie timeline"
            )
        return archive

    def _listing(self, archive: Archive) -> Listing:
        name = archive.name
        if name in self._listings:
            self._listings.move_to_end(name)
            return self._listings[name]
        with self._borg.running("debug", "dump-archive", f"{self._borg.repository}::{name}", "-") as run:
            listing = parse_listing(iter(lambda: run.out.readline(_LONGEST_LINE), b""))
            run.out.close()
            if not run.ended():
                reason = f"borg gave up: {self._borg.complaint(run).problem}"
                listing = Listing(listing.items, reason, listing.folders)
        if listing.flaw:
            self._damage.append(Skipped(name, f"the list of its files: {listing.flaw}"))
        self._listings[name] = listing
        while len(self._listings) > _LISTINGS:
            self._listings.popitem(last=False)
        return listing

    def _told(
        self, archive: Archive, flaw: str, differs: list[Item | Gone]
    ) -> Iterator[Version | Skipped | Gone]:
        if flaw:
            yield Skipped("/", f"the list of its files cannot be read to the end: {flaw}")
        for item in differs:
            if isinstance(item, Gone):
                yield item
            elif item.flaw:
                yield Skipped(item.path, item.flaw)
            else:
                yield self._version(archive, item)

    def _version(self, archive: Archive, item: Item) -> Version:
        entry = Entry(
            item.path, item.size, item.attributes.mtime_ns, _Stored(self._reader, archive.name, item)
        )
        packed = max(item.stored - self._overhead * (len(item.chunks) // 32), 0)
        # What takes fewer bytes than it holds was compressed, whatever the command lines say.
        known = self._compressed or packed < item.size
        return Version(archive.snapshot, entry, item.content, packed if known else None, item.chunks)


def _differing(old: Listing, new: Listing) -> Iterator[Item | Gone]:
    """Files of `new` that `old` does not hold with the same chunks, and what is gone if `new` is whole."""
    before, after = iter(old.items), iter(new.items)
    left, right = next(before, None), next(after, None)
    while left is not None or right is not None:
        if right is None or (left is not None and order(left.path) < order(right.path)):
            if left is not None and not left.flaw and not new.flaw:
                yield Gone(left.path)
            left = next(before, None)
        elif left is None or order(right.path) < order(left.path):
            yield right
            right = next(after, None)
        else:
            if right.flaw or left.flaw or left.chunks != right.chunks:
                yield right
            left, right = next(before, None), next(after, None)


def _stored(version: Version) -> _Stored:
    stored = version.entry.open
    if not isinstance(stored, _Stored):
        raise TypeError("the version is not from a borg repository")
    return stored
