"""Bitmap fonts of X11: PCF (tables) and BDF (text)."""

import struct

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.media.findings import Findings
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

TABLES = 64
"""Tables of a PCF font; there are nine kinds."""
_PCF = b"\1fcp"
_BDF = b"STARTFONT 2"


def recognises_pcf(head: bytes) -> bool:
    """Magic, and a number of tables."""
    return head.startswith(_PCF) and len(head) >= 8 and 0 < int.from_bytes(head[4:8], "little") <= TABLES


def recognises_bdf(head: bytes) -> bool:
    """The first line (BDF 2.1 and 2.2)."""
    return head.startswith(_BDF)


def dissect_pcf(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """The table of contents; glyphs are pixels of one bit, of which nothing is claimed.

    Raises:
        Malformed: no PCF font.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 8 + 16 * TABLES)
    if not recognises_pcf(head):
        raise Malformed(0, "no PCF font")
    found = Findings(blob.size)
    count = int.from_bytes(head[4:8], "little")
    raw = head[8 : 8 + 16 * count]
    found.region(0, 8 + len(raw), Kind.STRUCTURED, "table of contents")
    if len(raw) < 16 * count:
        found.flaw(blob.size, blob.size, "the file ends inside its table of contents")
    for kind, _, size, offset in struct.iter_unpack("<IIII", raw[: len(raw) // 16 * 16]):
        if not kind or kind & kind - 1 or kind > 1 << 8:
            found.flaw(8, 8 + len(raw), "a table of no known kind")
            break
        if offset + size > blob.size + 3:  # the last table may lack its padding
            found.flaw(blob.size, blob.size, "a table ends behind the end of the file")
            break
    return found.anatomy("pcf")


def dissect_bdf(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """One region of text, up to its last line.

    Raises:
        Malformed: no BDF font.
        Unreadable: the blob cannot be read.
    """
    if not recognises_bdf(blob.at(0, 16)):
        raise Malformed(0, "no BDF font")
    text = Region(0, blob.size, Kind.STRUCTURED, "text", Charset.LATIN1)
    whole = b"ENDFONT" in blob.at(max(0, blob.size - 256), 256)
    flaws = () if whole else (Flaw(blob.size, blob.size, "the file ends before ENDFONT"),)
    return Anatomy("bdf", (text,), flaws)


FORMATS = (
    Format(
        name="pcf",
        title="X11 compiled bitmap font",
        specification="X11 Portable Compiled Format",
        suffixes=("pcf",),
        recognises=recognises_pcf,
        dissect=dissect_pcf,
    ),
    Format(
        name="bdf",
        title="Glyph bitmap font",
        specification="Adobe Technical Note 5005",
        suffixes=("bdf",),
        recognises=recognises_bdf,
        dissect=dissect_bdf,
        textual=True,
    ),
)
