"""The guard's edges: sensors and what acts, as the settings and this machine have them."""

import glob
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from ipaddress import ip_address, ip_network
from pathlib import Path

from vigie.config import Settings
from vigie.errors import VigieError
from vigie.judge import glance
from vigie.sources.folder import walk
from vigie.ui.cli.actuators import actuators, with_config
from vigie.ui.cli.guard.standing import standing_for
from vigie.ui.cli.guard.vault import kept_close
from vigie.ui.cli.sealing import KIND, SealVault, has_vault
from vigie.watch.actions import Measure
from vigie.watch.decoys import Register, Watched
from vigie.watch.events import Sensor
from vigie.watch.fanotify import Fanotify
from vigie.watch.fanotify_names import Names
from vigie.watch.folder_events import FolderEvents
from vigie.watch.guard import Edges
from vigie.watch.log import Emit
from vigie.watch.metrics import Metrics
from vigie.watch.plan import Orders
from vigie.watch.proc_connector import ProcConnector
from vigie.watch.rules.all import all_rules
from vigie.watch.samba.clients import Identify, SambaClients
from vigie.watch.samba.status import sessions
from vigie.watch.scope import Scope
from vigie.workers import Workers


def edges(
    chosen: Settings,
    scope: Scope,
    workers: Workers,
    sensor: Sensor,
    emit: Emit,
    stack: ExitStack,
    metrics: Metrics | None = None,
) -> Edges:
    """All that a guard is wired to; what has to be closed, `stack` closes. The caller closes the sensor."""
    acts = actuators(chosen, Path(scope.state))
    clients: SambaClients | None = None
    if shutil.which("smbstatus") is not None:
        words = with_config("smbstatus", chosen.guard.samba.config)
        clients = SambaClients(lambda: sessions(words))
        stack.callback(clients.close)
        acts["identify"] = Identify(clients)
    leave_out = (*chosen.check.exclude, glob.escape(scope.state))
    saved: Callable[[str], None] | None = None
    if has_vault(chosen):
        if chosen.guard.keep_close:
            saved = kept_close(chosen, scope.roots, Path(scope.state), emit, stack)
        SealVault(chosen, Path(scope.state)).renew()
    names, births, lost = _beside(sensor, scope.roots, stack)
    return Edges(
        sensor=sensor,
        judge=workers.judge,
        judge_all=workers.judge_all,
        glance=glance,
        walk=lambda: walk(scope.roots, exclude=leave_out),
        emit=emit,
        orders=orders(chosen),
        saved=saved,
        standing=standing_for(chosen, Path(scope.state), metrics),
        actuators=acts,
        clients=clients,
        rules=all_rules(),
        names=names,
        births=births,
        decoys=Watched(stack.enter_context(Register(Path(scope.state)))),
        lost=lost,
    )


def orders(chosen: Settings) -> Orders:
    """What the settings say is to be done; whether anybody may be stopped, the guard says."""
    guard = chosen.guard
    spared = tuple(ip_network(text, strict=False) for text in guard.samba.never_cut)
    shares = (Measure("close-share", {"share": share}) for share in guard.last_resort.close_shares)
    mounts = (Measure("remount-read-only", {"mount": mount}) for mount in guard.last_resort.read_only)
    seal = (Measure(KIND, {"repository": chosen.vault.repository}),) * (guard.seal and has_vault(chosen))
    return Orders(
        last_resort=(*shares, *mounts),
        always=(*seal, *(Measure("command", {"command": one.name}) for one in guard.command)),
        spares=lambda address: any(ip_address(address) in network for network in spared),
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


def _beside(
    sensor: Sensor, roots: tuple[str, ...], stack: ExitStack
) -> tuple[Names | None, ProcConnector | None, tuple[str, ...]]:
    """What goes with a sensor that names processes, as far as this machine has it; and what it has not."""
    names: Names | None = None
    births: ProcConnector | None = None
    lost: list[str] = []
    if sensor.attribution:
        try:
            names = Names(roots)
            stack.callback(names.close)
        except VigieError as error:
            lost.append(error.problem)
        try:
            births = ProcConnector()
            stack.callback(births.close)
        except VigieError as error:
            lost.append(error.problem)
    return names, births, tuple(lost)


def never(chosen: Settings) -> tuple[str, ...]:
    """Executables that are not frozen. restic by its full path: a name alone could be taken by anybody."""
    restic = shutil.which(chosen.vault.restic)
    return (*chosen.guard.never_freeze, *([glob.escape(restic)] if restic else []))
