"""Fuzz all formats in turn, and keep what was found: `make fuzz`, or

python tests/fuzz/run.py [FORMAT…] [--seconds N] [--shared]

Prints a table: executions, coverage (edges of the code of all formats that inputs reached), findings. What
is found is made small and written to `tests/fuzz/found`, where `tests/formats/test_found.py` has it checked
for ever. With `--shared`, files of the shared corpus are seeds as well, and findings stay in a temporary
folder: they may hold parts of files that are not ours. The exit code is 1 if anything was found.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import bounds  # type: ignore[import-not-found] # beside this file: scripts are no package
import seeds  # type: ignore[import-not-found] # beside this file: scripts are no package
from checks import fault  # type: ignore[import-not-found] # beside this file: scripts are no package
from minimise import minimised  # type: ignore[import-not-found] # beside this file: scripts are no package
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from vigie.formats import CATALOGUE, Format

HERE = Path(__file__).resolve().parent
FOUND = HERE / "found"
LARGEST = 64 * 1024
"""Bytes of a finding that is kept in the repository."""
PATIENCE = 120
"""Seconds a run may take longer than asked, before it is ended from outside."""
_COVERAGE = re.compile(rb"cov: (\d+)")
_RUNS = re.compile(rb"number_of_executed_units: (\d+)")
_ENDED = ("crash-", "timeout-", "oom-", "leak-", "slow-unit-")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of fuzzing one format."""

    form: Format
    runs: int
    coverage: int
    faults: tuple[str, ...]


def fuzzed(form: Format, work: Path, keep: Path, seconds: int) -> Outcome:
    """Fuzz one format in a process of its own."""
    out = work / "out" / form.name
    options = [form.name, "--seconds", str(seconds), "--seeds", str(work / "seeds"), "--out", str(out)]
    try:
        done = subprocess.run(
            [sys.executable, HERE / "harness.py", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=seconds + PATIENCE,
        )
        said, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        said, code = late.stdout or b"", -1
    faults = [_kept(form, path, keep) for path in sorted(out.glob("*")) if path.suffix != ".txt"]
    if code and not faults:
        faults.append(f"{form.name}: the run ended with {code}: {said[-300:].decode(errors='replace')}")
    coverage, runs = _COVERAGE.findall(said) or [b"0"], _RUNS.findall(said) or [b"0"]
    return Outcome(form, int(runs[-1]), int(coverage[-1]), tuple(faults))


def _kept(form: Format, path: Path, keep: Path) -> str:
    data = path.read_bytes()
    ended = next((how for how in _ENDED if path.name.startswith(f"{form.name}-{how}")), None)
    what = f"{form.name}: {ended.rstrip('-')}" if ended else fault(form, data)
    if what is None:
        # Only under instrumentation, which makes everything slower.
        return (path.with_suffix(".txt")).read_text().strip() + " (not without instrumentation)"
    if not ended:
        data = minimised(data, lambda tried: fault(form, tried) == what)
    place = keep / f"{form.name}-{hashlib.sha256(data).hexdigest()[:12]}.bin"
    if len(data) <= LARGEST:
        place.write_bytes(data)
    return f"{what} ({len(data)} bytes, {place.name})"


def main() -> int:
    """Run, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("formats", nargs="*", metavar="FORMAT")
    parser.add_argument("--seconds", type=int, default=20, help="for each format")
    parser.add_argument("--shared", action="store_true", help="seeds from the shared corpus, too")
    asked = parser.parse_args()
    unknown = set(asked.formats) - {form.name for form in CATALOGUE}
    if unknown:
        parser.error(f"no such format: {', '.join(sorted(unknown))}")
    chosen = [form for form in CATALOGUE if not asked.formats or form.name in asked.formats]
    work = Path(tempfile.mkdtemp(prefix="vigie-fuzz-"))
    keep = work / "found" if asked.shared else FOUND
    keep.mkdir(parents=True, exist_ok=True)
    bounds.KEPT.mkdir(parents=True, exist_ok=True)
    seeds.write(work / "seeds", shared=asked.shared)
    outcomes: list[Outcome] = []
    console = Console()
    with Progress(console=console) as progress:
        task = progress.add_task("fuzzing", total=len(chosen))
        for form in chosen:
            progress.update(task, description=form.name)
            outcomes.append(fuzzed(form, work, keep, asked.seconds))
            progress.advance(task)
    table = Table("format", "executions", "edges", "findings")
    for outcome in outcomes:
        found = "\n".join(outcome.faults)
        table.add_row(outcome.form.name, f"{outcome.runs:,}", f"{outcome.coverage:,}", found)
    console.print(table)
    if asked.shared:
        console.print(f"findings are in {keep}", markup=False)
    else:
        shutil.rmtree(work)
    return int(any(outcome.faults for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
