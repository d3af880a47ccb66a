"""Whether raw pixels are calm enough for random bytes to stand out among them, and where random bytes stand.

Rougher than the judge's kernels (which formats may not use), and on the same cells: 64 bytes of the file.
"""

import numpy as np
from numpy.typing import NDArray

from vigie.formats.contract import Effort
from vigie.formats.media.stuffing import WINDOW, spread
from vigie.model import Blob

_SAMPLE = 1024 * 1024
_CELL = 64
_LIVELY, _RANDOM = 30, 60
"""Mean distance of neighbouring bytes: of random ones 85; of a grainy photo it may be anything up to that."""
_DISTINCT = 44
"""Different bytes among 64 from which on the judge may take a cell for random."""
_SHARE = 4
_COMPANY = 12


def calm(blob: Blob, start: int, end: int, effort: Effort) -> bool:
    """Whether hardly any pixels in `[start, end)` are half as lively as random bytes.

    Where pixels are grainy, some of them will look random by chance, and nothing can be told. Overwriting
    makes cells that are random throughout, and leaves the rest as calm as it was: that counts as calm.

    Raises:
        Unreadable: the blob cannot be read.
    """
    budget = Effort(min(_SAMPLE, max(effort.left, WINDOW)))
    lively = random = 0
    for first, last in spread(start, end, budget):
        aligned = -(-first // _CELL) * _CELL  # the judge's cells
        data = blob.at(aligned, max(0, last - aligned))
        effort.spend(len(data))
        steps = _steps(data)
        random += int((steps >= _RANDOM).sum())
        lively += int(((steps >= _LIVELY) & (steps < _RANDOM)).sum())
    return lively * _SHARE <= random


def random_runs(data: bytes, offset: int) -> list[tuple[int, int]]:
    """Where in `data`, which begins at `offset` of the file, cells are random: ranges of the file.

    A cell that is random by chance has no company: fewer than twelve among 64 are left out.
    """
    skip = -offset % _CELL
    flags = _steps(data[skip:]) >= _RANDOM
    company = np.add.reduceat(flags, np.arange(0, flags.size, _CELL)) if flags.size else flags
    flags &= np.repeat(company, _CELL)[: flags.size] >= _COMPANY
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags, [0]))))
    return [
        (offset + skip + first * _CELL, offset + skip + last * _CELL)
        for first, last in edges.reshape(-1, 2).tolist()
    ]


def _steps(data: bytes) -> NDArray[np.float64]:
    """For each cell the least mean distance of bytes 1 to 4 apart; 0 where few bytes differ at all."""
    flat = np.frombuffer(data, np.uint8)
    cells = flat[: flat.size // _CELL * _CELL].reshape(-1, _CELL)
    steps = np.full(len(cells), 255.0)
    busy = np.arange(len(cells))
    for lag in range(1, 5):
        some = cells[busy].astype(np.int16)
        steps[busy] = np.minimum(steps[busy], np.abs(some[:, lag:] - some[:, :-lag]).mean(axis=1))
        busy = busy[steps[busy] >= _LIVELY]  # calm ones need no further look
    many = (np.diff(np.sort(cells[busy], axis=1), axis=1) != 0).sum(axis=1) + 1
    steps[busy[many < _DISTINCT]] = 0
    return steps
