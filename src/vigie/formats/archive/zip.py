"""ZIP (APPNOTE 6.3.10): the central directory, every local header, and the CRC-32 of every member."""

import struct
from dataclasses import dataclass, field

from vigie.formats.archive.deflate import LATE, Stop, crc32, inflate
from vigie.formats.archive.zip_directory import ENTRY_MAGIC, Member, find_end, read_entries
from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

LOCAL = struct.Struct("<4s5H3L2H")
LOCAL_MAGIC = b"PK\x03\x04"
DESCRIPTOR_MAGIC = b"PK\x07\x08"
MEMBERS = 50_000
"""Members dissected."""
_STORED, _DEFLATED = 0, 8
_METHODS = frozenset({*range(15), 16, 18, 19, 20, *range(92, 100)})
_HAS_DESCRIPTOR = 0x08


@dataclass(slots=True)
class Survey:
    """What a ZIP file was found to hold; OOXML builds on it."""

    size: int
    """Of the blob: nothing is said of what lies behind it."""
    names: list[str] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checked: int = 0
    effort: Effort = field(default_factory=Effort)

    def note(self, text: str) -> None:
        """Say it once."""
        if text not in self.notes:
            self.notes.append(text)

    def claim(self, start: int, end: int, kind: Kind, what: str) -> None:
        """Add a region behind the last one; what would overlap it is left out."""
        end = min(end, self.size)
        if start < end and (not self.regions or start >= self.regions[-1].end):
            self.regions.append(Region(start, end, kind, what))

    def anatomy(self, name: str) -> Anatomy:
        """The same as an anatomy of format `name`."""
        flaws = (
            Flaw(
                min(flaw.start, self.size),
                min(max(flaw.start, flaw.end), self.size),
                flaw.what,
                flaw.checksum,
            )
            for flaw in self.flaws
        )
        return Anatomy(name, tuple(self.regions), tuple(flaws), self.checked, tuple(self.notes))


def recognises(head: bytes) -> bool:
    """A sane local header at the start, or an empty archive's end record (sections 4.3.7 and 4.3.16)."""
    if head.startswith(b"PK\x05\x06") and len(head) >= 22:
        return not any(head[4:20])
    if head[:8] in (DESCRIPTOR_MAGIC + LOCAL_MAGIC, b"PK00" + LOCAL_MAGIC):  # spanning markers, section 8.5
        head = head[4:]
    return local_header(head) is not None


def local_header(head: bytes) -> tuple[int, ...] | None:
    """The fields of the local header that `head` starts with (section 4.3.7), or nothing."""
    if len(head) < LOCAL.size or not head.startswith(LOCAL_MAGIC):
        return None
    fields: tuple[int, ...] = LOCAL.unpack_from(head)[1:]
    version, method, name_length = fields[0] & 0xFF, fields[2], fields[8]
    if version > 99 or method not in _METHODS or not name_length:
        return None
    return fields


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """The anatomy of a ZIP file.

    Raises:
        Malformed: there is neither a central directory nor any local header.
        Unreadable: the blob cannot be read.
    """
    return survey(blob).anatomy("zip")


def survey(blob: Blob) -> Survey:
    """Walk by the central directory, or where there is none by the local headers.

    Raises:
        Malformed, Unreadable: as `dissect`.
    """
    result = Survey(blob.size)
    end = find_end(blob)
    if end is None:
        first = _next_local(blob, 0)
        if first is None:
            raise Malformed(0, "neither a central directory nor a local header")
        if first:
            result.flaws.append(Flaw(0, first, "no local header where the archive begins"))
        _walk_forward(blob, first, blob.size, result)
        return result
    if end.split:
        result.note("one volume of several: cannot be tested by itself")
        return result
    members, stopped, private = read_entries(blob, end, MEMBERS)
    members.sort(key=lambda member: member.offset)
    position = 0
    for index, member in enumerate(members):
        limit = members[index + 1].offset if index + 1 < len(members) else end.start
        position = max(position, _member(blob, member, min(limit, end.start), result))
    if len(members) == MEMBERS:
        result.note(f"more than {MEMBERS} members: the rest is not tested")
    elif stopped < end.stop:
        result.flaws.append(Flaw(stopped, end.stop, "the central directory breaks off"))
        _walk_forward(blob, position, end.start, result)
    elif len(members) != end.entries & 0xFFFF and len(members) != end.entries:
        result.note(f"{end.entries} members announced, {len(members)} found")
    begin = end.start
    for start, stop in private:
        result.claim(begin, start, Kind.STRUCTURED, "central directory")
        begin = stop
    result.claim(begin, end.stop, Kind.STRUCTURED, "central directory")
    result.claim(end.stop, end.close, Kind.OPAQUE, "end record and comment")
    if end.shift:
        result.note(f"{end.shift} bytes before the archive (a self-extractor?)")
    if end.close < blob.size:
        result.note(f"{blob.size - end.close} bytes behind the archive")
    return result


def _member(blob: Blob, member: Member, limit: int, result: Survey) -> int:
    """Test one member that the directory names; `limit` is where the next thing begins. Returns its end."""
    result.names.append(member.name)
    label = member.name[:200]
    head = blob.at(member.offset, LOCAL.size + len(member.raw))
    fields = local_header(head)
    start = member.offset + LOCAL.size + len(member.raw)
    if fields:
        start = member.offset + LOCAL.size + fields[8] + fields[9]
    end = start + member.packed
    if result.regions and member.offset < result.regions[-1].end:
        result.note("members overlap")
        return end
    if not fields or fields[8] != len(member.raw) or end > limit:
        # Without the header it is not known where the data begins: claim all up to the next header. Its own
        # place is known, and there no healthy archive has random bytes.
        what = (
            f"no local header of {label}" if not fields else f"local header and directory differ on {label}"
        )
        stop = max(min(limit, blob.size), member.offset)
        begins = min(member.offset + LOCAL.size + len(member.raw), stop)
        result.claim(member.offset, begins, Kind.STRUCTURED, f"place of the local header of {label}")
        result.claim(begins, stop, Kind.CODED, f"place of {label}")
        result.flaws.append(Flaw(member.offset, stop, what))
        return stop
    name_end = member.offset + LOCAL.size + fields[8]
    result.claim(member.offset, name_end, Kind.STRUCTURED, f"local header of {label}")
    if head[LOCAL.size :] != member.raw and not member.flags & 0x2000:
        result.flaws.append(Flaw(member.offset, name_end, f"local header and directory differ on {label}"))
    if member.encrypted:
        result.claim(start, end, Kind.OPAQUE, f"encrypted {label}")
        result.note("encrypted by password")
    elif member.method == _STORED:
        result.claim(start, end, Kind.CODED, f"stored {label}")
        crc = crc32(blob, start, end, result.effort)
        _compare(
            result, crc, member.crc, Flaw(start, end, f"the CRC-32 of {label} does not match", checksum=True)
        )
    elif member.method == _DEFLATED:
        result.claim(start, end, Kind.CODED, f"deflate stream of {label}")
        _deflated(blob, member, start, end, result)
    else:
        result.claim(start, end, Kind.CODED, f"method {member.method} data of {label}")
        result.note(f"compression method {member.method} is not tested")
    return end


def _compare(result: Survey, crc: int | None, promised: int, flaw: Flaw) -> None:
    if crc is None:
        result.note("too long to test all of it")
    elif crc == promised:
        result.checked += flaw.end - flaw.start
    else:
        result.flaws.append(flaw)


def _deflated(blob: Blob, member: Member, start: int, end: int, result: Survey) -> None:
    label = member.name[:200]
    found = inflate(blob, start, end, result.effort)
    if found.stop is Stop.ENDED:
        crc = found.crc if found.size == member.size & 0xFFFFFFFF or found.size == member.size else -1
        _compare(
            result, crc, member.crc, Flaw(start, end, f"the CRC-32 of {label} does not match", checksum=True)
        )
    elif found.stop is Stop.SPENT:
        result.note("too long to test all of it")
    elif found.stop is Stop.SHORT:
        # In place, and yet without an end: zlib went on decoding rubbish.
        result.flaws.append(Flaw(start, end, f"the deflate stream of {label} has no end"))
    else:
        where = max(start, found.end - LATE)
        result.flaws.append(Flaw(where, end, f"the deflate stream of {label} breaks near byte {found.end}"))


def _walk_forward(blob: Blob, position: int, stop: int, result: Survey) -> None:
    """Follow local headers where no directory helps: the archive was cut off, or its end overwritten."""
    for _ in range(MEMBERS):
        fields = local_header(blob.at(position, LOCAL.size))
        if fields is None or position >= stop:
            break
        position = _found(blob, position, stop, fields, result)
        if position < stop and local_header(blob.at(position, LOCAL.size)) is None:
            if blob.at(position, 4) == ENTRY_MAGIC:
                # A cut directory: its bytes are text and numbers, which the judge measures.
                result.claim(position, stop, Kind.STRUCTURED, "central directory")
                break
            following = _next_local(blob, position)
            following = stop if following is None or following > stop else following
            result.flaws.append(Flaw(position, following, "neither a member nor the central directory"))
            position = following
    if stop == blob.size:
        result.flaws.append(Flaw(stop, stop, "no end of central directory"))


def _found(blob: Blob, position: int, stop: int, fields: tuple[int, ...], result: Survey) -> int:
    """Test the member whose local header is at `position`; returns where the next thing begins."""
    _, flags, method, _, _, crc, packed, size, name_length, extra_length = fields
    raw = blob.at(position + LOCAL.size, name_length)
    name = raw.decode("utf-8" if flags & 0x800 else "cp437", "replace")
    start = min(position + LOCAL.size + name_length + extra_length, stop)
    result.names.append(name)
    described = bool(flags & _HAS_DESCRIPTOR) and not packed
    if (flags & 0x41 or method != _DEFLATED) and described:
        following = _next_local(blob, start)
        end = stop if following is None or following > stop else following
        result.claim(start, end, Kind.OPAQUE, f"data of {name[:200]}")
        return end
    end = start + packed
    if not described and end <= stop:
        member = Member(name, raw, flags, method, crc, packed, size, position)
        return _member(blob, member, stop, result)
    result.claim(position, start, Kind.STRUCTURED, f"local header of {name[:200]}")
    if flags & 0x41 or method != _DEFLATED:
        result.claim(start, stop, Kind.OPAQUE, f"data of {name[:200]}")
        return stop
    found = inflate(blob, start, stop, result.effort)
    if found.stop is Stop.ENDED:
        result.claim(start, found.end, Kind.CODED, f"deflate stream of {name[:200]}")
        return _descriptor(blob, found.end, found.crc, start, name, result)
    result.claim(start, stop, Kind.CODED, f"deflate stream of {name[:200]}")
    if found.stop is Stop.BROKEN:
        where = max(start, found.end - LATE)
        following = _next_local(blob, found.end)
        end = stop if following is None or following > stop else following
        result.flaws.append(
            Flaw(where, end, f"the deflate stream of {name[:200]} breaks near byte {found.end}")
        )
        return end
    return stop


def _descriptor(blob: Blob, end: int, crc: int, start: int, name: str, result: Survey) -> int:
    """The data descriptor behind a stream (section 4.3.9), whose magic and 64-bit sizes are optional."""
    tail = blob.at(end, 28)
    magic = 4 if tail.startswith(DESCRIPTOR_MAGIC) else 0
    if len(tail) >= magic + 4:
        flaw = Flaw(start, end, f"the CRC-32 of {name[:200]} does not match", checksum=True)
        _compare(result, crc, int.from_bytes(tail[magic : magic + 4], "little"), flaw)
    for length in (12, 20):
        if tail[magic + length : magic + length + 2] == b"PK":
            return end + magic + length
    return min(end + magic + 12, blob.size)


def _next_local(blob: Blob, start: int) -> int | None:
    """The next plausible local header at or behind `start`."""
    for position in range(start, blob.size, 1 << 20):
        window = blob.at(position, (1 << 20) + LOCAL.size)
        place = window.find(LOCAL_MAGIC)
        while 0 <= place < 1 << 20:
            if local_header(window[place : place + LOCAL.size]):
                return position + place
            place = window.find(LOCAL_MAGIC, place + 1)
    return None


FORMAT = Format(
    name="zip",
    title="ZIP archive",
    specification="PKWARE APPNOTE 6.3.10, 4.3",
    suffixes=("zip", "jar", "whl", "epub", "apk", "odt", "ods", "odp", "odg", "kmz", "xpi", "nupkg"),
    recognises=recognises,
    dissect=dissect,
)
