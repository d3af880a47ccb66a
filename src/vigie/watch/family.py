"""All that belongs to a process: what it started, what these started, and what they left behind.

Stopping one of four workers that share an attack leaves three. Whoever is found is stopped before their
children are looked for, so that nobody runs away by forking: what is stopped forks no more, and a round that
finds nobody new is the last.

/proc/PID/task/TID/children (proc(5), Linux 4.2) tells the children in microseconds, and truly once the parent
stands still. A child whose parent has ended belongs to pid 1 by then: it is found by its process group, whose
number is the pid of the member that leads it (setpgid(2)), and is not given to another while the group lasts.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator

from vigie.model import Actor, Process
from vigie.watch.processes import Stat, stat_of
from vigie.watch.responsible import chain_of

MOST = 64
"""Members stopped one by one; an actor with more of them needs `freeze_group`, or is stopped as it writes."""
_ROUNDS = 16
_THREADS = 256
"""Threads asked for their children."""

Take = Callable[[int, Stat], bool]
"""Stops a process; whether it stands still now. Below one that may not be stopped, nobody is looked for."""


def take_family(root: int, take: Take) -> bool:
    """Have every member of the family of `root`, which stands still itself, stopped: those above first.

    Whether that were all: False when there are more than `MOST`, or new ones came all the time.
    """
    seen, still = {root}, [root]
    for _ in range(_ROUNDS):
        # From parent to child while that finds anybody; a look at all there is costs milliseconds.
        found = list(_children(still, seen)) or list(_members(still, seen))
        if not found:
            return True
        for pid, stat in found:
            if len(seen) > MOST:
                return False
            seen.add(pid)
            if take(pid, stat):
                still.append(pid)
    return False


def program_of(actor: Actor) -> Process:
    """The process that stands for a whole program: the topmost one that only forked to make the actor.

    Workers that were forked and run nothing of their own (the same executable, command line and user) are one
    program with whoever forked them. A service that works for many is not climbed to (`chain_of`).
    """
    found = actor.process
    for _, link in chain_of(actor)[1:]:
        if link is None or not _same_program(link.process, found):
            break
        found = link.process
    return found


def _same_program(one: Process, other: Process) -> bool:
    return bool(one.command) and (one.executable, one.command, one.user) == (
        other.executable,
        other.command,
        other.user,
    )


def everybody() -> dict[int, Stat]:
    """Every process there is, by pid."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdecimal())
    return {pid: stat for pid in pids if (stat := stat_of(pid)) is not None}


def below(roots: Iterable[int], table: dict[int, Stat], barred: Collection[int] = ()) -> list[int]:
    """The family of `roots`, without them, parents first; nobody who is `barred`, or below one who is.

    Descendants, and members of a process group that one of the family leads.
    """
    started: dict[int, list[int]] = {}
    grouped: dict[int, list[int]] = {}
    for pid, stat in table.items():
        if stat.state not in "ZX":
            started.setdefault(stat.parent, []).append(pid)
            grouped.setdefault(stat.group, []).append(pid)
    # Below the barred first: the group must not lead to what their parents keep out (Vigie's own workers).
    out = _follow(barred, (started,), set())
    roots = list(roots)
    return _follow(roots, (started, grouped), {*out, *barred})[len(roots) :]


def _follow(roots: Iterable[int], ways: Iterable[dict[int, list[int]]], known: set[int]) -> list[int]:
    """The roots, and whoever the ways lead to from them, without those known before."""
    order = list(roots)
    known = known.union(order)
    for member in order:
        for way in ways:
            for pid in way.get(member, ()):
                if pid not in known:
                    known.add(pid)
                    order.append(pid)
    return order


def _children(still: list[int], seen: set[int]) -> Iterator[tuple[int, Stat]]:
    for parent in still:
        for pid in _children_of(parent):
            # The parent is compared: the pid may be another one's by now.
            stat = stat_of(pid) if pid not in seen else None
            if stat is not None and stat.parent == parent and stat.state not in "ZX":
                yield pid, stat


def _members(still: list[int], seen: set[int]) -> Iterator[tuple[int, Stat]]:
    table = everybody()
    found = below(still, table, seen.difference(still))
    return ((pid, table[pid]) for pid in found if pid not in seen)


def _children_of(pid: int) -> list[int]:
    folder = f"/proc/{pid}/task"
    found: list[int] = []
    try:
        for thread in os.listdir(folder)[:_THREADS]:
            with open(f"{folder}/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except OSError:  # it has ended, or this kernel does not tell: `_members` finds them
        pass
    return found
