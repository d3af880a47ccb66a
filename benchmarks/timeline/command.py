"""The timeline benchmark: a hospital's share, its backups by real restic, an attack in them, and the truth.

    python benchmarks/timeline                      200,000 files × 60 snapshots (half an hour)
    python benchmarks/timeline --files 5000 --snapshots 12 (two minutes)
    python benchmarks/timeline --place DIR          keep what is built in DIR, and use it again next time
    python benchmarks/timeline --sizes life --files 20000        files as large as in life (ten minutes; 6 GB)
    python benchmarks/timeline --source borg --files 20000 --snapshots 10        by real borg; or "snapshots"
    python benchmarks/timeline --build              build it only
    python benchmarks/timeline --curve              25,000 to 200,000 files, and a projection to a million
    python benchmarks/timeline --million            1,000,000 files × 90 snapshots, built and run once

The attack is an imitation: random bytes in files that this run made, in a folder it made and marked, and
that is removed before anything is measured. restic (or borg) and strace have to be installed.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import figures
import ledger
import projection
import showing
from building import SIZES, Built, build
from keepers import KEEPERS
from rich.console import Console
from trial import PARTS, Trial, tried

SEED = 20261123
CURVE = (25_000, 50_000, 100_000, 200_000)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks/timeline",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--snapshots", type=int, default=60)
    parser.add_argument("--sizes", choices=tuple(SIZES), default="small", help="of the files; default: small")
    parser.add_argument("--source", choices=tuple(KEEPERS), default="restic", help="what keeps the backups")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--place", type=Path, help="a folder for the repositories; else a temporary one")
    parser.add_argument("--build", action="store_true", help="build it only; with --place")
    parser.add_argument("--curve", action="store_true", help="several sizes, and a projection")
    parser.add_argument("--million", action="store_true", help="1,000,000 files × 90 snapshots, once")
    parser.add_argument(
        "--parts", default=",".join(PARTS), help="what is measured beside the timeline (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="a JSON object a line; the tables go to stderr")
    given = parser.parse_args()
    parts = frozenset(filter(None, given.parts.split(",")))
    if not parts <= set(PARTS):
        parser.error(f"--parts: of {', '.join(PARTS)}")
    if given.curve or given.million:
        parts &= {"plan"} if given.million else set()
    if given.build and not given.place:
        parser.error("--build without --place would throw away what it builds")
    place = given.place or Path(tempfile.mkdtemp(prefix="vigie-timeline-"))
    try:
        _run(given, place, parts)
    finally:
        if not given.place:
            shutil.rmtree(place)


def _run(given: argparse.Namespace, place: Path, parts: frozenset[str]) -> None:
    out = Console(stderr=given.json)
    if not out.is_terminal:
        out.width = 120  # of a file, which has no width
    sizes = CURVE if given.curve else (given.files,)
    snapshots = given.snapshots
    if given.million:
        sizes, snapshots = (projection.MILLION,), projection.SNAPSHOTS
    trials: list[Trial] = []
    for files in sizes:
        built = Built(place / _named(given, files, snapshots), given.source)
        if not built.truth.exists():
            build(
                built.place,
                files=files,
                snapshots=snapshots,
                seed=given.seed,
                said=out.log,
                source=given.source,
                sizes=given.sizes,
            )
        if given.build:
            continue
        trial = tried(built, ledger.load(built.truth), out.log, parts)
        trials.append(trial)
        showing.show(trial, out)
        if given.json:
            print(figures.line(trial))
    if given.curve and trials:
        showing.curve(trials, projection.projected(trials), out)


def _named(given: argparse.Namespace, files: int, snapshots: int) -> str:
    words = [given.source] * (given.source != "restic") + [given.sizes] * (given.sizes != "small")
    return "-".join((*words, f"{files}x{snapshots}"))
