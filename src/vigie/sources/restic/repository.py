"""An opened restic repository: its key, its index, and verified bytes by id."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Self

from vigie.errors import NoSuchTarget, NotPermitted, RepositoryDamaged, Unreadable
from vigie.model import Skipped
from vigie.sources.restic.compression import decompress
from vigie.sources.restic.crypto import Key
from vigie.sources.restic.document import is_name, parse
from vigie.sources.restic.index import Index, Place
from vigie.sources.restic.keys import unlock
from vigie.sources.restic.readahead import ReadAhead
from vigie.sources.restic.snapshot import Root, parse_snapshot
from vigie.sources.restic.transport import Absent, Refused, Transport, Unreachable

NEWEST_FORMAT = 2

_MAX_FILE = 128 * 1024 * 1024
"""Bytes of a snapshot or index file, sealed or plain. restic starts a new index file at 8 MiB."""
_WRITING = re.compile(r"-tmp-\d+$")
"""How restic's local backend ends the name of a file that it is still writing."""
_GAP = "it does not list all that the snapshots hold; on a copy: restic repair index (or rebuild-index)"
_MAX_RUN = 16 * 1024 * 1024
"""Bytes of neighbouring blobs read at once."""


class Repository:
    """What every reader of a repository needs. Never locks, never writes."""

    def __init__(self, transport: Transport, key: Key, name: str, damage: Iterable[Skipped] = ()) -> None:
        self._transport = transport
        self.far = transport.far
        """Whether each read costs a round trip."""
        self._ahead = ReadAhead(transport) if transport.far else None
        self._key = key
        self._name = name
        self.damage = list(damage)
        """Files of the repository that cannot be read, and why."""
        self.roots: tuple[Root, ...] = ()
        """All snapshots, oldest first."""
        self.index = Index()

    @classmethod
    def open(cls, transport: Transport, password: str | Callable[[], str], name: str) -> Self:
        """Open the repository that `transport` reaches; `name` is what people call it.

        A missing or broken config does not stop us where a key file opens: attackers delete it, and what it
        says is needed for writing only.

        Raises:
            NoSuchTarget: there is no repository, or it does not answer.
            NotPermitted: whoever keeps it refuses.
            WrongPassword: no key file opens with this password.
            RepositoryDamaged: nothing in it can be read, or its format is newer than we know.
        """
        damage: list[Skipped] = []
        try:
            sealed_config: bytes | None = transport.read("config", "", 0, _MAX_FILE)
        except Absent as error:
            sealed_config = None
            damage.append(Skipped("config", error.reason))
        except Refused as error:
            raise NotPermitted(name, error.reason, "Use an account that may read the repository.") from error
        except Unreachable as error:
            raise NoSuchTarget(name, error.reason, "Check the location and the network.") from error
        except Unreadable as error:
            sealed_config = None
            damage.append(Skipped("config", error.reason))
        key = unlock(transport, password, name, damage, config_is_there=sealed_config is not None)
        if sealed_config is not None:
            try:
                version = parse(key.open(sealed_config)).get("version")
                if not isinstance(version, int):
                    raise Unreadable("it does not say which format the repository has")  # noqa: TRY301 (reads best)
            except Unreadable as error:
                damage.append(Skipped("config", error.reason))
            else:
                if not 1 <= version <= NEWEST_FORMAT:
                    raise RepositoryDamaged(
                        name, f"it has format {version}, and we know 1 and 2", "Upgrade Vigie."
                    )
        repository = cls(transport, key, name, damage)
        repository.refresh()
        return repository

    def refresh(self) -> None:
        """Read snapshots and index again.

        Raises:
            RepositoryDamaged: there are some, and none can be read.
        """
        # Snapshots first: the index then knows all that they need ("Read and Write Ordering").
        roots: list[Root] = []
        self._each("snapshots", lambda name, data: roots.append(parse_snapshot(name, data)))
        self.roots = tuple(sorted(roots, key=lambda root: (root.snapshot.time_ns, root.snapshot.id)))
        index = Index()
        readable = self._each("index", lambda _, data: index.add(data))
        if roots and not readable:
            raise RepositoryDamaged(
                self._name,
                "it has snapshots and no index",
                "Run: restic repair index (rebuild-index before 0.16)",
            )
        self.index = index

    def close(self) -> None:
        """Let go of connections and child processes."""
        self._transport.close()

    def tree(self, identifier: bytes) -> bytes:
        """The blob of one tree, verified against its id.

        Raises:
            Unreadable: it is missing, or damaged wherever it lies.
        """
        if self._ahead is not None and (place := self.index.find(identifier)):
            # What goes wrong here may be well elsewhere: below, every place is tried.
            with suppress(Unreadable):
                sealed = self._ahead.read(place.pack, place.offset, place.length)
                return self._decode(identifier, place, sealed)
        if self.index.find(identifier) is None:
            raise self._unknown(identifier)
        return self._from_anywhere(identifier, Unreadable("it is nowhere"))

    def blobs(self, identifiers: Iterable[bytes]) -> Iterator[bytes]:
        """The blobs in this order, each verified; neighbours in a pack are read at once.

        Raises:
            Unreadable: one is missing or damaged; those before it have been given.
        """
        run: list[tuple[bytes, Place]] = []
        for identifier in identifiers:
            place = self.index.find(identifier)
            if run and (place is None or not _joins(run, place)):
                yield from self._run(run)
                run = []
            if place is None:
                raise self._unknown(identifier)
            run.append((identifier, place))
        yield from self._run(run)

    def _run(self, run: list[tuple[bytes, Place]]) -> Iterator[bytes]:
        if not run:
            return
        start, end = run[0][1].offset, run[-1][1].end
        try:
            stretch = self._transport.read("data", run[0][1].pack, start, end - start)
        except Unreadable as error:
            for identifier, _ in run:
                yield self._from_anywhere(identifier, error)
            return
        for identifier, place in run:
            try:
                yield self._decode(identifier, place, stretch[place.offset - start : place.end - start])
            except Unreadable as error:
                yield self._from_anywhere(identifier, error)

    def _from_anywhere(self, identifier: bytes, reason: Unreadable) -> bytes:
        """The blob from the first of its places that is sound."""
        for place in self.index.places(identifier):
            try:
                sealed = self._transport.read("data", place.pack, place.offset, place.length)
                return self._decode(identifier, place, sealed)
            except Unreadable as error:
                reason = Unreadable(f"pack {place.pack[:8]}: {error.reason}")
        raise reason

    def note_gap(self) -> None:
        """Note that the index does not know a blob that a snapshot holds; once is enough."""
        if all(known.path != "index" for known in self.damage):
            self.damage.append(Skipped("index", _GAP))

    def _unknown(self, identifier: bytes) -> Unreadable:
        self.note_gap()
        return Unreadable(f"blob {identifier.hex()[:8]} is not in the index")

    def _decode(self, identifier: bytes, place: Place, sealed: bytes) -> bytes:
        if len(sealed) < place.length:
            raise Unreadable("it is cut short")
        plain = self._key.open(sealed)
        if place.compressed:
            plain = decompress(plain, place.plain, exactly=True)
        if hashlib.sha256(plain).digest() != identifier:
            raise Unreadable("its content is not what its name says")
        return plain

    def _each(self, kind: str, take: Callable[[str, bytes], None]) -> int:
        """Hand every readable file of a kind to `take`, note the others; how many were readable."""
        try:
            names = self._transport.names(kind)
        except Unreadable as error:
            raise RepositoryDamaged(
                self._name, f"{kind}: {error.reason}", "Try again, then restic check."
            ) from error
        names = tuple(name for name in names if not _WRITING.search(name))
        damage: list[Skipped] = []
        for name in names:
            try:
                if not is_name(name):
                    # Ransomware adds its ending to names; a snapshot must not be lost without a word.
                    raise Unreadable("its name is not one that restic gives")  # noqa: TRY301 (reads best)
                take(name, self._file(kind, name))
            except Unreadable as error:
                damage.append(Skipped(f"{kind}/{name}", error.reason))
        self.damage = [known for known in self.damage if not known.path.startswith(f"{kind}/")] + damage
        if names and len(damage) == len(names):
            raise RepositoryDamaged(
                self._name,
                f"none of its files in {kind} can be read ({damage[0].reason})",
                "Restore it from a copy.",
            )
        return len(names) - len(damage)

    def _file(self, kind: str, name: str) -> bytes:
        """The JSON of a snapshot or index file ("Unpacked Data Format")."""
        sealed = self._transport.read(kind, name, 0, _MAX_FILE + 1)
        if len(sealed) > _MAX_FILE:
            raise Unreadable("it is larger than restic makes them")
        # A file is named for its bytes: this also notices an old file put in a new one's place.
        if hashlib.sha256(sealed).hexdigest() != name:
            raise Unreadable("its content is not what its name says")
        plain = self._key.open(sealed)
        if plain[:1] in (b"{", b"["):
            return plain
        if plain[:1] != b"\x02":
            raise Unreadable("it is encoded in a way we do not know")
        return decompress(plain[1:], _MAX_FILE)


def _joins(run: list[tuple[bytes, Place]], place: Place) -> bool:
    last = run[-1][1]
    return last.pack == place.pack and last.end == place.offset and place.end - run[0][1].offset <= _MAX_RUN
