"""Microsoft Access: pages of both sizes, and encrypted files."""

import importlib.util
import random
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import access

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


@pytest.mark.parametrize("jet3", [True, False])
def test_the_flaw_is_the_page_that_was_hit(jet3: bool) -> None:
    data = made.access(jet3=jet3)
    assert access.dissect(Bytes(data)).flaws == ()
    hit = data[:16384] + random.Random(1).randbytes(4096) + data[20480:]
    flaws = access.dissect(Bytes(hit)).flaws
    assert (flaws[0].start, flaws[-1].end) == (16384, 20480)


def test_the_mask_of_the_header_is_the_one_that_is_published() -> None:
    # mdbtools HACKING: what a Jet 4 file without a password shows from byte 0x42 on.
    assert access._mask(0x4A - 24)[-8:].hex() == "86fbec375d449cfa"


def test_an_encrypted_database_is_opaque() -> None:
    data = made.access(key=b"\1\2\3\4")
    anatomy = access.dissect(Bytes(data[:4096] + random.Random(1).randbytes(40_960)))
    assert anatomy.flaws == ()
    assert "encrypted" in anatomy.notes[0]


def test_cut_files_and_others() -> None:
    data = made.access()
    assert access.dissect(Bytes(data[:-9])).flaws[-1].what == "the file ends inside a page"
    with pytest.raises(Malformed):
        access.dissect(Bytes(data[1:]))
