"""OpenType and TrueType fonts, their collections, WOFF and WOFF2: table directories and checksums.

Checksums of tables are wrong in many healthy fonts (tools rename a font and leave them): a wrong one counts
where random bytes stand in the table as well, and only they are flawed. WOFF2 is one Brotli stream, which has
no checksum: only its header is held to anything.
"""

import struct

import numpy as np

from vigie.formats.archive.deflate import LATE, Stop, inflate
from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.formats.media.findings import Findings
from vigie.formats.media.pixels import random_runs
from vigie.model import Anatomy, Blob, Kind

FONTS = 256
"""Fonts of a collection."""
TABLES = 256
"""Tables of a font; real ones have up to some forty."""
SHARED = 16
"""How many times its size a file may take: fonts of a collection share tables, those of WOFF inflate."""
LARGEST = 64 * 1024 * 1024
"""Bytes of one table that are summed."""
_VERSIONS = (b"\0\1\0\0", b"OTTO", b"true", b"typ1")
_TAG = frozenset(range(0x20, 0x7F))


def recognises(head: bytes) -> bool:
    """Version, a number of tables, and a first tag in letters (OpenType, "Table directory")."""
    if len(head) < 28:
        return False
    if head.startswith(b"ttcf"):
        return head[4:8] in (b"\0\1\0\0", b"\0\2\0\0") and 0 < int.from_bytes(head[8:12], "big") <= FONTS
    if head.startswith(b"wOFF"):
        return head[14:16] == b"\0\0" and 0 < int.from_bytes(head[12:14], "big") <= TABLES
    if head.startswith(b"wOF2"):
        return 0 < int.from_bytes(head[12:14], "big") <= TABLES
    return head[:4] in _VERSIONS and 0 < int.from_bytes(head[4:6], "big") <= TABLES and _tags(head[12:16])


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The directory, then each table.

    Raises:
        Malformed: no font header, or the file ends inside it.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 48)
    if not recognises(head):
        raise Malformed(0, "no font header")
    found = Findings(blob.size)
    left = Effort(min(effort, SHARED * blob.size))
    if head.startswith(b"wOF2"):
        _woff2(blob, head, found)
    elif head.startswith(b"wOFF"):
        _woff(blob, head, found, left)
    elif head.startswith(b"ttcf"):
        count = int.from_bytes(head[8:12], "big")
        raw = blob.at(12, 4 * count)
        found.region(0, 12 + len(raw), Kind.STRUCTURED, "collection header")
        done = set[tuple[int, int]]()
        for (offset,) in struct.iter_unpack(">I", raw[: len(raw) // 4 * 4]):
            _font(blob, offset, found, left, done)
    else:
        _font(blob, 0, found, left, set())
    return found.anatomy("font")


def _tags(tag: bytes) -> bool:
    return len(tag) == 4 and _TAG.issuperset(tag)


def _font(blob: Blob, start: int, found: Findings, effort: Effort, done: set[tuple[int, int]]) -> None:
    """One table directory, and the tables that no font before it shares."""
    head = blob.at(start, 12)
    count = int.from_bytes(head[4:6], "big")
    raw = blob.at(start + 12, 16 * min(count, TABLES))
    if head[:4] not in _VERSIONS or len(raw) < 16 * count:
        found.flaw(start, min(blob.size, start + 12 + len(raw)), "no table directory where one must begin")
        return
    found.region(start, start + 12 + len(raw), Kind.STRUCTURED, "table directory")
    for tag, checksum, offset, length in struct.iter_unpack(">4sIII", raw):
        if not _tags(tag):
            found.flaw(start + 12, start + 12 + len(raw), "a table directory without tags")
            return
        if offset + length > blob.size:
            found.flaw(blob.size, blob.size, f"the table {tag.decode('ascii')} ends behind the file")
        elif (offset, length) not in done:
            done.add((offset, length))
            _table(blob, tag, checksum, (offset, length), found, effort)


def _table(
    blob: Blob, tag: bytes, checksum: int, place: tuple[int, int], found: Findings, effort: Effort
) -> None:
    """Compare the sum of a table's big-endian words (OpenType, "Calculating checksums")."""
    offset, length = place
    name = tag.decode("ascii")
    found.region(offset, offset + length, Kind.CODED, f"table {name}")
    if length > min(effort.left, LARGEST):
        found.note("too long to sum all tables")
        return
    effort.spend(length)
    data = blob.at(offset, length)
    total = int(np.frombuffer(data + bytes(-length % 4), ">u4").sum(dtype=np.uint64))
    if tag == b"head":
        total -= int.from_bytes(data[8:12], "big")  # checkSumAdjustment is left out
    if total & 0xFFFFFFFF == checksum:
        found.checked += length
        return
    runs = random_runs(data, offset)
    for start, end in runs:
        found.flaw(start, end, f"random bytes in the table {name}, whose sum is wrong", checksum=True)
    if not runs:
        found.note(f"the checksum of the table {name} does not match")


def _woff(blob: Blob, head: bytes, found: Findings, effort: Effort) -> None:
    """WOFF 1.0 section 5: each table by itself, in a zlib stream unless that would grow it."""
    count = int.from_bytes(head[12:14], "big")
    raw = blob.at(44, 20 * count)
    found.region(0, 44 + len(raw), Kind.STRUCTURED, "header")
    if int.from_bytes(head[8:12], "big") > blob.size or len(raw) < 20 * count:
        found.flaw(blob.size, blob.size, "the file is shorter than its header says")
    for tag, offset, packed, length, checksum in struct.iter_unpack(">4sIIII", raw[: len(raw) // 20 * 20]):
        if not _tags(tag) or packed > length:
            found.flaw(44, 44 + len(raw), "a broken table directory")
            return
        end = offset + packed
        if end > blob.size:
            continue
        if packed == length:
            _table(blob, tag, checksum, (offset, length), found, effort)
            continue
        found.region(offset, end, Kind.CODED, "compressed table")
        result = inflate(blob, offset + 2, end, effort)
        name = tag.decode("ascii")
        if result.stop is Stop.ENDED and blob.at(result.end, 4) == result.adler.to_bytes(4, "big"):
            found.checked += packed
        elif result.stop is not Stop.SPENT:
            where = max(offset, result.end - LATE) if result.stop is Stop.BROKEN else offset
            found.flaw(where, end, f"the table {name} does not inflate", checksum=result.stop is Stop.ENDED)


def _woff2(blob: Blob, head: bytes, found: Findings) -> None:
    """WOFF 2.0 section 4: header, then one Brotli stream."""
    length, count = struct.unpack_from(">IH", head, 8)
    packed = int.from_bytes(head[20:24], "big")
    found.region(0, 48, Kind.STRUCTURED, "header")
    found.region(48, blob.size, Kind.OPAQUE, "Brotli stream")
    if length > blob.size:
        found.flaw(blob.size, blob.size, "the file is shorter than its header says")
    elif length < blob.size or packed > length or not count:
        found.note("lengths in the header that do not agree with the file")


FORMAT = Format(
    name="font",
    title="OpenType, TrueType or WOFF font",
    specification='OpenType 1.9 "Font file"; WOFF 1.0 section 5; WOFF 2.0 section 4',
    suffixes=("ttf", "otf", "ttc", "otc", "woff", "woff2"),
    recognises=recognises,
    dissect=dissect,
)
