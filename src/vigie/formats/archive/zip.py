"""ZIP (APPNOTE 6.3.10): the central directory, every local header, and the CRC-32 of every member.

By hand: zipfile gives up on the first thing that is wrong, and knows no places.
"""

from vigie.formats.archive.zip_directory import find_end, read_entries
from vigie.formats.archive.zip_members import (
    DESCRIPTOR_MAGIC,
    LOCAL,
    LOCAL_MAGIC,
    NAMED,
    Survey,
    local_header,
    next_local,
    visit,
)
from vigie.formats.archive.zip_walk import LEAST, MEMBERS, walk_forward
from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Kind

__all__ = ["FORMAT", "LOCAL", "LOCAL_MAGIC", "Survey", "dissect", "recognises", "survey"]


def recognises(head: bytes) -> bool:
    """A sane local header at the start, or an empty archive's end record (sections 4.3.7 and 4.3.16)."""
    if head.startswith(b"PK\x05\x06") and len(head) >= 22:
        return not any(head[4:20])
    if head[:8] in (DESCRIPTOR_MAGIC + LOCAL_MAGIC, b"PK00" + LOCAL_MAGIC):  # spanning markers, section 8.5
        head = head[4:]
    return local_header(head) is not None


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The anatomy of a ZIP file.

    Raises:
        Malformed: there is neither a central directory nor any local header.
        Unreadable: the blob cannot be read.
    """
    return survey(blob, effort).anatomy("zip")


def survey(blob: Blob, effort: int = EFFORT) -> Survey:
    """Walk by the central directory, or where there is none by the local headers.

    Raises:
        Malformed, Unreadable: as `dissect`.
    """
    result = Survey(blob.size, effort)
    end = find_end(blob)
    if end is None:
        first = next_local(blob, 0, min(blob.size, max(effort, LEAST)))
        if first is None:
            raise Malformed(0, "neither a central directory nor a local header")
        if first:
            result.flaw(0, first, "no local header where the archive begins")
        walk_forward(blob, first, blob.size, result)
        result.test(blob)
        return result
    if end.split:
        result.note("one volume of several: cannot be tested by itself")
        return result
    members, stopped, private = read_entries(blob, end, MEMBERS)
    members.sort(key=lambda member: member.offset)
    position = 0
    for index, member in enumerate(members):
        limit = members[index + 1].offset if index + 1 < len(members) else end.start
        if result.effort.left <= 0:
            result.note("too long to test all of it")
            break
        position = max(position, visit(blob, member, min(limit, end.start), result))
    if len(members) == MEMBERS:
        result.note(f"more than {MEMBERS} members: the rest is not tested")
    elif stopped < end.stop:
        result.flaw(stopped, end.stop, "the central directory breaks off")
        walk_forward(blob, position, end.start, result)
    elif len(members) != end.entries & 0xFFFF and len(members) != end.entries:
        result.note(f"{end.entries} members announced, {len(members)} found")
    if len(members) > NAMED:
        result.claim(members[NAMED].offset, end.start, Kind.CODED, f"{len(members) - NAMED} more members")
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
    result.test(blob)
    return result


FORMAT = Format(
    name="zip",
    title="ZIP archive",
    specification="PKWARE APPNOTE 6.3.10, 4.3",
    suffixes=("zip", "jar", "whl", "epub", "apk", "kmz", "xpi", "nupkg"),
    recognises=recognises,
    dissect=dissect,
)
