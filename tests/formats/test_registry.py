"""Windows registry hives: the chain of bins."""

import importlib.util
import random
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import pages, registry

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


def test_after_a_broken_bin_the_next_one_is_found() -> None:
    data = made.registry()
    hit = data
    for start in (4096 * 10, 4096 * 20):
        hit = hit[:start] + random.Random(start).randbytes(4096) + hit[start + 4096 :]
    flaws = registry.dissect(Bytes(hit)).flaws
    assert [flaw.start for flaw in flaws] == [4096 * 10, 4096 * 20]
    assert all(flaw.end - flaw.start <= 8192 for flaw in flaws)


def test_the_base_block_is_sealed() -> None:
    data = bytearray(made.registry())
    data[100] ^= 1
    (flaw,) = registry.dissect(Bytes(bytes(data))).flaws
    assert (flaw.start, flaw.end, flaw.checksum) == (0, 512, True)


def test_cut_large_and_other_files() -> None:
    data = made.registry()
    assert "the hive is" in registry.dissect(Bytes(data[:30_000])).flaws[-1].what
    assert registry.dissect(Bytes(data), 20_000).notes
    zeros = data[:40960] + bytes(len(data) - 40960)
    assert registry.dissect(Bytes(zeros)).flaws == ()
    with pytest.raises(Malformed):
        registry.dissect(Bytes(data[4:]))


def test_very_many_broken_bins_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "RUNS", 3)
    data = bytearray(made.registry())
    for start in range(8192, len(data), 16384):
        data[start : start + 4] = b"XXXX"
    assert len(registry.dissect(Bytes(bytes(data))).flaws) == 4
