"""What the detector decided, and would decide now, from the rows of the journal alone.

The journal keeps every fact that a decision may come of (kind `fact`), and every answer that the guard gave
to a question (kind `answer`). The same rows give the same decisions, so a night can be told again with
other settings, and a decision that nobody understands can be taken apart.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from vigie.journal import Journal, Row
from vigie.watch.detector import Decision, Detector, Opened, Question
from vigie.watch.facts import from_body
from vigie.watch.responsible import Key
from vigie.watch.rules.slow import WINDOW

KINDS = ("fact", "answer", "incident")
"""Rows that are replayed."""


def replay(rows: Iterable[Row], detector: Detector) -> Iterator[tuple[Row, Decision]]:
    """Every decision with the row that led to it, in order; `detector` has seen nothing yet.

    Raises:
        ValueError: a row is no fact and no answer.
    """
    opened: deque[str] = deque()
    ids: dict[str, str] = {}
    """Incidents as the journal calls them, and as this detector does."""
    for row in rows:
        decisions: tuple[Decision, ...] = ()
        if row.kind == "fact":
            decisions = detector.see(from_body(row.body))
            detector.questions()
        elif row.kind == "answer":
            decisions = detector.answer(*answer_of(row.body))
        elif "reason" in row.body and opened:
            ids[str(row.body["id"])] = opened.popleft()
        elif "state" in row.body and (known := ids.get(str(row.body.get("id")))):
            detector.close(known)
        for decision in decisions:
            if isinstance(decision, Opened):
                opened.append(decision.incident.id)
            yield row, decision


def recall(journal: Journal, detector: Detector, now_ns: int) -> None:
    """Tell a new detector what earlier guards saw within the longest window of its rules.

    Raises:
        JournalBroken: the journal cannot be read.
    """
    for row in journal.rows("fact"):
        if now_ns - WINDOW <= row.time_ns <= now_ns:
            with suppress(ValueError):  # of another version of Vigie
                detector.recall(from_body(row.body))


def answer_body(question: Question, vanished: int, time_ns: int) -> dict[str, Any]:
    """The body of a row of kind `answer`."""
    return {
        "key": list(question.key),
        "folders": list(question.folders),
        "since_ns": question.since_ns,
        "vanished": vanished,
        "time_ns": time_ns,
    }


def answer_of(body: Mapping[str, Any]) -> tuple[Question, int, int]:
    """Question, answer and time.

    Raises:
        ValueError: it is none.
    """
    try:
        first, second = body["key"]
        key: Key = (first, second)
        question = Question(key, tuple(map(str, body["folders"])), int(body["since_ns"]))
        return question, int(body["vanished"]), int(body["time_ns"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an answer: {error}") from error
