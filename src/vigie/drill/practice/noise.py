"""Sensor noise, made once and cut differently each time: making it anew would take most of the time."""

from functools import cache
from random import Random

import numpy as np
from numpy.typing import NDArray

_SIDE = 1024


@cache
def _plane() -> NDArray[np.float32]:
    return np.random.default_rng(20_261_123).standard_normal((_SIDE, _SIDE), dtype=np.float32)


def noise(rng: Random, rows: int, columns: int) -> NDArray[np.float32]:
    """Gaussian noise of standard deviation 1: a window (under 1024 a side) placed by `rng`."""
    top, left = rng.randrange(_SIDE - rows), rng.randrange(_SIDE - columns)
    return _plane()[top : top + rows, left : left + columns]
