"""`vigie guard install`: have systemd keep the guard running, with no more rights than it needs."""

import difflib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from vigie.config import SYSTEM_SETTINGS, Settings, load, state_folder
from vigie.errors import BadSettings, ExitCode, NotPermitted
from vigie.ui.cli import shown
from vigie.ui.cli.guard.unit import unit

_UNIT = "vigie-guard.service"
_SAMBA = ("/run/samba", "/var/lib/samba", "/var/cache/samba")


@click.command(name="install")
@click.option(
    "--contain", is_flag=True, help="Let it freeze and cut off who encrypts; the default is to tell."
)
@click.option("--print", "only_print", is_flag=True, help="Print the unit, and change nothing.")
@click.option("--force", is_flag=True, help="Replace a unit that was changed by hand.")
@click.option(
    "--to", metavar="DIR", default="/etc/systemd/system", show_default=True, help="Where units are."
)
@click.option("--state", metavar="DIR", help="Journal and baselines (else VIGIE_STATE, /var/lib/vigie).")
@click.option("--settings", metavar="FILE", help="vigie.toml that the guard is to use (else /etc/vigie).")
def command(
    contain: bool, only_print: bool, force: bool, to: str, state: str | None, settings: str | None
) -> ExitCode:
    """Write the unit vigie-guard.service, check it, and say how to start it."""
    chosen = load(settings)
    if not chosen.guard.paths:
        remedy = f"Set `paths` in `[guard]` of {settings or SYSTEM_SETTINGS}: the unit names no folders."
        raise BadSettings("guard", "nothing to watch", remedy)
    folder = state_folder(state).absolute()
    file = Path(settings or SYSTEM_SETTINGS).absolute()
    text = unit(_program(), str(file), str(folder), _writable(chosen), contain=contain)
    if only_print:
        click.echo(text, nl=False)
        return ExitCode.CLEAN
    place = Path(to) / _UNIT
    if not force and place.exists() and (was := place.read_text(errors="replace")) != text:
        if not was.startswith("# Written by `vigie guard install`."):
            raise BadSettings(str(place), "it was not written by Vigie", "Move it away, or give --force.")
        lines = difflib.unified_diff(was.splitlines(), text.splitlines(), str(place), "new", lineterm="")
        for line in lines:
            click.echo(shown(line), err=True)
        raise BadSettings(str(place), "it is another one (see above)", "Give --force to replace it.")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "numba").mkdir(mode=0o700, exist_ok=True)
        draft = place.with_suffix(".new")
        draft.write_text(text)
        draft.chmod(0o644)
        draft.replace(place)
    except OSError as error:
        raise NotPermitted(
            str(place), error.strerror or str(error), "Run as root, or give --print."
        ) from error
    click.echo(f"{shown(str(place))} is written.")
    if (problem := _verified(place)) != "":
        click.echo(f"systemd-analyze says: {shown(problem)}", err=True)
    click.echo(
        "Start it now and at every boot:\n    systemctl daemon-reload && systemctl enable --now vigie-guard"
    )
    click.echo("How it stands: vigie guard status    Other settings: systemctl reload vigie-guard")
    return ExitCode.CLEAN


def _program() -> str:
    """How this very Vigie is called."""
    beside = Path(sys.executable).with_name("vigie")
    return str(beside if beside.exists() else Path(shutil.which("vigie") or "vigie").absolute())


def _writable(chosen: Settings) -> tuple[str, ...]:
    """Folders outside the state that the settings make it write to."""
    found = [path for path in _SAMBA if os.path.isdir(path)]
    if chosen.vault.repository.startswith("/"):
        found.append(chosen.vault.repository)
    found += [
        os.path.dirname(path)
        for path in (chosen.guard.alerts.ecs_file, chosen.guard.metrics.textfile)
        if path.startswith("/")
    ]
    return tuple(found)


def _verified(place: Path) -> str:
    """What systemd finds wrong with it, where there is a systemd to ask."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return ""
    try:
        done = subprocess.run(
            [analyze, "verify", str(place)], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip() if done.returncode else ""
