"""Everybody who is told what the guard does, as the settings name them."""

import socket
import time
from contextlib import ExitStack
from typing import Any

from vigie.config import Settings
from vigie.watch.alerts.ecs import EcsFile
from vigie.watch.alerts.machines import Machines, Sink
from vigie.watch.alerts.people import People, through_apprise, urls_of
from vigie.watch.alerts.syslog import Syslog
from vigie.watch.log import Emit, timestamp
from vigie.watch.metrics import Metrics


def to_all(chosen: Settings, emit: Emit, stack: ExitStack, metrics: Metrics | None = None) -> Emit:
    """`emit`, and whoever else the settings name; `stack` ends their threads.

    Raises:
        BadSettings: an address is none, or its file can be read by others.
    """
    told, host = chosen.guard.alerts, socket.gethostname()

    def trouble(problem: str) -> None:
        stamp = timestamp(time.time_ns())
        remedy = "Try `vigie guard alerts`."
        emit({"event": "trouble", "time": stamp, "what": "alerts", "problem": problem, "remedy": remedy})

    listeners: list[Emit] = [emit] if metrics is None else [emit, metrics.tell]
    if told.urls_file:
        send = through_apprise(urls_of(told.urls_file))
        people = People(send, trouble, told.language, host, told.contact)
        stack.callback(people.close)
        listeners.append(people.tell)
    if sinks := sinks_of(chosen, host):
        machines = Machines(sinks, trouble)
        stack.callback(machines.close)
        listeners.append(machines.tell)
    if len(listeners) == 1:
        return emit

    def tell(event: dict[str, Any]) -> None:
        for listener in listeners:
            listener(event)

    return tell


def sinks_of(chosen: Settings, host: str) -> list[Sink]:
    """Other programs that are told.

    Raises:
        BadSettings: an address is none.
    """
    told = chosen.guard.alerts
    found: list[Sink] = []
    if told.syslog:
        found.append(Syslog(told.syslog, host))
    if told.ecs_file:
        found.append(EcsFile(told.ecs_file, host))
    return found
