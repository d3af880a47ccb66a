"""Names that nobody should give to a file, as text that can be written anywhere."""

import os
from html import unescape

from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.ui.cli import shown
from vigie.ui.printable import printable
from vigie.ui.report import drawing
from vigie.ui.report.document import text

ANY = st.text(st.characters(codec=None, exclude_categories=()))
"""Halves of characters as well."""


def test_ordinary_names_stay_as_they_are() -> None:
    assert printable("Résultats/été 2026 – 心.pdf") == "Résultats/été 2026 – 心.pdf"


def test_what_cannot_be_shown_is_escaped() -> None:
    assert printable(os.fsdecode(b"\xe9t\xe9\n")) == "\\xe9t\\xe9\\n"
    assert printable("\ud800x\udc7f\udd00\udfff") == "\\ud800x\\udc7f\\udd00\\udfff"
    assert printable("\u202efdp.exe\x1b[31m") == "\\u202efdp.exe\\x1b[31m"
    assert printable("a\u00a0b") == "a\\xa0b"
    assert printable("a\u00a0b\n", keep="\u00a0") == "a\u00a0b\\n"


@settings(max_examples=200, deadline=None)
@given(raw=ANY)
def test_any_string_becomes_one_line_of_text(raw: str) -> None:
    for said in (printable(raw), shown(raw), text(raw), drawing.printable(raw)):
        assert said.encode("utf-8").decode("utf-8") == said
        assert len(said.splitlines()) <= 1
    assert unescape(text(raw)) == unescape(printable(raw)) or "&" in raw
    assert not set(text(raw)) & set("<>\"'")
