"""Documents in base64 inside messages: whether what is said to be a PDF begins as one (RFC 4648 §4).

Whoever overwrites a message breaks its text, which shows anyway. Whoever puts ciphertext in place of the
document, or encrypted the document before it was sent, leaves good base64: only its first bytes tell.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from vigie.model import Anatomy, Blob, Flaw

SLICE = 1024 * 1024
CONTEXT = 500
"""Bytes in front of a document in which its type is said."""
PEEK = 2048
"""Characters of a document that are decoded."""
LEAST = 96
"""Bytes of a document below which nothing is said."""
LONGEST = 64 * 1024 * 1024
"""Characters of a document in which its end is looked for."""
MAX_FLAWS = 64


@dataclass(frozen=True, slots=True)
class Mark:
    """How a standard puts a document into its messages."""

    start: re.Pattern[bytes]
    """What stands right before the base64."""
    type: re.Pattern[bytes]
    """Where its type is said; the last one before the document counts."""


HL7 = Mark(
    re.compile(rb"\^Base64\^", re.IGNORECASE), re.compile(rb"\^([\w.+-]{1,40})\^Base64\^$", re.IGNORECASE)
)
"""ED data type (HL7 v2.5.1 §2.A.24): type, subtype, encoding, data."""
CDA = Mark(
    re.compile(rb"representation\s{0,9}=\s{0,9}[\"']B64[\"'][^<>]{0,200}>"),
    re.compile(rb"mediaType\s{0,9}=\s{0,9}[\"']([\w./+-]{1,100})[\"'][^<>]{0,400}>$"),
)
"""ED data type of HL7 version 3, as in nonXMLBody/text (CDA R2 §4.3.1)."""
FHIR = Mark(
    re.compile(rb"data[\"']?\s{0,9}(?::|value\s{0,9}=)\s{0,9}[\"']"),
    re.compile(rb"contentType[\"']?\s{0,9}(?::|value\s{0,9}=)\s{0,9}[\"']([\w./+-]{1,100})[\"'][^{}]*$"),
)
"""Attachment and Binary (R4 §2.24.0.7, §2.39), in JSON and XML."""

_BEGINS: dict[bytes, tuple[bytes, ...]] = {
    b"pdf": (b"%PDF-",),
    b"jpeg": (b"\xff\xd8\xff",),
    b"jpg": (b"\xff\xd8\xff",),
    b"png": (b"\x89PNG\r\n\x1a\n",),
    b"gif": (b"GIF8",),
    b"tiff": (b"II*\0", b"MM\0*"),
    b"rtf": (b"{\\rtf",),
    b"plain": (),
    b"html": (),
    b"xml": (),
}
"""By the last word of the type: how such a document begins; text begins as it likes."""
_ANY = (
    *(begin for begins in _BEGINS.values() for begin in begins),
    b"PK\x03\x04",
    b"\xd0\xcf\x11\xe0",
    b"\x1f\x8b",
)
_RUN = re.compile(rb"[A-Za-z0-9+/=\s]*")
_END = re.compile(rb"[^A-Za-z0-9+/=\s]")


def tested(blob: Blob, mark: Mark, effort: int) -> tuple[tuple[Flaw, ...], tuple[str, ...]]:
    """Flaws and notes on the documents behind each mark, as far as the effort goes.

    Raises:
        Unreadable: as the blob does.
    """
    flaws: list[Flaw] = []
    notes: dict[str, None] = {}
    for start in _starts(blob, mark, effort):
        found = mark.type.search(blob.at(max(0, start - CONTEXT), min(start, CONTEXT)))
        kind = re.split(rb"[/^]", found[1].lower())[-1] if found else b""
        head = _decoded(blob.at(start, PEEK)) if kind in _BEGINS else b""
        if len(head) < LEAST or head.startswith(_BEGINS[kind]) or b"%PDF-" in head[:1024]:
            continue
        name = kind.decode("ascii")
        if not head.startswith(_ANY) and _random(head[:LEAST]):
            what = f"a document said to be {name} begins with random bytes"
            flaws.append(Flaw(start, _end(blob, start), what))
            if len(flaws) >= MAX_FLAWS:
                break
        elif _BEGINS[kind]:
            notes[f"a document said to be {name} does not begin as one"] = None
    return tuple(flaws), tuple(notes)


def _starts(blob: Blob, mark: Mark, effort: int) -> Iterator[int]:
    """Where documents begin, in rising order."""
    last = -1
    for base in range(0, min(blob.size, max(effort, SLICE)), SLICE):
        for hit in mark.start.finditer(blob.at(base, SLICE + CONTEXT)):
            if base + hit.end() > last:  # not seen with the slice before
                last = base + hit.end()
                yield last


def added(anatomy: Anatomy, blob: Blob, mark: Mark, effort: int) -> Anatomy:
    """An anatomy with what `tested` says of the documents in it."""
    flaws, notes = tested(blob, mark, effort)
    flaws = tuple(sorted((*anatomy.flaws, *flaws), key=lambda flaw: flaw.start))
    return replace(anatomy, flaws=flaws, notes=(*anatomy.notes, *notes))


def _decoded(text: bytes) -> bytes:
    """What the first characters stand for; empty where they are no base64."""
    run = _RUN.match(text)
    digits = b"".join((run[0] if run else b"").split())
    try:
        return binascii.a2b_base64(digits[: len(digits) // 4 * 4])
    except binascii.Error:
        return b""


def _random(head: bytes) -> bool:
    """Whether 96 bytes look random: 80 of them differ on average (deviation 3.4), half the bits are set."""
    high = sum(byte >= 0x80 for byte in head)
    bits = int.from_bytes(head, "little").bit_count()
    return len(set(head)) >= 66 and 31 <= high <= 65 and 329 <= bits <= 439


def _end(blob: Blob, start: int) -> int:
    """Where the base64 that begins at `start` ends."""
    for at in range(start, min(blob.size, start + LONGEST), SLICE):
        hit = _END.search(blob.at(at, SLICE))
        if hit:
            return at + hit.start()
    return min(blob.size, start + LONGEST)
