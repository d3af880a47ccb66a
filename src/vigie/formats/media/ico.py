"""Windows icons and cursors: a directory of small bitmaps and PNG images."""

import struct

from vigie.formats.contract import EFFORT, Bytes, Effort, Format, Malformed
from vigie.formats.media import png
from vigie.formats.media.bmp import pixel_bytes
from vigie.formats.media.findings import Findings
from vigie.formats.media.pixels import calm
from vigie.model import Anatomy, Blob, Kind

IMAGES = 1024
LARGEST = 4 * 1024 * 1024
"""Bytes of one image that are looked into: 1,024 pixels square."""
INFLATED, LITTLE = 256, 1024 * 1024
"""How many times its size a PNG image may inflate to, and what any may."""
_DEPTHS = frozenset((0, 1, 2, 4, 8, 16, 24, 32))


def recognises(head: bytes) -> bool:
    """Zero, one (icon) or two (cursor), a count, and a first entry that makes sense."""
    if len(head) < 22 or head[:4] not in (b"\0\0\1\0", b"\0\0\2\0"):
        return False
    kind, count = head[2], int.from_bytes(head[4:6], "little")
    reserved, planes, depth, size, offset = struct.unpack_from("<BHHII", head, 9)
    if (
        not 0 < count <= IMAGES
        or reserved
        or not 40 <= size < 1 << 24
        or not 6 + 16 * count <= offset < 1 << 24
    ):
        return False
    return kind == 2 or (planes <= 1 and depth in _DEPTHS)


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The directory, then each image.

    Raises:
        Malformed: no icon directory.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 6 + 16 * IMAGES)
    if not recognises(head):
        raise Malformed(0, "no icon directory")
    left = Effort(effort)
    # Images share no bytes, so that a healthy file never comes near this.
    room = Effort(2 * blob.size)
    found = Findings(blob.size)
    count = int.from_bytes(head[4:6], "little")
    found.region(0, 6 + 16 * count, Kind.STRUCTURED, "directory")
    for at in range(min(count, (len(head) - 6) // 16)):
        size, offset = struct.unpack_from("<II", head, 14 + 16 * at)
        if offset + size > blob.size:
            found.flaw(blob.size, blob.size, f"image {at + 1} ends behind the end of the file")
        elif room.left < 0:
            found.note("images lie on top of each other: not all of them are looked into")
            break
        elif left.left > 0:
            room.spend(size)
            left.spend(min(size, LARGEST))
            _image(blob, offset, offset + size, left, found)
    return found.anatomy("ico")


def _image(blob: Blob, start: int, end: int, effort: Effort, found: Findings) -> None:
    data = blob.at(start, min(end - start, LARGEST))
    if data.startswith(png.SIGNATURE):
        inner = png.dissect(Bytes(data), min(effort.left, max(LITTLE, INFLATED * len(data))))
        for region in inner.regions:
            found.region(start + region.start, start + region.end, region.kind, region.what)
        for flaw in inner.flaws:
            found.flaw(start + flaw.start, start + flaw.end, flaw.what, checksum=flaw.checksum)
        found.checked += inner.checked
    elif data[:4] == b"\x28\0\0\0" and pixel_bytes(data[:40]) is not None:
        found.region(start, start + 40, Kind.STRUCTURED, "bitmap header")
        kind = Kind.STRUCTURED if calm(blob, start + 40, end, effort) else Kind.OPAQUE
        found.region(start + 40, end, kind, "pixels")
    else:
        found.region(start, end, Kind.CODED, "image of an unknown kind")
        found.flaw(start, end, "neither a bitmap nor a PNG image")


FORMAT = Format(
    name="ico",
    title="Windows icon or cursor",
    specification="Microsoft ICONDIR, ICONDIRENTRY",
    suffixes=("ico", "cur"),
    recognises=recognises,
    dissect=dissect,
)
