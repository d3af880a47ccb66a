"""Verdicts on healthy files that nobody tuned for: /usr of this machine, or any folder.

    python benchmarks/healthy.py [FOLDER…]

Not one may be encrypted. What is damaged is named; what is unknown is counted by ending.
"""

import argparse
import os
import time
from collections import Counter

from rich.console import Console
from rich.table import Table

from vigie.config import CheckSettings
from vigie.model import Entry, State
from vigie.sources.folder import walk
from vigie.workers import Workers


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", default=["/usr"])
    given = parser.parse_args()
    out = Console()
    states: Counter[State] = Counter()
    formats: Counter[tuple[str, State]] = Counter()
    unknown: Counter[str] = Counter()
    size, begun = 0, time.monotonic()
    with Workers(CheckSettings()) as workers:
        for item, verdict in workers.judge_all(walk(given.folders)):
            states[verdict.state] += 1
            formats[verdict.format or "none known", verdict.state] += 1
            size += item.size if isinstance(item, Entry) else 0
            if verdict.state in (State.ENCRYPTED, State.DAMAGED):
                out.print(
                    f"{verdict.state}: {item.path}: {verdict.format}: {verdict.evidence[0]}", soft_wrap=True
                )
            elif verdict.state is State.UNKNOWN:
                unknown[os.path.splitext(item.path)[1] or "(no ending)"] += 1
    seconds = time.monotonic() - begun
    table = Table("format", *(state.value for state in State))
    for name in sorted({name for name, _ in formats}, key=lambda n: -sum(formats[n, s] for s in State)):
        table.add_row(name, *(str(formats[name, state] or "·") for state in State))
    out.print(table)
    out.print(
        f"{states.total():,} files, {size / 1e9:.2f} GB, {seconds:.0f} s: {states[State.ENCRYPTED]} encrypted"
    )
    out.print(
        "unknown, the most frequent endings:", ", ".join(f"{e} {n:,}" for e, n in unknown.most_common(10))
    )


if __name__ == "__main__":
    main()
