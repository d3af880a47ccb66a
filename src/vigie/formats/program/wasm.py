"""WebAssembly modules: the chain of sections, each with its length (core specification 5.5)."""

from vigie.formats.contract import EFFORT, Cursor, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

MAGICS = (b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0")
"""A module, version 1; a component (component model, preview)."""
SECTIONS = 4_096
_LAST = 13
"""The highest number of a section: tags (exception handling)."""


def recognises(head: bytes) -> bool:
    """Magic and version."""
    return head[:8] in MAGICS


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Section after section to the end; their content may be anything.

    Raises:
        Malformed: no magic.
        Unreadable: the blob cannot be read.
    """
    if not recognises(blob.at(0, 8)):
        raise Malformed(0, "no magic of WebAssembly")
    cursor = Cursor(blob, 8)
    regions = [Region(0, 8, Kind.STRUCTURED, "magic and version")]
    flaws: list[Flaw] = []
    for _ in range(SECTIONS):
        if not cursor.left:
            break
        start = cursor.offset
        try:
            kind = cursor.take(1, "a section")[0]
            cursor.skip(_length(cursor), "a section")
        except Malformed as malformed:
            kind, what = 0, malformed.what
        else:
            what = f"section number {kind}"
        if cursor.offset == start or kind > _LAST or what != f"section number {kind}":
            regions.append(Region(start, min(start + 64, blob.size), Kind.STRUCTURED, "place of a section"))
            flaws.append(Flaw(start, min(start + 64, blob.size), what))
            break
    return Anatomy("wasm", tuple(regions), tuple(flaws))


def _length(cursor: Cursor) -> int:
    """An unsigned number in LEB128 (section 5.2.2), of 32 bits."""
    value = shift = 0
    while shift < 35:
        byte = cursor.take(1, "a length")[0]
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value


FORMAT = Format(
    name="wasm",
    title="WebAssembly module",
    specification="WebAssembly Core Specification 5.5",
    suffixes=("wasm",),
    recognises=recognises,
    dissect=dissect,
)
