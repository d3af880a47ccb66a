"""What `vigie recover --plan` shows: files, gigabytes and hours of each step, and nothing is restored."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import click
from rich.table import Column

from vigie.journal import Journal
from vigie.timeline import Plan
from vigie.timeline.urgency import Step
from vigie.ui.cli import output, shown
from vigie.vault.handed import named

FILES_PER_SECOND, BYTES_PER_SECOND = 500.0, 50e6
"""What is assumed where nothing was measured: slower than benchmarks/recover.py measured, on purpose."""
_TELLING_SECONDS = 5.0
"""Seconds of restoring from which a run tells how fast it goes here."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How long a restore takes: so much a file, and so much a byte."""

    factor: float
    """How many times slower than the assumed rates it was here."""
    limit: int
    """Bytes a second, 0 for none."""
    basis: str
    """Where the figure comes from, in words."""

    @classmethod
    def of(cls, journal: Journal | None, limit: int) -> "Speed":
        """As the last restore that the journal tells of went, else as assumed."""
        factor, basis = 1.0, "assumed: 500 files and 50 MB a second"
        for row in journal.rows("recover") if journal else ():
            seconds, files, size = (row.body.get(key, 0) for key in ("seconds", "written", "bytes"))
            if seconds >= _TELLING_SECONDS and files:
                factor = seconds / (files / FILES_PER_SECOND + size / BYTES_PER_SECOND)
                basis = f"as measured here in the restore of journal row {row.id}"
        return cls(factor, limit, basis + (", and the limit given" if limit else ""))

    def seconds(self, files: int, size: int) -> float:
        """How long so many files of so many bytes in all take."""
        usual = self.factor * (files / FILES_PER_SECOND + size / BYTES_PER_SECOND)
        return max(usual, size / self.limit) if self.limit else usual


def show(planned: Plan, steps: Sequence[Step], speed: Speed, *, as_json: bool) -> None:
    """The plan, for people or for machines."""
    if as_json:
        _emit(planned, steps, speed)
    else:
        _tell(planned, steps, speed)


def _emit(planned: Plan, steps: Sequence[Step], speed: Speed) -> None:
    for step in steps:
        for choice in step.choices:
            output.emit(
                {
                    "path": choice.path,
                    "snapshot": choice.version.snapshot.id,
                    "size": choice.version.entry.size,
                    "sha256": None,
                    "verdict": choice.verdict.state.value,
                    "outcome": "planned",
                    "reason": choice.note,
                    "why": choice.why.value,
                    "step": step.name,
                }
            )
    for lost in planned.lost:
        output.emit(named(lost).record())
    summary = {
        "restored": 0,
        "verified": 0,
        "unrecoverable": len(planned.lost),
        "by_snapshot": _by_snapshot(steps),
        "planned": sum(len(step.choices) for step in steps),
        "steps": [
            {
                "step": step.name,
                "files": len(step.choices),
                "bytes": step.size,
                "seconds": round(speed.seconds(len(step.choices), step.size), 1),
            }
            for step in steps
        ],
        "speed": speed.basis,
    }
    output.emit({"summary": summary})


def _tell(planned: Plan, steps: Sequence[Step], speed: Speed) -> None:
    for step in steps:
        for choice in step.choices:
            note = f": {choice.note}" if choice.note else ""
            where = choice.version.snapshot.id[:8]
            click.echo(f"{choice.why.value}: {shown(choice.path)} from {where}{shown(note)}")
    for lost in planned.lost:
        click.echo(lost_line(lost.path, lost.reason, named(lost).record()["nearest"]))
    table = output.table(
        "step",
        *(Column(name, justify="right", no_wrap=True) for name in ("files", "GB", "time", "done after")),
    )
    elapsed = 0.0
    for step in steps:
        files = len(step.choices)
        seconds = speed.seconds(files, step.size)
        elapsed += seconds
        size = f"{step.size / 1e9:,.2f}"
        table.add_row(
            shown(step.name).replace("[", r"\["), f"{files:,}", size, clock(seconds), clock(elapsed)
        )
    if steps:
        output.console().print(table)
        click.echo(f"Times are {speed.basis}.")
    total = output.counted(sum(len(step.choices) for step in steps), "file")
    click.echo(f"{total} would be restored; {len(planned.lost):,} unrecoverable.")
    for snapshot, count in _by_snapshot(steps).items():
        click.echo(f"  {count} from {snapshot[:8]}")


def _by_snapshot(steps: Iterable[Step]) -> Counter[str]:
    return Counter(choice.version.snapshot.id for step in steps for choice in step.choices)


def lost_line(path: str, reason: str, nearest: dict[str, object] | None) -> str:
    """What people are told of a document without a healthy version."""
    line = f"unrecoverable: {shown(path)}: {shown(reason)}"
    if nearest is None:
        return line
    where = str(nearest["snapshot"])[:8]
    return f"{line}\n  nearest: {nearest['verdict']} in {where}: {shown(str(nearest['reason']))}"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: `3 h 07`, `12 min`, `40 s`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02}"
