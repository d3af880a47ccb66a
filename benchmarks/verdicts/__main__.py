"""The verdict benchmark: one command builds the corpus, strikes it, judges it, and compares with peers.

    python benchmarks/verdicts              the attack on every format, beside the peers (10 minutes)
    python benchmarks/verdicts --quick      a small corpus, fewer passes (a minute)
    python benchmarks/verdicts --healthy [FOLDER…]     200,000 healthy files, the benign twins among them
    python benchmarks/verdicts --page       all of it, and docs/verdicts.md with its pictures

Nothing on a disk is overwritten: struck copies are files in memory, made for one verdict each. With magika
installed (`locks/bench.lock`) it is one of the peers.
"""

import argparse
import pickle
from pathlib import Path

import corpus
import healthy
import page
import report
import run
import uniform
from rich.console import Console

from vigie.config import CheckSettings

WANTED = 205_000
"""Distinct healthy files that are judged."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/verdicts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="*", help="for --healthy, instead of the usual ones")
    parser.add_argument("--quick", action="store_true", help="a small corpus, fewer passes")
    parser.add_argument("--healthy", action="store_true", help="healthy files only")
    parser.add_argument("--files", type=int, default=WANTED, help="how many healthy files")
    parser.add_argument("--page", action="store_true", help="everything, and write docs/verdicts.md")
    parser.add_argument(
        "--keep", type=Path, help="keep what was measured in a file (pickle), for other tables"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes that judge; 0: one a core")
    given = parser.parse_args()
    out = Console()
    settings = CheckSettings(workers=given.workers)
    results = run.Results()
    if not given.healthy:
        run.attacks(results, settings, out.log, quick=given.quick)
        lengths = uniform.LENGTHS[:4] if given.quick else uniform.LENGTHS
        results.pieces = list(uniform.measured(corpus.SEED, budget=16 * lengths[-1], lengths=lengths))
        report.attacks(results, out)
        report.pieces(results, out)
    if given.healthy or given.page:
        folders = given.folders or list(healthy.FOLDERS)
        results.health = healthy.measured(folders, settings, out.log, wanted=given.files, seed=corpus.SEED)
        report.health(results.health, out)
    if given.keep:
        given.keep.write_bytes(pickle.dumps(results))
    if given.page:
        page.write(results, corpus.PROJECT / "docs", quick=given.quick)
        out.print("docs/verdicts.md is written")


if __name__ == "__main__":
    main()
