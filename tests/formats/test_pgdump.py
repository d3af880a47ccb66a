"""Archives of pg_dump: all versions, and data that break off."""

import importlib.util
import random
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import pgdump

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


@pytest.mark.parametrize("minor", [10, 12, 14, 15, 16])
@pytest.mark.parametrize("compression", [0, 1])
@pytest.mark.parametrize("kind", [1, 3, 5])
def test_every_version_is_read_to_the_end(minor: int, compression: int, kind: int) -> None:
    data = made.pgdump(minor=minor, compression=compression, kind=kind)
    assert pgdump.FORMAT.recognises(data[:4096])
    anatomy = pgdump.dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert bool(anatomy.checked) is (compression == 1 and kind == 1)


@pytest.mark.parametrize("compression", [0, 1])
def test_after_a_broken_chunk_the_next_one_is_found(compression: int) -> None:
    data = made.pgdump(compression=compression)
    start = data.find(b"\0\0\x10\0\0", len(data) // 2)
    hit = data[: start - 1000] + random.Random(1).randbytes(2000) + data[start + 1000 :]
    flaws = pgdump.dissect(Bytes(hit)).flaws
    assert flaws[0].start <= start < flaws[-1].end
    assert flaws[-1].end < start + 9000


def test_cut_hurried_and_other_files() -> None:
    data = made.pgdump(compression=0)
    assert "missing" in pgdump.dissect(Bytes(data[: len(data) // 3])).flaws[-1].what
    assert pgdump.dissect(Bytes(data), 9000).notes == ("too large to look at every block",)
    block = data.rfind(b"\3\0\3\0\0\0")
    assert "no block of data" in pgdump.dissect(Bytes(data[:block] + b"\7" + data[block + 1 :])).flaws[0].what
    for broken in (data[1:], data[:11] + b"\7" + data[12:], data[:60], data[:300]):
        with pytest.raises(Malformed):
            pgdump.dissect(Bytes(broken))
