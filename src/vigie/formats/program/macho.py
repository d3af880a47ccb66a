"""Mach-O programs of macOS, single and "fat": headers and load commands; code may be anything."""

import struct

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_MAGICS = {
    b"\xfe\xed\xfa\xce": (">", 28),
    b"\xce\xfa\xed\xfe": ("<", 28),
    b"\xfe\xed\xfa\xcf": (">", 32),
    b"\xcf\xfa\xed\xfe": ("<", 32),
}
"""Byte order and length of the header (mach-o/loader.h)."""
_FAT = b"\xca\xfe\xba\xbe"
_ARCHITECTURES = 20
"""In a fat file; from 45 on the same magic means a Java class."""
_COMMANDS = 10_000
_PROCESSORS = frozenset({1, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 18})


def recognises(head: bytes) -> bool:
    """Magic, a known processor, plausible counts."""
    if head[:4] in _MAGICS:
        return _commands(head) is not None
    if not head.startswith(_FAT) or len(head) < 28:
        return False
    count, processor, _, start, length, align = struct.unpack_from(">6L", head, 4)
    return (
        0 < count <= _ARCHITECTURES
        and processor & 0xFFFFFF in _PROCESSORS
        and start >= 8 + 20 * count
        and length > 0
        and align < 32
        and start % (1 << align) == 0
    )


def _commands(head: bytes) -> tuple[str, int, int, int] | None:
    """Byte order, place, number and length of the load commands."""
    order, size = _MAGICS[head[:4]]
    if len(head) < size:
        return None
    processor, _, kind, count, length = struct.unpack_from(order + "5L", head, 4)
    if (
        processor & 0xFFFFFF not in _PROCESSORS
        or not 0 < kind < 32
        or count > _COMMANDS
        or length < 8 * count
    ):
        return None
    return order, size, count, length


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Load commands of a file, or the table of architectures of a fat one.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 32)
    if not recognises(head):
        raise Malformed(0, "no Mach-O header")
    regions: list[Region] = []
    flaws: list[Flaw] = []
    if head.startswith(_FAT):
        count = int.from_bytes(head[4:8], "big")
        table = blob.at(8, 20 * count)
        regions.append(Region(0, 8 + len(table), Kind.STRUCTURED, "table of architectures"))
        for index, (_, _, start, length, _) in enumerate(
            struct.iter_unpack(">5L", table[: len(table) // 20 * 20])
        ):
            if start + length > blob.size:
                where = 8 + 20 * index
                flaws.append(Flaw(where, where + 20, f"architecture {index} lies outside of the file"))
        return Anatomy("macho", tuple(regions), tuple(flaws))
    found = _commands(head)
    if found is None:
        raise Malformed(0, "no Mach-O header")
    order, place, count, length = found
    end = place + length
    if end > blob.size:
        raise Malformed(place, f"{length} bytes of load commands")
    regions.append(Region(0, end, Kind.STRUCTURED, "header and load commands"))
    commands = blob.at(place, length)
    offset = 0
    for _ in range(count):
        size = struct.unpack_from(order + "L", commands, offset + 4)[0] if offset + 8 <= length else 0
        if size < 8 or offset + size > length:
            flaws.append(Flaw(place + offset, min(place + offset + 64, end), "an impossible load command"))
            break
        offset += size
    return Anatomy("macho", tuple(regions), tuple(flaws))


FORMAT = Format(
    name="macho",
    title="Mach-O program (macOS)",
    specification="Apple mach-o/loader.h, mach-o/fat.h",
    suffixes=("dylib",),
    recognises=recognises,
    dissect=dissect,
)
