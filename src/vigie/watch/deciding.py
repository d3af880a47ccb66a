"""What becomes of what was seen: the detector is told, its decisions are carried out and put on record."""

import time
from collections.abc import Callable, Container

from vigie.model import Actor, Likeness, State, Verdict
from vigie.watch.detector import Decision, Detector, Joined, Question
from vigie.watch.facts import Fact, Observation, Touched, to_body
from vigie.watch.lanes import Job, Judged
from vigie.watch.log import Log, actor_record, process_record
from vigie.watch.memory import Memory
from vigie.watch.replay import answer_body
from vigie.watch.response import Response
from vigie.watch.responsible import Key


class Deciding:
    """Between the lanes, the detector and the response.

    Args:
        decoys: their paths.
        saved: is told each healthy version that was written.
    """

    def __init__(
        self,
        detector: Detector,
        response: Response,
        memory: Memory,
        log: Log,
        decoys: Container[str],
        saved: Callable[[str], None] | None,
    ) -> None:
        self._detector, self._response = detector, response
        self._memory, self._log = memory, log
        self._decoys, self._saved = decoys, saved

    def see(self, fact: Fact) -> None:
        """Tell the detector, and act."""
        for decision in self._see(fact):
            self._response.handle(decision)

    def touched(self, path: str, how: str, actor: Actor | None) -> None:
        """Something was done to a file: if it is a decoy, that counts."""
        if path in self._decoys:
            self.see(Touched(path, how, actor, time.time_ns()))

    def judged(self, result: Judged) -> bool:
        """Tell the detector, act, and keep a record; whether its writer has a file on its record now."""
        job, verdict = result.job, result.verdict
        was = self._memory.was(job.path)
        incident: str | None = None
        joined = False
        if job.counts:
            before = job.before
            if was is State.ENCRYPTED:
                before = Likeness(State.ENCRYPTED, None, job.stamp[2], 1.0, b"")
            told = (result.digest, result.asks)
            seen = Observation(job.path, verdict, before, job.actor, time.time_ns(), *told)
            decisions = [*self._see(seen), *self._look_up(self._detector.questions())]
            for decision in decisions:
                incident = self._response.handle(decision)
                joined = isinstance(decision, Joined)
        if verdict.state in (State.ENCRYPTED, State.DAMAGED) or (
            incident is not None and verdict.state is not State.INTACT
        ):
            self._report(job, verdict, incident, was, joined=joined)
            return verdict.state is State.ENCRYPTED and incident is None
        self._memory.healthy(job, verdict)
        if job.counts and self._saved is not None:
            self._saved(job.path)
        return False

    def _report(
        self, job: Job, verdict: Verdict, incident: str | None, was: State | None, *, joined: bool
    ) -> None:
        self._memory.bad(job.path, verdict.state, job.stamp)
        if was is verdict.state:
            return  # a file that is written bit by bit is damaged again and again: once is enough
        record = {"path": job.path, "size": job.stamp[2], **verdict.record(), "incident": incident}
        writer = process_record(job.actor.process) if job.actor else None
        self._log.row(
            "verdict", {**record, "joined": joined, "actor": writer, "stamp": list(job.stamp)}, durable=False
        )
        self._log.event("verdict", **record, actor=actor_record(job.actor))

    def _see(self, fact: Fact) -> tuple[Decision, ...]:
        """Tell the detector; what may lead to a decision is journaled, so that it can be replayed."""
        if self._detector.counts(fact):
            self._log.row("fact", to_body(fact), durable=False)
        return self._detector.see(fact)

    def suspected(self, key: Key) -> bool:
        """Whether an actor waits at each write."""
        return self._detector.suspects(key) or self._response.holds_back(key)

    def pending(self) -> None:
        """What is worth looking up once more, by the clock."""
        for decision in self._look_up(self._detector.pending(time.time_ns())):
            self._response.handle(decision)

    def _look_up(self, questions: tuple[Question, ...]) -> list[Decision]:
        """Answer the detector: count the known files that are gone from the folders it asks about."""
        if questions:
            self._memory.flush()
        counted: dict[tuple[tuple[str, ...], int], int] = {}
        decisions: list[Decision] = []
        for question in questions:
            asked = (question.folders, question.since_ns)
            if asked not in counted:
                counted[asked] = sum(self._memory.gone_from(f, question.since_ns) for f in question.folders)
            now = time.time_ns()
            self._log.row("answer", answer_body(question, counted[asked], now), durable=False)
            decisions += self._detector.answer(question, counted[asked], now)
        return decisions
