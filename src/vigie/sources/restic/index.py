"""Where each blob lies: the index of a repository, kept compact (restic doc/design.rst, "Indexing")."""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from vigie.errors import Unreadable
from vigie.sources.restic.crypto import OVERHEAD
from vigie.sources.restic.document import identity, integer, parse

MAX_BLOB = 128 * 1024 * 1024
"""Bytes of the largest blob we take. Data is cut at 8 MiB; a tree is as long as its folder is large."""


class Place(NamedTuple):
    """Where a blob lies."""

    pack: str
    offset: int
    length: int
    """Bytes in the pack, sealed."""
    plain: int
    """Bytes of the blob itself."""
    compressed: bool

    @property
    def end(self) -> int:
        """Offset of the first byte after it."""
        return self.offset + self.length


class Index:
    """All index files of a repository together; about 200 bytes of memory a blob."""

    def __init__(self) -> None:
        self._rows: dict[bytes, int] = {}
        self._others: dict[bytes, list[int]] = {}
        self._packs: list[str] = []
        self._pack_numbers: dict[str, int] = {}
        self._pack = array("L")
        self._offset = array("Q")
        self._length = array("L")
        self._plain = array("L")
        """Uncompressed length; 0 where the blob is not compressed."""

    def add(self, data: bytes) -> None:
        """Take in one index file (JSON); all of it or nothing.

        Raises:
            Unreadable: it is none.
        """
        packs = parse(data).get("packs")
        if packs is None:
            return
        # What supersedes what does not matter to a reader: a pack that is gone is noticed when it is read.
        rows = [row for pack in _objects(packs) for row in _rows(pack)]
        for identifier, place in rows:
            self._insert(identifier, place)

    def find(self, identifier: bytes) -> Place | None:
        """The first place known of a blob."""
        row = self._rows.get(identifier)
        return None if row is None else self._place(row)

    def places(self, identifier: bytes) -> Iterator[Place]:
        """All places of a blob: interrupted backups leave copies, any of which will do."""
        if identifier in self._rows:
            yield self._place(self._rows[identifier])
        for row in self._others.get(identifier, ()):
            yield self._place(row)

    def __len__(self) -> int:
        return len(self._rows)

    def _place(self, row: int) -> Place:
        length, plain = self._length[row], self._plain[row]
        return Place(
            self._packs[self._pack[row]], self._offset[row], length, plain or length - OVERHEAD, plain > 0
        )

    def _insert(self, identifier: bytes, place: Place) -> None:
        # Index files overlap ("non-disjoint sets of packs"): the same place twice is one place.
        if place in self.places(identifier):
            return
        row = len(self._length)
        number = self._pack_numbers.setdefault(place.pack, len(self._packs))
        if number == len(self._packs):
            self._packs.append(place.pack)
        self._pack.append(number)
        self._offset.append(place.offset)
        self._length.append(place.length)
        self._plain.append(place.plain if place.compressed else 0)
        if identifier in self._rows:
            self._others.setdefault(identifier, []).append(row)
        else:
            self._rows[identifier] = row


def _objects(value: object) -> Iterator[dict[str, object]]:
    if not isinstance(value, list):
        raise Unreadable("a list is missing in it")
    for item in value:
        if not isinstance(item, dict):
            raise Unreadable("an object is missing in it")
        yield item


def _rows(pack: dict[str, object]) -> Iterator[tuple[bytes, Place]]:
    name = identity(pack.get("id")).hex()
    for blob in _objects(pack.get("blobs")):
        offset = integer(blob.get("offset"), 1 << 40)
        length = integer(blob.get("length"), MAX_BLOB)
        plain = integer(blob.get("uncompressed_length"), MAX_BLOB)
        if length < OVERHEAD:
            raise Unreadable("a length in it is impossible")
        yield identity(blob.get("id")), Place(name, offset, length, plain or length - OVERHEAD, plain > 0)
