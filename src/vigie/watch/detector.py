"""The detector: facts in, decisions out; no clock, no files, no processes (sans-I/O), so it can be replayed.

Rule 1, *encrypted*: one actor turned `limit` distinct files into *encrypted* within the window.
    A file that was encrypted before does not count. The actor is the process; if it has too few, the nearest
    of its parents whose children together reach the limit (a script that starts one `openssl` a file).
    A service that works for many (`responsible`) does not answer for what its children do for each of them;
    an SMB client does, for all its connections. Files nobody can be named for count together, as "unknown".
Rule 2, *replaced*: one actor made `limit` new files that are random all over and of no known kind, while
    `limit` known files vanished from the same folders (copied under random names, then deleted; locked with
    a legitimate tool). Nobody reports what vanishes: the detector asks (`questions`), the guard looks
    (`answer`). It asks at the first new file already: what was gone by then is not this actor's doing.

More rules stand in `rules/`, a file each, and are told every fact. What a rule finds either acts (the actor
is stopped) or only alerts (people are told, once a day for one actor and rule).

An incident is opened once for an actor; what it and its children do later joins it, until it is closed.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from os.path import dirname

from vigie.model import Actor, Likeness, Process, State
from vigie.watch.facts import Fact, Observation
from vigie.watch.responsible import Key, Link, chain_of
from vigie.watch.rules import Finding, Rule

RANDOM_ALL_OVER = 0.9
"""Share of random blocks from which a file of no known kind may be somebody's file under another name."""

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
_AGAIN_NS = 24 * 3600 * 10**9
"""How long nothing more is said of an actor for a rule that only alerts."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Somebody destroys files, or it looks like it."""

    id: str
    actor: Actor | None
    files: tuple[str, ...]
    """The first ones."""
    count: int
    reason: str
    time_ns: int
    acts: bool = True
    """Whether the actor is to be stopped; otherwise people are told, and decide."""


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
        rules: those beyond the two above.
    """

    def __init__(
        self, limit: int, window: float, new_id: Callable[[int], str], rules: Sequence[Rule] = ()
    ) -> None:
        self._limit = limit
        self._paths = max(limit, _PATHS)
        self._window_ns = int(window * 1e9)
        self._new_id = new_id
        self._rules = tuple(rules)
        self._tallies: OrderedDict[Key, _Tally] = OrderedDict()
        self._open: OrderedDict[Key, str] = OrderedDict()
        self._counted: OrderedDict[str, tuple[Key, ...]] = OrderedDict()
        """Everybody for whom the deeds of an open incident were counted."""
        self._told: OrderedDict[tuple[Key, str], int] = OrderedDict()
        """When people were told of an actor because of a rule, by our own clock."""
        self._growing: dict[Key, None] = {}
        """Whoever made a stranger since the last `questions`; nearest first."""
        self._clock = 0
        self._last: int | None = None

    def adjust(self, limit: int, window: float) -> None:
        """Other settings from now on; what was counted stays."""
        self._limit, self._paths, self._window_ns = limit, max(limit, _PATHS), int(window * 1e9)

    def see(self, fact: Fact) -> tuple[Decision, ...]:
        """Count one fact."""
        now = self._elapse(fact.time_ns)
        chain = chain_of(fact.actor)
        decisions = self._count_observation(fact, chain, now) if isinstance(fact, Observation) else ()
        for rule in self._rules:
            finding = rule.see(fact, chain, now)
            # One fact makes one decision: the first that acts.
            if finding is not None and not any(
                not isinstance(d, Opened) or d.incident.acts for d in decisions
            ):
                decisions += self._found(finding, fact, now)
        return decisions

    def recall(self, fact: Fact) -> None:
        """A fact that an earlier guard saw: what counts over days goes on; nothing is decided."""
        chain, now = chain_of(fact.actor), self._elapse(fact.time_ns)
        for rule in self._rules:
            rule.see(fact, chain, now)

    def counts(self, fact: Fact) -> bool:
        """Whether a decision may come of it, now or later: such facts are kept in the journal."""
        if isinstance(fact, Observation) and (_struck(fact) or _new_stranger(fact)):
            return True
        return any(rule.counts(fact) for rule in self._rules)

    def _count_observation(self, seen: Observation, chain: list[Link], now: int) -> tuple[Decision, ...]:
        new = _new_stranger(seen)
        if not new and not _struck(seen):
            return ()
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

    def _found(self, finding: Finding, fact: Fact, now: int) -> tuple[Decision, ...]:
        writer = fact.actor.process if fact.actor else None
        if finding.key in self._open:
            return (Joined(self._open[finding.key], writer),) if finding.acts else ()
        if not finding.acts:
            last = self._told.get((finding.key, finding.rule))
            if last is not None and now - last < _AGAIN_NS:
                return ()
            self._told[finding.key, finding.rule] = now
            if len(self._told) > _INCIDENTS:
                self._told.popitem(last=False)
        incident = Incident(
            self._new_id(fact.time_ns),
            finding.actor,
            finding.files[:_SHOWN],
            max(len(finding.files), finding.count),
            finding.reason,
            fact.time_ns,
            finding.acts,
        )
        if finding.acts:
            self._remember_open(finding.key, incident)
            self._tallies.pop(finding.key, None)
        return (Opened(incident, writer),)

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
        """The incident is over: its actor, and those that were counted with it, start from nothing."""
        keys = {k for k, v in self._open.items() if v == incident}
        for key in keys:
            del self._open[key]
        for key in keys.union(self._counted.pop(incident, ())):
            for rule in self._rules:
                rule.forget(key)

    def _open_incident(
        self, key: Key, tally: _Tally, paths: Iterable[str], reason: str, time_ns: int
    ) -> Opened:
        files = tuple(paths)
        incident = Incident(self._new_id(time_ns), tally.actor, files[:_SHOWN], len(files), reason, time_ns)
        self._remember_open(key, incident)
        del self._tallies[key]
        # What is laid at this door is not counted again at its parents'.
        for parent in tally.actor.parents if tally.actor else ():
            if above := self._tallies.get((parent.pid, parent.started)):
                for path in files:
                    above.encrypted.pop(path, None)
                    above.strangers.pop(path, None)
        return Opened(incident, tally.writer)

    def _remember_open(self, key: Key, incident: Incident) -> None:
        self._open[key] = incident.id
        self._counted[incident.id] = tuple(above for above, _ in chain_of(incident.actor))
        if len(self._open) > _INCIDENTS:
            self._open.popitem(last=False)
        if len(self._counted) > _INCIDENTS:
            self._counted.popitem(last=False)

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


def _struck(seen: Observation) -> bool:
    again = seen.before is not None and seen.before.state is State.ENCRYPTED
    return seen.verdict.state is State.ENCRYPTED and not again


def _new_stranger(seen: Observation) -> bool:
    return seen.before is None and stranger(seen.verdict.likeness)


def _folders(paths: Iterable[str]) -> tuple[str, ...]:
    found = deque(dict.fromkeys(dirname(path) for path in paths), maxlen=_FOLDERS)
    return tuple(found)
