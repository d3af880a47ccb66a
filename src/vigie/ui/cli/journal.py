"""`vigie journal`: show and verify the hash-chained record of what happened."""

from contextlib import closing
from datetime import UTC, datetime
from itertools import islice

import click
from rich.table import Table

from vigie.config import load, state_folder
from vigie.errors import ExitCode, JournalBroken, NoSuchTarget
from vigie.journal import Journal
from vigie.ui.cli import output, shown

_WIDEST = 200
"""Characters of a row's body shown to people; --json gives all of it."""


@click.group()
def command() -> None:
    """Show and verify the record of what happened: rows are added only, each chained to the last."""


@command.command("show")
@click.option(
    "--kind", multiple=True, metavar="K", help="Only rows of this kind (keep, verdict, incident …)."
)
@click.option("--after", type=click.IntRange(0), default=0, metavar="N", help="Only rows after number N.")
@output.options
def show_command(
    kind: tuple[str, ...], after: int, settings: str | None, state: str | None, as_json: bool
) -> int:
    """Show the rows, oldest first."""
    load(settings)
    with _open(state) as journal, closing(journal.rows(*kind, after=after)) as rows:
        if as_json:
            count = 0
            for count, row in enumerate(rows, 1):  # noqa: B007 - the count is what is wanted afterwards
                when = _time(row.time_ns)
                output.emit(
                    {"id": row.id, "time": when, "kind": row.kind, "body": row.body, "hash": row.hash}
                )
            output.emit({"summary": {"rows": count}})
            return ExitCode.CLEAN
        # A table is laid out as a whole: piece by piece, so that a long journal is not held at once.
        while piece := list(islice(rows, 500)):
            table = Table("row", "time", "kind", "what")
            for row in piece:
                # Short facts first: what is cut off is the end of the long ones.
                facts = sorted((f"{key}: {value}" for key, value in row.body.items()), key=len)
                said = ", ".join(facts)
                table.add_row(str(row.id), _time(row.time_ns), shown(row.kind), _plain(said))
            output.console().print(table)
    return ExitCode.CLEAN


@command.command("verify")
@click.option("--expect", metavar="HASH", help="A last hash noted earlier: it must still be in the chain.")
@output.options
def verify_command(expect: str | None, settings: str | None, state: str | None, as_json: bool) -> int:
    """Recompute the whole chain.

    Note the hash it gives somewhere else: given back with --expect, it proves that nothing before moved.
    """
    load(settings)
    with _open(state) as journal:
        rows, last = journal.verify(expect)
    if as_json:
        output.emit({"summary": {"rows": rows, "hash": last}})
    else:
        click.echo(f"{output.counted(rows, 'row')}, unbroken. Last hash: {last}")
    return ExitCode.CLEAN


def _open(state: str | None) -> Journal:
    folder = state_folder(state)
    path = folder / "journal.sqlite"
    if not path.is_file():
        # Opening would make an empty one, and say that all is well.
        raise NoSuchTarget(str(folder), "there is no journal", "Give the state folder with --state.")
    if not path.stat().st_size:
        # The same: a journal of ours is never empty, not even before its first row.
        raise JournalBroken(str(path), "it is empty: somebody took its rows away", "Keep it as evidence.")
    return Journal(folder)


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="seconds")


def _plain(text: str) -> str:
    cut = text if len(text) <= _WIDEST else text[:_WIDEST] + "…"
    return shown(cut).replace("[", r"\[")
