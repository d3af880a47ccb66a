"""Borg repositories: segments entry by entry with their CRC-32, and the files beside them.

Entries are encrypted as a rule, yet each carries a CRC-32 over itself (PUT) or over its header (PUT2), so
that a segment can be tested without its key, and is found again behind a broken entry.
"""

import re
import struct
import zlib

from vigie.formats.archive.deflate import crc32
from vigie.formats.archive.draft import Draft
from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Kind

MAGIC = b"BORG_SEG"
LARGEST = 20 * 1024 * 1024 + 41 + 8
"""Bytes of an entry (borg, constants.MAX_OBJECT_SIZE)."""
WINDOW = 1024 * 1024
SEARCH = 64 * 1024 * 1024
_HEAD = struct.Struct("<LLB")
_PUT, _DELETE, _COMMIT, _PUT2 = range(4)
_LEAST = (41, 41, 9, 49)
_NAMES = ("put", "delete", "commit", "put")
_PRICE = 128
# An entry's size (below 32 MiB) and tag; its CRC-32 is before them.
_LIKELY = re.compile(rb"(?s)(?=.{4}..[\x00-\xff][\x00\x01][\x00-\x03])")


def _whole(blob: Blob, position: int, found: Draft) -> tuple[int, int] | None:
    """Length and tag of the entry at `position`, if it can be one and its CRC-32 holds."""
    found.effort.spend(_PRICE)
    head = blob.at(position, 49)
    if len(head) < _HEAD.size:
        return None
    said, size, tag = _HEAD.unpack_from(head)
    if tag > _PUT2 or not _LEAST[tag] <= size <= LARGEST or position + size > blob.size:
        return None
    if tag in (_DELETE, _COMMIT) and size != _LEAST[tag]:
        return None
    length = size if tag == _PUT else _LEAST[tag]
    if length <= 49:
        crc: int | None = zlib.crc32(head[4:length])
    else:
        crc = crc32(blob, position + 4, position + length, found.effort)
    if crc is None:
        found.untested(position)
        return size, tag
    if crc != said:
        return None
    found.checked += length
    return size, tag


def dissect_segment(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Entries from the magic to the end.

    Raises:
        Malformed: there is no magic.
        Unreadable: the blob cannot be read.
    """
    if blob.at(0, 8) != MAGIC:
        raise Malformed(0, "no magic of a borg segment")
    found = Draft(blob.size, effort)
    found.claim(0, 8, Kind.STRUCTURED, "magic")
    position = 8
    while position < blob.size:
        if found.effort.left <= 0:
            found.untested(position)
            break
        entry = _whole(blob, position, found)
        if entry is not None:
            found.claim(position, position + entry[0], Kind.CODED, f"{_NAMES[entry[1]]} entry")
            position += entry[0]
            continue
        following = _next(blob, position, found)
        stop = blob.size if following is None else following
        found.claim(position, stop, Kind.CODED, "place of an entry")
        if following is None and _cut(blob, position):
            found.flaw(blob.size, blob.size, "the file ends inside an entry")
        else:
            found.flaw(position, stop, "the CRC-32 of an entry does not match", checksum=True)
        position = stop
    return found.anatomy("borg-segment")


def _cut(blob: Blob, position: int) -> bool:
    """Whether the last entry is a plausible one that is not all there."""
    head = blob.at(position, _HEAD.size)
    if len(head) < _HEAD.size:
        return True
    size, tag = int.from_bytes(head[4:8], "little"), head[8]
    return tag <= _PUT2 and size <= LARGEST and position + size > blob.size


def _next(blob: Blob, position: int, found: Draft) -> int | None:
    """The next entry: where the broken one says that it ends, or the first place whose CRC-32 holds."""
    head = blob.at(position, _HEAD.size)
    if len(head) == _HEAD.size:
        size, tag = int.from_bytes(head[4:8], "little"), head[8]
        if tag <= _PUT2 and _LEAST[tag] <= size <= LARGEST:
            end = position + size
            if end == blob.size or (end < blob.size and _whole(blob, end, found)):
                return end
    for base in range(position + 1, min(blob.size, position + SEARCH), WINDOW):
        if found.effort.left <= 0:
            return None
        window = found.take(blob, base, WINDOW + 8)
        for hit in _LIKELY.finditer(window):
            if found.effort.left <= 0:
                return None
            place = base + hit.start()
            if hit.start() < WINDOW and place < blob.size and _whole(blob, place, found):
                return place
    return None


def _dissect_index(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """A hash table of keys, which are digests: only its header says anything (borg, _hashindex.c).

    Raises:
        Malformed: there is no header, or its numbers do not give the file's size.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 18)
    if not _index(head):
        raise Malformed(0, "no header of a borg index")
    found = Draft(blob.size, effort)
    found.claim(0, 18, Kind.STRUCTURED, "header")
    found.claim(18, blob.size, Kind.OPAQUE, "buckets")
    _, buckets, key, value = struct.unpack_from("<LLBB", head, 8)
    size = 18 + buckets * (key + value)
    if head[:8] == b"BORG_IDX" and size > blob.size:
        found.flaw(blob.size, blob.size, "the file ends before its last bucket")
    return found.anatomy("borg-index")


def _index(head: bytes) -> bool:
    return head[:8] in (b"BORG_IDX", b"BORG2IDX") and len(head) >= 18


FORMATS = (
    Format(
        name="borg-segment",
        title="borg segment",
        specification="borg, internals: segments",
        suffixes=(),
        recognises=lambda head: head.startswith(MAGIC),
        dissect=dissect_segment,
    ),
    Format(
        name="borg-index",
        title="borg index",
        specification="borg, internals: indexes",
        suffixes=(),
        recognises=_index,
        dissect=_dissect_index,
    ),
)
