"""JSON and its relatives."""

import json as stdlib
import random
import time
from typing import NoReturn

import pytest

from vigie.formats.contract import HEAD, Bytes, Malformed
from vigie.formats.office import json
from vigie.formats.office.json import FORMAT
from vigie.model import Charset

VALUE = {
    "nom": "Hélène",
    "dates": [1960, 2.5, -1e9, None, True],
    "nested": [{"a": '"\\ /* no comment */'}] * 80,
}
TEXT = stdlib.dumps(VALUE, ensure_ascii=False, indent=1)


@pytest.mark.parametrize(
    ("data", "charset", "notes"),
    [
        (TEXT.encode(), Charset.UTF8, ()),
        (TEXT.encode("utf-8-sig"), Charset.UTF8, ()),
        (TEXT.encode("utf-16"), Charset.UTF16, ()),
        (TEXT.encode("latin-1"), Charset.LATIN1, ()),
        (b" []\n", Charset.UTF8, ()),
        (b"[" + b"1" * 9000 + b"]", Charset.UTF8, ()),
        (b'{"a":1}\n{"a":[2]}\n\n', Charset.UTF8, ("several documents one after another",)),
        (b'\x1e{"a":1}\n\x1e{"a":2}\n', Charset.UTF8, ("several documents one after another",)),
        (
            b'// c\n{"a": [1, /* two */ 2, ], "u": "http://x/*y", }',
            Charset.UTF8,
            ("comments or trailing commas",),
        ),
    ],
)
def test_healthy_documents(data: bytes, charset: Charset, notes: tuple[str, ...]) -> None:
    anatomy = FORMAT.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.notes == notes
    assert [r.charset for r in anatomy.regions] == [charset]
    assert FORMAT.recognises(data[:HEAD]) is not data.startswith(b"//")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"text",
        b"[section]\nkey=value",
        b"[2026-03-01 10:00:00] started\n",
        b"[1] Dupont, Traite de medecine\n",
        b"{name} is missing",
        b"[network]\n",
        b'{"a" "b"}',
        b'{"a": 1} trailing words',
        b'{"a": "\x01\x02\x03\x04"}',
        b"\x1e",
    ],
)
def test_what_is_no_json(head: bytes) -> None:
    assert not FORMAT.recognises(head)


def test_a_head_that_ends_anywhere_is_still_json() -> None:
    words = stdlib.dumps(VALUE).encode()
    assert all(FORMAT.recognises(words[:size]) for size in range(1, 400))


def test_every_truncation_is_a_flaw() -> None:
    data = TEXT.encode()
    for size in range(1, len(data), 61):
        assert FORMAT.dissect(Bytes(data[:size])).flaws


def test_the_flaw_stands_where_the_error_is_in_bytes() -> None:
    data = '{"é": "à", "b" 1}'.encode()
    (flaw,) = FORMAT.dissect(Bytes(data)).flaws
    assert flaw.start == data.index(b"1}")


def test_a_flaw_in_one_of_several_documents() -> None:
    data = b'{"a":1}\n' * 10 + b'{"a":}\n' + b'{"a":1}\n' * 10
    assert [f.start for f in FORMAT.dissect(Bytes(data)).flaws] == [85]


def test_nesting_without_end_is_a_flaw() -> None:
    assert "deep" in FORMAT.dissect(Bytes(b"[" * 200_000)).flaws[0].what


def test_a_byte_order_mark_then_another_charset_is_a_flaw() -> None:
    assert FORMAT.dissect(Bytes(b'{"a": "' + b"b" * 80 + b"\x01\x02\x03" + b'"}')).flaws


@pytest.mark.parametrize(
    "data", [b'{"a":"' + b'\\"' * 900_000, b"[1 /*" + b"/*" * 900_000, b"[1 ," + b", " * 900_000]
)
def test_what_does_not_parse_costs_linear_time(data: bytes) -> None:
    started = time.monotonic()
    assert FORMAT.dissect(Bytes(data)).flaws
    assert time.monotonic() - started < 3


def test_a_large_document_is_followed_and_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "MAX_PARSED", 100)
    monkeypatch.setattr(json, "_DECODER", None)
    whole = FORMAT.dissect(Bytes(b"\xef\xbb\xbf" + TEXT.encode() + b"\n"))
    assert (whole.flaws, whole.notes) == ((), ())
    assert FORMAT.dissect(Bytes(TEXT.encode() * 2)).notes == ("several documents one after another",)
    (cut,) = FORMAT.dissect(Bytes(TEXT.encode()[:-2])).flaws
    assert "too early" in cut.what
    (wrong,) = FORMAT.dissect(Bytes(TEXT.encode()[:-2] + b"]" + b" " * 100)).flaws
    assert (wrong.start, wrong.what) == (len(TEXT.encode()) - 2, "no JSON")
    (deep,) = FORMAT.dissect(Bytes(b"[" * 1000 + b"]" * 1000)).flaws
    assert deep.what == "nested too deep"
    (note,) = FORMAT.dissect(Bytes(TEXT.encode("utf-16"))).notes
    assert "character set" in note


def test_beyond_the_effort_a_document_is_not_parsed() -> None:
    data = stdlib.dumps([VALUE] * 30).encode()
    anatomy = FORMAT.dissect(Bytes(data), 20_000)
    assert anatomy.flaws == ()
    assert any("too large to be parsed" in note for note in anatomy.notes)
    assert any("end" in flaw.what for flaw in FORMAT.dissect(Bytes(data[:-5]), 20_000).flaws)


def test_blows_are_told_from_their_bytes_and_strays_by_the_grammar() -> None:
    data = bytearray(stdlib.dumps([VALUE] * 30).encode())
    for at in (3000, 9000, 15_000):
        data[at : at + 512] = random.Random(at).randbytes(512)
    assert [flaw.start // 3000 for flaw in FORMAT.dissect(Bytes(bytes(data))).flaws] == [1, 3, 5]
    assert FORMAT.dissect(Bytes(b'{"a": "' + b"word " * 20 + b'del\x7f"}')).flaws == ()


def test_too_large_for_this_machine_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    class Starved:
        def raw_decode(self, _words: str, _at: int) -> NoReturn:
            raise MemoryError

    monkeypatch.setattr(json, "_DECODER", Starved())
    anatomy = FORMAT.dissect(Bytes(TEXT.encode("utf-16")))
    assert anatomy.flaws == ()
    assert anatomy.notes == ("too large to be parsed here",)


@pytest.mark.parametrize("data", [b"", b"\x00\x01" * 50])
def test_no_text_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        FORMAT.dissect(Bytes(data))


def test_an_odd_utf16_tail_is_a_flaw() -> None:
    assert FORMAT.dissect(Bytes('{"a": 1}'.encode("utf-16") + b"\x00")).flaws
