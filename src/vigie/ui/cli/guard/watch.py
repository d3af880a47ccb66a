"""`vigie guard`: watch folders live, name who encrypts them and, with `--contain`, freeze it."""

import os
import signal
import time
from contextlib import ExitStack

import click

from vigie.config import load, state_folder
from vigie.errors import BadSettings, NoSuchTarget, VigieError
from vigie.journal import Journal
from vigie.sources.folder import walk
from vigie.ui.cli import shown
from vigie.ui.cli.guard.again import told_again
from vigie.ui.cli.guard.edges import edges, never, sensor_for
from vigie.ui.cli.guard.standing import metrics_of
from vigie.ui.cli.guard.tell import steady, tell
from vigie.ui.cli.guard.tellers import to_all
from vigie.ui.cli.output import emit, options
from vigie.watch.freeze import Freezer
from vigie.watch.guard import Guard
from vigie.watch.lock import sole_guard
from vigie.watch.log import Emit, timestamp
from vigie.watch.scope import Scope
from vigie.watch.urgency import be_urgent
from vigie.workers import Workers


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
@click.option("--replay", is_flag=True, help="Decide again what the journal has, and watch nothing.")
@options
def command(
    paths: tuple[str, ...],
    contain: bool,
    sensor: str,
    replay: bool,
    as_json: bool,
    state: str | None,
    settings: str | None,
) -> int:
    """Watch PATHS (default: `paths` of `[guard]` in vigie.toml) until SIGTERM or Ctrl-C.

    SIGHUP has the settings read again: `encrypted_files`, `window`, `never_freeze` and `release_after` change
    at once, the rest at the next start. `vigie guard install`, `status`, `decoys` and `alerts` belong to it.

    Exit codes: 0 nothing happened, 1 there was an incident, 2 it could not watch.
    """
    chosen = load(settings)
    if replay:
        return told_again(chosen, state_folder(state), as_json=as_json)
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
        watching, problem = sensor_for(sensor, scope.roots)
        stack.callback(watching.close)
        metrics = metrics_of(chosen, stack)
        say = to_all(chosen, steady(emit if as_json else tell), stack, metrics)
        wired = edges(chosen, scope, workers, watching, say, stack, metrics)
        guard = Guard(wired, scope, chosen.guard, journal, Freezer(never(chosen)), contain=contain)
        signal.signal(signal.SIGHUP, lambda *_: _read_again(guard, settings, say))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: guard.stop())
        if problem is not None:
            click.echo(f"vigie: {shown(str(problem))}\n       {shown(problem.remedy)}", err=True)
        be_urgent()
        return guard.run()


def _read_again(guard: Guard, settings: str | None, say: Emit) -> None:
    """In a signal handler: settings that are wrong change nothing, and are said."""
    try:
        chosen = load(settings)
    except VigieError as error:
        stamp = timestamp(time.time_ns())
        problem = {"what": "settings", "problem": str(error), "remedy": error.remedy}
        say({"event": "trouble", "time": stamp, **problem})
    else:
        guard.adjust(chosen.guard, never(chosen))


def _only_files_and_folders(roots: tuple[str, ...]) -> None:
    for root in roots:
        if not (os.path.isdir(root) or os.path.isfile(root)):
            raise NoSuchTarget(root, "it is neither a folder nor a file", "Give folders to watch.")
