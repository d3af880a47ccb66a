import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.errors import Unreadable
from vigie.journal.judged import Judged, Seen
from vigie.model import Blob, Entry, Likeness, OpenBlob, Skipped, State, Verdict
from vigie.sources.folder import FolderEntry, walk
from vigie.ui.cli import memory as memory_module
from vigie.ui.cli.memory import Memory

LIKENESS = Likeness(State.INTACT, "text", 5, 0.0, bytes(32))
FINE = Verdict(State.INTACT, "text", likeness=LIKENESS, read=5)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files in nested folders, and a clock by which they were written long ago."""
    genuine = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: genuine() + 3600 * 10**9)
    top = tmp_path / "tree"
    for name in ("a", "b/1", "b/2", "b/c/x", "b/z", "b-c", "b.txt", "d"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text("text\n")
    return top


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def check(target: Path, state: Path, *, full: bool = False, learn: bool = True) -> dict[str, Seen | None]:
    """Go through a tree as a check does; what was known of each file."""
    answers: dict[str, Seen | None] = {}
    with Memory(full=full) as memory:
        memory.open(str(state))
        for item in walk([str(target)], left=memory.left):
            assert isinstance(item, Entry)
            answers[item.path.removeprefix(f"{target}/")] = known = memory.known(item)
            if known is None and learn:
                memory.learn(item, FINE)
        memory.forget_below([str(target)])
        assert not memory.problem
    return answers


def test_all_is_known_the_second_time(tree: Path, state: Path) -> None:
    first = check(tree, state)
    assert set(first.values()) == {None}
    second = check(tree, state)
    assert {name: found and os.fsdecode(found.name) for name, found in second.items()} == {
        name: os.path.basename(name) for name in first
    }


@pytest.mark.parametrize("page", [1, 2, 3])
def test_the_store_and_the_walk_stay_in_step_whatever_comes_and_goes(
    tree: Path, state: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr("vigie.journal.judged.PAGE", page)
    monkeypatch.setattr(memory_module, "BATCH", 2)
    dice = random.Random(page)
    there: set[str] = set(check(tree, state))
    for _ in range(12):
        gone = set(dice.sample(sorted(there), len(there) // 3))
        new = {f"{dice.choice(('', 'b/', 'b/c/', 'new/'))}{dice.randrange(40)}" for _ in range(4)} - there
        for name in gone:
            (tree / name).unlink()
        for name in new:
            (tree / name).parent.mkdir(exist_ok=True)
            (tree / name).write_text("text\n")
        answers = check(tree, state)
        # A name that was free again may have got its old inode back, but not its old ctime.
        assert {name for name, found in answers.items() if found} == there - gone
        there = set(answers)
        with Judged(state) as store:
            assert len(store) == len(there)


def test_files_that_are_excluded_this_time_are_forgotten_and_no_harm_done(tree: Path, state: Path) -> None:
    check(tree, state)
    with Memory(full=False) as memory:
        memory.open(str(state))
        met = [
            memory.known(i)
            for i in walk([str(tree)], exclude=["b"], left=memory.left)
            if isinstance(i, Entry)
        ]
    assert len(met) == 4
    assert all(met)
    assert sum(found is not None for found in check(tree, state).values()) == 8


def test_rules_that_changed_know_nothing(tree: Path, state: Path) -> None:
    check(tree, state)
    with Judged(state) as store:
        store._db.execute("UPDATE judged SET generation = 'older'")
    assert set(check(tree, state).values()) == {None}
    assert None not in check(tree, state).values()


def test_a_folder_that_is_gone_is_forgotten_and_its_neighbours_are_not(tree: Path, state: Path) -> None:
    check(tree, state)
    for name in ("b/c/x", "b/1", "b/2", "b/z"):
        (tree / name).unlink()
    (tree / "b/c").rmdir()
    (tree / "b").rmdir()
    check(tree, state)
    with Judged(state) as store:
        assert len(store) == 4
        assert list(store.folders_below(str(tree))) == [str(tree)]


def test_a_full_look_wants_a_full_look(tree: Path, state: Path) -> None:
    check(tree, state)
    assert set(check(tree, state, full=True).values()) == {None}
    assert None not in check(tree, state, full=True).values()
    assert None not in check(tree, state).values()


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict.skipped("no permission"),
        Verdict(State.UNKNOWN, evidence=("judging it took more than 30 s",)),
    ],
)
def test_what_says_nothing_of_the_file_is_not_remembered(tree: Path, state: Path, verdict: Verdict) -> None:
    with Memory(full=False) as memory:
        memory.open(str(state))
        for item in walk([str(tree)]):
            memory.learn(item, verdict)
        memory.learn(Skipped("x", "a socket"), verdict)
    with Judged(state) as store:
        assert len(store) == 0


def test_a_file_of_the_future_or_of_this_very_moment_is_not_remembered(
    tree: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = os.stat(tree / "a").st_ctime_ns
    for away, kept in ((-(10**12), 0), (0, 0), (memory_module.SETTLED - 1, 0), (10**12, 8)):
        monkeypatch.setattr(time, "time_ns", lambda away=away: begun + away)
        check(tree, state)
        with Judged(state) as store:
            assert len(store) == kept


def test_an_interrupted_run_keeps_what_it_learnt_and_forgets_nothing(tree: Path, state: Path) -> None:
    check(tree, state)
    (tree / "0").write_text("text\n")
    with Memory(full=False) as memory:
        memory.open(str(state))
        for item in walk([str(tree)], left=memory.left):
            assert isinstance(item, Entry)
            if memory.known(item) is None:
                memory.learn(item, FINE)
            if item.path.endswith("/b/1"):
                break
    with Judged(state) as store:
        assert len(store) == 9


def test_a_listing_that_broke_off_forgets_nothing(tree: Path, state: Path) -> None:
    check(tree, state)
    with Memory(full=False) as memory:
        memory.open(str(state))
        memory.left(str(tree), False)
    with Judged(state) as store:
        assert len(store) == 8
    with Memory(full=False) as memory:
        memory.open(str(state))
        memory.left(f"{tree}/", True)
    with Judged(state) as store:
        assert len(store) == 4


def test_unopened_it_knows_nothing_and_keeps_nothing(tree: Path, state: Path) -> None:
    with Memory(full=False) as memory:
        for item in walk([str(tree)], left=memory.left):
            assert isinstance(item, Entry)
            assert memory.known(item) is None
            memory.learn(item, FINE)
        memory.forget_below([str(tree)])
    assert not state.exists()


def broken(state: Path, statement: str) -> None:
    with Judged(state) as store:
        store._db.executescript(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE judged",
        "DROP TABLE folders",
        "CREATE TRIGGER no BEFORE INSERT ON judged BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
        "CREATE TRIGGER no BEFORE DELETE ON judged BEGIN SELECT RAISE(ABORT, 'locked'); END",
    ],
)
def test_whatever_breaks_on_the_way_is_said_and_the_run_goes_on(
    tree: Path, state: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    monkeypatch.setattr(memory_module, "BATCH", 1)
    check(tree, state)
    (tree / "b/1").unlink()
    (tree / "b/3").write_text("text\n")
    met = 0
    with Memory(full=False) as memory:
        memory.open(str(state))
        broken(state, statement)
        for item in walk([str(tree)], left=memory.left):
            assert isinstance(item, Entry)
            met += 1
            if memory.known(item) is None:
                memory.learn(item, FINE)
        memory.forget_below([str(tree)])
    assert met == 8
    assert memory.problem


def test_a_store_that_breaks_before_the_end_is_said_too(tree: Path, state: Path) -> None:
    check(tree, state)
    with Memory(full=False) as memory:
        memory.open(str(state))
        broken(state, "DROP TABLE folders")
        memory.forget_below([str(tree)])
        assert memory.problem
    with Memory(full=False) as memory:
        memory.open(str(state))
        broken(state, "DROP TABLE folders")
        memory.left(str(tree), True)
        assert memory.problem


def test_a_user_without_a_home_has_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(_: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("vigie.config.state_folder", homeless)
    memory = Memory(full=False)
    memory.open(None)
    assert "home" in memory.problem


def judged(blob: Blob, name: str, before: Likeness | None = None) -> Verdict:
    assert before is None
    return Verdict(State.DAMAGED, evidence=(f"{name} holds {blob.size} bytes",))


def test_a_verdict_that_cannot_be_read_any_more_is_made_afresh(tree: Path, state: Path) -> None:
    check(tree, state)
    [item] = (entry for entry in walk([str(tree)]) if entry.path.endswith("/a"))
    assert isinstance(item, FolderEntry)
    with Memory(full=False) as memory:
        memory.open(str(state))
        known = memory.known(item)
        assert known is not None
        assert memory.recalled(item, judged).state is State.INTACT
        with Judged(state) as store:
            store._db.execute("UPDATE judged SET said = '{'")
        assert memory.recalled(item, judged).evidence == (f"{item.path} holds 5 bytes",)
        assert "makes no sense" in memory.problem

    def gone() -> OpenBlob:
        raise Unreadable("it vanished")

    vanished = Entry("x", 1, 0, gone)
    assert memory.recalled(vanished, judged) == Verdict.skipped("it vanished")


def test_memory_of_a_huge_folder_is_read_page_by_page(tmp_path: Path, state: Path) -> None:
    top = tmp_path / "huge"
    top.mkdir()
    for number in range(3500):
        os.mknod(top / f"{number:05}")

    def aged() -> Iterator[Entry]:
        for item in walk([str(top)]):
            assert isinstance(item, FolderEntry)
            yield item

    with Memory(full=False) as memory:
        memory._begun += 10**12
        memory.open(str(state))
        for item in aged():
            memory.learn(item, FINE)
    with Memory(full=False) as memory:
        memory.open(str(state))
        for item in aged():
            assert memory.known(item) is not None
            assert len(memory._levels[-1]._page) <= 1000
