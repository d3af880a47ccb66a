"""A real `vigie guard` in a process of its own, and what it says."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

VIGIE = (sys.executable, "-m", "vigie")


class Watching:
    """`vigie guard ROOT…`, from when it has read the folders until the end of the block."""

    def __init__(
        self, roots: Sequence[Path], state: Path, *more: str | Path, before: Sequence[str] = ()
    ) -> None:
        words = [*before, *VIGIE, "guard", *roots, "--json", "--state", state, *more]
        self.process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, text=True)
        self.events: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        if not self.until(lambda: any(e["event"] == "baseline" for e in self.events), 300):
            raise TimeoutError("the guard is not ready")
        time.sleep(0.3)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)

    def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Whether it holds within that time; looked at whenever the guard says something."""
        with self._news:
            return self._news.wait_for(holds, seconds)

    def since(self, mark: int, name: str) -> list[dict[str, Any]]:
        """Events of a name after the first `mark`; incidents that are only told are left out."""
        return [e for e in self.events[mark:] if e["event"] == name and e.get("acts", True)]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.events.append({**json.loads(line), "at": time.time()})
                self._news.notify_all()
