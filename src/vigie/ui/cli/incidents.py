"""`vigie incidents`: who did what to which files, and what Vigie did."""

import click
from rich.markup import escape
from rich.table import Table

from vigie.config import load, state_folder
from vigie.errors import ExitCode
from vigie.journal import Journal
from vigie.ui.cli import shown
from vigie.ui.cli.output import console, emit, options
from vigie.watch.incidents import KINDS, Incident, Phase, incidents
from vigie.watch.log import timestamp


@click.command(name="incidents")
@options
def command(as_json: bool, state: str | None, settings: str | None) -> ExitCode:
    """List every incident in the journal.

    Exit codes: 0 none is open, 1 at least one is open.
    """
    load(settings)
    with Journal(state_folder(state)) as journal:
        found = incidents(journal.rows(*KINDS))
    still_open = sum(incident.phase is Phase.OPEN for incident in found)
    if as_json:
        for incident in found:
            emit(incident.record())
        emit({"summary": {"incidents": len(found), "open": still_open}})
    elif found:
        console().print(_table(found))
    else:
        click.echo("No incidents.")
    return ExitCode.FOUND if still_open else ExitCode.CLEAN


def _table(found: list[Incident]) -> Table:
    table = Table("ID", "When (UTC)", "Actor", "Files", "State", "What was done", "Why")
    for incident in found:
        actor = incident.actor
        who = f"{actor['executable']} (pid {actor['pid']}, {actor['user']})" if actor else "unknown"
        done = (
            "\n".join(f"{a.kind} {a.process.pid}: {a.outcome}" for a in incident.actions) or "observed only"
        )
        row = (
            incident.id,
            timestamp(incident.time_ns)[:19].replace("T", " "),
            who,
            str(incident.count),
            incident.phase.value,
            done,
            incident.reason,
        )
        table.add_row(*(escape(shown(cell)) for cell in row))
    return table
