"""A timeline told from memory is the one that is told without, and costs what is new."""

import hashlib
import os
import random
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.journal import recalled
from vigie.journal.recalled import NAME, Recalled
from vigie.model import (
    Attributes,
    Entry,
    Gone,
    Likeness,
    OpenBlob,
    Skipped,
    Snapshot,
    Source,
    State,
    Verdict,
    Version,
)
from vigie.sources.file import FileBlob
from vigie.sources.restic import ResticSource
from vigie.timeline import Timeline
from vigie.vault import Effort, JudgeAll, Recall, Restic, recall, told
from vigie.vault.notes import seal
from vigie.workers import wire

PIECE = 1500
Files = dict[str, bytes]
Before = Callable[[str], Likeness | None]


def noise(mark: bytes, seed: int, size: int = 1200) -> bytes:
    return mark + random.Random(seed).randbytes(size)


CONTENTS = [
    b"",
    b"Madame, votre bilan est normal. " * 40,
    b"Madame, votre bilan est normal. " * 39 + b"A bientot.",
    noise(b"I", 1),
    noise(b"I", 2, 2000),
    noise(b"E", 3),
    noise(b"E", 4, 2000),
    noise(b"U", 5),
    noise(b"D", 6),
    noise(b"S", 7),
]


def blob(data: bytes) -> OpenBlob:
    fd = os.memfd_create("test")
    os.write(fd, data)
    return FileBlob.adopt(fd)


class Shelf:
    """A source in memory with a tree for each snapshot; pieces in `lost` are missing."""

    location = "memory"
    damage: tuple[Skipped, ...] = ()

    def __init__(self, moments: dict[Snapshot, Files], lost: Iterable[bytes] = ()) -> None:
        self._moments, self._lost = moments, frozenset(lost)
        self.walked: list[tuple[Snapshot | None, Snapshot]] = []
        self.read = 0
        self.troubled = False

    def snapshots(self) -> tuple[Snapshot, ...]:
        return tuple(self._moments)

    def root(self, snapshot: Snapshot) -> str:
        return hashlib.sha256(repr(sorted(self._moments[snapshot].items())).encode()).hexdigest()

    def noted(self, snapshot: Snapshot, path: str, mtime_ns: int, chunks: bytes) -> Version | Skipped:
        held = {hashlib.sha256(data).digest(): data for data in CONTENTS}
        return self._item(snapshot, path, mtime_ns, held[chunks])

    def versions(self, snapshot: Snapshot) -> Iterator[Version | Skipped]:
        for path, data in sorted(self._moments[snapshot].items()):
            yield self._item(snapshot, path, len(data), data)

    def changes(self, before: Snapshot | None, after: Snapshot) -> Iterator[Version | Skipped | Gone]:
        self.walked.append((before, after))
        was = self._moments[before] if before else {}
        now = self._moments[after]
        for item in self.versions(after):
            if isinstance(item, Skipped) or now[item.entry.path] != was.get(item.entry.path):
                yield item
        yield from map(Gone, sorted(was.keys() - now.keys()))

    def head(self, version: Version) -> OpenBlob:
        self.read += 1
        opened = version.entry.open()
        data = opened.at(0, PIECE)
        opened.close()
        return blob(data)

    def attributes(self, version: Version) -> Attributes:
        return Attributes(0o644, 0, 0, version.entry.mtime_ns)

    def close(self) -> None:
        """Nothing is open."""

    def _item(self, snapshot: Snapshot, path: str, mtime_ns: int, data: bytes) -> Version | Skipped:
        if data in self._lost:
            return Skipped(path, "a part of it is missing")
        name = hashlib.sha256(data).digest()
        entry = Entry(path, len(data), mtime_ns, lambda: blob(data))
        return Version(snapshot, entry, name.hex(), min(len(data), len(zlib.compress(data))), name)


class Plain:
    """A shelf without trees."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.location, self.damage = shelf.location, shelf.damage
        self.snapshots, self.versions, self.changes = shelf.snapshots, shelf.versions, shelf.changes
        self.head, self.attributes, self.close = shelf.head, shelf.attributes, shelf.close


class Judge:
    """Goes by the first byte; says all that it was given in its evidence."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(
        self, entries: Iterable[Entry | Skipped], /, before: Before | None = None
    ) -> Iterator[tuple[Entry | Skipped, Verdict]]:
        assert before is not None
        for entry in entries:
            assert isinstance(entry, Entry)
            self.asked.append(entry.path)
            opened = entry.open()
            data = opened.at(0, opened.size)
            opened.close()
            if data[:1] == b"S":
                yield entry, Verdict.skipped("it cannot be read today")
                continue
            kinds = {b"E": State.ENCRYPTED, b"D": State.DAMAGED, b"U": State.UNKNOWN}
            state = kinds.get(data[:1], State.INTACT)
            was = before(entry.path)
            said = f"{len(data)} bytes of {entry.path}, after {was and (was.size, was.state)}"
            share = 0.0 if data[:1] == b"M" else 0.99
            yield (
                entry,
                Verdict(state, evidence=(said,), likeness=Likeness(state, None, len(data), share, b"\1")),
            )


def remembered(
    source: Source, state: Path, snapshots: Sequence[Snapshot] | None = None, *, full: bool = False
) -> tuple[Timeline, Judge, Recall]:
    judge = Judge()
    with Recall() as memory:
        memory.open(str(state))
        timeline = told(source, judge, snapshots or source.snapshots(), full=full, recall=memory)
    return timeline, judge, memory


PATHS = ["/d/a.txt", "/d/b.pdf", "/d/c", "/d/c.locked", "/e/a.txt", "/e/a.txt.locked", "/e/f.jpg", "/e/g.dat"]
MOMENT = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(CONTENTS), max_size=8)
STORY = st.lists(st.tuples(MOMENT, st.sampled_from([("/",), ("/d",)])), min_size=1, max_size=6)
RUN = st.tuples(
    st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True),
    st.sampled_from([set(), set(), {CONTENTS[1]}, {CONTENTS[3]}]),
    st.booleans(),
)


@settings(max_examples=25, deadline=None)
@given(STORY, st.lists(RUN, min_size=1, max_size=5))
def test_it_is_the_same_with_memory_and_without(
    tmp_path_factory: pytest.TempPathFactory,
    story: list[tuple[Files, tuple[str, ...]]],
    runs: list[tuple[list[int], set[bytes], bool]],
) -> None:
    """Snapshots come and go and change their order, pieces are lost and found, and `full` comes between."""
    state = tmp_path_factory.mktemp("state")
    every = [(Snapshot(str(n), n, paths=paths), files) for n, (files, paths) in enumerate(story)]
    for numbers, lost, full in runs:
        moments = dict(every[n] for n in numbers if n < len(every)) or dict(every)
        afresh = told(Shelf(moments, lost), Judge(), tuple(moments), full=full)
        assert remembered(Shelf(moments, lost), state, full=full)[0] == afresh
        assert remembered(Plain(Shelf(moments, lost)), state, full=full)[0] == afresh


DAYS: dict[Snapshot, Files] = {
    Snapshot("1", 1, paths=("/",)): {"/a.txt": CONTENTS[1], "/b.pdf": CONTENTS[3], "/c.xyz": CONTENTS[4]},
    Snapshot("2", 2, paths=("/",)): {"/a.txt": CONTENTS[2], "/b.pdf": CONTENTS[3], "/c.xyz": CONTENTS[4]},
    Snapshot("3", 3, paths=("/",)): {"/a.txt": CONTENTS[5], "/b.pdf": CONTENTS[5], "/c.xyz": CONTENTS[6]},
}
ONE, TWO, THREE = DAYS


def test_a_second_run_reads_nothing(tmp_path: Path) -> None:
    first, judge, _ = remembered(Shelf(DAYS), tmp_path)
    assert len(judge.asked) == 5
    shelf, effort = Shelf(DAYS), Effort()
    with Recall() as memory:
        memory.open(str(tmp_path))
        assert told(shelf, judge, shelf.snapshots(), effort=effort, recall=memory) == first
    assert len(judge.asked) == 5
    assert (shelf.walked, shelf.read, effort.read, memory.answered) == ([], 0, 0, 5)


def test_one_more_snapshot_costs_what_is_new_in_it(tmp_path: Path) -> None:
    earlier = {day: DAYS[day] for day in (ONE, TWO)}
    remembered(Shelf(earlier), tmp_path)
    shelf = Shelf(DAYS)
    _, judge, memory = remembered(shelf, tmp_path)
    assert sorted(judge.asked) == ["/a.txt", "/b.pdf", "/c.xyz"]
    assert shelf.walked == [(TWO, THREE)]
    assert memory.answered == 2


def test_a_forgotten_snapshot_leaves_no_ghost(tmp_path: Path) -> None:
    remembered(Shelf(DAYS), tmp_path)
    left = {day: DAYS[day] for day in (ONE, THREE)}
    timeline, _, _ = remembered(Shelf(left), tmp_path)
    assert timeline == told(Shelf(left), Judge(), (ONE, THREE))
    with sqlite3.connect(tmp_path / NAME) as db:
        pairs = set(db.execute("SELECT before, after FROM changes"))
    root = Shelf(DAYS).root
    assert pairs == {("", root(ONE)), (root(ONE), root(THREE))}


def test_a_piece_that_is_missing_is_told_each_time_and_what_came_back_is_back(tmp_path: Path) -> None:
    days, walked = DAYS | {Snapshot("4", 4, paths=("/",)): DAYS[TWO]}, []
    for lost in ((), (CONTENTS[3],), (CONTENTS[3],), (), (CONTENTS[2],), ()):
        shelf = Shelf(days, lost)
        timeline, _, _ = remembered(shelf, tmp_path)
        assert timeline == told(Shelf(days, lost), Judge(), tuple(days))
        assert bool(sum(row.unread for row in timeline.rows)) == bool(lost)
        walked.append(len(shelf.walked))
    # From the first snapshot that lacks something, nothing is believed or noted.
    assert walked == [4, 4, 4, 0, 3, 0]


def test_full_trusts_no_first_piece_and_a_whole_is_a_whole(tmp_path: Path) -> None:
    day = {ONE: {"/long.xyz": CONTENTS[4], "/short.xyz": CONTENTS[3]}}
    _, judge, _ = remembered(Shelf(day), tmp_path)
    assert judge.asked == ["/long.xyz", "/short.xyz"]
    _, judge, _ = remembered(Shelf(day), tmp_path, full=True)
    assert judge.asked == ["/long.xyz"], "of the short one, the first piece was all"
    _, judge, _ = remembered(Shelf(day), tmp_path)
    assert judge.asked == []
    _, judge, _ = remembered(Shelf(day), tmp_path, full=True)
    assert judge.asked == []


def test_what_was_not_judged_is_tried_again(tmp_path: Path) -> None:
    day = {ONE: {"/a.xyz": CONTENTS[9]}}
    for _ in range(2):
        _, judge, _ = remembered(Shelf(day), tmp_path)
        assert judge.asked == ["/a.xyz"]


def test_another_generation_of_rules_judges_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered(Shelf(DAYS), tmp_path)
    monkeypatch.setattr(recall, "GENERATION", "the next one")
    shelf = Shelf(DAYS)
    _, judge, _ = remembered(shelf, tmp_path)
    assert len(judge.asked) == 5
    assert shelf.walked == [], "what differs is no matter of rules"


def test_an_older_walk_that_was_not_told_in_full_is_not_noted(tmp_path: Path) -> None:
    for _ in range(2):
        shelf = Shelf(DAYS)
        shelf.troubled = True
        remembered(shelf, tmp_path)
        assert len(shelf.walked) == 3


@pytest.mark.parametrize("table", ["answers", "changes"])
@pytest.mark.parametrize("harm", ["x'00'", "zeroblob(100)", "{} || x'00'", "substr({}, 1, length({}) - 1)"])
def test_a_damaged_row_is_told_again(tmp_path: Path, table: str, harm: str) -> None:
    first, _, _ = remembered(Shelf(DAYS), tmp_path)
    column = "said" if table == "answers" else "told"
    with sqlite3.connect(tmp_path / NAME) as db:
        harmed = harm.replace("{}", column)
        db.execute(f"UPDATE {table} SET {column} = CAST({harmed} AS BLOB)")
    shelf = Shelf(DAYS)
    again, judge, memory = remembered(shelf, tmp_path)
    assert again == first
    assert (len(judge.asked), len(shelf.walked)) == ((5, 0) if table == "answers" else (0, 3))
    assert memory.problem == ""


def test_rows_that_changed_places_are_told_again(tmp_path: Path) -> None:
    first, _, _ = remembered(Shelf(DAYS), tmp_path)
    with sqlite3.connect(tmp_path / NAME) as db:
        said = [row for (row,) in db.execute("SELECT said FROM answers ORDER BY key")]
        keys = [row for (row,) in db.execute("SELECT key FROM answers ORDER BY key")]
        db.executemany(
            "UPDATE answers SET said = ? WHERE key = ?", zip(said, keys[1:] + keys[:1], strict=True)
        )
    again, judge, _ = remembered(Shelf(DAYS), tmp_path)
    assert again == first
    assert len(judge.asked) == 5


def test_a_sealed_answer_that_makes_no_sense_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _, _ = remembered(Shelf(DAYS), tmp_path)
    for said in (b"", b"1 1", b"1 1 {}", b"x 1 [1]", b"1 1 [" + b"[" * 9999, b"99999999 1 %s"):
        with Recalled(tmp_path, 1) as store, monkeypatch.context() as patch:
            patch.setattr(recalled, "LARGEST", 1 << 40)
            keys = [key for (key,) in store._db.execute("SELECT key FROM answers")]
            good = wire.verdict(Verdict(State.INTACT, likeness=Likeness(State.INTACT, None, 1, 0.0, b"")))
            row = said.replace(b"%s", good)
            store.remember([(key, seal(row, key)) for key in keys])
        again, judge, _ = remembered(Shelf(DAYS), tmp_path)
        assert again == first
        assert len(judge.asked) == 5


def test_without_content_addresses_nothing_is_remembered(tmp_path: Path) -> None:
    class Nameless(Shelf):
        def _item(self, snapshot: Snapshot, path: str, mtime_ns: int, data: bytes) -> Version | Skipped:
            found = super()._item(snapshot, path, mtime_ns, data)
            if isinstance(found, Skipped):
                return found
            return Version(snapshot, found.entry, "", found.packed)

    for _ in range(2):
        _, judge, memory = remembered(Plain(Nameless(DAYS)), tmp_path)
        assert len(judge.asked) == 3
        assert memory.answered == 0


def test_what_cannot_be_noted_is_walked_again(tmp_path: Path) -> None:
    day = {ONE: {"/a\0b.txt": CONTENTS[1]}}
    for _ in range(2):
        shelf = Shelf(day)
        remembered(shelf, tmp_path)
        assert len(shelf.walked) == 1


def test_answers_are_written_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "BATCH", 1)
    shelf, judge = Shelf(DAYS), Judge()
    with Recall() as memory:
        memory.open(str(tmp_path))
        list(memory.judging(judge)([], lambda _: None))
        told(shelf, judge, (ONE,), recall=memory)
        with Recalled(tmp_path, 1) as store:
            assert store._db.execute("SELECT count(*) FROM answers").fetchone() == (2,)


def test_a_run_that_ends_early_keeps_what_it_learnt(tmp_path: Path) -> None:
    class Stopped(Judge):
        def __call__(
            self, entries: Iterable[Entry | Skipped], /, before: Before | None = None
        ) -> Iterator[tuple[Entry | Skipped, Verdict]]:
            for one in super().__call__(entries, before):
                if self.asked[-1] == "/a.txt":
                    raise KeyboardInterrupt
                yield one

    shelf = Shelf(DAYS)
    with Recall() as memory:
        memory.open(str(tmp_path))
        with pytest.raises(KeyboardInterrupt):
            told(shelf, Stopped(), shelf.snapshots(), recall=memory)
    shelf = Shelf(DAYS)
    _, judge, _ = remembered(shelf, tmp_path)
    assert sorted(judge.asked) == ["/a.txt", "/b.pdf", "/c.xyz"], "those of the snapshot it ended in"
    assert shelf.walked == [(TWO, THREE)]


def test_whatever_is_wrong_with_the_store_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    afresh = told(Shelf(DAYS), Judge(), tuple(DAYS))
    (tmp_path / "file").touch()
    timeline, _, memory = remembered(Shelf(DAYS), tmp_path / "file")
    assert timeline == afresh
    assert "Not a directory" in memory.problem or "File exists" in memory.problem
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / NAME).write_bytes(b"no database" * 1000)
    timeline, _, memory = remembered(Shelf(DAYS), tmp_path / "junk")
    assert timeline == afresh
    assert memory.problem
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("VIGIE_STATE", raising=False)
    monkeypatch.setattr("vigie.config.state_folder", _homeless)
    with Recall() as memory:
        memory.open(None)
    assert memory.problem == "no home"


def _homeless(_: str | None) -> Path:
    raise RuntimeError("no home")


@pytest.mark.parametrize("statement", ["DROP TABLE answers", "DROP TABLE changes"])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_store_that_breaks_on_the_way_is_left(tmp_path: Path, statement: str, after: int) -> None:
    afresh = told(Shelf(DAYS), Judge(), tuple(DAYS))
    rows: list[object] = []
    with Recall() as memory:
        memory.open(str(tmp_path))

        def on_row(row: object) -> None:
            rows.append(row)
            if len(rows) == after:
                broken()

        def broken() -> None:
            with Recalled(tmp_path, 1) as store:
                store._db.execute(statement)

        if not after:
            broken()
        timeline = told(Shelf(DAYS), Judge(), tuple(DAYS), recall=memory, on_row=on_row)
    assert timeline == afresh
    assert "no such table" in memory.problem


def test_another_run_that_holds_the_store_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall, "PATIENCE", 0.0)
    remembered(Shelf({ONE: {}}), tmp_path)
    with Recalled(tmp_path, 1) as other:
        other._db.execute("BEGIN IMMEDIATE")
        timeline, _, memory = remembered(Shelf(DAYS), tmp_path)
    assert timeline == told(Shelf(DAYS), Judge(), tuple(DAYS))
    assert "another process" in memory.problem


def test_two_runs_side_by_side(tmp_path: Path) -> None:
    afresh = told(Shelf(DAYS), Judge(), tuple(DAYS))
    with Recall() as one, Recall() as other:
        one.open(str(tmp_path))
        other.open(str(tmp_path))

        def meanwhile(_: object) -> None:
            told(Shelf({ONE: DAYS[ONE]}), Judge(), (ONE,), recall=other)

        assert told(Shelf(DAYS), Judge(), tuple(DAYS), recall=one, on_row=meanwhile) == afresh
        assert one.problem == other.problem == ""


def test_a_real_repository(
    restic: Restic, share: Path, judge_all: JudgeAll, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From memory, no tree is read; owners and modes come from the repository itself."""
    os.chmod(share / "a.txt", 0o640)
    restic.run("backup", "--", str(share))
    (share / "b.txt").write_bytes(b"E random")
    restic.run("backup", "--", str(share))
    password = restic.environment["RESTIC_PASSWORD"]
    with ResticSource(restic.repository, password) as source, Recall() as memory:
        memory.open(str(tmp_path / "memory"))
        first = told(source, judge_all, source.snapshots(), full=True, recall=memory)
        told_by_trees = {d.path: source.attributes(d.newest) for d in first.documents if d.newest}

    with ResticSource(restic.repository, password) as source, Recall() as memory:
        memory.open(str(tmp_path / "memory"))
        read: list[bytes] = []
        tree = source._repository.tree

        def noticed(name: bytes) -> bytes:
            read.append(name)
            return tree(name)

        monkeypatch.setattr(source._repository, "tree", noticed)
        again = told(source, judge_all, source.snapshots(), full=True, recall=memory)
        assert read == []
        assert again == first
        assert memory.answered == 5
        newest = [d.newest for d in again.documents if d.newest]
        assert {version.entry.path: source.attributes(version) for version in newest} == told_by_trees
        assert told_by_trees[str(share / "a.txt")].mode == 0o640
        assert read
        with newest[0].entry.open() as opened:  # type: ignore[attr-defined] # a FileBlob is a context
            assert opened.at(0, 1) == b"I"


def test_attributes_where_the_trees_are_gone(
    restic: Restic, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: bytes) -> bytes:
        raise Unreadable("it is gone")

    restic.run("backup", "--", str(share))
    with ResticSource(restic.repository, restic.environment["RESTIC_PASSWORD"]) as source:
        [snapshot] = source.snapshots()
        known = [item for item in source.versions(snapshot) if isinstance(item, Version)]
    with ResticSource(restic.repository, restic.environment["RESTIC_PASSWORD"]) as source:
        monkeypatch.setattr(source._repository, "tree", gone)
        for version in known:
            noted = source.noted(snapshot, version.entry.path, version.entry.mtime_ns, version.chunks)
            assert noted == version
            assert isinstance(noted, Version)
            assert source.attributes(noted) == Attributes(
                0o600, os.getuid(), os.getgid(), version.entry.mtime_ns
            )
        assert isinstance(source.noted(snapshot, "/a", 1, bytes(32)), Skipped)
