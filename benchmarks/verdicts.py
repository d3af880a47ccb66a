"""Verdicts on the shared corpus: as it is, and overwritten in the ways ransomware does.

    python benchmarks/verdicts.py [FOLDER…] [--name keep|locked]

Every file is copied to a temporary folder, overwritten there with random bytes, and judged by `vigie check`'s
own workers. The figures of README.md come from this script.
"""

import argparse
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vigie.config import CheckSettings
from vigie.model import Entry, State
from vigie.sources.folder import walk
from vigie.workers import Workers

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
DICE = random.Random(20261123)  # repeatable; its bytes pass every test of randomness made here

Pattern = Callable[[bytes], bytes]


def whole(data: bytes) -> bytes:
    return DICE.randbytes(len(data))


def head(data: bytes) -> bytes:
    return DICE.randbytes(min(4096, len(data))) + data[4096:]


def every(on: int, off: int) -> Pattern:
    def overwrite(data: bytes) -> bytes:
        out = bytearray(data)
        for start in range(0, len(data), on + off):
            end = min(start + on, len(data))
            out[start:end] = DICE.randbytes(end - start)
        return bytes(out)

    return overwrite


def chunks(count: int) -> Pattern:
    def overwrite(data: bytes) -> bytes:
        out = bytearray(data)
        length = max(1, len(data) // 10)
        for number in range(count):
            start = number * (len(data) - length) // max(1, count - 1)
            out[start : start + length] = DICE.randbytes(len(data[start : start + length]))
        return bytes(out)

    return overwrite


PATTERNS: dict[str, Pattern | None] = {
    "untouched": None,
    "whole file": whole,
    "head 4 KiB": head,
    "64 on, 128 off": every(64, 128),
    "64 on, 192 off": every(64, 192),
    "16 on, 16 off": every(16, 16),
    "3 chunks of a tenth": chunks(3),
    "4 KiB in each 1 MiB": every(4096, (1 << 20) - 4096),
}


def copies(files: list[Path], pattern: Pattern, folder: Path, ending: str) -> Iterator[Entry]:
    for number, path in enumerate(files):
        target = folder / f"{number}-{path.name}{ending}"
        target.write_bytes(pattern(path.read_bytes()))
        yield from (item for item in walk([str(target)]) if isinstance(item, Entry))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", default=[str(CORPUS)])
    parser.add_argument("--name", choices=("keep", "locked"), default="keep", help="rename to NAME.locked?")
    parser.add_argument("--list", action="store_true", help="name the files judged otherwise than expected")
    given = parser.parse_args()
    out = Console()
    files = [Path(item.path) for item in walk(given.folders) if isinstance(item, Entry) and item.size]
    files = [path for path in files if path.name != "ORIGIN.md"]
    table = Table("pattern", "files", *(state.value for state in State), "encrypted", "pattern named")
    with Workers(CheckSettings()) as workers:
        for name, pattern in PATTERNS.items():
            with tempfile.TemporaryDirectory() as temporary:
                if pattern is None:
                    entries: Iterator[Entry] = (
                        e for p in files for e in walk([str(p)]) if isinstance(e, Entry)
                    )
                else:
                    entries = copies(
                        files, pattern, Path(temporary), ".locked" if given.name == "locked" else ""
                    )
                judged = [(os.path.basename(e.path), v) for e, v in workers.judge_all(entries)]
            states = Counter(verdict.state for _, verdict in judged)
            expected = State.INTACT if pattern is None else State.ENCRYPTED
            if given.list:
                for path, verdict in judged:
                    if verdict.state is not expected:
                        out.print(f"{name}: {path}: {verdict.state} ({verdict.format}): {verdict.evidence}")
            named = Counter(v.pattern.value for _, v in judged if v.pattern)
            share = f"{states[State.ENCRYPTED] / len(judged):.1%}"
            table.add_row(
                name,
                str(len(judged)),
                *(str(states[state] or "·") for state in State),
                share,
                ", ".join(f"{word} {count}" for word, count in named.most_common()),
            )
    out.print(table)


if __name__ == "__main__":
    main()
