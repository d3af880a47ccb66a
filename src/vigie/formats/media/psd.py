"""Photoshop documents (PSD, PSB): the five sections and their lengths; what is in them is not looked into."""

from vigie.formats.contract import EFFORT, Cursor, Format, Malformed
from vigie.formats.media.findings import Findings
from vigie.model import Anatomy, Blob, Kind

RESOURCES = 4096
"""Image resources walked."""
_DEPTHS = frozenset((1, 8, 16, 32))


def recognises(head: bytes) -> bool:
    """Signature, version 1 or 2, six zeros, and a depth that is one ("File header section")."""
    if len(head) < 26 or not head.startswith((b"8BPS\0\1", b"8BPS\0\2")) or head[6:12].strip(b"\0"):
        return False
    return 0 < int.from_bytes(head[12:14], "big") <= 56 and int.from_bytes(head[22:24], "big") in _DEPTHS


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Header, colour modes, resources, layers, image.

    Raises:
        Malformed: no Photoshop header, or a section ends behind the file.
        Unreadable: the blob cannot be read.
    """
    cursor = Cursor(blob)
    head = cursor.peek(26)
    if not recognises(head):
        raise Malformed(0, "no Photoshop header")
    found = Findings(blob.size)
    cursor.skip(26, "the header")
    found.region(0, 26, Kind.STRUCTURED, "header")
    for name, width in (("colour modes", 4), ("image resources", 4), ("layers", 4 * head[5])):
        start = cursor.offset
        length = int.from_bytes(cursor.take(width, name), "big")
        if name == "image resources" and cursor.left >= length:
            _resources(blob, cursor.offset, cursor.offset + length, found)
        cursor.skip(length, name)
        found.region(start, cursor.offset, Kind.OPAQUE, name)
    start = cursor.offset
    if int.from_bytes(cursor.take(2, "the image"), "big") > 3:
        found.flaw(start, min(blob.size, start + 512), "an image in an unknown compression")
    found.region(start, blob.size, Kind.OPAQUE, "image")
    return found.anatomy("psd")


def _resources(blob: Blob, start: int, end: int, found: Findings) -> None:
    """Each resource begins with a signature ("Image resources section")."""
    cursor = Cursor(blob, start)
    for _ in range(RESOURCES):
        at = cursor.offset
        if at + 12 > end:
            return
        lead = cursor.peek(12 + 256)
        named = 6 + (lead[6] + 2) // 2 * 2  # a Pascal string, filled to an even length
        length = int.from_bytes(lead[named : named + 4], "big")
        behind = at + named + 4 + length + length % 2
        if lead[:4] not in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR") or behind > end + 1:
            found.flaw(at, min(end, at + 512), "no image resource where one must begin")
            return
        cursor.offset = behind


FORMAT = Format(
    name="psd",
    title="Photoshop document",
    specification="Adobe Photoshop File Formats Specification",
    suffixes=("psd", "psb"),
    recognises=recognises,
    dissect=dissect,
)
