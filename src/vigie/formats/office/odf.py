"""OpenDocument (ODF 1.3 part 2): texts, sheets, slides and drawings are ZIP files that name their kind first.

With a password each member is encrypted by itself and stored: its CRC-32 is that of the ciphertext, so it is
tested as in any other ZIP file (part 2, 4.8), and only the manifest says that it cannot be read.
"""

import zlib

from vigie.formats.archive.encrypted import NOTE
from vigie.formats.archive.zip import LOCAL, LOCAL_MAGIC, survey
from vigie.formats.contract import EFFORT, Format
from vigie.model import Anatomy, Blob, Kind

MANIFEST = "META-INF/manifest.xml"
_TYPE = b"application/vnd.oasis.opendocument."
_FIRST = b"mimetype"
_MANIFEST_SIZE = 1024 * 1024
_SUFFIXES = "odt ods odp odg odf odb odc odi odm ott ots otp otg oth"


def recognises(head: bytes) -> bool:
    """The member `mimetype`, first, stored and without extra field (part 2, 3.3)."""
    start = LOCAL.size + len(_FIRST)
    named = head.startswith(LOCAL_MAGIC) and head[LOCAL.size : start] == _FIRST
    return named and _TYPE in head[start : start + 64]


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The anatomy of the ZIP.

    Raises:
        Malformed: not even a ZIP.
        Unreadable: the blob cannot be read.
    """
    found = survey(blob, effort)
    if MANIFEST not in found.names:
        found.note(f"no {MANIFEST}")
    if not recognises(blob.at(0, 128)):
        found.note("its type does not stand first")
    for region in found.regions:
        if region.kind is Kind.CODED and region.what.endswith(f" {MANIFEST}"):
            packed = blob.at(region.start, min(region.end - region.start, _MANIFEST_SIZE))
            if b"encryption-data" in _inflated(packed):
                found.note(NOTE)
    return found.anatomy("odf")


def _inflated(packed: bytes) -> bytes:
    """The manifest, whether it is stored or deflated, up to a bound."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _MANIFEST_SIZE)
    except zlib.error:
        return packed


FORMAT = Format(
    name="odf",
    title="OpenDocument file",
    specification="ODF 1.3 part 2, 3.3 and 4.8",
    suffixes=tuple(_SUFFIXES.split()),
    recognises=recognises,
    dissect=dissect,
)
