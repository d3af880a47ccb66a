"""`vigie release ID`: undo every action of an incident."""

import click

from vigie.config import load, state_folder
from vigie.errors import ExitCode
from vigie.journal import Journal
from vigie.ui.cli import shown
from vigie.ui.cli.actuators import actuators
from vigie.ui.cli.output import emit, options
from vigie.watch.incidents import release


@click.command(name="release")
@click.argument("incident", metavar="ID")
@options
def command(incident: str, as_json: bool, state: str | None, settings: str | None) -> ExitCode:
    """Continue every process that was frozen for the incident ID, and close it.

    A running guard leaves these processes alone from then on.
    """
    chosen = load(settings)
    folder = state_folder(state)
    with Journal(folder) as journal:
        done = release(journal, incident, actuators(chosen, folder))
    if as_json:
        for action in done:
            emit(action.record())
        emit({"summary": {"incident": incident, "released": len(done)}})
    elif not done:
        click.echo(f"{shown(incident)}: nothing to undo.")
    else:
        for action in done:
            click.echo(f"{shown(action.words)}: {action.outcome}")
    return ExitCode.CLEAN
