"""The guard of a drill: `vigie guard --json` as a process of its own, and what it says."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vigie.errors import VigieError

_GRACE = 30.0
"""Seconds it may take to stop."""


class Lookout:
    """Starts the guard over a folder, and hears its events.

    Raises:
        VigieError: it ended before it watched, or says nothing in time.
    """

    def __init__(self, folder: Path, state: Path) -> None:
        command = (
            sys.executable,
            "-m",
            "vigie",
            "guard",
            "--json",
            "--contain",
            "--state",
            str(state),
            str(folder),
        )
        # An empty settings file: what the operator's own says of the real share is not rehearsed here.
        settings = state / "drill.toml"
        settings.write_text("")
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
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
                self._process.wait()
                problem = "".join(self._complaints).strip() or "it ended without a word"
                raise VigieError("guard", problem, "Try it by hand: vigie guard FOLDER")
            if event["event"] == name and all(event.get(key) == value for key, value in wanted.items()):
                return event
        return None

    def alarms(self) -> int:
        """Incidents so far."""
        return sum(event["event"] == "incident" for event in list(self.events))

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
            event = json.loads(line)
            if "event" in event:
                self.events.append(event)
                self._said.put(event)
        self._said.put(None)

    def _listen(self) -> None:
        self._complaints.extend(self._process.stderr or ())
