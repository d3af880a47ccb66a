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
from vigie.journal.judged import Seen
from vigie.model import Entry, Skipped, State, Verdict
from vigie.ui.cli import shown
from vigie.ui.cli.memory import Memory
from vigie.ui.cli.output import COLOURS, beside, console, counted, emit, options, progress, table
from vigie.ui.cli.targets import BACKUPS, opened
from vigie.workers import Workers

KINDS = 500
"""Formats and endings that are counted one by one; an attacker can name files as he likes."""

QUIET = frozenset({State.INTACT, State.UNKNOWN})
"""What people are not told file by file unless they ask."""


@dataclass(slots=True)
class _Tally:
    """What a run adds up to."""

    formats: Counter[tuple[str, str]] = field(default_factory=Counter)
    size: int = 0
    read: int = 0
    """Bytes that were read in this run,"""
    unchanged: int = 0
    """and files that were not opened, because they are known."""

    def add(self, item: Entry | Skipped, verdict: Verdict | Seen) -> None:
        kind = verdict.format or _ending(item.path), str(verdict.state)
        if kind not in self.formats and len(self.formats) >= KINDS:
            kind = "(other kinds)", kind[1]
        self.formats[kind] += 1
        if isinstance(item, Entry):
            self.size += item.size
        if isinstance(verdict, Seen):
            self.unchanged += 1
        else:
            self.read += verdict.read

    def states(self) -> Counter[str]:
        """Files by what was said of them."""
        states: Counter[str] = Counter()
        for (_, state), count in self.formats.items():
            states[state] += count
        return states

    def exit_code(self) -> ExitCode:
        states = self.states()
        if states[State.ENCRYPTED] or states[State.DAMAGED]:
            return ExitCode.FOUND
        return ExitCode.PARTIAL if states[State.SKIPPED] else ExitCode.CLEAN


@click.command("check")
@click.argument("targets", metavar="TARGET…", nargs=-1, required=True)
@click.option("--all", "everything", is_flag=True, help="List intact and unknown files too.")
@click.option("--full", is_flag=True, help="Read every byte; by default, of large files a stated sample.")
@click.option("--again", is_flag=True, help="Judge files anew that are unchanged since an earlier check.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Shell pattern of paths to leave out.")
@click.option("--explain", is_flag=True, help="Of one FILE: draw what was expected, and what was found.")
@click.option("--picture", metavar="FILE", help="With --explain: draw it as FILE.svg or FILE.png too.")
@click.option("--lang", type=click.Choice(["en", "fr"]), default="en", help="With --explain: its language.")
@options
def command(
    targets: tuple[str, ...],
    everything: bool,
    full: bool,
    again: bool,
    exclude: tuple[str, ...],
    explain: bool,
    picture: str | None,
    lang: str,
    settings: str | None,
    state: str | None,
    as_json: bool,
) -> int:
    """Judge files and folders: intact, encrypted, damaged or unknown, and why.

    TARGET is a file, a folder, or a snapshot of a backup (the latest one by default):
    restic:LOCATION[@SNAPSHOT], borg:PATH[@ARCHIVE] or snapshots:DIR[@NAME]. Nothing is written but, in the
    state folder, what was said of files in folders: while they stay the same, the next check need not open
    them. Exit code 1 if anything is encrypted or damaged, 3 if something could not be read.
    """
    if picture and not explain:
        raise click.UsageError("--picture draws an explanation: add --explain.")
    chosen = config.load(settings)
    if explain:
        return _explained(targets, chosen, lang, picture, full=full, as_json=as_json)
    patterns = (*chosen.check.exclude, *exclude)
    few = all(os.path.isfile(target) for target in targets)
    quiet = not (as_json or everything or few)
    tally, begun = _Tally(), time.monotonic()
    with ExitStack() as stack:
        found = opened(targets, chosen, patterns, stack)
        memory = stack.enter_context(Memory(full=full))
        if not again and not few:
            memory.open(state)
        workers = stack.enter_context(Workers(chosen.check, full=full))
        bar = stack.enter_context(progress(shown=not as_json))
        total = None if bar.disable else sum(1 for _ in found)
        task = bar.add_task("Judging", total=total)
        out = beside(bar)
        for item, said in workers.judge_all(found.walk(memory.left), known=memory.known):
            tally.add(item, said)
            if total is not None:
                bar.advance(task)
            if isinstance(said, Verdict):
                memory.learn(item, said)
            if quiet and said.state in QUIET:
                continue
            verdict = memory.recalled(item, workers.judge) if isinstance(said, Seen) else said
            if as_json:
                size = item.size if isinstance(item, Entry) else None
                emit({"path": item.path, "size": size, **verdict.record()})
            else:
                out.print(_line(item.path, verdict), soft_wrap=True)
        memory.forget_below(found.paths)
    seconds, states = time.monotonic() - begun, tally.states()
    isolation = workers.isolation
    if as_json:
        counts = {name.value: states[name] for name in State}
        emit(
            {
                "summary": {
                    "files": states.total(),
                    "bytes": tally.size,
                    "read": tally.read,
                    "unchanged": tally.unchanged,
                    **counts,
                    "seconds": round(seconds, 3),
                    "isolation": isolation.record() if isolation else None,
                    "memory": memory.problem or None,
                }
            }
        )
    else:
        missing = isolation.missing() if isolation else ()
        troubles = [f"Isolation of the judging processes: {words}" for words in missing]
        if memory.problem:
            troubles.append(f"Went on without memory of earlier checks: {shown(memory.problem)}")
        _summary(console(), tally, seconds, troubles)
    return tally.exit_code()


def _explained(
    targets: tuple[str, ...],
    chosen: config.Settings,
    lang: str,
    picture: str | None,
    *,
    full: bool,
    as_json: bool,
) -> int:
    [target] = targets if len(targets) == 1 else [""]
    if not target or os.path.isdir(target) or target.startswith(BACKUPS):
        raise click.UsageError("--explain takes one file: name it alone, no folder and no backup.")
    # Here: it loads the judge and the drawing, which a check has no need of.
    from vigie.ui.cli.explain import run  # noqa: PLC0415 - see above

    with ExitStack() as stack:
        found = opened(targets, chosen, (), stack)
        workers = stack.enter_context(Workers(chosen.check, full=full))
        return run(workers, found, lang, picture, as_json=as_json)


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


def _summary(out: Console, tally: _Tally, seconds: float, troubles: Iterable[str]) -> None:
    kinds, states = list(_by_format(tally.formats)), tally.states()
    if states.total() > 1:
        headers = [Column(Text(s.value, style=COLOURS[s.value]), justify="right") for s in State]
        grid = table("format", *headers)
        for name, counts in kinds[:20]:
            grid.add_row(shown(name), *(f"{counts[s]:,}" if counts[s] else "·" for s in State))
        if len(kinds) > 20:
            rest: Counter[str] = sum((counts for _, counts in kinds[20:]), Counter())
            grid.add_row(f"{len(kinds) - 20} more", *(f"{rest[s]:,}" if rest[s] else "·" for s in State))
        grid.add_row("all", *(f"{states[s]:,}" for s in State), style="bold")
        out.print(grid)
    parts = [counted(states.total(), "file"), decimal(tally.size), f"{decimal(tally.read)} read"]
    if tally.unchanged:
        parts.append(f"{tally.unchanged:,} unchanged")
    out.print(f"{', '.join(parts)}, {seconds:.1f} s", style="dim")
    for words in troubles:
        out.print(f"{words}.", style="yellow", soft_wrap=True)


def _by_format(formats: Counter[tuple[str, str]]) -> Iterator[tuple[str, Counter[str]]]:
    rows: dict[str, Counter[str]] = {}
    for (name, state), count in formats.items():
        rows.setdefault(name, Counter())[state] += count
    yield from sorted(rows.items(), key=lambda row: (-row[1][State.ENCRYPTED], -row[1].total(), row[0]))


def _ending(path: str) -> str:
    ending = os.path.splitext(path)[1].lower()
    return f"({ending})" if 1 < len(ending) <= 12 else "(no ending)"
