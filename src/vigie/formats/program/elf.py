"""ELF (System V ABI): the header, section and program tables, string and symbol tables; code may be anything.

Parsed by hand: only the tables are read, so that a library of any size costs one look at its ends.
"""

import struct

from vigie.formats.archive.deflate import Stop, inflate
from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

MAGIC = b"\x7fELF"
SECTIONS = 65_536
"""Sections read; an object of one section a function reaches a few thousand."""
REGIONS = 4_096
FLAWS = 1_024
_NULL, _PROGBITS, _SYMTAB, _STRTAB, _RELA, _DYNAMIC, _NOBITS, _REL, _DYNSYM = 0, 1, 2, 3, 4, 6, 8, 9, 11
_TABLES = {_SYMTAB: "symbols", _DYNSYM: "symbols", _RELA: "relocations", _REL: "relocations"}
_STRINGS = frozenset({b".interp", b".comment", b".debug_str", b".debug_line_str"})
_COMPRESSED = 0x800
"""SHF_COMPRESSED: the section begins with an `Elf_Chdr` (gABI 4, "Section Compression")."""
_ZLIB = 1
_MANY = 0xFFFF
"""PN_XNUM: there are more program headers than the field can say, the number stands in section 0."""
_HEADERS = {1: ("HHIIIIIHHHHHH", 52, "10I", 40, 32), 2: ("HHIQQQIHHHHHH", 64, "2I4Q2I2Q", 64, 56)}
_COMPRESSION = {1: "3I", 2: "2I2Q"}


def recognises(head: bytes) -> bool:
    """Magic, class, byte order, version twice, and the size of the header (gABI 4, "ELF Header")."""
    if len(head) < 52 or not head.startswith(MAGIC) or head[4] not in _HEADERS or head[5] not in (1, 2):
        return False
    length = _HEADERS[head[4]][1]
    if len(head) < length:
        return False
    order = "<" if head[5] == 1 else ">"
    (version,) = struct.unpack_from(order + "L", head, 20)
    (size,) = struct.unpack_from(order + "H", head, length - 12)
    return bool(head[6] == version == 1 and size == length)


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Header and tables; compressed debug sections are inflated as far as the effort goes.

    Raises:
        Malformed: no ELF header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 64)
    if not recognises(head):
        raise Malformed(0, "no ELF header")
    walk = _Walk(blob, head, Effort(effort))
    walk.sections()
    walk.programs()
    walk.streams()
    return walk.anatomy()


class _Walk:
    """One pass over the tables."""

    def __init__(self, blob: Blob, head: bytes, effort: Effort) -> None:
        self.blob = blob
        self.effort = effort
        self.wide = head[4]
        self.order = "<" if head[5] == 1 else ">"
        layout, self.size, self.entry, self.entry_size, self.program_size = _HEADERS[self.wide]
        fields = struct.unpack_from(self.order + layout, head.ljust(64, b"\0"), 16)
        self.program_at, self.section_at = fields[4], fields[5]
        self.programs_said, self.section_entry, self.sections_said, self.names_in = fields[9:13]
        self.program_entry = fields[8]
        self.spans: list[Region] = [Region(0, min(self.size, blob.size), Kind.STRUCTURED, "ELF header")]
        self.coded: list[tuple[int, int, str]] = []
        self.flaws: list[Flaw] = []
        self.notes: list[str] = []
        self.checked = 0

    def sections(self) -> None:
        """The section table (gABI 4, "Sections"); what cannot lie in the file is a flaw of its entry."""
        if not self.section_at:
            return
        if self.section_entry != self.entry_size:
            self._flaw(0, self.size, f"section entries of {self.section_entry} bytes")
            return
        first = self.blob.at(self.section_at, self.entry_size)
        if len(first) < self.entry_size:
            self._flaw(self.blob.size, self.blob.size, "the file ends before its section table")
            return
        zero = struct.unpack(self.order + self.entry, first)
        count = self.sections_said or zero[5]
        if self.programs_said == _MANY:
            self.programs_said = zero[7]
        names_in = self.names_in if self.names_in != _MANY else zero[6]
        if count > SECTIONS:
            self.notes.append(f"{count} sections: only {SECTIONS} are looked at")
            count = SECTIONS
        table = self.blob.at(self.section_at, count * self.entry_size)
        if len(table) < count * self.entry_size:
            self._flaw(self.blob.size, self.blob.size, "the file ends inside its section table")
            table = table[: len(table) - len(table) % self.entry_size]
        self._claim(self.section_at, self.section_at + len(table), "section table")
        entries = list(struct.iter_unpack(self.order + self.entry, table))
        names = b""
        if names_in < len(entries):
            names = self.blob.at(entries[names_in][4], min(entries[names_in][5], 1 << 20))
        for index, (name_at, kind, flags, _, start, length, *_rest) in enumerate(entries):
            if kind in (_NULL, _NOBITS) or not length:
                continue
            end = start + length
            if end > self.blob.size:
                where = self.section_at + index * self.entry_size
                self._flaw(where, where + self.entry_size, f"section {index} lies outside of the file")
                continue
            name = names[name_at : name_at + 64].partition(b"\0")[0]
            self._section(kind, flags, start, end, name)

    def _section(self, kind: int, flags: int, start: int, end: int, name: bytes) -> None:
        label = name.decode("ascii", "replace")
        if flags & _COMPRESSED:
            self.coded.append((start, end, label))
        elif kind == _STRTAB or name in _STRINGS:
            self._claim(start, end, f"strings of {label}")
        elif kind in _TABLES:
            self._claim(start, end, f"{_TABLES[kind]} of {label}")
        elif kind == _DYNAMIC:
            self._claim(start, end, "dynamic section")

    def programs(self) -> None:
        """The program header table (gABI 5); what it points at may lie in another file (.debug)."""
        if self.program_at and self.programs_said:
            if self.program_entry != self.program_size:
                self._flaw(0, self.size, f"program headers of {self.program_entry} bytes")
                return
            end = self.program_at + self.programs_said * self.program_size
            if end > self.blob.size:
                self._flaw(self.blob.size, self.blob.size, "the file ends before its program headers")
            self._claim(self.program_at, min(end, self.blob.size), "program headers")

    def streams(self) -> None:
        """Compressed debug sections: zlib is inflated, its Adler-32 compared (RFC 1950)."""
        for start, end, label in self.coded:
            layout = self.order + _COMPRESSION[self.wide]
            head = self.blob.at(start, struct.calcsize(layout) + 2)
            body = start + len(head)
            if body >= end or struct.unpack_from(layout, head)[0] != _ZLIB:
                continue
            self.spans.append(Region(start, end, Kind.CODED, f"deflate stream of {label}"))
            found = inflate(self.blob, body, end, self.effort)
            if found.stop is Stop.SPENT:
                self._note("too long to test all compressed sections")
            elif found.stop is not Stop.ENDED:
                self._flaw(body, end, f"the deflate stream of {label} breaks near byte {found.end}")
            elif self.blob.at(found.end, 4) == found.adler.to_bytes(4, "big"):
                self.checked += end - start
            else:
                self._flaw(body, end, f"the Adler-32 of {label} does not match", checksum=True)

    def anatomy(self) -> Anatomy:
        """Regions in order; where two claim the same bytes, the first one has them."""
        regions: list[Region] = []
        for region in sorted(self.spans, key=lambda region: (region.start, region.end)):
            if region.start >= (regions[-1].end if regions else 0) and len(regions) < REGIONS:
                regions.append(region)
        return Anatomy("elf", tuple(regions), tuple(self.flaws), self.checked, tuple(self.notes))

    def _claim(self, start: int, end: int, what: str) -> None:
        if start < end:
            self.spans.append(Region(start, end, Kind.STRUCTURED, what))

    def _flaw(self, start: int, end: int, what: str, *, checksum: bool = False) -> None:
        if len(self.flaws) < FLAWS:
            self.flaws.append(Flaw(start, min(end, self.blob.size), what, checksum))

    def _note(self, what: str) -> None:
        if what not in self.notes:
            self.notes.append(what)


FORMAT = Format(
    name="elf",
    title="ELF program, library or object file",
    specification="System V gABI 4.1, chapters 4 and 5",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("so", "ko", "o"),
)
