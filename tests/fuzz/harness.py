"""Coverage-guided fuzzing of one format: atheris changes bytes, `checks.check` says whether a promise broke.

python tests/fuzz/harness.py FORMAT [--seconds N] [--seeds FOLDER] [--out FOLDER]

An exception does not end the run: the smallest input that shows each fault is kept in the folder `--out`
(`<format>-<fault>.bin`, and a `.txt` that says what happened). What takes too long or too much memory does
end it, as libFuzzer has it. `run.py` runs all formats in turn, and makes what was found small.
"""

import argparse
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import atheris  # type: ignore[import-untyped] # has no types
import bounds  # type: ignore[import-not-found] # beside this file: scripts are no package
from atheris.import_hook import HookManager  # type: ignore[import-untyped] # as above


def _compiled() -> set[str]:
    """The modules with loops for numba, which cannot compile what atheris puts in."""
    found = importlib.util.find_spec("vigie")
    roots = [Path(place) for place in (found and found.submodule_search_locations) or []]
    return {
        ".".join(path.relative_to(root.parent).with_suffix("").parts)
        for root in roots
        for path in (root / "formats").rglob("*.py")
        if "formats.compiled import" in path.read_text()
    }


# The judge stays outside, for the same reason. Without the tracing of comparisons, because in atheris 3.0 it
# keeps every byte string that was compared, some megabytes an input: the words of `seeds.py` stand in for it.
with HookManager({"vigie"}, _compiled(), enable_loader_override=False, trace_dataflow=False):
    from vigie.formats import CATALOGUE

from checks import (  # type: ignore[import-not-found] # noqa: E402 - as above; brings the judge
    SLOW,
    fault,
)

MEMORY = 512
"""MiB a run may take above what it takes at its start."""
HANGS = 20
"""Seconds after which libFuzzer ends an input."""
DRAG = 2
"""How many times longer instrumented code may take; what takes more, `run.py` times again without that."""
LONGEST = 256 * 1024
"""Bytes of an input."""


def main() -> None:
    """Fuzz one format for some seconds; atheris ends the process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("format", choices=[form.name for form in CATALOGUE], metavar="FORMAT")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--seeds", type=Path, help="what seeds.py wrote (default: make it)")
    parser.add_argument("--out", type=Path, default=Path("fuzz-found"))
    asked = parser.parse_args()
    bounds.KEPT.mkdir(parents=True, exist_ok=True)
    form = next(form for form in CATALOGUE if form.name == asked.format)
    work = Path(tempfile.mkdtemp(prefix="vigie-fuzz-", dir=asked.seeds and asked.seeds.parent))
    seeds = asked.seeds
    if seeds is None:
        seeds = work / "seeds"
        subprocess.run([sys.executable, Path(__file__).with_name("seeds.py"), seeds], check=True)
    (work / "corpus").mkdir()
    asked.out.mkdir(parents=True, exist_ok=True)
    smallest: dict[str, int] = {}
    # Compiles the kernels, which counts for no input.
    for path in sorted((seeds / form.name).iterdir())[:1]:
        fault(form, path.read_bytes())
    fault(form, bytes(5000))

    def one(data: bytes) -> None:
        found = fault(form, data, SLOW * DRAG)
        if found is None or len(data) >= smallest.get(found, LONGEST + 1):
            return
        smallest[found] = len(data)
        name = f"{form.name}-{hashlib.sha256(found.encode()).hexdigest()[:12]}"
        (asked.out / f"{name}.bin").write_bytes(data)
        (asked.out / f"{name}.txt").write_text(found + "\n")

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    now = pages * os.sysconf("SC_PAGE_SIZE") >> 20
    options = {
        "max_total_time": asked.seconds,
        "max_len": LONGEST,
        "timeout": HANGS,
        "rss_limit_mb": now + MEMORY,
        "print_final_stats": 1,
        "seed": int(time.time()) & 0xFFFF | 1,
        "artifact_prefix": f"{asked.out}/{form.name}-",
        "dict": seeds / f"{form.name}.dict",
    }
    flags = [f"-{key}={value}" for key, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(work / "corpus"), str(seeds / form.name)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
