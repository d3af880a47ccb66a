"""How fast files come back with `vigie recover` beside `restic restore` of the same snapshot, in one run.

python benchmarks/recover.py [--files N] [--megabytes N] [--runs N] [--at FOLDER]

Two repositories made by restic: 5,000 small files (text, CSV, HL7, JSON of 2 to 20 KB, all different), and
200 MB of DICOM in files of 2 MiB. `restic restore` writes and leaves the rest to the kernel; Vigie waits for
the disk, reads back, compares, judges, and writes a signed manifest. The repository is in the kernel's cache
for both. The time that restic takes to open it (its key is slow on purpose) is measured (`restic cat config`)
and taken off; Vigie's figure is that of the handing over, opened and planned before. The plan's own time is
shown apart. Who begins changes from run to run; the medians count, and of the ratios the least and the most
are shown, too. On a machine that others use, the ratio and the processor time say more than the seconds.
"""

import argparse
import os
import random
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import trees
from rich.console import Console
from rich.table import Table

from vigie.config import CheckSettings
from vigie.sources.restic import ResticSource
from vigie.timeline import plan
from vigie.timeline.urgency import ordered
from vigie.vault import Destination, Recovery, told
from vigie.vault.manifest import Manifest
from vigie.vault.manifest_key import signing_key
from vigie.vault.recover import hand_back
from vigie.workers import Workers

PASSWORD = "benchmark"
KINDS = (trees.text, trees.csv, trees.hl7, trees.records)
ENDINGS = ("txt", "csv", "hl7", "json")


def small(top: Path, count: int) -> None:
    dice = random.Random(5)
    for number in range(count):
        place = top / f"{number // 250:03}"
        place.mkdir(parents=True, exist_ok=True)
        data = KINDS[number % 4](dice, dice.randrange(2_000, 20_000))
        (place / f"{number:06}.{ENDINGS[number % 4]}").write_bytes(data)


def images(top: Path, megabytes: int) -> None:
    dice = random.Random(6)
    top.mkdir()
    for number in range(megabytes * 10**6 // (2 << 20)):
        (top / f"{number:05}.dcm").write_bytes(trees.scan(dice, 2 << 20))


class Cost(NamedTuple):
    """Seconds."""

    wall: float
    processor: float
    """User and system, of all processes."""


def used_so_far() -> float:
    """Seconds of processor time of all living processes of this session: ours, and the judges'."""
    ticks, session = 0, os.getsid(0)
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:  # proc_pid_stat(5), fields 6, 14 and 15
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Repository:
    """One made by restic, of one tree."""

    def __init__(self, at: Path, tree: Path) -> None:
        self.path, self._tree = at, tree
        self._environment = os.environ | {"RESTIC_PASSWORD": PASSWORD, "RESTIC_CACHE_DIR": str(at) + ".cache"}
        self.restic("init")
        self.restic("backup", str(tree))

    def restic(self, *arguments: str) -> Cost:
        """What it took."""
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = ["restic", "-r", str(self.path), *arguments]
        subprocess.run(command, env=self._environment, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Cost(time.monotonic() - began, used)

    def restore(self, to: Path) -> Cost:
        """What `restic restore` takes, without opening the repository."""
        whole = self.restic("restore", "latest", "--target", str(to))
        opening = self.restic("cat", "config")
        return Cost(whole.wall - opening.wall, whole.processor - opening.processor)

    def recover(self, to: Path) -> tuple[float, Cost, int]:
        """Seconds of the plan, what the handing over takes, and files that came back verified."""
        with ResticSource(str(self.path), PASSWORD) as source, Workers(CheckSettings()) as workers:
            began = time.monotonic()
            planned = plan(told(source, workers.judge_all, source.snapshots()))
            # Workers are started by then in real life: they judged something.
            list(workers.judge_all([choice.version.entry for choice in planned.choices[:50]]))
            steps = ordered(planned)
            ready, before = time.monotonic(), used_so_far()
            tally = Recovery()
            with Destination(str(to)) as destination:
                key = signing_key(Path(f"{self.path}.state"))
                with Manifest(destination, key, {"source": source.location}) as manifest:
                    for handed in hand_back(
                        steps, planned.lost, source, workers.judge_all, destination, manifest=manifest
                    ):
                        tally.count(handed)
                    manifest.end({})
            return (
                ready - began,
                Cost(time.monotonic() - ready, used_so_far() - before),
                tally.verified,
            )


def rounds(
    repository: Repository, top: Path, count: int, files: int
) -> tuple[list[Cost], list[Cost], list[float]]:
    """Costs of restic and of Vigie, and seconds of the plan, of each round."""
    theirs: list[Cost] = []
    ours: list[Cost] = []
    plans: list[float] = []
    for number in range(count):
        # Nothing is deleted meanwhile: ext4 is slow to make files where many were deleted just now.
        for restics in (True, False) if number % 2 == 0 else (False, True):
            os.sync()  # what the one left to the kernel is not to be waited for by the other
            if restics:
                theirs.append(repository.restore(top.with_name(f"theirs{number}")))
                continue
            planned, cost, verified = repository.recover(top.with_name(f"ours{number}"))
            assert verified == files, "not everything came back"
            plans.append(planned)
            ours.append(cost)
    return theirs, ours, plans


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words.add_argument("--files", type=int, default=5000)
    words.add_argument("--megabytes", type=int, default=200)
    words.add_argument("--runs", type=int, default=5)
    words.add_argument("--at", help="a folder on the disk that is to be measured")
    chosen = words.parse_args()
    table = Table(
        *("tree", "files", "MB", "restic restore", "vigie recover", "files/s", "MB/s"),
        *("ratio", "least and most", "processor: restic", "vigie", "plan"),
    )
    trees_: dict[str, Callable[[Path], None]] = {
        "small files": lambda top: small(top, chosen.files),
        "images of 2 MiB": lambda top: images(top, chosen.megabytes),
    }
    with tempfile.TemporaryDirectory(dir=chosen.at) as name:
        for title, make in trees_.items():
            top = Path(name, title, "tree")
            top.parent.mkdir()
            make(top)
            sizes = [path.stat().st_size for path in top.rglob("*") if path.is_file()]
            repository = Repository(top.with_name("repository"), top)
            theirs, ours, plans = rounds(repository, top, chosen.runs, len(sizes))
            ratios = sorted(their.wall / our.wall for their, our in zip(theirs, ours, strict=True))
            restic, vigie = (statistics.median(cost.wall for cost in costs) for costs in (theirs, ours))
            used = [statistics.median(cost.processor for cost in costs) for costs in (theirs, ours)]
            table.add_row(
                title,
                f"{len(sizes):,}",
                f"{sum(sizes) / 1e6:.0f}",
                f"{restic:.2f} s",
                f"{vigie:.2f} s",
                f"{len(sizes) / vigie:,.0f}",
                f"{sum(sizes) / 1e6 / vigie:.0f}",
                f"{statistics.median(ratios):.2f}",
                f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
                f"{used[0]:.2f} s",
                f"{used[1]:.2f} s",
                f"{statistics.median(plans):.2f} s",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
