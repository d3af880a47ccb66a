"""Fonts: OpenType, WOFF, Type 1, and those of X11."""

import random
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import Bytes, Format, Malformed
from vigie.formats.media import font, font_bitmap, font_type1
from vigie.model import Kind

TABLES = {b"glyf": bytes(range(100)) * 90, b"head": bytes(54), b"name": b"a name" * 9}


def total(data: bytes) -> int:
    words: tuple[int, ...] = struct.unpack(f">{(len(data) + 3) // 4}I", data + bytes(-len(data) % 4))
    return sum(words) & 0xFFFFFFFF


def opentype(start: int = 0) -> bytes:
    offset = 12 + 16 * len(TABLES)
    directory, body = b"", b""
    for tag, data in TABLES.items():
        directory += tag + struct.pack(">III", total(data), start + offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    return b"\0\1\0\0" + struct.pack(">HHHH", len(TABLES), 32, 1, 16) + directory + body


def collection() -> bytes:
    head = b"ttcf\0\1\0\0" + struct.pack(">III", 2, 20, 20)
    return head + opentype(20)


def woff(*, packed: bool = True) -> bytes:
    offset = 44 + 20 * len(TABLES)
    directory, body = b"", b""
    for tag, data in TABLES.items():
        small = zlib.compress(data) if packed else data
        small = small if len(small) < len(data) else data
        directory += tag + struct.pack(">IIII", offset + len(body), len(small), len(data), total(data))
        body += small + bytes(-len(small) % 4)
    size = offset + len(body)
    return b"wOFF\0\1\0\0" + struct.pack(">IHHI24x", size, len(TABLES), 0, size) + directory + body


def woff2() -> bytes:
    return b"wOF2\0\1\0\0" + struct.pack(">IHHII24x", 148, 3, 0, 900, 60) + bytes(100)


def pfb() -> bytes:
    text, secret = b"%!PS-AdobeFont-1.0: Test\n/Name" * 40, random.Random(3).randbytes(2000)
    return (
        b"\x80\x01" + struct.pack("<I", len(text)) + text
        + b"\x80\x02" + struct.pack("<I", len(secret)) + secret + b"\x80\x03"
    )  # fmt: skip


PFA = b"%!FontType1-1.0: Test\n/Name\ncurrentfile eexec\n"
PCF = b"\1fcp" + struct.pack("<IIIIIIIII", 2, 1, 14, 8, 40, 8, 14, 8, 48) + bytes(16)
BDF = b"STARTFONT 2.1\nFONT x\nCHARS 0\nENDFONT\n"
SAMPLES: list[tuple[Format, bytes]] = [
    (font.FORMAT, opentype()),
    (font.FORMAT, collection()),
    (font.FORMAT, woff()),
    (font.FORMAT, woff(packed=False)),
    (font.FORMAT, woff2()),
    (font_type1.FORMAT, pfb()),
    (font_type1.FORMAT, PFA + b"0123456789abcdef\n" * 40),
    (font_type1.FORMAT, PFA + random.Random(1).randbytes(900)),
    (font_bitmap.FORMATS[0], PCF),
    (font_bitmap.FORMATS[1], BDF),
]


@pytest.mark.parametrize(("form", "data"), SAMPLES)
def test_healthy_fonts(form: Format, data: bytes) -> None:
    assert form.recognises(data)
    anatomy = form.dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())


@pytest.mark.parametrize(("form", "data"), SAMPLES)
def test_what_is_cut_is_flawed(form: Format, data: bytes) -> None:
    if data.startswith(PFA):
        data, place = PFA, len(PFA)
    else:
        place = len(data) - 40 if form.name != "bdf" else 20
    assert form.dissect(Bytes(data[:place])).flaws
    with pytest.raises(Malformed):
        form.dissect(Bytes(data[:3]))


def test_only_random_bytes_in_a_table_are_flawed() -> None:
    data = opentype()
    start = data.index(bytes(range(100))) + 2000
    hit = data[:start] + random.Random(1).randbytes(2048) + data[start + 2048 :]
    flaws = font.dissect(Bytes(hit)).flaws
    assert all(start <= flaw.start < flaw.end <= start + 2048 and flaw.checksum for flaw in flaws)
    assert sum(flaw.end - flaw.start for flaw in flaws) >= 960
    renamed = font.dissect(Bytes(data.replace(b"a name", b"b name")))
    assert (renamed.flaws, renamed.notes) == ((), ("the checksum of the table name does not match",))


def test_a_struck_directory() -> None:
    for data, place in ((opentype(), 28), (collection(), 20), (woff(), 64)):
        hit = data[:place] + b"\xff" * 8 + data[place + 8 :]
        assert font.dissect(Bytes(hit)).flaws
    assert font.dissect(Bytes(opentype()), 100).notes == ("too long to sum all tables",)


def test_a_struck_woff_table() -> None:
    data = woff()
    start = data.index(zlib.compress(TABLES[b"glyf"]))
    (flaw,) = font.dissect(Bytes(data[: start + 20] + b"\xff" * 9 + data[start + 29 :])).flaws
    assert flaw.start == start
    assert font.dissect(Bytes(woff2() + b"x")).notes


def test_type1_segments() -> None:
    data = pfb()
    regions = font_type1.dissect(Bytes(data)).regions
    assert [region.kind for region in regions] == [Kind.STRUCTURED, Kind.OPAQUE, Kind.STRUCTURED]
    second = data.index(b"\x80\x02")
    hit = data[:second] + b"\x11" + data[second + 1 :]
    assert font_type1.dissect(Bytes(hit)).flaws[0].start == second
    assert font_type1.dissect(Bytes(b"%!PS-AdobeFont-1.0")).notes == ("no eexec part",)
    many = b"\x80\x01\x0e\0\0\0%!PS-AdobeFont" + b"\x80\x01\0\0\0\0" * 2000
    assert len(font_type1.dissect(Bytes(many)).regions) <= font_type1.SEGMENTS


def test_pcf_tables() -> None:
    assert (
        font_bitmap.dissect_pcf(Bytes(PCF[:8] + b"\3" + PCF[9:])).flaws[0].what == "a table of no known kind"
    )


@given(st.binary(max_size=80), st.integers(0, 120))
@settings(max_examples=100, deadline=None)
def test_nothing_makes_them_fail(piece: bytes, at: int) -> None:
    for form, whole in SAMPLES:
        data = whole[:at] + piece + whole[at + len(piece) :]
        try:
            anatomy = form.dissect(Bytes(data))
        except Malformed as malformed:
            assert malformed.offset == 0  # noqa: PT017 - raising it is allowed
        else:
            assert all(0 <= f.start <= f.end <= len(data) for f in anatomy.flaws)
