"""Windows bitmaps: header, and pixels that are as many as it says."""

import struct

from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.formats.media.findings import Findings
from vigie.formats.media.pixels import calm
from vigie.model import Anatomy, Blob, Kind

_HEADERS = frozenset((12, 16, 40, 52, 56, 64, 108, 124))
_DEPTHS = frozenset((0, 1, 2, 4, 8, 16, 24, 32, 64))
_RAW = frozenset((0, 3, 6))
"""BI_RGB, BI_BITFIELDS, BI_ALPHABITFIELDS: one pixel after the other."""


def recognises(head: bytes) -> bool:
    """The letters BM, and an information header of a known size with one plane."""
    if len(head) < 26 or not head.startswith(b"BM"):
        return False
    offset, size = struct.unpack_from("<II", head, 10)
    planes, depth = struct.unpack_from("<HH", head, 22 if size == 12 else 26) if len(head) >= 30 else (1, 0)
    return size in _HEADERS and planes == 1 and depth in _DEPTHS and 14 + size <= offset < 1 << 24


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Header, colour table, pixels.

    Raises:
        Malformed: no bitmap header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 54)
    if not recognises(head):
        raise Malformed(0, "no bitmap header")
    found = Findings(blob.size)
    said, _, offset, size = struct.unpack_from("<IIII", head, 2)
    found.region(0, 14 + size, Kind.STRUCTURED, "header")
    found.region(14 + size, offset, Kind.OPAQUE, "colour table")
    length = pixel_bytes(head[14:])
    end = blob.size if length is None else offset + length
    if end > blob.size:
        found.flaw(blob.size, blob.size, f"{end - blob.size} bytes of pixels are missing")
    if said != blob.size:
        found.note(f"its header says {said} bytes")
    end = min(end, blob.size)
    lively = length is None or not calm(blob, offset, end, Effort(effort))
    if lively and length is not None:
        found.note("pixels too lively to tell them from random bytes")
    found.region(offset, end, Kind.OPAQUE if lively else Kind.STRUCTURED, "pixels")
    found.region(end, blob.size, Kind.OPAQUE, "bytes behind the pixels")
    return found.anatomy("bmp")


def pixel_bytes(header: bytes) -> int | None:
    """Bytes of the pixels under this information header; nothing where they are compressed."""
    size = int.from_bytes(header[:4], "little")
    if size == 12:
        width, height, _, depth = struct.unpack_from("<HHHH", header, 4)
    else:
        if len(header) < 20:
            return None
        width, height, _, depth, compression = struct.unpack_from("<iiHHI", header, 4)
        if compression not in _RAW or width < 0:
            return None
    return int((width * depth + 31) // 32 * 4 * abs(height))  # rows are filled up to 4 bytes


FORMAT = Format(
    name="bmp",
    title="Windows bitmap",
    specification="Microsoft BITMAPFILEHEADER, BITMAPINFOHEADER and successors",
    suffixes=("bmp", "dib"),
    recognises=recognises,
    dissect=dissect,
)
