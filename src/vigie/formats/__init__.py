"""What a healthy file of each kind looks like: `Blob -> Anatomy`. Pure.

A format is recognised by content first and by name second. The order of `CATALOGUE` matters: the first
format that recognises a head wins, so the special ones stand before the general ones they are made of
(DOCX before ZIP, CDA before XML, HL7 v2 before text).
"""

from dataclasses import dataclass

from vigie.formats.archive import compressed, encrypted, gzip
from vigie.formats.archive import zip as zip_archive
from vigie.formats.contract import HEAD, Format, Malformed
from vigie.formats.data import sqlite, sqlite_wal
from vigie.formats.health import cda, dicom, fhir, hl7v2
from vigie.formats.media import jpeg, png
from vigie.formats.office import csv, json, ooxml, pdf, text, xml

__all__ = ["CATALOGUE", "HEAD", "Format", "Malformed", "Promise", "by_content", "by_name"]

CATALOGUE: tuple[Format, ...] = (
    dicom.FORMAT,
    jpeg.FORMAT,
    png.FORMAT,
    pdf.FORMAT,
    *ooxml.FORMATS,
    zip_archive.FORMAT,
    gzip.FORMAT,
    sqlite.FORMAT,
    sqlite_wal.FORMAT,
    *compressed.FORMATS,
    *encrypted.FORMATS,
    hl7v2.FORMAT,
    cda.FORMAT,
    fhir.FORMAT,
    xml.FORMAT,
    json.FORMAT,
    csv.FORMAT,
    text.FORMAT,
)

_PROMISED: dict[str, Format] = {s: f for f in reversed(CATALOGUE) for s in f.suffixes}
_HINTED: dict[str, Format] = {s: f for f in reversed(CATALOGUE) for s in f.weak_suffixes}


def by_content(head: bytes) -> Format | None:
    """The first format of the catalogue that recognises the head of a file (at most `HEAD` bytes)."""
    return next((f for f in CATALOGUE if f.recognises(head)), None)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a file's name says of its content."""

    format: Format
    firm: bool
    """The ending belongs to this format alone (`.pdf`, not `.db`) and stands last: a promise, not a hint."""


def by_name(name: str) -> Promise | None:
    """What a file's name promises or hints at.

    Endings that no format knows are looked through, from the right: `report.pdf.id-7.locked` hints at PDF.
    """
    parts = name.rpartition("/")[2].lower().split(".")[1:]
    for depth, part in enumerate(reversed(parts)):
        if part in _PROMISED:
            return Promise(_PROMISED[part], firm=depth == 0)
        if part in _HINTED:
            return Promise(_HINTED[part], firm=False)
    return None
