"""PostScript Type 1 fonts: clear text, then an encrypted part that looks random and says nothing.

The cipher of `eexec` has a key that everybody knows (Type 1 Font Format, chapter 7); it is not undone here.
"""

import re

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

SEGMENTS = 1024
"""Segments of a PFB file; usual ones have four."""
_TEXT = 4 * 1024 * 1024
_STARTS = (b"%!PS-AdobeFont", b"%!FontType1")
_EEXEC = re.compile(rb"eexec[ \t\r\n]+")
_HEX = re.compile(rb"[0-9A-Fa-f\s]{8}")


def recognises(head: bytes) -> bool:
    """The comment that every Type 1 font begins with, in a PFB segment or bare."""
    if head.startswith(b"\x80\x01"):
        head = head[6:]
    return head.startswith(_STARTS)


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Segments (PFB, Adobe Technical Note 5040) or the bare program (PFA).

    Raises:
        Malformed: no font begins there.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 32)
    if not recognises(head):
        raise Malformed(0, "no Type 1 font")
    return _segments(blob) if head.startswith(b"\x80") else _bare(blob)


def _segments(blob: Blob) -> Anatomy:
    regions: list[Region] = []
    flaws: list[Flaw] = []
    offset = 0
    for _ in range(SEGMENTS):
        head = blob.at(offset, 6)
        if head[:2] == b"\x80\x03":
            regions.append(Region(offset, offset + 2, Kind.STRUCTURED, "end"))
            break
        length = int.from_bytes(head[2:6], "little")
        if len(head) < 6:
            flaws.append(Flaw(blob.size, blob.size, "the file ends before its last segment"))
            break
        if head[0] != 0x80 or head[1] not in (1, 2):
            flaws.append(Flaw(offset, min(blob.size, offset + 512), "no segment where one must begin"))
            break
        start, end = offset + 6, min(blob.size, offset + 6 + length)
        if head[1] == 1:
            regions.append(Region(start, end, Kind.STRUCTURED, "clear text", Charset.LATIN1))
        else:
            regions.append(Region(start, end, Kind.OPAQUE, "eexec part"))
        if start + length > blob.size:
            flaws.append(Flaw(blob.size, blob.size, "the file ends inside a segment"))
            break
        offset = end
    return Anatomy("type1", tuple(regions), tuple(flaws))


def _bare(blob: Blob) -> Anatomy:
    data = blob.at(0, _TEXT)
    match = _EEXEC.search(data)
    if match is None:
        text = Region(0, len(data), Kind.STRUCTURED, "program", Charset.LATIN1)
        return Anatomy("type1", (text,), notes=("no eexec part",))
    text = Region(0, match.end(), Kind.STRUCTURED, "clear text", Charset.LATIN1)
    if match.end() >= blob.size:
        return Anatomy("type1", (text,), (Flaw(blob.size, blob.size, "the file ends before the eexec part"),))
    if _HEX.match(data, match.end()):
        rest = Region(match.end(), blob.size, Kind.STRUCTURED, "eexec part in hex", Charset.LATIN1)
    else:
        rest = Region(match.end(), blob.size, Kind.OPAQUE, "eexec part")
    return Anatomy("type1", (text, rest))


FORMAT = Format(
    name="type1",
    title="PostScript Type 1 font",
    specification="Adobe Type 1 Font Format 2 and 7; Adobe Technical Note 5040",
    suffixes=("pfb",),
    weak_suffixes=("pfa",),  # other PostScript goes by it as well
    recognises=recognises,
    dissect=dissect,
    plain=True,
)
