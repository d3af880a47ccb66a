"""Windows and DOS programs: headers, sections within the file."""

import random
import struct

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.program.pe import FORMAT, dissect
from vigie.model import Kind


def windows(magic: int = 0x20B, sections: int = 3, raw: int = 2048) -> bytes:
    optional = struct.pack("<H", magic).ljust(112 + 128, b"\0")
    stub = b"MZ".ljust(60, b"\0") + struct.pack("<L", 160) + random.Random(5).randbytes(96)
    coff = b"PE\0\0" + struct.pack("<2H3L2H", 0x8664, sections, 0, 0, 0, len(optional), 0x22)
    table = b""
    for n in range(sections):
        table += struct.pack(
            "<8s6L2HL", b".text%d" % n, raw, 4096 * (n + 1), raw, 1024 + raw * n, 0, 0, 0, 0, 0x20
        )
    table += struct.pack("<8s6L2HL", b".bss", 0, 0, 1 << 20, 99, 0, 0, 0, 0, 0x80)
    head = (
        (stub + coff + optional + table)
        .ljust(1024, b"\0")
        .replace(struct.pack("<2H", 0x8664, sections), struct.pack("<2H", 0x8664, sections + 1))
    )
    return head + bytes(range(256)) * (raw * sections // 256)


def dos(size: int = 3000, loaded: int | None = None) -> bytes:
    loaded = size if loaded is None else loaded
    header = struct.pack("<13H", loaded % 512, -(-loaded // 512), 1, 4, 0, 0xFFFF, 0, 128, 0, 0, 0, 28, 0)
    return (b"MZ" + header + bytes(36)).ljust(size, b"\x90")


def healthy() -> bytes:
    return windows()


def test_healthy_programs() -> None:
    for data in (windows(), windows(0x10B), windows() + b"an installer's payload"):
        assert FORMAT.recognises(data[:4096])
        anatomy = dissect(Bytes(data))
        assert (anatomy.flaws, anatomy.notes) == ((), ())
        assert all(region.kind is Kind.STRUCTURED for region in anatomy.regions)
        assert not any(region.start < 100 < region.end for region in anatomy.regions), "the linker's record"
    assert dissect(Bytes(windows(sections=100, raw=256))).notes == ("101 sections",)


def test_cut_programs() -> None:
    data = windows()
    assert [f.what for f in dissect(Bytes(data[:-9])).flaws] == ["the file ends inside section 2"]
    assert dissect(Bytes(data[:500])).flaws[0].what == "the file ends inside its section table"
    flaws = dissect(Bytes(data[:2000])).flaws
    assert [f.what for f in flaws[1:]] == [
        "section 1 lies outside of the file",
        "section 2 lies outside of the file",
    ]
    assert flaws[1].end - flaws[1].start == 40
    for size in (64, 100, 162, 170):
        assert dissect(Bytes(data[:size])).flaws[0].what == "the file ends before its PE header does"


def test_a_header_with_too_much_room_is_not_believed() -> None:
    data = bytearray(windows())
    data[160 + 20 : 160 + 22] = b"\0\2"
    assert len(dissect(Bytes(bytes(data))).regions) == 2
    data[160 + 20 : 160 + 22] = b"\0\3"
    assert [region.what for region in dissect(Bytes(bytes(data))).regions] == ["DOS header"]


def test_an_impossible_optional_header() -> None:
    assert dissect(Bytes(windows(0x999))).flaws[0].what == "an impossible optional header"


def test_programs_for_dos() -> None:
    data = dos()
    assert FORMAT.recognises(data)
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, len(anatomy.notes)) == ((), 1)
    assert dissect(Bytes(data[:2000])).flaws[0].what == "the file ends before its program does"
    assert FORMAT.recognises(dos(1024))


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"MZ",
        b"MZ" + b"\xff" * 90,
        dos()[:8] + b"\1" + dos()[9:],
        dos()[:4] + b"\0\0" + dos()[6:],
        dos(2048, 20),
    ],
)
def test_what_is_no_program(bad: bytes) -> None:
    assert not FORMAT.recognises(bad)
    with pytest.raises(Malformed):
        dissect(Bytes(bad))
