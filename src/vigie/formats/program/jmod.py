"""Java modules (.jmod): four bytes, then a ZIP file, which `archive/zip.py` dissects (JEP 261)."""

from dataclasses import dataclass, replace

from vigie.formats.archive import zip as zip_archive
from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Kind, Region

MAGIC = b"JM\x01\x00"
"""jdk.internal.jmod.JmodFile: "JM", major 1, minor 0."""


@dataclass(frozen=True, slots=True)
class _Behind:
    """A blob without its first bytes."""

    blob: Blob
    skipped: int

    @property
    def size(self) -> int:
        return self.blob.size - self.skipped

    def at(self, offset: int, length: int) -> bytes:
        return self.blob.at(offset + self.skipped, length)


def recognises(head: bytes) -> bool:
    """The magic, and a ZIP file behind it."""
    return head.startswith(MAGIC) and zip_archive.recognises(head[len(MAGIC) :])


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The anatomy of the ZIP file, moved by the magic.

    Raises:
        Malformed: no magic, or no ZIP file behind it.
        Unreadable: the blob cannot be read.
    """
    if blob.at(0, 4) != MAGIC:
        raise Malformed(0, "no magic of a Java module")
    shift = len(MAGIC)
    try:
        inner = zip_archive.dissect(_Behind(blob, shift), effort)
    except Malformed as malformed:
        raise Malformed(malformed.offset + shift, malformed.what) from None
    moved = (replace(one, start=one.start + shift, end=one.end + shift) for one in inner.regions)
    flaws = (replace(one, start=one.start + shift, end=one.end + shift) for one in inner.flaws)
    regions = (Region(0, shift, Kind.STRUCTURED, "magic"), *moved)
    return replace(inner, format="jmod", regions=regions, flaws=tuple(flaws))


FORMAT = Format(
    name="jmod",
    title="Java module",
    specification="JEP 261; jdk.internal.jmod.JmodFile",
    suffixes=("jmod",),
    recognises=recognises,
    dissect=dissect,
)
