"""Compressed or encrypted, where no format helps: the judge's test of uniformity, by the length of the piece.

`Randomness.uniform` asks whether the byte values of whole 4 KiB blocks are as even as chance makes them. What
it takes for chance and is compressed is its false-positive rate; nothing shorter than a block is judged by it
at all ("none").
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import making_documents as documents
import making_images as images
import numpy as np
import zstandard

from vigie.formats.contract import Bytes
from vigie.judge.kernels import BLOCK
from vigie.judge.randomness import Randomness

LENGTHS = (512, 4 << 10, 8 << 10, 32 << 10, 128 << 10, 512 << 10)
MOST = 2000
"""Pieces of one length, at most."""
RANDOM = "random bytes"


@dataclass(frozen=True, slots=True)
class Cell:
    """Pieces of one coding and one length."""

    coding: str
    length: int
    pieces: int
    uniform: int
    """How many pass for random."""

    @property
    def words(self) -> str:
        """The share, for people; below a block of the judge's there is none."""
        if self.length < BLOCK:
            return "not judged"
        return f"{self.uniform / self.pieces:.1%} of {self.pieces}" if self.pieces else "–"


def _stream(compress: Callable[[bytes], bytes]) -> Callable[[Random, int], bytes]:
    return lambda dice, size: compress(documents.text(dice, size * 2))


def _pixels(data: bytes, marker: bytes) -> bytes:
    at = data.find(marker)
    return data[at + 64 :] if at >= 0 else data


def _jpeg(dice: Random, size: int) -> bytes:
    return _pixels(images.jpeg(dice, size), b"\xff\xda")


def _png(dice: Random, size: int) -> bytes:
    return _pixels(images.png(dice, size * 2), b"IDAT")


CODINGS: dict[str, Callable[[Random, int], bytes]] = {
    RANDOM: lambda dice, size: np.random.default_rng(dice.getrandbits(64)).bytes(size),
    "deflate": _stream(lambda data: zlib.compress(data, 6)),
    "zstd": _stream(lambda data: zstandard.ZstdCompressor(level=3).compress(data)),
    "xz": _stream(lambda data: lzma.compress(data, preset=1)),
    "bzip2": _stream(bz2.compress),
    "jpeg": _jpeg,
    "png": _png,
    "webp": lambda dice, size: images.webp(dice, size * 3)[64:],
    "jpeg 2000": lambda dice, size: images.jpeg2000(dice, size * 4)[200:],
}
"""A long enough piece of each coding, past its header."""


def measured(seed: int, *, budget: int, lengths: Sequence[int] = LENGTHS) -> Iterator[Cell]:
    """One cell for each coding and length; the pieces are cut from `budget` bytes of each coding."""
    for coding, make in CODINGS.items():
        dice = Random(f"{seed} {coding}")
        streams: list[bytes] = []
        while sum(map(len, streams)) < budget:
            streams.append(make(dice, 2 * lengths[-1] + (64 << 10)))
        for length in lengths:
            pieces = [
                stream[start : start + length]
                for stream in streams
                for start in range(BLOCK, len(stream) - length + 1, max(length, BLOCK))
            ][:MOST]
            yield Cell(coding, length, len(pieces), sum(map(passes, pieces)))


def passes(piece: bytes) -> bool:
    """Whether the judge would take a piece for random: shorter than a block, it cannot tell, and does."""
    return Randomness(Bytes(piece)).uniform(0, len(piece)) is not False
