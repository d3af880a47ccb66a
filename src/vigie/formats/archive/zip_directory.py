"""The end and the central directory of a ZIP file (APPNOTE 6.3.10, sections 4.3.12 to 4.3.16 and 4.5.3)."""

import struct
from dataclasses import dataclass

from vigie.model import Blob

END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
ENTRY = struct.Struct("<4s4B4H3L5H2L")
END_MAGIC = b"PK\x05\x06"
END64_MAGIC = b"PK\x06\x06"
LOCATOR_MAGIC = b"PK\x06\x07"
ENTRY_MAGIC = b"PK\x01\x02"
MAX_DIRECTORY = 64 * 1024 * 1024
"""Bytes of a central directory that are read; that is more than 500,000 entries."""
_END_REACH = END.size + 65535
_NONE32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class End:
    """Where the central directory is."""

    start: int
    """First byte of the central directory, the shift of a prefix (self-extractor) included."""
    stop: int
    """Its end: the first of the end records."""
    shift: int
    """What a prefix adds to every offset."""
    close: int
    """Behind the archive comment: what follows is foreign."""
    entries: int
    split: bool
    """One of several volumes: the offsets belong to other files."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file as the directory (or, without one, its local header) has it."""

    name: str
    raw: bytes
    """The name as it is written."""
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    """Of the local header, shift included."""

    @property
    def encrypted(self) -> bool:
        """Password, strong encryption or AES (sections 4.4.4, 6.1, 7; WinZip AE-x is method 99)."""
        return bool(self.flags & 0x41) or self.method == 99


def find_end(blob: Blob) -> End | None:
    """The last end record whose comment and directory fit into the file, or nothing (section 4.3.16)."""
    base = max(0, blob.size - _END_REACH)
    tail = blob.at(base, _END_REACH)
    place = len(tail)
    for _ in range(64):  # the magic may stand by chance in the comment or in the data before
        place = tail.rfind(END_MAGIC, 0, place)
        if place < 0:
            return None
        if place + END.size <= len(tail) and (end := _read_end(blob, tail, base, place)):
            return end
    return None


def _read_end(blob: Blob, tail: bytes, base: int, place: int) -> End | None:
    _, disk, first, here, entries, length, offset, comment = END.unpack_from(tail, place)
    at = base + place
    close = at + END.size + comment
    if close > blob.size:
        return None
    stop = at
    locator = blob.at(at - 20, 20) if at >= 20 else b""
    if locator.startswith(LOCATOR_MAGIC):
        found = _read_end64(blob, locator, at)
        if found:
            stop, entries, length, offset = found
            return _end(stop, entries, length, offset, close, split=False)
        if _NONE32 in (length, offset):
            return None
    if disk != first or (disk and here != entries) or disk not in (0, 0xFFFF):
        return End(at, at, 0, close, 0, split=True)
    return _end(stop, entries, length, offset, close, split=False)


def _end(stop: int, entries: int, length: int, offset: int, close: int, *, split: bool) -> End | None:
    start = stop - length
    shift = start - offset
    if start < 0 or shift < 0:
        return None
    return End(start, stop, shift, close, entries, split)


def _read_end64(blob: Blob, locator: bytes, at: int) -> tuple[int, int, int, int] | None:
    """The ZIP64 end record: where it says, or (behind a prefix) straight before its locator."""
    said = int.from_bytes(locator[8:16], "little")
    for place in (said, at - 20 - END64.size):
        record = blob.at(place, END64.size) if 0 <= place < blob.size else b""
        if len(record) == END64.size and record.startswith(END64_MAGIC):
            fields = END64.unpack(record)
            return place, fields[7], fields[8], fields[9]
    return None


def read_entries(blob: Blob, end: End, limit: int) -> tuple[list[Member], int, list[tuple[int, int]]]:
    """The directory's entries (at most `limit`), where reading stopped, which fields may hold anything.

    Reading stops at `end.stop`, or earlier at the first entry that is none.
    """
    members: list[Member] = []
    private: list[tuple[int, int]] = []
    data = blob.at(end.start, min(end.stop - end.start, MAX_DIRECTORY))
    place = 0
    while place + ENTRY.size <= len(data) and len(members) < limit:
        if not data.startswith(ENTRY_MAGIC, place):
            break
        fields = ENTRY.unpack_from(data, place)
        flags, method, crc, packed, size = fields[5], fields[6], fields[9], fields[10], fields[11]
        name_length, extra_length, comment = fields[12], fields[13], fields[14]
        offset = fields[18]
        first = place + ENTRY.size
        after = first + name_length + extra_length + comment
        if after > len(data):
            break
        raw = data[first : first + name_length]
        if extra_length:
            extra = data[first + name_length : first + name_length + extra_length]
            if extra_length >= 64:
                begin = end.start + first + name_length
                private.append((begin, begin + extra_length))
            if _NONE32 in (packed, size, offset):
                size, packed, offset = _zip64(extra, size, packed, offset)
        name = raw.decode("utf-8" if flags & 0x800 else "cp437", "replace")
        members.append(Member(name, raw, flags, method, crc, packed, size, offset + end.shift))
        place = after
    if len(members) == limit and place < len(data):
        place = len(data)
    if data.startswith(b"PK\x05\x05", place):  # digital signature, section 4.3.13
        place = len(data)
    return members, end.start + place, private


def _zip64(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """The 64-bit values that stand in for 0xFFFFFFFF, in their fixed order (section 4.5.3)."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        if kind == 1:
            values = iter(
                struct.unpack_from(f"<{min(length, len(extra) - place - 4) // 8}Q", extra, place + 4)
            )
            size = next(values, size) if size == _NONE32 else size
            packed = next(values, packed) if packed == _NONE32 else packed
            offset = next(values, offset) if offset == _NONE32 else offset
            break
        place += 4 + length
    return size, packed, offset
