"""Source code: text by its name."""

import random

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.office.source import FORMAT

CODE = b"def fever(celsius: float) -> bool:\n    return celsius >= 38.0  # chez l'adulte\n" * 100


def test_code_is_text_that_only_its_name_tells() -> None:
    assert not FORMAT.recognises(CODE)
    anatomy = FORMAT.dissect(Bytes(CODE))
    assert (anatomy.format, anatomy.flaws, anatomy.notes) == ("source", (), ())
    assert FORMAT.dissect(Bytes(b"")).regions == ()


def test_endings_are_named_once_and_scripts_only_hint() -> None:
    assert len(set(FORMAT.suffixes)) == len(FORMAT.suffixes)
    assert not set(FORMAT.suffixes) & set(FORMAT.weak_suffixes)
    assert {"py", "sql", "ics", "yaml"} <= set(FORMAT.suffixes)
    assert {"sh", "bat", "ts"} <= set(FORMAT.weak_suffixes)


def test_blows_are_flaws_where_they_fell() -> None:
    hit = CODE[:3000] + random.Random(2).randbytes(500) + CODE[3500:]
    (flaw,) = FORMAT.dissect(Bytes(hit)).flaws
    assert 3000 <= flaw.start < flaw.end <= 3500
    with pytest.raises(Malformed):
        FORMAT.dissect(Bytes(random.Random(3).randbytes(5000)))
