"""Where inside a stretch bytes are overwritten, and where a long file is looked at."""

import random
from itertools import pairwise

import pytest

from vigie.formats.contract import Bytes
from vigie.formats.media.stretch import WINDOW, overwritten, places, uniform_part

SKEW = bytes(value & 0xEF for value in range(256))


def coded(size: int, *hits: tuple[int, int]) -> bytes:
    """What a codec writes, overwritten in `hits`."""
    dice = random.Random(size)
    data = bytearray(dice.randbytes(size).translate(SKEW))
    for start, end in hits:
        data[start:end] = dice.randbytes(end - start)
    return bytes(data)


@pytest.mark.parametrize("lost", [42_000, 45_056, 50_000, 57_000])
def test_the_hit_is_found_to_the_block(lost: int) -> None:
    blob = Bytes(coded(200_000, (40_960, 57_344)))
    assert overwritten(blob, 20_000, 150_000, lost) == (40_960, 57_344)


def test_a_hit_from_the_middle_of_a_block() -> None:
    blob = Bytes(coded(200_000, (43_500, 61_440)))
    start, end = overwritten(blob, 20_000, 150_000, 43_600)
    assert 43_500 <= start <= 43_600
    assert end == 61_440


def test_what_is_not_random_is_the_rest_of_the_block() -> None:
    blob = Bytes(coded(200_000))
    assert overwritten(blob, 20_000, 150_000, 43_600) == (43_600, 45_056)
    assert overwritten(blob, 20_000, 43_700, 43_600) == (43_600, 43_700)


def test_uniform_codecs_are_not_told_from_chance() -> None:
    blob = Bytes(random.Random(1).randbytes(200_000))
    assert overwritten(blob, 20_000, 150_000, 43_600) == (43_600, 150_000)
    assert uniform_part(blob, 20_000, 150_000) is None
    assert overwritten(Bytes(b"short"), 0, 5, 2) == (2, 5)
    assert uniform_part(Bytes(b""), 0, 0) is None


def test_a_hit_without_a_lost_header() -> None:
    data = coded(200_000, (40_960, 49_152))
    assert uniform_part(Bytes(data), 20_000, 150_000) == (40_960, 49_152)
    assert uniform_part(Bytes(data), 60_000, 150_000) is None


def test_far_hits_are_not_read_to_their_end() -> None:
    data = coded(10_000_000, (1_000_000, 9_900_000))
    start, end = overwritten(Bytes(data), 990_000, 9_950_000, 1_000_500)
    assert start <= 1_000_500
    assert end == 9_950_000


@pytest.mark.parametrize("effort", [1, 1 << 20, 4 << 20, 64 << 20])
@pytest.mark.parametrize("size", [0, 1, 1 << 20, 3 << 20, 100 << 20, 20 << 30])
def test_places_rise_and_cost_what_they_may(size: int, effort: int) -> None:
    found = list(places(7, 7 + size, effort))
    assert all(start < end for start, end in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))
    assert sum(end - start for start, end in found) <= max(effort + 2 * WINDOW, 2 * WINDOW)
    if size:
        assert (found[0][0], found[-1][1]) == (7, 7 + size)
