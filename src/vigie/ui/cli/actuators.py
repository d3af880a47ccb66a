"""What `vigie guard` and `vigie release` can do and undo here: each kind of action wired to what does it."""

from pathlib import Path
from typing import Any

from vigie.config import Settings
from vigie.journal import Journal
from vigie.ui.cli.sealing import SealVault, has_vault
from vigie.watch.actions import Actuator
from vigie.watch.commands import Commands, Own
from vigie.watch.firewall import DenyAddress
from vigie.watch.freeze import Freezer
from vigie.watch.freeze_group import GroupFreezer
from vigie.watch.incidents import KINDS, incidents
from vigie.watch.remount import Remount
from vigie.watch.samba.cut import CloseShare, KillClient


def actuators(settings: Settings, state: Path) -> dict[str, Actuator]:
    """By kind; the freezer too, since `vigie release` has no guard."""
    guard = settings.guard
    freezer = Freezer(guard.never_freeze)
    smbcontrol = with_config("smbcontrol", guard.samba.config)
    found: list[Actuator] = [
        freezer,
        GroupFreezer(freezer),
        DenyAddress(guard.release_after, guard.samba.ports, guard.samba.never_cut),
        KillClient(smbcontrol),
        CloseShare(smbcontrol),
        Remount(str(state)),
        Commands(
            [Own(one.name, one.run, one.undo, one.seconds) for one in guard.command],
            lambda incident: _told(state, incident),
        ),
    ]
    if has_vault(settings):
        found.append(SealVault(settings, state))
    return {actuator.kind: actuator for actuator in found}


def _told(state: Path, incident: str) -> dict[str, Any]:
    """An incident as the journal tells it, through a connection of the caller's thread."""
    with Journal(state) as journal:
        found = (one.record() for one in incidents(journal.rows(*KINDS)) if one.id == incident)
        return next(found, {})


def with_config(program: str, config: str) -> tuple[str, ...]:
    """One of Samba's programs, with the smb.conf of the settings."""
    return (program, f"--configfile={config}") if config else (program,)
