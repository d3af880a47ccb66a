"""`vigie guard decoys`: files that nobody has a reason to touch, placed, listed and taken away."""

import os
from collections.abc import Iterable

import click

from vigie.config import load, state_folder
from vigie.errors import ExitCode
from vigie.journal import Journal
from vigie.ui.cli import shown
from vigie.ui.cli.output import counted, emit, options
from vigie.watch.decoys import Decoy, Register, place, remove
from vigie.watch.log import timestamp


@click.group(name="decoys")
def command() -> None:
    """Files that nobody has a reason to touch: who writes, renames or deletes them is told of."""


@command.command("place")
@click.argument("paths", nargs=-1, required=True)
@options
def place_command(paths: tuple[str, ...], as_json: bool, state: str | None, settings: str | None) -> ExitCode:
    """Place four decoys in each of the folders PATHS; files that are there are never touched."""
    load(settings)
    folder = state_folder(state)
    made: list[Decoy] = []
    refused: list[str] = []
    with Journal(folder) as journal, Register(folder) as register:
        for path in paths:
            done = place(path, register)
            refused += done.refused
            for decoy in done.decoys:
                journal.append("decoy", {"what": "placed", "path": decoy.path, "sha256": decoy.sha256})
                _tell(decoy, as_json=as_json)
            made += done.decoys
    for reason in refused:
        click.echo(f"vigie: {shown(reason)}", err=True)
    if as_json:
        emit({"summary": {"placed": len(made), "refused": len(refused), "hide_files": _hide(made)}})
    elif made:
        click.echo(f"{counted(len(made), 'decoy')} placed. So that people do not see them, in smb.conf:")
        click.echo(f"    hide files = {shown(_hide(made))}")
    return ExitCode.PARTIAL if refused else ExitCode.CLEAN


@command.command("list")
@options
def list_command(as_json: bool, state: str | None, settings: str | None) -> ExitCode:
    """List the decoys of this machine; keep the list away from others."""
    load(settings)
    with Register(state_folder(state)) as register:
        found = register.all()
    for decoy in found:
        _tell(decoy, as_json=as_json)
    missing = sum(not os.path.lexists(decoy.path) for decoy in found)
    if as_json:
        emit({"summary": {"decoys": len(found), "missing": missing, "hide_files": _hide(found)}})
    else:
        click.echo(counted(len(found), "decoy") + (f", {missing} of them gone" if missing else ""))
    return ExitCode.CLEAN


@command.command("remove")
@click.argument("paths", nargs=-1)
@click.option("--force", is_flag=True, help="Those that were changed as well.")
@options
def remove_command(
    paths: tuple[str, ...], force: bool, as_json: bool, state: str | None, settings: str | None
) -> ExitCode:
    """Take away the decoys at and below PATHS (default: all): what was placed, and is unchanged."""
    load(settings)
    folder = state_folder(state)
    with Journal(folder) as journal, Register(folder) as register:
        before = {decoy.path for decoy in register.all()}
        kept = remove(register, paths, force=force)
        gone = sorted(before - {decoy.path for decoy in register.all()})
        for path in gone:
            journal.append("decoy", {"what": "removed", "path": path})
    for item in kept:
        click.echo(f"vigie: {shown(item.path)}: {item.reason}", err=True)
    if as_json:
        emit({"summary": {"removed": len(gone), "kept": [item.path for item in kept]}})
    else:
        click.echo(f"{counted(len(gone), 'decoy')} removed")
    return ExitCode.PARTIAL if kept else ExitCode.CLEAN


def _tell(decoy: Decoy, *, as_json: bool) -> None:
    there = os.path.lexists(decoy.path)
    if as_json:
        time = timestamp(decoy.placed_ns)
        emit({"path": decoy.path, "sha256": decoy.sha256, "size": decoy.size, "placed": time, "there": there})
    else:
        click.echo(shown(decoy.path) + ("" if there else "  (gone)"))


def _hide(decoys: Iterable[Decoy]) -> str:
    """The value of `hide files` (smb.conf(5)): hidden for people, and there for whoever walks the share."""
    names = sorted({os.path.basename(decoy.path) for decoy in decoys})
    return "/" + "".join(f"{name}/" for name in names)
