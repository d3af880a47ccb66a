"""ELF: tables inside the file, compressed debug sections, and what lies about itself."""

import struct
import zlib

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.program.elf import FORMAT, dissect
from vigie.model import Flaw, Kind

Section = tuple[bytes, int, int, bytes]
SYMBOLS = b"".join(struct.pack("<IBBHQQ", n * 7, 18, 0, 12, 0x401000 + 16 * n, 16) for n in range(300))
STRINGS = b"\0" + b"".join(b"_ZN5vigie%dfunctionEv\0" % n for n in range(300))


def program(order: str = "<", wide: int = 2, sections: tuple[Section, ...] | None = None) -> bytes:
    """An ELF file of either width and byte order, its section table last."""
    if sections is None:
        sections = (
            (b".text", 1, 6, bytes(range(256)) * 20),
            (b".symtab", 2, 0, SYMBOLS),
            (b".strtab", 3, 0, STRINGS),
            (b".dynamic", 6, 0, bytes(64)),
            (b".bss", 8, 3, b""),
        )
    names = b"\0" + b"\0".join(name for name, *_ in sections) + b"\0.shstrtab\0"
    header, program_header = (64, 56) if wide == 2 else (52, 32)
    body = bytes(program_header)
    entry = "2I4Q2I2Q" if wide == 2 else "10I"
    table = bytes(struct.calcsize(entry))
    for name, kind, flags, content in (*sections, (b".shstrtab", 3, 0, names)):
        size = 0x5000 if kind == 8 else len(content)
        table += struct.pack(
            order + entry, names.index(b"\0" + name) + 1, kind, flags, 0, header + len(body), size, 0, 0, 1, 0
        )
        body += content
    count = len(sections) + 2
    fields = (3, 62, 1, 0, header, header + len(body), 0, header, program_header, 1)
    rest = (struct.calcsize(entry), count, count - 1)
    layout = "HHIQQQIHHHHHH" if wide == 2 else "HHIIIIIHHHHHH"
    ident = b"\x7fELF" + bytes([wide, 1 if order == "<" else 2, 1]) + bytes(9)
    return ident + struct.pack(order + layout, *fields, *rest) + body + table


def healthy() -> bytes:
    return program()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("wide", [1, 2])
def test_tables_are_structured_and_code_is_not(order: str, wide: int) -> None:
    data = program(order, wide)
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    named = {region.what for region in anatomy.regions}
    assert {"ELF header", "program headers", "section table", "strings of .strtab"} <= named
    assert not any(".text" in what for what in named)


def test_a_cut_file_ends_before_its_section_table() -> None:
    data = program()
    (flaw,) = dissect(Bytes(data[:-600])).flaws
    assert flaw == Flaw(len(data) - 600, len(data) - 600, "the file ends before its section table")
    assert dissect(Bytes(data[:-100])).flaws[0].what == "the file ends inside its section table"
    assert dissect(Bytes(data[:100])).flaws[-1].what == "the file ends before its program headers"


def test_a_section_outside_of_the_file_is_a_flaw_of_its_entry() -> None:
    data = bytearray(program())
    entry = len(data) - 7 * 64 + 2 * 64 - 64  # of .text
    data[entry + 24 : entry + 32] = b"\xff" * 8
    (flaw,) = dissect(Bytes(bytes(data))).flaws
    assert (flaw.start, flaw.end) == (entry, entry + 64)


@pytest.mark.parametrize("wide", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
def test_compressed_sections_are_inflated(order: str, wide: int) -> None:
    text = " ".join(str(n * n) for n in range(9000)).encode()
    head = struct.pack(order + ("2I2Q" if wide == 2 else "3I"), 1, *((0,) if wide == 2 else ()), len(text), 1)
    packed = zlib.compress(text)
    data = program(order, wide, ((b".debug_info", 1, 0x800, head + packed),))
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.checked == len(head) + len(packed)
    assert [r.what for r in anatomy.regions if r.kind is Kind.CODED] == ["deflate stream of .debug_info"]
    wrong = data.replace(packed[-4:], b"\0\0\0\0")
    assert dissect(Bytes(wrong)).flaws[0].checksum
    broken = data.replace(packed[5000:5100], bytes(100))
    assert "breaks near byte" in dissect(Bytes(broken)).flaws[0].what
    assert dissect(Bytes(data), 1000).notes == ("too long to test all compressed sections",)


def test_other_compression_is_not_tested() -> None:
    data = program("<", 2, ((b".debug_info", 1, 0x800, struct.pack("<2I2Q", 2, 0, 9, 1) + bytes(90)),))
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert not any(region.kind is Kind.CODED for region in anatomy.regions)


def test_entries_of_another_size_are_flaws_of_the_header() -> None:
    for place in (54, 58):
        data = bytearray(program())
        data[place] ^= 0xFF
        (flaw,) = dissect(Bytes(bytes(data))).flaws
        assert (flaw.start, flaw.end) == (0, 64)


def test_more_sections_and_segments_than_the_header_can_say() -> None:
    data = bytearray(program())
    table = len(data) - 7 * 64
    data[56:58] = data[62:64] = b"\xff\xff"
    data[60:62] = b"\0\0"
    data[table + 32 : table + 40] = (7).to_bytes(8, "little")
    data[table + 40 : table + 48] = struct.pack("<2I", 6, 1)
    anatomy = dissect(Bytes(bytes(data)))
    assert anatomy.flaws == ()
    assert "strings of .strtab" in {region.what for region in anatomy.regions}
    data[table + 32 : table + 40] = b"\xff" * 7 + b"\0"
    anatomy = dissect(Bytes(bytes(data)))
    assert anatomy.notes[0].endswith("only 65536 are looked at")


def test_what_is_no_elf() -> None:
    data = program()
    for bad in (
        b"",
        data[:40],
        data[:60],
        b"\x7fELG" + data[4:],
        data[:4] + b"\3" + data[5:],
        data[:20] + bytes(44),
    ):
        assert not FORMAT.recognises(bad)
        with pytest.raises(Malformed):
            dissect(Bytes(bad))


def test_without_tables() -> None:
    data = bytearray(program())
    data[40:48] = bytes(8)
    data[56:58] = bytes(2)
    anatomy = dissect(Bytes(bytes(data)))
    assert [region.what for region in anatomy.regions] == ["ELF header"]
    assert anatomy.flaws == ()


def test_many_lies_are_told_a_bounded_number_of_times() -> None:
    data = program("<", 2, tuple((b".x", 1, 0, b"?") for _ in range(3000)))
    table = int.from_bytes(data[40:48], "little")
    wrong = bytearray(data)
    for index in range(1, 3001):
        wrong[table + 64 * index + 24 : table + 64 * index + 32] = b"\x7f" * 8
    assert len(dissect(Bytes(bytes(wrong))).flaws) == 1024
