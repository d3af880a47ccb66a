"""XML: well-formedness, encodings, and documents made to hurt."""

import random
import time

import pytest

from vigie.formats.contract import HEAD, Bytes, Malformed
from vigie.formats.office.xml import FORMAT
from vigie.model import Charset

BODY = "<a xmlns='urn:x'>" + "<b c='é'>texte à lire &amp; à relire</b>\n" * 300 + "</a>"


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        (f"<?xml version='1.0'?>{BODY}".encode(), Charset.UTF8),
        (BODY.encode("utf-8-sig"), Charset.UTF8),
        (f"<?xml version='1.0' encoding='ISO-8859-1'?>{BODY}".encode("latin-1"), Charset.LATIN1),
        (f"<?xml version='1.0' encoding='windows-1252'?>{BODY}".encode("cp1252"), Charset.LATIN1),
        (f"<?xml version='1.0' encoding='UTF-16'?>{BODY}".encode("utf-16"), Charset.UTF16),
        (f"<!-- a comment --><?pi x?>\n<!DOCTYPE a SYSTEM 'a.dtd'>{BODY}".encode(), Charset.UTF8),
        (
            f"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e 'x'>]>{BODY.replace('lire', '&e;')}".encode(),
            Charset.UTF8,
        ),
    ],
)
def test_healthy_documents(data: bytes, charset: Charset) -> None:
    assert FORMAT.recognises(data[:HEAD])
    anatomy = FORMAT.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.notes == ()
    assert [r.charset for r in anatomy.regions] == [charset]


@pytest.mark.parametrize(
    "head",
    [b"", b"<", b"<a>b</a>", b"<!DOCTYPE html><html>", b"text <?xml ?>", b"<html><p>", b"if a < b: pass"],
)
def test_what_is_no_xml(head: bytes) -> None:
    assert not FORMAT.recognises(head)


def test_every_truncation_is_a_flaw_or_malformed() -> None:
    data = f"<?xml version='1.0'?>{BODY}".encode()
    for size in range(1, len(data), 97):
        try:
            assert FORMAT.dissect(Bytes(data[:size])).flaws
        except Malformed as caught:
            assert caught.offset < 60  # noqa: PT017  both outcomes are right, this one only before the root


def test_a_mismatched_tag_is_a_flaw_where_it_stands() -> None:
    data = b"<a><b></c></a>"
    (flaw,) = FORMAT.dissect(Bytes(data)).flaws
    assert flaw.start == data.index(b"</c>") + 2


def test_random_bytes_give_flaws_of_the_text_too() -> None:
    data = bytearray(BODY.encode())
    data[5000:5064] = bytes(range(64))
    anatomy = FORMAT.dissect(Bytes(bytes(data)))
    assert any(f.start <= 5000 < f.end for f in anatomy.flaws)


def test_html_need_not_be_well_formed() -> None:
    anatomy = FORMAT.dissect(Bytes(b"<?xml version='1.0'?><html xmlns='x'><p>one<p>two</html>"))
    assert anatomy.flaws == ()
    assert anatomy.notes


@pytest.mark.parametrize("encoding", ["no-such-thing", "shift_jis", "idna", "zlib_codec"])
def test_an_unknown_encoding_is_a_note(encoding: str) -> None:
    anatomy = FORMAT.dissect(Bytes(f"<?xml version='1.0' encoding='{encoding}'?><a>b</a>".encode()))
    assert anatomy.flaws == ()
    assert anatomy.notes


def bombs() -> dict[str, bytes]:
    lol = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 12))
    return {
        "billion laughs": f"<!DOCTYPE a [<!ENTITY l0 'lol'>{lol}]><a>&l11;</a>".encode(),
        "hidden": b"<!DOCTYPE a [<!ENTITY l 'x'><!ENTITY m '&#38;l;&#38;l;'>]><a>&m;</a>",
        "large": b"<!DOCTYPE a [<!ENTITY l '" + b"l" * 70_000 + b"'>]><a>" + b"&l;" * 9000 + b"</a>",
        "quadratic": b"<!DOCTYPE a [<!ENTITY l '" + b"l" * 60_000 + b"'>]><a>" + b"&l;" * 9000 + b"</a>",
        "comment": b"<a><!--" + b"x" * (18 << 20) + b"--></a>",
        "external": b"<!DOCTYPE a SYSTEM 'file:///etc/passwd' [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>",
    }


@pytest.mark.parametrize("name", list(bombs()))
def test_bombs_do_no_harm(name: str) -> None:
    started = time.monotonic()
    anatomy = FORMAT.dissect(Bytes(bombs()[name]))
    assert time.monotonic() - started < 2
    assert anatomy.flaws == ()
    assert bool(anatomy.notes) is (name not in {"quadratic", "external"})


def test_depth_is_bounded() -> None:
    assert "deeper" in FORMAT.dissect(Bytes(b"<a>" * 300_000)).flaws[0].what


def test_beyond_the_effort_a_document_is_named_and_not_tested() -> None:
    anatomy = FORMAT.dissect(Bytes((BODY * 99).encode()), 10_000)
    assert anatomy.flaws == ()
    assert anatomy.notes == ("too large to be tested in full",)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<?xml version='1.0'?>\n<a @WHAT@ b='c'>x</a>", "a template"),
        (b"<?xml version='1.0'?>\n<a><?php if (a < b) {} ?><b {{ c }}/></a>", "a template"),
        (b"<?xml version='1.0' encoding='%(codec)s'?><a/>", "a template"),
        (b"<?xml version='1.0'?>\n<!ELEMENT a (b)><!ATTLIST a c CDATA>", "declarations, not a document"),
        (b"<?xml version='1.0'?><a><b>black & white</b></a>", "a bare ampersand"),
        (b"<?xml version='1.0'?><!-- a -- b --><a/>", "two hyphens in a comment"),
    ],
)
def test_what_people_write_is_a_note(data: bytes, reason: str) -> None:
    anatomy = FORMAT.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert any(note.endswith(reason) for note in anatomy.notes)


def test_logs_of_several_documents() -> None:
    anatomy = FORMAT.dissect(Bytes(b"<?xml version='1.0'?><a>1</a>\n" + b"<a>2</a>\n" * 9))
    assert anatomy.flaws == ()
    assert anatomy.notes[0].startswith("several documents")


def test_utf32_is_not_read_and_not_held_against_it() -> None:
    anatomy = FORMAT.dissect(Bytes(f"<?xml version='1.0'?>{BODY}".encode("utf-32")))
    assert anatomy.flaws == ()
    assert "UTF-32, which is not read here" in anatomy.notes


def test_blows_are_told_from_their_bytes() -> None:
    data = bytearray((BODY * 2).replace("</a><a xmlns='urn:x'>", "").encode())
    for at in (3000, 9000, 15_000):
        data[at : at + 512] = random.Random(at).randbytes(512)
    flaws = FORMAT.dissect(Bytes(bytes(data))).flaws
    assert [flaw.start // 3000 for flaw in flaws] == [1, 3, 5]


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 50, b"<?xml version='1.0'?>", b"<?xml version='1.0'?>\x01<a/>"]
)
def test_without_an_element_it_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        FORMAT.dissect(Bytes(data))
