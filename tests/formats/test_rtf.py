"""RTF: text from brace to brace, but for what stands behind a bin control word."""

import random

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.office import rtf
from vigie.formats.office.rtf import FORMAT, dissect
from vigie.model import Charset, Kind

LINE = rb"\par Le patient pr\'e9sente une fi\'e8vre \{39\} \\ {\b un} {\i peu}" + b"\r\n"
PICTURE = b"{\\pict\\wmetafile8 " + b"0100090000032e02" * 300 + b"}"
LETTER = b"{\\rtf1\\ansi\\deff0{\\fonttbl{\\f0 Arial;}}\r\n" + LINE * 200 + PICTURE + b"}"


def binary(data: bytes) -> bytes:
    return b"{\\rtf1 " + LINE * 90 + b"{\\pict\\bin%d " % len(data) + data + b"}" + LINE * 90 + b"}"


def test_letters_are_text() -> None:
    for data in (LETTER, b"\n " + LETTER + b"\r\n", LETTER.replace(rb"\'e9", b"\xe9")):
        assert FORMAT.recognises(data[:4096])
        anatomy = dissect(Bytes(data))
        assert (anatomy.format, anatomy.flaws, anatomy.notes) == ("rtf", (), ())
        (region,) = anatomy.regions
        assert (region.start, region.end, region.kind) == (0, len(data), Kind.STRUCTURED)


def test_binary_pictures_are_opaque() -> None:
    bits = random.Random(1).randbytes(9000)
    data = binary(bits)
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert "1 pieces of binary data" in anatomy.notes
    before, inside, behind = anatomy.regions
    assert (inside.start, inside.end, inside.kind) == (data.index(bits), data.index(bits) + 9000, Kind.OPAQUE)
    assert before.charset is behind.charset is Charset.LATIN1


@pytest.mark.parametrize("length", [b"99999999", b"0"])
def test_a_length_that_lies_claims_nothing(length: bytes) -> None:
    data = b"{\\rtf1 {\\pict\\bin" + length + b" abc}" + LINE * 9 + b"}"
    assert [r.kind for r in dissect(Bytes(data)).regions] == [Kind.STRUCTURED]


def test_many_pieces_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtf, "MOST", 3)
    data = b"{\\rtf1 " + b"\\bin2 ab" * 9 + b"}"
    assert sum(r.kind is Kind.OPAQUE for r in dissect(Bytes(data)).regions) == 3


def test_blows_are_flaws_where_they_fell() -> None:
    chaos = random.Random(2).randbytes(600)
    for data in (LETTER, binary(b"\x01\x02\x03" * 50)):
        at = len(data) - 900
        hit = data[:at] + chaos + data[at + 600 :]
        (flaw,) = dissect(Bytes(hit)).flaws
        assert at <= flaw.start < flaw.end <= at + 600


def test_a_cut_letter_is_flawed_at_its_end() -> None:
    for size in (312, 4002, len(LETTER) - 3):
        (flaw,) = dissect(Bytes(LETTER[:size])).flaws
        assert (flaw.start, flaw.end) == (size, size)


def test_what_is_no_rtf() -> None:
    for none in (b"", b"{\\r", b"{}", random.Random(3).randbytes(4000)):
        assert not FORMAT.recognises(none)
        with pytest.raises(Malformed):
            dissect(Bytes(none))
