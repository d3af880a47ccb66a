"""One trial: `vigie timeline` and `vigie recover --plan` on a built repository, marked, timed and counted."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from bill import FOUND, Bill, Reads, measured, traced, vigie
from building import Built
from ledger import Truth
from marks import Marking, Marks, rows
from rivals import Rival, rivals

Said = Callable[[str], None]
PARTS = ("plan", "reads", "further", "peers")
"""What can be measured beside `vigie timeline` itself; all but the plan need restic."""


@dataclass(slots=True)
class Trial:
    """Everything that was measured on one repository."""

    name: str
    """Of the folder: sizes, source, files and snapshots."""
    files: int
    """Documents in the newest snapshot."""
    snapshots: int
    contents: int
    """Contents of all documents in all snapshots, each counted once where it came."""
    marks: Marks
    timeline: Bill
    summary: dict[str, object]
    """What `vigie timeline` says of itself at the end."""
    detailed: bool
    """Whether `vigie timeline --files` is there: without it, nothing is known of single documents."""
    plan: Bill | None = None
    reads: Reads | None = None
    further: tuple[Bill, Bill] | None = None
    """All snapshots but the last, and then that one as well, with what was remembered."""
    rivals: tuple[Rival, ...] = ()


def tried(
    built: Built,
    truth: Truth,
    said: Said,
    parts: Collection[str] = PARTS,
) -> Trial:
    """Measure it: the timeline, and those of `PARTS` that are wanted and can be had.

    The page cache is as it happens to be: warm, right after building.
    """
    with tempfile.TemporaryDirectory(dir=built.place, prefix="trial-") as folder:
        work = Path(folder)
        out = work / "said"
        marking = Marking(truth)
        bill = measured(timeline(built.repository, work / "state", built.source), out, fine=FOUND)
        summary: dict[str, object] = {}
        with open(out, encoding="utf-8") as lines:
            marking.timeline(rows(lines), detailed=_can_list())
        with open(out, encoding="utf-8") as lines:
            for row in rows(lines):
                summary = row.get("summary", summary)
        said(f"vigie timeline: {bill.seconds:.1f} s, {bill.memory / 2**20:.0f} MiB")
        newest = len(truth.snapshots) - 1
        files = sum(one.at(newest) is not None for one in truth.documents)
        contents = sum(len(one.contents) for one in truth.documents)
        trial = Trial(
            built.place.name, files, newest + 1, contents, marking.marks, bill, summary, detailed=_can_list()
        )
        native = built.source == "restic"
        if "plan" in parts:
            source = f"{built.source}:{built.repository}"
            command = vigie("recover", source, "--plan", "--json", "--state", str(work / "p"))
            trial.plan = measured(command, out, fine=FOUND)
            with open(out, encoding="utf-8") as lines:
                marking.recovery(rows(lines))
            said(f"vigie recover --plan: {trial.plan.seconds:.1f} s")
        if "reads" in parts and native:
            trial.reads = traced(timeline(built.repository, work / "t"), built, truth)
            said(f"bytes counted: {trial.reads.share:.2%} of the packs")
        if "further" in parts and native:
            trial.further = _further(built, truth, work)
            said(f"one more snapshot: {trial.further[1].seconds:.1f} s")
        if "peers" in parts and native:
            trial.rivals = tuple(rivals(built, truth, work, said))
    return trial


def timeline(repository: Path, state: Path, source: str = "restic") -> list[str]:
    """The command line, with a row for each document where the program can give one."""
    more = ["--files"] if _can_list() else []
    return vigie("timeline", f"{source}:{repository}", "--json", "--state", str(state), *more)


def _can_list() -> bool:
    said = subprocess.run(vigie("timeline", "--help"), capture_output=True, encoding="utf-8", check=True)
    return "--files" in said.stdout


def _further(built: Built, truth: Truth, work: Path) -> tuple[Bill, Bill]:
    """The repository as it was before its last backup, by hard links, and then with it."""
    view, last = work / "repository", truth.snapshots[-1]
    for folder, _, names in os.walk(built.repository):
        there = view / os.path.relpath(folder, built.repository)
        there.mkdir(parents=True, exist_ok=True)
        for name in names:
            if name != last:
                os.link(os.path.join(folder, name), there / name)
    command = timeline(view, work / "kept")
    before = measured(command, work / "said", fine=FOUND)
    os.link(built.repository / "snapshots" / last, view / "snapshots" / last)
    return before, measured(command, work / "said", fine=FOUND)
