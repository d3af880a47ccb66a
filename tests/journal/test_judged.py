import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import JournalBroken, NotPermitted, StateInUse, VigieError
from vigie.journal import judged
from vigie.journal.judged import GENERATION, Judged, Known, row, stamp
from vigie.model import Basis, Pattern, Period, Range, State, Verdict

HIT = Verdict(
    State.ENCRYPTED,
    "pdf",
    Pattern.INTERMITTENT,
    (Range(0, 64), Range(192, 256)),
    Basis.STRUCTURE,
    0.98,
    ("random bytes where pdf has none", "caf\udce9"),
    None,
    Period(64, 128),
    4096,
)
SAME = (1, 2, 3, 4, 5)
AT = 1_795_442_700_000_000_000  # 2026-11-23 14:05 UTC


def known(name: str, verdict: Verdict = HIT, *, full: bool = False) -> Known:
    return row(name, SAME, verdict, full=full, at_ns=AT)


def test_what_is_remembered_comes_back(tmp_path: Path) -> None:
    intact = Verdict(State.INTACT)
    with Judged(tmp_path) as store:
        assert store.folder("/srv") is None
        store.remember(
            [("/srv", known("b", full=True)), ("/srv", known("a", intact)), ("/srv/x", known("c"))]
        )
    with Judged(tmp_path) as store:
        number = store.folder("/srv")
        assert number is not None
        seen = store.page(number)
        first, second = store.known("/srv", b"a"), store.known("/srv", b"b")
        assert len(store) == 3
        assert store.known("/srv", b"c") is None
        assert store.known("/nowhere", b"a") is None
    assert first is not None
    assert second is not None
    assert [tuple(one) for one in seen] == [(*one[:7], one.state, one.format) for one in (first, second)]
    assert (first.name, first.full, second.name, second.full) == (b"a", 0, b"b", 1)
    assert second[1:6] == SAME
    assert second.generation == GENERATION
    assert (second.state, second.format, second.read) == ("encrypted", "pdf", 4096)
    verdict = second.verdict()
    assert verdict.evidence == (*HIT.evidence, "unchanged since it was judged on 2026-11-23 14:05 UTC")
    assert verdict.record() | {"evidence": 0} == HIT.record() | {"evidence": 0}
    assert first.verdict().record() == intact.record() | {"evidence": [verdict.evidence[-1]]}
    assert os.stat(tmp_path / "judged.sqlite").st_mode & 0o777 == 0o600


def test_what_another_generation_said_is_there_and_does_not_count(tmp_path: Path) -> None:
    with Judged(tmp_path) as store:
        store.remember([("/srv", known("a", full=True)._replace(generation="0.0.1/1"))])
        assert [one.full for one in store.page(store.folder("/srv") or 0)] == [-1]


def test_a_new_verdict_takes_the_place_of_the_old(tmp_path: Path) -> None:
    with Judged(tmp_path) as store:
        store.remember([("/srv", known("a"))])
        store.remember([("/srv", known("a", Verdict(State.INTACT)))])
        assert [found.state for found in store.page(store.folder("/srv") or 0)] == ["intact"]


@settings(max_examples=50, deadline=None)
@given(st.sets(st.binary(min_size=1, max_size=4).filter(lambda n: b"/" not in n and b"\0" not in n)))
def test_names_come_in_the_order_of_a_walk_page_by_page(names: set[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch, Judged.__new__(Judged) as store:
        patch.setattr(judged, "PAGE", 3)
        store.path = Path(":memory:")
        store._db = sqlite3.connect(":memory:", isolation_level=None)
        store._db.executescript(judged._SCHEMA)
        store.remember([("/srv", known(os.fsdecode(name))) for name in names])
        number = store.folder("/srv") or 0
        met: list[bytes] = []
        while page := [found.name for found in store.page(number, met[-1] if met else b"")]:
            assert len(page) <= 3
            met += page
    assert met == sorted(names)


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    with Judged(tmp_path) as store:
        store.remember([(folder, known(name)) for folder in ("/srv", "/srv/x") for name in "abc"])
        number = store.folder("/srv") or 0
        store.forget([(number, b"a"), (number, b"c"), (number, b"not there")])
        assert [found.name for found in store.page(number)] == [b"b"]
        store.forget_folder("/srv/x")
        store.forget_folder("/nowhere")
        assert (len(store), store.folder("/srv/x")) == (1, None)


def test_folders_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged, "PAGE", 2)
    folders = ["/a", "/a/b", "/a/b/c", "/a/\udce9", "/a/z", "/ab", "/b"]
    with Judged(tmp_path) as store:
        store.remember([(folder, known("f")) for folder in folders])
        assert sorted(store.folders_below("/a")) == sorted(folders[:5])
        assert sorted(store.folders_below("/a/b")) == ["/a/b", "/a/b/c"]
        assert sorted(store.folders_below("/")) == sorted(folders)
        assert list(store.folders_below("/a/b/c/d")) == []


def test_numbers_that_sqlite_cannot_hold_tell_files_apart_all_the_same(tmp_path: Path) -> None:
    same = stamp(1 << 63 | 7, (1 << 64) - 1, 10, (1 << 70) + 5, -3)
    assert same != stamp(1 << 63 | 7, (1 << 64) - 2, 10, (1 << 70) + 5, -3)
    with Judged(tmp_path) as store:
        store.remember([("/srv", row("x", same, HIT, full=False, at_ns=AT))])
        assert store.page(store.folder("/srv") or 0)[0][1:6] == same


@pytest.mark.parametrize(
    "said", ["", "nonsense", "[]", "7", '["zigzag",null,[],null,0.5,[]]', "[null,null,[[1]],null,0.5,[]]"]
)
def test_a_row_that_makes_no_sense_says_so(said: str) -> None:
    with pytest.raises(JournalBroken, match="makes no sense"):
        known("a")._replace(said=said).verdict()
    with pytest.raises(JournalBroken, match="makes no sense"):
        known("a")._replace(state="fine").verdict()
    with pytest.raises(JournalBroken, match="makes no sense"):
        known("a")._replace(at_ns=10**40).verdict()


def test_a_store_that_is_damaged_locked_or_not_ours_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "judged.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(JournalBroken):
        Judged(tmp_path / "damaged")
    (tmp_path / "file").touch()
    with pytest.raises(NotPermitted):
        Judged(tmp_path / "file")
    with Judged(tmp_path) as store, Judged(tmp_path) as other:
        store.wait_at_most(0)
        other._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateInUse):
            store.remember([("/srv", known("a"))])
        other._db.execute("COMMIT")
        store.remember([("/srv", known("a"))])
        store._db.execute("DROP TABLE folders")
        with pytest.raises(VigieError):
            store.folder("/srv")


def test_what_fails_half_way_is_not_kept(tmp_path: Path) -> None:
    with Judged(tmp_path) as store:
        with pytest.raises(TypeError):
            store.remember([("/srv", known("a")), (None, known("b"))])  # type: ignore[list-item] # a mistake
        assert len(store) == 0
        store.remember([("/srv", known("a"))])
        assert len(store) == 1
