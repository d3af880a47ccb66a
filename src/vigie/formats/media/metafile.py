"""Windows metafiles (MS-WMF, MS-EMF): the chain of records to the one that ends them."""

import struct

from vigie.formats.contract import EFFORT, Cursor, Format, Malformed
from vigie.formats.media.findings import Findings
from vigie.model import Anatomy, Blob, Kind

RECORDS = 200_000
"""Records walked."""
SHOWN = 512
"""Bytes shown of a place where no record begins."""
_PLACEABLE = b"\xd7\xcd\xc6\x9a"
_EMF = b"\1\0\0\0"
_EOF_WMF, _EOF_EMF = 0, 14


def recognises_wmf(head: bytes) -> bool:
    """A placeable header whose checksum holds (2.3.2.3), or a plain one (2.3.2.2)."""
    if head.startswith(_PLACEABLE) and len(head) >= 40:
        check = 0
        for word in struct.unpack_from("<11H", head):
            check ^= word
        return not check and _plain(head[22:40])
    return _plain(head[:18])


def _plain(head: bytes) -> bool:
    if len(head) < 18:
        return False
    kind, words, version = struct.unpack_from("<HHH", head)
    return kind in (1, 2) and words == 9 and version in (0x100, 0x300) and head[16:18] == b"\0\0"


def recognises_emf(head: bytes) -> bool:
    """The header record and its signature (2.3.4.2)."""
    return len(head) >= 88 and head.startswith(_EMF) and head[40:44] == b" EMF" and head[5:8] == b"\0\0\0"


def dissect_wmf(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Records of 16-bit words.

    Raises:
        Malformed: no metafile header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 40)
    if not recognises_wmf(head):
        raise Malformed(0, "no Windows metafile header")
    start = 40 if head.startswith(_PLACEABLE) else 18
    found = Findings(blob.size)
    found.region(0, start, Kind.STRUCTURED, "header")
    _records(blob, start, found, wide=False)
    return found.anatomy("wmf")


def dissect_emf(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Records with a type and a length of 32 bits.

    Raises:
        Malformed: no metafile header.
        Unreadable: the blob cannot be read.
    """
    if not recognises_emf(blob.at(0, 88)):
        raise Malformed(0, "no enhanced metafile header")
    found = Findings(blob.size)
    _records(blob, 0, found, wide=True)
    return found.anatomy("emf")


def _records(blob: Blob, start: int, found: Findings, *, wide: bool) -> None:
    """Walk records; what they hold may be a bitmap, so nothing is claimed of it."""
    cursor = Cursor(blob, start)
    for _ in range(RECORDS):
        head = cursor.peek(8)
        at = cursor.offset
        if len(head) < (8 if wide else 6):
            found.flaw(blob.size, blob.size, "the file ends before its last record")
            return
        kind, length = struct.unpack_from("<II", head) if wide else _short(head)
        sane = length >= 8 and not length % 4 and 0 < kind < 0x8000 if wide else length >= 6
        if sane and at + length > blob.size and cursor.left < length < 1 << 24:
            found.flaw(blob.size, blob.size, "the file ends inside a record")
            found.flaw(at, min(blob.size, at + SHOWN), "a record that is cut, or none")
            return
        if not sane or at + length > blob.size:
            found.flaw(at, min(blob.size, at + SHOWN), "no record where one must begin")
            return
        cursor.offset += length
        if kind == (_EOF_EMF if wide else _EOF_WMF):
            return
    found.note(f"more than {RECORDS} records: the rest is not tested")


def _short(head: bytes) -> tuple[int, int]:
    words, kind = struct.unpack_from("<IH", head)
    return kind, 2 * words


FORMATS = (
    Format(
        name="wmf",
        title="Windows metafile",
        specification="MS-WMF 2.3",
        suffixes=("wmf",),
        recognises=recognises_wmf,
        dissect=dissect_wmf,
    ),
    Format(
        name="emf",
        title="Windows enhanced metafile",
        specification="MS-EMF 2.3",
        suffixes=("emf",),
        recognises=recognises_emf,
        dissect=dissect_emf,
    ),
)
