"""Folders dressed at the end: by the newest snapshot, each snapshot once, and those nobody knows of."""

import os
import stat
from pathlib import Path

import pytest

from vigie.errors import Unreadable
from vigie.model import Attributes, Entry, OpenBlob, Snapshot, Source, Version
from vigie.vault import Destination
from vigie.vault import folders as folders_module
from vigie.vault.folders import Folders

OLD, NEW = Snapshot("old", 1), Snapshot("new", 2)
MTIME = 1_500_000_000_000_000_007


class Told:
    """A source that knows some folders, and notes what it is asked."""

    def __init__(self, known: dict[str, int]) -> None:
        self._known = known
        self.asked: list[tuple[str, str]] = []

    def folder(self, snapshot: Snapshot, path: str) -> Attributes | None:
        self.asked.append((snapshot.id, path))
        mode = self._known.get(path)
        return None if mode is None else Attributes(mode, os.getuid(), os.getgid(), MTIME)


def version(snapshot: Snapshot, path: str) -> Version:
    def opened() -> OpenBlob:
        raise Unreadable("nobody reads it")

    return Version(snapshot, Entry(path, 0, 0, opened), "")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def dressed(source: object, destination: Destination, *versions: Version) -> list[str]:
    folders = Folders(source)  # type: ignore[arg-type] # of a Source, it asks for folders only
    for one in versions:
        destination.place(one.entry.path, folders=folders.mode)
    for one in versions:
        folders.note(one)
    lacking: list[str] = []
    folders.dress(destination, lambda path, _: lacking.append(path))
    return lacking


def test_known_and_unknown_folders(tmp_path: Path) -> None:
    source = Told({"/srv/x": 0o750, "/srv/x/y": 0o500})
    (tmp_path / "there").mkdir(mode=0o711)
    mask = os.umask(0o027)
    try:
        with Destination(str(tmp_path)) as destination:
            dressed(
                source,
                destination,
                version(OLD, "/srv/x/y/a"),
                version(NEW, "/srv/x/b"),
                version(OLD, "/srv/x/z/c"),
                version(NEW, "/there/d"),
            )
    finally:
        os.umask(mask)
    assert mode(tmp_path / "srv" / "x") == 0o750
    assert mode(tmp_path / "srv" / "x" / "y") == 0o500
    assert (tmp_path / "srv" / "x").stat().st_mtime_ns == MTIME
    assert mode(tmp_path / "srv") == 0o750  # what the mask leaves: nobody knows what it was like
    assert mode(tmp_path / "there") == 0o711  # it was there before
    # The newest that a file came from; one snapshot after the other.
    asked = {path: name for name, path in source.asked}
    assert (asked["/srv"], asked["/srv/x"], asked["/srv/x/y"]) == ("new", "new", "old")
    changes = sum(a[0] != b[0] for a, b in zip(source.asked, source.asked[1:], strict=False))
    assert changes == 1


def test_a_source_that_knows_no_folders(tmp_path: Path) -> None:
    with Destination(str(tmp_path)) as destination:
        dressed(object(), destination, version(OLD, "/d/a"))
    assert mode(tmp_path / "d") & 0o700 == 0o700


def test_a_mask_that_cannot_be_read_is_the_strictest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tpython\n")
    real = open

    def elsewhere(path: str, **options: str) -> object:
        assert path == "/proc/self/status"
        return real(tmp_path / "status", **options)  # type: ignore[call-overload] # as it was called

    monkeypatch.setattr(folders_module, "open", elsewhere, raising=False)
    assert folders_module._umask() == 0o077


def test_the_three_sources_know_folders() -> None:
    from vigie.sources.borg import BorgSource  # noqa: PLC0415 - only here
    from vigie.sources.restic import ResticSource  # noqa: PLC0415 - only here
    from vigie.sources.snapshots import SnapshotsSource  # noqa: PLC0415 - only here

    kinds: tuple[type[Source], ...] = (BorgSource, ResticSource, SnapshotsSource)
    assert all(hasattr(kind, "folder") for kind in kinds)
