"""The watchfiles sensor: which files change, but not who changes them. For those who are not root.

A change is reported once a file has been quiet for a moment: without the word "closed" there is no other sign
that its writer is done.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from watchfiles import Change, watch

from vigie.errors import VigieError
from vigie.watch.events import Event, Overflow, Written

_QUIET = 0.2
"""Seconds without a change before a file is read."""
_PATIENCE = 5.0
"""Seconds after which it is read all the same."""
_RESTART = 0.5
"""Seconds before watching again after it failed."""
_STEP = 100
"""Milliseconds between two looks."""
_WAITING = 100_000
"""Changed files that may wait; beyond, they are dropped and everything is read again."""
_BATCH = 64
"""Events handed over at once: each carries an open descriptor."""
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class FolderEvents:
    """Watches `roots` through inotify (or what the platform has), in a thread of its own.

    Raises:
        VigieError: the watch cannot be set up (too many folders for the system's limit, usually).
    """

    name = "watchfiles"
    attribution = False
    lost = (
        "no pid: who wrote cannot be named, nothing can be frozen",
        "a file that is written again and again is read only every few seconds",
        "renames and deletions are not seen",
        "a file whose name is not UTF-8 is found only by reading everything again",
    )

    def __init__(self, roots: Sequence[str]) -> None:
        self.filesystems = tuple(roots)
        self._ready: deque[str | Overflow] = deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._ignored = ""
        self._stop = threading.Event()
        self._started = threading.Event()
        self._error = ""
        self._thread = threading.Thread(target=self._run, name="watchfiles", daemon=True)
        self._thread.start()
        self._started.wait(60)
        if not self._thread.is_alive():
            self.close()
            remedy = "Raise fs.inotify.max_user_watches (sysctl), or run as root with --sensor fanotify."
            raise VigieError("watchfiles", self._error, remedy)

    def fileno(self) -> int:
        """Readable when events wait."""
        return self._wake

    def ignore(self, folder: str) -> None:
        """Open no file of that folder."""
        self._ignored = os.path.realpath(folder) + "/"

    def extend(self) -> list[str]:
        """New mounts are met as folders, if at all."""
        return []

    def read(self) -> list[Event]:
        """The next files that changed, opened; those that vanished are left out."""
        events: list[Event] = []
        while self._ready and len(events) < _BATCH:
            item = self._ready.popleft()
            if isinstance(item, Overflow):
                events.append(item)
            elif not self._ignored or not os.path.realpath(item).startswith(self._ignored):
                with suppress(OSError):
                    events.append(Written(item, os.open(item, _FLAGS)))
        if not self._ready:
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            if self._ready:  # the thread added one between our last look and the reset
                os.eventfd_write(self._wake, 1)
        return events

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        self._thread.join(10)
        if self._wake >= 0:
            os.close(self._wake)
            self._wake = -1

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch()
            except Exception as error:  # noqa: BLE001 - watchfiles raises its own and the system's errors; none may die unheard
                self._error = str(error) or type(error).__name__
                if not self._started.is_set():
                    break
                # It gives up on a name that is not UTF-8, for one: begin again, and have everything read.
                self._tell([Overflow(f"watchfiles: {self._error}")])
                self._stop.wait(_RESTART)
        self._started.set()

    def _watch(self) -> None:
        settling = Settling()
        changes = watch(
            *self.filesystems,
            watch_filter=None,
            stop_event=self._stop,
            rust_timeout=_STEP,
            debounce=_STEP,
            step=10,
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        )
        for batch in changes:
            self._started.set()
            now = time.monotonic()
            for change, path in batch:
                if change is Change.deleted:
                    settling.drop(path)
                elif os.path.isfile(path) and not os.path.islink(path):
                    settling.changed(path, now)
            if len(settling) > _WAITING:
                settling = Settling()
                self._tell([Overflow("too many files changed at once")])
            self._tell(settling.due(now))

    def _tell(self, news: Sequence[str | Overflow]) -> None:
        self._ready.extend(news)
        if news:
            os.eventfd_write(self._wake, 1)


class Settling:
    """Files that changed and are not quiet yet."""

    def __init__(self) -> None:
        self._times: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._times)

    def changed(self, path: str, now: float) -> None:
        """A change was seen."""
        first, _ = self._times.get(path, (now, now))
        self._times[path] = (first, now)

    def drop(self, path: str) -> None:
        """The file is gone."""
        self._times.pop(path, None)

    def due(self, now: float) -> list[str]:
        """Those that are quiet, or have waited long enough; they are forgotten."""
        found = [
            p for p, (first, last) in self._times.items() if now - last >= _QUIET or now - first >= _PATIENCE
        ]
        for path in found:
            del self._times[path]
        return found
