"""What a person would do today with restic alone, on the same repository and in the same run.

Restoring each snapshot to check its files is measured on three snapshots and multiplied, comparing neighbours
on five pairs; reading all data once is measured whole. restic has its cache, in a folder of this run, warmed
by a command that is not counted.
"""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bill import FOUND, Bill, measured, vigie
from building import Built
from ledger import Truth

T = TypeVar("T")
RESTORED = 3
COMPARED = 5


@dataclass(frozen=True, slots=True)
class Rival:
    """One way, and what it would take for the whole repository."""

    name: str
    measured: int
    """Runs that were timed,"""
    of: int
    """of so many that are needed."""
    each: float
    """Seconds a run, on average."""
    note: str = ""

    @property
    def seconds(self) -> float:
        """For all of them."""
        return self.each * self.of


def rivals(built: Built, truth: Truth, work: Path, said: Callable[[str], None]) -> list[Rival]:
    """All of them. `work` has to have room for one snapshot."""
    out, cache = work / "said", work / "cache"
    base = ("restic", "--quiet", "--repo", str(built.repository), "--cache-dir", str(cache))

    def timed(*words: str) -> Bill:
        return measured((*base, *words), out)

    timed("ls", truth.snapshots[0])
    pairs = list(zip(truth.snapshots, truth.snapshots[1:], strict=False))
    compared = [timed("diff", before, after).seconds for before, after in _spread(pairs, COMPARED)]
    said("restic diff")
    restored, checked = [], []
    for snapshot in _spread(truth.snapshots, RESTORED):
        target = work / "restored"
        restored.append(timed("restore", snapshot, "--target", str(target)).seconds)
        check = vigie("check", "--json", "--state", str(work / "state"), str(target))
        checked.append(measured(check, out, fine=FOUND).seconds)
        shutil.rmtree(target)
        shutil.rmtree(work / "state", ignore_errors=True)
    said("restic restore and vigie check")
    every = len(truth.snapshots)
    found = [
        Rival("restic restore of each snapshot", len(restored), every, _mean(restored)),
        Rival("vigie check of what was restored", len(checked), every, _mean(checked)),
        Rival(
            "restic diff between neighbours", len(compared), len(pairs), _mean(compared), "lists paths only"
        ),
    ]
    try:
        read = timed("check", "--read-data").seconds
        found.append(Rival("restic check --read-data", 1, 1, read, "sound packs, whatever is in them"))
    except subprocess.CalledProcessError as error:
        found.append(Rival("restic check --read-data", 0, 1, 0.0, f"failed: exit code {error.returncode}"))
    said("restic check --read-data")
    return found


def _spread(items: Sequence[T], count: int) -> list[T]:
    """Some of them, evenly from first to last."""
    count = min(count, len(items))
    return [items[round(n * (len(items) - 1) / max(1, count - 1))] for n in range(count)]


def _mean(seconds: Sequence[float]) -> float:
    return sum(seconds) / max(1, len(seconds))
