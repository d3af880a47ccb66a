"""ESE databases: headers, pages, and streaming files."""

import importlib.util
import random
import struct
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import ese

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


def test_the_flaw_is_the_page_that_was_hit() -> None:
    data = made.ese()
    hit = data[:40960] + random.Random(1).randbytes(8192) + data[49152:]
    flaws = ese.dissect(Bytes(hit)).flaws
    assert (flaws[0].start, flaws[-1].end) == (40960, 49152)
    second = data[:8192] + random.Random(1).randbytes(8192) + data[16384:]
    assert ese.dissect(Bytes(second)).flaws[0].start == 8192


def test_streaming_files_are_raw() -> None:
    data = made.ese()
    raw = data[:12] + struct.pack("<L", 1) + data[16:16384] + random.Random(1).randbytes(81920)
    assert ese.dissect(Bytes(raw)).flaws == ()


def test_cut_files_and_others() -> None:
    data = made.ese()
    assert ese.dissect(Bytes(data[:-1])).flaws[-1].start == len(data) - 1
    with pytest.raises(Malformed):
        ese.dissect(Bytes(data[4:]))
