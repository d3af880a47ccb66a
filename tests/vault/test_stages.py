"""What is read of what the lists leave open: beginnings, samples, all of it, and no more."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from vigie.model import (
    Attributes,
    Entry,
    Gone,
    Likeness,
    OpenBlob,
    Skipped,
    Snapshot,
    State,
    Verdict,
    Version,
)
from vigie.sources.file import FileBlob
from vigie.timeline import look
from vigie.vault import Effort, History
from vigie.vault.history import FIRST, SPOT
from vigie.vault.stages import BURST, SAMPLE, Open, Stages

PIECE = 1000
"""Bytes of a first piece."""
LETTERS = {
    "i": State.INTACT,
    "e": State.ENCRYPTED,
    "d": State.DAMAGED,
    "u": State.UNKNOWN,
    "r": State.UNKNOWN,
}


class Shelf:
    """A source whose files are all of one letter but for their last byte: the letters tell the judge."""

    location = "memory"
    damage: tuple[Skipped, ...] = ()

    def __init__(self, folder: Path, *moments: list[Version | Gone]) -> None:
        self._folder = folder
        self.moments = moments
        self.heads: list[str] = []
        self.wholes: list[str] = []

    def version(self, path: str, letters: str, size: int = 600, packed: int | None = None) -> Version:
        """`letters`: what its beginning says, and what all of it says."""

        def whole() -> OpenBlob:
            self.wholes.append(path)
            return self._blob(letters[-1], size)

        at = Snapshot("0", 0)
        return Version(
            at, Entry(path, size, 1, whole), f"{path} {letters} {size}", size if packed is None else packed
        )

    def snapshots(self) -> tuple[Snapshot, ...]:
        return tuple(Snapshot(str(n), n) for n in range(len(self.moments)))

    def versions(self, snapshot: Snapshot) -> Iterator[Version | Skipped]:
        raise AssertionError(snapshot)

    def changes(self, before: Snapshot | None, after: Snapshot) -> Iterator[Version | Skipped | Gone]:
        assert (before is None) == (after.id == "0")
        return iter(self.moments[int(after.id)])

    def head(self, version: Version) -> OpenBlob:
        self.heads.append(version.entry.path)
        return self._blob(version.content.split(" ")[1][0], min(PIECE, version.entry.size))

    def attributes(self, version: Version) -> Attributes:
        raise AssertionError(version)

    def close(self) -> None:
        """Nothing is open."""

    def _blob(self, letter: str, size: int) -> OpenBlob:
        path = self._folder / "blob"
        path.write_bytes(letter.encode() * size)
        fd = os.open(path, os.O_RDONLY)
        path.unlink()
        return FileBlob.adopt(fd)


def judge(
    entries: Iterable[Entry | Skipped],
    /,
    before: Callable[[str], Likeness | None] | None = None,  # noqa: ARG001 - a JudgeAll
) -> Iterator[tuple[Entry | Skipped, Verdict]]:
    for entry in entries:
        assert isinstance(entry, Entry)
        blob = entry.open()
        letter = blob.at(0, 1).decode()
        blob.close()
        random = float(letter in "er")
        state = LETTERS[letter]
        yield (
            entry,
            Verdict(state, evidence=(f"it reads {letter}",), likeness=Likeness(state, None, 1, random, b"")),
        )


class Desk:
    """Stages whose answers are kept."""

    def __init__(self, shelf: Shelf) -> None:
        self.settled: dict[str, tuple[State, int]] = {}
        self.steps: list[tuple[int, int]] = []
        self.effort = Effort()
        self.stages = Stages(shelf, judge, self._settle, lambda _path: None, self.effort, self._step)

    def _settle(self, version: Version, verdict: Verdict, stage: int) -> None:
        assert version.entry.path not in self.settled
        self.settled[version.entry.path] = (verdict.state, stage)

    def _step(self, done: int, total: int) -> None:
        self.steps.append((done, total))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def opened(version: Version, *, whole: bool = False, group: bool = True, before: bool = False) -> Open:
    # As triage leaves them: a change that packs less well is open, whole.
    small = Version(version.snapshot, Entry("/x", 1000, 1, version.entry.open), "x", 400)
    worse = Version(version.snapshot, Entry("/x.dcm", 1000, 1, version.entry.open), "y", 900)
    seen = look(worse, small) if whole else look(Version(small.snapshot, small.entry, "z", 1000), None)
    assert seen.verdict is None
    assert seen.whole is whole
    return Open(version, seen if group else replace(seen, group=""), small if before else None)


@pytest.mark.parametrize(
    ("letters", "size", "whole", "state", "stage"),
    [
        ("ii", 600, False, State.INTACT, 2),
        ("dd", 600, False, State.DAMAGED, 2),
        ("uu", 600, True, State.UNKNOWN, 2),
        ("ii", 5000, False, State.INTACT, 2),
        ("di", 5000, False, State.INTACT, 2),
        ("ee", 5000, False, State.ENCRYPTED, 2),
        ("ee", 5000, True, State.ENCRYPTED, 2),
        ("ui", 5000, False, State.INTACT, 3),
        ("ue", 5000, False, State.ENCRYPTED, 3),
        ("ie", 5000, True, State.ENCRYPTED, 3),
        ("id", 5000, True, State.DAMAGED, 3),
    ],
)
def test_a_head_settles_it_or_all_of_it_does(
    shelf: Shelf, letters: str, size: int, whole: bool, state: State, stage: int
) -> None:
    desk = Desk(shelf)
    [verdict] = desk.stages.heads([opened(shelf.version("/a", letters, size), whole=whole)])
    assert verdict.state is state
    assert desk.settled == {"/a": (state, stage)}
    assert (shelf.heads, shelf.wholes) == (["/a"], ["/a"] if stage == 3 else [])
    assert desk.effort.read == min(size, PIECE) + (size if stage == 3 else 0)
    assert desk.steps == ([(1, 1)] if stage == 2 else [(1, 1), (2, 2)])


def test_answers_come_in_order(shelf: Shelf) -> None:
    desk = Desk(shelf)
    asked = [
        opened(shelf.version(f"/{n}", letters, 5000)) for n, letters in enumerate(("ue", "ii", "ud", "ee"))
    ]
    assert [v.state.value for v in desk.stages.heads(asked)] == [
        "encrypted",
        "intact",
        "damaged",
        "encrypted",
    ]
    assert desk.stages.heads([]) == []


@pytest.mark.parametrize(
    ("letters", "state", "confidence"), [("ee", State.ENCRYPTED, 0.9), ("rr", State.UNKNOWN, 0.5)]
)
def test_all_alike_settles_the_rest_unread(
    shelf: Shelf, letters: str, state: State, confidence: float
) -> None:
    desk = Desk(shelf)
    group = [opened(shelf.version(f"/{n}", letters)) for n in range(1000)]
    said = desk.stages.pooled(group)
    assert (len(said), len(shelf.heads)) == (1000, SAMPLE)
    assert set(desk.settled) == {f"/{n}" for n in range(1000)}
    assert {seen for seen, _ in desk.settled.values()} == {state}
    assert said[-1].confidence == confidence
    assert said[-1].evidence[0].endswith(f"as all {SAMPLE} of 1,000 such files that were read")
    # The sample is spread over all of it, so that one folder does not speak for the others.
    assert max(map(int, (path[1:] for path in shelf.heads))) > 900


@pytest.mark.parametrize(("odd", "before"), [("ii", False), ("dd", False), ("uu", True), ("rr", True)])
def test_mixed_are_all_read(shelf: Shelf, odd: str, before: bool) -> None:
    desk = Desk(shelf)
    group = [opened(shelf.version(f"/{n}", odd if n == 0 else "ee"), before=before) for n in range(100)]
    assert len(desk.stages.pooled(group)) == 100
    assert sorted(shelf.heads) == sorted(f"/{n}" for n in range(100))


@pytest.mark.parametrize(
    ("odd", "model"), [("u", "u"), ("r", "r"), ("urr", "r"), ("uur", "u")], ids=["u", "r", "urr", "uur"]
)
def test_new_ones_of_which_nobody_can_tell_some(shelf: Shelf, odd: str, model: str) -> None:
    desk = Desk(shelf)
    letters = [2 * odd[n // 5 % len(odd)] if n % 5 == 0 else "ee" for n in range(SAMPLE)]
    # so that each stretch of the group has one that is cheaper to read than its neighbours
    group = [
        opened(shelf.version(f"/{n}", letters[n // 4], 5001 if n % 4 else 5000)) for n in range(4 * SAMPLE)
    ]
    said = desk.stages.pooled(group)
    assert len(shelf.heads) == SAMPLE
    assert (said[-1].state, said[-1].confidence) == (State.UNKNOWN, 0.5)
    assert said[-1].evidence[1] == f"it reads {model}"


@pytest.mark.parametrize("letters", ["ii", "dd"])
def test_healthy_ones_do_not_stand_for_others(shelf: Shelf, letters: str) -> None:
    Desk(shelf).stages.pooled([opened(shelf.version(f"/{n}", letters)) for n in range(100)])
    assert len(shelf.heads) == 100


def test_of_a_burst_fewer_are_read(shelf: Shelf) -> None:
    Desk(shelf).stages.pooled([opened(shelf.version(f"/{n}", "ee"), group=False) for n in range(1000)])
    assert len(shelf.heads) == BURST


def test_what_is_cheap_to_be_sure_of_is_read(shelf: Shelf) -> None:
    sizes = [100, 4095, 70_000, 4096, 300, 200, 300, 100] * 10
    group = [opened(shelf.version(f"/{n}", "ee", size), group=False) for n, size in enumerate(sizes)]
    Desk(shelf).stages.pooled(group)
    assert {sizes[int(path[1:])] for path in shelf.heads} == {4096}


def test_a_small_group_is_all_read(shelf: Shelf) -> None:
    Desk(shelf).stages.pooled([opened(shelf.version(f"/{n}", "ee")) for n in range(SAMPLE)])
    assert len(shelf.heads) == SAMPLE


@pytest.mark.parametrize(
    ("struck", "read"),
    [(3, {"/far/scan.pdf", "/far/new.txt", "/new.pdf"}), (2, {"/new.pdf"}), (0, set())],
    ids=["an attack", "two files", "nothing"],
)
def test_what_is_presumed_is_read_in_a_snapshot_that_shows_an_attack(
    tmp_path: Path, struck: int, read: set[str]
) -> None:
    """All of it; where less than an attack is seen, what is new in the same folders."""
    shelf = Shelf(tmp_path)
    first: list[Version | Gone] = [shelf.version(f"/{n}.txt", "ii", packed=100) for n in range(9)]
    second: list[Version | Gone] = [shelf.version(f"/{n}.txt", "ee") for n in range(struck)]
    second += [shelf.version(path, "ee", size=PIECE) for path in ("/far/scan.pdf", "/new.pdf")]
    second.append(shelf.version("/far/new.txt", "ee", size=PIECE, packed=PIECE // 4))
    second += [shelf.version(f"/far/{n}.pdf", "ii") for n in range(3 * SPOT)]
    shelf.moments = (first, second)
    effort = Effort()
    history = History(shelf, judge, effort=effort)
    before, after = shelf.snapshots()
    history.next(before)
    assert shelf.heads == []
    changes = [change for change in history.next(after) if not isinstance(change, Gone)]
    states = {
        item.entry.path: (verdict.state, effort.stage(item))
        for item, verdict in changes
        if isinstance(item, Version)
    }
    for path in ("/far/scan.pdf", "/far/new.txt", "/new.pdf"):
        assert states[path] == ((State.ENCRYPTED, 2) if path in read else (State.INTACT, 1))
    assert sum(effort.settled.values()) == len(first) + len(second)


@pytest.mark.parametrize(("letters", "read"), [("ii", SPOT), ("ee", 10 * SPOT)])
def test_of_every_snapshot_a_few_of_the_presumed_are_read(tmp_path: Path, letters: str, read: int) -> None:
    """Where nothing but new files is struck, no file changes: they are all there is to tell it."""
    shelf = Shelf(tmp_path)
    old: list[Version | Gone] = [shelf.version("/a.txt", "ii", packed=100)]
    shelf.moments = (old, [shelf.version(f"/{n}.pdf", letters) for n in range(10 * SPOT)])
    history = History(shelf, judge)
    for snapshot in shelf.snapshots():
        history.next(snapshot)
    assert len(shelf.heads) == read


@pytest.mark.parametrize("struck", [0, 1])
def test_of_the_first_snapshot_a_sample_of_the_presumed_is_read(tmp_path: Path, struck: int) -> None:
    """What was hit before it was first backed up does not change: names alone would never tell."""
    shelf = Shelf(tmp_path)
    many: list[Version | Gone] = [
        shelf.version(f"/{n:03}.pdf", "ee" if n < struck else f"ii{n}") for n in range(2 * FIRST)
    ]
    shelf.moments = (many,)
    History(shelf, judge).next(shelf.snapshots()[0])
    assert len(shelf.heads) == (2 * FIRST if struck else FIRST)
