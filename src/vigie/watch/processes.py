"""Who a process is, from proc(5): read at once, since it may be gone the next moment."""

import os
import pwd
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from vigie.model import Actor, Client, Process

_COMMAND = 4096
"""Bytes of a command line that are kept."""
_PARENTS = 64
"""Longest chain of parents followed."""
_CACHE = 1024

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


def parents_of(stat: Stat) -> tuple[Process, ...]:
    """The chain that started it, nearest first."""
    chain: list[Process] = []
    pid = stat.parent
    while pid > 0 and len(chain) < _PARENTS:
        above = stat_of(pid)
        if above is None:
            break
        chain.append(describe(pid, above))
        pid = above.parent
    return tuple(chain)


class Actors:
    """Turns a pid into an `Actor`, and remembers the last thousand: an attack asks all the time.

    `behind` knows the client that a process works for.
    """

    def __init__(self, behind: Callable[[Process], Client | None] = lambda _: None) -> None:
        self._behind = behind
        self._known: OrderedDict[tuple[int, int], Actor] = OrderedDict()

    def of(self, pid: int, stat: Stat) -> Actor:
        """The actor; `stat` was read from that pid just now."""
        key = (pid, stat.started)
        actor = self._known.get(key)
        # A process is what it runs now: one that called execve(2) since is read again.
        if actor is None or actor.process.executable != executable_of(pid, stat.name):
            process = describe(pid, stat)
            actor = Actor(process, parents_of(stat), self._behind(process))
            self._known[key] = actor
            if len(self._known) > _CACHE:
                self._known.popitem(last=False)
        return actor


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
