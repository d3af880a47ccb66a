import base64
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import Bytes
from vigie.judge import judge
from vigie.judge.disguise import disguise
from vigie.model import State

DICE = random.Random(11)
SECRET = DICE.randbytes(60_000)


def spread(step: int, filling: bytes) -> bytes:
    out = bytearray(filling * (len(SECRET) * step // len(filling)))
    out[::step] = SECRET[: len(out[::step])]
    return bytes(out)


DISGUISES = {
    "base64 on one line": base64.b64encode(SECRET),
    "base64 in lines": base64.encodebytes(SECRET),
    "base64 for addresses": base64.urlsafe_b64encode(SECRET),
    "lower hex": SECRET.hex().encode(),
    "upper hex in lines": SECRET.hex("\n", 32).upper().encode(),
    "every second byte": spread(2, b"\0"),
    "every third byte": spread(3, b"  \n"),
    "every fourth byte": spread(4, b"abcd"),
}


@pytest.mark.parametrize("name", DISGUISES)
@pytest.mark.parametrize("size", [4096, 40_000, 10**9])
def test_a_disguise_is_seen_through(name: str, size: int) -> None:
    data = DISGUISES[name][:size]
    assert disguise(Bytes(data)), name
    for named in ("lettre.docx", "radio.dcm", "photo.jpg", "message.hl7", "dossier.json", "bilan.xml"):
        assert judge(Bytes(data), named).state is State.ENCRYPTED


@pytest.mark.parametrize(
    "name", ["page.html", "lettre.eml", "outil.py", "resultat.hpr", "feuille.css", "note.doc"]
)
def test_letters_that_spell_random_bytes_are_no_page_no_mail_and_no_program(name: str) -> None:
    assert judge(Bytes(DISGUISES["base64 in lines"]), name).state is State.ENCRYPTED


def test_a_text_that_spells_random_bytes_is_unknown_and_encrypted_if_it_had_words_before() -> None:
    data = DISGUISES["base64 in lines"]
    assert judge(Bytes(data), "note.txt").state is State.UNKNOWN
    before = judge(Bytes(b"Bonjour, voici le compte rendu.\r\n" * 300), "note.txt").likeness
    verdict = judge(Bytes(data), "note.txt", before)
    assert verdict.state is State.ENCRYPTED
    assert verdict.evidence[0] == "was text in words"
    assert judge(Bytes(data), "note.txt", verdict.likeness).state is State.UNKNOWN


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"QUJD" * 200,
        base64.encodebytes(b"%PDF-1.4\n" + b"A patient came and went. " * 4000),
        base64.encodebytes(bytes(60_000)),
        b"un texte sans accents ni ponctuation comme il y en a tant " * 900,
        b"".join(b"%d;%d;%d\n" % (n, n * n, n**3) for n in range(5000)),
        "Œdème aigu, évolution favorable".encode("utf-16-le") * 900,
        "".join(f"{n:08x}" for n in range(9000)).encode(),
        io.BytesIO(bytes(range(256)) * 200).getvalue(),
    ],
)
def test_harmless_files_wear_none(data: bytes) -> None:
    assert disguise(Bytes(data)) is None


def test_an_attachment_that_is_known_is_no_disguise() -> None:
    picture = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + DICE.randbytes(60_000)
    assert disguise(Bytes(base64.b64encode(picture))) is None


@given(st.binary(max_size=4000) | st.text(alphabet="0123456789abcdefABCDEF+/=\n -_", max_size=4000))
@settings(max_examples=100, deadline=None)
def test_nothing_makes_it_fail(data: bytes | str) -> None:
    disguise(Bytes(data if isinstance(data, bytes) else data.encode()))
