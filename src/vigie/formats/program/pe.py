"""Windows programs (PE/COFF) and DOS programs: headers, section table; sections may be anything."""

import struct

from vigie.formats.contract import EFFORT, HEAD, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_SIGNATURE = b"PE\0\0"
_OPTIONAL = {0x10B: 96, 0x20B: 112, 0x107: 56}
"""Bytes of the optional header before the data directories, by its magic (PE32, PE32+, ROM)."""
_SECTIONS = 96
"""The most that Windows loads; objcopy makes more in files of debug information."""
_FLAWS = 256
_ROOM = 512
"""Bytes of an optional header; linkers make 224 or 240."""
_BSS = 0x80
"""IMAGE_SCN_CNT_UNINITIALIZED_DATA: takes no room in the file."""


def _header(head: bytes) -> int | None:
    """Where the PE signature stands (section 3.1), or nothing."""
    if len(head) < 64 or not head.startswith(b"MZ"):
        return None
    place = int.from_bytes(head[60:64], "little")
    return place if place >= 4 and head[place : place + 4] == _SIGNATURE else None


def _dos(head: bytes) -> int | None:
    """Bytes that a DOS program loads, by its header (Microsoft EXE format), or nothing where it is none."""
    if len(head) < 28 or not head.startswith(b"MZ"):
        return None
    last, pages, relocations, paragraphs, least, most, *_, table, overlay = struct.unpack_from(
        "<13H", head, 2
    )
    # Two letters are no proof: the header must be as long as it says, and hold the table of relocations.
    if last >= 512 or not 0 < pages <= 2048 or overlay > 64 or least > most or relocations > 4096:
        return None
    room = 16 * paragraphs
    if (
        not 28 <= room <= 32_768
        or table > room
        or (relocations and not 28 <= table <= room - 4 * relocations)
    ):
        return None
    size = 512 * pages - (512 - last if last else 0)
    return size if size >= room else None


def recognises(head: bytes) -> bool:
    """MZ, and the signature where it says; or the header of a DOS program."""
    return _header(head) is not None or _dos(head) is not None


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Headers, and whether the sections lie in the file.

    Raises:
        Malformed: no PE header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 65_536)
    place = _header(head)
    if place is None:
        return _old(blob, head)
    coff = blob.at(place + 4, 20)
    if len(coff) < 20:
        return _cut(blob)
    _, count, _, _, _, optional, _ = struct.unpack("<2H3L2H", coff)
    table = place + 24 + optional
    end = table + 40 * count
    # Between the DOS header and this one stand a small program and the linker's "Rich" record, which is
    # disguised by a key: opaque.
    regions = [
        Region(0, min(64, place), Kind.STRUCTURED, "DOS header"),
        Region(place, min(end, blob.size), Kind.STRUCTURED, "headers and section table"),
    ]
    if optional > _ROOM:
        regions.pop()  # a packer's trick: code stands in what is called a header
    flaws: list[Flaw] = []
    notes: list[str] = []
    data = blob.at(place + 24, optional + 40 * count)
    magic = int.from_bytes(data[:2], "little")
    if optional and (magic not in _OPTIONAL or optional < _OPTIONAL[magic]):
        flaws.append(Flaw(place + 24, min(place + 24 + optional, blob.size), "an impossible optional header"))
    if end > blob.size:
        flaws.append(Flaw(blob.size, blob.size, "the file ends inside its section table"))
    if count > _SECTIONS:
        notes.append(f"{count} sections")
    for index, entry in enumerate(
        struct.iter_unpack("<8s6L2HL", data[optional : optional + 40 * count]) if end <= blob.size else ()
    ):
        _, _, _, length, start, *_, flags = entry
        if start and length and not flags & _BSS and start >= blob.size:
            where = table + 40 * index
            flaws.append(Flaw(where, where + 40, f"section {index} lies outside of the file"))
        elif start and length and not flags & _BSS and start + length > blob.size:
            flaws.append(Flaw(blob.size, blob.size, f"the file ends inside section {index}"))
    return Anatomy("pe", tuple(regions), tuple(flaws[:_FLAWS]), 0, tuple(notes))


def _cut(blob: Blob) -> Anatomy:
    """The anatomy of what is left of a program that was cut inside its headers."""
    cut = Flaw(blob.size, blob.size, "the file ends before its PE header does")
    return Anatomy("pe", (Region(0, min(64, blob.size), Kind.STRUCTURED, "DOS header"),), (cut,))


def _old(blob: Blob, head: bytes) -> Anatomy:
    """The anatomy of a DOS program, or of a 16-bit Windows program behind one."""
    loaded = _dos(head)
    if loaded is None:
        said = int.from_bytes(head[60:64], "little")
        if head.startswith(b"MZ") and 64 <= said <= HEAD and blob.size < said + 4:
            return _cut(blob)
        raise Malformed(0, "no header of a program for Windows or DOS")
    regions = (Region(0, min(28, blob.size), Kind.STRUCTURED, "DOS header"),)
    short = Flaw(blob.size, blob.size, "the file ends before its program does")
    notes = ("a program for DOS, or for 16-bit Windows",)
    return Anatomy("pe", regions, (short,) if loaded > blob.size else (), 0, notes)


FORMAT = Format(
    name="pe",
    title="Windows or DOS program or library",
    specification="Microsoft PE Format 3 and 4; Microsoft EXE format",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
    # Test suites are full of empty files that are called so.
    weak_suffixes=("exe", "dll", "efi", "sys", "ocx", "scr", "cpl"),
)
