"""The pool: hands files to confined workers, in order, and replaces a worker that hangs or dies.

Files travel in batches, and verdicts come back several at a time; still a poisonous file costs one verdict:
what was answered counts, the file the worker was at is blamed, and the rest goes to the worker's successor.
"""

import os
import resource
import select
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar

from vigie.config import CheckSettings
from vigie.errors import Unreadable
from vigie.model import Blob, Entry, Likeness, OpenBlob, Skipped, State, Verdict
from vigie.workers import wire
from vigie.workers.limits import Isolation
from vigie.workers.process import Task, Worker

if TYPE_CHECKING:
    from vigie.judge import Explanation

DEPTH = 2
"""Batches one worker has at hand, so that it never waits for the next."""
BULK = 512 * 1024
"""Bytes of files that make a batch full: large files are shared out one by one."""
HASTE = 0.002
"""Seconds after which an idle worker is not kept waiting for a batch to fill up."""
WINDOW = 1024
"""Files that may be judged ahead of the one that is yielded next."""
PACE = 20e6
"""Bytes a second that a full look manages at least; its time limit grows with the file."""

Before = Callable[[str], Likeness | None]
K = TypeVar("K")


class Workers:
    """Confined processes that judge. One user at a time for `judge_all`; `judge` has a worker of its own.

    With `full`, every byte of every file is read. Nothing is started before something must be judged.

    Raises:
        VigieError: a worker cannot be started.
    """

    def __init__(self, settings: CheckSettings, *, full: bool = False) -> None:
        self._settings = settings
        self._full = full
        self._count = settings.workers or len(os.sched_getaffinity(0))
        # Descriptors on their way count against our own limit (unix(7), ETOOMANYREFS).
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // (2 * DEPTH * self._count)
        self._batch = max(1, min(wire.BATCH, most))
        self._pool: list[Worker] = []
        self._single: Worker | None = None
        self._isolation: Isolation | None = None

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

    @property
    def isolation(self) -> Isolation | None:
        """What isolation was had; None if nothing had to be judged so far."""
        return self._isolation

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
        look = (name, before)
        worker.send([blob], [look], full=self._full)  # type: ignore[list-item] # a Judge takes any Blob, this one an OpenBlob
        limit = self.limit(blob.size)
        in_time = worker.wait(limit)
        verdicts = worker.receive() if in_time else None
        if verdicts is not None and len(verdicts) == 1:
            return verdicts[0]
        verdict = _died(worker) if in_time else _too_slow(limit)
        worker.replace()
        return verdict

    def explain(self, blob: OpenBlob, name: str) -> "Explanation":
        """Judge one open blob, and say what the verdict was made from.

        Where the worker fails, there is nothing but the size and a verdict that says so.
        """
        # Here, since it loads the judge, which a parent has no need of otherwise.
        from vigie.judge.explanation import Explanation  # noqa: PLC0415 - see above
        from vigie.workers import wire_explanation  # noqa: PLC0415 - see above

        self.start()
        worker = self._single
        assert worker is not None  # noqa: S101 - start() made it
        worker.ask(blob, name, full=self._full)
        limit = self.limit(blob.size)
        in_time = worker.wait(limit)
        found = worker.read(wire_explanation.read) if in_time else None
        if found is None:
            verdict = _died(worker) if in_time else _too_slow(limit)
            worker.replace()
            return Explanation(blob.size, verdict, (), (), (), ())
        return found

    def judge_all(
        self,
        items: Iterable[Entry | Skipped],
        before: Before | None = None,
        known: Callable[[Entry], K | None] = lambda _: None,
    ) -> Iterator[tuple[Entry | Skipped, Verdict | K]]:
        """Judge many, side by side; verdicts come in the order of the items.

        What cannot be opened, and what the source itself skipped, comes back *skipped* with the reason. What
        `known` answers for an entry comes back in place of a verdict, and that entry is not opened.
        """
        run = _Run(self._started, self.limit, self._batch, full=self._full)
        try:
            for item in items:
                at_hand: Verdict | K | None
                at_hand = Verdict.skipped(item.reason) if isinstance(item, Skipped) else known(item)
                if at_hand is not None and not run.waiting:
                    yield item, at_hand
                    continue
                run.put(item, at_hand, before)
                while run.first_is_done():
                    yield run.pop()
                while len(run.waiting) >= WINDOW:
                    run.collect()
                    while run.first_is_done():
                        yield run.pop()
            run.hand_over()
            while run.waiting:
                while run.first_is_done():
                    yield run.pop()
                run.collect()
        finally:
            if any(worker.tasks for worker in self._pool):
                # The caller stopped half-way: what is still to come must not be mixed up with the next run,
                # for which other workers are started. None is here: this may be the end of the process.
                self._end_pool()

    def limit(self, size: int) -> float:
        """Seconds that a file of so many bytes may take."""
        return self._settings.seconds + (size / PACE if self._full else 0.0)

    def _new(self) -> Worker:
        worker = Worker(self._settings.memory << 20)
        self._isolation = worker.isolation
        return worker

    def _started(self) -> list[Worker]:
        if not self._pool:
            self._pool = [self._new() for _ in range(self._count)]
        return self._pool


class _Run:
    """One pass of `judge_all`: what waits for its verdict, what has one, and who is at work."""

    def __init__(
        self, started: Callable[[], list[Worker]], limit: Callable[[int], float], most: int, *, full: bool
    ) -> None:
        self._started = started
        self._limit = limit
        self._most = most
        """Files of a batch."""
        self._full = full
        self.waiting: deque[Entry | Skipped] = deque()
        """Items whose verdicts are still to be yielded; the first one has the number `_first`."""
        self._first = 0
        self._done: dict[int, Any] = {}
        self._batch: list[Task] = []
        self._bulk = 0
        self._handed = 0.0
        """Monotonic seconds when a batch was last handed over."""

    def put(self, item: Entry | Skipped, at_hand: Any, before: Before | None) -> None:
        """Take an item in; hands a batch over when it is full, or a worker has nothing else to do."""
        number = self._first + len(self.waiting)
        self.waiting.append(item)
        if isinstance(item, Skipped) or at_hand is not None:
            self._done[number] = at_hand
            return
        if self._bulk + item.size > BULK:
            self.hand_over()
        self._batch.append(Task(number, item, before(item.path) if before else None))
        self._bulk += item.size
        if len(self._batch) >= self._most or self._bulk >= BULK or self._is_awaited():
            self.hand_over()

    def first_is_done(self) -> bool:
        """Whether the next verdict in order is here."""
        return self._first in self._done

    def pop(self) -> tuple[Entry | Skipped, Any]:
        """That item and its verdict."""
        verdict = self._done.pop(self._first)
        self._first += 1
        return self.waiting.popleft(), verdict

    def hand_over(self) -> None:
        """Give the batch to the worker that has least at hand, once that one is free."""
        batch, self._batch, self._bulk = self._batch, [], 0
        if not batch:
            return
        while len((free := self._freest()).tasks) > (DEPTH - 1) * self._most:
            self.collect()
        self._give(free, batch)
        self._handed = time.monotonic()

    def collect(self) -> None:
        """Wait for verdicts, or for one that is too late."""
        busy = {worker.channel: worker for worker in self._started() if worker.tasks}
        if not busy:
            self.hand_over()
            return
        # A file's time begins when the worker is seen to have begun it: looked at often enough.
        pause = min(self._limit(0) / 4, *(-self._late_by(worker) for worker in busy.values()))
        ready, _, _ = select.select(list(busy), [], [], max(0.0, pause))
        for channel, worker in busy.items():
            if channel in ready:
                self._receive(worker)
            elif self._late_by(worker) >= 0:
                size = worker.tasks[worker.current()].item.size
                self._blame(worker, _too_slow(self._limit(size)))

    def _is_awaited(self) -> bool:
        # The clock first: it is cheap, and decides nearly always.
        return time.monotonic() - self._handed > HASTE and not self._freest().tasks

    def _freest(self) -> Worker:
        return min(self._started(), key=lambda worker: len(worker.tasks))

    def _give(self, worker: Worker, batch: list[Task]) -> None:
        blobs: list[OpenBlob] = []
        looks: list[wire.Look] = []
        try:
            for task in batch:
                try:
                    blobs.append(task.item.open())
                except Unreadable as reason:
                    self._done[task.number] = Verdict.skipped(reason.reason)
                    continue
                if not worker.tasks:
                    worker.since = time.monotonic()
                worker.tasks.append(task)
                looks.append((task.item.path, task.before))
            if blobs:
                worker.send(blobs, looks, full=self._full)
        finally:
            for blob in blobs:
                blob.close()

    def _late_by(self, worker: Worker) -> float:
        return worker.late_by(self._limit(worker.tasks[worker.current()].item.size))

    def _receive(self, worker: Worker) -> None:
        verdicts = worker.receive()
        if verdicts is None or len(verdicts) > len(worker.tasks):
            self._blame(worker, _died(worker))
            return
        for verdict in verdicts:
            self._done[worker.tasks.popleft().number] = verdict
        worker.answered += len(verdicts)
        worker.since = time.monotonic()

    def _blame(self, worker: Worker, verdict: Verdict) -> None:
        """Say this of the file that the worker is at, and let its successor judge all others it had."""
        at = worker.current()
        self._done[worker.tasks[at].number] = verdict
        left = [task for index, task in enumerate(worker.tasks) if index != at]
        worker.tasks.clear()
        worker.replace()
        for start in range(0, len(left), self._most):
            self._give(worker, left[start : start + self._most])


def _too_slow(seconds: float) -> Verdict:
    return Verdict(State.UNKNOWN, evidence=(f"judging it took more than {seconds:g} s",))


def _died(worker: Worker) -> Verdict:
    if worker.refused_by_the_kernel():
        said = "the worker that judged it was ended for a system call that no file needs: poisonous"
    else:
        said = "the worker that judged it died: out of memory, or poisonous"
    return Verdict(State.UNKNOWN, evidence=(said,))
