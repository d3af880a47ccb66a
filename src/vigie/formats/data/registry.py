"""Windows registry hives (NTUSER.DAT, SYSTEM, SAM …): the chain of bins, each by itself.

By hand: bins say where they stand, so that after a broken one the next is found again.
"""

import numpy as np

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.data import pages
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

PAGE = 4096
_BATCH = 256
_MOST = 1 << 30


def recognises(head: bytes) -> bool:
    """The base block: "regf", version 1.x, a size in pages, and its checksum."""
    if len(head) < 512 or not head.startswith(b"regf"):
        return False
    length = int.from_bytes(head[40:44], "little")
    return head[20:24] == b"\1\0\0\0" and not head[25] and not length % PAGE


def _sealed(head: bytes) -> bool:
    """The exclusive or of 127 words (0 and -1 are written as 1 and -2)."""
    value = int(np.bitwise_xor.reduce(np.frombuffer(head[:508], "<u4")))
    value = {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(value, value)
    return value == int.from_bytes(head[508:512], "little")


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The base block and the bins; what keys and values hold is opaque.

    Raises:
        Malformed: no base block.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 512)
    if not recognises(head):
        raise Malformed(0, "no base block of a registry hive")
    flaws: list[Flaw] = []
    regions = [Region(0, 512, Kind.STRUCTURED, "base block")]
    if not _sealed(head):
        flaws.append(Flaw(0, 512, "the checksum of the base block does not match", checksum=True))
    end = PAGE + int.from_bytes(head[40:44], "little")
    place, reach = PAGE, min(end, blob.size, PAGE + max(effort, PAGE), _MOST)
    while place < reach:
        length = _bin(blob.at(place, 32), place, end)
        if length:
            place += length
            continue
        start = place
        place = _next(blob, start + PAGE, reach, end)
        if place - start < PAGE or blob.at(start, place - start).strip(b"\0"):
            flaws.append(Flaw(start, place, "no bin of the hive"))
            regions.append(Region(start, place, Kind.STRUCTURED, "where bins must be"))
        if len(flaws) > pages.RUNS:
            break
    notes = () if place >= min(end, blob.size) else (f"looked at {place:,} of {blob.size:,} bytes",)
    if blob.size < end:
        flaws.append(Flaw(blob.size, blob.size, f"the hive is {end:,} bytes long, {blob.size:,} are there"))
    return Anatomy("registry", tuple(regions), tuple(flaws), 0, notes)


def _bin(head: bytes, place: int, end: int) -> int:
    """The length of the bin that begins so at `place`, or 0."""
    length = int.from_bytes(head[8:12], "little")
    here = head[:4] == b"hbin" and int.from_bytes(head[4:8], "little") == place - PAGE
    return length if here and length and not length % PAGE and place + length <= end else 0


def _next(blob: Blob, place: int, reach: int, end: int) -> int:
    """Where the next bin begins, or where the bins end."""
    while place < reach:
        data = blob.at(place, _BATCH * PAGE)
        if not data:
            return blob.size
        for offset in range(0, len(data), PAGE):
            if _bin(data[offset : offset + 32], place + offset, end):
                return min(place + offset, reach)
        place += len(data)
    return min(reach, blob.size)


FORMAT = Format(
    name="registry",
    title="Windows registry hive",
    specification="Windows registry file format specification (msuhanov), base block and hive bins",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("hive", "hiv"),
)
