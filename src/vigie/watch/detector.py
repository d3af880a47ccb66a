"""The detector: observations in, decisions out; no clock, no files, no processes (sans-I/O).

Rule 1, *encrypted*: one actor turned `limit` distinct files into *encrypted* within the window.
    A file that was encrypted before does not count. The actor is the process; if it has too few, the nearest
    of its parents whose children together reach the limit (a script that starts one `openssl` a file).
    A service that works for many (`_SERVICES`) does not answer for what its children do for each of them.
    Files nobody can be named for count together, as "unknown".
Rule 2, *replaced*: one actor made `limit` new files that are random all over and of no known kind, while
    `limit` known files vanished from the same folders (copied under random names, then deleted; locked with
    a legitimate tool). Nobody reports what vanishes: the detector asks (`questions`), the guard looks
    (`answer`). It asks at the first new file already: what was gone by then is not this actor's doing.

An incident is opened once for an actor; what it and its children do later joins it, until it is closed.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from os.path import basename, dirname

from vigie.model import Actor, Likeness, Process, State, Verdict

Key = tuple[int, int]
"""Identity of an actor: pid and start."""

NOBODY: Key = (0, 0)
"""All that cannot be attributed."""

RANDOM_ALL_OVER = 0.9
"""Share of random blocks from which a file of no known kind may be somebody's file under another name."""

_SERVICES = frozenset(
    {"smbd", "sshd", "systemd", "cron", "crond", "atd", "nfsd", "proftpd", "vsftpd", "xrdp"}
)
"""Programs whose children belong to different people: freezing one for another's deeds stops a hospital."""

_TALLIES = 4096
"""Actors that are counted at once; the one that has been quiet longest is dropped."""
_PATHS = 1024
"""Distinct files remembered an actor, at least; counting goes on beyond."""
_FOLDERS = 16
"""Folders asked about for one actor."""
_AFTERWARDS_NS = 30 * 10**9
"""How long after the last new file deletions are still looked for."""
_INCIDENTS = 1024
"""Open incidents."""
_SHOWN = 20
"""Files an `Incident` names."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One version of one file that was judged."""

    path: str
    verdict: Verdict
    before: Likeness | None
    """The version before, where one was known."""
    actor: Actor | None
    time_ns: int


@dataclass(frozen=True, slots=True)
class Incident:
    """Somebody encrypts files."""

    id: str
    actor: Actor | None
    files: tuple[str, ...]
    """The first ones."""
    count: int
    reason: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class Opened:
    """Decision: an incident. `writer` is the process that wrote the last file, maybe a child of the actor."""

    incident: Incident
    writer: Process | None


@dataclass(frozen=True, slots=True)
class Joined:
    """Decision: one more file of an open incident."""

    incident: str
    writer: Process | None


Decision = Opened | Joined


@dataclass(frozen=True, slots=True)
class Question:
    """How many files that were known before `since_ns` are gone from these folders?"""

    key: Key
    folders: tuple[str, ...]
    since_ns: int


@dataclass(slots=True)
class _Tally:
    """What one actor did within the window."""

    actor: Actor | None
    encrypted: "OrderedDict[str, int]" = field(default_factory=OrderedDict)
    """Path -> when, oldest first."""
    strangers: "OrderedDict[str, int]" = field(default_factory=OrderedDict)
    since_ns: int = 0
    """When it made the first one."""
    asked: int = 0
    """Number of strangers when it was last asked about."""
    gone_before: int | None = None
    """Known files that were missing from the folders when it began."""
    writer: Process | None = None


class Detector:
    """Counts, and decides.

    Args:
        limit: files (`guard.encrypted_files`).
        window: seconds (`guard.window`).
        new_id: makes the id of an incident from its time in nanoseconds.
    """

    def __init__(self, limit: int, window: float, new_id: Callable[[int], str]) -> None:
        self._limit = limit
        self._paths = max(limit, _PATHS)
        self._window_ns = int(window * 1e9)
        self._new_id = new_id
        self._tallies: OrderedDict[Key, _Tally] = OrderedDict()
        self._open: OrderedDict[Key, str] = OrderedDict()
        self._growing: dict[Key, None] = {}
        """Whoever made a stranger since the last `questions`; nearest first."""
        self._clock = 0
        self._last: int | None = None

    def observe(self, seen: Observation) -> tuple[Decision, ...]:
        """Count one file."""
        now = self._elapse(seen.time_ns)
        state = seen.verdict.state
        new = seen.before is None and stranger(seen.verdict.likeness)
        again = seen.before is not None and seen.before.state is State.ENCRYPTED
        if not new and (state is not State.ENCRYPTED or again):
            return ()
        chain = _chain(seen.actor)
        writer = seen.actor.process if seen.actor else None
        for key, _ in chain:
            if key in self._open:
                self._open.move_to_end(key)
                return (Joined(self._open[key], writer),)
        # All that could be held responsible counts before anybody is: the nearest one wins.
        tallies = [self._tally(key, actor) for key, actor in chain]
        for tally in tallies:
            tally.writer = writer
            if new and not tally.strangers:
                tally.since_ns = seen.time_ns
            paths = tally.strangers if new else tally.encrypted
            self._count(paths, seen.path, now)
        if new:
            self._growing.update((key, None) for key, _ in chain)
            return ()
        for (key, _), tally in zip(chain, tallies, strict=True):
            if len(tally.encrypted) >= self._limit:
                reason = f"{len(tally.encrypted)} files were turned into encrypted ones within {self._span()}"
                return (self._open_incident(key, tally, tally.encrypted, reason, seen.time_ns),)
        return ()

    def questions(self) -> tuple[Question, ...]:
        """What to look up now: at the first new file, at each one about the limit, then when they double."""
        found = []
        for key in self._growing:
            tally = self._tallies.get(key)
            count = len(tally.strangers) if tally else 0
            if tally is None or count <= tally.asked:
                continue
            first = tally.gone_before is None
            if first or self._limit <= count <= 4 * self._limit or count >= 2 * max(tally.asked, self._limit):
                tally.asked = count
                found.append(Question(key, _folders(tally.strangers), tally.since_ns))
        self._growing.clear()
        return tuple(found)

    def pending(self, time_ns: int) -> tuple[Question, ...]:
        """What is worth looking up once more, for a while: the deletions may come after the copies."""
        recent = self._elapse(time_ns) - _AFTERWARDS_NS
        return tuple(
            Question(key, _folders(tally.strangers), tally.since_ns)
            for key, tally in self._tallies.items()
            if len(tally.strangers) >= self._limit and next(reversed(tally.strangers.values())) > recent
        )

    def answer(self, question: Question, vanished: int, time_ns: int) -> tuple[Decision, ...]:
        """The answer: `vanished` known files are gone from the folders of the question."""
        tally = self._tallies.get(question.key)
        if tally is None:
            return ()
        if tally.gone_before is None:
            tally.gone_before = vanished
        vanished -= tally.gone_before
        if vanished < self._limit or len(tally.strangers) < self._limit:
            return ()
        reason = (
            f"{vanished} known files vanished where {len(tally.strangers)} new ones of no known kind, "
            "random all over, appeared"
        )
        return (self._open_incident(question.key, tally, tally.strangers, reason, time_ns),)

    def suspects(self, key: Key) -> bool:
        """Whether this process has a file on its record: it waits at each write, incident or not."""
        tally = self._tallies.get(key)
        return key in self._open or (tally is not None and bool(tally.encrypted))

    def close(self, incident: str) -> None:
        """The incident is over: its actor starts from nothing."""
        for key in [k for k, v in self._open.items() if v == incident]:
            del self._open[key]

    def _open_incident(
        self, key: Key, tally: _Tally, paths: Iterable[str], reason: str, time_ns: int
    ) -> Opened:
        files = tuple(paths)
        incident = Incident(self._new_id(time_ns), tally.actor, files[:_SHOWN], len(files), reason, time_ns)
        self._open[key] = incident.id
        if len(self._open) > _INCIDENTS:
            self._open.popitem(last=False)
        del self._tallies[key]
        # What is laid at this door is not counted again at its parents'.
        for parent in tally.actor.parents if tally.actor else ():
            if above := self._tallies.get((parent.pid, parent.started)):
                for path in files:
                    above.encrypted.pop(path, None)
                    above.strangers.pop(path, None)
        return Opened(incident, tally.writer)

    def _tally(self, key: Key, actor: Actor | None) -> _Tally:
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = _Tally(actor)
            if len(self._tallies) > _TALLIES:
                self._tallies.popitem(last=False)
        self._tallies.move_to_end(key)
        return tally

    def _count(self, paths: "OrderedDict[str, int]", path: str, now: int) -> None:
        paths[path] = now
        paths.move_to_end(path)
        while len(paths) > self._paths or next(iter(paths.values())) < now - self._window_ns:
            paths.popitem(last=False)

    def _elapse(self, time_ns: int) -> int:
        """Our own clock: it stands still while the given one jumps back."""
        if self._last is not None and time_ns > self._last:
            self._clock += time_ns - self._last
        self._last = time_ns
        return self._clock

    def _span(self) -> str:
        seconds = self._window_ns / 1e9
        return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def stranger(likeness: Likeness | None) -> bool:
    """Whether a file is of no known kind and random all over: it may be anybody's under another name."""
    return (
        likeness is not None and likeness.state is State.UNKNOWN and likeness.random_share > RANDOM_ALL_OVER
    )


def line_of(actor: Actor) -> tuple[Key, ...]:
    """Who may be held responsible for what an actor does, nearest first."""
    return tuple(key for key, _ in _chain(actor))


def _chain(actor: Actor | None) -> list[tuple[Key, Actor | None]]:
    """Who may be held responsible, nearest first: the process and its parents, up to the first service."""
    if actor is None:
        return [(NOBODY, None)]
    line = (actor.process, *actor.parents)
    chain: list[tuple[Key, Actor | None]] = []
    for number, process in enumerate(line):
        if number and (process.pid <= 2 or basename(process.executable) in _SERVICES):
            break
        chain.append(((process.pid, process.started), Actor(process, line[number + 1 :])))
    return chain


def _folders(paths: Iterable[str]) -> tuple[str, ...]:
    found = deque(dict.fromkeys(dirname(path) for path in paths), maxlen=_FOLDERS)
    return tuple(found)
