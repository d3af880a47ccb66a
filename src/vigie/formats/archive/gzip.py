"""gzip (RFC 1952): every member is inflated, its CRC-32 and size compared."""

import re
import struct

from vigie.formats.archive.deflate import LATE, Stop, inflate
from vigie.formats.contract import EFFORT, Cursor, Effort, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

MAGIC = b"\x1f\x8b\x08"
MEMBERS = 100_000
"""Members dissected; BGZF files (genomics) have one every 64 KiB."""
_NAME = 64 * 1024
"""Longest file name or comment believed; the RFC sets no limit."""
_HCRC, _EXTRA, _FILE, _COMMENT, _RESERVED = 0x02, 0x04, 0x08, 0x10, 0xE0
_ZEROS = re.compile(rb"\x00*")


def recognises(head: bytes) -> bool:
    """Magic, deflate, no reserved flag (section 2.3.1)."""
    return head.startswith(MAGIC) and len(head) >= 10 and not head[3] & _RESERVED


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Members one after another, then nothing, zeros (tape blocks) or foreign bytes.

    Raises:
        Malformed: the first member has no gzip header.
        Unreadable: the blob cannot be read.
    """
    effort = Effort()
    regions: list[Region] = []
    flaws: list[Flaw] = []
    notes: list[str] = []
    offset = checked = 0
    while offset < blob.size:
        if offset and not recognises(blob.at(offset, 10)):
            _tail(blob, offset, regions, notes)
            break
        try:
            data = _header(blob, offset)
        except Malformed as broken:
            if not offset:
                raise
            flaws.append(Flaw(offset, max(broken.offset, offset), broken.what))
            break
        regions.append(Region(offset, data, Kind.OPAQUE, "gzip header"))
        if len(regions) > 2 * MEMBERS:
            notes.append(f"more than {MEMBERS} members: the rest is not tested")
            break
        result = inflate(blob, data, blob.size, effort)
        if result.stop is Stop.ENDED:
            end = result.end + 8
            regions.append(Region(data, min(end, blob.size), Kind.CODED, "deflate stream"))
            trailer = blob.at(result.end, 8)
            if len(trailer) < 8:
                flaws.append(Flaw(blob.size, blob.size, "the file ends inside a gzip trailer"))
            elif struct.unpack("<II", trailer) == (result.crc, result.size & 0xFFFFFFFF):
                checked += result.end - data
            else:
                flaws.append(Flaw(data, end, "the CRC-32 of a gzip member does not match", checksum=True))
            offset = end
            continue
        if data < blob.size:
            regions.append(Region(data, blob.size, Kind.CODED, "deflate stream"))
        if result.stop is Stop.BROKEN:
            where = max(data, result.end - LATE)
            flaws.append(Flaw(where, blob.size, f"the deflate stream breaks near byte {result.end}"))
        elif result.stop is Stop.SHORT:
            flaws.append(Flaw(blob.size, blob.size, "the file ends inside a deflate stream"))
        else:
            notes.append(f"too long to test all of it: untested from byte {result.end}")
        break
    if not regions:
        raise Malformed(0, "the file is empty")
    return Anatomy("gzip", tuple(regions), tuple(flaws), checked, tuple(notes))


def _header(blob: Blob, offset: int) -> int:
    """Where the deflate stream of the member at `offset` begins (section 2.3)."""
    cursor = Cursor(blob, offset)
    fixed = cursor.take(10, "a gzip header")
    if not recognises(fixed):
        raise Malformed(offset, "no gzip header")
    flags = fixed[3]
    if flags & _EXTRA:
        cursor.skip(int.from_bytes(cursor.take(2, "the extra field"), "little"), "the extra field")
    for flag, what in ((_FILE, "the file name"), (_COMMENT, "the comment")):
        if flags & flag:
            length = cursor.peek(_NAME).find(0)
            if length < 0:
                cursor.fail(f"{what} has no end")
            cursor.skip(length + 1, what)
    if flags & _HCRC:
        cursor.skip(2, "the header CRC")
    return cursor.offset


def _tail(blob: Blob, offset: int, regions: list[Region], notes: list[str]) -> None:
    """What stands behind the last member: gzip(1) ignores it, so it is no flaw."""
    for position in range(offset, blob.size, 1 << 20):
        chunk = blob.at(position, 1 << 20)
        zeros = _ZEROS.match(chunk)
        if zeros and zeros.end() < len(chunk):
            notes.append(f"{blob.size - offset} bytes behind the last member")
            regions.append(Region(offset, blob.size, Kind.OPAQUE, "bytes behind the last member"))
            return
    regions.append(Region(offset, blob.size, Kind.STRUCTURED, "padding"))


FORMAT = Format(
    name="gzip",
    title="gzip file",
    specification="RFC 1952",
    suffixes=("gz", "tgz", "svgz"),
    recognises=recognises,
    dissect=dissect,
)
