"""`vigie guard`: watch folders live, name who encrypts them and, with `--contain`, freeze it."""

import glob
import os
import shutil
import signal
import sys
from contextlib import ExitStack, suppress
from typing import Any

import click

from vigie.config import Settings, load, state_folder
from vigie.errors import BadSettings, NoSuchTarget, VigieError
from vigie.journal import Journal
from vigie.judge import glance
from vigie.sources.folder import walk
from vigie.ui.cli import shown
from vigie.ui.cli.output import counted, emit, options
from vigie.watch.events import Sensor
from vigie.watch.fanotify import Fanotify
from vigie.watch.folder_events import FolderEvents
from vigie.watch.freeze import Freezer
from vigie.watch.guard import Edges, Guard
from vigie.watch.lock import sole_guard
from vigie.watch.log import Emit
from vigie.watch.scope import Scope
from vigie.watch.urgency import be_urgent
from vigie.workers import Workers

_STYLES = {
    "incident": "red",
    "verdict": "yellow",
    "action": "magenta",
    "overflow": "yellow",
    "trouble": "red",
}


@click.command(name="guard")
@click.argument("paths", nargs=-1)
@click.option("--contain", is_flag=True, help="Freeze who encrypts; the default is to observe and tell.")
@click.option(
    "--sensor",
    type=click.Choice(["auto", "fanotify", "watchfiles"]),
    default="auto",
    show_default=True,
    help="fanotify names the process and needs root; watchfiles does neither.",
)
@options
def command(
    paths: tuple[str, ...], contain: bool, sensor: str, as_json: bool, state: str | None, settings: str | None
) -> int:
    """Watch PATHS (default: `paths` of `[guard]` in vigie.toml) until SIGTERM or Ctrl-C.

    Exit codes: 0 nothing happened, 1 there was an incident, 2 it could not watch.
    """
    chosen = load(settings)
    roots = paths or chosen.guard.paths
    if not roots:
        remedy = "Give folders to watch, or set `paths` in `[guard]` of vigie.toml."
        raise BadSettings("guard", "nothing to watch", remedy)
    folder = state_folder(state)
    with ExitStack() as stack:
        stack.enter_context(sole_guard(folder))
        scope = Scope(roots, exclude=chosen.check.exclude, state=str(folder))
        walk(scope.roots)  # raises for what is not there; nothing is read yet
        _only_files_and_folders(scope.roots)
        workers = stack.enter_context(Workers(chosen.check))
        workers.start()
        journal = stack.enter_context(Journal(folder))
        watching, problem = _sensor(sensor, scope.roots)
        stack.callback(watching.close)
        leave_out = (*chosen.check.exclude, glob.escape(scope.state))
        edges = Edges(
            sensor=watching,
            judge=workers.judge,
            judge_all=workers.judge_all,
            glance=glance,
            walk=lambda: walk(scope.roots, exclude=leave_out),
            emit=_steady(emit if as_json else _tell),
        )
        guard = Guard(edges, scope, chosen.guard, journal, Freezer(_never(chosen)), contain=contain)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: guard.stop())
        if problem is not None:
            click.echo(f"vigie: {shown(str(problem))}\n       {shown(problem.remedy)}", err=True)
        be_urgent()
        return guard.run()


def _only_files_and_folders(roots: tuple[str, ...]) -> None:
    for root in roots:
        if not (os.path.isdir(root) or os.path.isfile(root)):
            raise NoSuchTarget(root, "it is neither a folder nor a file", "Give folders to watch.")


def _steady(tell: Emit) -> Emit:
    """Go on in silence when nobody reads the output any more: the journal still says it all."""
    gone = False

    def say(event: dict[str, Any]) -> None:
        nonlocal gone
        if gone:
            return
        try:
            tell(event)
        except BrokenPipeError:
            gone = True
            sys.stdout = None  # nothing is left to flush into
            with suppress(OSError):
                click.echo(
                    "vigie: nobody reads the output any more; the guard and its journal go on", err=True
                )
        except OSError:
            pass  # a log file on a full disk: the next line may fit

    return say


def _sensor(name: str, roots: tuple[str, ...]) -> tuple[Sensor, VigieError | None]:
    """The sensor that was asked for, and what kept `auto` from the better one."""
    if name == "watchfiles":
        return FolderEvents(roots), None
    try:
        return Fanotify(roots), None
    except VigieError as error:
        if name == "fanotify":
            raise
        return FolderEvents(roots), error


def _never(chosen: Settings) -> tuple[str, ...]:
    """Executables that are not frozen. restic by its full path: a name alone could be taken by anybody."""
    restic = shutil.which(chosen.vault.restic)
    return (*chosen.guard.never_freeze, *([glob.escape(restic)] if restic else []))


def _tell(event: dict[str, Any]) -> None:
    """One short line for people: time, what, details."""
    name = event["event"]
    word = click.style(name, fg=_STYLES.get(name), bold=name == "incident")
    click.echo(f"{event['time'][11:19]}  {word}  {shown(_details(name, event))}")
    for reason in event["lost"] if name == "ready" else ():
        click.echo(f"          lost: {shown(reason)}")


def _details(name: str, event: dict[str, Any]) -> str:
    if name == "ready":
        how = "freezing who encrypts" if event["contain"] else "observing only"
        return f"{event['sensor']}, {how}: {', '.join(event['paths'])}"
    if name == "baseline":
        return f"{event['files']} files, {event['judged']} judged in {event['seconds']} s"
    if name == "verdict":
        return f"{event['verdict']}: {event['path']} ({who(event['actor'])}): {'; '.join(event['evidence'])}"
    if name == "incident":
        return f"{event['id']}: {event['reason']}; {who(event['actor'])}"
    if name == "action":
        until = f", until {event['expires']}" if event["expires"] else ""
        return f"{event['kind']} {event['executable']} (pid {event['pid']}): {event['outcome']}{until}"
    if name == "stopped":
        left = ", ".join(str(process["pid"]) for process in event["frozen"])
        return counted(event["incidents"], "incident") + (
            f"; still frozen: {left} (`vigie release ID`)" if left else ""
        )
    if name == "trouble":
        return f"{event['what']}: {event['problem'] or 'works again'} {event['remedy']}"
    return str(event.get("reason") or ", ".join(event.get("filesystems") or event.get("paths") or ()))


def who(actor: dict[str, Any] | None) -> str:
    """An actor in a few words."""
    if actor is None:
        return "actor unknown"
    return f"{actor['executable']}, pid {actor['pid']}, user {actor['user']}"
