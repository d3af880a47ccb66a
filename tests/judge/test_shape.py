import random
from itertools import pairwise

import numpy as np
import pytest

from vigie.formats.contract import Bytes
from vigie.judge.kernels import BLOCK
from vigie.judge.randomness import Randomness, merged
from vigie.judge.sampling import HEAD, MOST, STRIDE, TAIL, WHOLE, windows
from vigie.judge.shape import MOST_RANGES, Shape, rhythm, shape, with_rhythm
from vigie.model import Pattern, Period, Range

SIZE = 1_000_000


def evenly(first: int, on: int, step: int, count: int) -> list[Range]:
    return [Range(first + n * step, first + n * step + on) for n in range(count)]


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        ([Range(0, SIZE)], Shape(Pattern.FULL, (Range(0, SIZE),))),
        ([Range(30, SIZE - 40)], Shape(Pattern.FULL, (Range(0, SIZE),))),
        ([Range(0, 4096)], Shape(Pattern.HEADER, (Range(0, 4096),))),
        ([Range(0, 2048), Range(2112, 4096)], Shape(Pattern.HEADER, (Range(0, 4096),))),
        ([Range(8192, 12288)], Shape(Pattern.PARTIAL, (Range(8192, 12288),))),
        ([Range(9000, SIZE)], Shape(Pattern.PARTIAL, (Range(9000, SIZE),))),
        (
            [Range(0, 100_000), Range(900_000, SIZE)],
            Shape(Pattern.INTERMITTENT, (Range(0, 100_000), Range(900_000, SIZE))),
        ),
        (
            evenly(0, 4096, 65_536, 10),
            Shape(Pattern.INTERMITTENT, tuple(evenly(0, 4096, 65_536, 10)), Period(4096, 61_440)),
        ),
        (evenly(0, 64, 192, 5000), Shape(Pattern.INTERMITTENT, (Range(0, 4999 * 192 + 64),))),
    ],
)
def test_hits_become_ranges_and_a_pattern(hits: list[Range], expected: Shape) -> None:
    assert shape(hits, SIZE) == expected


def test_a_piece_that_was_missed_does_not_hide_the_beat_and_chance_makes_none() -> None:
    hits = evenly(0, 4096, 65_536, 12)
    assert shape([*hits[:4], *hits[5:]], SIZE).period == Period(4096, 61_440)
    dice = random.Random(1)
    scattered = [Range(at, at + 4096) for at in sorted(dice.sample(range(0, SIZE, 8192), 12))]
    assert shape(scattered, SIZE).period is None
    uneven = [Range(r.start, r.start + 4096 * (1 + n % 5)) for n, r in enumerate(hits)]
    assert shape(uneven, SIZE).period is None


def test_ranges_are_bounded_in_number() -> None:
    hits = evenly(0, 64, 20_000, 900)
    found = shape(hits, 20_000 * 900)
    assert found.pattern is Pattern.INTERMITTENT
    assert len(found.ranges) == MOST_RANGES
    assert found.ranges[-1].end == hits[-1].end
    assert "and 253 more, 64 of every 20,000 bytes" in found.words()
    assert merged([Range(5, 6), Range(0, 1), Range(1, 3)], 0) == [Range(0, 3), Range(5, 6)]


@pytest.mark.parametrize(("on", "off"), [(16, 16), (64, 128), (64, 192), (128, 64), (704, 1024)])
@pytest.mark.parametrize("text", [True, False])
def test_the_rhythm_of_small_pieces_is_found(on: int, off: int, text: bool) -> None:
    dice = random.Random(on)
    data = bytearray(b"a line of a table; 12,5 mmol/l\r\n" * 2000 if text else bytes(64_000))
    for start in range(0, len(data), on + off):
        data[start : start + on] = dice.randbytes(len(data[start : start + on]))
    whole = Shape(Pattern.INTERMITTENT, (Range(0, len(data)),))
    found = with_rhythm(whole, Randomness(Bytes(bytes(data))))
    assert found.period == Period(on, off)


def test_no_rhythm_is_heard_where_there_is_none() -> None:
    dice = np.random.default_rng(1)
    assert rhythm(dice.random(4096) < 0.3) is None
    assert rhythm(np.ones(4096, np.bool_)) is None
    assert rhythm(np.zeros(4096, np.bool_)) is None
    assert rhythm(np.ones(4, np.bool_)) is None
    full = Shape(Pattern.FULL, (Range(0, 10),))
    assert with_rhythm(full, Randomness(Bytes(bytes(10)))) is full


@pytest.mark.parametrize("size", [0, 1, WHOLE, WHOLE + 1, 5 << 20, 1 << 30, 20 << 30, 1 << 44])
def test_what_is_read_rises_is_aligned_and_bounded(size: int) -> None:
    chosen = list(windows(size, full=False))
    assert chosen[0][0] == 0
    assert all(start % BLOCK == 0 for start, _ in chosen)
    assert all(a + length <= b for (a, length), (b, _) in pairwise(chosen))
    assert chosen[-1][0] + chosen[-1][1] == size
    assert sum(length for _, length in chosen) <= min(size, HEAD + MOST + TAIL + 2 * BLOCK)
    assert list(windows(size, full=True)) == [(0, size)]


def test_nothing_regular_and_nothing_of_two_strides_falls_between_the_samples() -> None:
    size = 32 << 20
    chosen = [start // BLOCK for start, length in windows(size, full=False) if length == BLOCK]
    gaps = np.diff(chosen)
    assert gaps.max() * BLOCK <= 2 * STRIDE
    for step in range(2, 257):  # blocks from one overwritten block to the next
        phases = np.bincount(np.array(chosen) % step, minlength=step)
        assert (phases > 0).mean() > 0.95
