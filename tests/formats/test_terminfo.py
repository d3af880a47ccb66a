"""Terminal descriptions: both number formats, extended capabilities."""

import struct

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.program.terminfo import FORMAT, dissect
from vigie.model import Flaw

NAMES = b"vigie|terminal of a lookout\0"


def entry(*, wide: bool = False, extended: bool = False) -> bytes:
    table = b"".join(b"\x1b[%dm\0" % n for n in range(120))
    offsets = [n * 4 if n < 100 else -1 for n in range(130)]
    number = "i" if wide else "h"
    data = struct.pack("<6H", 0o1036 if wide else 0o432, len(NAMES), 3, 4, len(offsets), len(table))
    data += NAMES + b"\1\0\xfe"
    data += bytes(len(data) % 2) + struct.pack(f"<4{number}", 80, 24, -1, 8)
    data += struct.pack(f"<{len(offsets)}h", *offsets) + table
    if extended:
        data += bytes(len(data) % 2)
        strings = b"\x1b[1m\0AX\0XT\0Smulx\0"
        data += struct.pack("<5H", 1, 1, 1, 4, len(strings)) + b"\1\0" + struct.pack(f"<{number}", 256)
        data += struct.pack("<4h", 0, 0, 3, 6) + strings
    return data


def healthy() -> bytes:
    return entry(wide=True, extended=True)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("extended", [False, True])
def test_healthy_entries(wide: bool, extended: bool) -> None:
    data = entry(wide=wide, extended=extended)
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert anatomy.regions[-1].end == len(data)
    assert dissect(Bytes(data + b"\0" * 9)).notes == ("9 bytes behind the entry",)


def test_offsets_and_booleans_that_cannot_be() -> None:
    data = bytearray(entry())
    data[12 + len(NAMES)] = 9
    place = data.index(struct.pack("<3h", 0, 4, 8))
    data[place : place + 2] = b"\xff\x7f"
    assert dissect(Bytes(bytes(data))).flaws == (
        Flaw(40, 43, "a boolean that is neither yes nor no"),
        Flaw(place, place + 260, "a string outside of its table"),
    )


@pytest.mark.parametrize("cut", [0, 13, 20, 41, 300, -30])
def test_cut_entries(cut: int) -> None:
    with pytest.raises(Malformed):
        dissect(Bytes(entry()[:cut]))


@pytest.mark.parametrize(
    "head",
    [
        b"\x1a\x01" + b"\xff" * 20,
        struct.pack("<6H", 0o432, 1, 0, 0, 0, 0) + b"\0\0",
        struct.pack("<6H", 0o432, 9, 0, 0, 0, 0) + b"\x1bterm\xff\0\0\0",
    ],
)
def test_what_is_no_entry(head: bytes) -> None:
    assert not FORMAT.recognises(head)
