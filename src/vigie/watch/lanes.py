"""Where judging waits, so that the guard never does: two threads, each in front of worker processes.

The *quick* lane judges small files one by one: a process may be held until its file is judged. The *slow*
lane judges large files, and reads the watched folders at the start and after events were lost; what has not
changed since it was last judged is not read again.
"""

import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue

from vigie.errors import Unreadable
from vigie.journal import Known
from vigie.judge.note import asks_for_ransom
from vigie.model import Actor, Entry, Likeness, OpenBlob, Skipped, State, Verdict
from vigie.sources.folder import FileBlob
from vigie.watch.deeds import Acted

QUICK = 8 * 1024 * 1024
"""Bytes up to which a file goes through the quick lane."""

_SMALL = 32 * 1024
"""Bytes up to which a new file may be somebody's note, and is compared with others."""

_RESULTS = 2000
"""Results that wait before the slow lane pauses."""

_STRIDE, _REST = 64, 0.001
"""Files a scan looks at before it rests, and seconds: the guard runs before others, a scan must not."""

Stamp = tuple[int, int, int, int, int]
"""Device, inode, size, mtime and ctime: the same stamp means the same bytes."""


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp of a file."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(slots=True)
class Job:
    """One version of one file to be judged."""

    path: str
    stamp: Stamp
    before: Likeness | None
    blob: FileBlob | None = None
    """Open already; else it is opened by its path when its turn comes."""
    actor: Actor | None = None
    line: tuple[tuple[int, int], ...] = ()
    """Pid and start of whoever wrote it, and of those that started it and may be held responsible."""
    counts: bool = True
    """Whether the detector is told: not what was so before Vigie first looked."""
    scanned: bool = False

    def open(self) -> OpenBlob:
        """Hand over the blob.

        Raises:
            Unreadable: it is gone.
        """
        blob, self.blob = self.blob, None
        return blob if blob is not None else FileBlob.open(self.path)


@dataclass(frozen=True, slots=True)
class Judged:
    """A job is done."""

    job: Job
    verdict: Verdict
    digest: str = ""
    asks: bool = False
    """Both as in `Observation`."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """The watched folders have been read."""

    files: int
    judged: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Vanished:
    """Known files that a scan did not find any more."""

    paths: tuple[str, ...]


Result = Judged | Scanned | Vanished | Acted


class Results:
    """What comes back from the lanes; `fileno` is readable when something waits."""

    def __init__(self) -> None:
        self._queue: deque[Result] = deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def __len__(self) -> int:
        return len(self._queue)

    def fileno(self) -> int:
        """For select."""
        return self._wake

    def put(self, result: Result) -> None:
        """From any thread."""
        self._queue.append(result)
        self.wake()

    def wake(self) -> None:
        """Wake the guard up; safe in a signal handler. Nothing is woken after `close`."""
        if (wake := self._wake) >= 0:
            os.eventfd_write(wake, 1)

    def take(self) -> Result | None:
        """The next one, or None."""
        try:
            return self._queue.popleft()
        except IndexError:
            return None

    def calm(self) -> None:
        """Not readable any more, until the next `put`: called before the queue is emptied."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)

    def close(self) -> None:
        """Give the descriptor back."""
        wake, self._wake = self._wake, -1
        os.close(wake)


Judge = Callable[[OpenBlob, str, Likeness | None], Verdict]
JudgeAll = Callable[
    [Iterable[Entry | Skipped], Callable[[str], Likeness | None]], Iterator[tuple[Entry | Skipped, Verdict]]
]


class QuickLane:
    """Small files, one by one."""

    def __init__(self, judge: Judge, results: Results) -> None:
        self._judge = judge
        self._results = results
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="quick lane", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Have it judged; the answer comes through the results."""
        self._jobs.put(job)

    def close(self) -> None:
        """Stop after the file at hand; what waits is found again by the scan of the next start."""
        self._stop.set()
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None and not self._stop.is_set():
            self._results.put(self._judged(job))

    def _judged(self, job: Job) -> Judged:
        try:
            blob = job.open()
        except Unreadable as error:
            return Judged(job, Verdict.skipped(error.reason))
        try:
            verdict = self._judge(blob, job.path, job.before)
            return Judged(job, verdict, *(_small(blob) if job.before is None else ()))
        except Unreadable as error:
            return Judged(job, Verdict.skipped(error.reason))
        except Exception as error:  # noqa: BLE001 - one file that breaks the judge must not end the watch
            return Judged(job, Verdict(State.UNKNOWN, evidence=(f"the judge failed: {error!r}",)))
        finally:
            blob.close()


def _small(blob: OpenBlob) -> tuple[str, bool]:
    """Of a small file: the SHA-256 of what it holds, and whether it asks for ransom.

    Raises:
        Unreadable: it cannot be read.
    """
    if not 0 < blob.size <= _SMALL:
        return "", False
    text = blob.at(0, blob.size)
    return hashlib.sha256(text).hexdigest(), asks_for_ransom(text)


Walk = Callable[[], Iterator[Entry | Skipped]]
"""Every file that is watched."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of the watched files. Called in the slow lane: needs a connection of its own."""

    at: Callable[[str], Known | None]
    reported: Callable[[str], Stamp | None]
    """The stamp of a file whose bad verdict is in the journal already."""
    all: Callable[[], Iterator[Known]]
    empty: Callable[[], bool]


class SlowLane:
    """Large files, and the watched folders as a whole."""

    def __init__(self, judge_all: JudgeAll, walk: Walk, picture: Picture, results: Results) -> None:
        self._judge_all = judge_all
        self._walk = walk
        self._picture = picture
        self._results = results
        self._large: deque[Job] = deque()
        self._scan = False
        self._stop = threading.Event()
        self._work = threading.Semaphore(0)
        self._before: dict[str, Likeness | None] = {}
        self.scanning = False
        """Whether the folders are being read."""
        self.counts = [0, 0]
        """Files looked at, and judged, by the scan that runs or ran last."""
        self.before = 0
        """Files that the scan before that looked at."""
        self._thread = threading.Thread(target=self._run, name="slow lane", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Have a large file judged."""
        self._large.append(job)
        self._work.release()

    def scan(self) -> None:
        """Have all that is watched read; a request during a scan means another one after it."""
        self._scan = True
        self._work.release()

    def close(self) -> None:
        """Stop after the file at hand."""
        self._stop.set()
        self._work.release()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._work.acquire()
            while (self._large or self._scan) and not self._stop.is_set():
                self._round()

    def _round(self) -> None:
        """Judge what waits, in one stream: large files first, and between two files of a scan."""
        began = time.monotonic()
        scanning, self._scan = self._scan, False
        counts = [0, 0]
        if scanning:
            self.before, self.counts, self.scanning = self.counts[0], counts, True
        found = self._changed(counts) if scanning else iter(())
        flying: deque[Job] = deque()
        while True:
            try:
                self._judge_stream(self._feed(found, flying), flying)
            except Exception as error:  # noqa: BLE001 - as in the quick lane: what was in flight is answered, the rest goes on
                verdict = Verdict(State.UNKNOWN, evidence=(f"the judge failed: {error!r}",))
                failed = len(flying)
                while flying:
                    self._results.put(Judged(flying.popleft(), verdict))
                if failed:
                    continue
            break
        if scanning and not self._stop.is_set():
            self._look_for_vanished()
            self.scanning = False
            self._results.put(Scanned(counts[0], counts[1], time.monotonic() - began))

    def _judge_stream(self, entries: Iterator[Entry], flying: "deque[Job]") -> None:
        for _, verdict in self._judge_all(entries, self._before.get):
            job = flying.popleft()
            self._before.pop(job.path, None)
            self._results.put(Judged(job, verdict))
            while len(self._results) > _RESULTS and not self._stop.is_set():
                time.sleep(0.01)

    def _feed(self, found: Iterator[Job], flying: "deque[Job]") -> Iterator[Entry]:
        while not self._stop.is_set():
            job = self._large.popleft() if self._large else next(found, None)
            if job is None:
                return
            self._before[job.path] = job.before
            flying.append(job)
            yield Entry(job.path, job.stamp[2], job.stamp[3], job.open)

    def _changed(self, counts: list[int]) -> Iterator[Job]:
        """What is not as it was when it was last judged."""
        first = self._picture.empty()
        for entry in self._walk():
            if isinstance(entry, Skipped):
                continue
            counts[0] += 1
            if counts[0] % _STRIDE == 0:
                time.sleep(_REST)
            try:
                status = os.stat(entry.path)
            except OSError:
                continue
            known = self._picture.at(entry.path)
            stamp = stamp_of(status)
            if (known is not None and known.same(status)) or self._picture.reported(entry.path) == stamp:
                continue
            counts[1] += 1
            before = known.likeness if known is not None else None
            yield Job(entry.path, stamp, before, counts=not first, scanned=True)

    def _look_for_vanished(self) -> None:
        paths: list[str] = []
        for known in self._picture.all():
            if self._stop.is_set():
                return
            if not os.path.lexists(known.path):
                paths.append(known.path)
            if len(paths) >= 500:
                self._results.put(Vanished(tuple(paths)))
                paths = []
        if paths:
            self._results.put(Vanished(tuple(paths)))
