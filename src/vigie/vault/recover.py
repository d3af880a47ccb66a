"""Recover: hand back the planned version of every file, each judged again from what was written.

Each file is written beside its place, brought to the disk, read back, compared and judged; only then it gets
its name. What stands there already is left alone: a run that was cut short is simply started again.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vigie.errors import ExitCode, Unreadable
from vigie.model import Blob, Judge, Source, State, Verdict
from vigie.sources.file import FileBlob
from vigie.timeline import Choice, Lost, Plan
from vigie.vault.destination import PIECE, Destination, Place, Refused, Taken, digest, dress, write


class Outcome(StrEnum):
    """What became of one document."""

    RESTORED = "restored"
    ALREADY = "already"
    """The very same file is there: an earlier run restored it."""
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

    def record(self) -> dict[str, Any]:
        """The promised JSON keys of DESIGN.md ("Command line"), and what became of it."""
        return {
            "path": self.path,
            "snapshot": self.snapshot or None,
            "size": self.size,
            "sha256": self.sha256 or None,
            "verdict": self.state.value,
            "outcome": self.outcome.value,
            "reason": self.reason,
        }


@dataclass(slots=True)
class Recovery:
    """The tally of a run."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    verified: int = 0
    by_snapshot: Counter[str] = field(default_factory=Counter)

    def count(self, handed: Handed) -> None:
        """Take in one document."""
        self.outcomes[handed.outcome] += 1
        if handed.outcome in _THERE:
            self.verified += handed.state is State.INTACT
            self.by_snapshot[handed.snapshot] += 1

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
        }

    @property
    def exit_code(self) -> ExitCode:
        """Found: something is unrecoverable. Partial: something is missing or could not be verified."""
        if self.outcomes[Outcome.LOST]:
            return ExitCode.FOUND
        complete = self.outcomes.total() == self.restored == self.verified
        return ExitCode.CLEAN if complete else ExitCode.PARTIAL


def recover(plan: Plan, source: Source, judge: Judge, destination: Destination) -> Iterator[Handed]:
    """Hand back the files of a plan, one by one, in path order; then name what is lost.

    A file goes under its whole old path below the destination: `/srv/a.pdf` to `DIR/srv/a.pdf`.

    Raises:
        DiskFull: there is no room left; what was given so far is complete.
    """
    for choice in plan.choices:
        yield _hand_over(choice, source, judge, destination)
    for lost in plan.lost:
        yield named(lost)


def named(lost: Lost) -> Handed:
    """A lost document, as a line of the report."""
    return Handed(lost.path, Outcome.LOST, lost.state, reason=lost.reason)


def _hand_over(choice: Choice, source: Source, judge: Judge, destination: Destination) -> Handed:
    size = choice.version.entry.size

    def handed(outcome: Outcome, reason: str = "", sha256: str = "", state: State | None = None) -> Handed:
        snapshot = choice.version.snapshot.id
        return Handed(choice.path, outcome, state or choice.verdict.state, snapshot, size, sha256, reason)

    try:
        place = destination.place(choice.path)
        there = destination.digest(place)
        blob = choice.version.entry.open()
        try:
            if there is not None:
                if there == _copy(blob, None):
                    return handed(Outcome.ALREADY, choice.note, there)
                return handed(Outcome.EXISTS, "another file is there: left alone")
            sha256, verdict = _write(choice, blob, place, source, judge, destination)
        finally:
            blob.close()
    except Refused as error:
        return handed(Outcome.REFUSED, error.reason)
    except Taken:
        return handed(Outcome.EXISTS, "another file came there meanwhile: left alone")
    except Unreadable as error:
        return handed(Outcome.UNREADABLE, error.reason)
    except _Rejected as error:
        return handed(Outcome.REJECTED, error.reason, state=error.state)
    return handed(Outcome.RESTORED, choice.note, sha256, verdict.state)


class _Rejected(Exception):
    """What was written is not what was planned."""

    def __init__(self, reason: str, state: State) -> None:
        super().__init__(reason)
        self.reason = reason
        self.state = state


def _write(
    choice: Choice, blob: Blob, place: Place, source: Source, judge: Judge, destination: Destination
) -> tuple[str, Verdict]:
    wanted = choice.verdict
    with destination.draft(place) as fd:
        sha256 = _copy(blob, fd)
        attributes = source.attributes(choice.version)
        dress(fd, attributes.mode, attributes.uid, attributes.gid, attributes.mtime_ns)
        os.fsync(fd)
        # Read back from the disk where the kernel lets go of its copy, not from memory.
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if digest(fd) != sha256:
            raise _Rejected("what is read back is not what was written", State.DAMAGED)
        # Another process may judge, one that reads hostile bytes: its descriptor must not be able to write.
        reading = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
        with FileBlob.adopt(reading) as written:
            verdict = judge(written, choice.path, wanted.likeness)
        if verdict.state not in (wanted.state, State.INTACT):
            raise _Rejected(f"judged again: {'; '.join(verdict.evidence)}", verdict.state)
        destination.publish(place)
    return sha256, verdict


def _copy(blob: Blob, fd: int | None) -> str:
    """SHA-256 of the blob, which is written to a file on the way where one is given."""
    found = hashlib.sha256()
    for offset in range(0, blob.size, PIECE):
        piece = blob.at(offset, PIECE)
        found.update(piece)
        if fd is not None:
            write(fd, piece)
    return found.hexdigest()
