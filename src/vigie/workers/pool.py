"""The pool: hands files to confined workers, in order, and replaces a worker that hangs or dies."""

import contextlib
import json
import multiprocessing
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerProcess
from typing import Self

from vigie.config import CheckSettings
from vigie.errors import Unreadable, VigieError
from vigie.model import Blob, Entry, Likeness, OpenBlob, Skipped, State, Verdict
from vigie.workers import wire
from vigie.workers.limits import Isolation
from vigie.workers.worker import serve

DEPTH = 2
"""Files one worker has at hand, so that it never waits for the next."""
WINDOW = 1024
"""Files that may be judged ahead of the one that is yielded next."""
START = 60.0
"""Seconds a worker may take to start: the first one ever compiles the kernels."""

Before = Callable[[str], Likeness | None]


@dataclass(slots=True)
class _Task:
    number: int
    item: Entry
    before: Likeness | None


@dataclass(slots=True)
class _Worker:
    """One process and what it has at hand; replaced in place when it dies."""

    memory: int
    process: ForkServerProcess = field(init=False)
    channel: socket.socket = field(init=False)
    isolation: Isolation = field(init=False)
    tasks: deque[_Task] = field(default_factory=deque)
    since: float = 0.0
    """Monotonic seconds when the first task at hand began."""

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["vigie.workers.preload"])
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        remedy = "Is there memory left? Try [check] workers = 1."
        with theirs:
            self.process = context.Process(target=serve, args=(theirs, self.memory), daemon=True)
            # Ctrl-C goes to every process of the terminal, and we are the one to end workers: the mask is
            # inherited. Python's resource tracker would lift it where it is not running yet.
            resource_tracker.ensure_running()
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                self.process.start()
            except (EOFError, OSError) as error:  # the server that forks workers is not there
                self.channel.close()
                raise VigieError("worker", f"it could not be forked: {error!r}", remedy) from error
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        hello = self.channel.recv(wire.LONGEST) if self.wait(START) else b""
        if not hello:
            self.stop()
            raise VigieError("worker", "it did not start", remedy)
        self.isolation = Isolation(**json.loads(hello))

    def wait(self, seconds: float) -> bool:
        return bool(select.select([self.channel], [], [], max(0.0, seconds))[0])

    def send(self, blob: OpenBlob, name: str, before: Likeness | None) -> None:
        """Hand over a descriptor; a worker that is gone shows when its reply is read."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self.channel, [wire.request(name, before)], [blob.fileno()])

    def receive(self) -> Verdict | None:
        """The next verdict, or None when the worker died or talks nonsense."""
        try:
            message = self.channel.recv(wire.LONGEST)
            return wire.read_reply(message) if message else None
        except (OSError, ValueError):
            return None

    def stop(self) -> None:
        if self.channel.fileno() < 0:
            return  # stopped already, or never started
        self.process.kill()
        self.process.join()
        self.process.close()
        self.channel.close()

    def replace(self) -> None:
        self.stop()
        self.start()


class Workers:
    """Confined processes that judge. One user at a time for `judge_all`; `judge` has a worker of its own.

    Raises:
        VigieError: a worker cannot be started.
    """

    def __init__(self, settings: CheckSettings) -> None:
        self._settings = settings
        self._count = settings.workers or len(os.sched_getaffinity(0))
        self._pool: list[_Worker] = []
        self._single: _Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every worker."""
        self._end_pool()
        if self._single is not None:
            self._single.stop()
            self._single = None

    def _end_pool(self) -> None:
        pool, self._pool = self._pool, []
        for worker in pool:
            worker.stop()

    def start(self) -> Isolation:
        """Start the worker that `judge` uses, and say what isolation was had."""
        if self._single is None:
            self._single = self._new()
        return self._single.isolation

    def judge(self, blob: Blob, name: str, before: Likeness | None = None) -> Verdict:
        """Judge one open blob (it needs a descriptor) at once; a `model.Judge`."""
        self.start()
        worker = self._single
        assert worker is not None  # noqa: S101 - start() made it
        worker.send(blob, name, before)  # type: ignore[arg-type] # a Judge takes any Blob, this one an OpenBlob
        in_time = worker.wait(self._settings.seconds)
        verdict = worker.receive() if in_time else None
        if verdict is not None:
            return verdict
        worker.replace()
        return self._died() if in_time else self._too_slow()

    def judge_all(
        self, items: Iterable[Entry | Skipped], before: Before | None = None
    ) -> Iterator[tuple[Entry | Skipped, Verdict]]:
        """Judge many, side by side; verdicts come in the order of the items.

        What cannot be opened, and what the source itself skipped, comes back *skipped* with the reason.
        """
        if not self._pool:
            self._pool = [self._new() for _ in range(self._count)]
        incoming = iter(items)
        waiting: deque[Entry | Skipped] = deque()  # items whose verdicts are still to be yielded
        done: dict[int, Verdict] = {}
        taken = yielded = 0
        exhausted = False
        try:
            while True:
                while not exhausted and taken - yielded < WINDOW:
                    free = min(self._pool, key=lambda worker: len(worker.tasks))
                    if len(free.tasks) >= DEPTH:
                        break
                    item = next(incoming, None)
                    if item is None:
                        exhausted = True
                        break
                    waiting.append(item)
                    if isinstance(item, Skipped):
                        done[taken] = Verdict.skipped(item.reason)
                    else:
                        likeness = before(item.path) if before else None
                        self._hand(free, _Task(taken, item, likeness), done)
                    taken += 1
                while yielded in done:
                    yield waiting.popleft(), done.pop(yielded)
                    yielded += 1
                if exhausted and yielded == taken:
                    return
                self._collect(done)
        finally:
            if any(worker.tasks for worker in self._pool):
                # The caller stopped half-way: what is still to come must not be mixed up with the next run,
                # for which other workers are started. None is here: this may be the end of the process.
                self._end_pool()

    def _new(self) -> _Worker:
        return _Worker(self._settings.memory << 20)

    def _hand(self, worker: _Worker, task: _Task, done: dict[int, Verdict]) -> None:
        try:
            blob = task.item.open()
        except Unreadable as reason:
            done[task.number] = Verdict.skipped(reason.reason)
            return
        if not worker.tasks:
            worker.since = time.monotonic()
        worker.tasks.append(task)
        try:
            worker.send(blob, task.item.path, task.before)
        finally:
            blob.close()

    def _collect(self, done: dict[int, Verdict]) -> None:
        """Wait for at least one verdict, or for one that is too late."""
        busy = [worker for worker in self._pool if worker.tasks]
        if not busy:
            return
        late = min(worker.since for worker in busy) + self._settings.seconds
        ready, _, _ = select.select([w.channel for w in busy], [], [], max(0.0, late - time.monotonic()))
        for worker in busy:
            if worker.channel in ready:
                verdict = worker.receive()
                done[worker.tasks.popleft().number] = self._died() if verdict is None else verdict
                worker.since = time.monotonic()
                if verdict is None:
                    self._renew(worker, done)
            elif time.monotonic() - worker.since >= self._settings.seconds:
                done[worker.tasks.popleft().number] = self._too_slow()
                self._renew(worker, done)

    def _renew(self, worker: _Worker, done: dict[int, Verdict]) -> None:
        left = list(worker.tasks)
        worker.tasks.clear()
        worker.replace()
        for task in left:
            self._hand(worker, task, done)

    def _too_slow(self) -> Verdict:
        said = f"judging it took more than {self._settings.seconds:g} s"
        return Verdict(State.UNKNOWN, evidence=(said,))

    @staticmethod
    def _died() -> Verdict:
        return Verdict(
            State.UNKNOWN, evidence=("the worker that judged it died: out of memory, or poisonous",)
        )
