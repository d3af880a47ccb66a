"""LZ4: frames by the checksum of their descriptor, blocks by their lengths."""

import random
import shutil
import struct
import subprocess

import pytest

from vigie.formats.archive.lz4 import FORMAT, dissect, xxh32
from vigie.formats.contract import Bytes, Malformed


def frame(blocks: int = 12, flags: int = 0x40, seed: int = 0) -> bytes:
    chooser = random.Random(seed)
    head = (
        bytes([flags, 0x40]) + (struct.pack("<Q", 9) if flags & 8 else b"") + (b"dict" if flags & 1 else b"")
    )
    out = b"\x04\x22\x4d\x18" + head + bytes([xxh32(head) >> 8 & 0xFF])
    for _ in range(blocks):
        data = chooser.randbytes(chooser.randrange(1000, 4000))
        out += struct.pack("<L", len(data) | 0x80000000) + data + bytes(4 * bool(flags & 0x10))
    return out + bytes(4) + bytes(4 * bool(flags & 4))


SAMPLES = {"lz4": (FORMAT, frame(), "lz4")}


@pytest.mark.parametrize("flags", [0x40, 0x44, 0x50, 0x60, 0x4C, 0x5D])
def test_frames_of_every_kind(flags: int) -> None:
    data = frame(flags=flags)
    assert FORMAT.recognises(data)
    assert dissect(Bytes(data)).flaws == ()
    skippable = b"\x50\x2a\x4d\x18" + struct.pack("<L", 5) + b"hello"
    assert FORMAT.recognises(skippable + data)
    assert dissect(Bytes(skippable + data + data + skippable)).flaws == ()
    assert dissect(Bytes(data + b"tail")).flaws == ()
    assert "4 bytes behind" in dissect(Bytes(data + b"tail")).notes[0]


def test_hits_and_the_frame_behind() -> None:
    data = frame()
    hit = data[:9000] + random.Random(1).randbytes(9000) + data[18000:]
    (flaw,) = dissect(Bytes(hit + data)).flaws
    assert 4000 < flaw.start < 18000
    assert flaw.end == len(data)
    (lost,) = dissect(Bytes(data + random.Random(2).randbytes(50) + data)).flaws
    assert (lost.start, lost.end) == (len(data), len(data) + 50)


def test_cuts_and_efforts() -> None:
    data = frame(flags=0x44)
    for length in (9, 3000, len(data) - 2):
        assert dissect(Bytes(data[:length])).flaws[0].what == "the file ends inside a frame"
    assert FORMAT.dissect(Bytes(data), 200).notes[0].startswith("too long")
    assert FORMAT.dissect(Bytes(data[:40] + random.Random(1).randbytes(90_000)), 100).flaws[0].start == 7
    with pytest.raises(Malformed):
        dissect(Bytes(b"\x04\x22\x4d\x18\x40\x40\0\0"))


def test_the_hash() -> None:
    assert xxh32(b"") == 0x02CC5D05
    assert xxh32(b"a") == 0x550D7456
    assert xxh32(b"abc") == 0x32D153FF


def test_the_real_thing() -> None:
    program = shutil.which("lz4")
    if not program:
        pytest.skip("needs lz4")
    text = " ".join(f"{n * n:x}" for n in range(50_000)).encode()
    for options in ([], ["-BD"], ["-B4", "-BX", "--content-size"], ["-9", "--no-frame-crc"]):
        packed = subprocess.run(
            [program, *options, "-c"], input=text, check=True, capture_output=True, timeout=60
        )
        anatomy = dissect(Bytes(packed.stdout))
        assert FORMAT.recognises(packed.stdout[:4096])
        assert anatomy.flaws == ()
        assert anatomy.regions[-1].end == len(packed.stdout)
