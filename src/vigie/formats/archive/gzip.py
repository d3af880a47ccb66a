"""gzip (RFC 1952): every member is inflated, its CRC-32 and size compared."""

import re
import struct
from dataclasses import replace
from functools import partial

from vigie.formats.archive.deflate import Inflated, Stop, inflate
from vigie.formats.archive.deflate_resume import trace
from vigie.formats.archive.draft import Draft
from vigie.formats.contract import EFFORT, Cursor, Effort, Format, Malformed
from vigie.model import Anatomy, Blob, Kind

MAGIC = b"\x1f\x8b\x08"
MEMBERS = 100_000
"""Members dissected; BGZF files (genomics) have one every 64 KiB."""
_NAME = 64 * 1024
"""Longest file name or comment believed; the RFC sets no limit."""
_HCRC, _EXTRA, _FILE, _COMMENT, _RESERVED = 0x02, 0x04, 0x08, 0x10, 0xE0
_ZEROS = re.compile(rb"\x00*")
_MEMBER = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")
SEARCH = 16 * 1024 * 1024
"""Bytes looked through for the next member behind a broken one"""
WINDOW = 1024 * 1024
"""at a time."""
NEAR = 4096
"""Bytes that the header of a member takes at most, where one is looked for backwards."""
TRIAL, TRIAL_EFFORT = 64 * 1024, 1024 * 1024
"""Bytes of a stream, and bytes it may yield, that are tried to tell a member from a chance hit."""


def recognises(head: bytes) -> bool:
    """Magic, deflate, no reserved flag (section 2.3.1)."""
    return head.startswith(MAGIC) and len(head) >= 10 and not head[3] & _RESERVED


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Members one after another, then nothing, zeros (tape blocks) or foreign bytes.

    Behind a broken member the next header that begins a member again is looked for (BGZF, log files): inside
    one deflate stream there is no such place, and the flaw reaches to the end.

    Raises:
        Malformed: the first member has no gzip header.
        Unreadable: the blob cannot be read.
    """
    if not blob.size:
        raise Malformed(0, "the file is empty")
    found = Draft(blob.size, effort)
    offset = members = 0
    while offset < blob.size:
        if found.effort.left <= 0 or members >= MEMBERS:
            found.untested(offset)
            break
        try:
            data = _header(blob, offset)
        except Malformed as broken:
            if not offset:
                raise
            if recognises(blob.at(offset, 10)):
                found.flaw(offset, broken.offset, broken.what)
                break
            following = _tail(blob, offset, broken, found)
            if following is None:
                break
            offset = following
            continue
        found.claim(offset, data, Kind.OPAQUE, "gzip header")
        members += 1
        offset = _member(blob, data, _bgzf_end(blob, offset), found)
    return found.anatomy("gzip")


def _member_before(blob: Blob, data: int, stop: int) -> int | None:
    """Where the member begins whose deflate stream begins at `stop`, behind the one that begins at `data`."""
    base = max(data, stop - NEAR)
    for hit in _MEMBER.finditer(blob.at(base, stop - base)):
        try:
            if _header(blob, base + hit.start()) == stop:
                return base + hit.start()
        except Malformed:
            continue
    return None


def _bgzf_end(blob: Blob, offset: int) -> int | None:
    """Where the member at `offset` ends, if it says so (BGZF, SAM specification 4.1: extra field "BC")."""
    head = blob.at(offset, 18)
    if len(head) == 18 and head[3] == _EXTRA and head[10:16] == b"\6\0BC\2\0":
        end = offset + int.from_bytes(head[16:18], "little") + 1
        return end if offset + 26 <= end <= blob.size else None
    return None


def _member(blob: Blob, data: int, said: int | None, found: Draft) -> int:
    """Test the member whose deflate stream begins at `data`; where the next one is expected.

    `said` is where the member itself says that it ends.
    """
    if said is not None:
        return _block(blob, data, said, found)
    traced = trace(blob, data, blob.size, found.effort, partial(_plausible, blob))
    last = traced.last
    end = min(last.end + 8, blob.size) if last.stop is Stop.ENDED else blob.size
    if last.stop is Stop.BROKEN:
        following = _resume(blob, last.end, found)
        end = blob.size if following is None else following
    lost = next((place for _, stop in traced.breaks if (place := _member_before(blob, data, stop))), None)
    if lost is not None:
        end = lost  # the stream was picked up again in the next member
        last = replace(last, stop=Stop.BROKEN)
    found.claim(data, end, Kind.CODED, "deflate stream")
    for start, stop in traced.breaks:
        if start >= end:
            break
        found.flaw(start, min(stop, end), "the deflate stream is broken in here")
    if last.stop is Stop.SHORT:
        found.flaw(blob.size, blob.size, "the file ends inside a deflate stream")
    elif last.stop is Stop.SPENT:
        found.untested(last.end)
    elif last.stop is Stop.ENDED and not traced.breaks:
        trailer = blob.at(last.end, 8)
        if len(trailer) < 8:
            found.flaw(blob.size, blob.size, "the file ends inside a gzip trailer")
        elif _matches(trailer, last):
            found.checked += last.end - data
        else:
            found.flaw(data, end, "the CRC-32 of a gzip member does not match", checksum=True)
    elif last.stop is Stop.ENDED and recognises(blob.at(end + 1, 10)):
        end += 1  # followed from inside a byte, a stream's end is known to a byte
    return end


def _block(blob: Blob, data: int, end: int, found: Draft) -> int:
    """Test a BGZF block, 64 KiB at most: it is whole, or it is the flaw."""
    result = inflate(blob, data, end - 8, found.effort)
    found.claim(data, end, Kind.CODED, "BGZF block")
    if result.stop is Stop.ENDED and result.end == end - 8 and _matches(blob.at(end - 8, 8), result):
        found.checked += result.end - data
    elif result.stop is not Stop.SPENT:
        found.flaw(data, end, "a BGZF block is broken", checksum=result.stop is Stop.ENDED)
    return end


def _plausible(blob: Blob, last: Inflated) -> bool:
    """Whether a stream may end here: its trailer matches, or the file or another member stands behind."""
    tail = blob.at(last.end, 19)
    if len(tail) <= 9 or _matches(tail[:8], last):
        return True
    return recognises(tail[8:18]) or recognises(tail[9:19]) or not any(tail[9:])


def _matches(trailer: bytes, last: Inflated) -> bool:
    return struct.unpack("<II", trailer) == (last.crc, last.size & 0xFFFFFFFF)


def _resume(blob: Blob, start: int, found: Draft) -> int | None:
    """The next header whose deflate stream can be followed for a while; `SEARCH` bytes are looked through."""
    stop = min(blob.size, start + min(SEARCH, max(found.effort.left, WINDOW)))
    for position in range(start, stop, WINDOW):
        window = found.take(blob, position, WINDOW + 10)
        for hit in _MEMBER.finditer(window):
            try:
                data = _header(blob, position + hit.start())
            except Malformed:
                continue
            trial = inflate(blob, data, min(blob.size, data + TRIAL), Effort(TRIAL_EFFORT))
            if trial.stop is not Stop.BROKEN:
                return position + hit.start()
    return None


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


def _tail(blob: Blob, offset: int, broken: Malformed, found: Draft) -> int | None:
    """What stands where a member was expected; gzip(1) ignores it, so that only a lost member is a flaw."""
    for position in range(offset, blob.size, WINDOW):
        if found.effort.left <= 0:
            found.untested(position)
            return None
        chunk = found.take(blob, position, WINDOW)
        zeros = _ZEROS.match(chunk)
        if zeros and zeros.end() < len(chunk):
            following = _resume(blob, offset, found)
            if following is not None:
                found.claim(offset, following, Kind.CODED, "place of a gzip member")
                found.flaw(offset, following, broken.what)
                return following
            found.note(f"{blob.size - offset} bytes behind the last member")
            found.claim(offset, blob.size, Kind.OPAQUE, "bytes behind the last member")
            return None
    found.claim(offset, blob.size, Kind.STRUCTURED, "padding")
    return None


FORMAT = Format(
    name="gzip",
    title="gzip file",
    specification="RFC 1952",
    suffixes=("gz", "tgz", "svgz"),
    recognises=recognises,
    dissect=dissect,
)
