"""The worker process: gives everything up, then judges one descriptor after the other.

It is forked from a server process that has the judge loaded already, so that a worker that had to be
killed is replaced in milliseconds.
"""

import json
import mmap
import os
import socket
import time
from contextlib import suppress

from vigie.errors import Unreadable
from vigie.judge import judge
from vigie.model import Likeness, State, Verdict
from vigie.sources.file import FileBlob
from vigie.workers import wire
from vigie.workers.limits import confine
from vigie.workers.progress import Progress

PATIENCE = 0.02
"""Seconds that a verdict waits for company before it is sent."""


def serve(channel: socket.socket, memory: int) -> None:
    """Confine this process, say what was had, and judge until the parent hangs up."""
    with suppress(ConnectionError):  # a parent that is killed hangs up in the middle
        _, (page,), _, _ = socket.recv_fds(channel, 1, 1)
        progress = Progress(mmap.mmap(page, Progress.SIZE))
        os.close(page)
        isolation = confine(memory)
        channel.send(json.dumps(isolation.record()).encode())
        while True:
            message, descriptors, _, _ = socket.recv_fds(channel, wire.LONGEST, wire.BATCH)
            if not message:
                return
            _batch(channel, message, descriptors, progress)


def _batch(channel: socket.socket, message: bytes, descriptors: list[int], progress: Progress) -> None:
    """Judge one batch; what is found is sent together, but not held back for long."""
    full, looks = wire.read_request(message)
    sheaf: list[bytes] = []
    length, since = 0, time.monotonic()
    for (name, before), descriptor in zip(looks, descriptors, strict=True):
        progress.begin()
        said = wire.verdict(_judge(descriptor, name, before, full=full))
        now = time.monotonic()
        if sheaf and (now - since > PATIENCE or length + len(said) > wire.SHEAF):
            channel.send(wire.reply(sheaf))
            sheaf.clear()
            length, since = 0, now
        sheaf.append(said)
        length += len(said)
    channel.send(wire.reply(sheaf))


def _judge(descriptor: int, name: str, before: Likeness | None, *, full: bool) -> Verdict:
    try:
        with FileBlob.adopt(descriptor) as blob:
            return judge(blob, name, before, full=full)
    except Unreadable as reason:
        return Verdict.skipped(reason.reason)
    except MemoryError:
        return Verdict(State.UNKNOWN, evidence=("it took more memory than one file may",))
    except Exception as bug:  # noqa: BLE001 - a bug in a format must cost one verdict, not the run
        return Verdict(State.UNKNOWN, evidence=(f"Vigie failed on it, please report: {bug!r}",))
