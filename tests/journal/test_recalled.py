import os
from pathlib import Path

import pytest

from vigie.errors import JournalBroken, NotPermitted, StateInUse
from vigie.journal import recalled
from vigie.journal.recalled import KEPT, NAME, TOUCHED, Pair, Recalled

DAY = 20_000
A, B = Pair("", "a"), Pair("a", "b")


def test_what_is_remembered_comes_back(tmp_path: Path) -> None:
    answers = [(n.to_bytes(2), b"%d" % n) for n in range(1201)]  # more than one statement asks for
    with Recalled(tmp_path, DAY) as store:
        assert store.answers([b"k"]) == {}
        assert store.changes(A) == []
        store.remember(answers, [(A, [b"1", b"2"]), (B, [b"3"])], "here")
    with Recalled(tmp_path, DAY) as store:
        assert store.answers([key for key, _ in answers] + [b"k"]) == dict(answers)
        assert store.changes(A) == [b"1", b"2"]
        assert store.changes(B) == [b"3"]
        store.remember([(b"k", b"new")], [(A, [b"4"])], "here")
        assert store.answers([b"k"]) == {b"k": b"new"}
        assert store.changes(A) == [b"4"]


def test_it_is_its_owners_and_nothing_that_was_dropped_stays_in_it(tmp_path: Path) -> None:
    with Recalled(tmp_path, DAY) as store:
        store.remember([], [(B, [b"Madame Durand " * 20])], "here")
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
        store.tidy("here", ())
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert b"Durand" not in (tmp_path / NAME).read_bytes()


def test_a_part_that_is_missing_makes_all_of_it_unknown(tmp_path: Path) -> None:
    with Recalled(tmp_path, DAY) as store:
        for part in (0, 1, 2):
            store.remember([], [(A, [b"1", b"2", b"3"])])
            assert len(store.changes(A)) == 3
            store._db.execute("DELETE FROM changes WHERE part = ?", (part,))
            assert store.changes(A) == []


def test_what_belongs_to_forgotten_snapshots_goes(tmp_path: Path) -> None:
    with Recalled(tmp_path, DAY) as store:
        store.remember([], [(A, [b"1", b"x"]), (B, [b"2"]), (Pair("", "b"), [b"3"])], "here")
        store.remember([], [(Pair("c", "d"), [b"4"])], "elsewhere")
        store.tidy("here", {"a", "b"})
        assert store.changes(B) == [b"2"]
        store.tidy("here", {"b"})
        assert store.changes(A) == []
        assert store.changes(B) == []
        assert store.changes(Pair("", "b")) == [b"3"]
        assert store.changes(Pair("c", "d")) == [b"4"], "that backup was not looked at"


def test_what_nobody_asks_for_goes_after_a_while(tmp_path: Path) -> None:
    with Recalled(tmp_path, DAY) as store:
        store.remember([(b"k", b"v"), (b"l", b"w")], [(A, [b"1"]), (B, [b"2"])], "here")
    with Recalled(tmp_path, DAY + TOUCHED) as store:
        store.answers([b"k"])
        store.changes(A)
        store.tidy("here", {"a", "b"})
    with Recalled(tmp_path, DAY + KEPT) as store:
        store.tidy("here", {"a", "b"})
        assert store.answers([b"k", b"l"]) == {b"k": b"v"}
        assert store.changes(A) == [b"1"]
        assert store.changes(B) == []


def test_reading_is_not_writing(tmp_path: Path) -> None:
    with Recalled(tmp_path, DAY) as store:
        store.remember([(b"k", b"v")], [(A, [b"1"])], "here")
    with Recalled(tmp_path, DAY + TOUCHED - 1) as store:
        store.answers([b"k"])
        store.changes(A)
        assert not store._old
        assert not store._old_pairs


def test_it_grows_no_further_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalled, "LARGEST", 256 * 1024)
    with Recalled(tmp_path, DAY) as store:
        store.remember([], [(A, [os.urandom(100_000)])], "here")
    with Recalled(tmp_path, DAY + 1) as store:
        store.remember([], [(B, [os.urandom(100_000)] * 2)], "here")
        store.remember([(b"k", b"v")])
        assert store.answers([b"k"]) == {}, "it is full"
        store.tidy("here", {"a", "b"})
        assert store.changes(A) == [], "the older one had to go"
        assert store.changes(B)
        store.remember([(b"k", b"v")])
        assert store.answers([b"k"]) == {b"k": b"v"}
        store.remember([], [(Pair("b", "c"), [os.urandom(200_000)])], "here")
        store.tidy("here", {"a", "b", "c"})
        assert store.changes(B), "what is of today is kept, and nothing is added"


def test_a_file_that_is_not_ours_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / NAME).write_bytes(b"not a database" * 100)
    with pytest.raises(JournalBroken):
        Recalled(tmp_path / "damaged", DAY)
    (tmp_path / "file").touch()
    with pytest.raises(NotPermitted):
        Recalled(tmp_path / "file", DAY)


def test_two_at_once(tmp_path: Path) -> None:
    with Recalled(tmp_path, DAY) as one, Recalled(tmp_path, DAY) as other:
        one.wait_at_most(0)
        one.remember([(b"k", b"v")])
        other.remember([(b"k", b"v")], [(A, [b"1"])], "here")
        assert one.changes(A) == [b"1"]
        other._db.execute("BEGIN IMMEDIATE")
        assert one.answers([b"k"]), "reading goes on while another writes"
        with pytest.raises(StateInUse):
            one.remember([(b"l", b"v")])
