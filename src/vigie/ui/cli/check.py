"""`vigie check TARGET…`: judge files and folders."""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import click
from rich.console import Console
from rich.filesize import decimal
from rich.table import Column
from rich.text import Text

from vigie import config
from vigie.errors import ExitCode
from vigie.model import Entry, Skipped, State, Verdict
from vigie.ui.cli import shown
from vigie.ui.cli.output import COLOURS, beside, console, counted, emit, options, progress, table
from vigie.ui.cli.targets import opened
from vigie.workers import Workers


@dataclass(slots=True)
class _Tally:
    """What a run adds up to."""

    states: Counter[State] = field(default_factory=Counter)
    formats: Counter[tuple[str, State]] = field(default_factory=Counter)
    size: int = 0

    def add(self, item: Entry | Skipped, verdict: Verdict) -> None:
        self.states[verdict.state] += 1
        self.formats[verdict.format or _ending(item.path), verdict.state] += 1
        if isinstance(item, Entry):
            self.size += item.size

    def exit_code(self) -> ExitCode:
        if self.states[State.ENCRYPTED] or self.states[State.DAMAGED]:
            return ExitCode.FOUND
        return ExitCode.PARTIAL if self.states[State.SKIPPED] else ExitCode.CLEAN


@click.command("check")
@click.argument("targets", metavar="TARGET…", nargs=-1, required=True)
@click.option("--all", "everything", is_flag=True, help="List intact and unknown files too.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Shell pattern of paths to leave out.")
@options
def command(
    targets: tuple[str, ...],
    everything: bool,
    exclude: tuple[str, ...],
    settings: str | None,
    state: str | None,  # noqa: ARG001 - every command takes --state; this one keeps nothing
    as_json: bool,
) -> int:
    """Judge files and folders: intact, encrypted, damaged or unknown, and why.

    TARGET is a file, a folder, or restic:LOCATION[@SNAPSHOT] (the latest one by default). Nothing is written.
    Exit code 1 if anything is encrypted or damaged, 3 if something could not be read.
    """
    chosen = config.load(settings)
    patterns = (*chosen.check.exclude, *exclude)
    few = all(os.path.isfile(target) for target in targets)
    tally, begun = _Tally(), time.monotonic()
    with ExitStack() as stack:
        found = opened(targets, chosen, patterns, stack)
        workers = stack.enter_context(Workers(chosen.check))
        bar = stack.enter_context(progress(shown=not as_json))
        isolation = workers.start()
        total = None if bar.disable else sum(1 for _ in found)
        task = bar.add_task("Judging", total=total)
        out = beside(bar)
        for item, verdict in workers.judge_all(found):
            tally.add(item, verdict)
            bar.advance(task)
            if as_json:
                size = item.size if isinstance(item, Entry) else None
                emit({"path": item.path, "size": size, **verdict.record()})
            elif everything or few or verdict.state not in (State.INTACT, State.UNKNOWN):
                out.print(_line(item.path, verdict), soft_wrap=True)
    seconds = time.monotonic() - begun
    if as_json:
        counts = {name.value: tally.states[name] for name in State}
        emit(
            {
                "summary": {
                    "files": sum(tally.states.values()),
                    "bytes": tally.size,
                    **counts,
                    "seconds": round(seconds, 3),
                    "isolation": isolation.record(),
                }
            }
        )
    else:
        _summary(console(), tally, seconds, isolation.missing())
    return tally.exit_code()


def _line(path: str, verdict: Verdict) -> Text:
    """One verdict for people: the word, the path, and why."""
    line = Text(f"{verdict.state.value:>9}  ", style=COLOURS[verdict.state.value])
    line.append(shown(path), style="bold")
    about = [
        part for part in (verdict.format, verdict.pattern and f"{verdict.pattern.value} pattern") if part
    ]
    line.append(f"  {', '.join(about)}" if about else "", style="dim")
    for reason in verdict.evidence[:3]:
        line.append(f"\n           {shown(reason)}", style="default")
    return line


def _summary(out: Console, tally: _Tally, seconds: float, missing: Iterable[str]) -> None:
    kinds = list(_by_format(tally.formats))
    if sum(tally.states.values()) > 1:
        headers = [Column(Text(s.value, style=COLOURS[s.value]), justify="right") for s in State]
        grid = table("format", *headers)
        for name, counts in kinds[:20]:
            grid.add_row(shown(name), *(f"{counts[s]:,}" if counts[s] else "·" for s in State))
        if len(kinds) > 20:
            rest: Counter[State] = sum((counts for _, counts in kinds[20:]), Counter())
            grid.add_row(f"{len(kinds) - 20} more", *(f"{rest[s]:,}" if rest[s] else "·" for s in State))
        grid.add_row("all", *(f"{tally.states[s]:,}" for s in State), style="bold")
        out.print(grid)
    files = counted(sum(tally.states.values()), "file")
    out.print(f"{files}, {decimal(tally.size)}, {seconds:.1f} s", style="dim")
    for words in missing:
        out.print(f"Isolation of the judging processes: {words}.", style="yellow")


def _by_format(formats: Counter[tuple[str, State]]) -> Iterator[tuple[str, Counter[State]]]:
    rows: dict[str, Counter[State]] = {}
    for (name, state), count in formats.items():
        rows.setdefault(name, Counter())[state] += count
    yield from sorted(rows.items(), key=lambda row: (-row[1][State.ENCRYPTED], -row[1].total(), row[0]))


def _ending(path: str) -> str:
    ending = os.path.splitext(path)[1].lower()
    return f"({ending})" if 1 < len(ending) <= 12 else "(no ending)"
