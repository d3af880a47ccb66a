"""`vigie check` beside `sha256sum` on the same warm tree, with as many processes: the ratio of their times.

python benchmarks/speed.py [FOLDER] [--runs N]
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from rich.console import Console


def timed(command: Sequence[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", default="/usr/share")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    hashing = [
        "sh",
        "-c",
        f'find "$1" -xdev -type f -print0 | xargs -0 -n 64 -P {cores} sha256sum',
        "-",
        given.folder,
    ]
    judging = [sys.executable, "-m", "vigie", "check", "--json", given.folder]
    timed(hashing)  # warms the cache
    pairs = [(timed(hashing), timed(judging)) for _ in range(given.runs)]
    sha, vigie = (statistics.median(times) for times in zip(*pairs, strict=True))
    files = sum(len(names) for _, _, names in os.walk(given.folder))
    size = int(
        subprocess.run(
            ["du", "-sb", given.folder], capture_output=True, text=True, check=False
        ).stdout.split()[0]
    )
    Console().print(
        f"{given.folder}: {files:,} files, {size / 1e6:,.0f} MB, {cores} processes, median of {given.runs}\n"
        f"sha256sum {sha:.1f} s ({size / sha / 1e6:.0f} MB/s), vigie check {vigie:.1f} s "
        f"({size / vigie / 1e6:.0f} MB/s, {files / vigie:,.0f} files/s): {vigie / sha:.1f} times as long"
    )


if __name__ == "__main__":
    main()
