"""Build it: the share is filled, lived in and struck day by day, and backed up each evening."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import ledger
import life
import lifelike
import raid
import stock
from keepers import KEEPERS, PASSWORD, Keeper
from ledger import Truth
from share import Share
from stock import Stock

SIZES = {"small": (stock.KINDS, 24), "life": (lifelike.KINDS, 12)}
"""Kinds of files by the sizes they have, and how many templates there are of each."""
Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Built:
    """Where everything is, and by what it is read: "restic", "borg" or "snapshots"."""

    place: Path
    source: str = "restic"

    @property
    def repository(self) -> Path:
        """The repository, or the folder of the snapshots."""
        return self.place / "repository"

    @property
    def truth(self) -> Path:
        """JSON lines; written last: a folder without it is not finished."""
        return self.place / "truth.jsonl"


def build(
    place: Path,
    *,
    files: int,
    snapshots: int,
    seed: int,
    said: Said,
    source: str = "restic",
    sizes: str = "small",
    each: int | None = None,
    made: Callable[[Path, str], None] | None = None,
) -> Built:
    """Make the repository and its truth below `place`, a new folder; the share is removed at the end.

    `source` is one of `KEEPERS`, `sizes` one of `SIZES`, `each` the number of templates a kind; `made` is
    called with the new repository and its password.

    Raises:
        FileExistsError: there is something at `place`.
    """
    plan = raid.planned(snapshots)
    place.mkdir(parents=True)
    built, share, dice = Built(place.resolve(), source), Share(place), Random(seed)
    keeper = KEEPERS[source](built.repository)
    truth = Truth(str(share.folder), seed, [], [])
    begun = time.monotonic()
    try:
        keeper.start()
        if made:
            made(built.repository, PASSWORD)
        kinds = Stock(seed, each or SIZES[sizes][1], SIZES[sizes][0])
        life.fill(share, kinds, dice, files)
        said(f"{files:,} files are there ({time.monotonic() - begun:.0f} s)")
        while share.snapshot < snapshots:
            if share.snapshot:
                life.live(share, kinds, dice, snapshots)
                raid.strike(share, dice, plan, truth)
            keeper.keep(share.folder, life.evening(share.snapshot))
            share.backed_up()
            said(f"snapshot {share.snapshot} of {snapshots} ({time.monotonic() - begun:.0f} s)")
        _conclude(built, keeper, share, truth)
    finally:
        share.remove()
    return built


def _conclude(built: Built, keeper: Keeper, share: Share, truth: Truth) -> None:
    truth.snapshots = keeper.kept()
    truth.times = [int(life.evening(number).timestamp()) for number in range(len(truth.snapshots))]
    truth.documents = share.documents
    ledger.save(truth, built.truth)
