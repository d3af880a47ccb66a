"""The hold: a process that has just written what looks random waits until the file is judged.

Before each stop a note of 16 bytes is put into `holds` in the state folder, and wiped when the process goes
on: a guard that is killed in between finds it at its next start, and continues the process. (A row of the
hash-chained journal would say the same, but costs some 100 µs before each stop and would bury the journal
under healthy files that begin randomly. What a hold leads to is journaled, and so is a repair.)
"""

import os
import signal
import struct
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from vigie.model import Process
from vigie.watch.freeze import Freezer, job_of_a_shell, open_same, signal_through
from vigie.watch.processes import Stat, stat_of
from vigie.watch.responsible import ProcessKey as Key

SECONDS = 2.0
"""Longest hold: a process that did no harm must not wait for a judge that is busy or stuck."""

_NOTE = struct.Struct("=qq")  # pid, started; zeros: an empty slot
_SLOTS = 256
"""Processes held at once; the next one is not held."""


@dataclass(slots=True)
class _Hold:
    slot: int
    pidfd: int
    until: float
    """Monotonic clock, seconds."""


class Holds:
    """The processes that wait now."""

    def __init__(self, state: Path, freezer: Freezer) -> None:
        self._freezer = freezer
        self._fd = os.open(state / "holds", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._free = list(range(_SLOTS))
        self._held: dict[Key, _Hold] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._held

    def __len__(self) -> int:
        return len(self._held)

    def left(self) -> list[Key]:
        """Processes that an earlier guard held when it was killed."""
        data = os.pread(self._fd, _SLOTS * _NOTE.size, 0)
        data = data[: len(data) // _NOTE.size * _NOTE.size]
        return [(pid, started) for pid, started in _NOTE.iter_unpack(data) if pid > 0]

    def forget_left(self) -> None:
        """These have been seen to."""
        os.ftruncate(self._fd, 0)

    def hold(self, pid: int, stat: Stat, pidfd: int | None, now: float) -> bool:
        """Stop it, unless it may not be, is somebody's stopped process already, or there is no slot."""
        key = (pid, stat.started)
        if key in self._held:
            return True
        if stat.state in "TtZX" or self._freezer.exempt(pid, stat) or job_of_a_shell(stat) or not self._free:
            return False
        own = os.dup(pidfd) if pidfd is not None else open_same(pid, stat.started)
        if own is None:
            return False
        slot = self._free.pop()
        os.pwrite(self._fd, _NOTE.pack(pid, stat.started), slot * _NOTE.size)
        # `stat` may be of a process that got the pid of the writer: then the pidfd points to a dead one,
        # and the signal does not arrive.
        if not signal_through(own, signal.SIGSTOP):
            self._wipe(slot, own)
            return False
        self._held[key] = _Hold(slot, own, now + SECONDS)
        return True

    def release(self, key: Key) -> None:
        """Let it go on."""
        held = self._held.pop(key, None)
        if held is not None:
            signal_through(held.pidfd, signal.SIGCONT)
            self._wipe(held.slot, held.pidfd)

    def keep(self, key: Key) -> None:
        """It is frozen now, and the journal says so: not ours any more."""
        held = self._held.pop(key, None)
        if held is not None:
            self._wipe(held.slot, held.pidfd)

    def overdue(self, now: float) -> list[Key]:
        """Those that have waited too long."""
        return [key for key, held in self._held.items() if held.until <= now]

    def close(self) -> None:
        """Let everybody go on."""
        for key in list(self._held):
            self.release(key)
        os.close(self._fd)

    def _wipe(self, slot: int, pidfd: int) -> None:
        os.pwrite(self._fd, bytes(_NOTE.size), slot * _NOTE.size)
        self._free.append(slot)
        os.close(pidfd)


def repair(holds: Holds, frozen: Container[Key]) -> list[tuple[Process, str]]:
    """Continue what an earlier guard left held, save what it froze; processes and outcomes."""
    done = []
    for pid, started in holds.left():
        if (pid, started) in frozen:
            continue
        stat = stat_of(pid)
        name = stat.name if stat is not None and stat.started == started else ""
        process = Process(pid, started, f"[{name}]" if name else "")
        done.append((process, Freezer.release(process)))
    holds.forget_left()
    return done
