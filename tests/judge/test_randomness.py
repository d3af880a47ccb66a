"""Random stretches amid data that looks random cell by cell."""

import random
import zlib

import numpy as np
import pytest

from vigie.formats.contract import Bytes
from vigie.judge import judge
from vigie.judge.randomness import Randomness
from vigie.model import Range, State

DICE = random.Random(9)
# Like a JPEG scan: nearly uniform, but for two values.
SKEWED = np.random.default_rng(4).choice(256, 200_000, p=[0.02, 0.0175, *[0.9625 / 254] * 254])
CODED = SKEWED.astype(np.uint8).tobytes()


def struck(data: bytes, *ranges: Range) -> bytes:
    out = bytearray(data)
    for start, end in ranges:
        out[start:end] = DICE.randbytes(end - start)
    return bytes(out)


@pytest.mark.parametrize(
    "ranges",
    [
        (Range(0, 4096),),
        (Range(0, 65_536),),
        (Range(40_960, 45_056),),
        (Range(8192, 16_384), Range(98_304, 131_072)),
        (Range(131_072, 200_000),),
    ],
)
def test_random_stretches_amid_coded_data_are_told_to_a_block(ranges: tuple[Range, ...]) -> None:
    found = Randomness(Bytes(struck(CODED, *ranges)))
    parts = found.random_parts(0, found.size)
    assert parts is not None
    assert len(parts) == len(ranges)
    for part, truth in zip(parts, ranges, strict=True):
        assert abs(part.start - truth.start) <= 4096
        assert abs(part.end - truth.end) <= 4096


def test_none_are_told_where_there_is_none_and_where_all_is_random() -> None:
    healthy = Randomness(Bytes(CODED))
    assert healthy.random_parts(0, healthy.size) == []
    for size in (100, 9000, 300_000, 3_000_000):
        noise = Randomness(Bytes(DICE.randbytes(size)))
        assert noise.random_parts(0, size) is None
        assert noise.random_until(0, size) == size
    assert healthy.random_until(0, healthy.size) == 0


def test_what_follows_random_bytes_ends_them() -> None:
    plain = DICE.randbytes(20_000) + b"Bonjour, tout va bien. " * 900
    assert abs(Randomness(Bytes(plain)).random_until(0, len(plain)) - 20_000) <= 64
    coded = struck(CODED, Range(0, 16_384))
    assert Randomness(Bytes(coded)).random_until(0, len(coded)) == 16_384


def test_the_uniform_are_called_so_and_the_skewed_are_not() -> None:
    blocks = [Randomness(Bytes(DICE.randbytes(64 << 10))).uniform(0, 64 << 10) for _ in range(200)]
    assert blocks.count(False) <= 1
    assert Randomness(Bytes(CODED)).uniform(0, len(CODED)) is False
    assert Randomness(Bytes(CODED)).uniform(10, 4000) is None
    assert Randomness(Bytes(CODED)).chi2(0, 100) is None


def picture() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    side = 600
    noise = np.random.default_rng(1).normal(120, 5, (side, side)).clip(0, 255).astype(np.uint8)
    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in noise))
    header = side.to_bytes(4, "big") * 2 + b"\x08\0\0\0\0"
    pieces = [chunk(b"IDAT", pixels[at : at + 65_536]) for at in range(0, len(pixels), 65_536)]
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(pieces) + chunk(b"IEND", b"")


def test_a_flipped_bit_in_a_picture_is_never_surely_encrypted_and_a_random_stretch_is() -> None:
    healthy = picture()
    assert judge(Bytes(healthy), "a.png").state is State.INTACT
    flipped = bytearray(healthy)
    flipped[len(healthy) // 2] ^= 0x10
    doubt = judge(Bytes(bytes(flipped)), "a.png")
    assert doubt.state is State.DAMAGED or doubt.confidence <= 0.6
    place = len(healthy) // 2 // 4096 * 4096
    verdict = judge(Bytes(struck(healthy, Range(place, place + 16_384))), "a.png")
    assert verdict.state is State.ENCRYPTED
    assert min(abs(hit.start - place) for hit in verdict.ranges) <= 4096
    assert min(abs(hit.end - place - 16_384) for hit in verdict.ranges) <= 4096
