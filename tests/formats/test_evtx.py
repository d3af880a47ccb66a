"""Windows event logs: sealed, open, and struck."""

import importlib.util
import random
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import evtx

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


def test_an_open_log_is_healthy() -> None:
    anatomy = evtx.dissect(Bytes(made.evtx(stale=True)))
    assert anatomy.flaws == ()
    assert "4 chunks are not sealed" in anatomy.notes[0]


def test_the_flaw_is_the_records_that_were_hit() -> None:
    data = made.evtx()
    start = 4096 + 65536 + 20480
    hit = data[:start] + random.Random(1).randbytes(4096) + data[start + 4096 :]
    flaws = evtx.dissect(Bytes(hit)).flaws
    assert flaws[0].start > start - 1000
    assert flaws[-1].end < start + 4096 + 1000


@pytest.mark.parametrize("offset", [40, 4096 + 8, 4096 + 48, 4096 + 52])
def test_headers_are_sealed(offset: int) -> None:
    data = bytearray(made.evtx())
    data[offset + 2] ^= 0x55
    anatomy = evtx.dissect(Bytes(bytes(data)))
    assert anatomy.flaws or anatomy.notes


def test_cut_files_and_others() -> None:
    data = made.evtx()
    assert evtx.dissect(Bytes(data[:-1])).flaws[-1].start == len(data) - 1
    assert evtx.dissect(Bytes(data), 65536).notes == ("looked at 1 of 5 chunks",)
    with pytest.raises(Malformed):
        evtx.dissect(Bytes(data[4:]))
