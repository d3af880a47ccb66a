"""FLAC (RFC 9639): metadata blocks, then frames; each frame header has a CRC-8, each frame a CRC-16.

A frame does not say how long it is: it ends where the next header with a good CRC-8 stands and the CRC-16
between holds. Long runs of bytes are checksummed by numpy: the CRC of two halves is the CRC of the first one,
shifted, plus that of the second one, so halves are joined all at once, level by level.
"""

import functools
import re

import numpy as np
from numpy.typing import NDArray

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.media.findings import Findings
from vigie.formats.media.stretch import places
from vigie.formats.media.tags import id3v2, tag
from vigie.model import Anatomy, Blob, Kind

SLICE = 1024 * 1024
LONGEST = 512 * 1024
"""Bytes of a frame that is looked for; 65,535 samples of 8 channels and 32 bits would be 2 MiB, none is."""
_SYNC = re.compile(rb"\xff[\xf8\xf9][\x10-\xff]")
_NAMES = ("STREAMINFO", "PADDING", "APPLICATION", "SEEKTABLE", "VORBIS_COMMENT", "CUESHEET", "PICTURE")


def _table(polynomial: int, bits: int) -> list[int]:
    """CRC of each single byte."""
    top, mask, table = 1 << (bits - 1), (1 << bits) - 1, []
    for value in range(256):
        crc = value << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ polynomial if crc & top else crc << 1) & mask
        table.append(crc)
    return table


_CRC8 = _table(0x07, 8)
_CRC16 = np.array(_table(0x8005, 16), np.uint16)


@functools.cache
def _shift(level: int) -> NDArray[np.uint16]:
    """What becomes of every CRC-16 when 2**level zero bytes follow."""
    if level:
        half = _shift(level - 1)
        twice: NDArray[np.uint16] = half[half]
        return twice
    values = np.arange(65536, dtype=np.uint16)
    once: NDArray[np.uint16] = (values << np.uint16(8)) ^ _CRC16[values >> np.uint16(8)]
    return once


def crc16(data: bytes) -> int:
    """CRC-16 of a frame (section 9.3): polynomial 8005, from 0."""
    values = _CRC16[np.frombuffer(data, np.uint8)]
    level = 0
    while values.size > 1:
        if values.size % 2:  # zeros in front leave the CRC as it is
            values = np.concatenate((np.zeros(1, np.uint16), values))
        values = _shift(level)[values[::2]] ^ values[1::2]
        level += 1
    return int(values[0]) if values.size else 0


def header_length(data: bytes, index: int) -> int:
    """Bytes of the frame header at an index (section 9.1), its CRC-8 verified; 0 if there is none."""
    head = data[index : index + 16]
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or not head[2] >> 4 or head[3] & 1:
        return 0
    if head[2] & 15 == 15 or head[3] >> 4 > 10:
        return 0
    first = head[4]
    extra = 0 if first < 0x80 else 8 - (first ^ 0xFF).bit_length() - 1
    length = 5 + extra
    length += {6: 1, 7: 2}.get(head[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if 0x80 <= first < 0xC0 or first == 0xFF or len(head) <= length:
        return 0
    crc = 0
    for value in head[:length]:
        crc = _CRC8[crc ^ value]
    return length + 1 if crc == head[length] else 0


def recognises(head: bytes) -> bool:
    """The marker, and a first metadata block that is a STREAMINFO of 34 bytes (section 8)."""
    return head.startswith(b"fLaC") and head[4:8] in (b"\0\0\0\x22", b"\x80\0\0\x22")


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Metadata, and frames with their checksums.

    Raises:
        Malformed: no STREAMINFO, or no frame at all.
        Unreadable: the blob cannot be read.
    """
    start = id3v2(blob.at(0, 10), 0)
    if not recognises(blob.at(start, 8)):
        raise Malformed(start, "no FLAC marker and stream information")
    findings = Findings(blob.size)
    frames = _metadata(blob, start + 4, findings)
    if frames is None:
        return findings.anatomy("flac")
    findings.region(frames, blob.size, Kind.CODED, "audio frames")
    reached = frames
    for first, last in places(frames, blob.size, effort):
        if first > reached:
            findings.note("long: not every frame is tested")
        reached = _frames(blob, max(first, reached), last, findings, exact=first <= reached)
    return findings.anatomy("flac")


def _metadata(blob: Blob, offset: int, findings: Findings) -> int | None:
    """Metadata blocks (section 8.1); where the frames begin, or nothing if that is lost."""
    findings.region(offset - 4, offset + 4, Kind.STRUCTURED, "marker")
    for _ in range(1024):
        head = blob.at(offset, 4)
        kind, end = head[0] & 0x7F if head else 0x7F, offset + 4 + int.from_bytes(head[1:], "big")
        if len(head) < 4 or end > blob.size:
            findings.flaw(blob.size, blob.size, "the file ends inside its metadata")
            findings.flaw(offset, min(blob.size, offset + 4096), "a metadata block longer than the file")
            return None
        if kind >= 0x7F:
            findings.flaw(offset, offset + 4096, "no metadata block where one must begin")
            return None
        name = _NAMES[kind] if kind < len(_NAMES) else f"metadata of kind {kind}"
        known = kind in (1, 3, 4)  # STREAMINFO holds an MD5, APPLICATION and PICTURE may hold anything
        charset = Kind.STRUCTURED if known and kind != 4 else Kind.OPAQUE
        findings.region(offset, end, charset, name)
        offset = end
        if head[0] & 0x80:
            return offset
    findings.note("more metadata blocks than are read")
    return None


def _frames(blob: Blob, start: int, end: int, findings: Findings, *, exact: bool) -> int:
    """The frames that begin in `[start, end)`: from header to header, where the CRC-16 between holds.

    Returns where the next one begins.
    """
    base, data = start, blob.at(start, SLICE + LONGEST)
    opened = start if exact else None
    position = start
    while position < end:
        if position - base > SLICE:
            base, data = position, blob.at(position, SLICE + LONGEST)
        stop = _end_of_frame(data, position - base, whole=base + len(data) >= blob.size)
        if stop:
            if opened is not None and opened < position:
                findings.flaw(opened, position, "the CRC-16 of a frame does not match", checksum=True)
            findings.checked += stop + base - position
            position = stop + base
            opened = position
            continue
        if opened is not None and opened == position and tag(data, position - base):
            return end  # a tag of another program behind the last frame
        match = _SYNC.search(data, position - base + 1)
        while match and not header_length(data, match.start()):
            match = _SYNC.search(data, match.start() + 1)
        position = base + (match.start() if match else max(position - base + 1, len(data) - 16))
        if base + len(data) >= blob.size and not match:
            position = blob.size
    if opened is not None and opened < min(end, blob.size):
        _unclosed(blob, opened, min(position, blob.size), findings)
    return position


def _unclosed(blob: Blob, opened: int, end: int, findings: Findings) -> None:
    if end >= blob.size and end - opened < LONGEST // 8 and header_length(blob.at(opened, 16), 0):
        findings.flaw(blob.size, blob.size, "the last frame is not whole, or its CRC-16 does not match")
    elif blob.at(opened, min(SLICE, end - opened)).strip(b"\0"):
        findings.flaw(opened, end, "the CRC-16 of a frame does not match", checksum=True)


def _end_of_frame(data: bytes, index: int, *, whole: bool) -> int:
    """Where in `data` the frame that begins at an index ends, its CRC-16 verified; 0 if nowhere."""
    length = header_length(data, index)
    if not length:
        return 0
    tried = 0
    for match in _SYNC.finditer(data, index + length + 2, index + LONGEST):
        place = match.start()
        if not header_length(data, place):
            continue
        if crc16(data[index : place - 2]) == int.from_bytes(data[place - 2 : place], "big"):
            return place
        tried += 1
        if tried == 4:  # by chance one stands every 4 MiB; more are frames, and this one is broken
            return 0
    if whole and len(data) - index <= LONGEST:
        for cut in (0, 128):  # behind the last frame an ID3v1 tag may stand
            place = len(data) - cut
            if place - index > length + 2 and crc16(data[index : place - 2]) == int.from_bytes(
                data[place - 2 : place], "big"
            ):
                return place
    return 0


FORMAT = Format(
    name="flac",
    title="FLAC audio",
    specification="RFC 9639 8, 9",
    suffixes=("flac",),
    recognises=recognises,
    dissect=dissect,
)
