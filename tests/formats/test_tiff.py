"""TIFF and BigTIFF: directories, and strips tested by their compression."""

import io
import random
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.tiff import FORMAT, dissect
from vigie.model import Kind

PHOTO = Image.merge(
    "RGB",
    [
        Image.linear_gradient("L").resize((400, 400)),
        Image.radial_gradient("L").resize((400, 400)),
        Image.effect_noise((400, 400), 12),
    ],
)


def image(compression: str | None = None, mode: str = "RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    PHOTO.convert(mode).save(out, "TIFF", compression=compression, **options)
    return out.getvalue()


def by_hand(
    strips: Sequence[bytes], compression: int, *, order: str = "<", long: bool = False, row: int = 100
) -> bytes:
    """Strips first, then their offsets and counts, then the directory."""
    head = 16 if long else 8
    number, entry = ("Q", "HHQ") if long else ("I", "HHI")
    offsets = [head + sum(map(len, strips[:n])) for n in range(len(strips))]
    counts = [len(strip) for strip in strips]
    body = b"".join(strips)
    at_offsets = head + len(body)
    at_counts = at_offsets + struct.calcsize(f"{order}{len(strips)}{number}")
    tables = struct.pack(f"{order}{len(strips)}{number}", *offsets)
    tables += struct.pack(f"{order}{len(strips)}{number}", *counts)
    directory = head + len(body) + len(tables)
    kind = 16 if long else 4
    entries = [(256, 4, 1, row), (258, 4, 1, 8), (259, 4, 1, compression)]
    one = len(strips) == 1
    entries.append((273, kind, len(strips), offsets[0] if one else at_offsets))
    entries.append((279, kind, len(strips), counts[0] if one else at_counts))
    packed = b"".join(
        struct.pack(order + entry, *fields[:3])
        + struct.pack(order + (number if fields[1] == 16 or fields[2] > 1 else "I"), fields[3]).ljust(
            8 if long else 4, b"\0"
        )
        for fields in entries
    )
    lead = struct.pack(order + ("Q" if long else "H"), len(entries))
    mark = b"II" if order == "<" else b"MM"
    start = (
        struct.pack(order + "HHHQ", 43, 8, 0, directory) if long else struct.pack(order + "HI", 42, directory)
    )
    return mark + start + body + tables + lead + packed + bytes(8 if long else 4)


def strike(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + random.Random(start).randbytes(length) + data[start + length :]


@pytest.mark.parametrize(
    "data",
    [
        image(),
        image("tiff_lzw"),
        image("tiff_adobe_deflate"),
        image("jpeg"),
        image("packbits"),
        image("group4", "1"),
        image("tiff_lzw", "L"),
        image("tiff_adobe_deflate", big_tiff=True),
        image(save_all=True, append_images=[PHOTO, PHOTO]),
    ],
)
def test_what_libtiff_writes(data: bytes) -> None:
    assert FORMAT.recognises(data[:4096])
    assert dissect(Bytes(data)).flaws == ()


@pytest.mark.parametrize(
    ("compression", "reach"),
    [("tiff_lzw", 8192), ("tiff_adobe_deflate", 65536), ("jpeg", 16384), ("packbits", 1024)],
)
def test_the_flaw_is_where_the_strip_was_hit(compression: str, reach: int) -> None:
    data = image(compression)
    start = len(data) // 2 // 4096 * 4096
    flaws = dissect(Bytes(strike(data, start, 4096))).flaws
    assert flaws
    assert all(start - reach <= flaw.start and flaw.end <= start + 4096 + reach for flaw in flaws)


def test_raw_pixels_are_structured_if_calm() -> None:
    kinds = {region.what: region.kind for region in dissect(Bytes(image())).regions}
    assert kinds["raw pixels"] is Kind.STRUCTURED
    noisy = by_hand([Image.effect_noise((300, 300), 60).tobytes()], 1)
    anatomy = dissect(Bytes(noisy))
    assert {r.what: r.kind for r in anatomy.regions}["raw pixels"] is Kind.OPAQUE
    assert anatomy.notes == ("pixels too lively to tell them from random bytes",)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("long", [False, True])
def test_every_layout(order: str, *, long: bool) -> None:
    strips = [zlib.compress(bytes(range(200)) * 40) for _ in range(5)]
    data = by_hand(strips, 8, order=order, long=long)
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.checked) == ((), sum(map(len, strips)))
    wrong = data.replace(strips[0], strips[0][:-1] + b"?", 1)
    (flaw,) = dissect(Bytes(wrong)).flaws
    assert flaw.checksum


def test_strips_that_are_none() -> None:
    for compression, what in ((8, "no zlib header"), (5, "no clear code"), (7, "no JPEG start")):
        (flaw,) = dissect(Bytes(by_hand([b"\xff" * 2000], compression))).flaws
        assert flaw.what.startswith(what)
    cut = zlib.compress(random.Random(1).randbytes(5000))[:-900]
    assert "is cut" in dissect(Bytes(by_hand([cut], 8))).flaws[0].what


def test_oddities_are_notes() -> None:
    old = dissect(Bytes(by_hand([b"\0\1" + bytes(500)], 5)))
    assert (old.flaws, old.notes) == ((), ("LZW of the old kind: not tested",))
    wrapped = dissect(Bytes(by_hand([bytes(500)], 33003)))
    assert (wrapped.flaws, wrapped.notes) == ((), ("JPEG 2000 tiles in a wrapping that is not known",))


def test_packbits_rows() -> None:
    rows = b"".join(bytes([99]) + bytes(range(100)) for _ in range(50))
    assert dissect(Bytes(by_hand([rows], 32773))).flaws == ()
    assert "end with the strip" in dissect(Bytes(by_hand([rows + b"\x63"], 32773))).flaws[0].what
    assert "end with the row" in dissect(Bytes(by_hand([rows + b"\x70" * 114], 32773))).flaws[0].what
    together = bytes([127]) + bytes(128) + bytes([0x80, 71]) + bytes(72)
    assert dissect(Bytes(by_hand([together], 32773))).flaws == ()


def test_a_cut_file_misses_strips() -> None:
    data = image("tiff_lzw")
    (flaw,) = dissect(Bytes(data[: len(data) // 2])).flaws
    assert "ends before its first directory" in flaw.what
    kind = data.rindex(b"\x03\x01\x03\0") + 2  # of the compression
    (flaw,) = dissect(Bytes(data[:kind] + b"\xee\xee" + data[kind + 2 :])).flaws
    assert (flaw.start, flaw.end) == (kind - 2, kind + 10)
    short = image()
    assert "behind the end of the file" in dissect(Bytes(short[:-900])).flaws[-1].what


def test_directories_that_are_broken() -> None:
    for count in (b"\0\0", b"\xff\xff"):
        with pytest.raises(Malformed):
            dissect(Bytes(b"II*\0\x08\0\0\0" + count + bytes(100)))
    with pytest.raises(Malformed):
        dissect(Bytes(b"II*\0\x08\0\0\0\x02\0" + b"\xee" * 40))
    data = by_hand([b"\x63" + bytes(100)], 32773)
    second = data[:-4] + struct.pack("<I", 9)
    assert dissect(Bytes(second)).flaws[0].start == 9
    loop = data[:-4] + data[4:8]
    assert dissect(Bytes(loop)).flaws == ()


def test_little_effort_tests_some_tiles() -> None:
    strip = zlib.compress(random.Random(5).randbytes(3000))
    data = by_hand([strip] * 3000, 8)
    anatomy = dissect(Bytes(data), 4 << 20)
    assert anatomy.notes == ("one strip or tile in 24 is tested",)
    assert anatomy.checked == 125 * len(strip)


SMALL = by_hand([zlib.compress(bytes(5000)), b"\x80\x00" + bytes(70)], 8)


@given(st.binary(max_size=60), st.integers(0, 300), st.sampled_from([1, 5, 7, 8, 32773, 34712]))
@settings(max_examples=150, deadline=None)
def test_nothing_makes_it_fail(piece: bytes, at: int, compression: int) -> None:
    for whole in (SMALL, by_hand([piece, bytes(40), piece], compression, long=bool(at % 2))):
        data = whole[:at] + piece + whole[at + len(piece) :]
        try:
            anatomy = dissect(Bytes(data))
        except Malformed as malformed:
            assert 0 <= malformed.offset <= len(data)  # noqa: PT017 - raising it is allowed
        else:
            assert all(0 <= f.start <= f.end <= len(data) for f in anatomy.flaws)
