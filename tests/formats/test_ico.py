"""Icons and cursors: a directory of bitmaps and PNG images."""

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.ico import FORMAT, dissect


def icon(bitmap_format: str) -> bytes:
    out = io.BytesIO()
    picture = Image.merge("RGBA", [Image.linear_gradient("L")] * 4)
    picture.save(out, "ICO", sizes=[(16, 16), (48, 48), (128, 128)], bitmap_format=bitmap_format)
    return out.getvalue()


ICONS = icon("png"), icon("bmp")


@pytest.mark.parametrize("bitmap_format", ["png", "bmp"])
def test_what_programs_write(bitmap_format: str) -> None:
    data = icon(bitmap_format)
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert len(anatomy.regions) > 4


def test_a_struck_image_is_flawed() -> None:
    data = icon("png")
    place = data.rindex(b"IDAT") + 10
    hit = data[:place] + random.Random(1).randbytes(100) + data[place + 100 :]
    assert any(flaw.start <= place < flaw.end for flaw in dissect(Bytes(hit)).flaws)
    bare = icon("bmp")
    place = bare.index(b"\x28\0\0\0")
    hit = bare[:place] + random.Random(1).randbytes(200) + bare[place + 200 :]
    assert [flaw.start for flaw in dissect(Bytes(hit)).flaws] == [place]


def test_a_cut_icon_is_flawed() -> None:
    data = icon("bmp")
    assert "ends behind the end of the file" in dissect(Bytes(data[:-10])).flaws[0].what
    assert dissect(Bytes(data[:30])).flaws


def test_no_icon() -> None:
    for data in (b"", bytes(4000), b"\0\0\1\0" + random.Random(1).randbytes(400)):
        assert not FORMAT.recognises(data)
        with pytest.raises(Malformed):
            dissect(Bytes(data))


@given(st.binary(max_size=100), st.integers(0, 300))
@settings(max_examples=100, deadline=None)
def test_nothing_makes_it_fail(piece: bytes, at: int) -> None:
    for whole in ICONS:
        data = whole[:at] + piece + whole[at + len(piece) :]
        try:
            dissect(Bytes(data))
        except Malformed as malformed:
            assert malformed.offset == 0  # noqa: PT017 - raising it is allowed
