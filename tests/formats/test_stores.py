"""Stores that are known by their two ends."""

import importlib.util
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import stores

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


FORMS = {form.name: form for form in stores.FORMATS}


def test_what_is_missing_at_the_end() -> None:
    assert FORMS["redis"].dissect(Bytes(made.MADE["redis"]()[:-1])).flaws
    assert FORMS["redis"].dissect(Bytes(b"REDIS0003" + bytes(50))).flaws == ()
    lmdb = made.lmdb()
    assert FORMS["lmdb"].dissect(Bytes(lmdb[:5000] + bytes(40) + lmdb[5040:])).flaws == ()
    assert FORMS["lmdb"].dissect(Bytes(lmdb[:4096] + bytes(9000))).flaws[0].what == "no second meta page"
    assert "size of pages" in FORMS["lmdb"].dissect(Bytes(lmdb[:40] + bytes(9000))).flaws[0].what


@pytest.mark.parametrize("name", FORMS)
def test_what_is_none_of_them(name: str) -> None:
    with pytest.raises(Malformed):
        FORMS[name].dissect(Bytes(b"nothing of the kind" * 90))
