"""How fast `vigie check` is beside `sha256sum` and magika on the same warm trees, and what memory it takes.

python benchmarks/throughput.py [FOLDER…] [--runs N] [--formats] [--usr] [--wide] [--sparse] [--million]

Without a folder it makes two trees: small files of 0.5 to 8 KiB (text, CSV, HL7, JSON, PNG), and files above
1 MiB (DICOM with native pixels and with JPEG frames, logs, CSV, SQLite, ZIP). Each command runs once to warm
the cache and the compiled kernels, then N times; the median counts, start-up included. `--formats` measures
the judge by itself instead, on one core and one file of 24 MB of each format. `--usr` adds the files above
1 MiB of /usr, `--wide` a folder of 100,000 files, `--sparse` a file of 20 GiB without a byte in it, and
`--million` (a quarter of an hour) the memory taken for 10,000, 100,000 and 1,000,000 files.
"""

import argparse
import importlib.util
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import trees
from rich.console import Console
from rich.table import Table

from vigie.judge import examine
from vigie.sources.file import FileBlob

CORES = len(os.sched_getaffinity(0))
SETTLED = 2.1
"""Seconds that a file must have been left alone before it is remembered (`vigie.ui.cli.memory`)."""
VIGIE = (sys.executable, "-m", "vigie", "check")
MAGIKA = (
    "import sys; from magika import Magika; from pathlib import Path; "
    "Magika().identify_paths([Path(line.rstrip('\\n')) for line in sys.stdin])"
)


@dataclass(frozen=True, slots=True)
class Run:
    """One command, timed and watched."""

    seconds: float
    parent: int
    """Bytes of memory at the peak: of the process itself,"""
    worker: int
    """and of the largest one below it."""


def run(command: Sequence[str], *, stdin: Path | None = None) -> Run:
    """Run a command to its end; an exit code of 2 or more, and no more, is a failure."""
    peak = {"parent": 0, "worker": 0}
    with open(stdin or os.devnull, "rb") as given:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL)
        watcher = threading.Thread(target=_watch, args=(process, peak))
        watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - begun
        watcher.join()
    if code >= 2:
        raise SystemExit(f"{' '.join(command)}: ended with {code}")
    return Run(seconds, peak["parent"], peak["worker"])


def _watch(process: subprocess.Popen[bytes], peak: dict[str, int]) -> None:
    while process.poll() is None:
        peak["parent"] = max(peak["parent"], _resident(process.pid))
        for pid in _below(process.pid):
            peak["worker"] = max(peak["worker"], _resident(pid))
        time.sleep(0.1)


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) << 10
    except (OSError, IndexError):
        return 0  # it has ended


def _below(pid: int) -> Iterator[int]:
    try:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)
            yield from _below(int(child))
    except OSError:
        return  # it has ended


def files_in(places: Sequence[str]) -> list[str]:
    found = [path for path in places if os.path.isfile(path)]
    for place in places:
        found += [os.path.join(top, name) for top, _, names in os.walk(place) for name in names]
    return [path for path in found if not os.path.islink(path)]


def above(size: int, top: str, most: int) -> list[str]:
    """Files above a size, `most` bytes of them in all."""
    found: list[str] = []
    for path in sorted(files_in([top])):
        length = os.path.getsize(path)
        if length > size and length <= most:
            most -= length
            found.append(path)
    return found


def compared(title: str, places: Sequence[str], runs: int, scratch: Path) -> Table:
    """Every command on one tree."""
    files = files_in(places)
    size = sum(map(os.path.getsize, files))
    listed = scratch / "list"
    listed.write_text("".join(f"{path}\n" for path in files))
    state = ("--state", str(scratch / "state"))
    hashing = ["xargs", "-d", "\\n", "-n", "64", "-P", str(CORES), "sha256sum"]
    commands: dict[str, tuple[Sequence[str], Path | None]] = {
        "sha256sum": (hashing, listed),
        "vigie check --again": ((*VIGIE, "--again", *places), None),
        "vigie check --full --again": ((*VIGIE, "--full", "--again", *places), None),
    }
    if any(map(os.path.isdir, places)):
        time.sleep(SETTLED)
        commands["vigie check, nothing changed"] = ((*VIGIE, *state, *places), None)
    if importlib.util.find_spec("magika"):
        commands["magika"] = ((sys.executable, "-c", MAGIKA), listed)
    shutil.rmtree(scratch / "state", ignore_errors=True)
    grid = Table(
        title=f"{title}: {len(files):,} files, {size / 1e6:,.0f} MB; {CORES} processes, median of {runs}"
    )
    grid.add_column("command", no_wrap=True)
    for header in ("seconds", "MB/s", "files/s", "× sha256sum", "main, MiB", "worker, MiB"):
        grid.add_column(header, justify="right")
    hashed = 0.0
    for name, (command, stdin) in commands.items():
        run(command, stdin=stdin)  # warms the cache, compiles the kernels, and fills the memory of checks
        done = [run(command, stdin=stdin) for _ in range(runs)]
        seconds = statistics.median(one.seconds for one in done)
        hashed = hashed or seconds
        grid.add_row(
            name,
            f"{seconds:.2f}",
            f"{size / seconds / 1e6:,.0f}",
            f"{len(files) / seconds:,.0f}",
            f"{hashed / seconds:.2f}",
            f"{max(one.parent for one in done) / trees.MIB:.0f}",
            f"{max(one.worker for one in done) / trees.MIB:.0f}",
        )
    if "magika" not in commands:
        grid.caption = "magika is not installed here"
    return grid


def by_format(size: int, runs: int, scratch: Path) -> Table:
    """The judge without workers and start-up: processor time for one file of each format."""
    # Imported here: it loads and compiles everything, which the other measurements have no need of.
    from vigie.workers import preload  # noqa: F401, PLC0415 - see above

    grid = Table(title=f"One file of {size / 1e6:.0f} MB each, one core, best of {runs}")
    for header in ("format", "sha256sum, MB/s", "default, MB/s", "× sha256sum", "full, MB/s", "× sha256sum"):
        grid.add_column(header, justify="left" if header == "format" else "right")
    for name, make in (trees.SMALL | trees.LARGE).items():
        path = scratch / f"one.{name}"
        path.write_bytes(make(random.Random(1), size))
        length = path.stat().st_size
        hashed = min(_hashing(path) for _ in range(runs))
        row = [name, f"{length / hashed / 1e6:,.0f}"]
        for full in (False, True):
            seconds = min(_judging(path, full=full) for _ in range(runs))
            row += [f"{length / seconds / 1e6:,.0f}", f"{hashed / seconds:.2f}"]
        grid.add_row(*row)
        path.unlink()
    return grid


def _hashing(path: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["sha256sum", path], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _judging(path: Path, *, full: bool) -> float:
    with FileBlob.open(str(path)) as blob:
        begun = time.thread_time()
        examine(blob, path.name, full=full)
        return time.thread_time() - begun


def memory(counts: Sequence[int], scratch: Path) -> Table:
    """Peak memory of main process and workers for ever more files, 1,000 a folder."""
    grid = Table(title="Memory of `vigie check` with its memory of earlier checks, first and second run")
    for header in ("files", "first, s", "main, MiB", "worker, MiB", "second, s", "main, MiB", "times faster"):
        grid.add_column(header, justify="right")
    for count in counts:
        top, state = scratch / f"tree{count}", scratch / f"state{count}"
        trees.small(top, count, 200, 2000)
        time.sleep(SETTLED)
        first, second = (run([*VIGIE, "--state", str(state), str(top)]) for _ in range(2))
        grid.add_row(
            f"{count:,}",
            f"{first.seconds:.1f}",
            f"{first.parent / trees.MIB:.1f}",
            f"{first.worker / trees.MIB:.1f}",
            f"{second.seconds:.1f}",
            f"{second.parent / trees.MIB:.1f}",
            f"{first.seconds / second.seconds:.1f}",
        )
        shutil.rmtree(top)
    return grid


def single(title: str, place: Path) -> Table:
    """One odd target, as it is and in full."""
    grid = Table("look", "seconds", "main, MiB", "worker, MiB", title=title)
    for name, options in (("sample", ()), ("full", ("--full",))):
        done = run([*VIGIE, "--again", *options, str(place)])
        grid.add_row(
            name, f"{done.seconds:.1f}", *(f"{n / trees.MIB:.0f}" for n in (done.parent, done.worker))
        )
    return grid


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", metavar="FOLDER")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--files", type=int, default=10_000, help="small files in the tree that is made")
    parser.add_argument("--bytes", type=int, default=200, help="MiB in the tree of large ones that is made")
    parser.add_argument("--scratch", help="where trees are made (else the temporary folder)")
    for option in ("--formats", "--usr", "--wide", "--sparse", "--million"):
        parser.add_argument(option, action="store_true")
    given = parser.parse_args()
    console = Console(width=110)
    with tempfile.TemporaryDirectory(dir=given.scratch) as made:
        scratch = Path(made)
        for folder in given.folders:
            console.print(compared(folder, [folder], given.runs, scratch))
        if given.formats:
            console.print(by_format(24_000_000, given.runs, scratch))
        elif not given.folders:
            trees.small(scratch / "small", given.files)
            console.print(compared("Small files", [str(scratch / "small")], given.runs, scratch))
            trees.large(scratch / "large", given.bytes * trees.MIB)
            console.print(compared("Files above 1 MiB", [str(scratch / "large")], given.runs, scratch))
        if given.usr:
            places = above(trees.MIB, "/usr", 1500 * trees.MIB)
            console.print(compared("Files above 1 MiB in /usr", places, given.runs, scratch))
        if given.wide:
            trees.wide(scratch / "wide", 100_000)
            console.print(compared("One folder", [str(scratch / "wide")], 1, scratch))
        if given.sparse:
            trees.sparse(scratch / "sparse" / "empty.raw", 20 << 30)
            console.print(single("A sparse file of 20 GiB", scratch / "sparse"))
        if given.million:
            console.print(memory((10_000, 100_000, 1_000_000), scratch))


if __name__ == "__main__":
    main()
