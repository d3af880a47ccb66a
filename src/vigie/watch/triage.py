"""The hot path: from an event to a job, with its writer held if need be, within some 100 µs."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from vigie.errors import Unreadable
from vigie.journal import Known
from vigie.model import Actor, Client, Likeness, Process
from vigie.sources.folder import FileBlob
from vigie.watch.birth import same_inode
from vigie.watch.encoded import looks_encoded
from vigie.watch.events import Moved, Removed, Written
from vigie.watch.facts import Deleted, Renamed
from vigie.watch.hold import Holds
from vigie.watch.lanes import Job, stamp_of
from vigie.watch.processes import Actors, Births, Stat, stat_of
from vigie.watch.responsible import Key, ProcessKey, chain_of, line_of
from vigie.watch.scope import Scope

_HEAD = 4096
"""Bytes glanced at."""
_PLACE = 64
"""Bytes glanced at in the middle and at the end of a file that is known."""
_CALM = 0.5
"""Share of random blocks of the version before, beyond which these places say nothing."""


class Past(Protocol):
    """What is known of files; both raise `VigieError` when it cannot be read."""

    def at(self, path: str) -> Known | None:
        """By path."""
        ...

    def of(self, dev: int, ino: int) -> Known | None:
        """By inode, under whatever name."""
        ...


class Clients(Protocol):
    """Who is behind a server process."""

    def behind(self, process: Process) -> Client | None:
        """The client that this process works for, from what is known at once; None if it serves nobody.

        Called in the hot path: never waits for another program.
        """
        ...


class Triage:
    """Decides about one event whether it matters, whether its writer must wait, and what the judge needs.

    Args:
        scope: what is watched.
        past: to find the version before.
        holds: None when nothing may be stopped.
        glance: whether the first bytes of a file look random.
        suspected: whether an actor is to wait whatever it wrote.
        clients: who is behind a server process.
        births: who started whom, also of processes that have ended.
    """

    def __init__(
        self,
        scope: Scope,
        past: Past,
        holds: Holds | None,
        glance: Callable[[bytes], bool],
        suspected: Callable[[Key], bool],
        clients: Clients | None = None,
        births: Births | None = None,
    ) -> None:
        self._scope, self._past, self._holds = scope, past, holds
        self._glance, self._suspected = glance, suspected
        self._actors = Actors(clients.behind if clients else lambda _: None, births)
        self._own = os.getpid()
        self._kept: list[int] = []
        """Descriptors of our own databases, which may not be closed: that would give up our locks on them."""
        if stat := stat_of(self._own):
            self._actors.of(
                self._own, stat
            )  # loads what looks up users: the first event must not wait for it

    def at_once(self, event: Written) -> None:
        """Make the writer wait, if what it wrote begins badly; the event is left as it is, for `take`.

        A look at each of the events that wait, before any of them is taken: of four processes that share an
        attack, three must not run on while it is found out who started the first.
        """
        pid = event.pid
        if self._holds is None or pid is None or pid == self._own or not self._scope.covers(event.path):
            return
        stat = stat_of(pid) if not event.gone else None
        if stat is None or (pid, stat.started) in self._holds:
            return
        with suppress(OSError):  # no regular file: nothing is read of it
            if self._suspected((pid, stat.started)) or self._looks_bad(os.pread(event.fd, _HEAD, 0)):
                self._hold(pid, stat, event.pidfd)

    def take(self, event: Written) -> Job | None:
        """The job an event makes, or None; every descriptor of the event is seen to.

        Raises:
            VigieError: the baseline cannot be read.
        """
        try:
            return self._take(event)
        finally:
            if event.pidfd is not None:
                os.close(event.pidfd)

    def drop(self, event: Written) -> None:
        """Let an event pass; its descriptors are seen to."""
        if event.path.startswith(self._scope.state + "/"):
            self._kept.append(event.fd)
        else:
            os.close(event.fd)
        if event.pidfd is not None:
            os.close(event.pidfd)

    def named(self, event: Moved | Removed, time_ns: int) -> Renamed | Deleted | None:
        """The fact that a change of a name makes, or None; its descriptor is seen to."""
        try:
            path = event.old if isinstance(event, Moved) else event.path
            if event.pid == self._own or not self._scope.covers(path):
                return None
            actor = self._actor(event)
            if actor is not None and any(parent.pid == self._own for parent in actor.parents):
                return None
            if isinstance(event, Moved):
                return Renamed(event.path, event.old, actor, time_ns)
            return Deleted(event.path, actor, time_ns)
        finally:
            if event.pidfd is not None:
                os.close(event.pidfd)

    def _actor(self, event: Moved | Removed) -> Actor | None:
        if event.pid is None:
            return None
        stat = stat_of(event.pid) if not event.gone else None
        return self._actors.of(event.pid, stat) if stat is not None else self._actors.gone(event.pid)

    def _take(self, event: Written) -> Job | None:
        path, pid = event.path, event.pid
        if path.startswith(self._scope.state + "/"):
            self._kept.append(event.fd)
            return None
        covered = self._scope.covers(path)
        if pid == self._own or (not covered and _named_truly(path, event.fd)):
            os.close(event.fd)
            return None
        try:
            blob = FileBlob.adopt(event.fd)  # closes what is no regular file
        except Unreadable:
            return None
        job: Job | None = None
        try:
            job = self._job(event, blob, covered=covered)
        finally:
            if job is None:
                blob.close()
        return job

    def _job(self, event: Written, blob: FileBlob, *, covered: bool) -> Job | None:
        path, pid = event.path, event.pid
        status = os.fstat(blob.fileno())
        known: Known | None = None
        if not covered:
            known = self._by_inode(status, path, blob.fileno())
            if known is None or not self._scope.covers(known.path):
                return None
            path = known.path
        stat = stat_of(pid) if pid is not None and not event.gone else None
        bad = pid is not None and self._begins_badly((pid, stat.started if stat is not None else 0), blob)
        if bad and pid is not None and stat is not None:
            self._hold(pid, stat, event.pidfd)
        # What follows may take its time: if it matters, the writer stands still.
        known = known or self._past.at(path) or self._by_inode(status, path, blob.fileno())
        before = known.likeness if known is not None else None
        actor: Actor | None = None
        line: tuple[ProcessKey, ...] = ()
        if pid is not None and stat is not None:
            if before is not None and self._goes_on_badly(blob, before):
                self._hold(pid, stat, event.pidfd)
            actor = self._actors.of(pid, stat)
            if any(parent.pid == self._own for parent in actor.parents):
                if self._holds is not None:
                    self._holds.release((pid, stat.started))
                return None
            line = line_of(actor)
            if any(self._suspected(key) for key, _ in chain_of(actor)):
                self._hold(pid, stat, event.pidfd)
        elif pid is not None and (actor := self._actors.gone(pid)) is not None:
            if any(parent.pid == self._own for parent in actor.parents):
                return None
            line = line_of(actor)
        if bad and (stat is None or stat.state in "ZX"):
            self._hold_above(line)
        return Job(path, stamp_of(status), before, blob, actor, line)

    def _hold(self, pid: int, stat: Stat, pidfd: int | None) -> None:
        if self._holds is not None:
            self._holds.hold(pid, stat, pidfd, time.monotonic())

    def _hold_above(self, line: tuple[ProcessKey, ...]) -> None:
        """In place of a writer that has ended, the nearest of those that started it waits for the judge."""
        for pid, started in line[1:]:
            stat = stat_of(pid)
            if stat is not None and stat.started == started and stat.state not in "ZX":
                self._hold(pid, stat, None)
                return

    def _begins_badly(self, key: Key, blob: FileBlob) -> bool:
        """Whether whoever wrote it must wait, from what is known at once."""
        with suppress(Unreadable):
            return self._suspected(key) or self._looks_bad(blob.at(0, _HEAD))
        return False

    def _looks_bad(self, head: bytes) -> bool:
        return self._glance(head) or looks_encoded(head)

    def _goes_on_badly(self, blob: FileBlob, before: Likeness) -> bool:
        """Whether a file that held little random has some in its middle or at its end."""
        if before.random_share > _CALM:
            return False
        with suppress(Unreadable):
            return any(self._glance(blob.at(at, _PLACE)) for at in (blob.size - _PLACE, blob.size // 2))
        return False

    def _by_inode(self, status: os.stat_result, path: str, fd: int) -> Known | None:
        """What was known of the file under another name: renamed, or seen from inside a container."""
        known = self._past.of(status.st_dev, status.st_ino)
        if known is not None and same_inode(fd, path, known.path, known.ctime_ns):
            return known
        return None


def _named_truly(path: str, fd: int) -> bool:
    """Whether a path that is not watched is the file's own for us too: a container has other names."""
    try:
        there, here = os.stat(path), os.fstat(fd)
    except OSError:
        return os.fstat(fd).st_nlink == 0
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
