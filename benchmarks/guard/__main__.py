"""The guard benchmark: files lost under attack, on this disk and through a real Samba share; and its price.

    python benchmarks/guard                 all of it                              (a quarter of an hour)
    python benchmarks/guard local           ten patterns, unthrottled and at 400 files a second, 10 runs each
    python benchmarks/guard smb             through Samba, with others at work, 50 runs each
    python benchmarks/guard work            the work of this machine, and benign twins: nobody is stopped
    python benchmarks/guard cost            copying, a database and an SMB copy with and without a guard; idle
    python benchmarks/guard … --runs N --json

The attacks are imitations: they overwrite nothing but files that the same run made, in a folder that it made
and marked. It needs root, Samba, nftables and (for `cost` and `work`) PostgreSQL.
"""

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path

PARTS = ("local", "smb", "work", "cost")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks/guard",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument(
        "--runs", type=int, default=0, help="of each attack; default: 10, and 50 through Samba"
    )
    parser.add_argument("--json", action="store_true", help="a JSON object a line, as they come")
    given = parser.parse_args()
    if not set(given.parts) <= set(PARTS):
        parser.error(f"parts: of {', '.join(PARTS)}")
    console = import_module("rich.console").Console()
    if not console.is_terminal:
        console.width = 120
    for name in given.parts or PARTS:
        part = import_module(name)
        rows = []
        for row in part.measured(given.runs):
            rows.append(row)
            print(json.dumps(row), flush=True) if given.json else console.print(row, style="dim")
        if not given.json and rows:
            table = import_module("rich.table").Table(*rows[0], title=name)
            for row in rows:
                table.add_row(*map(str, row.values()))
            console.print(table)


if __name__ == "__main__":
    tests = Path(__file__).resolve().parents[2] / "tests" / "watch"
    sys.path.append(str(tests))  # the Samba server that the tests use
    main()
