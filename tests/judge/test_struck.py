"""Small pieces: what is too short to tell by itself, and where the surroundings make it tell."""

import random
import struct
import zlib

import numpy as np
import pytest

from vigie.formats.contract import Bytes
from vigie.judge import struck
from vigie.judge.randomness import Randomness
from vigie.model import Anatomy, Charset, Flaw, Kind, Range, Region


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def table(count: int = 1000) -> bytes:
    return b"".join(struct.pack("<IHH", number, 7, number % 50) for number in range(count))


def of(data: bytes, kind: Kind = Kind.STRUCTURED) -> Anatomy:
    return Anatomy("made", (Region(0, len(data), kind, "table"),))


def put(data: bytes, start: int, piece: bytes) -> bytes:
    return data[:start] + piece + data[start + len(piece) :]


@pytest.mark.parametrize("start", [3200, 3216, 4032, 7936])
def test_one_random_cell_stands_out_of_a_calm_table(start: int) -> None:
    found = 0
    for seed in range(20):
        data = put(table(), start, noise(64, seed))
        for hit in struck.lone_hits(of(data), Randomness(Bytes(data))):
            found += 1
            assert abs(hit.start - start) <= 16
            assert abs(hit.end - start - 64) <= 16
    assert found >= 15


def test_no_cell_stands_out_of_a_table_that_is_calm_or_lively_or_small() -> None:
    calm = table()
    short = put(calm, 3200, noise(32))
    lively = b"".join(noise(16, seed) + bytes(240) for seed in range(40)) + noise(64)
    two = put(put(calm, 1600, noise(64)), 4800, noise(64, 2))
    small = put(calm, 320, noise(64))[:1024]
    large = put(bytes(struck.LONE + 64), 3200, noise(64))
    for data in (calm, short, lively, two, small, large):
        assert struck.lone_hits(of(data), Randomness(Bytes(data))) == []
    data = put(calm, 3200, noise(64))
    assert struck.lone_hits(of(data, Kind.CODED), Randomness(Bytes(data))) == []
    assert Randomness(Bytes(data)).lone(3200, 3200) == []


def test_sixteen_even_values_are_no_random_cell_of_64() -> None:
    # Every cell of 16 bytes looks random, the 64 bytes together hold too few values.
    data = put(table(), 3200, noise(16, 3) * 4)
    assert struck.lone_hits(of(data), Randomness(Bytes(data))) == []


@pytest.mark.parametrize(
    "text", ["Épreuve à l'été, où naît Noël. ", "Больница скорой помощи ", "Νοσοκομείο Αθηνών, "]
)
def test_zeros_in_a_wide_text_are_no_random_bytes(text: str) -> None:
    data = put((text * 200).encode("utf-16-le"), 1024, bytes(512))
    anatomy = Anatomy(
        "text",
        (Region(0, len(data), Kind.STRUCTURED, "text", Charset.UTF16),),
        (Flaw(1024, 1536, "no character"),),
    )
    assert struck.random_flaws(anatomy, Randomness(Bytes(data))) == ([], False)
    hit = put(data, 1024, noise(512))
    assert struck.random_flaws(anatomy, Randomness(Bytes(hit))) == ([Range(1024, 1040)], False)


def test_a_short_header_beside_compressed_data_is_judged_by_itself() -> None:
    packed = zlib.compress(np.random.default_rng(1).integers(0, 99, 9000, np.uint8).tobytes())[:4096]
    regions = (Region(0, 4096, Kind.CODED, "packed"), Region(4096, 4144, Kind.STRUCTURED, "header"))
    flaw = Flaw(4096, 4144, "checksum", checksum=True, throughout=True)
    for header, expected in ((bytes(range(48)), []), (noise(48), [Range(4096, 4144)])):
        found = struck.random_flaws(Anatomy("made", regions, (flaw,)), Randomness(Bytes(packed + header)))
        assert found == (expected, False)
