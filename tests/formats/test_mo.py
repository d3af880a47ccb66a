"""gettext catalogues: tables, strings, both byte orders."""

import struct

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.program.mo import FORMAT, dissect


def catalogue(count: int = 200, order: str = "<") -> bytes:
    originals = [b"Patient number %d\0Patients number %d" % (n, n) for n in range(count)]
    translations = [f"Patiente numéro {n}, opérée l’été dernier".encode() for n in range(count)]
    place = 28 + 16 * count
    tables, strings = b"", b""
    for text in (*originals, *translations):
        tables += struct.pack(order + "2L", len(text), place + len(strings))
        strings += text + b"\0"
    magic = struct.pack(order + "L", 0x950412DE)
    return magic + struct.pack(order + "6L", 0, count, 28, 28 + 8 * count, 0, 0) + tables + strings


def healthy() -> bytes:
    return catalogue()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("count", [0, 1, 300])
def test_healthy_catalogues(order: str, count: int) -> None:
    data = catalogue(count, order)
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())


def test_broken_entries_are_flaws_of_their_own() -> None:
    data = bytearray(healthy())
    data[28 + 80 : 28 + 96] = b"\xff" * 16
    data[28 + 400] ^= 1
    flaws = dissect(Bytes(bytes(data))).flaws
    assert [(flaw.start, flaw.end) for flaw in flaws] == [(108, 124), (428, 436)]


def test_cut_and_impossible_catalogues() -> None:
    data = healthy()
    assert dissect(Bytes(data[:-10])).flaws
    for bad in (data[:27], data[:400], data[:12] + b"\xff" * 4 + data[16:], data[:4] + b"\7" + data[5:]):
        with pytest.raises(Malformed):
            dissect(Bytes(bad))


def test_a_catalogue_beyond_the_effort() -> None:
    assert dissect(Bytes(healthy()), 100).notes == ("too long to follow its strings",)


def test_flaws_are_bounded() -> None:
    data = bytearray(catalogue(5000))
    for index in range(0, 10000, 2):
        data[28 + 8 * index] ^= 1
    assert len(dissect(Bytes(bytes(data))).flaws) == 1024
