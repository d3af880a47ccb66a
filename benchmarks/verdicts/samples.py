"""One file of the corpus: its bytes, what it is, and where it comes from."""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Sample:
    """A healthy file. `name` is unique in a corpus and ends as such files do."""

    name: str
    kind: str
    """What it is, in the tables: "dicom, JPEG frames"."""
    data: bytes
    origin: str
    """"made", "fixture" (of the project's tests), "machine" or "corpus"."""


class Size(NamedTuple):
    """Bytes asked of a maker, at least and at most."""

    least: int
    most: int


SMALL = Size(2 << 10, 20 << 10)
USUAL = Size(20 << 10, 500 << 10)
LARGE = Size(1 << 20, 3 << 19)
HUGE = Size(9 << 20, 16 << 20)
"""Beyond `vigie.judge.sampling.WHOLE`: only a sample of these is read at first."""


def drawn(dice: Random, size: Size) -> int:
    """A size, small ones as likely as large ones (log-uniform)."""
    low, high = size
    return int(low * (high / low) ** dice.random())
