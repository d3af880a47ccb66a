"""The guard of a drill: `vigie guard --json` as a process of its own, and what it says."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vigie.errors import VigieError

PROGRAM = (sys.executable, "-m", "vigie")
_GRACE = 30.0
"""Seconds it may take to stop."""
_COMPLAINTS = 200
"""Lines of standard error that are kept, the first ones: they say why it could not begin."""


def leash(name: str) -> tuple[str, ...]:
    """What goes before a command so that it gets this signal should the drill be killed.

    PR_SET_PDEATHSIG of prctl(2), through setpriv(1) of util-linux: no process of a drill, frozen or not,
    stays behind, whatever becomes of the drill. Where there is no setpriv, only an orderly end sees to that.
    """
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", name, "--") if setpriv else ()


class Lookout:
    """Starts the guard over a folder, and hears its events.

    Raises:
        VigieError: it ended before it watched, or says nothing in time.
    """

    def __init__(self, folder: Path, state: Path, *, sensor: str = "auto") -> None:
        options = ("--json", "--contain", "--sensor", sensor, "--state", str(state))
        # An empty settings file: what the operator's own says of the real share is not rehearsed here.
        settings = state / "drill.toml"
        settings.write_text("")
        self._process = subprocess.Popen(
            (*leash("TERM"), *PROGRAM, "guard", *options, str(folder)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, "VIGIE_SETTINGS": str(settings)},
        )
        self.events: list[dict[str, Any]] = []
        self._said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._complaints: list[str] = []
        self._threads = [threading.Thread(target=self._hear, daemon=True)]
        self._threads.append(threading.Thread(target=self._listen, daemon=True))
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def await_event(self, name: str, seconds: float, **wanted: Any) -> dict[str, Any] | None:
        """The first event of a name, with these values, that was not awaited before; None if none comes.

        Raises:
            VigieError: the guard ended.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                event = self._said.get(timeout=left)
            except queue.Empty:
                return None
            if event is None:
                self._said.put(None)  # whoever asks again is told as well
                self._threads[1].join(_GRACE)
                problem = " ".join(self.complaints()) or "it ended without a word"
                raise VigieError("guard", problem, "Try it by hand: vigie guard FOLDER")
            if event["event"] == name and all(event.get(key) == value for key, value in wanted.items()):
                return event
        return None

    def alarms(self) -> int:
        """Incidents so far."""
        return sum(event["event"] == "incident" for event in list(self.events))

    def complaints(self) -> tuple[str, ...]:
        """What it said on standard error, for people, and without what to do about it (which is indented)."""
        lines = (line.rstrip() for line in list(self._complaints) if not line.startswith(" "))
        return tuple(line.removeprefix("vigie: ") for line in lines if line)

    def stop(self) -> None:
        """End it, gently first."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _hear(self) -> None:
        for line in self._process.stdout or ():
            event = _event(line)
            if event is not None:
                self.events.append(event)
                self._said.put(event)
        self._said.put(None)

    def _listen(self) -> None:
        for line in self._process.stderr or ():
            if len(self._complaints) < _COMPLAINTS:
                self._complaints.append(line)


def _event(line: str) -> dict[str, Any] | None:
    """What a line says, or None where it is no event (a warning of a library, the summary)."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) and "event" in said else None
