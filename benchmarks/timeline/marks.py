"""How right it was: what `vigie timeline` and `vigie recover --plan` say, beside the truth.

A last clean version counts as right if the snapshot named holds the bytes that the document had before it was
struck; it need not be the newest snapshot that holds them. What is said to be unsure is never wrong: it is
"right, unsure" where it names those bytes all the same. A row about a name that its user had given up before
is "former": it counts only where there is no other.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
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
    """Documents that are hit, by what is said of their last clean version.

    right; right, unsure; unsure; wrong; former; missed.
    """
    unborn: Counter[str] = field(default_factory=Counter)
    """The same of documents struck before any backup saw them: no clean version is to be found."""
    exact: int = 0
    """Of the right ones, those whose snapshot is the very last one before the hit."""
    when: Counter[str] = field(default_factory=Counter)
    """The same documents, by the snapshot of the hit that is said: right, early, late, none."""
    stages: Counter[str] = field(default_factory=Counter)
    """The same documents, by the stage that found them."""
    alarms: int = 0
    """Healthy documents that are called hit, for sure."""
    doubted: int = 0
    """Healthy documents listed as unsure: renamed or deleted by their users as the attack went on."""
    earliest: bool | None = None
    """Whether the second in which the first file was struck is named, if one is named."""
    notes: int = 0
    """Ransom notes that are listed: neither a document nor a mistake."""
    plan: Counter[str] = field(default_factory=Counter)
    """Hit documents in the plan: right, unverified, wrong, lost, former, absent."""
    healthy: Counter[str] = field(default_factory=Counter)
    """Healthy documents in the plan: newest, older, lost, absent; "deleted" ones that would come back."""
    by: dict[str, Counter[str]] = field(default_factory=dict)
    """`clean` by pattern, by way, and by kind."""
    mistakes: dict[str, list[str]] = field(default_factory=dict)
    strangers: int = 0
    """Rows about a path that the truth does not know."""

    @property
    def share(self) -> float:
        """Of the documents that are hit, those whose last clean version is right and sure."""
        return self.clean["right"] / max(1, self.clean.total())

    @property
    def named(self) -> float:
        """Of the documents that are hit, those whose last clean version is right, sure or not."""
        return (self.clean["right"] + self.clean["right, unsure"]) / max(1, self.clean.total())

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

    def timeline(self, said: Iterable[Row], *, detailed: bool = True) -> None:
        """What `vigie timeline --files --json` wrote; without a row a document, the onset alone is marked."""
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
        for document in self._truth.documents if detailed else ():
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
                none = "absent" if document.clean else "right"
                outcome = _told((self._planned(document, row) for row in planned), none)
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
        waves = summary.get("waves") or [{}]
        if said := (waves[0].get("earliest") or {}).get("mtime"):
            self.marks.earliest = int(datetime.fromisoformat(said).timestamp()) == self._truth.began
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
        mistake = "healthy, called hit" if row.get("sure") else "healthy, doubted"
        self.marks.alarms += bool(row.get("sure"))
        self.marks.doubted += not row.get("sure")
        self.marks.note(mistake, self._truth.inside(row["path"]))

    def _hit(self, document: Document, said: list[Row]) -> None:
        marks = self.marks
        outcome = _told((self._clean(document, row) for row in said), "missed")
        if document.clean is None:
            marks.unborn[outcome] += 1
            return
        marks.clean[outcome] += 1
        for name in (document.pattern, document.way, document.kind):
            marks.by.setdefault(name, Counter())[outcome] += 1
        if outcome != "right":
            marks.note(f"last clean: {outcome}", f"{document.path} ({document.pattern})")
        if not said or document.hit is None:
            return
        row = next((row for row in said if self._clean(document, row) == outcome), said[0])
        marks.stages[str(row.get("stage"))] += 1
        number = self._truth.number(row.get("hit"))
        if number is None:
            marks.when["none"] += 1
        else:
            marks.when[
                "right" if number == document.hit else "early" if number < document.hit else "late"
            ] += 1
        marks.exact += (
            outcome.startswith("right") and self._truth.number(row["last_clean"]) == document.hit - 1
        )

    def _clean(self, document: Document, row: Row) -> str:
        if self._former(document, row):
            return "former"
        number, clean = self._truth.number(row["last_clean"]), document.clean
        there = None if number is None else document.at(number)
        right = (there and there.digest) == (clean and clean.digest)
        if not row.get("sure"):
            return "right, unsure" if right else "unsure"
        return "right" if right else "wrong"

    def _former(self, document: Document, row: Row) -> bool:
        """Whether the row is about a name that the document had given up when it was struck."""
        clean, path = document.clean, self._truth.inside(row["path"])
        return clean is not None and path not in (clean.path, document.path)

    def _planned(self, document: Document, row: Row) -> str:
        if self._former(document, row):
            return "former"
        number, clean = self._truth.number(row.get("snapshot")), document.clean
        if number is None:
            return "right" if clean is None else "lost"
        there = document.at(number)
        if there is None or clean is None or there.digest != clean.digest:
            return "unverified" if row.get("why") == "unverified" else "wrong"
        return "unverified" if row.get("why") == "unverified" else "right"


def _told(outcomes: Iterable[str], none: str) -> str:
    """What several rows about one document come to.

    One wrong row spoils it; else the best counts: a file under a random name may have a row of its own, which
    cannot say whose it was, beside the row of the document that is gone.
    """
    order = ("former", "lost", "unsure", "unverified", "right, unsure", "right", "wrong")
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
