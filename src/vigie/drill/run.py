"""One drill under way: where it lies, who is told, and how each chapter is timed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vigie.drill.story import Chapter, Step

OnStep = Callable[[Step], None]
OnProgress = Callable[[Chapter, int, int | None], None]


@dataclass(slots=True)
class Run:
    """One drill under way."""

    base: Path
    restic: str
    sensor: str
    kept: bool
    on_step: OnStep
    on_progress: OnProgress
    began: float = field(default_factory=time.monotonic)
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def chapter(self, chapter: Chapter) -> Iterator[dict[str, Any]]:
        """Time a step; what is put into the dictionary are its facts."""
        start = time.monotonic()
        facts: dict[str, Any] = {}
        self.on_progress(chapter, 0, None)
        yield facts
        now = time.monotonic()
        step = Step(chapter, round(start - self.began, 3), round(now - start, 3), facts)
        self.steps.append(step)
        self.on_step(step)
