"""JPEG 2000: boxes, tile-parts, and codes that packets cannot hold."""

import io
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vigie.formats.contract import Bytes, Effort, Malformed
from vigie.formats.media.jpeg2000 import FORMAT, codestream, dissect
from vigie.model import Kind


def image(form: str = "j2k", **options: Any) -> bytes:
    out = io.BytesIO()
    out.name = f"x.{form}"
    Image.effect_noise((300, 300), 40).convert("RGB").save(out, "JPEG2000", **options)
    return out.getvalue()


def strike(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + random.Random(start).randbytes(length) + data[start + length :]


PLAIN = image()
TILED = image(tile_size=(100, 100))
BOXED = image("jp2")[:5000]


@pytest.mark.parametrize(
    "data",
    [PLAIN, TILED, image("jp2"), image(irreversible=True, quality_layers=[20]), image("jp2", plt=True)],
)
def test_what_encoders_write(data: bytes) -> None:
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert anatomy.regions[-1].end == len(data)


@pytest.mark.parametrize("start", [8192, 40960])
def test_the_flaw_is_the_block_that_was_hit(start: int) -> None:
    assert [(f.start, f.end) for f in dissect(Bytes(strike(PLAIN, start, 4096))).flaws] == [
        (start, start + 4096)
    ]


def test_a_lost_tile_part_is_resumed_behind() -> None:
    second = TILED.index(b"\xff\x90\x00\x0a", TILED.index(b"\xff\x90\x00\x0a") + 4)
    third = TILED.index(b"\xff\x90\x00\x0a", second + 4)
    anatomy = dissect(Bytes(strike(TILED, second, 200)))
    assert (anatomy.flaws[0].start, anatomy.flaws[0].end) == (second, third)
    assert anatomy.regions[-1].what == "end of codestream"
    header = TILED[: second + 12] + bytes(20) + TILED[second + 32 :]
    assert dissect(Bytes(header)).flaws[0].what == "no start of data in the tile-part"


def test_counters_of_packets_are_no_breaks() -> None:
    # A.8.1: Nsop counts to 65535; a packet header may begin with any byte.
    packets = b"".join(b"\xff\x91\x00\x04" + struct.pack(">H", n) + b"\xc0\x01\xff\x92" for n in range(700))
    packets += b"\xff\x91\x00\x04\xff\x95\xc0\xff\x92"
    siz = b"\xff\x51" + struct.pack(">HH", 41, 0) + bytes(37)
    cod = b"\xff\x52\x00\x0c\x06" + bytes(9)
    tile = b"\xff\x90\x00\x0a\0\0" + struct.pack(">I", 14 + len(packets)) + b"\0\1\xff\x93" + packets
    data = b"\xff\x4f" + siz + cod + tile + b"\xff\xd9"
    assert dissect(Bytes(data)).flaws == ()
    assert dissect(Bytes(data.replace(cod, b""))).flaws
    endless = data.replace(struct.pack(">I", 14 + len(packets)), bytes(4))
    assert dissect(Bytes(endless)).flaws == ()


def test_a_codestream_within_other_bytes() -> None:
    found = codestream(Bytes(b"x" * 10 + PLAIN + b"yyyyy"), 10, 10 + len(PLAIN), Effort())
    assert (found.flaws, found.regions[0].start, found.regions[-1].end) == ((), 10, 10 + len(PLAIN))
    behind = codestream(Bytes(PLAIN + b"yyyyy"), 0, len(PLAIN) + 5, Effort())
    assert behind.notes == ("5 bytes behind the end of the codestream",)


def test_boxes_that_are_broken() -> None:
    data = image("jp2")
    box = data.index(b"jp2h") - 4
    lost = dissect(Bytes(strike(data, box, 30)))
    assert lost.flaws[0].start == box
    assert lost.regions[-1].what == "end of codestream"
    stream = data.index(b"\xff\x4f\xff\x51")
    assert dissect(Bytes(strike(data, stream, 2000))).flaws[0].start <= stream
    long = data[: stream - 8] + b"\0\0\0\1jp2c" + struct.pack(">Q", 16 + len(data) - stream) + data[stream:]
    assert dissect(Bytes(long)).flaws == ()
    endless = data[: stream - 8] + bytes(4) + data[stream - 4 :]
    assert dissect(Bytes(endless)).flaws == ()
    assert dissect(Bytes(data[: stream - 8])).notes == ("no codestream in it",)


def test_what_is_cut_is_flawed() -> None:
    for data in (PLAIN, TILED, image("jp2")):
        for place in (100, len(data) // 2, len(data) - 1):
            assert dissect(Bytes(data[:place])).flaws
    with pytest.raises(Malformed):
        dissect(Bytes(b"\xff\x4f"))


def test_little_effort_looks_at_windows() -> None:
    scan = PLAIN[200:-2].replace(b"\xff", b"\x7f")
    body = scan * (8_000_000 // len(scan))
    sot = PLAIN.index(b"\xff\x90\x00\x0a")
    sod = PLAIN.index(b"\xff\x93")
    head = PLAIN[: sot + 6] + struct.pack(">I", sod + 2 - sot + len(body)) + PLAIN[sot + 10 : sod + 2]
    data = head + body + b"\xff\xd9"
    for effort in (0, 70_000, 1 << 20):
        anatomy = dissect(Bytes(data), effort)
        assert (anatomy.flaws, anatomy.notes) == ((), ("too long to test all packets",))
    hit = dissect(Bytes(strike(data, len(data) - 20000, 8192)), 1 << 20)
    assert len(data) - 30000 < hit.flaws[0].start < len(data) - 10000


def test_corpus_frames_hold(corpus: Path) -> None:
    found = 0
    for path in sorted((corpus / "dicom").glob("*J2K*.dcm"))[:12]:
        data = path.read_bytes()
        start = data.find(b"\xff\x4f\xff\x51")
        end = data.rfind(b"\xff\xd9") + 2
        if 0 <= start < end and data.count(b"\xff\x4f\xff\x51") == 1:
            assert codestream(Bytes(data), start, end, Effort()).flaws == (), path.name
            found += 1
    assert found


@given(st.binary(max_size=300), st.integers(0, 700))
@settings(max_examples=80, deadline=None)
def test_nothing_makes_it_fail(piece: bytes, at: int) -> None:
    for whole in (TILED[:9000], BOXED, b"\xff\x4f\xff\x51\0\x29"):
        data = whole[:at] + piece + whole[at + len(piece) :]
        try:
            anatomy = dissect(Bytes(data))
        except Malformed as malformed:
            assert malformed.offset == 0  # noqa: PT017 - raising it is allowed
        else:
            assert all(r.kind is not Kind.STRUCTURED or r.end <= len(data) for r in anatomy.regions)
