"""HDF5: superblocks, groups, and sealed headers."""

import importlib.util
import random
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import hdf5
from vigie.formats.data.lookup3 import lookup3

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


def test_the_hash_is_the_published_one() -> None:
    # The examples of lookup3.c (driver5).
    assert lookup3(b"") == 0xDEADBEEF
    assert lookup3(b"Four score and seven years ago") == 0x17770551
    assert lookup3(b"Four score and seven years ago", 1) == 0xCD628161


def test_a_user_block_stands_before_the_file() -> None:
    data = made.hdf5(user=512)
    assert hdf5.FORMAT.recognises(data)
    assert hdf5.dissect(Bytes(data)).flaws == ()


def test_sealed_metadata() -> None:
    data = made.hdf5(sealed=True)
    anatomy = hdf5.dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.checked) == ((), 25)
    for offset in (20, 48 + 8):
        broken = bytearray(data)
        broken[offset] ^= 1
        assert hdf5.dissect(Bytes(bytes(broken))).flaws[0].checksum
    broken = bytearray(data)
    broken[48 + 4] = 9
    assert "version" in hdf5.dissect(Bytes(bytes(broken))).flaws[0].what
    broken[48 + 4 : 48 + 6] = b"\x02\x32"  # times, attributes, and a length of four bytes
    broken[48 + 26 : 48 + 30] = b"\xff\xff\xff\0"
    assert hdf5.dissect(Bytes(bytes(broken))).flaws == ()


@pytest.mark.parametrize(
    ("place", "what"),
    [
        (96, "no object header"),
        (112, "an impossible message"),
        (256, "no tree node"),
        (512, "no heap"),
        (640, "no symbol table node"),
        (1024, "no object header"),
        (1536, "no tree node"),
    ],
)
def test_every_part_that_the_root_leads_to_is_looked_at(place: int, what: str) -> None:
    data = made.hdf5()
    hit = data[:place] + random.Random(place).randbytes(64) + data[place + 64 :]
    (flaw,) = hdf5.dissect(Bytes(hit)).flaws
    assert (flaw.start, flaw.what[: len(what)]) == (place, what)


def test_cut_hurried_and_other_files() -> None:
    data = made.hdf5()
    assert "announced" in hdf5.dissect(Bytes(data[:3000])).flaws[0].what
    assert hdf5.dissect(Bytes(data), 4096).notes
    short = data[:13] + b"\4\4" + data[15:]
    assert "addresses are short" in hdf5.dissect(Bytes(short)).notes[0]
    for broken in (data[4:], data[:50]):
        with pytest.raises(Malformed):
            hdf5.dissect(Bytes(broken))
