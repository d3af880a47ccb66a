"""Firebird: both ways in which a page says what it is."""

import importlib.util
import random
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import firebird

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


@pytest.mark.parametrize("sealed", [True, False])
def test_the_flaw_is_the_page_that_was_hit(sealed: bool) -> None:
    data = made.firebird(sealed=sealed)
    assert firebird.FORMAT.recognises(data[:4096])
    assert firebird.dissect(Bytes(data)).flaws == ()
    hit = data[:40960] + random.Random(1).randbytes(8192) + data[49152:]
    flaws = firebird.dissect(Bytes(hit)).flaws
    assert (flaws[0].start, flaws[-1].end) == (40960, 49152)


def test_cut_files_and_others() -> None:
    data = made.firebird()
    assert firebird.dissect(Bytes(data[:-1])).flaws[-1].start == len(data) - 1
    with pytest.raises(Malformed):
        firebird.dissect(Bytes(data[8192:]))
