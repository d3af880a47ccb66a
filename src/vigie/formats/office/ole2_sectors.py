"""Sectors and chains of a compound file (MS-CFB 2.2 to 2.6): header, DIFAT, FAT, directory, mini stream.

Read by hand: the libraries for it follow every chain in full, or refuse a file whose table is struck once.
Every sector is walked once at most, so that neither loops nor crossed chains cost anything.
"""

import struct
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.formats.contract import Malformed
from vigie.model import Blob, Flaw, Range

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER = struct.Struct("<8s16s5H6x9I")
_SPECIAL = 0xFFFFFFFA
"""Sector numbers from here on are marks (2.1)."""
_WRONG = 4
"""Entries of one table sector that point nowhere before it is called broken; old writers leave one or two."""
_ENTRY = 128
_ENTRIES = 65_536
"""Directory entries read."""
_TABLES = 65_536
"""FAT sectors read: 4 GiB of sectors of 512 bytes."""
_LOST = 1024
"""FAT sectors that are not in the file, or are named again, beyond as many as it has sectors of any kind."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A storage or a stream (2.6.1)."""

    name: str
    kind: int
    """1 storage, 2 stream, 5 root."""
    clsid: bytes
    start: int
    size: int


class Extents:
    """A stream as a blob: pieces of the file, one after another."""

    __slots__ = ("_blob", "_starts", "pieces", "size")

    def __init__(self, blob: Blob, pieces: list[Range], size: int) -> None:
        self._blob = blob
        self.pieces: list[Range] = []
        self._starts: list[int] = []
        at = 0
        for start, end in pieces:
            stop = min(end, start + size - at, blob.size)
            if start < stop:
                self.pieces.append(Range(start, stop))
                self._starts.append(at)
                at += stop - start
        self.size = at

    def at(self, offset: int, length: int) -> bytes:
        """As `Blob.at`."""
        return b"".join(
            self._blob.at(piece.start, piece.end - piece.start)
            for piece in self.places(offset, offset + length)
        )

    def places(self, start: int, end: int) -> list[Range]:
        """Where `[start, end)` of the stream stands in the file."""
        found: list[Range] = []
        end = min(end, self.size)
        index = bisect_right(self._starts, start) - 1
        while start < end:
            piece = self.pieces[index]
            first = piece.start + start - self._starts[index]
            last = min(piece.end, first + end - start)
            found.append(Range(first, last))
            start += last - first
            index += 1
        return found


class Volume:
    """The tables of one compound file.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """

    def __init__(self, blob: Blob) -> None:
        self.blob = blob
        self.tables: list[tuple[Range, str]] = []
        self.flaws: list[Flaw] = []
        self.notes: list[str] = []
        self.cut = False
        head = blob.at(0, 512)
        if len(head) < 512 or not head.startswith(MAGIC):
            raise Malformed(0, "no compound file header")
        fields = _HEADER.unpack_from(head)
        order, shift, mini_shift = fields[4], fields[5], fields[6]
        if order != 0xFFFE or shift not in (9, 12) or mini_shift != 6:
            raise Malformed(24, "no sector size that a compound file has")
        self.version = fields[3]
        self._shift: int = shift
        self.sector = 1 << self._shift
        self.count = max(0, -(-(blob.size - self.sector) // self.sector))
        _, _, directory, _, self.cutoff, mini_table, _, difat, _ = fields[7:]
        self.tables.append((Range(0, 512), "header"))
        self._used = bytearray(self.count)
        self.table = self._read_table(np.frombuffer(head, "<u4", 109, 76), difat)
        self.entries = self._read_directory(directory)
        root = next((entry for entry in self.entries if entry.kind == 5), None)
        self._mini = self._extents(root.start, root.size, claimed=True) if root else Extents(blob, [], 0)
        self._mini_table = self._read_mini_table(mini_table)
        self._mini_used = bytearray(self._mini_table.size)

    def stream(self, entry: Entry) -> Extents:
        """The bytes of a stream, as far as its chain can be followed."""
        if entry.size >= self.cutoff:
            return self._extents(entry.start, entry.size)
        pieces: list[Range] = []
        number = entry.start
        for _ in range(-(-entry.size // 64)):
            if number >= self._mini_table.size or self._mini_used[number]:
                break
            self._mini_used[number] = 1
            pieces.extend(self._mini.places(number * 64, number * 64 + 64))
            number = int(self._mini_table[number])
        return Extents(self.blob, pieces, entry.size)

    def _offset(self, number: int) -> int:
        return (number + 1) << self._shift

    def _place(self, number: int) -> Range:
        start = self._offset(number)
        return Range(start, min(start + self.sector, self.blob.size))

    def _read_table(self, first: NDArray[np.uint32], difat: int) -> NDArray[np.uint32]:
        """The FAT, put together from the sectors that header and DIFAT name (2.3, 2.5)."""
        numbers = [(int(number), 76 + 4 * index) for index, number in enumerate(first)]
        while difat < self.count and not self._used[difat] and len(numbers) < _TABLES:
            self._used[difat] = 1
            place = self._place(difat)
            self.tables.append((place, "DIFAT sector"))
            words = np.frombuffer(self.blob.at(place.start, (place.end - place.start) & ~3), "<u4")
            numbers.extend((int(number), place.start + 4 * index) for index, number in enumerate(words[:-1]))
            difat = int(words[-1]) if words.size * 4 == self.sector else _SPECIAL
        parts: list[NDArray[np.uint32]] = []
        places: list[Range | None] = []
        lost = np.full(self.sector // 4, 0xFFFFFFFF, "<u4")
        # Each makes the table longer without taking any room in the file.
        left = self.count + _LOST
        for number, where in numbers:
            if number >= _SPECIAL:
                continue
            if number >= self.count or self._used[number]:
                if number > 2 * self.count + 1024:
                    self.flaws.append(Flaw(where, where + 4, "no sector number"))
                self.cut = self.cut or number >= self.count
                left -= 1
                if left < 0:
                    break
                places.append(None)
                parts.append(lost)
                continue
            self._used[number] = 1
            place = self._place(number)
            self.tables.append((place, "FAT sector"))
            data = self.blob.at(place.start, self.sector).ljust(self.sector, b"\xff")
            places.append(place)
            parts.append(np.frombuffer(data, "<u4"))
        table = np.concatenate(parts) if parts else np.empty(0, "<u4")
        wrong = (table >= max(table.size, self.count)) & (table < _SPECIAL)
        for index, bad in enumerate(wrong.reshape(len(parts), -1).sum(axis=1) if parts else ()):
            if bad >= _WRONG and (place_ := places[index]):
                self.flaws.append(Flaw(*place_, "a FAT sector that points nowhere"))
        return table

    def _chain(self, number: int, most: int, *, claimed: bool = False) -> list[int]:
        """Up to `most` sectors from `number` on, each of them for the first time."""
        found: list[int] = []
        while len(found) < most and number < self.count:
            if self._used[number] and (not claimed or number in found[-1:]):
                break
            self._used[number] = 1
            found.append(number)
            number = int(self.table[number]) if number < self.table.size else _SPECIAL
        if len(found) < most and self.count <= number < max(self.table.size, self.count):
            self.cut = True  # the table knows of a sector that the file does not have any more
        return found

    def _extents(self, start: int, size: int, *, claimed: bool = False) -> Extents:
        pieces: list[Range] = []
        for number in self._chain(start, min(self.count, -(-size // self.sector)), claimed=claimed):
            first, last = self._place(number)
            if pieces and pieces[-1].end == first:
                pieces[-1] = Range(pieces[-1].start, last)
            else:
                pieces.append(Range(first, last))
        return Extents(self.blob, pieces, size)

    def _read_directory(self, start: int) -> list[Entry]:
        entries: list[Entry] = []
        if start >= self.count:
            self.cut = self.cut or start < max(self.table.size, self.count)
            if not self.cut:
                self.flaws.append(Flaw(48, 52, "no sector number of the directory"))
        for number in self._chain(start, _ENTRIES * _ENTRY // self.sector):
            place = self._place(number)
            self.tables.append((place, "directory sector"))
            data = self.blob.at(place.start, place.end - place.start)
            for at in range(0, len(data) // _ENTRY * _ENTRY, _ENTRY):
                self._read_entry(data[at : at + _ENTRY], place.start + at, entries)
        return entries

    def _read_entry(self, raw: bytes, where: int, entries: list[Entry]) -> None:
        length, kind, colour = struct.unpack_from("<HBB", raw, 64)
        if kind == 0:
            return  # free: writers leave in it what they please
        if kind not in (1, 2, 5) or colour > 1 or length > 64 or length % 2 or not length:
            if self.flaws and self.flaws[-1].end == where:
                self.flaws[-1] = Flaw(self.flaws[-1].start, where + _ENTRY, self.flaws[-1].what)
            else:
                self.flaws.append(Flaw(where, where + _ENTRY, "no directory entry"))
            return
        name = raw[: max(0, length - 2)].decode("utf-16-le", "replace")
        start, size = struct.unpack_from("<IQ", raw, 116)
        if self.version == 3:
            size &= 0xFFFFFFFF  # 2.6.3: writers leave rubbish in the upper half
        entries.append(Entry(name, kind, raw[80:96], start, size))

    def _read_mini_table(self, start: int) -> NDArray[np.uint32]:
        parts: list[bytes] = []
        for number in self._chain(start, -(-self._mini.size // (16 * self.sector)) + 1):
            place = self._place(number)
            self.tables.append((place, "mini FAT sector"))
            parts.append(self.blob.at(place.start, place.end - place.start))
        data = b"".join(parts)
        return np.frombuffer(data[: len(data) & ~3], "<u4")
