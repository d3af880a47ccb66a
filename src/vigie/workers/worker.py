"""The worker process: gives everything up, then judges one descriptor after the other.

It is forked from a server process that has the judge loaded already, so that a worker that had to be
killed is replaced in milliseconds.
"""

import json
import socket
from contextlib import suppress

from vigie.errors import Unreadable
from vigie.judge import judge
from vigie.model import State, Verdict
from vigie.sources.file import FileBlob
from vigie.workers import wire
from vigie.workers.limits import confine


def serve(channel: socket.socket, memory: int) -> None:
    """Confine this process, say what was had, and judge until the parent hangs up."""
    isolation = confine(memory)
    with suppress(ConnectionError):  # a parent that is killed hangs up in the middle
        channel.send(json.dumps(isolation.record()).encode())
        while True:
            message, descriptors, _, _ = socket.recv_fds(channel, wire.LONGEST, 1)
            if not message:
                return
            channel.send(wire.reply(_judge(message, descriptors[0])))


def _judge(message: bytes, descriptor: int) -> Verdict:
    name, before = wire.read_request(message)
    try:
        with FileBlob.adopt(descriptor) as blob:
            return judge(blob, name, before)
    except Unreadable as reason:
        return Verdict.skipped(reason.reason)
    except MemoryError:
        return Verdict(State.UNKNOWN, evidence=("it took more memory than one file may",))
    except Exception as bug:  # noqa: BLE001 - a bug in a format must cost one verdict, not the run
        return Verdict(State.UNKNOWN, evidence=(f"Vigie failed on it, please report: {bug!r}",))
