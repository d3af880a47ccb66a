"""What became of each document, and the tally of a run."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vigie.errors import ExitCode
from vigie.model import State
from vigie.timeline import Choice, Lost


class Outcome(StrEnum):
    """What became of one document."""

    RESTORED = "restored"
    ALREADY = "already"
    """The very same file is there: an earlier run restored it."""
    NEAREST = "nearest"
    """No healthy version is known; the nearest thing lies beside its place, under a name that says so."""
    EXISTS = "exists"
    """Another file is there; it was left alone."""
    REFUSED = "refused"
    """It could not be put there."""
    REJECTED = "rejected"
    """What was written is not what was planned; it was taken away again."""
    UNREADABLE = "unreadable"
    """The backup cannot give its bytes."""
    LOST = "unrecoverable"
    """No version of it can be handed back."""


_NAMES = 100
"""Names of attributes that are counted: who wrote the backup may have invented a million."""
_THERE = (Outcome.RESTORED, Outcome.ALREADY)


@dataclass(frozen=True, slots=True)
class Handed:
    """One document, and what became of it."""

    path: str
    outcome: Outcome
    state: State
    """The verdict on what was written; on what was planned or is newest where nothing was."""
    snapshot: str = ""
    size: int | None = None
    sha256: str = ""
    reason: str = ""
    step: str = ""
    """The step of the order it belongs to."""
    nearest: Choice | None = None
    """Of a lost document: the version that comes nearest to a healthy one."""
    lacking: tuple[str, ...] = ()
    """Extended attributes that it could not be given: the disk does not take them, or only root may."""

    def record(self) -> dict[str, Any]:
        """The promised JSON keys of DESIGN.md ("Command line"), and what became of it."""
        said: dict[str, Any] = {
            "path": self.path,
            "snapshot": self.snapshot or None,
            "size": self.size,
            "sha256": self.sha256 or None,
            "verdict": self.state.value,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "step": self.step,
        }
        if self.lacking:
            said["lacking"] = list(self.lacking)
        if self.outcome is Outcome.LOST:
            said["nearest"] = nearest_record(self.nearest) if self.nearest else None
        return said


def nearest_record(choice: Choice) -> dict[str, Any]:
    """The nearest thing to a healthy version, for machines."""
    return {
        "snapshot": choice.version.snapshot.id,
        "size": choice.version.entry.size,
        "verdict": choice.verdict.state.value,
        "reason": choice.note,
    }


def named(lost: Lost) -> Handed:
    """A lost document, as a line of the report."""
    return Handed(lost.path, Outcome.LOST, lost.state, reason=lost.reason, nearest=lost.nearest)


@dataclass(slots=True)
class Recovery:
    """The tally of a run."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    verified: int = 0
    by_snapshot: Counter[str] = field(default_factory=Counter)
    written: int = 0
    """Bytes of the files that this run handed back."""
    lacking: Counter[str] = field(default_factory=Counter)
    """Extended attributes that could not be given, and to how many files; the first `_NAMES` there are."""

    def count(self, handed: Handed) -> None:
        """Take in one document."""
        self.outcomes[handed.outcome] += 1
        if handed.outcome in _THERE:
            self.verified += handed.state is State.INTACT
            self.by_snapshot[handed.snapshot] += 1
        if handed.outcome in (Outcome.RESTORED, Outcome.NEAREST):
            self.written += handed.size or 0
        for name in handed.lacking:
            if name in self.lacking or len(self.lacking) < _NAMES:
                self.lacking[name] += 1

    @property
    def restored(self) -> int:
        """Documents that are back, by this run or by an earlier one."""
        return sum(self.outcomes[outcome] for outcome in _THERE)

    def record(self) -> dict[str, Any]:
        """The promised JSON summary, and how many documents had each other outcome."""
        return {
            "restored": self.restored,
            "verified": self.verified,
            "unrecoverable": self.outcomes[Outcome.LOST],
            "by_snapshot": dict(self.by_snapshot),
            **{o.value: self.outcomes[o] for o in Outcome if o not in (Outcome.RESTORED, Outcome.LOST)},
            "bytes": self.written,
            **({"lacking": dict(self.lacking)} if self.lacking else {}),
        }

    @property
    def exit_code(self) -> ExitCode:
        """Found: something is unrecoverable. Partial: something is missing or could not be verified."""
        if self.outcomes[Outcome.LOST]:
            return ExitCode.FOUND
        complete = self.outcomes.total() == self.restored == self.verified
        return ExitCode.CLEAN if complete else ExitCode.PARTIAL
