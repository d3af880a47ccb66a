import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vigie.drill.playground import MARKER
from vigie.model import Gone, Version
from vigie.sources.borg import BorgSource
from vigie.sources.snapshots import SnapshotsSource

FIRST = datetime(2026, 9, 25, 22, 0, tzinfo=UTC)


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    (folder / "a" / "b").mkdir(parents=True)
    for name in ("a/kept.txt", "a/changed.txt", "a/b/gone.txt", MARKER):
        (folder / name).write_text(f"what is in {name}")
    return folder


def live(folder: Path) -> None:
    """A day: one file goes, one comes, one is written with its old time put back."""
    changed = folder / "a" / "changed.txt"
    before = changed.stat()
    changed.write_text("what is IN a/changed.txt")
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    (folder / "a" / "b" / "gone.txt").unlink()
    (folder / "a" / "new.txt").write_text("new")


def told(source: BorgSource | SnapshotsSource, top: str) -> tuple[list[str], set[str], set[str]]:
    """Identifiers, paths of the first snapshot, and what the second one changed."""
    first, second = source.snapshots()
    assert [one.time_ns // 10**9 for one in (first, second)] == [
        int(FIRST.timestamp()),
        int((FIRST + timedelta(days=1)).timestamp()),
    ]
    paths = {one.entry.path.removeprefix(top) for one in source.versions(first) if isinstance(one, Version)}
    changes = {
        f"-{one.path.removeprefix(top)}" if isinstance(one, Gone) else one.entry.path.removeprefix(top)
        for one in source.changes(first, second)
        if isinstance(one, Gone | Version)
    }
    return [first.id, second.id], paths, changes


PATHS = {"/a/kept.txt", "/a/changed.txt", "/a/b/gone.txt"}
CHANGES = {"-/a/b/gone.txt", "/a/changed.txt", "/a/new.txt"}


def test_folders_share_what_did_not_change(
    bench: Any, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    keeper = bench.keepers.Folders(tmp_path / "repository")
    keeper.start()
    keeper.keep(share, FIRST)
    live(share)
    keeper.keep(share, FIRST + timedelta(days=1))
    with SnapshotsSource(str(tmp_path / "repository")) as source:
        names, paths, changes = told(source, "")
    assert names == keeper.kept()
    assert (paths, changes) == (PATHS, CHANGES)
    old, new = (tmp_path / "repository" / name / "a" for name in names)
    assert (old / "kept.txt").samefile(new / "kept.txt")
    assert not (share / "a" / "kept.txt").samefile(new / "kept.txt")
    assert (old / "changed.txt").stat().st_mtime_ns == (new / "changed.txt").stat().st_mtime_ns
    assert (old / "changed.txt").read_text() == "what is in a/changed.txt"


@pytest.mark.skipif(not shutil.which("borg"), reason="borg is not installed")
def test_borg_keeps_the_share_as_it_was_each_evening(bench: Any, share: Path, tmp_path: Path) -> None:
    keeper = bench.keepers.Borg(tmp_path / "repository")
    keeper.start()
    keeper.keep(share, FIRST)
    live(share)
    keeper.keep(share, FIRST + timedelta(days=1))
    kept = keeper.kept()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["repository", "share"]
    with BorgSource(str(tmp_path / "repository"), bench.keepers.PASSWORD) as source:
        assert told(source, str(share)) == (kept, PATHS, CHANGES)
