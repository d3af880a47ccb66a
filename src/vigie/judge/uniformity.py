"""Compressed or random? What the histograms of blocks say, where every cell looks random. Pure arithmetic."""

import numpy as np
from numpy.typing import NDArray

from vigie.judge.kernels import BLOCK

UNIFORM_MEAN, UNIFORM_DEVIATION = 255.0, 22.6
"""Chi-square of a block of random bytes: 255 degrees of freedom, variance twice that."""
SURE = 12.0
"""Natural logarithm of the odds that a tail is compressed rather than random, at which it is believed."""
_CHANGE = 4.0
"""Nats that a change between random and compressed costs: one block has to be worth it."""
_ROUNDS = 4
_OVERFIT = 170.0
"""A histogram that is learnt from random bytes fits them better than the uniform one: by 127 (half of the 255
degrees of freedom) on average, with a deviation of 11; this is four of them more."""


def chi2(rows: NDArray[np.int32]) -> NDArray[np.float64]:
    """Pearson's chi-square of each histogram of a whole block against the uniform one."""
    squares: NDArray[np.float64] = (rows.astype(np.float64) ** 2).sum(axis=1)
    return squares * (256.0 / BLOCK) - BLOCK


def gain(rows: NDArray[np.int32]) -> NDArray[np.float64]:
    """How much better "compressed, like most of this" explains each block than "random", in nats.

    Two models of compressed data, and the one that fits better: its byte values are not equally frequent
    (JPEG, PNG: hundreds of nats a block), or they are on the whole, but not block by block, since each
    stretch has a code of its own (deflate of text: about one nat a block). The model is learnt from all
    blocks, and then again from those that it fits. All zero where neither fits better than chance (xz, and
    what is random).
    """
    measured = chi2(rows)
    like = np.ones(rows.shape[0], np.bool_)
    found = np.zeros(rows.shape[0])
    for _ in range(_ROUNDS):
        total = rows[like].sum(axis=0) + 1.0
        weights = np.log(total * 256 / total.sum())
        learnt: NDArray[np.float64] = rows @ weights
        mean = float(measured[like].mean())
        shifted = ((measured - UNIFORM_MEAN) ** 2 - (measured - mean) ** 2) / (2 * UNIFORM_DEVIATION**2)
        gains = float(learnt[like].sum()) - _OVERFIT, float(shifted[like].sum())
        if mean < UNIFORM_MEAN + 4 * UNIFORM_DEVIATION / float(np.sqrt(like.sum())):
            gains = gains[0], 0.0
        if max(gains) <= SURE:
            break
        found = learnt if gains[0] > gains[1] else shifted
        like = found > 0
        if not like.any():
            break
    return found


def likeliest(score: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which blocks are in the state that `score` speaks for (Viterbi 1967, with two states)."""
    off = on = 0.0
    came = np.zeros((2, score.size), np.bool_)  # whether the best way to a state came from the other one
    for index, value in enumerate(score.tolist()):
        came[0, index], came[1, index] = on - _CHANGE > off, off - _CHANGE > on
        off, on = max(off, on - _CHANGE), max(on, off - _CHANGE) + value
    state = on > off
    path = np.zeros(score.size, np.bool_)
    for index in range(score.size - 1, -1, -1):
        path[index] = state
        state ^= bool(came[int(state), index])
    return path
