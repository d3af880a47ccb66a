"""Cabinets: every data block by its checksum."""

import random
import struct
import zlib

import pytest

from vigie.formats.archive.cab import FORMAT, checksum, dissect
from vigie.formats.contract import Bytes, Malformed


def block(data: bytes, *, summed: bool = True) -> bytes:
    packed = b"CK" + zlib.compress(data)[2:-4]
    tail = struct.pack("<HH", len(packed), len(data))
    return struct.pack("<L", checksum(tail, checksum(packed)) if summed else 0) + tail + packed


def cabinet(*, reserve: bool = False, linked: bool = False, summed: bool = True) -> bytes:
    chooser = random.Random(1)
    pieces = [
        block(b" ".join(b"%x" % chooser.getrandbits(30) for _ in range(3000))[:32768], summed=summed)
        for _ in range(6)
    ]
    files = b"".join(
        struct.pack("<LLHHHH", 32768, n * 32768, 0, 0x5A21, 0, 32) + b"f%d\0" % n for n in range(6)
    )
    extra = struct.pack("<HBB", 20, 0, 0) + bytes(20) if reserve else b""
    names = b"next.cab\0disk 2\0" if linked else b""
    at = 36 + len(extra) + len(names) + 8
    size = at + len(files) + sum(map(len, pieces))
    flags = 4 * reserve | 2 * linked
    head = struct.pack("<4s4sLLLLBBHHHHH", b"MSCF", b"", size, 0, at, 0, 3, 1, 1, 6, flags, 7, 0)
    return head + extra + names + struct.pack("<LHH", at + len(files), 6, 1) + files + b"".join(pieces)


SAMPLES = {"cab": (FORMAT, cabinet(), "cab")}


@pytest.mark.parametrize("data", [cabinet(), cabinet(reserve=True), cabinet(linked=True)])
def test_every_block_is_summed(data: bytes) -> None:
    assert FORMAT.recognises(data)
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert anatomy.checked > len(data) * 0.9


def test_the_flaw_is_the_block() -> None:
    data = cabinet()
    regions = [r for r in dissect(Bytes(data)).regions if r.what.startswith("data block")]
    hit = bytearray(data)
    for region in (regions[1], regions[4]):
        hit[region.start + 500 : region.start + 900] = random.Random(1).randbytes(400)
    flaws = dissect(Bytes(bytes(hit))).flaws
    assert [(f.start, f.end, f.checksum) for f in flaws] == [
        (r.start, r.end, True) for r in (regions[1], regions[4])
    ]
    hit[regions[3].start : regions[3].start + 8] = b"\xff" * 8
    assert any("no data block" in f.what for f in dissect(Bytes(bytes(hit))).flaws)


def test_oddities() -> None:
    anatomy = dissect(Bytes(cabinet(summed=False)))
    assert (anatomy.flaws, anatomy.checked) == ((), 0)
    assert "behind the cabinet" in dissect(Bytes(cabinet() + b"signature")).notes[0]
    assert FORMAT.dissect(Bytes(cabinet()), 1000).notes[0].startswith("too long")
    data = cabinet()
    assert dissect(Bytes(data[:-50])).flaws[-1].what == "the file ends inside a block"
    last = dissect(Bytes(data)).regions[-1]
    assert dissect(Bytes(data[: last.start + 3])).flaws[-1].what == "the file ends before its last block"
    with pytest.raises(Malformed):
        dissect(Bytes(b"MSCF" + bytes(100)))


def test_the_checksum_of_the_specification() -> None:
    assert checksum(b"\1\2\3\4\5\6\7\x08\x09\x0a\x0b") == (0x04030201 ^ 0x08070605 ^ 0x090A0B)
    assert checksum(b"") == 0
