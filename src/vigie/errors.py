"""Every error a user can meet: what it is about, what happened, what to do, and the exit code.

Three kinds of failure are kept apart (DESIGN.md, habit 5): `Malformed` (in `vigie.formats`) is evidence
about a file, `Unreadable` is the reason why an entry was skipped, and `VigieError` ends a command.
Anything else is a bug.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command tells the shell; 1 means a finding, as with clamscan."""

    CLEAN = 0
    FOUND = 1
    FAILED = 2
    PARTIAL = 3


class VigieError(Exception):
    """A command cannot go on; `remedy` says what the person at the keyboard can do about it."""

    exit_code = ExitCode.FAILED

    def __init__(self, subject: str, problem: str, remedy: str) -> None:
        super().__init__(f"{subject}: {problem}")
        self.subject = subject
        self.problem = problem
        self.remedy = remedy


class NoSuchTarget(VigieError):
    """A path, repository or snapshot that was named does not exist."""


class NotPermitted(VigieError):
    """The operating system refuses; usually root or group membership is missing."""


class BadSettings(VigieError):
    """`vigie.toml` cannot be used; the subject carries file and line."""


class MissingProgram(VigieError):
    """A program or an optional library Vigie drives is not installed, or too old."""


class WrongPassword(VigieError):
    """The repository does not open with the password that was given."""


class RepositoryLocked(VigieError):
    """Another run holds the repository."""


class RepositoryDamaged(VigieError):
    """The repository, or the part that was asked for, cannot be read."""


class DiskFull(VigieError):
    """There is no room left where Vigie has to write."""


class StateInUse(VigieError):
    """Another Vigie process uses the same state folder for the same purpose."""


class JournalBroken(VigieError):
    """The journal's chain of hashes does not hold."""


class Unreadable(Exception):
    """One entry could not be read; the run goes on, and the entry's verdict is *skipped* with this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
