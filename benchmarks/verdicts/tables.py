"""What the outcomes add up to: the tables of the terminal and of the page."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from patterns import PATTERNS
from scoring import Outcome
from uniform import Cell

from vigie.model import State

EVASIONS = {pattern.name for pattern in PATTERNS if pattern.disguise is not None}
BLIND = 0.9
"""Share of the struck bytes that stand where nothing can be claimed, from which on a file cannot be told."""


@dataclass(frozen=True, slots=True)
class Score:
    """Many outcomes as one row."""

    files: int
    states: Counter[State]
    named: float
    """Of what was found, the share whose pattern is named right."""
    rhythm: float | None
    """Of the regular ones among them, the share whose rhythm is told right."""
    error: float | None
    """Mean and median distance of the edges, bytes."""
    median: float | None
    near: float | None
    """Share of files whose edges are right to 4 KiB on average,"""
    nearest: float | None
    """and whose every edge is."""
    overlap: float | None

    @property
    def recall(self) -> float:
        """Share found."""
        return self.states[State.ENCRYPTED] / self.files if self.files else float("nan")


def score(outcomes: Iterable[Outcome]) -> Score:
    """The row of some outcomes."""
    every = list(outcomes)
    found = [o for o in every if o.found]
    errors = [o.error for o in found if o.error is not None]
    worst = [o.worst for o in found if o.worst is not None]
    return Score(
        len(every),
        Counter(o.state for o in every),
        _mean([float(o.said is o.shape) for o in found]) or 0.0,
        _mean([float(o.rhythm) for o in found if o.rhythm is not None]),
        _mean(errors),
        float(np.median(errors)) if errors else None,
        _mean([float(error <= 4096) for error in errors]),
        _mean([float(error <= 4096) for error in worst]),
        _mean([o.overlap for o in found if o.overlap is not None]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def grouped(outcomes: Iterable[Outcome], key: Callable[[Outcome], str]) -> dict[str, list[Outcome]]:
    """Outcomes by a key, in the order of their first coming."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[key(outcome)].append(outcome)
    return dict(groups)


def tellable(outcome: Outcome) -> bool:
    """Whether the struck bytes stand where the format claims something, and the name or the head tells it."""
    return outcome.known and outcome.blind < BLIND


def reach(outcomes: Sequence[Outcome]) -> dict[str, Score]:
    """The rows that the aim of the issue is measured by."""
    plain = [o for o in outcomes if not o.fixture and o.pattern not in EVASIONS]
    large = [o for o in plain if o.share >= 0.05]
    small = [o for o in plain if o.share < 0.05]
    return {
        "5 % or more, every file": score(large),
        "5 % or more, format known": score(o for o in large if o.known),
        "5 % or more, known and struck where it claims something": score(o for o in large if tellable(o)),
        "less than 5 %, every file": score(small),
        "less than 5 %, format known": score(o for o in small if o.known),
        "less than 5 %, known and struck where it claims something": score(o for o in small if tellable(o)),
        "evasions, format known": score(
            o for o in outcomes if o.known and not o.fixture and o.pattern in EVASIONS
        ),
        "fixtures of the tests, format known": score(o for o in outcomes if o.fixture and o.known),
    }


def missed(outcomes: Iterable[Outcome], most: int = 40) -> list[tuple[str, str, str, int, str]]:
    """What a person would work on next: kind, pattern, verdict, files, one of them; of what could be told."""
    groups = grouped(
        (o for o in outcomes if not o.found and tellable(o)), lambda o: f"{o.kind}\0{o.pattern}\0{o.state}"
    )
    ranked = sorted(groups.items(), key=lambda item: -len(item[1]))[:most]
    return [(*_three(key), len(group), f"{group[0].sample} ({group[0].size:,})") for key, group in ranked]


def _three(key: str) -> tuple[str, str, str]:
    kind, pattern, state = key.split("\0")
    return kind, pattern, state


def by_coding(pieces: Iterable[Cell]) -> dict[str, dict[int, Cell]]:
    """The cells of `uniform` by coding and length."""
    rows: dict[str, dict[int, Cell]] = defaultdict(dict)
    for cell in pieces:
        rows[cell.coding][cell.length] = cell
    return dict(rows)


def percent(value: float | None, digits: int = 1) -> str:
    """A share for people; a dash where there is none."""
    return "–" if value is None or value != value else f"{value:.{digits}%}"  # noqa: PLR0124 - NaN


def number(value: float | None) -> str:
    """Bytes for people."""
    return "–" if value is None else f"{value:,.0f}"


HEADS = (
    "files",
    "encrypted",
    "damaged",
    "intact",
    "unknown",
    "recall",
    "named",
    "rhythm",
    "edge error",
    "median",
    "edges in 4 KiB",
    "every edge",
    "blocks in common",
)


def cells(row: Score) -> list[str]:
    """A row under `HEADS`."""
    order = (State.ENCRYPTED, State.DAMAGED, State.INTACT, State.UNKNOWN)
    return [
        f"{row.files:,}",
        *(f"{row.states[state]:,}" if row.states[state] else "·" for state in order),
        percent(row.recall, 2),
        percent(row.named),
        percent(row.rhythm),
        number(row.error),
        number(row.median),
        percent(row.near),
        percent(row.nearest),
        percent(row.overlap),
    ]
