"""Where the guard's standing goes: a file for `vigie guard status`, and figures for Prometheus."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from vigie.config import Settings
from vigie.errors import BadSettings
from vigie.watch.metrics import Metrics
from vigie.watch.standing import Standing

_EVERY = 15.0
"""Seconds between two text files: node_exporter is asked no more often."""


def metrics_of(chosen: Settings, stack: ExitStack) -> Metrics | None:
    """The figures, if the settings want any; `stack` ends what serves them.

    Raises:
        BadSettings: the address cannot be used.
    """
    wanted = chosen.guard.metrics
    if not (wanted.textfile or wanted.listen):
        return None
    metrics = Metrics()
    if wanted.listen:
        host, _, port = wanted.listen.rpartition(":")
        try:
            server, thread = metrics.serve(host.strip("[]"), int(port))
        except (OSError, OverflowError) as error:
            remedy = "Choose another address, or end what uses it."
            raise BadSettings("guard.metrics.listen", f"{wanted.listen}: {error}", remedy) from error
        stack.callback(thread.join, 5)
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
    return metrics


def standing_for(chosen: Settings, state: Path, metrics: Metrics | None) -> Callable[[Standing], None]:
    """What takes the guard's standing, once a second."""
    written = -_EVERY

    def take(standing: Standing) -> None:
        nonlocal written
        standing.write(state)
        if metrics is None:
            return
        metrics.look(standing)
        if chosen.guard.metrics.textfile and time.monotonic() - written >= _EVERY:
            written = time.monotonic()
            metrics.write(Path(chosen.guard.metrics.textfile))

    return take
