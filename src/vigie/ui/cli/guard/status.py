"""`vigie guard status`: whether it watches, what it sees, what is open."""

import fcntl
import os
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from vigie.config import load, state_folder
from vigie.errors import ExitCode
from vigie.journal import Journal
from vigie.ui.cli import shown
from vigie.ui.cli.output import console, counted, emit, options
from vigie.watch.incidents import KINDS, Incident, Phase, incidents
from vigie.watch.log import timestamp
from vigie.watch.standing import STALE, Standing


@click.command(name="status")
@options
def command(as_json: bool, state: str | None, settings: str | None) -> ExitCode:
    """Say how the guard stands.

    Exit codes: 0 it watches and all is well, 1 an incident is open, 2 it does not watch, or is in trouble.
    """
    load(settings)
    folder = state_folder(state)
    standing = Standing.read(folder)
    runs = _locked(folder) and standing is not None and standing.age < STALE
    with Journal(folder) as journal:
        found = [one for one in incidents(journal.rows(*KINDS)) if one.phase is Phase.OPEN]
    if as_json:
        emit({"summary": _record(standing, found, runs=runs)})
    else:
        _tell(standing, found, runs=runs)
    if not runs or (standing is not None and standing.troubles):
        return ExitCode.FAILED
    return ExitCode.FOUND if found else ExitCode.CLEAN


def _locked(state: Path) -> bool:
    """Whether a guard has this state folder: asked without taking the lock from it, or from anybody."""
    try:
        fd = os.open(state / "guard.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _record(standing: Standing | None, found: list[Incident], *, runs: bool) -> dict[str, Any]:
    if standing is None:
        return {"running": False, "incidents_open": [one.id for one in found]}
    return {
        "running": runs,
        "pid": standing.pid,
        "since": timestamp(standing.since_ns),
        "last_sign": timestamp(standing.time_ns),
        "sensor": standing.sensor,
        "contain": standing.contain,
        "paths": list(standing.paths),
        "lost": list(standing.lost),
        "scanning": standing.scanning,
        "files": standing.files,
        "judged": standing.judged,
        "known": standing.known,
        "queue": standing.queue,
        "held": standing.held,
        "frozen": standing.frozen,
        "troubles": standing.troubles,
        "incidents_open": [one.id for one in found],
        "in_force": [action.record() for one in found for action in one.in_force],
    }


def _tell(standing: Standing | None, found: list[Incident], *, runs: bool) -> None:
    out = console()

    def line(label: str, words: str, style: str = "") -> None:
        out.print(Text(f"{label:<11}"), Text(shown(words), style=style), soft_wrap=True)

    if not runs:
        last = f"; its last sign is of {timestamp(standing.time_ns)}" if standing else ""
        line("guard", f"not running{last}", "bold red")
        line("", "Start it: systemctl start vigie-guard (or: vigie guard --contain)")
    if standing is not None and runs:
        how = "freezing who encrypts" if standing.contain else "observing only"
        line("guard", f"watching since {timestamp(standing.since_ns)}, pid {standing.pid}", "green")
        line("", f"{standing.sensor}, {how}")
    if standing is not None:
        line("paths", ", ".join(standing.paths))
        for reason in standing.lost:
            line("not seen", reason, "yellow")
        if standing.scanning:
            share = f" of some {standing.known:,}" if standing.known else ""
            line("reading", f"{standing.files:,}{share} files looked at, {standing.judged:,} judged")
        line("queue", f"{counted(standing.queue, 'file')}, {standing.held} held, {standing.frozen} frozen")
        for what, problem in standing.troubles.items():
            line("trouble", f"{what}: {problem}", "bold red")
    for one in found:
        line("incident", f"{one.id}: {one.reason}", "red")
        for action in one.in_force:
            until = f", until {timestamp(action.expires_ns)}" if action.expires_ns else ""
            line("", f"{action.words}: {action.outcome}{until}")
    if not found:
        line("incidents", "none is open", "green")
