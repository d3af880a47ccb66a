"""The members of a ZIP file: their local headers (APPNOTE 6.3.10, 4.3.7), and what tests their content."""

import struct
import zlib
from dataclasses import dataclass

from vigie.formats.archive.deflate import Inflated, Stop, crc32
from vigie.formats.archive.deflate_resume import trace
from vigie.formats.archive.draft import Draft
from vigie.formats.archive.zip_directory import Member
from vigie.formats.contract import EFFORT
from vigie.model import Blob, Kind

LOCAL = struct.Struct("<4s5H3L2H")
LOCAL_MAGIC = b"PK\x03\x04"
DESCRIPTOR_MAGIC = b"PK\x07\x08"
STORED, DEFLATED = 0, 8
HAS_DESCRIPTOR = 0x08
ENCRYPTED = 0x41
"""Flags of password and strong encryption (section 4.4.4)."""
NAMED = 1000
"""Members that get regions of their own."""
_METHODS = frozenset({*range(15), 16, 18, 19, 20, *range(92, 100)})
SEARCH = 256 * 1024 * 1024
"""Bytes looked through for a header."""
_HEADER_PRICE = 128
"""What reading a local header costs, in bytes decoded."""
_DESCRIPTORS = (0, 16, 12, 24, 20)
"""Lengths of what may stand between a member's data and the next header (section 4.3.9)."""


@dataclass(frozen=True, slots=True)
class Content:
    """The data of one member, yet to be tested."""

    label: str
    start: int
    end: int
    member: Member


class Survey(Draft):
    """What a ZIP file was found to hold; OOXML builds on it."""

    __slots__ = ("contents", "names")

    def __init__(self, size: int, effort: int = EFFORT) -> None:
        super().__init__(size, effort)
        self.names: list[str] = []
        self.contents: list[Content] = []

    def test(self, blob: Blob) -> None:
        """Test all contents: the first, the last, the small ones, then of the large ones those far apart."""
        order = sorted(range(len(self.contents)), key=self._rank)
        for index in order:
            if self.effort.left <= 0:
                self.note("too long to test all of it")
                break
            _test(blob, self.contents[index], self)
        self.contents.clear()
        self.flaws.sort(key=lambda flaw: (flaw.start, flaw.end))

    def _rank(self, index: int) -> tuple[int, int]:
        content = self.contents[index]
        if index in (0, len(self.contents) - 1):
            return 0, index
        if content.end - content.start <= 64 * 1024:
            return 1, content.end - content.start
        # Reading the digits of the index backwards puts neighbours far apart.
        return 2, int(f"{index:020b}"[::-1], 2)


def local_header(head: bytes) -> tuple[int, ...] | None:
    """The fields of the local header that `head` starts with (section 4.3.7), or nothing."""
    if len(head) < LOCAL.size or not head.startswith(LOCAL_MAGIC):
        return None
    fields: tuple[int, ...] = LOCAL.unpack_from(head)[1:]
    version, method, name_length = fields[0] & 0xFF, fields[2], fields[8]
    if version > 99 or method not in _METHODS or not name_length:
        return None
    return fields


def visit(blob: Blob, member: Member, limit: int, result: Survey) -> int:
    """Claim one member that the directory names, and plan its test; `limit` is where the next thing begins.

    Returns its end.
    """
    result.names.append(member.name)
    label = member.name[:200]
    head = result.take(blob, member.offset, LOCAL.size + len(member.raw))
    result.effort.spend(_HEADER_PRICE)
    fields = local_header(head)
    least = member.offset + LOCAL.size + len(member.raw)
    start = member.offset + LOCAL.size + fields[8] + fields[9] if fields else least
    end = start + member.packed
    if result.regions and member.offset < result.regions[-1].end:
        result.note("members overlap")
        return end
    if not fields or fields[8] != len(member.raw) or end > limit:
        what = (
            f"no local header of {label}" if not fields else f"local header and directory differ on {label}"
        )
        return _lost(blob, member, limit, what, result)
    name_end = member.offset + LOCAL.size + fields[8]
    _claim(result, member.offset, name_end, Kind.STRUCTURED, f"local header of {label}")
    if head[LOCAL.size :] != member.raw and not member.flags & 0x2000:
        result.flaw(member.offset, name_end, f"local header and directory differ on {label}")
    _plan(member, label, start, end, result)
    return end


def _claim(result: Survey, start: int, end: int, kind: Kind, what: str, member: str = "") -> None:
    if len(result.names) <= NAMED:
        result.claim(start, end, kind, what, member=member)


def _plan(member: Member, label: str, start: int, end: int, result: Survey) -> None:
    if member.encrypted:
        _claim(result, start, end, Kind.OPAQUE, f"encrypted {label}")
        result.note("encrypted by password")
        return
    if member.method not in (STORED, DEFLATED):
        _claim(result, start, end, Kind.CODED, f"method {member.method} data of {label}")
        result.note(f"compression method {member.method} is not tested")
        return
    if member.method == STORED:
        _claim(result, start, end, Kind.CODED, f"stored {label}", label)
    else:
        _claim(result, start, end, Kind.CODED, f"deflate stream of {label}")
    result.contents.append(Content(label, start, end, member))


def _lost(blob: Blob, member: Member, limit: int, what: str, result: Survey) -> int:
    """A member whose local header is overwritten: its data stands just before the next thing all the same."""
    least = member.offset + LOCAL.size + len(member.raw)
    stop = max(min(limit, blob.size), member.offset)
    _claim(
        result,
        member.offset,
        min(least, stop),
        Kind.STRUCTURED,
        f"place of the local header of {member.name[:200]}",
    )
    for gap in _DESCRIPTORS if member.flags & HAS_DESCRIPTOR else (0,):
        start = stop - gap - member.packed
        if least <= start <= least + 4096 and _begins(blob, member, start, stop - gap):
            result.flaw(member.offset, start, what)
            _plan(member, member.name[:200], start, stop - gap, result)
            return stop
    _claim(result, min(least, stop), stop, Kind.CODED, f"place of {member.name[:200]}")
    result.flaw(member.offset, stop, what)
    return stop


def _begins(blob: Blob, member: Member, start: int, end: int) -> bool:
    """Whether the data may begin here, as far as its first bytes tell."""
    if member.method != DEFLATED or member.encrypted:
        return True
    try:
        zlib.decompressobj(-zlib.MAX_WBITS).decompress(blob.at(start, min(64, end - start)), 4096)
    except zlib.error:
        return False
    return True


def _test(blob: Blob, content: Content, result: Survey) -> None:
    start, end, label = content.start, content.end, content.label
    if content.member.method == STORED:
        crc = crc32(blob, start, end, result.effort)
        compare(result, content, crc)
        return

    def ends(found: Inflated) -> bool:
        return found.end >= end - 1

    traced = trace(blob, start, end, result.effort, ends)
    last, size = traced.last, content.member.size
    for begin, stop in traced.breaks:
        result.flaw(begin, stop, f"the deflate stream of {label} is broken in here")
    if last.stop is Stop.SPENT:
        result.note("too long to test all of it")
    elif not traced.breaks and last.stop is Stop.ENDED:
        compare(result, content, last.crc if last.size in (size, size & 0xFFFFFFFF) else -1)
    elif not traced.breaks:
        # In place, and yet without an end: zlib went on decoding rubbish.
        result.flaw(start, end, f"the deflate stream of {label} has no end")


def compare(result: Survey, content: Content, crc: int | None) -> None:
    """Say what a CRC-32 means for a member's data; without one the effort did not reach."""
    if crc is None:
        result.note("too long to test all of it")
    elif crc == content.member.crc:
        result.checked += content.end - content.start
    else:
        what = f"the CRC-32 of {content.label} does not match"
        result.flaw(content.start, content.end, what, checksum=True)


def next_local(blob: Blob, start: int, stop: int) -> int | None:
    """The next plausible local header in `[start, stop)`, `SEARCH` bytes of it at most."""
    stop = min(stop, start + SEARCH)
    for position in range(start, stop, 1 << 20):
        window = blob.at(position, (1 << 20) + LOCAL.size)
        place = window.find(LOCAL_MAGIC)
        while 0 <= place < 1 << 20:
            if local_header(window[place : place + LOCAL.size]):
                return position + place if position + place < stop else None
            place = window.find(LOCAL_MAGIC, place + 1)
    return None
