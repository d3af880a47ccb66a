"""Outlook data files (.pst, .ost): allocation pages, the block tree, and every block that it names.

By hand: each page and each block carries its own CRC ([MS-PST] 2.2.2), so that what was struck is known to
the block. Unicode files (version 23) are followed; of the older ANSI and the newer 4 KiB layout the header.
"""

import struct
import zlib

from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.formats.data import pages
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_UNICODE = 23
_VERSIONS = (14, 15, 23, 36, 37)
_PAGE = 512
_TRAILER = struct.Struct("<BBHLQ")
_MAP = 0x84
"""`ptypeAMap`: the first stands at 0x4400, then one every 253,952 bytes (2.2.2.7.2)."""
_FIRST_MAP, _MAP_REACH = 0x4400, 253952
_MAPS_VALID = 248
"""`ROOT.fAMapValid`: zero where Outlook did not close the file; it makes the maps anew then."""
_TREE = 0x80
"""`ptypeBBT`."""
_LARGEST = 8192
"""Bytes of a block, all in all."""
_MOST = 1024
"""Flaws kept."""


def _crc(data: bytes) -> int:
    """The CRC-32 of 5.3: zlib's without the inversions."""
    return zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def recognises(head: bytes) -> bool:
    """The header (2.2.2.6): magic, "SM" (or "SO" for .ost), version, platform bytes."""
    known = head.startswith(b"!BDN") and head[8:10] in (b"SM", b"SO", b"AB") and head[14:16] == b"\1\1"
    return known and int.from_bytes(head[10:12], "little") in _VERSIONS and len(head) >= 564


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The header, the allocation maps, the block tree and the blocks, as far as `effort` reaches.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 564)
    if not recognises(head):
        raise Malformed(0, "no header of an Outlook data file")
    header = Region(0, 180, Kind.STRUCTURED, "header")
    walk = _Walk(blob, Effort(effort))
    if _crc(head[8:479]) != int.from_bytes(head[4:8], "little"):
        walk.flaws.append(Flaw(0, 512, "the checksum of the header does not match", checksum=True))
    if int.from_bytes(head[10:12], "little") != _UNICODE:
        note = "only the header of this version is looked at"
        return Anatomy("pst", (header,), tuple(walk.flaws), 471, (note,))
    end = int.from_bytes(head[184:192], "little")
    if end > blob.size:
        walk.flaws.append(Flaw(blob.size, blob.size, f"{end:,} bytes announced, {blob.size:,} are there"))
    if head[_MAPS_VALID]:
        walk.maps(min(end, blob.size))
    walk.tree(int.from_bytes(head[240:248], "little"))
    notes = () if walk.effort.left > 0 else ("too large to look at every block",)
    regions = [header]
    for lost in sorted(walk.lost, key=lambda one: one.start):
        if lost.start >= regions[-1].end:  # whoever wrote the file may have laid pages over each other
            regions.append(lost)
    flaws = tuple(sorted(walk.flaws, key=lambda one: one.start))
    return Anatomy("pst", tuple(regions), flaws, walk.checked, notes)


class _Walk:
    """One pass over a Unicode file."""

    def __init__(self, blob: Blob, effort: Effort) -> None:
        self.blob = blob
        self.effort = effort
        self.flaws: list[Flaw] = []
        self.lost: list[Region] = []
        self.checked = 0

    def _flaw(self, start: int, end: int, what: str) -> None:
        for low, high in pages.blocks(start, min(end, self.blob.size)):
            if len(self.flaws) < _MOST:
                self.flaws.append(Flaw(low, high, what, checksum=True))

    def _page(self, place: int, kind: int, what: str) -> bytes:
        """A page whose trailer (2.2.2.7.1) holds, or nothing."""
        data = self.blob.at(place, _PAGE)
        self.effort.spend(_PAGE)
        if len(data) == _PAGE:
            first, second, _, crc, _ = _TRAILER.unpack_from(data, 496)
            if first == second == kind and crc == _crc(data[:496]):
                self.checked += _PAGE
                return data
            if len(self.lost) < _MOST:
                self.lost.append(Region(place, place + _PAGE, Kind.STRUCTURED, "where a page must be"))
        self._flaw(place, place + _PAGE, what)
        return b""

    def maps(self, end: int) -> None:
        """Allocation maps: at fixed places, so that they are found whatever else is broken."""
        every = max(0, end - _PAGE - _FIRST_MAP) // _MAP_REACH + 1 if end >= _FIRST_MAP + _PAGE else 0
        for index in pages.places(every, 1, max(1, self.effort.left // 4 // _PAGE)):
            self._page(_FIRST_MAP + index * _MAP_REACH, _MAP, "no allocation map where one must be")

    def tree(self, root: int) -> None:
        """The block tree (2.2.2.7.7), and each block in it."""
        waiting, seen = [root], {root}
        while waiting and self.effort.left > 0:
            place = waiting.pop()
            data = self._page(place, _TREE, "no page of the block tree")
            if not data:
                continue
            count, _, size, level = data[488:492]
            for start in range(0, min(count * size, 488 - 23), max(size, 24)):
                if level:
                    child = int.from_bytes(data[start + 16 : start + 24], "little")
                    if child not in seen and child % 64 == 0:
                        seen.add(child)
                        waiting.append(child)
                else:
                    self._block(*struct.unpack_from("<QQH", data, start))
                if self.effort.left <= 0:
                    return

    def _block(self, number: int, place: int, length: int) -> None:
        """A block and the trailer at its end (2.2.2.8.1); sizes are multiples of 64."""
        size = (length + 16 + 63) // 64 * 64
        if not 0 < length <= _LARGEST - 16 or place + size > self.blob.size:
            return  # what is missing was said, by the header
        data = self.blob.at(place, size)
        self.effort.spend(size)
        told, _, crc, owner = struct.unpack_from("<HHLQ", data, size - 16)
        if told == length and owner | 1 == number | 1 and crc == _crc(data[:length]):
            self.checked += size
        else:
            self._flaw(place, place + size, "the checksum of a block does not match")


FORMAT = Format(
    name="pst",
    title="Outlook data file",
    specification="[MS-PST] 2.2.2",
    suffixes=("pst", "ost"),
    recognises=recognises,
    dissect=dissect,
)
