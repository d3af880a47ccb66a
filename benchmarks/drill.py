"""The drill, several times over: what was lost, how fast it was frozen, what came back.

python benchmarks/drill.py [--runs N] [--files N]
"""

import argparse
import statistics

from rich.console import Console
from rich.table import Table

from vigie.drill.scenario import drill


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--files", type=int, default=2000)
    given = parser.parse_args()
    stories = [drill(files=given.files) for _ in range(given.runs)]
    table = Table(
        "run", "files", "lost", "frozen after", "false alarms", "identical", "unrecoverable", "duration"
    )
    for number, story in enumerate(stories, 1):
        figures = story.summary
        after = "never" if figures.frozen_after_s is None else f"{figures.frozen_after_s * 1000:.1f} ms"
        table.add_row(
            *map(str, (number, figures.files, figures.files_lost, after, figures.false_alarms)),
            f"{story.identical / figures.files:.2%}",
            str(figures.unrecoverable),
            f"{figures.duration_s:.1f} s",
        )
    Console().print(table)
    lost = [story.summary.files_lost for story in stories]
    Console().print(f"files lost: median {statistics.median(lost):g}, worst {max(lost)}")


if __name__ == "__main__":
    main()
