"""The actuator: stops a process with SIGSTOP, continues it with SIGCONT; both undone as easily as done.

Signals go through a pidfd (pidfd_send_signal(2)), and the start time is compared after the pidfd was opened:
a process that got a dead one's pid is never hit.
"""

import fnmatch
import os
import re
import signal
from collections.abc import Iterable

from vigie.errors import VigieError
from vigie.model import Process
from vigie.watch.actions import Outcome, Target, to_process
from vigie.watch.processes import PF_KTHREAD, Stat, executable_of, stat_of

FROZEN = "frozen"
RELEASED = "released"
GONE = "the process is gone"
RUNNING = "it was not stopped"
REFUSED = "the system refuses: not permitted"

_CACHE = 4096


class Freezer:
    """Freezes and releases, save for whoever must never be frozen.

    `never` holds shell patterns of executables. Besides these: pid 1, kernel threads, this process and those
    that started it (freezing our own terminal would freeze nobody but us).
    """

    kind = "freeze"

    def __init__(self, never: Iterable[str] = ()) -> None:
        self.adjust(never)
        self._ours = _line_of(os.getpid())
        self._spared: dict[tuple[int, int], str] = {}

    def adjust(self, never: Iterable[str]) -> None:
        """Other patterns from now on."""
        pattern = "|".join(fnmatch.translate(glob) for glob in never)
        self._never = re.compile(pattern) if pattern else None
        self._cache: dict[tuple[int, int], str] = {}

    def exempt(self, pid: int, stat: Stat) -> str:
        """Why a process may not be frozen, or nothing. The second answer comes from memory: hot path."""
        key = (pid, stat.started)
        if key in self._spared:
            return self._spared[key]
        reason = self._cache.get(key)
        if reason is None:
            reason = self._exempt(pid, stat)
            if len(self._cache) >= _CACHE:
                self._cache.clear()
            self._cache[key] = reason
        return reason

    def spare(self, pid: int, started: int) -> None:
        """A person released it: this guard leaves it alone."""
        self._spared[pid, started] = "somebody released it by hand"

    def freeze(self, process: Process) -> str:
        """Stop it; the outcome in words, `FROZEN` if it is stopped now."""
        stat = stat_of(process.pid)
        if stat is None or stat.started != process.started:
            return GONE
        if reason := self.exempt(process.pid, stat):
            return f"not frozen: {reason}"
        return _send(process, signal.SIGSTOP, FROZEN)

    def do(self, target: Target) -> Outcome:
        """As an `Actuator`."""
        words = self.freeze(to_process(target))
        return Outcome(words == FROZEN, words, words == FROZEN)

    def undo(self, target: Target) -> Outcome:
        """As an `Actuator`."""
        words = self.release(to_process(target))
        return Outcome(words == REFUSED, words, words != REFUSED)

    @staticmethod
    def release(process: Process) -> str:
        """Continue it; the outcome in words, `RELEASED` if it runs again."""
        stat = stat_of(process.pid)
        if stat is None or stat.started != process.started or stat.state in "ZX":
            return GONE
        if stat.state != "T":
            return RUNNING
        return _send(process, signal.SIGCONT, RELEASED)

    def _exempt(self, pid: int, stat: Stat) -> str:
        if pid == 1:
            return "it is pid 1"
        if stat.flags & PF_KTHREAD:
            return "it is a kernel thread"
        if (pid, stat.started) in self._ours:
            return "it is Vigie, or one of the processes that started it"
        executable = executable_of(pid, stat.name)
        if self._never and self._never.match(executable):
            return f"{executable} is never frozen (settings)"
        return ""


def open_same(pid: int, started: int) -> int | None:
    """A pidfd of that very process, for the caller to close; None when it is gone.

    Raises:
        VigieError: this kernel has no pidfd (before Linux 5.3).
    """
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    except OSError as error:
        raise VigieError(
            "pidfd_open", error.strerror or str(error), "Freezing needs Linux 5.3: observe only."
        ) from error
    # The start time is read after opening: whatever has the pid now is what the pidfd points to.
    stat = stat_of(pid)
    if stat is None or stat.started != started:
        os.close(pidfd)
        return None
    return pidfd


def signal_through(pidfd: int, number: signal.Signals) -> bool:
    """Send it; whether it arrived."""
    try:
        signal.pidfd_send_signal(pidfd, number)
    except OSError:
        return False
    return True


def job_of_a_shell(stat: Stat) -> bool:
    """Whether an interactive shell waits for this process: it would take a short stop for Ctrl-Z.

    Such a shell gives every job a process group of its own (setpgid(2)), on its terminal.
    """
    if not stat.terminal:
        return False
    parent = stat_of(stat.parent)
    return parent is not None and parent.terminal == stat.terminal and parent.group != stat.group


def _send(process: Process, number: signal.Signals, done: str) -> str:
    pidfd = open_same(process.pid, process.started)
    if pidfd is None:
        return GONE
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return GONE
    except PermissionError:
        return REFUSED
    finally:
        os.close(pidfd)
    return done


def _line_of(pid: int) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    while pid > 0 and (stat := stat_of(pid)) and len(found) < 256:
        found.add((pid, stat.started))
        pid = stat.parent
    return found
