"""Mach-O: load commands, fat files."""

import struct

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.program.macho import FORMAT, dissect


def thin(order: str = "<", wide: bool = True) -> bytes:
    commands = b"".join(struct.pack(order + "2L", 0x19, 72) + b"__TEXT".ljust(64, b"\0") for _ in range(5))
    magic = struct.pack(order + "L", 0xFEEDFACF if wide else 0xFEEDFACE)
    head = (
        magic + struct.pack(order + "6L", 0x01000007, 3, 6, 5, len(commands), 0x85) + bytes(4 if wide else 0)
    )
    return head + commands + bytes(range(256)) * 20


def fat() -> bytes:
    one = thin()
    table = struct.pack(">5L", 0x01000007, 3, 4096, len(one), 12) + struct.pack(
        ">5L", 12, 0, 12288, len(one), 12
    )
    return ((b"\xca\xfe\xba\xbe" + struct.pack(">L", 2) + table).ljust(4096, b"\0") + one).ljust(
        12288, b"\0"
    ) + one


def healthy() -> bytes:
    return thin()


def test_healthy_programs() -> None:
    for data in (thin(), thin(">"), thin("<", wide=False), thin(">", wide=False), fat()):
        assert FORMAT.recognises(data[:4096])
        assert dissect(Bytes(data)).flaws == ()


def test_cut_and_broken_programs() -> None:
    (flaw,) = dissect(Bytes(fat()[:13000])).flaws
    assert (flaw.start, flaw.end) == (28, 48)
    data = thin()
    (flaw,) = dissect(Bytes(data[: 32 + 72 + 4] + bytes(4) + data[32 + 72 + 8 :])).flaws
    assert (flaw.start, flaw.what) == (104, "an impossible load command")
    with pytest.raises(Malformed, match="360 bytes of load commands"):
        dissect(Bytes(data[:300]))


def test_what_is_no_program() -> None:
    java = b"\xca\xfe\xba\xbe\0\0\0\x41" + bytes(40)
    for bad in (b"", thin()[:20], java, fat()[:20], b"\xcf\xfa\xed\xfe" + b"\xff" * 40):
        assert not FORMAT.recognises(bad)
        with pytest.raises(Malformed):
            dissect(Bytes(bad))
