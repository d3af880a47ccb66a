import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.errors import DiskFull, JournalBroken, NotPermitted
from vigie.journal import Baseline, Known
from vigie.model import MAP_CELLS, Likeness, State


def known(path: str, ino: int = 1, state: State = State.INTACT) -> Known:
    return Known(path, 7, ino, 10, 11, Likeness(state, "pdf", 99, 0.25, bytes(MAP_CELLS)))


def test_what_was_remembered_is_found_by_path_inode_and_folder(tmp_path: Path) -> None:
    latin = os.fsdecode(b"/a/caf\xe9.pdf")
    with Baseline(tmp_path) as baseline:
        baseline.remember([known("/a/x.pdf", 1), known(latin, 2), known("/ab/y.pdf", 3), known("/a.pdf", 4)])
    with Baseline(tmp_path) as baseline:
        assert len(baseline) == 4
        assert baseline.at(latin) == known(latin, 2)
        assert baseline.of(7, 3) == known("/ab/y.pdf", 3)
        assert baseline.at("/nowhere") is None
        assert baseline.of(8, 3) is None
        assert [k.path for k in baseline.below("/a/")] == [latin, "/a/x.pdf"]
        assert [k.path for k in baseline.below("/a.pdf")] == ["/a.pdf"]
        baseline.forget(["/a/x.pdf"])
        assert baseline.at("/a/x.pdf") is None


def test_an_encrypted_version_never_replaces_a_good_one(tmp_path: Path) -> None:
    with Baseline(tmp_path) as baseline:
        baseline.remember([known("/a", 1)])
        baseline.remember([known("/a", 2, State.ENCRYPTED)])
        assert baseline.at("/a") == known("/a", 1)
        baseline.remember([known("/a", 3, State.UNKNOWN)])
        assert baseline.of(7, 3) == known("/a", 3, State.UNKNOWN)


def test_same_means_untouched_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 99)
    status = path.stat()
    likeness = Likeness(State.INTACT, None, 99, 0.0, bytes(MAP_CELLS))
    item = Known(str(path), status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, likeness)
    assert item.same(path.stat())
    os.utime(path, ns=(1, status.st_mtime_ns))  # the mtime is put back, the ctime tells
    assert not item.same(path.stat())


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "baseline.sqlite").write_bytes(b"junk" * 999)
    with pytest.raises(JournalBroken):
        Baseline(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotPermitted):
        Baseline(tmp_path / "file")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    with Baseline(tmp_path) as baseline:
        baseline.remember([known("/a")])
        baseline._db.execute("PRAGMA max_page_count = 1")
        with pytest.raises(DiskFull):
            baseline.remember(known(f"/{n}" * 100, n) for n in range(1000))
        assert len(baseline) == 1
        baseline._db.close()
        with pytest.raises(JournalBroken):
            baseline.at("/a")
        baseline._db = sqlite3.connect(":memory:")


def test_an_interrupted_batch_is_not_kept(tmp_path: Path) -> None:
    def interrupted() -> Iterator[tuple[object, ...]]:
        yield (b"/b", 1, 1, 1, 1, "intact", None, 1, 0.0, b"")
        raise KeyboardInterrupt

    with Baseline(tmp_path) as baseline:
        baseline.remember([known("/a")])
        with pytest.raises(KeyboardInterrupt):
            baseline._many("INSERT INTO known VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", interrupted())
        assert len(baseline) == 1
