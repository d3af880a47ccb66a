"""What stands inside one coded picture: NAL units (H.264, H.265), OBUs (AV1), or a JPEG image.

The lengths of units chain and end exactly where the sample does: random bytes break that at the first one.
"""

import re

from vigie.model import Blob

_UNITS = 512
"""Units of one sample that are followed; pictures have some tens at most."""


def broken_units(blob: Blob, start: int, end: int, width: int) -> int | None:
    """Where the NAL units of `[start, end)` stop chaining, or nothing if they end where the sample does.

    `width` is the size of a length (ISO/IEC 14496-15, 5.3.3.1); the first bit of a unit is 0 (H.264 7.3.1).
    """
    position = start
    for _ in range(_UNITS):
        if position == end:
            return None
        head = blob.at(position, width + 1)
        following = position + width + int.from_bytes(head[:width], "big")
        if len(head) <= width:
            return None if position + len(head) >= blob.size else position
        if following > end or (head[width] & 0x80 and following > position + width):
            return position
        position = following
    return None


def broken_obus(blob: Blob, start: int, end: int) -> int | None:
    """The same for AV1 (AV1 bitstream 5.3): forbidden bit 0, reserved bit 0, LEB128 lengths."""
    position = start
    for _ in range(_UNITS):
        if position == end:
            return None
        head = blob.at(position, 10)
        if not head or head[0] & 0x81:
            return position
        index = 2 if head[0] & 4 else 1
        if not head[0] & 2:
            return None  # without a length, it is the last one
        size = shift = 0
        for value in head[index : index + 8]:
            size |= (value & 0x7F) << shift
            shift += 7
            index += 1
            if not value & 0x80:
                break
        else:
            return position
        if position + index + size > end:
            return position
        position += index + size
    return None


_RESERVED = re.compile(rb"\xff[\x01-\xbf]")
_SLICE = 256 * 1024


def broken_scan(blob: Blob, start: int, end: int) -> int | None:
    """Where a Motion JPEG picture holds a marker that no image has (T.81, table B.1), or nothing.

    Markers 01 to BF are reserved; behind FF random bytes give one in three cases of four.
    """
    if blob.at(start, 2) != b"\xff\xd8" and end - start >= 2:
        return start
    offset = start + 2
    for _ in range(64):  # segments up to the scan; what stands in them may be anything
        head = blob.at(offset, 4)
        if len(head) < 4 or head[0] != 0xFF or offset >= end:
            return offset if head[:1] not in (b"", b"\xff", b"\0") and offset < end else None
        offset += 2 + int.from_bytes(head[2:], "big")
        if head[1] == 0xDA:
            break
    while offset < end:
        data = blob.at(offset, min(_SLICE, end - offset))
        found = _RESERVED.search(data)
        if found:
            return offset + found.start()
        offset += max(1, len(data) - 1) if len(data) == _SLICE else max(1, len(data))
    return None
