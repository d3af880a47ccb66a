"""Outlook data files: every block by its own checksum."""

import importlib.util
import random
import struct
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import pst

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


def test_the_flaw_is_the_block_that_was_hit() -> None:
    data = made.pst()
    hit = data[:100_000] + random.Random(1).randbytes(500) + data[100_500:]
    flaws = pst.dissect(Bytes(hit)).flaws
    assert all(flaw.checksum for flaw in flaws)
    assert 100_000 - 5000 < flaws[0].start <= 100_000
    assert 100_500 <= flaws[-1].end < 100_500 + 5000


@pytest.mark.parametrize("offset", [100, 300])
def test_the_header_is_sealed(offset: int) -> None:
    data = bytearray(made.pst())
    data[offset] ^= 1
    assert pst.dissect(Bytes(bytes(data))).flaws[0].end == 512


def test_other_versions_are_known_by_their_header() -> None:
    for version in (14, 36):
        anatomy = pst.dissect(Bytes(made.pst(version=version)))
        assert anatomy.flaws == ()
        assert "only the header" in anatomy.notes[0]


def test_large_cut_and_other_files() -> None:
    data = made.pst()
    assert pst.dissect(Bytes(data), 40_000).notes == ("too large to look at every block",)
    assert "announced" in pst.dissect(Bytes(data[:150_000])).flaws[-1].what
    with pytest.raises(Malformed):
        pst.dissect(Bytes(data[4:]))


def test_maps_are_left_alone_where_outlook_did_not_finish() -> None:
    data = bytearray(made.pst())
    data[0x4400 : 0x4400 + 512] = b"\x55" * 512
    assert pst.dissect(Bytes(bytes(data))).flaws[0].start == 0x4400
    data[248] = 0
    data[4:8] = struct.pack("<L", made.weak_crc(bytes(data[8:479])))
    assert pst.dissect(Bytes(bytes(data))).flaws == ()


def test_a_tree_that_leads_into_itself_ends() -> None:
    data = bytearray(made.pst())
    root = int.from_bytes(data[240:248], "little")
    entries = bytes(data[root : root + 496])
    circle = struct.pack("<QQQ", 0, 0, root) + struct.pack("<QQQ", 0, 0, 7) + entries[48:]
    data[root : root + 496] = circle
    data[root + 500 : root + 504] = struct.pack("<L", made.weak_crc(circle))
    assert pst.dissect(Bytes(bytes(data))).flaws == ()
