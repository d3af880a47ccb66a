"""SCP-ECG: electrocardiograms, in sections that each carry a checksum (EN 1064; ISO 11073-91064 §5), by hand.

The record begins with a CRC-CCITT over everything behind it and its length; section 0 points to the others.
Every section repeats its number and length behind a CRC of its own (§5.2.7), which is how a struck one shows.
"""

import struct
from binascii import crc_hqx
from dataclasses import dataclass
from itertools import pairwise

from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

HEADER = 16
MAX_SECTIONS = 1024
MAX_BLOCKS = 256
BLOCK = 4096
"""A struck section is told in blocks of this size, for the judge to see which of them are random."""

_RECORD = struct.Struct("<HI")
_SECTION = struct.Struct("<HHIBB6s")
_POINTER = struct.Struct("<HII")
_NAMES = {
    0: "pointers",
    1: "patient and acquisition",
    2: "Huffman tables",
    3: "leads",
    4: "QRS locations",
    5: "reference beat",
    6: "rhythm",
    7: "measurements",
    8: "diagnosis",
    10: "measurements of leads",
    11: "statements",
}


@dataclass(frozen=True, slots=True)
class _Section:
    number: int
    start: int
    length: int


def _recognises(head: bytes) -> bool:
    if len(head) < 6 + HEADER + _POINTER.size:
        return False
    _, number, length, _, _, mark = _SECTION.unpack_from(head, 6)
    if number or not HEADER + _POINTER.size <= length <= 65536:
        return False
    if mark == b"SCPECG":  # §5.3.2
        return True
    # Some writers leave the mark out: then section 0 must point to itself, with the length it has.
    return mark == bytes(6) and _POINTER.unpack_from(head, 6 + HEADER) == (0, length, 7)


def _crc(blob: Blob, start: int, end: int) -> int:
    value = 0xFFFF
    for at in range(start, end, 1 << 20):
        value = crc_hqx(blob.at(at, min(1 << 20, end - at)), value)
    return value


def _pointers(blob: Blob, length: int) -> list[_Section]:
    """The sections that section 0 points to, in the order they stand in the file (§5.3.3)."""
    data = blob.at(6 + HEADER, min(length - HEADER, MAX_SECTIONS * _POINTER.size))
    whole = len(data) // _POINTER.size * _POINTER.size
    found = [
        _Section(number, index - 1, size)
        for number, size, index in _POINTER.iter_unpack(data[:whole])
        if size and index and number
    ]
    return sorted(found, key=lambda section: section.start)


def _dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    if not _recognises(blob.at(0, 64)):
        raise Malformed(0 if blob.size < 22 or blob.at(16, 6) == b"SCPECG" else 6, "no SCP-ECG record")
    size = blob.size
    told, length = _RECORD.unpack(blob.at(0, 6))
    left = Effort(effort)
    notes: list[str] = []
    flaws: list[Flaw] = []
    if length > size:
        flaws.append(Flaw(size, size, f"a record of {length} bytes ends before"))
    elif length < size:
        notes.append(f"{size - length} bytes behind the record")
    first = _Section(0, 6, _SECTION.unpack(blob.at(6, HEADER))[2])
    listed = min(size, 6 + first.length)
    regions = [Region(0, listed, Kind.CODED, "record header and pointers")]
    left.spend(min(length, size))
    sure = left.left >= 0 and length <= size and length > 2 and _crc(blob, 2, length) == told
    # Not every writer computes the sums: where the one of the pointers is wrong and the pointers are right,
    # the others prove nothing.
    own = blob.at(6, 2) == _crc(blob, 8, listed).to_bytes(2, "little")
    sections = _pointers(blob, first.length)
    broken: list[_Section] = []
    checked = 0
    for section in sections:
        end = section.start + section.length
        if section.start < regions[-1].end or end > size or section.length < HEADER:
            if section.start < size < end and section.start >= regions[-1].end:
                regions.append(Region(section.start, size, Kind.CODED, _name(section)))
            if length <= size:
                flaws.append(Flaw(6 + HEADER, listed, f"section {section.number} cannot stand there"))
            continue
        regions.append(Region(section.start, end, Kind.CODED, _name(section)))
        crc, number, stated, *_ = _SECTION.unpack(blob.at(section.start, HEADER))
        if (number, stated) != (section.number, section.length):
            flaws.append(
                Flaw(section.start, min(end, section.start + 64), f"no section {section.number} here")
            )
        left.spend(section.length)
        if left.left < 0:
            notes.append("too large to be tested in full")
            break
        if crc == _crc(blob, section.start + 2, end):
            checked += section.length
        else:
            broken.append(section)
    if sure:
        checked = length
        if broken or not own:
            notes.append("sums of sections that do not fit, and that of the record does")
    elif not own and not checked and not flaws:
        notes.append("no sum fits: its writer does not compute them")
    else:
        if not own:
            flaws.append(Flaw(6, listed, "sum of the pointers does not fit", checksum=True))
        for section in broken:
            flaws += _blocks(section, size)
        if not flaws:
            notes.append("the sum of the record does not fit, those of its sections do")
    flaws.sort(key=lambda flaw: flaw.start)
    return Anatomy("scpecg", tuple(regions), tuple(flaws), checked, tuple(notes))


def _name(section: _Section) -> str:
    return f"section {section.number}: {_NAMES.get(section.number, 'of the manufacturer')}"


def _blocks(section: _Section, size: int) -> list[Flaw]:
    """A section whose sum does not fit, in blocks, so that the judge can tell which of them are random."""
    start, end = section.start, min(size, section.start + section.length)
    # No pieces of blocks: on those alone the judge could not tell chance from Huffman codes.
    inner = list(range(start - start % BLOCK + 2 * BLOCK, end - BLOCK + 1, BLOCK))
    edges = [start, *inner[: MAX_BLOCKS - 1], end]
    what = f"sum of section {section.number} does not fit"
    return [Flaw(*edge, what, checksum=True) for edge in pairwise(edges)]


FORMAT = Format(
    name="scpecg",
    title="SCP-ECG electrocardiogram",
    specification="EN 1064; ISO 11073-91064 §5.2, §5.3",
    suffixes=(),
    recognises=_recognises,
    dissect=_dissect,
    weak_suffixes=("scp", "ecg"),
)
