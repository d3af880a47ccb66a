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


def console() -> Console:
    """Where tables for people go."""
    return Console(highlight=False)


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
    )
