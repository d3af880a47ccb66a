"""`vigie incidents`: who did what to which files, and what Vigie did."""

import click
from rich.console import Console
from rich.text import Text

from vigie.config import load, state_folder
from vigie.errors import ExitCode
from vigie.journal import Journal
from vigie.ui.cli import shown
from vigie.ui.cli.output import console, emit, options
from vigie.watch.incidents import KINDS, Action, Incident, Phase, incidents
from vigie.watch.log import timestamp

_NAMED = 5
"""Files named an incident; --json names more."""


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
        out = console()
        for incident in found:
            _tell(out, incident)
    else:
        click.echo("No incidents.")
    return ExitCode.FOUND if still_open else ExitCode.CLEAN


def _tell(out: Console, incident: Incident) -> None:
    """One incident, in lines that fit any terminal; its id is never cut, since `vigie release` wants it."""
    actor = incident.actor
    who = f"{actor['executable']} (pid {actor['pid']}, user {actor['user']})" if actor else "unknown"
    if actor and (client := actor.get("client")):
        known = ", ".join(filter(None, (client["user"], client["machine"], client["share"])))
        who = f"SMB client {client['address']}{f' ({known})' if known else ''}, through {who}"
    parents = [f"{p['executable']} ({p['pid']})" for p in actor["parents"][:4]] if actor else []
    files = [
        *incident.files[:_NAMED],
        *([f"and {incident.count - _NAMED} more"] if incident.count > _NAMED else []),
    ]
    done = [f"{a.words}: {a.outcome}{_until(a)}" for a in incident.actions]
    still = incident.phase is Phase.OPEN
    out.print(
        Text(incident.id, style="bold"),
        Text(incident.phase.value, style="bold red" if still else "green"),
        Text(timestamp(incident.time_ns)[:19].replace("T", " ") + " UTC", style="dim"),
    )
    rows = [
        ("who", [who]),
        ("started by", [" < ".join(parents)] if parents else []),
        ("why", [incident.reason]),
        ("1 file" if incident.count == 1 else f"{incident.count} files", files),
        ("done", done or ["observed only: the guard ran without --contain, or could not name anybody"]),
        ("undo", [f"vigie release {incident.id}"] if still else []),
    ]
    for label, lines in rows:
        for number, line in enumerate(lines):
            out.print(Text(f"  {label if number == 0 else '':<11}{shown(line)}"), soft_wrap=True)


def _until(action: Action) -> str:
    return f", until {timestamp(action.expires_ns)[:16].replace('T', ' ')} UTC" if action.expires_ns else ""
