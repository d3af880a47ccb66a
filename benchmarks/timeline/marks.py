"""How right it was: what `vigie timeline` and `vigie recover --plan` say, beside the truth.

A last clean version counts as right if the snapshot named holds the bytes that the document had before it was
struck; it need not be the newest snapshot that holds them. What is said to be unsure is never wrong.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger import Document, Truth

Row = dict[str, Any]
SHOWN = 20
"""Paths that are kept of each kind of mistake."""


@dataclass(slots=True)
class Marks:
    """Counts, and some paths for each mistake."""

    onset: tuple[int | None, int | None] = (None, None)
    """Numbers of the snapshots that are said to be the last clean and the first hit one."""
    onset_right: bool = False
    clean: Counter[str] = field(default_factory=Counter)
    """Documents that are hit, by what is said of their last clean version: right, unsure, wrong, missed."""
    exact: int = 0
    """Of the right ones, those whose snapshot is the very last one before the hit."""
    when: Counter[str] = field(default_factory=Counter)
    """The same documents, by the snapshot of the hit that is said: right, early, late, none."""
    stages: Counter[str] = field(default_factory=Counter)
    """The same documents, by the stage that found them."""
    alarms: int = 0
    """Healthy documents that are called hit."""
    doubted: int = 0
    """Healthy documents that are listed, but neither hit nor sure."""
    notes: int = 0
    """Ransom notes that are listed: neither a document nor a mistake."""
    plan: Counter[str] = field(default_factory=Counter)
    """Hit documents in the plan: right, unverified, wrong, lost, absent."""
    healthy: Counter[str] = field(default_factory=Counter)
    """Healthy documents in the plan: newest, older, lost, absent; "deleted" ones that would come back."""
    by: dict[str, Counter[str]] = field(default_factory=dict)
    """`clean` by pattern, by way, and by kind."""
    mistakes: dict[str, list[str]] = field(default_factory=dict)
    strangers: int = 0
    """Rows about a path that the truth does not know."""

    @property
    def share(self) -> float:
        """Of the documents that are hit, those whose last clean version is right."""
        return self.clean["right"] / max(1, self.clean.total())

    def note(self, mistake: str, path: str) -> None:
        """Keep the path, if there are not too many."""
        kept = self.mistakes.setdefault(mistake, [])
        if len(kept) < SHOWN:
            kept.append(path)


def rows(lines: Iterable[str]) -> Iterator[Row]:
    """The objects of JSON Lines."""
    return (json.loads(line) for line in lines if line.strip())


class Marking:
    """Fed with the rows of both commands; `marks` is what they are worth."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._owners = {one.path: document for document in truth.documents for one in document.contents}
        self._notes = set(truth.notes)
        self.marks = Marks()

    def timeline(self, said: Iterable[Row]) -> None:
        """What `vigie timeline --files --json` wrote."""
        found: dict[int, list[Row]] = {}
        for row in said:
            if "summary" in row:
                self._onset(row["summary"])
            elif "path" in row and "last_clean" in row:
                document = self._owner(row)
                if document is not None and document.hit is None:
                    self._healthy(row)
                elif document is not None:
                    found.setdefault(id(document), []).append(row)
        for document in self._truth.documents:
            if document.hit is not None:
                self._hit(document, found.get(id(document), []))

    def recovery(self, said: Iterable[Row]) -> None:
        """What `vigie recover --plan --json` wrote."""
        found: dict[int, list[Row]] = {}
        for row in said:
            document = self._owner(row) if "path" in row else None
            if document is not None:
                found.setdefault(id(document), []).append(row)
        for document in self._truth.documents:
            planned = found.get(id(document), [])
            if document.hit is not None:
                outcome = _worst((self._planned(document, row) for row in planned), "absent")
                self.marks.plan[outcome] += 1
                if outcome != "right":
                    self.marks.note(f"plan: {outcome}", document.path)
            elif document.gone is None:
                self.marks.healthy[_kept(self._truth, document, planned)] += 1
            elif any(row.get("snapshot") for row in planned):
                self.marks.healthy["deleted"] += 1

    def _onset(self, summary: Row) -> None:
        clean = self._truth.number(summary.get("last_clean"))
        hit = self._truth.number(summary.get("first_hit"))
        self.marks.onset = clean, hit
        true = self._truth.onset
        self.marks.onset_right = hit == true and clean == (None if true is None else true - 1)

    def _owner(self, row: Row) -> Document | None:
        path = self._truth.inside(row["path"])
        document = self._owners.get(path)
        if document is None and row.get("now"):
            document = self._owners.get(self._truth.inside(row["now"]))
        if document is None and path in self._notes:
            self.marks.notes += 1
        elif document is None:
            self.marks.strangers += 1
            self.marks.note("strangers", path)
        return document

    def _healthy(self, row: Row) -> None:
        if row.get("hit") or row.get("sure"):
            self.marks.alarms += 1
            self.marks.note("healthy, called hit", row["path"])
        else:
            self.marks.doubted += 1

    def _hit(self, document: Document, said: list[Row]) -> None:
        marks = self.marks
        outcome = _worst((self._clean(document, row) for row in said), "missed")
        marks.clean[outcome] += 1
        for name in (document.pattern, document.way, document.kind):
            marks.by.setdefault(name, Counter())[outcome] += 1
        if outcome != "right":
            marks.note(f"last clean: {outcome}", f"{document.path} ({document.pattern})")
        if not said or document.hit is None:
            return
        row = said[0]
        marks.stages[str(row.get("stage"))] += 1
        number = self._truth.number(row.get("hit"))
        if number is None:
            marks.when["none"] += 1
        else:
            marks.when[
                "right" if number == document.hit else "early" if number < document.hit else "late"
            ] += 1
        marks.exact += outcome == "right" and self._truth.number(row["last_clean"]) == document.hit - 1

    def _clean(self, document: Document, row: Row) -> str:
        if not row.get("sure"):
            return "unsure"
        number, clean = self._truth.number(row["last_clean"]), document.clean
        if number is None or clean is None:
            return "right" if number is None and clean is None else "wrong"
        there = document.at(number)
        return "right" if there is not None and there.digest == clean.digest else "wrong"

    def _planned(self, document: Document, row: Row) -> str:
        number, clean = self._truth.number(row.get("snapshot")), document.clean
        if number is None:
            return "right" if clean is None else "lost"
        there = document.at(number)
        if there is None or clean is None or there.digest != clean.digest:
            return "unverified" if row.get("why") == "unverified" else "wrong"
        return "unverified" if row.get("why") == "unverified" else "right"


def _worst(outcomes: Iterable[str], none: str) -> str:
    order = ("right", "unverified", "unsure", "lost", "wrong")
    return max(outcomes, key=order.index, default=none)


def _kept(truth: Truth, document: Document, planned: list[Row]) -> str:
    """What becomes of a healthy document that is still there."""
    if not planned:
        return "absent"
    # One that was renamed may be planned under its old name as well: the newest content is what counts.
    numbers = [n for row in planned if (n := truth.number(row.get("snapshot"))) is not None]
    if not numbers:
        return "lost"
    there = document.at(max(numbers))
    return "newest" if there is not None and there.digest == document.contents[-1].digest else "older"
