"""Windows bitmaps: headers, sizes, and pixels calm enough to judge."""

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vigie.formats.contract import Bytes, Effort, Malformed
from vigie.formats.media.bmp import FORMAT, dissect, pixel_bytes
from vigie.formats.media.pixels import calm, random_runs
from vigie.model import Kind


def image(mode: str = "RGB", sigma: int = 6) -> bytes:
    out = io.BytesIO()
    gradient = Image.linear_gradient("L").resize((240, 240))
    grain = Image.effect_noise((240, 240), sigma)
    Image.blend(gradient, grain, 0.4).convert(mode).save(out, "BMP")
    return out.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "1", "P"])
def test_what_programs_write(mode: str) -> None:
    data = image(mode)
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.regions[-1].end == len(data)


def test_calm_pixels_are_structured_and_lively_ones_are_not() -> None:
    assert dissect(Bytes(image())).regions[-1].kind is Kind.STRUCTURED
    lively = dissect(Bytes(image("L", 250)[:1078] + Image.effect_noise((240, 240), 60).tobytes()))
    assert lively.regions[-1].kind is Kind.OPAQUE
    assert "pixels too lively to tell them from random bytes" in lively.notes


def test_overwritten_pixels_stay_structured() -> None:
    data = bytearray(image())
    dice = random.Random(2)
    for start in range(4096, len(data) - 64, 192):
        data[start : start + 64] = dice.randbytes(64)
    assert dissect(Bytes(bytes(data))).regions[-1].kind is Kind.STRUCTURED


def test_where_random_bytes_stand() -> None:
    data = bytes(5000) + random.Random(1).randbytes(1280) + bytes(5000)
    runs = random_runs(data, 100)
    assert runs[0][0] - 5100 in range(64)
    assert 6380 - runs[-1][1] in range(64)
    assert random_runs(bytes(999), 3) == []


def test_a_cut_bitmap_is_flawed() -> None:
    data = image()
    (flaw,) = dissect(Bytes(data[:-100])).flaws
    assert flaw.what == "100 bytes of pixels are missing"
    assert dissect(Bytes(data + b"more")).notes == (f"its header says {len(data)} bytes",)


def test_sizes() -> None:
    assert pixel_bytes(b"\x0c\0\0\0\x03\0\x02\0\x01\0\x18\0") == 24
    head = b"\x28\0\0\0\x03\0\0\0\xfe\xff\xff\xff\x01\0\x18\0"
    assert pixel_bytes(head + bytes(4)) == 24  # upside down
    assert pixel_bytes(head + b"\x01\0\0\0") is None
    assert pixel_bytes(b"\x28\0\0\0") is None
    compressed = bytearray(image())
    compressed[30] = 1
    assert dissect(Bytes(bytes(compressed))).regions[-1].kind is Kind.OPAQUE


def test_no_bitmap() -> None:
    for data in (b"", b"BM", b"BM" + random.Random(3).randbytes(4000)):
        assert not FORMAT.recognises(data)
        with pytest.raises(Malformed):
            dissect(Bytes(data))


def test_effort_bounds_what_is_looked_at() -> None:
    effort = Effort(0)
    assert calm(Bytes(bytes(1 << 22)), 0, 1 << 22, effort)
    assert effort.left > -(1 << 17)


@given(st.binary(max_size=200), st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_nothing_makes_it_fail(piece: bytes, at: int) -> None:
    whole = image("L")
    data = whole[:at] + piece + whole[at + len(piece) : 4000]
    try:
        dissect(Bytes(data))
    except Malformed as malformed:
        assert malformed.offset == 0  # noqa: PT017 - raising it is allowed
