"""HDF5 files (and netCDF-4, MATLAB 7.3): superblock, group trees and object headers that the root leads to.

By hand (the library is megabytes of C that trusts what it reads). Datasets are opaque; what is tested is the
metadata: signatures, and in the newer layout their checksums (Jenkins' lookup3).
"""

from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.formats.data.lookup3 import lookup3
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_MAGIC = b"\x89HDF\r\n\x1a\n"
_PLACES = (0, 512, 1024, 2048)
"""Where the superblock may stand (II.A), as far as a head shows it."""
_UNDEFINED = (1 << 64) - 1
_MOST = 20_000
"""Objects that are followed."""
_FLAWS = 1024
_HEADER = 1 << 16
"""Bytes of the first chunk of an object header that are checked."""
_GROUP, _CHUNKS = 0, 1
_SYMBOL_TABLE, _LAYOUT, _CONTINUATION = 0x11, 8, 0x10


def _start(head: bytes) -> int:
    return next((place for place in _PLACES if head[place : place + 8] == _MAGIC), -1)


def recognises(head: bytes) -> bool:
    """The signature, and a superblock of version 0 to 3 with offsets and lengths of 8 bytes (or 4, 2)."""
    start = _start(head)
    if start < 0 or len(head) < start + 48:
        return False
    version = head[start + 8]
    widths = head[start + 13 : start + 15] if version < 2 else head[start + 9 : start + 11]
    # Versions 0 and 1 end in the root group's entry.
    whole = len(head) >= start + (48 if version > 1 else 100)
    return whole and version <= 3 and set(widths) <= {2, 4, 8}


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The superblock, its end of file, and the metadata that groups lead to.

    Raises:
        Malformed: no superblock.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 4096)
    if not recognises(head):
        raise Malformed(0, "no HDF5 superblock")
    start = _start(head)
    version = head[start + 8]
    widths = head[start + 13 : start + 15] if version < 2 else head[start + 9 : start + 11]
    regions = (Region(start, start + 48, Kind.STRUCTURED, "superblock"),)
    if widths != b"\x08\x08":
        return Anatomy("hdf5", regions, (), 0, ("addresses are short: only the superblock is looked at",))
    walk = _Walk(blob, start, Effort(effort))
    if version < 2:
        place = start + (24 if version == 0 else 28)
        base, _, end, _ = _addresses(head[place : place + 32])
        root = _addresses(head[place + 40 : place + 48])
    else:
        base, _, end, root_place = _addresses(head[start + 12 : start + 44])
        root = [root_place]
        if lookup3(head[start : start + 44]) != int.from_bytes(head[start + 44 : start + 48], "little"):
            flaw = Flaw(start, start + 48, "the checksum of the superblock does not match", checksum=True)
            walk.flaws.append(flaw)
    # The library counts addresses from where it found the superblock, whatever the base address says.
    if end - max(start, base if base < blob.size else 0) > blob.size and not walk.flaws:
        walk.flaws.append(Flaw(blob.size, blob.size, f"{end:,} bytes announced, {blob.size:,} are there"))
    else:
        walk.follow(root[0])
    notes = ("too large to look at all of its metadata",) if walk.cut else ()
    return Anatomy(
        "hdf5", regions, tuple(sorted(walk.flaws, key=lambda flaw: flaw.start)[:_FLAWS]), walk.checked, notes
    )


def _addresses(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]


class _Walk:
    """One pass over the metadata."""

    def __init__(self, blob: Blob, base: int, effort: Effort) -> None:
        self.blob = blob
        self.base = base
        self.effort = effort
        self.flaws: list[Flaw] = []
        self.checked = 0
        self.cut = False
        self.waiting: list[tuple[str, int]] = []
        self.seen: set[int] = set()

    def follow(self, root: int) -> None:
        """Everything that the root group's object header leads to."""
        self._add("object", root)
        while self.waiting:
            if self.effort.left <= 0 or len(self.seen) > _MOST or len(self.flaws) >= _FLAWS:
                self.cut = True
                return
            kind, address = self.waiting.pop()
            place = self.base + address
            data = self.blob.at(place, 4096)
            self.effort.spend(len(data))
            {"object": self._object, "tree": self._tree, "node": self._node, "heap": self._heap}[kind](
                place, data
            )

    def _add(self, kind: str, address: int) -> None:
        if address not in (_UNDEFINED, 0) and address not in self.seen:
            self.seen.add(address)
            self.waiting.append((kind, address))

    def _flaw(self, place: int, length: int, what: str, *, checksum: bool = False) -> None:
        start = min(place, self.blob.size)
        self.flaws.append(Flaw(start, min(start + length, self.blob.size), what, checksum))

    def _object(self, place: int, data: bytes) -> None:
        """An object header, version 1 (IV.A.1.a) or 2 (IV.A.1.b)."""
        if data[:4] == b"OHDR":
            self._sealed(place, data)
        elif data[:2] == b"\1\0" and int.from_bytes(data[12:16], "little") == 0:
            count, size = int.from_bytes(data[2:4], "little"), int.from_bytes(data[8:12], "little")
            self._messages(place, self.blob.at(place + 16, min(size, _HEADER)), count)
        else:
            self._flaw(place, 256, "no object header where one must be")

    def _messages(self, place: int, data: bytes, count: int) -> None:
        """Messages of a version 1 header: those that lead on."""
        at = 0
        for _ in range(count):
            if at + 8 > len(data):
                return  # the rest stands in a continuation
            kind, size = (
                int.from_bytes(data[at : at + 2], "little"),
                int.from_bytes(data[at + 2 : at + 4], "little"),
            )
            if kind > 0x1F or at + 8 + size > len(data):
                self._flaw(place + 16 + at, 64, "an impossible message in an object header")
                return
            body = data[at + 8 : at + 8 + size]
            if kind == _SYMBOL_TABLE and size >= 16:
                tree, heap = _addresses(body[:16])
                self._add("tree", tree)
                self._add("heap", heap)
            elif kind == _LAYOUT and body[:2] == b"\3\2" and size >= 11:
                self._add("tree", int.from_bytes(body[3:11], "little"))
            at += 8 + size

    def _sealed(self, place: int, data: bytes) -> None:
        """A version 2 header ends in a checksum."""
        if len(data) < 16 or data[4] != 2:
            self._flaw(place, 256, "an object header of an impossible version")
            return
        flags = data[5]
        at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        end = at + width + int.from_bytes(data[at : at + width], "little")
        if end + 4 > _HEADER:
            return
        whole = self.blob.at(place, end + 4)
        self.effort.spend(len(whole))
        if lookup3(whole[:end]) == int.from_bytes(whole[end : end + 4], "little") and len(whole) == end + 4:
            self.checked += end + 4
        else:
            self._flaw(place, end + 4, "the checksum of an object header does not match", checksum=True)

    def _tree(self, place: int, data: bytes) -> None:
        """A version 1 B-tree node (III.A.1): of groups, or of a dataset's chunks."""
        if data[:4] != b"TREE" or data[4] > 1:
            self._flaw(place, 256, "no tree node where one must be")
            return
        kind, level, used = data[4], data[5], int.from_bytes(data[6:8], "little")
        if kind == _CHUNKS:
            return  # the width of its keys depends on the dataset's dimensions
        data = self.blob.at(place, 24 + used * 16 + 8)
        for at in range(32, len(data) - 7, 16):
            child = int.from_bytes(data[at : at + 8], "little")
            self._add("tree" if level else "node", child)

    def _node(self, place: int, data: bytes) -> None:
        """A symbol table node (III.B): entries of 40 bytes, each naming an object header."""
        if data[:5] != b"SNOD\1":
            self._flaw(place, 256, "no symbol table node where one must be")
            return
        count = int.from_bytes(data[6:8], "little")
        data = self.blob.at(place + 8, count * 40)
        for at in range(0, len(data) - 39, 40):
            if int.from_bytes(data[at + 16 : at + 20], "little") != 2:  # a symbolic link leads to a name
                self._add("object", int.from_bytes(data[at + 8 : at + 16], "little"))

    def _heap(self, place: int, data: bytes) -> None:
        """A local heap (III.D): names."""
        if data[:5] != b"HEAP\0":
            self._flaw(place, 256, "no heap where one must be")


FORMAT = Format(
    name="hdf5",
    title="HDF5 file",
    specification="HDF5 File Format Specification 3.0, II and III",
    suffixes=("h5", "hdf5", "he5"),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("hdf", "nc", "nc4"),
)
