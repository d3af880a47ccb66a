"""Parquet: footers, chains of pages, and Thrift that lies."""

import importlib.util
import random
import struct
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import parquet
from vigie.formats.data.parquet_thrift import NoThriftError, Reader

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


@pytest.mark.parametrize("crc", [True, False])
def test_the_flaw_is_the_chunk_that_was_hit(crc: bool) -> None:
    data = made.parquet(crc=crc)
    assert parquet.dissect(Bytes(data)).flaws == ()
    hit = data[:45_000] + random.Random(1).randbytes(12_000) + data[57_000:]
    flaws = parquet.dissect(Bytes(hit)).flaws
    assert 40_000 <= flaws[0].start <= 50_100
    assert flaws[-1].end <= 61_000


def test_checksums_of_pages_are_verified() -> None:
    data = bytearray(made.parquet())
    data[1000] ^= 1
    flaws = parquet.dissect(Bytes(bytes(data))).flaws
    assert (flaws[0].checksum, flaws[-1].end < 5100) == (True, True)


def test_a_footer_that_breaks_off() -> None:
    data = made.parquet()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    broken = data[:start] + b"\xff" * (len(data) - 8 - start) + data[-8:]
    assert "the footer breaks off" in parquet.dissect(Bytes(broken)).flaws[0].what
    nothing = b"PAR1" + bytes(4) + b"PAR1"
    assert "the footer breaks off" in parquet.dissect(Bytes(nothing)).flaws[0].what


@pytest.mark.parametrize("data", [b"PAR1", b"PAR1" + bytes(50), b"PAR1" + b"\xff" * 4 + b"PAR1", b"PARX" * 9])
def test_what_is_no_parquet(data: bytes) -> None:
    with pytest.raises(Malformed):
        parquet.dissect(Bytes(data))


def test_encrypted_and_hurried() -> None:
    data = made.parquet()
    anatomy = parquet.dissect(Bytes(data[:-4] + b"PARE"))
    assert (anatomy.flaws, len(anatomy.notes)) == ((), 1)
    assert parquet.dissect(Bytes(data), 9000).notes == ("too large to look at every page",)


@pytest.mark.parametrize(
    "columns",
    [
        [{3: {7: 10, 9: 1}}],
        [{3: {9: 4}}],
        [{3: {7: 1 << 40, 9: 4}}],
        [{1: b"elsewhere.parquet", 3: {7: 10, 9: 4}}],
        [{3: 5}],
    ],
)
def test_odd_footers_lead_nowhere(columns: list[dict[int, object]]) -> None:
    footer = made.thrift({1: 1, 3: 1, 4: [{1: columns}]})
    data = b"PAR1" + bytes(40) + footer + struct.pack("<L", len(footer)) + b"PAR1"
    assert parquet.dissect(Bytes(data)).flaws == ()


@pytest.mark.parametrize(
    "head", [{1: 9, 2: 5, 3: 5}, {1: 0, 2: 5}, {1: 0, 2: 5, 3: 999}, {1: 0, 2: -1, 3: 1}]
)
def test_impossible_page_headers(head: dict[int, object]) -> None:
    page = made.thrift(head).ljust(60, b"x")
    footer = made.thrift({1: 1, 3: 1, 4: [{1: [{3: {7: 60, 9: 4}}]}]})
    data = b"PAR1" + page + footer + struct.pack("<L", len(footer)) + b"PAR1"
    assert [flaw.start for flaw in parquet.dissect(Bytes(data)).flaws] == [4]


def test_every_kind_of_value_is_read() -> None:
    data = (
        b"\x11\x12\x13\x07\x17"
        + bytes(8)
        + b"\x1b\x01\x58\x02\x01a"
        + b"\x1b\x00"
        + b"\x19\x23\x01\x02"
        + b"\x05\x40\x02\x00"
    )
    fields = Reader(data).structure()
    assert list(fields) == [1, 2, 3, 4, 5, 6, 7, 32]
    assert (fields[1], fields[2], fields[3], fields[5], fields[7]) == (True, False, 7, [(1, b"a")], [1, 2])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x15",
        b"\x15" + b"\xff" * 11,
        b"\x18\x7f",
        b"\x1d\x00",
        b"\x19\xf5\x7f",
        b"\x05\x00\x02",
        b"\x1c" * 40,
    ],
)
def test_lies_in_thrift_are_found(data: bytes) -> None:
    with pytest.raises(NoThriftError):
        Reader(data).structure()
