"""Surveys of pages: runs, joins, blocks, and how they are spread."""

import random

import numpy as np
import pytest

from vigie.formats.contract import Bytes
from vigie.formats.data import crc32c, pages


def naive(data: bytes) -> int:
    """CRC-32C, bit by bit (RFC 3720, B.4)."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


@pytest.mark.parametrize("length", [0, 1, 9, 127, 128, 129, 508, 4092])
def test_the_crc_equals_its_naive_twin(length: int) -> None:
    data = np.frombuffer(random.Random(length).randbytes(length * 3), np.uint8).reshape(3, length)
    assert crc32c.rows(data).tolist() == [naive(row.tobytes()) for row in data]
    assert crc32c.prefixes(b"123456789", range(9, 10)) == [0xE3069283]


def odd(rows: pages.Pages, _: int) -> pages.Marks:
    """A page is broken as its first byte says."""
    return rows[:, 0].copy()


def test_neighbours_are_one_run_and_zeros_are_sound() -> None:
    marks = bytes([0, 1, 1, 0, 2, 2, 2, 2, 1, 0])
    data = b"".join(bytes([mark]) + b"x" * 4095 for mark in marks)
    found = pages.survey(Bytes(data), 4096, odd, 1 << 30)
    assert found.runs == [pages.Run(1, 3, 1), pages.Run(4, 8, 2), pages.Run(8, 9, 1)]
    flaws = list(found.flaws("no header", "no sum"))
    spans = [(flaw.start // 4096, flaw.end // 4096) for flaw in flaws]
    assert spans == [(1, 2), (2, 3), (4, 5), (5, 7), (7, 8), (8, 9)]
    assert [flaw.checksum for flaw in flaws] == [False, False, True, True, True, False]
    assert all(flaw.throughout for flaw in flaws)
    assert [r.start // 4096 for r in found.regions(64, "header")] == [0, 1, 8]
    blank = pages.survey(Bytes(bytes(40960)), 4096, lambda rows, _: np.full(len(rows), 1, np.uint8), 1 << 30)
    assert blank.runs == []


def test_a_hurried_survey_is_spread_and_joins_what_is_broken_on_both_sides() -> None:
    size = 4096
    data = b"\0" * (size * 128) + b"\1" * (size * 1024)
    found = pages.survey(Bytes(data), size, odd, 1 << 20)
    assert found.looked == 256
    assert found.notes() == ("looked at 256 of 1,152 pages",)
    assert len(found.runs) == 1
    assert found.runs[0].end == 1152
    assert not any(flaw.throughout for flaw in found.flaws("", ""))


def test_too_many_runs_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "RUNS", 2)
    data = b"".join(bytes([n % 2]) * 512 for n in range(40))
    found = pages.survey(Bytes(data), 512, odd, 1 << 30)
    assert found.runs == [pages.Run(1, 2, 1), pages.Run(3, 40, 1)]


def test_large_pages_are_cut_into_blocks_at_the_ends_of_a_run() -> None:
    assert list(pages.blocks(100, 9000)) == [(100, 4096), (4096, 8192), (8192, 9000)]
    assert list(pages.blocks(0, 65536, 16384))[3:6] == [(12288, 16384), (16384, 49152), (49152, 53248)]


def test_a_file_that_shrinks_ends_the_survey() -> None:
    class Shrunk(Bytes):
        @property
        def size(self) -> int:
            return 1 << 20

    assert pages.survey(Shrunk(b""), 4096, odd, 1 << 30).looked == 0
