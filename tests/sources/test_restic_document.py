import json
import os
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.sources.restic.compression import decompress
from vigie.sources.restic.document import identity, integer, is_name, parse, text, texts, time_ns, unquote

ESCAPES = {7: "a", 8: "b", 12: "f", 10: "n", 13: "r", 9: "t", 11: "v", 92: "\\", 34: '"'}


def quote(name: bytes) -> str:
    """Go's strconv.Quote, slow and obvious, for what Python calls printable."""
    found = ""
    for character in name.decode("utf-8", "surrogateescape"):
        number = ord(character)
        if 0xDC80 <= number <= 0xDCFF:
            found += f"\\x{number - 0xDC00:02x}"
        elif number in ESCAPES:
            found += "\\" + ESCAPES[number]
        elif character.isprintable():
            found += character
        elif number < 0x80:
            found += f"\\x{number:02x}"
        else:
            found += f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
    return found


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_any_name_survives_quoting(name: bytes) -> None:
    assert os.fsencode(unquote(quote(name))) == name


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_no_text_makes_unquote_crash(stored: str) -> None:
    try:
        name = unquote(text(stored))
    except Unreadable:
        return
    os.fsencode(name)


@pytest.mark.parametrize(
    "stored", ["\\", "\\q", '"', "a\nb", "\\ud800", "\\U00110000", "\\777", "\\x1", "\\'"]
)
def test_what_go_does_not_write_is_refused(stored: str) -> None:
    with pytest.raises(Unreadable):
        unquote(stored)


def test_octal_is_a_byte_and_half_characters_are_replaced() -> None:
    assert os.fsencode(unquote("\\351")) == b"\xe9"
    assert text("a\ud800") == "a\ufffd"
    assert text(None) == ""
    assert texts(["a", 1]) == ("a", "")
    assert texts("a") == ()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("2026-11-23T15:02:55.21168757Z", 1_795_446_175_211_687_570),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800 * 10**9),
        ("0000-01-01T00:00:00Z", (-62_135_596_800 - 366 * 86_400) * 10**9),
        ("9999-12-31T23:59:59Z", 253_402_300_799 * 10**9),
    ],
)
def test_times_are_read_to_the_nanosecond(written: str, expected: int) -> None:
    assert time_ns(written) == expected


@settings(max_examples=100, deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_times_are_those_of_python(moment: datetime) -> None:
    whole = moment - datetime(1970, 1, 1, tzinfo=UTC)
    expected = (whole.days * 86_400 + whole.seconds) * 10**9 + whole.microseconds * 1000
    year, rest = moment.isoformat().replace("+00:00", "Z").split("-", 1)
    assert time_ns(f"{year:0>4}-{rest}") == expected


@pytest.mark.parametrize(
    "written", [None, 5, "", "2026-13-01T00:00:00Z", "2026-11-23", "٢٠٢٦-11-23T00:00:00Z"]
)
def test_what_is_no_time_is_refused(written: object) -> None:
    with pytest.raises(Unreadable):
        time_ns(written)


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{", b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}"])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(data)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=4))
def test_objects_are_read(value: dict[str, int]) -> None:
    assert parse(json.dumps(value).encode()) == value


def test_ids_and_numbers_are_checked() -> None:
    assert identity("ab" * 32) == b"\xab" * 32
    assert is_name("0" * 64)
    assert not is_name("0" * 63 + "\n")
    assert not is_name("../" * 21 + "a")
    assert integer(None, 5) == 0
    assert integer(4, 5) == 4
    for wrong in (5, -1, True, 1.0, "1"):
        with pytest.raises(Unreadable):
            integer(wrong, 5)
    for malformed in (None, "AB" * 32, "ab" * 31):
        with pytest.raises(Unreadable):
            identity(malformed)


def test_decompression_is_bounded() -> None:
    zstandard = pytest.importorskip("zstandard")
    honest = zstandard.ZstdCompressor().compress(b"a" * 1000)
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(b"a" * 1000)
    bomb = zstandard.ZstdCompressor().compress(bytes(50_000_000))
    for frame in (honest, silent):
        assert decompress(frame, 1000, exactly=True) == b"a" * 1000
        with pytest.raises(Unreadable):
            decompress(frame, 999)
        with pytest.raises(Unreadable, match="length"):
            decompress(frame, 1001, exactly=True)
        assert len(decompress(frame, 5000)) == 1000
    for broken in (bomb, b"", b"noise that is no frame", honest[:-3]):
        with pytest.raises(Unreadable):
            decompress(broken, 1000)
