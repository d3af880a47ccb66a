"""Measured values against chance: what signals and pictures may look like, and what they may not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from vigie.formats import samples
from vigie.formats.contract import Bytes

COUNT = 1 << 16
TIME = np.arange(COUNT)


def dice() -> np.random.Generator:
    return np.random.default_rng(23)


def clipped(values: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.clip(values, -32768, 32767).astype(np.int16)


SIGNALS = {
    "quiet": clipped(dice().normal(0, 100, COUNT)),
    "noise over the whole range": clipped(dice().normal(0, 8000, COUNT)),
    "mains on a loose electrode": clipped(32_000 * np.sin(2 * np.pi * 0.195 * TIME)),
    "mains with noise": clipped(30_000 * np.sin(2 * np.pi * 0.195 * TIME) + dice().normal(0, 2000, COUNT)),
    "cut off at the rails": clipped(40_000 * np.sin(TIME / 7)),
    "a ramp": ((TIME * 300) % 65536 - 32768).astype(np.int16),
    "a square": clipped(np.sign(np.sin(TIME * 0.3)) * 32_767),
    "uniform, 13 bits": dice().integers(-4096, 4096, COUNT).astype(np.int16),
    "constant": np.full(COUNT, -32768, np.int16),
    "constant, in the middle": np.full(COUNT, 16384, np.int16),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_no_signal_is_chance(name: str) -> None:
    assert not samples.telling(samples.chance(SIGNALS[name])).any()


@pytest.mark.parametrize(("width", "big"), [(2, False), (2, True), (3, False), (4, True)])
def test_chance_is(width: int, big: bool) -> None:
    hits = samples.chance(samples.tops(dice().bytes(1 << 18), width, big=big))
    assert hits.mean() > 0.995
    assert samples.telling(hits).mean() > 0.995


def test_the_upper_bits_are_taken_from_the_right_end() -> None:
    values = np.array([-2, 513, 32767], np.int32) << 8
    assert samples.tops(values.astype("<i4").tobytes(), 4).tolist() == [-1, 2, 127]
    assert samples.tops(values.astype(">i4").tobytes(), 4, big=True).tolist() == [-1, 2, 127]
    assert samples.tops(b"\1\2\3\4\5\6\7", 3).tolist() == [0x0302, 0x0605]


def test_lone_hits_are_not_telling() -> None:
    hits = np.zeros(1000, np.bool_)
    hits[[3, 200, 777]] = True
    assert not samples.telling(hits).any()
    hits[500:504] = True
    assert np.flatnonzero(samples.telling(hits)).tolist() == [500, 501, 502, 503]
    hits[640:704:6] = True
    assert samples.telling(hits)[640:704].sum() == 11


def test_stretches_are_joined_and_bounded() -> None:
    found = [samples.Stretch(at, at + 10) for at in (0, 50, 200, 274, 600)]
    assert samples.joined(found, 9) == [(0, 60), (200, 210), (274, 284), (600, 610)]
    assert samples.joined(found, 2) == [(0, 60), (200, 610)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 63, 64, 65])
def test_both_ends_come_first_and_each_once(count: int) -> None:
    order = list(samples.ends_first(count))
    assert sorted(order) == list(range(count))
    assert order[:2] == [0, count - 1][:count] or count < 2


def test_places_are_all_or_spread() -> None:
    assert list(samples.places(5, 105, 10, 1000)) == list(range(5, 105, 10))
    assert list(samples.places(5, 105, 10, 30)) == [5, 45, 95]
    assert list(samples.places(5, 105, 10, 10)) == [5]
    assert list(samples.places(5, 12, 10, 7)) == [5]
    assert list(samples.places(5, 12, 10, 6)) == list(samples.places(5, 5, 10, 60)) == []


@pytest.mark.parametrize(("code", "width"), [("f4", 4), ("f8", 8)])
@pytest.mark.parametrize("big", [False, True])
def test_floats_that_were_measured_and_floats_that_were_not(code: str, width: int, big: bool) -> None:
    order = ">" if big else "<"
    throws = dice()
    healthy = throws.normal(0, 3, 8192) * 10.0 ** throws.integers(-9, 9, 8192)
    healthy[:2048] = np.nan  # a mask
    healthy[2048:4096] = 10.0 ** -(np.arange(2048) / 40)  # the tail of a filter
    data = healthy.astype(order + code).tobytes()
    size = len(data)
    assert not list(samples.odd_floats(Bytes(data), 0, size, width, size, big=big))
    hit = data[:16384] + throws.bytes(4096) + data[20480:]
    found = samples.joined(list(samples.odd_floats(Bytes(hit), 0, size, width, size, big=big)), 64, 256)
    assert found
    assert all(start >= 16384 and end <= 20480 for start, end in found)
    assert sum(end - start for start, end in found) > 2400


def test_noisy_pictures_are_told_from_struck_ones() -> None:
    phase = dice().integers(-3142, 3142, COUNT).astype("<i2").tobytes()
    tissue = (1000 + 200 * np.sin(TIME / 30) + dice().normal(0, 20, COUNT)).astype("<i2").tobytes()
    struck = bytearray(tissue)
    for at in range(0, len(struck), 192):
        struck[at : at + 64] = dice().bytes(len(struck[at : at + 64]))
    size = len(tissue)
    assert samples.noisy(Bytes(phase), 0, size)
    assert not samples.noisy(Bytes(tissue), 0, size)
    assert not samples.noisy(Bytes(bytes(struck)), 0, size)
    assert not samples.noisy(Bytes(dice().bytes(size)), 0, size)
    assert not samples.noisy(Bytes(b""), 0, 0)
    assert not list(samples.struck(Bytes(phase), 0, size, size))
