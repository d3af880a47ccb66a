"""What holds for every format: a new one cannot be forgotten here, nor its tests."""

import importlib
import inspect
import os
import pkgutil
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie import formats
from vigie.formats import CATALOGUE, HEAD, Format, by_content, by_name
from vigie.formats.contract import Bytes, Cursor, Malformed

TESTS = Path(__file__).parent


def declared() -> dict[str, Format]:
    """Every `FORMAT` and `FORMATS` of every module below `vigie.formats`."""
    found = {}
    for module in pkgutil.walk_packages(formats.__path__, "vigie.formats."):
        content = importlib.import_module(module.name)
        for form in (
            *getattr(content, "FORMATS", ()),
            *([content.FORMAT] if hasattr(content, "FORMAT") else []),
        ):
            found[form.name] = form
    return found


def test_every_format_stands_in_the_catalogue_once() -> None:
    names = [form.name for form in CATALOGUE]
    assert len(names) == len(set(names))
    assert set(names) == set(declared())


@pytest.mark.parametrize("form", CATALOGUE, ids=lambda form: form.name)
def test_every_format_has_tests_and_says_where_it_is_written_down(form: Format) -> None:
    module = inspect.getmodule(form.dissect)
    assert module is not None
    name = module.__name__.rpartition(".")[2].partition("_")[0]
    assert (TESTS / f"test_{name}.py").exists(), f"write tests/formats/test_{name}.py"
    assert form.title
    assert form.specification
    assert form.name == form.name.lower()
    assert all(suffix == suffix.lower().strip(".") for suffix in (*form.suffixes, *form.weak_suffixes))


def test_no_ending_is_promised_by_two_formats() -> None:
    promised = [suffix for form in CATALOGUE for suffix in form.suffixes]
    assert len(promised) == len(set(promised))


@given(st.binary(max_size=HEAD))
@settings(max_examples=200, deadline=None)
def test_no_head_makes_a_recogniser_fail(head: bytes) -> None:
    for form in CATALOGUE:
        assert form.recognises(head) in (True, False)


def test_random_bytes_are_no_format() -> None:
    dice = random.Random(5)
    assert sum(by_content(dice.randbytes(HEAD)) is not None for _ in range(2000)) <= 2


@pytest.mark.parametrize("size", [0, 1, 7, 64, 5000])
@pytest.mark.parametrize("form", CATALOGUE, ids=lambda form: form.name)
def test_no_dissection_trusts_what_it_is_given(form: Format, size: int) -> None:
    dice = random.Random(size)
    for data in (bytes(size), dice.randbytes(size), b"\xff" * size, b"a" * size):
        try:
            anatomy = form.dissect(Bytes(data))
        except Malformed as malformed:
            edges = [malformed.offset]
        else:
            edges = [edge for region in anatomy.regions for edge in (region.start, region.end)]
            assert edges == sorted(edges)
            assert all(flaw.start <= flaw.end for flaw in anatomy.flaws)
            edges += [edge for flaw in anatomy.flaws for edge in (flaw.start, flaw.end)]
        assert all(0 <= edge <= size for edge in edges)


@pytest.mark.parametrize(
    ("name", "expected", "firm"),
    [
        ("/a/report.pdf", "pdf", True),
        ("REPORT.PDF", "pdf", True),
        ("report.pdf.locked", "pdf", False),
        ("report.pdf.id-7.[mail@x.y].evil", "pdf", False),
        ("export.csv.gz", "gzip", True),
        ("practice.db", "sqlite", False),
        ("a.pdf/noname", None, False),
        ("noname", None, False),
        (os.fsdecode(b"caf\xe9.dcm"), "dicom", True),
        (".pdf", "pdf", True),
    ],
)
def test_what_a_name_promises(name: str, expected: str | None, firm: bool) -> None:
    promise = by_name(name)
    assert (promise.format.name if promise else None) == expected
    assert promise is None or promise.firm is firm


def test_a_cursor_never_reads_past_what_there_is() -> None:
    cursor = Cursor(Bytes(b"abcdef"), 1)
    assert cursor.peek(2) == b"bc"
    assert cursor.take(3, "letters") == b"bcd"
    assert cursor.left == 2
    cursor.skip(1, "a letter")
    with pytest.raises(Malformed, match="ends inside the tail"):
        cursor.take(5, "the tail")
    with pytest.raises(Malformed, match="said to be 5 bytes long, and 1 are left"):
        cursor.skip(5, "the tail")
