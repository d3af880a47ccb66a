"""What a drill was like: its steps, its figures and its verdict on Vigie, for whoever tells it to people."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Chapter(StrEnum):
    """The steps of a drill, in order."""

    PRACTICE = "practice"
    FIRST_KEEP = "first_keep"
    GUARD = "guard"
    WORK = "work"
    SECOND_KEEP = "second_keep"
    ATTACK = "attack"
    THIRD_KEEP = "third_keep"
    TIMELINE = "timeline"
    RECOVER = "recover"
    PROOF = "proof"


@dataclass(frozen=True, slots=True)
class Step:
    """One chapter, done."""

    chapter: Chapter
    began: float
    """Seconds after the start of the drill."""
    seconds: float
    facts: dict[str, Any]
    """What there is to say; the keys are those that `vigie.ui.report.drill` has words for."""


@dataclass(frozen=True, slots=True)
class Column:
    """One snapshot of the vault, for the picture: how many files of each folder are encrypted."""

    snapshot: str
    time_ns: int
    files: int
    encrypted: int
    folders: dict[str, tuple[int, int]]
    """Top folder of the practice -> (files, of these encrypted)."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A file that the attack reached before it was frozen."""

    path: str
    came_back: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures that `vigie drill --json` promises."""

    files: int
    """Files that were there when the attack began."""
    files_lost: int
    """Of these, changed or gone when it was over."""
    frozen_after_s: float | None
    """Seconds from the first overwritten file to the freeze; None where nothing could be frozen."""
    false_alarms: int
    """Incidents before the attack, and healthy files called encrypted."""
    restored: int
    verified: int
    unrecoverable: int
    duration_s: float

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Story:
    """The whole drill."""

    began_ns: int
    steps: tuple[Step, ...]
    columns: tuple[Column, ...]
    hits: tuple[Hit, ...]
    identical: int
    """Files that came back byte for byte."""
    actor: dict[str, Any] | None
    """Who was named, as the guard says it."""
    lost: tuple[str, ...]
    """What the guard could not do here, in its own words (no root, no fanotify)."""
    summary: Summary
    kept: str | None = None
    """The folder everything was left in; None where all was removed."""

    @property
    def passed(self) -> bool:
        """Whether everything came back identical and nothing benign raised an alarm."""
        return self.identical == self.summary.files and self.summary.false_alarms == 0
