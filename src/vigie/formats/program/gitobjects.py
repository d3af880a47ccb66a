"""What a Git repository keeps: packs, their indexes, loose objects; inflated, and their SHA-1 compared.

Parsed by hand on top of zlib: a pack names no length of its compressed objects, so each is inflated to
find the next one. Behind a broken one the walk goes on at the next stream whose Adler-32 holds.
"""

import hashlib
import re
import zlib
from dataclasses import dataclass

import numpy as np

from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_HASH = 20
_OBJECTS = 200_000
"""Objects of a pack inflated one by one: Python's work, at some 10 microseconds each."""
_NAMES = 2_000_000
"""Names of an index that are looked at where its checksum fails."""
_TRIES = 20_000
"""Places at which a stream is looked for behind a broken object."""
_FLAWS = 256
_SLICE = 64 * 1024
_OFFSET_DELTA, _REFERENCE_DELTA = 6, 7
_LOOSE = re.compile(rb"(?:blob|tree|commit|tag) \d{1,20}\0")
_ZLIB = re.compile(rb"x[\x01\x5e\x9c\xda]")


def _is_pack(head: bytes) -> bool:
    """Magic and version (gitformat-pack, "pack-*.pack files")."""
    return head[:8] in (b"PACK\0\0\0\2", b"PACK\0\0\0\3")


def _is_index(head: bytes) -> bool:
    """Magic and version 2, and a table that begins to rise (gitformat-pack, "Version 2 pack-*.idx")."""
    return head[:8] == b"\xfftOc\0\0\0\2"


def _is_loose(head: bytes) -> bool:
    """A zlib stream that begins with a type and a length (gitformat-loose)."""
    if len(head) < 2 or head[0] != 0x78 or int.from_bytes(head[:2], "big") % 31:
        return False
    try:
        return bool(_LOOSE.match(zlib.decompressobj().decompress(head[:128], 32)))
    except zlib.error:
        return False


@dataclass(frozen=True, slots=True)
class _Stream:
    """A zlib stream that was followed to its end, or to the end of the file."""

    end: int
    size: int
    ended: bool = True


def _stream(blob: Blob, start: int, limit: int, most: int, effort: Effort) -> _Stream | None:
    """Inflate at `start`; nothing where the stream breaks, or gives more than `most` bytes."""
    engine = zlib.decompressobj()
    position, size, piece = start, 0, 512
    try:
        while position < limit and size <= most and effort.left > 0:
            feed = blob.at(position, min(piece, limit - position))
            position += len(feed)
            effort.spend(len(feed))
            piece = _SLICE
            while feed and not engine.eof and size <= most and effort.left > 0:
                out = len(engine.decompress(feed, 1 << 20))
                size += out
                effort.spend(out)
                feed = engine.unconsumed_tail
            if engine.eof:
                return _Stream(position - len(engine.unused_data), size)
    except zlib.error:
        return None
    return _Stream(position, size, ended=False) if size <= most else None


def _sealed(blob: Blob) -> bool:
    """Whether the last 20 bytes are the SHA-1 of all before."""
    end = blob.size - _HASH
    digest = hashlib.sha1(usedforsecurity=False)
    for position in range(0, end, 1 << 20):
        digest.update(blob.at(position, min(1 << 20, end - position)))
    return digest.digest() == blob.at(end, _HASH)


def dissect_loose(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """One zlib stream, whose header says how long it is.

    Raises:
        Malformed: no loose object.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 4096)
    if not _is_loose(head):
        raise Malformed(0, "no loose object of Git")
    start = zlib.decompressobj().decompress(head, 32)
    said = int(start[start.index(b" ") + 1 : start.index(b"\0")]) + start.index(b"\0") + 1
    region = (Region(0, blob.size, Kind.CODED, "deflate stream of a Git object"),)
    if said > effort or blob.size > effort:
        return Anatomy("gitobject", region, (), 0, ("too long to test",))
    spent = Effort(effort)
    found = _stream(blob, 0, blob.size, said, spent)
    if spent.left <= 0:
        return Anatomy("gitobject", region, (), 0, ("too long to test",))
    if found is not None and not found.ended:
        return Anatomy("gitobject", region, (Flaw(blob.size, blob.size, "the file ends inside its stream"),))
    if found is None or found.size != said:
        return Anatomy("gitobject", region, (Flaw(0, blob.size, "its stream breaks, or has another length"),))
    notes = (f"{blob.size - found.end} bytes behind the object",) if found.end < blob.size else ()
    return Anatomy("gitobject", (Region(0, found.end, Kind.CODED, region[0].what),), (), found.end, notes)


def dissect_index(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Names in rising order, counted by their first byte; the SHA-1 of everything stands at the end.

    Raises:
        Malformed: no header, or a file too short for what it counts.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 8 + 1024)
    if not _is_index(head) or len(head) < 1032:
        raise Malformed(0, "no index of a pack")
    fan = np.frombuffer(head, ">u4", 256, 8).astype(np.int64)
    if (fan[1:] < fan[:-1]).any():
        raise Malformed(8, "the counts of the index do not rise")
    count = int(fan[-1])
    names, tables = 1032, 1032 + count * _HASH
    if tables + 8 * count + 2 * _HASH > blob.size:
        cut = Flaw(blob.size, blob.size, f"the file ends before what it has of {count} objects")
        return Anatomy("gitindex", (Region(0, names, Kind.STRUCTURED, "counts"),), (cut,))
    regions = (
        Region(0, names, Kind.STRUCTURED, "counts"),
        Region(names, tables, Kind.CODED, "object names"),
        Region(tables, blob.size, Kind.CODED, "checksums and offsets"),
    )
    if blob.size > effort:
        return Anatomy("gitindex", regions, (), 0, ("too long to test",))
    if _sealed(blob):
        return Anatomy("gitindex", regions, (), blob.size)
    flaws = [Flaw(tables, blob.size, "the SHA-1 of the index does not match", checksum=True)]
    looked = min(count, _NAMES)
    first = np.frombuffer(blob.at(names, looked * _HASH), np.uint8)[::_HASH]
    expected = np.repeat(np.arange(256), np.diff(fan.clip(max=looked), prepend=0))
    wrong = np.flatnonzero(first != expected)
    if wrong.size:
        start, end = names + int(wrong[0]) * _HASH, names + (int(wrong[-1]) + 1) * _HASH
        flaws = [Flaw(start, end, "object names out of order", checksum=True)]
    return Anatomy("gitindex", regions, tuple(flaws))


def dissect_pack(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Object after object; the SHA-1 of everything stands at the end.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 12)
    if not _is_pack(head) or len(head) < 12:
        raise Malformed(0, "no header of a pack")
    count = int.from_bytes(head[8:], "big")
    regions = (
        Region(0, 12, Kind.STRUCTURED, "header"),
        Region(12, max(12, blob.size), Kind.CODED, "compressed objects"),
    )
    if blob.size < 12 + _HASH:
        return Anatomy("gitpack", regions, (Flaw(blob.size, blob.size, "the file ends before its checksum"),))
    if blob.size > effort:
        return Anatomy("gitpack", regions, (), 0, ("too long to test",))
    end = blob.size - _HASH
    if _sealed(blob):
        return Anatomy("gitpack", regions, (), blob.size)
    flaws, notes = _objects(blob, count, end, Effort(effort - blob.size))
    if not flaws:
        flaws = [Flaw(end, blob.size, "the SHA-1 of the pack does not match", checksum=True)]
    return Anatomy("gitpack", regions, tuple(flaws), 0, tuple(notes))


def _objects(blob: Blob, count: int, end: int, effort: Effort) -> tuple[list[Flaw], list[str]]:
    """Which objects of a pack do not inflate to the length they announce."""
    flaws: list[Flaw] = []
    position = 12
    for index in range(min(count, _OBJECTS)):
        if position >= end or effort.left <= 0 or len(flaws) == _FLAWS:
            break
        found = _object(blob, position, end, effort)
        if effort.left <= 0:
            break
        if found is not None and not found.ended:
            flaws.append(Flaw(blob.size, blob.size, f"the file ends inside object {index}"))
            return flaws, []
        if found is not None:
            position = found.end
            continue
        following = _resume(blob, position + 1, end, effort)
        flaws.append(Flaw(position, following, f"object {index} does not inflate"))
        position = following
    notes = [] if position >= end else [f"too long to test: untested from byte {position}"]
    return flaws, notes


def _object(blob: Blob, position: int, end: int, effort: Effort) -> _Stream | None:
    """The object at `position`: type and size in a variable number of bytes, what it builds on, its data."""
    head = blob.at(position, 64)
    byte = head[0]
    kind, size, shift, place = byte >> 4 & 7, byte & 15, 4, 1
    while byte & 0x80 and place < 11:
        byte = head[place] if place < len(head) else 0
        size |= (byte & 0x7F) << shift
        shift += 7
        place += 1
    if kind in (0, 5):
        return None
    if kind == _REFERENCE_DELTA:
        place += _HASH
    elif kind == _OFFSET_DELTA:
        while place < len(head) - 1 and head[place] & 0x80:
            place += 1
        place += 1
    found = _stream(blob, position + place, end, size, effort)
    return found if found is not None and (found.size == size or not found.ended) else None


def _resume(blob: Blob, start: int, end: int, effort: Effort) -> int:
    """Where the next sound stream ends (the header of its object goes with the broken one's bytes)."""
    tries = 0
    for position in range(start, end, 1 << 20):
        window = blob.at(position, min((1 << 20) + 1, end - position))
        for match in _ZLIB.finditer(window):
            tries += 1
            if tries > _TRIES or effort.left <= 0:
                return end
            found = _stream(blob, position + match.start(), end, 16 << 20, effort)
            if found is not None and found.ended and found.size > 8:
                return found.end
    return end


FORMATS = (
    Format(
        name="gitpack",
        title="Git pack",
        specification="gitformat-pack(5)",
        suffixes=(),
        recognises=_is_pack,
        dissect=dissect_pack,
    ),
    Format(
        name="gitindex",
        title="index of a Git pack",
        specification='gitformat-pack(5), "Version 2 pack-*.idx files"',
        suffixes=(),
        recognises=_is_index,
        dissect=dissect_index,
    ),
    Format(
        name="gitobject",
        title="loose Git object",
        specification="gitformat-pack(5), git-hash-object(1)",
        suffixes=(),
        recognises=_is_loose,
        dissect=dissect_loose,
    ),
)
