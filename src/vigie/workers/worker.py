"""The worker process: gives everything up, then judges one descriptor after the other.

It is forked from a server process that has the judge loaded already, so that a worker that had to be
killed is replaced in milliseconds.
"""

import json
import mmap
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from vigie.errors import Unreadable
from vigie.judge import Explanation, examine, explain, judge
from vigie.model import Likeness, State, Verdict
from vigie.sources.file import FileBlob
from vigie.workers import wire, wire_explanation
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
            if message.startswith(wire.EXPLAIN):
                _explained(channel, message[len(wire.EXPLAIN) :], descriptors, progress)
            else:
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


def _explained(channel: socket.socket, message: bytes, descriptors: list[int], progress: Progress) -> None:
    """Judge one file, and say what the verdict was made from; of what failed, the verdict alone."""
    full, [(name, before)] = wire.read_request(message)
    [descriptor] = descriptors
    progress.begin()
    drawn: list[Explanation] = []

    def look(blob: FileBlob) -> Verdict:
        drawn.append(explain(examine(blob, name, before, full=full)))
        return drawn[0].verdict

    size = os.fstat(descriptor).st_size
    verdict = _guarded(descriptor, look)
    found = drawn[0] if drawn else Explanation(size, verdict, (), (), (), ())
    channel.send(wire_explanation.write(found))


def _judge(descriptor: int, name: str, before: Likeness | None, *, full: bool) -> Verdict:
    return _guarded(descriptor, lambda blob: judge(blob, name, before, full=full))


def _guarded(descriptor: int, look: Callable[[FileBlob], Verdict]) -> Verdict:
    """What `look` says of a file, or the verdict that says why it could not."""
    try:
        with FileBlob.adopt(descriptor) as blob:
            return look(blob)
    except Unreadable as reason:
        return Verdict.skipped(reason.reason)
    except MemoryError:
        return Verdict(State.UNKNOWN, evidence=("it took more memory than one file may",))
    except Exception as bug:  # noqa: BLE001 - a bug in a format must cost one verdict, not the run
        return Verdict(State.UNKNOWN, evidence=(f"Vigie failed on it, please report: {bug!r}",))
