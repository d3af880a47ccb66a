"""Windows event logs (.evtx): every chunk's checksums, and where they fail, the chain of its records.

By hand: a log that is being written has chunks whose checksums are not yet right, and is healthy.
"""

import struct
import zlib

from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.formats.data import pages
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_HEADER = 4096
_CHUNK = 64 * 1024
_RECORDS = 512
"""Where in a chunk the records begin (libevtx, "Chunk")."""
_RECORD = b"\x2a\x2a\0\0"
_MOST = 4096
"""Flaws kept."""


def recognises(head: bytes) -> bool:
    """The file header: magic, its own size, version 3, and the size of the header's block."""
    return (
        len(head) >= 128
        and head.startswith(b"ElfFile\0")
        and head[32:36] == b"\x80\0\0\0"
        and head[38:42] == b"\3\0\0\x10"
    )


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The header and the chunks.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, _HEADER)
    if not recognises(head):
        raise Malformed(0, "no header of an event log")
    flaws: list[Flaw] = []
    regions = [Region(0, 128, Kind.STRUCTURED, "header")]
    if zlib.crc32(head[:120]) != int.from_bytes(head[124:128], "little"):
        flaws.append(Flaw(0, 128, "the checksum of the header does not match", checksum=True))
    chunks = max(0, blob.size - _HEADER) // _CHUNK
    budget, looked, checked, stale = Effort(effort), 0, 0, 0
    for number in pages.places(chunks, 1, max(1, effort // _CHUNK)):
        place = _HEADER + number * _CHUNK
        data = blob.at(place, _CHUNK)
        budget.spend(_CHUNK)
        looked += 1
        if data[:8] != b"ElfChnk\0":
            if data.strip(b"\0") and len(flaws) < _MOST:
                flaws.append(Flaw(place, place + _CHUNK, f"chunk {number}: no header"))
                regions.append(Region(place, place + _CHUNK, Kind.STRUCTURED, "where a chunk must be"))
            continue
        held = _held(data)
        checked += held
        if held < _CHUNK:
            broken = _broken(data)
            stale += not broken
            for start, end in broken[: max(0, _MOST - len(flaws))]:
                flaws.append(Flaw(place + start, place + end, f"chunk {number}: no records", checksum=True))
    if (blob.size - _HEADER) % _CHUNK:
        flaws.append(Flaw(blob.size, blob.size, "the file ends inside a chunk"))
    notes = [f"{stale} chunks are not sealed: the log was open"] if stale else []
    if looked < chunks:
        notes.append(f"looked at {looked} of {chunks} chunks")
    return Anatomy("evtx", tuple(regions), tuple(flaws), checked, tuple(notes))


def _held(data: bytes) -> int:
    """The bytes of a chunk that its two checksums vouch for; all of them, where both hold."""
    (end,) = struct.unpack_from("<L", data, 48)
    header = zlib.crc32(data[:120] + data[128:_RECORDS]) == int.from_bytes(data[124:128], "little")
    inside = _RECORDS <= end <= len(data)
    body = inside and zlib.crc32(data[_RECORDS:end]) == int.from_bytes(data[52:56], "little")
    if header and body:
        return _CHUNK
    return _RECORDS if header else end - _RECORDS if body else 0


def _broken(data: bytes) -> list[tuple[int, int]]:
    """Where a chunk's records do not follow each other; after a gap, the next one is looked for."""
    found: list[tuple[int, int]] = []
    (end,) = struct.unpack_from("<L", data, 48)
    if not _RECORDS <= end <= len(data):
        return list(pages.blocks(0, len(data)))
    place = _RECORDS
    while place < end:
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        whole = data[place : place + 4] == _RECORD and 28 <= length <= len(data) - place
        if whole and data[place + length - 4 : place + length] == data[place + 4 : place + 8]:
            place += length
            continue
        again = data.find(_RECORD, place + 4, end)
        stop = end if again < 0 else again
        found.extend(pages.blocks(place, stop))
        place = stop
    return found


FORMAT = Format(
    name="evtx",
    title="Windows event log",
    specification="libevtx, Windows XML Event Log format",
    suffixes=("evtx",),
    recognises=recognises,
    dissect=dissect,
)
