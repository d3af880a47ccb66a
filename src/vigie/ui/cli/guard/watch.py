"""`vigie guard`: watch folders live, name who encrypts them and, with `--contain`, freeze it."""

import os
import signal
from contextlib import ExitStack

import click

from vigie.config import load, state_folder
from vigie.errors import BadSettings, NoSuchTarget
from vigie.journal import Journal
from vigie.sources.folder import walk
from vigie.ui.cli import shown
from vigie.ui.cli.guard.edges import edges, never, sensor_for
from vigie.ui.cli.guard.tell import steady, tell
from vigie.ui.cli.guard.tellers import to_all
from vigie.ui.cli.output import emit, options
from vigie.watch.freeze import Freezer
from vigie.watch.guard import Guard
from vigie.watch.lock import sole_guard
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
        watching, problem = sensor_for(sensor, scope.roots)
        stack.callback(watching.close)
        say = to_all(chosen, steady(emit if as_json else tell), stack)
        wired = edges(chosen, scope, workers, watching, say, stack)
        guard = Guard(wired, scope, chosen.guard, journal, Freezer(never(chosen)), contain=contain)
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
