"""Makes a file system read-only, as a last resort: files are destroyed, and nobody knows by whom."""

import os

from vigie.watch.actions import Outcome, Target
from vigie.watch.programs import run

_NEVER = ("/", "/usr", "/var", "/etc", "/boot", "/run", "/tmp", "/dev", "/proc", "/sys")  # noqa: S108 - names only


class Remount:
    """Actuator "remount-read-only". `state`: the folder of journal and baseline, which must stay writable."""

    kind = "remount-read-only"

    def __init__(self, state: str) -> None:
        self._state = os.path.realpath(state)

    def refusal(self, mount: str) -> str:
        """Why a mount point may not be made read-only, or nothing."""
        point = os.path.realpath(mount)
        if point in _NEVER:
            return f"{point} belongs to the system"
        if not os.path.ismount(point):
            return f"{point} is no mount point"
        if os.path.commonpath([point, self._state]) == point and os.stat(point).st_dev == _device(
            self._state
        ):
            return f"{point} holds Vigie's own journal"
        return ""

    def do(self, target: Target) -> Outcome:
        """Let nobody write on it any more. The kernel refuses while a file on it is open for writing."""
        mount = str(target["mount"])
        if reason := self.refusal(mount):
            return Outcome(False, f"not done: {reason}", False)
        if problem := run(("mount", "-o", "remount,ro", "--", mount)):
            return Outcome(False, f"not done: {problem}", False)
        return Outcome(True, "read-only")

    def undo(self, target: Target) -> Outcome:
        """Writable again."""
        if problem := run(("mount", "-o", "remount,rw", "--", str(target["mount"]))):
            return Outcome(True, f"still read-only: {problem}", False)
        return Outcome(False, "writable again")


def _device(path: str) -> int:
    """Of the nearest folder that is there."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.stat(path).st_dev
