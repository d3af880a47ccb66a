"""The guard's edges: sensors and what acts, as the settings and this machine have them."""

import glob
import shutil

from vigie.config import Settings
from vigie.errors import VigieError
from vigie.judge import glance
from vigie.sources.folder import walk
from vigie.ui.cli.actuators import actuators
from vigie.watch.events import Sensor
from vigie.watch.fanotify import Fanotify
from vigie.watch.folder_events import FolderEvents
from vigie.watch.guard import Edges
from vigie.watch.log import Emit
from vigie.watch.plan import Orders
from vigie.watch.scope import Scope
from vigie.workers import Workers


def edges(chosen: Settings, scope: Scope, workers: Workers, sensor: Sensor, emit: Emit) -> Edges:
    """All that a guard is wired to. The caller closes the sensor."""
    leave_out = (*chosen.check.exclude, glob.escape(scope.state))
    return Edges(
        sensor=sensor,
        judge=workers.judge,
        judge_all=workers.judge_all,
        glance=glance,
        walk=lambda: walk(scope.roots, exclude=leave_out),
        emit=emit,
        orders=Orders(),
        actuators=actuators(chosen),
    )


def sensor_for(name: str, roots: tuple[str, ...]) -> tuple[Sensor, VigieError | None]:
    """The sensor that was asked for, and what kept `auto` from the better one."""
    if name == "watchfiles":
        return FolderEvents(roots), None
    try:
        return Fanotify(roots), None
    except VigieError as error:
        if name == "fanotify":
            raise
        return FolderEvents(roots), error


def never(chosen: Settings) -> tuple[str, ...]:
    """Executables that are not frozen. restic by its full path: a name alone could be taken by anybody."""
    restic = shutil.which(chosen.vault.restic)
    return (*chosen.guard.never_freeze, *([glob.escape(restic)] if restic else []))
