"""InnoDB: every checksum, the system tablespace, and compressed tables."""

import importlib.util
import random
import struct
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import innodb

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


@pytest.mark.parametrize("kind", ["crc32", "full", "none", "packed"])
@pytest.mark.parametrize("space", [0, 7])
def test_every_layout_is_healthy(kind: str, space: int) -> None:
    data = made.innodb(kind=kind, space=space)
    assert innodb.FORMAT.recognises(data[:4096])
    anatomy = innodb.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert bool(anatomy.checked) is (kind in ("crc32", "full"))


@pytest.mark.parametrize("kind", ["crc32", "full"])
def test_checksums_find_what_headers_hide(kind: str) -> None:
    data = made.innodb(kind=kind)
    start = 16384 * 8 + 8192
    hit = data[:start] + random.Random(1).randbytes(4096) + data[start + 4096 :]
    flaws = innodb.dissect(Bytes(hit)).flaws
    assert {flaw.checksum for flaw in flaws} == {True}
    assert (flaws[0].start, flaws[-1].end) == (16384 * 8, 16384 * 9)


def test_the_end_of_a_page_is_found_without_checksums() -> None:
    data = made.innodb(kind="none")
    start = 16384 * 8 + 12288
    hit = data[:start] + random.Random(1).randbytes(4096) + data[start + 4096 :]
    assert innodb.dissect(Bytes(hit)).flaws[-1].end == start + 4096


def test_the_system_tablespace_may_hold_copies_of_other_pages() -> None:
    system, other = made.innodb(space=0), made.innodb(space=9)
    mixed = system[: 16384 * 10] + other[: 16384 * 3] + system[16384 * 13 :]
    assert innodb.dissect(Bytes(mixed)).flaws == ()
    foreign = made.innodb()[: 16384 * 10] + other[: 16384 * 3] + made.innodb()[16384 * 13 :]
    assert innodb.dissect(Bytes(foreign)).flaws[0].start == 16384 * 10


@pytest.mark.parametrize("flags", [0x1F, 15 << 6, 7 << 1])
def test_impossible_flags(flags: int) -> None:
    data = made.innodb()
    with pytest.raises(Malformed):
        innodb.dissect(Bytes(data[:54] + struct.pack(">L", flags) + data[58:]))


def test_cut_and_other_files() -> None:
    data = made.innodb()
    assert innodb.dissect(Bytes(data[:-1])).flaws[-1].start == len(data) - 1
    assert innodb.dissect(Bytes(data[:9000])).flaws[-1].start == 9000
    for patch in (b"\0" * 64, data[:34] + bytes(30)):
        with pytest.raises(Malformed):
            innodb.dissect(Bytes(patch + data[64:]))
