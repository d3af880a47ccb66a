"""One worker as its parent sees it: started, fed, listened to, blamed and replaced."""

import contextlib
import json
import multiprocessing
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerProcess
from typing import TypeVar

from vigie.errors import VigieError
from vigie.model import Entry, Likeness, OpenBlob, Verdict
from vigie.workers import wire
from vigie.workers.entry import serve
from vigie.workers.limits import Isolation
from vigie.workers.progress import Progress

START = 60.0
"""Seconds a worker may take to start: the first one ever compiles the kernels."""
R = TypeVar("R")
_REMEDY = "Is there memory left? Try [check] workers = 1."


@dataclass(slots=True)
class Task:
    """A file to be judged, `number` in the order of the run."""

    number: int
    item: Entry
    before: Likeness | None


@dataclass(slots=True)
class Worker:
    """One process and what it has at hand; replaced in place when it dies.

    Raises:
        VigieError: it cannot be started.
    """

    memory: int
    process: ForkServerProcess = field(init=False)
    channel: socket.socket = field(init=False)
    isolation: Isolation = field(init=False)
    progress: Progress = field(init=False)
    tasks: deque[Task] = field(default_factory=deque)
    """What was sent and is not answered, in order."""
    answered: int = 0
    """Verdicts that came back since it was started."""
    seen: int = 0
    """`progress` when it was last looked at,"""
    since: float = 0.0
    """and the monotonic second when it was first found there."""

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Fork it, and wait until it is confined."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["vigie.workers.preload"])
        self.answered = self.seen = 0
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.progress, page = Progress.shared()
        with theirs:
            socket.send_fds(self.channel, [b"P"], [page])
            os.close(page)
            self.process = context.Process(target=serve, args=(theirs, self.memory), daemon=True)
            # Ctrl-C goes to every process of the terminal, and we are the one to end workers: the mask is
            # inherited. Python's resource tracker would lift it where it is not running yet.
            resource_tracker.ensure_running()
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                self.process.start()
            except (EOFError, OSError) as error:  # the server that forks workers is not there
                self._let_go()
                raise VigieError("worker", f"it could not be forked: {error!r}", _REMEDY) from error
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        hello = b""
        with contextlib.suppress(ConnectionResetError):  # it ended before it read what we sent
            if self.wait(START):
                hello = self.channel.recv(wire.LONGEST)
        if not hello:
            self.stop()
            raise VigieError("worker", "it did not start", _REMEDY)
        self.isolation = Isolation(**json.loads(hello))

    def wait(self, seconds: float) -> bool:
        """Whether it says something within so many seconds."""
        return bool(select.select([self.channel], [], [], max(0.0, seconds))[0])

    def send(self, blobs: Sequence[OpenBlob], looks: Sequence[wire.Look], *, full: bool) -> None:
        """Hand over descriptors; a worker that is gone shows when its reply is read."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            message = wire.request(looks, full=full)
            socket.send_fds(self.channel, [message], [blob.fileno() for blob in blobs])

    def ask(self, blob: OpenBlob, name: str, *, full: bool) -> None:
        """Hand over one descriptor, for an explanation."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            message = wire.EXPLAIN + wire.request([(name, None)], full=full)
            socket.send_fds(self.channel, [message], [blob.fileno()])

    def receive(self) -> list[Verdict] | None:
        """The next verdicts, or None when the worker died or talks nonsense."""
        return self.read(wire.read_reply)

    def read(self, understood: Callable[[bytes], R]) -> R | None:
        """The next message as `understood` reads it, or None when the worker died or talks nonsense.

        `understood` raises ValueError for nonsense.
        """
        try:
            message = self.channel.recv(wire.LONGEST)
            return understood(message) if message else None
        except (OSError, ValueError):
            return None

    def late_by(self, limit: float) -> float:
        """Seconds by which the file it is at exceeds its limit; below zero, the seconds that are left."""
        now = time.monotonic()
        if (begun := self.progress.begun) != self.seen:
            # When it began is not known, only that it did since the last look: in the worker's favour.
            self.seen, self.since = begun, now
        return now - self.since - limit

    def current(self) -> int:
        """Which of `tasks` it is at; the first one if what it says makes no sense."""
        index = self.progress.begun - self.answered - 1
        return index if 0 <= index < len(self.tasks) else 0

    def refused_by_the_kernel(self) -> bool:
        """Whether it was ended for a system call that judging never needs (`SIGSYS`, see `seccomp`)."""
        self.process.join(1.0)
        return self.process.exitcode == -signal.SIGSYS

    def stop(self) -> None:
        """End it; more than once does no harm."""
        if self.channel.fileno() < 0:
            return  # stopped already, or never started
        self.process.kill()
        self.process.join()
        self.process.close()
        self._let_go()

    def _let_go(self) -> None:
        self.channel.close()
        self.progress.close()

    def replace(self) -> None:
        """End it and start another in its place; its tasks are the caller's to hand out again."""
        self.stop()
        self.start()
