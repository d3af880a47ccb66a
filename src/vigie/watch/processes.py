"""Who a process is, from proc(5): read at once, since it may be gone the next moment."""

import os
import pwd
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from vigie.model import Actor, Client, Process
from vigie.watch.cgroup import membership
from vigie.watch.proc_connector import Birth

_COMMAND = 4096
"""Bytes of a command line that are kept."""
_PARENTS = 64
"""Longest chain of parents followed."""
_CACHE = 1024
_GROUPS = 16 * 1024
"""Bytes of /proc/PID/cgroup: 14 lines, of 4 KiB each at the very most, are never that long."""
ENDED = "[ended]"
"""Stands for the executable of a process that was gone before anybody could look."""

_DEAD = "ZX"
"""States in which there is no executable any more."""

PF_KTHREAD = 0x00200000
"""A kernel thread (include/linux/sched.h), in field 9 of /proc/PID/stat."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What the guard needs of /proc/PID/stat."""

    state: str
    """Field 3: R, S, D, T (stopped by a signal), t (by a debugger), Z, X."""
    parent: int
    group: int
    """Field 5, the process group."""
    terminal: int
    """Field 7, the device number of its terminal; 0 without one."""
    flags: int
    started: int
    """Field 22, clock ticks after boot."""
    name: str


def stat_of(pid: int) -> Stat | None:
    """The state of a process, or None when there is none of that pid."""
    data = _read(f"/proc/{pid}/stat", 1024)
    # The name, in brackets, may hold anything, brackets and spaces too: the last bracket ends it.
    end = data.rfind(b")")
    fields = data[end + 2 :].split(None, 20)
    try:
        return Stat(
            state=chr(fields[0][0]),
            parent=int(fields[1]),
            group=int(fields[2]),
            terminal=int(fields[4]),
            flags=int(fields[6]),
            started=int(fields[19]),
            name=os.fsdecode(data[data.find(b"(") + 1 : end]),
        )
    except (IndexError, ValueError):
        return None


def executable_of(pid: int, name: str) -> str:
    """The path of what it runs, or its bare name in brackets (kernel threads, no permission)."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return f"[{name}]"


def describe(pid: int, stat: Stat) -> Process:
    """The process of which `stat` was just read; if it is gone meanwhile, what is known of it still."""
    words = _read(f"/proc/{pid}/cmdline", _COMMAND).rstrip(b"\0")
    command = tuple(os.fsdecode(word) for word in words.split(b"\0")) if words else ()
    try:
        user = _user(os.stat(f"/proc/{pid}").st_uid)
    except OSError:
        user = ""
    return Process(pid, stat.started, executable_of(pid, stat.name), command, user)


def groups_of(pid: int) -> tuple[str, str]:
    """The systemd unit and the container of a process, as `cgroup.membership` has them."""
    return membership(os.fsdecode(_read(f"/proc/{pid}/cgroup", _GROUPS)))


class Births(Protocol):
    """Who started whom: `ProcConnector`."""

    def catch_up(self) -> None:
        """Learn of those until now."""
        ...

    def of(self, pid: int) -> Birth | None:
        """Who started the last process of that pid, if it is known."""
        ...

    def close(self) -> None:
        """Learn no more."""
        ...


class Actors:
    """Turns a pid into an `Actor`, and remembers the last thousand: an attack asks all the time.

    `behind` knows the client that a process works for; `births` who started it. Without, that is its present
    parent, which for an orphan is pid 1: a script each of whose children starts the one that writes, and
    ends, would be above none of them.
    """

    def __init__(
        self, behind: Callable[[Process], Client | None] = lambda _: None, births: Births | None = None
    ) -> None:
        self._behind, self._births = behind, births
        self._known: OrderedDict[tuple[int, int], Actor] = OrderedDict()
        self._processes: OrderedDict[tuple[int, int], Process] = OrderedDict()
        """Actors, and those above them: a thousand children have the same parents."""

    def of(self, pid: int, stat: Stat) -> Actor:
        """The actor; `stat` was read from that pid just now."""
        key = (pid, stat.started)
        actor = self._known.get(key)
        # A process is what it runs now: one that called execve(2) since is read again.
        if actor is None or (
            actor.process.executable != executable_of(pid, stat.name) and stat.state not in _DEAD
        ):
            if self._births is not None:
                self._births.catch_up()
            process = self._describe(pid, stat)
            unit, container = groups_of(pid)
            actor = Actor(
                process, self._above(pid, stat, stat.started), self._behind(process), unit, container
            )
            self._remember(key, actor)
        return actor

    def gone(self, pid: int) -> Actor | None:
        """The actor that a process was which has ended, if it was known, or it is known who started it."""
        if self._births is None:
            return None
        self._births.catch_up()
        birth = self._births.of(pid)
        if birth is None:
            return None
        stat = stat_of(pid)
        if stat is not None and _same(birth, stat.started):  # that pid is another one's by now
            return None
        process = self._ended(pid, birth.started)
        key = (pid, process.started)
        actor = self._known.get(key)
        if actor is None:
            chain = self._above(pid, None, process.started)
            # Its control groups went with it; a process begins in those of its parent.
            unit, container = groups_of(chain[0].pid) if chain and chain[0].executable != ENDED else ("", "")
            actor = Actor(process, chain, self._behind(process), unit, container)
            self._remember(key, actor)
        return actor

    def _above(self, pid: int, stat: Stat | None, started: int) -> tuple[Process, ...]:
        """The chain that started a process, nearest first; with those in it that have ended."""
        chain: list[Process] = []
        while len(chain) < _PARENTS:
            birth = self._birth(pid, started)
            above = birth.parent if birth is not None else stat.parent if stat is not None else 0
            if above <= 0:
                break
            pid, child_started = above, started
            stat = stat_of(pid)
            if stat is not None and stat.started <= child_started:
                started = stat.started
                chain.append(self._describe(pid, stat))
                continue
            # It has ended (a process that began after its child is another one, with its pid).
            stat = None
            found = self._births.of(pid) if self._births is not None else None
            if found is None or found.started > child_started:
                break
            process = self._ended(pid, found.started)
            started = process.started
            chain.append(process)
        return tuple(chain)

    def _birth(self, pid: int, started: int) -> Birth | None:
        birth = self._births.of(pid) if self._births is not None else None
        return birth if birth is not None and _same(birth, started) else None

    def _describe(self, pid: int, stat: Stat) -> Process:
        key = (pid, stat.started)
        known = self._processes.get(key)
        if known is None or (known.executable != executable_of(pid, stat.name) and stat.state not in _DEAD):
            known = self._processes[key] = describe(pid, stat)
            if len(self._processes) > _CACHE:
                self._processes.popitem(last=False)
        return known

    def _ended(self, pid: int, started: int) -> Process:
        """What is remembered of it, if anything; `started` may be a tick late."""
        known = self._processes.get((pid, started)) or self._processes.get((pid, started - 1))
        return known or Process(pid, started, ENDED)

    def _remember(self, key: tuple[int, int], actor: Actor) -> None:
        self._known[key] = actor
        if len(self._known) > _CACHE:
            self._known.popitem(last=False)


def _same(birth: Birth, started: int) -> bool:
    return 0 <= birth.started - started <= 1


def _read(path: str, length: int) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, length)
    except OSError:  # ESRCH: it ended meanwhile
        return b""
    finally:
        os.close(fd)


@lru_cache(maxsize=256)
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
