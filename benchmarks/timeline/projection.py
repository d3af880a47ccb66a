"""From repositories of several sizes to one that was not measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from trial import Trial

MILLION, SNAPSHOTS = 1_000_000, 90


@dataclass(frozen=True, slots=True)
class Projection:
    """Seconds and bytes that 1,000,000 files in 90 snapshots would take, and how well a line fits."""

    seconds: float
    memory: float
    exponent: float
    """Slope of log(seconds) over log(contents): 1 is linear."""
    residual: float
    """Largest distance of a measured point from the line, as a share of it."""


def projected(trials: Sequence[Trial]) -> Projection:
    """A straight line over the number of contents, which grows with the snapshots.

    Raises:
        ValueError: fewer than two sizes were measured.
    """
    if len({trial.contents for trial in trials}) < 2:
        raise ValueError("a line takes two sizes at least")
    contents = np.array([trial.contents for trial in trials], float)
    seconds = np.array([trial.timeline.seconds for trial in trials])
    memory = np.array([trial.timeline.memory for trial in trials], float)
    last = max(trials, key=lambda trial: trial.contents)
    grown = last.contents / last.files - 1
    target = MILLION * (1 + grown * SNAPSHOTS / last.snapshots)
    line, room = np.polyfit(contents, seconds, 1), np.polyfit(contents, memory, 1)
    power = np.polyfit(np.log(contents), np.log(seconds), 1)
    off = np.abs(np.polyval(line, contents) / seconds - 1).max()
    return Projection(
        float(np.polyval(line, target)), float(np.polyval(room, target)), float(power[0]), float(off)
    )
