"""What every command shares: its common options, JSON Lines for machines, tables and progress for people."""

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

F = TypeVar("F", bound=Callable[..., Any])

COLOURS = {
    "intact": "green",
    "encrypted": "bold red",
    "damaged": "yellow",
    "unknown": "cyan",
    "skipped": "magenta",
}
"""One colour a verdict, everywhere; the word always stands beside it."""


def options(command: F) -> F:
    """`--json`, `--state` and `--settings`."""
    for option in (
        click.option(
            "--settings", metavar="FILE", help="vigie.toml to use (else VIGIE_SETTINGS, ./, /etc/vigie)."
        ),
        click.option(
            "--state", metavar="DIR", help="Journal and baselines (else VIGIE_STATE, /var/lib/vigie)."
        ),
        click.option("--json", "as_json", is_flag=True, help="JSON Lines on standard output."),
    ):
        command = option(command)
    return command


def emit(record: dict[str, Any]) -> None:
    """One JSON object on one line, at once; bytes of names that are not UTF-8 come out as escapes."""
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


class _Console(Console):
    """One that leaves it to `main` to say how a command ends whose reader went away."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Where tables for people go."""
    return _Console(highlight=False)


def beside(bar: Progress) -> Console:
    """Where lines for people go while a bar may be shown: above it, where both are on the terminal."""
    return bar.console if not bar.disable and sys.stdout.isatty() else console()


def counted(number: int, noun: str) -> str:
    """How many of something, in words: `1 file`, `2,000 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def table(*headers: str | Column) -> Table:
    """A table that fits 80 columns: no frame, and no word of a header is cut."""
    return Table(*headers, box=None, pad_edge=False)


def progress(*, shown: bool = True) -> Progress:
    """A progress bar on standard error: invisible when that is no terminal, so that logs stay clean."""
    errors = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=errors,
        disable=not (shown and errors.is_terminal),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # or what goes to a file would land on the terminal
    )


def size(count: int) -> str:
    """Bytes for people, in steps of 1024."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:,.0f} {unit}" if unit == "B" or value >= 100 else f"{value:,.1f} {unit}"
