"""The first function of a worker process, named so that the parent can start one without loading the judge.

The parent hands over this name only; the server that workers are forked from has loaded what it leads to.
"""

import importlib
import socket


def serve(channel: socket.socket, memory: int) -> None:
    """Run `vigie.workers.worker.serve`."""
    importlib.import_module("vigie.workers.worker").serve(channel, memory)
