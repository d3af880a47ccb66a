"""Build it: the share is filled, lived in and struck day by day, and real restic backs it up each evening."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import ledger
import life
import raid
from ledger import Truth
from share import Share
from stock import Stock

from vigie.drill.playground import MARKER

PASSWORD = "correct horse battery staple"  # of a repository of invented files
HOST = "partage"
Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Built:
    """Where everything is."""

    place: Path

    @property
    def repository(self) -> Path:
        """The restic repository."""
        return self.place / "repository"

    @property
    def truth(self) -> Path:
        """JSON lines; written last: a folder without it is not finished."""
        return self.place / "truth.jsonl"


def environment() -> dict[str, str]:
    """What restic and `vigie` need to open the repository; times in UTC."""
    return {**os.environ, "RESTIC_PASSWORD": PASSWORD, "TZ": "UTC"}


def restic(repository: Path, *words: str, cwd: Path | None = None) -> str:
    """One restic command.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = ("restic", "--no-cache", "--quiet", "--repo", str(repository), *words)
    done = subprocess.run(
        command, cwd=cwd, env=environment(), check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    return done.stdout


def build(
    place: Path,
    *,
    files: int,
    snapshots: int,
    seed: int,
    said: Said,
    each: int = 24,
    made: Callable[[Path, str], None] | None = None,
) -> Built:
    """Make the repository and its truth below `place`, a new folder; the share is removed at the end.

    `each` is the number of templates a kind; `made` is called with the new repository and its password.

    Raises:
        FileExistsError: there is something at `place`.
    """
    plan = raid.planned(snapshots)
    place.mkdir(parents=True)
    built, share, dice = Built(place.resolve()), Share(place), Random(seed)
    truth = Truth(str(share.folder), seed, [], [])
    begun = time.monotonic()
    try:
        restic(built.repository, "init", "--repository-version", "2")
        if made:
            made(built.repository, PASSWORD)
        kinds = Stock(seed, each)
        life.fill(share, kinds, dice, files)
        said(f"{files:,} files are there ({time.monotonic() - begun:.0f} s)")
        while share.snapshot < snapshots:
            if share.snapshot:
                life.live(share, kinds, dice, snapshots)
                raid.strike(share, dice, plan, truth)
            _back_up(built, share)
            said(f"snapshot {share.snapshot} of {snapshots} ({time.monotonic() - begun:.0f} s)")
        _conclude(built, share, truth)
    finally:
        share.remove()
    return built


def _back_up(built: Built, share: Share) -> None:
    """As a nightly job does it: the whole share, at the time the day would have."""
    when = f"{life.evening(share.snapshot):%Y-%m-%d %H:%M:%S}"
    restic(built.repository, "backup", str(share.folder), "--exclude", MARKER, "--time", when, "--host", HOST)
    share.backed_up()


def _conclude(built: Built, share: Share, truth: Truth) -> None:
    listed = json.loads(restic(built.repository, "snapshots", "--json"))
    listed.sort(key=lambda one: str(one["time"]))
    truth.snapshots = [one["id"] for one in listed]
    truth.times = [int(life.evening(number).timestamp()) for number in range(len(listed))]
    truth.documents = share.documents
    ledger.save(truth, built.truth)
