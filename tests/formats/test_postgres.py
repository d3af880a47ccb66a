"""PostgreSQL: heaps, indexes, segments, write-ahead log and control file."""

import importlib.util
import random
from pathlib import Path

import numpy as np
import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import postgres, postgres_control, postgres_wal

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


PAGE = postgres.PAGE


def naive(page: bytes, number: int) -> int:
    """The checksum as storage/checksum_impl.h writes it."""
    sums = [int(value) for value in postgres._SUMS]
    page = page[:8] + bytes(2) + page[10:]
    for row in range(66):
        for lane in range(32):
            at = (row * 32 + lane) * 4
            value = sums[lane] ^ (int.from_bytes(page[at : at + 4], "little") if row < 64 else 0)
            sums[lane] = (value * 16777619 & 0xFFFFFFFF) ^ value >> 17
    joined = number
    for value in sums:
        joined ^= value
    return joined % 65535 + 1


def test_the_checksum_equals_its_naive_twin() -> None:
    pages = np.frombuffer(random.Random(1).randbytes(3 * PAGE), np.uint8).reshape(3, PAGE)
    found = postgres.checksums(pages, np.array([7, 8, 1 << 20]))
    assert found.tolist() == [naive(pages[n].tobytes(), number) for n, number in enumerate((7, 8, 1 << 20))]


@pytest.mark.parametrize("checksums", [True, False])
@pytest.mark.parametrize("half", [0, 4096])
def test_the_flaw_is_the_page_that_was_hit(checksums: bool, half: int) -> None:
    data = made.postgres_heap(checksums=checksums)
    anatomy = postgres.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert bool(anatomy.checked) is checksums
    start = 9 * PAGE + half
    hit = data[:start] + random.Random(1).randbytes(4096) + data[start + 4096 :]
    flaws = postgres.dissect(Bytes(hit)).flaws
    assert (flaws[0].start, flaws[-1].end) == (9 * PAGE, 10 * PAGE)


def test_later_segments_count_on() -> None:
    anatomy = postgres.dissect(Bytes(made.postgres_heap(segment=3)))
    assert anatomy.checked == made.COUNT * PAGE


def test_stale_checksums_are_not_believed() -> None:
    data = bytearray(made.postgres_heap(checksums=False))
    for start in range(0, len(data), PAGE):
        data[start + 8 : start + 10] = b"\x12\x34"
    assert postgres.dissect(Bytes(bytes(data))).flaws == ()


def test_indexes_end_in_their_flags() -> None:
    data = made.postgres_btree()
    assert postgres.dissect(Bytes(data)).flaws == ()
    start = 6 * PAGE + 4096
    hit = data[:start] + random.Random(1).randbytes(4096) + data[start + 4096 :]
    flaws = postgres.dissect(Bytes(hit)).flaws
    assert (flaws[0].start, flaws[-1].end) == (6 * PAGE, 7 * PAGE)


def test_one_page_is_enough() -> None:
    data = made.postgres_heap(count=1)
    assert postgres.dissect(Bytes(data)).checked == PAGE
    assert postgres.dissect(Bytes(data + data[:9])).flaws[-1].start == PAGE + 9


def test_the_log_knows_its_size() -> None:
    data = made.postgres_wal()
    assert postgres_wal.dissect(Bytes(data[: PAGE * 9])).notes == ("shorter than a segment",)
    assert postgres_wal.dissect(Bytes(data + data)).flaws[0].start == 2 * len(data)
    with pytest.raises(Malformed):
        postgres_wal.dissect(Bytes(data[PAGE:]))
    hit = data[: PAGE * 9] + random.Random(1).randbytes(4096) + data[PAGE * 9 + 4096 :]
    assert postgres_wal.dissect(Bytes(hit)).flaws[0].start == PAGE * 9


def test_the_control_file_is_sealed() -> None:
    data = made.postgres_control()
    assert postgres_control.dissect(Bytes(data)).checked == 512
    broken = bytearray(data)
    broken[100] ^= 1
    (flaw,) = postgres_control.dissect(Bytes(bytes(broken))).flaws
    assert flaw.checksum
    with pytest.raises(Malformed):
        postgres_control.dissect(Bytes(data[1:]))
