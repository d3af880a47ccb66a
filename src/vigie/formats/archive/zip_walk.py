"""A ZIP file without its directory (cut off, or overwritten there), walked by its local headers."""

from dataclasses import replace

from vigie.formats.archive.deflate import LATE, Stop, inflate
from vigie.formats.archive.zip_directory import ENTRY_MAGIC, Member
from vigie.formats.archive.zip_members import (
    DEFLATED,
    DESCRIPTOR_MAGIC,
    ENCRYPTED,
    HAS_DESCRIPTOR,
    LOCAL,
    Content,
    Survey,
    compare,
    local_header,
    next_local,
    visit,
)
from vigie.model import Blob, Kind

MEMBERS = 50_000
"""Members dissected."""
LEAST = 1024 * 1024
"""Bytes looked through for a header, however little effort is left."""


def walk_forward(blob: Blob, position: int, stop: int, result: Survey) -> None:
    """Follow local headers where no directory helps: the archive was cut off, or its end overwritten."""
    for _ in range(MEMBERS):
        if result.effort.left <= 0:
            result.note("too long to test all of it")
            break
        fields = local_header(blob.at(position, LOCAL.size))
        if fields is None or position >= stop:
            break
        position = _found(blob, position, stop, fields, result)
        if position < stop and local_header(blob.at(position, LOCAL.size)) is None:
            if blob.at(position, 4) == ENTRY_MAGIC:
                # A cut directory: its bytes are text and numbers, which the judge measures.
                result.claim(position, stop, Kind.STRUCTURED, "central directory")
                break
            following = _next(blob, position, stop, result)
            result.flaw(position, following, "neither a member nor the central directory")
            position = following
    if stop == blob.size:
        result.flaw(stop, stop, "no end of central directory")


def _next(blob: Blob, position: int, stop: int, result: Survey) -> int:
    """Where the next local header stands, `stop` if there is none as far as the effort reaches."""
    reach = position + max(result.effort.left, LEAST)
    following = next_local(blob, position, min(stop, reach))
    if following is None:
        following = stop
        if reach < stop:
            result.note("too long to test all of it")
    result.effort.spend(following - position)
    return following


def _found(blob: Blob, position: int, stop: int, fields: tuple[int, ...], result: Survey) -> int:
    """Test the member whose local header is at `position`; returns where the next thing begins."""
    _, flags, method, _, _, crc, packed, size, name_length, extra_length = fields
    raw = blob.at(position + LOCAL.size, name_length)
    name = raw.decode("utf-8" if flags & 0x800 else "cp437", "replace")
    start = min(position + LOCAL.size + name_length + extra_length, stop)
    member = Member(name, raw, flags, method, crc, packed, size, position)
    described = bool(flags & HAS_DESCRIPTOR) and not packed
    if not described and start + packed <= stop:
        return visit(blob, member, stop, result)
    result.names.append(name)
    result.claim(
        position, position + LOCAL.size + name_length, Kind.STRUCTURED, f"local header of {name[:200]}"
    )
    if flags & ENCRYPTED or method != DEFLATED:
        end = _next(blob, start, stop, result) if described else stop
        result.claim(start, end, Kind.OPAQUE, f"data of {name[:200]}")
        return end
    found = inflate(blob, start, stop, result.effort)
    if found.stop is Stop.ENDED:
        result.claim(start, found.end, Kind.CODED, f"deflate stream of {name[:200]}")
        return _descriptor(blob, Content(name[:200], start, found.end, member), found.crc, result)
    if found.stop is Stop.BROKEN:
        end = _next(blob, found.end, stop, result)
        result.claim(start, end, Kind.CODED, f"deflate stream of {name[:200]}")
        what = f"the deflate stream of {name[:200]} breaks near byte {found.end}"
        result.flaw(max(start, found.end - LATE), end, what)
        return end
    result.claim(start, stop, Kind.CODED, f"deflate stream of {name[:200]}")
    if found.stop is Stop.SPENT:
        result.note("too long to test all of it")
    return stop


def _descriptor(blob: Blob, content: Content, crc: int, result: Survey) -> int:
    """The data descriptor behind a stream (section 4.3.9), whose magic and 64-bit sizes are optional."""
    end = content.end
    tail = blob.at(end, 28)
    magic = 4 if tail.startswith(DESCRIPTOR_MAGIC) else 0
    if len(tail) >= magic + 4:
        said = int.from_bytes(tail[magic : magic + 4], "little")
        compare(result, replace(content, member=replace(content.member, crc=said)), crc)
    for length in (12, 20):
        if tail[magic + length : magic + length + 2] == b"PK":
            return end + magic + length
    return min(end + magic + 12, blob.size)
