"""Deflate: where a stream breaks, and where the rubbish before the break began."""

import random
import zlib
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.archive.deflate import FAST, LATE, SLICE, Inflated, Mark, Stop, crc32, inflate, unbroken
from vigie.formats.archive.deflate_onset import onset
from vigie.formats.archive.deflate_resume import trace
from vigie.formats.contract import Bytes, Effort

PLENTY = 1 << 28


def letters() -> bytes:
    """Records whose fields foretell each other, as exports of a laboratory have them."""
    dice = random.Random(1)
    names, tests = ("DUPONT", "MARTIN", "LEROY", "MOREAU"), ("sodium", "potassium", "glucose")
    return "\n".join(
        f"{dice.randrange(10**6):06};{dice.choice(names)};{dice.choice(tests)};{dice.random() * 100:.2f};mg/l"
        for _ in range(30_000)
    ).encode()


def pixels() -> bytes:
    """Differences of the rows of a smooth picture with some grain."""
    rows, columns = np.mgrid[0:700, 0:700]
    plane = 90 + 60 * np.sin(rows / 90) + 40 * np.cos(columns / 70)
    image = (plane + np.random.default_rng(1).normal(0, 3, plane.shape)).astype(np.uint8)
    return bytes(np.diff(image, axis=1, prepend=0).astype(np.uint8).tobytes())


def packed(data: bytes) -> bytes:
    engine = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


def strike(stream: bytes, start: int, length: int, seed: int = 1) -> bytes:
    noise = random.Random(seed).randbytes(length)
    return (stream[:start] + noise + stream[start + length :])[: len(stream)]


def followed(stream: bytes, effort: int = PLENTY) -> tuple[tuple[int, int], ...]:
    def whole(last: Inflated) -> bool:
        return last.end >= len(stream) - 8

    return trace(Bytes(stream), 0, len(stream), Effort(effort), whole).breaks


LETTERS, PIXELS = packed(letters()), packed(pixels())


@pytest.mark.parametrize("stream", [LETTERS, PIXELS], ids=["letters", "pixels"])
def test_a_healthy_stream_has_no_break(stream: bytes) -> None:
    assert followed(stream) == ()


@pytest.mark.parametrize("stream", [LETTERS, PIXELS], ids=["letters", "pixels"])
@pytest.mark.parametrize("length", [16_384, 65_536, 1 << 20])
def test_the_start_is_told_to_a_block(stream: bytes, length: int) -> None:
    away = []
    for seed in range(10):
        start = random.Random(seed).randrange(20_000, len(stream) - min(length, 40_000))
        breaks = followed(strike(stream, start, length, seed))
        if breaks:  # a short strike may pass, for codes fall into step again
            assert any(first < start + length and last > start for first, last in breaks)
            away.append(abs(breaks[0][0] - start))
    assert len(away) >= 5
    assert sum(place <= 4096 for place in away) >= 0.75 * len(away)


def test_nothing_is_told_without_order() -> None:
    # Bytes that say nothing about the next one: the code is all there is to know.
    dice = random.Random(3)
    stream = packed(bytes(dice.choices(range(64), weights=range(1, 65), k=400_000)))
    struck = strike(stream, 100_000, 1 << 20)
    found = inflate(Bytes(struck), 0, len(struck), Effort(PLENTY))
    assert found.stop is Stop.BROKEN
    assert followed(struck)[0][0] == found.end - LATE


def test_a_break_without_rubbish_is_near() -> None:
    # A stream in order up to its last step, as where zlib breaks at once.
    marks: deque[Mark] = deque(maxlen=9)
    stream = packed(b"".join(b"%06d;sodium;140;mmol/l;normal\n" % (n * 7919 % 10**6) for n in range(60_000)))
    inflate(Bytes(stream), 0, len(stream), Effort(PLENTY), marks=marks)
    end = marks[-1].position
    found = onset(Bytes(stream), marks[0], end, Effort(PLENTY))
    assert found is not None
    assert end - 4096 <= found


def test_too_little_to_tell() -> None:
    marks: deque[Mark] = deque()
    inflate(Bytes(LETTERS), 0, 3000, Effort(PLENTY), marks=marks)
    assert onset(Bytes(LETTERS), marks[0], 3000, Effort(PLENTY)) is None


def test_effort_and_bombs_end_it() -> None:
    marks: deque[Mark] = deque()
    inflate(Bytes(LETTERS), 0, len(LETTERS), Effort(PLENTY), marks=marks)
    assert onset(Bytes(LETTERS), marks[0], 100_000, Effort(4096)) is None
    bomb = packed(bytes(30 << 20))
    marks.clear()
    inflate(Bytes(bomb), 0, len(bomb), Effort(PLENTY), marks=marks)
    assert onset(Bytes(bomb), marks[0], len(bomb), Effort(PLENTY)) is None


def test_marks_can_be_used_again() -> None:
    marks: deque[Mark] = deque(maxlen=3)
    first = inflate(Bytes(LETTERS), 0, len(LETTERS), Effort(PLENTY), marks=marks)
    again = inflate(Bytes(LETTERS), 0, len(LETTERS), Effort(PLENTY), marks=marks)
    assert first == again
    assert len(marks) == 3
    assert [mark.position % (16 * 1024) for mark in marks] == [0, 0, 0]


def by_zlib(stream: bytes, end: int, effort: int = PLENTY) -> Inflated:
    """What zlib says: it is asked at once where marks are wanted."""
    return inflate(Bytes(stream), 0, end, Effort(effort), marks=deque(maxlen=1))


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY])
def test_both_engines_agree_on_what_is_whole(level: int, strategy: int) -> None:
    data = letters()[:300_000] + bytes(2 * FAST) + random.Random(4).randbytes(FAST)
    engine = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, strategy=strategy)
    stream = engine.compress(data) + engine.flush()
    for behind in (b"", b"\0", b"PK\3\4" * 50, bytes(2 * FAST)):
        found = unbroken(Bytes(stream + behind), 0, len(stream + behind), Effort(PLENTY))
        assert found == Inflated(Stop.ENDED, len(stream), len(data), zlib.crc32(data), zlib.adler32(data))
        assert found == by_zlib(stream + behind, len(stream + behind))
    for end in (0, 1, len(stream) // 2, len(stream) - 1):
        cut, other = unbroken(Bytes(stream), 0, end, Effort(PLENTY)), by_zlib(stream, end)
        assert cut is not None
        assert (cut.stop, cut.end) == (other.stop, other.end) == (Stop.SHORT, end)
        assert other.size - 300 < cut.size <= other.size  # ISA-L may keep the last code back


@given(st.integers(0, len(PIXELS)), st.sampled_from([1, 16, 512, 4096, 65_536]), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_both_engines_agree_on_what_is_broken(start: int, length: int, seed: int) -> None:
    for stream in (LETTERS, PIXELS):
        struck = strike(stream, min(start, len(stream)), length, seed)
        effort = Effort(PLENTY)
        found, other = unbroken(Bytes(struck), 0, len(struck), effort), by_zlib(struck, len(struck))
        assert (found is None) == (other.stop is Stop.BROKEN)
        assert found in (None, other)
        assert effort.left < PLENTY or found is None
        assert inflate(Bytes(struck), 0, len(struck), Effort(PLENTY)) == other


def test_an_effort_may_end_in_the_last_slice() -> None:
    bomb = packed(bytes(30 << 20))
    assert len(bomb) < FAST
    for marks in (None, deque[Mark]()):
        effort = Effort(1 << 21)
        found = inflate(Bytes(bomb), 0, len(bomb), effort, marks=marks)
        assert found.stop is Stop.SPENT
        assert found.size < 1 << 22
        assert inflate(Bytes(bomb), 0, len(bomb), effort, marks=marks).size == 0
    assert unbroken(Bytes(LETTERS), 0, len(LETTERS), Effort(SLICE)) is not None


def test_a_checksum_within_the_effort() -> None:
    data = random.Random(5).randbytes(600_000)
    assert crc32(Bytes(data), 7, 599_000, Effort(PLENTY)) == zlib.crc32(data[7:599_000])
    assert crc32(Bytes(data), 0, 600_000, Effort(599_999)) is None


@given(st.binary(max_size=3000), st.integers(0, 40_000))
@settings(max_examples=50, deadline=None)
def test_anything_goes(noise: bytes, place: int) -> None:
    for data in (noise, LETTERS[:place] + noise + LETTERS[place:60_000]):
        breaks = followed(data, 1 << 22)
        edges = [edge for pair in breaks for edge in pair]
        assert edges == sorted(edges)
        assert all(0 <= edge <= len(data) for edge in edges)
