"""Versions kept close: what was written healthy goes into the vault within a minute, in batches.

The guard names each healthy file that was written; a thread hands them on. What could not be kept waits for
the next time. A kill loses nothing: the moment up to which everything was kept is noted in the state folder,
and what the baseline knows to be younger is kept at the next start.
"""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from vigie.errors import VigieError

_MOST = 50_000
"""Files handed on at once; more wait for the next batch."""
_SLOWEST = 16
"""Periods between two tries, at most, while it fails."""


class KeptClose:
    """Collects paths, and hands them to `keep` every `seconds`; `keep` may raise `VigieError`.

    Args:
        keep: keeps these files; called from the thread.
        seconds: between two batches.
        state: the folder where the moment is noted.
        younger: files changed after a moment (ns), for what an earlier guard had not kept yet.
        trouble: takes what went wrong, once until it works again.
    """

    def __init__(
        self,
        keep: Callable[[tuple[str, ...]], None],
        seconds: float,
        state: Path,
        younger: Callable[[int], Iterable[str]],
        trouble: Callable[[VigieError | None], None],
    ) -> None:
        self._keep, self._seconds, self._trouble = keep, seconds, trouble
        self._younger = younger
        self._note = state / "kept-close"
        self._lock = threading.Lock()
        self._waiting: dict[str, None] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kept close", daemon=True)
        self._thread.start()

    def saved(self, path: str) -> None:
        """A healthy version was written; never waits."""
        with self._lock:
            self._waiting[path] = None

    def close(self, seconds: float = 60.0) -> None:
        """Keep what is left, for at most so long; the rest is kept at the next start."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        if (since := self._noted()) is not None:
            for path in self._younger(since):
                self.saved(path)
        else:
            self._write(time.time_ns())
        pause = 1
        while not self._stop.wait(self._seconds * pause):
            pause = 1 if self._hand_on() else min(2 * pause, _SLOWEST)
        self._hand_on()

    def _hand_on(self) -> bool:
        """Whether all went well."""
        while True:
            began = time.time_ns()
            with self._lock:
                batch = tuple(self._waiting)[:_MOST]
                for path in batch:
                    del self._waiting[path]
            if batch:
                try:
                    self._keep(batch)
                except VigieError as error:
                    with self._lock:
                        self._waiting = dict.fromkeys(batch) | self._waiting
                    self._trouble(error)
                    return False
                self._trouble(None)
            with self._lock:
                done = not self._waiting
            if done:
                self._write(began)
            if done or len(batch) < _MOST:
                return True

    def _noted(self) -> int | None:
        try:
            return int(self._note.read_text())
        except (OSError, ValueError):
            return None

    def _write(self, moment_ns: int) -> None:
        draft = self._note.with_suffix(".new")
        try:
            draft.write_text(str(moment_ns))
            draft.replace(self._note)
        except OSError:
            return  # a full disk: what is younger than the old note is kept once more
