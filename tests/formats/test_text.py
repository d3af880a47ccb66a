"""Plain text: character sets, places that no text has, and what is not text."""

import random

import pytest

from vigie.formats.contract import HEAD, Bytes, Malformed
from vigie.formats.office import text
from vigie.judge import judge
from vigie.model import Charset, Kind, State

FRENCH = "Le patient présente une fièvre à 39°, un œdème léger ; traité le 12/03.\n"
CHAOS = random.Random(20_260_301)


def overwritten(data: bytes, on: int, off: int, start: int) -> bytes:
    hit = bytearray(data)
    for at in range(start, len(data) - on, on + off):
        hit[at : at + on] = CHAOS.randbytes(on)
    return bytes(hit)


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        (b"plain ASCII, line after line\n" * 400, Charset.UTF8),
        ((FRENCH * 400).encode(), Charset.UTF8),
        (("\ufeff" + FRENCH * 400).encode(), Charset.UTF8),
        ((FRENCH * 400).encode("cp1252"), Charset.LATIN1),
        (FRENCH.encode("cp1252"), Charset.LATIN1),
        ((FRENCH * 400).encode("utf-16"), Charset.UTF16),
        ((FRENCH * 400).encode("utf-16-le"), Charset.UTF16),
        ((FRENCH * 400).encode("utf-16-be"), Charset.UTF16),
        ((("😀" + FRENCH) * 100 + "患者は熱があります").encode("utf-16"), Charset.UTF16),
        (("患者は熱があります。\n" * 300).encode(), Charset.UTF8),
        (b"a", Charset.UTF8),
        (b"ESC \x1b[1m and form feed\f\n" * 60 + b"\x1a", Charset.UTF8),
    ],
)
def test_healthy_text_has_its_charset_and_no_flaw(data: bytes, charset: Charset) -> None:
    assert text.FORMAT.recognises(data[:HEAD])
    anatomy = text.FORMAT.dissect(Bytes(data))
    assert anatomy.flaws == ()
    (region,) = anatomy.regions
    assert (region.start, region.end) == (0, len(data))
    assert (region.kind, region.charset) == (Kind.STRUCTURED, charset)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_a_character_cut_by_a_slice_or_by_the_head_is_no_flaw(encoding: str) -> None:
    for shift in range(4):
        data = ("x" * shift + "é😀" * (text.SLICE // 5)).encode(encoding, "replace")
        found = text.survey(Bytes(data))
        assert found.flaws == ()
        if encoding != "cp1252":
            assert text.clean(data[:HEAD])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        CHAOS.randbytes(4096),
        CHAOS.randbytes(300),
        b"\x7fELF\x02\x01\x01" + bytes(57),
        b"fine until here " * 16 + CHAOS.randbytes(3000),
        "à".encode("cp1252") * 400,
        b"\x1a\x1c\x1d" * 100,
        "\ud800 alone".encode("utf-16", "surrogatepass") * 20,
        "é".encode("cp1252") + bytes(range(0x80, 0xA0)) * 4 + b"a" * 900,
    ],
)
def test_binary_is_not_text(data: bytes) -> None:
    assert not text.FORMAT.recognises(data[:HEAD])


def test_random_heads_are_never_text() -> None:
    chaos = random.Random(5)
    assert not any(text.clean(chaos.randbytes(n)) for n in range(64, 4096, 16))


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "cp1252", "utf-16-le"])
@pytest.mark.parametrize(("on", "off"), [(64, 128), (4096, 65536)])
def test_overwritten_stretches_are_flaws_where_they_are(encoding: str, on: int, off: int) -> None:
    healthy = (FRENCH * 4000).encode(encoding, "replace" if encoding == "ascii" else "strict")
    data = overwritten(healthy, on, off, 4096)
    found = text.survey(Bytes(data))
    kind = {
        "ascii": Charset.UTF8,
        "utf-8": Charset.UTF8,
        "cp1252": Charset.LATIN1,
        "utf-16-le": Charset.UTF16,
    }
    assert found.charset is kind[encoding] or encoding == "ascii"  # nothing tells which it was
    assert 2 <= len(found.flaws) <= text.MAX_FLAWS
    near = 64
    for flaw in found.flaws:
        first, last = (flaw.start - 4096 + near) // (on + off), (flaw.end - 1 - 4096) // (on + off)
        assert first == last
        assert (flaw.start - 4096) % (on + off) < on or (flaw.start - 4096) % (on + off) > on + off - near


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16-le"])
def test_a_start_that_is_no_text_is_malformed(encoding: str) -> None:
    data = CHAOS.randbytes(4096).replace(b"\xff\xfe", b"\0\0") + (FRENCH * 400).encode(encoding)
    with pytest.raises(Malformed) as caught:
        text.FORMAT.dissect(Bytes(data))
    assert caught.value.offset < 64


def test_utf16_start_that_is_no_text_is_malformed() -> None:
    with pytest.raises(Malformed) as caught:
        text.survey(
            Bytes(
                b"\xff\xfe" + "ab\udc00".encode("utf-16-le", "surrogatepass") + "x".encode("utf-16-le") * 99
            )
        )
    assert caught.value.offset == 6


def test_odd_length_in_utf16_is_a_note() -> None:
    found = text.survey(Bytes(FRENCH.encode("utf-16") + b"x"))
    assert found.flaws == ()
    assert found.notes


def test_flaws_in_utf16_beyond_the_first_plane_stand_in_the_right_place() -> None:
    healthy = bytearray(("😀" * 50 + FRENCH * 50).encode("utf-16-le"))
    healthy[1000:1002] = b"\x00\xdc"
    healthy[1002:1004] = b"\x00\xdc"
    found = text.survey(Bytes(b"\xff\xfe" + bytes(healthy)))
    assert [(f.start, f.end) for f in found.flaws] == [(1002, 1006)]


def test_many_flaws_in_utf16_are_bounded() -> None:
    data = "".join("word " * 40 + "\x01" for _ in range(200)).encode("utf-16")
    assert len(text.survey(Bytes(data)).flaws) == text.MAX_FLAWS


def test_other_single_byte_text_is_not_malformed() -> None:
    found = text.survey(Bytes(("Пациент жалуется на боль. " * 40).encode("cp1251")))
    assert found.charset is Charset.LATIN1
    assert found.flaws == ()
    assert found.notes


@pytest.mark.parametrize("encoding", ["ascii", "utf-16-le", "utf-32-le"])
def test_zeros_at_either_end_of_a_log_are_a_note_and_inside_a_flaw(encoding: str) -> None:
    data = ("2026-03-01 10:00 started\n" * 100).encode(encoding)
    for padded in (data + bytes(5000), bytes(5_000_000) + data, bytes(5000) + data + bytes(2_000_000)):
        anatomy = text.FORMAT.dissect(Bytes(padded))
        assert anatomy.flaws == ()
        assert any(f"{len(padded) - len(data)} bytes of zeros" in note for note in anatomy.notes)
    (flaw,) = text.FORMAT.dissect(Bytes(data + bytes(5000) + data)).flaws
    assert (flaw.start + 3 & ~3, flaw.end & ~3) == (len(data), len(data) + 5000)


def test_nothing_but_zeros_is_malformed() -> None:
    for size in (1, 64, 70, 3_000_000):
        with pytest.raises(Malformed):
            text.survey(Bytes(bytes(size)))
    with pytest.raises(Malformed):
        text.survey(Bytes(bytes(9_000_000) + b"text"), 1_000_000)


NATIONAL = {
    "shift_jis": "患者は三日前から熱があります。咳もあります。\n",
    "euc_jp": "患者は三日前から熱があります。咳もあります。\n",
    "iso2022_jp": "患者は三日前から熱があります。咳もあります。\n",
    "iso2022_kr": "환자는 사흘 전부터 열이 있습니다.\n",
    "euc_kr": "환자는 사흘 전부터 열이 있습니다.\n",
    "gb18030": "患者三天前开始发热，伴有咳嗽。\n",
    "big5": "患者三天前開始發熱，伴有咳嗽。\n",
    "koi8_r": "Пациент жалуется на боль в груди.\n",
    "cp1251": "Пациент жалуется на боль в груди.\n",
    "iso8859_7": "Ο ασθενής παραπονιέται για πόνο.\n",
    "cp1256": "المريض يشكو من ألم في الصدر\n",
    "utf-32": "Le patient présente une fièvre.\n",
    "utf-32-le": "Le patient présente une fièvre.\n",
    "utf-32-be": "Le patient présente une fièvre.\n",
}


@pytest.mark.parametrize("encoding", NATIONAL)
def test_text_of_every_nation_is_text(encoding: str) -> None:
    data = (NATIONAL[encoding] * 300).encode(encoding)
    assert text.FORMAT.recognises(data[:HEAD])
    anatomy = text.FORMAT.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert judge(Bytes(data), "letter.txt").state is State.INTACT
    at = 4096 if len(data) > 8192 else 1024
    hit = data[:at] + CHAOS.randbytes(4096) + data[at + 4096 :]
    assert judge(Bytes(hit), "letter.txt").state is State.ENCRYPTED


def test_a_table_of_numbers_is_no_utf32() -> None:
    data = b"".join(n.to_bytes(4, "little") for n in range(1000))
    assert text.wide(data) is None
    assert not text.clean(data)
    assert not text.clean("患".encode("gb18030") * 900)
    with pytest.raises(Malformed):
        text.survey(Bytes(b"\xff\xfe\0\0\xff\xff\xff\xff" + "x".encode("utf-32-le") * 900))


def test_blows_in_utf32_are_flaws() -> None:
    data = ("Le patient. " * 9000).encode("utf-32-be")
    hit = data[:80_000] + CHAOS.randbytes(4096) + data[84_096 : len(data) - 9000] + CHAOS.randbytes(64)
    flaws = text.survey(Bytes(hit)).flaws
    assert flaws[0].start // 4096 == 80_000 // 4096
    broken = "".join("word " * 40 + "\x01" for _ in range(200)).encode("utf-32")
    assert len(text.survey(Bytes(broken)).flaws) == text.MAX_FLAWS


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16", "utf-32"])
def test_with_little_effort_places_all_over_a_text_are_read(encoding: str) -> None:
    class Counted:
        def __init__(self, data: bytes) -> None:
            self.size = len(data)
            self.data = data
            self.read = 0

        def at(self, offset: int, length: int) -> bytes:
            self.read += min(length, max(0, self.size - offset))
            return self.data[offset : offset + length]

    data = (FRENCH * 60_000).encode(encoding)
    for effort in (16 * 1024, 1 << 20):
        blob = Counted(data)
        found = text.survey(blob, effort)
        assert found.flaws == ()
        assert any("too long" in note for note in found.notes)
        assert blob.read < 1.5 * effort + 20_000
        broken = Counted(data[:-3000] + CHAOS.randbytes(2048) + data[-952:])
        assert text.survey(broken, effort).flaws
    assert text.survey(Bytes(data), len(data) - 1000).flaws == ()


def test_read_head_never_fails() -> None:
    assert text.read_head("abc".encode("utf-16")) == "abc"
    assert text.read_head(b"\xef\xbb\xbfabc") == "abc"
    assert text.read_head(CHAOS.randbytes(4096)) is not None
