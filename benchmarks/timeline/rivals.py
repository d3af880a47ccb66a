"""What a person would do today with restic alone, on the same repository and in the same run.

Each way is timed on a sample of snapshots, evenly from first to last, and multiplied; on fewer where one run
takes long. restic has its cache, in a folder of this run, warmed by a command that is not counted. Restored
files are judged by `vigie check` with nothing remembered, since what is restored anew has new inodes.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log2
from pathlib import Path
from typing import TypeVar

from bill import FOUND, Bill, measured, vigie
from building import Built
from ledger import Truth

T = TypeVar("T")
RESTORED = 3
COMPARED = 5
PATIENCE = 240.0
"""Seconds after which no further sample of one way is begun."""
LONGEST = 600.0
"""Seconds that any command may take."""


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
    """All of them. `work` has to have room for one snapshot.

    Raises:
        subprocess.TimeoutExpired: a restore, a check or a comparison took longer than `LONGEST`.
    """
    out, cache = work / "said", work / "cache"
    # Without a lock, nothing is left behind by a command that is ended.
    base = ("restic", "--quiet", "--no-lock", "--repo", str(built.repository), "--cache-dir", str(cache))

    def timed(*words: str) -> Bill:
        return measured((*base, *words), out, limit=LONGEST)

    timed("ls", truth.snapshots[0])
    pairs = list(zip(truth.snapshots, truth.snapshots[1:], strict=False))
    compared: list[float] = []
    for before, after in _sampled(pairs, COMPARED, compared):
        compared.append(timed("diff", before, after).seconds)
    said(f"restic diff: {_mean(compared):.1f} s")
    restored: list[float] = []
    checked: list[float] = []
    for snapshot in _sampled(truth.snapshots, RESTORED, restored, checked):
        target = work / "restored"
        restored.append(timed("restore", snapshot, "--target", str(target)).seconds)
        check = vigie("check", "--json", "--state", str(work / "state"), str(target))
        checked.append(measured(check, out, fine=FOUND, limit=LONGEST).seconds)
        shutil.rmtree(target)
        shutil.rmtree(work / "state", ignore_errors=True)
        said(f"restic restore: {restored[-1]:.1f} s; vigie check: {checked[-1]:.1f} s")
    every = len(truth.snapshots)
    halves = ceil(log2(every))
    both = _mean(restored) + _mean(checked)
    found = [
        Rival("restic restore of each snapshot", len(restored), every, _mean(restored)),
        Rival("vigie check of what was restored", len(checked), every, _mean(checked)),
        Rival("restore and check, each snapshot", len(restored), every, both, "the first two"),
        Rival(
            "restore and check, by halves",
            len(restored),
            halves,
            both,
            "one onset, nothing about single files",
        ),
        Rival(
            "restic diff between neighbours", len(compared), len(pairs), _mean(compared), "lists paths only"
        ),
    ]
    note, runs, read = "sound packs, whatever is in them", 1, 0.0
    try:
        read = timed("check", "--read-data").seconds
    except subprocess.CalledProcessError as error:
        note, runs = f"failed: exit code {error.returncode}", 0
    except subprocess.TimeoutExpired as error:
        note, runs, read = f"ended after {error.timeout:.0f} s: at least", 0, error.timeout
    said(f"restic check --read-data: {read:.1f} s")
    return [*found, Rival("restic check --read-data", runs, 1, read, note)]


def _sampled(items: Sequence[T], count: int, *spent: Sequence[float]) -> Iterator[T]:
    """Some of them, evenly from first to last, as long as patience lasts: at least one."""
    for item in _spread(items, count):
        if sum(map(sum, spent)) < PATIENCE:
            yield item


def _spread(items: Sequence[T], count: int) -> list[T]:
    """Some of them, evenly from first to last."""
    count = min(count, len(items))
    return [items[round(n * (len(items) - 1) / max(1, count - 1))] for n in range(count)]


def _mean(seconds: Sequence[float]) -> float:
    return sum(seconds) / max(1, len(seconds))
