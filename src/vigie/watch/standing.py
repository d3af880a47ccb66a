"""What a guard says of itself, once a second, for `vigie guard status` and for Prometheus.

A small file in the state folder, replaced as a whole: whoever reads it sees one moment, and a guard that was
killed is recognised by its age.
"""

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

NAME = "standing.json"
STALE = 15.0
"""Seconds after which it is of a guard that does not answer."""
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Standing:
    """One moment of a guard."""

    pid: int
    time_ns: int
    since_ns: int
    sensor: str
    contain: bool
    paths: tuple[str, ...]
    lost: tuple[str, ...] = ()
    """What it cannot see here."""
    queue: int = 0
    """Files that wait for the judge."""
    held: int = 0
    """Processes that wait for a verdict."""
    frozen: int = 0
    scanning: bool = False
    """Whether it reads the watched folders: at the start, and after events were lost."""
    files: int = 0
    """Looked at by the scan that runs, or ran last."""
    judged: int = 0
    """Of these, judged: the others had not changed."""
    known: int = 0
    """Files the scan before saw, so that the progress of this one can be told; 0 before the first."""
    troubles: dict[str, str] = field(default_factory=dict)
    """What does not work now, and why."""

    @property
    def age(self) -> float:
        """Seconds since; a clock that was put back makes it no younger than now."""
        return max(0.0, (time.time_ns() - self.time_ns) / 1e9)

    def write(self, state: Path) -> None:
        """Replace the file.

        Raises:
            OSError: it cannot be written.
        """
        draft = state / f"{NAME}.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w") as file:
            json.dump(asdict(self), file)
        draft.replace(state / NAME)

    @classmethod
    def read(cls, state: Path) -> Self | None:
        """What stands there; None where there is nothing, or it is of another version of Vigie."""
        try:
            with open(state / NAME, encoding="utf-8") as file:
                body: dict[str, Any] = json.loads(file.read(_LARGEST))
            return cls(**{**body, "paths": tuple(body["paths"]), "lost": tuple(body["lost"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
