"""Folders of snapshots as the tools lay them out, and those that are none or cannot be read."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from vigie.errors import NoSuchTarget, NotPermitted, Unreadable
from vigie.model import Attributes, Entry, Gone, Skipped, Version
from vigie.sources.snapshots import SnapshotsSource, filesystem, moments
from vigie.sources.snapshots.filesystem import Home, home

INFO = '<?xml version="1.0"?>\n<snapshot><num>{0}</num><date>2026-11-{0:02} 08:00:01</date></snapshot>\n'


def put(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
        os.utime(folder / name, (1_600_000_000, 1_600_000_000))
    return folder


def dated(folder: Path, seconds: int) -> None:
    os.utime(folder, (seconds, seconds))


def told(source: SnapshotsSource, before: int | None, after: int) -> list[str]:
    snapshots = source.snapshots()
    found = source.changes(None if before is None else snapshots[before], snapshots[after])
    return [f"{type(i).__name__} {i.entry.path if isinstance(i, Version) else i.path}" for i in found]


def test_snapper(tmp_path: Path) -> None:
    for number in (2, 10, 1):
        place = put(tmp_path / "home" / ".snapshots" / str(number), **{"info.xml": INFO.format(number)})
        put(place / "snapshot", a="a")
    put(tmp_path / "home" / ".snapshots" / "3", **{"info.xml": "<!ENTITY lol 'x'>" * 9000})
    with SnapshotsSource(str(tmp_path / "home")) as source:
        assert [one.id for one in source.snapshots()] == ["1", "2", "10"]
        assert source.snapshots()[0].time_ns == 1_793_520_001_000_000_000
        assert {one.tags for one in source.snapshots()} == {("dated by its info.xml",)}
        assert told(source, None, 2) == ["Version /a"]


def test_a_snapper_snapshot_that_was_removed(tmp_path: Path) -> None:
    put(tmp_path / "1", **{"info.xml": INFO.format(1)})
    put(tmp_path / "2" / "snapshot")
    put(tmp_path / "2", **{"info.xml": INFO.format(2)})
    source = SnapshotsSource(str(tmp_path))
    assert [one.id for one in source.snapshots()] == ["2"]
    assert [item.path for item in source.damage] == ["1"]


def test_rsnapshot(tmp_path: Path) -> None:
    for name, seconds in (("hourly.0", 9), ("hourly.1", 8), ("daily.0", 8), ("daily.1", 5), ("weekly.0", 1)):
        dated(put(tmp_path / name), 1_700_000_000 + seconds)
    (tmp_path / "rsnapshot.log").write_text("")
    put(tmp_path / "lost+found")
    source = SnapshotsSource(str(tmp_path))
    ids = [one.id for one in source.snapshots()]
    assert ids == ["weekly.0", "daily.1", "hourly.1", "daily.0", "hourly.0"]
    assert source.damage == ()
    dated(tmp_path / "hourly.1", 1_800_000_000)
    source = SnapshotsSource(str(tmp_path))
    assert [item.path for item in source.damage] == ["hourly.1"]
    assert "newer than that of hourly.0" in source.damage[0].reason


def test_zfs_timeshift_and_links_to_the_latest(tmp_path: Path) -> None:
    kept = tmp_path / "data" / ".zfs" / "snapshot"
    put(kept / "autosnap_2026-11-03_00:00:01_daily", a="a")
    dated(put(kept / "before-upgrade", a="a"), 1_600_000_000)
    source = SnapshotsSource(str(tmp_path / "data"))
    assert [(one.id, one.tags) for one in source.snapshots()] == [
        ("before-upgrade", ("dated by its folder",)),
        ("autosnap_2026-11-03_00:00:01_daily", ("dated by its name",)),
    ]
    shift = put(tmp_path / "timeshift" / "2026-11-03_08-00-01", **{"info.json": "{}"})
    put(shift / "localhost", b="b")
    (tmp_path / "timeshift" / "2026-11-04_latest").symlink_to(shift)
    source = SnapshotsSource(str(tmp_path / "timeshift"))
    assert len(source.snapshots()) == 1
    assert told(source, None, 0) == ["Version /b"]


def test_subvolumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "2026-11-03")
    put(tmp_path / "clean")
    real = os.lstat

    def subvolume(path: str) -> os.stat_result:
        found = real(path)
        numbers = (found.st_mode, 256, found.st_dev + 1, *found[3:])
        return os.stat_result(numbers, {"st_mtime_ns": 1_600_000_000_000_000_000})

    monkeypatch.setattr(os, "lstat", subvolume)
    monkeypatch.setattr(os, "access", lambda path, _mode: not path.endswith("clean"))
    found, _ = moments.moments(str(tmp_path))
    assert [moment.name for moment in found] == ["clean", "2026-11-03"]
    os.rmdir(tmp_path / "2026-11-03")
    with pytest.raises(NoSuchTarget):
        moments.moments(str(tmp_path))  # a subvolume alone is where somebody works


def test_hard_links_tell_what_was_written_though_size_and_time_are_kept(tmp_path: Path) -> None:
    old = put(tmp_path / "2026-11-03", a="aaaa", b="bbbb", c="cccc")
    new = tmp_path / "2026-11-04"
    shutil.copytree(old, new, copy_function=os.link)
    (new / "b").unlink()
    put(new, b="BBBB")
    (new / "c").unlink()
    source = SnapshotsSource(str(tmp_path))
    assert told(source, 0, 1) == ["Version /b", "Gone /c"]
    assert told(source, 1, 0) == ["Version /b", "Version /c"]


def test_copies_are_compared_by_size_and_time(tmp_path: Path) -> None:
    put(tmp_path / "2026-11-03", a="aaaa", b="bbbb")
    put(tmp_path / "2026-11-04", a="aaaa", b="bbbbb")
    source = SnapshotsSource(str(tmp_path))
    assert told(source, 0, 1) == ["Version /b"]


def test_snapshots_of_one_file_system_are_compared_by_ctime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "2026-11-03", a="aaaa")
    put(tmp_path / "2026-11-04", a="AAAA")
    where = Home("btrfs /dev/sda1", many_devices=True)
    monkeypatch.setattr("vigie.sources.snapshots.source.home", lambda _path: where)
    found, damage = moments.moments(str(tmp_path))
    apart = tuple(replace(moment, device=number) for number, moment in enumerate(found))
    monkeypatch.setattr("vigie.sources.snapshots.source.moments", lambda _folder: (apart, damage))
    source = SnapshotsSource(str(tmp_path))
    assert told(source, 0, 1) == ["Version /a"]
    (version,) = source.versions(source.snapshots()[0])
    assert isinstance(version, Version)
    assert version.content.startswith("btrfs /dev/sda1::")


def test_where_numbers_mean_nothing_there_is_no_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put(tmp_path / "2026-11-03", a="aaaa")
    shutil.copytree(old, tmp_path / "2026-11-04", copy_function=os.link)
    monkeypatch.setattr("vigie.sources.snapshots.source.home", lambda _path: Home("", many_devices=False))
    source = SnapshotsSource(str(tmp_path))
    assert told(source, 0, 1) == []
    assert {item.content for item in source.versions(source.snapshots()[1]) if isinstance(item, Version)} == {
        ""
    }


def test_a_folder_that_cannot_be_read_hides_what_is_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put(tmp_path / "2026-11-03", a="a", z="z")
    put(old / "kept", one="1")
    put(old / "kept.too", two="2")
    new = put(tmp_path / "2026-11-04", z="z")
    put(new / "kept")
    os.mkfifo(new / "pipe")
    real = os.scandir

    def refused(path: str) -> Iterator[os.DirEntry[str]]:
        if path == f"{new}/kept":
            raise PermissionError(13, "no")
        return real(path)

    source = SnapshotsSource(str(tmp_path))
    monkeypatch.setattr(os, "scandir", refused)
    found = [item for item in told(source, 0, 1) if "/z" not in item]
    assert found == ["Gone /a", "Skipped /kept", "Gone /kept.too/two", "Skipped /pipe"]


def test_snapshots_and_files_that_vanish(tmp_path: Path) -> None:
    put(tmp_path / "2026-11-03", a="a")
    put(tmp_path / "2026-11-04", a="a")
    source = SnapshotsSource(str(tmp_path))
    (version,) = source.versions(source.snapshots()[0])
    assert isinstance(version, Version)
    assert source.attributes(version) == Attributes(0o644, os.getuid(), os.getgid(), 1_600_000_000 * 10**9)
    shutil.rmtree(tmp_path / "2026-11-03")
    for act in (version.entry.open, lambda: source.head(version), lambda: source.attributes(version)):
        with pytest.raises(Unreadable):
            act()
    assert told(source, None, 0) == ["Skipped /"]
    assert told(source, 1, 0) == ["Skipped /"]
    (tmp_path / "2026-11-03").write_text("a file in its place")
    assert told(source, None, 0) == ["Skipped /"]


def test_a_moment_that_cannot_be_read_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "2026-11-03", a="a")
    put(tmp_path / "2026-11-04", a="a")
    real = os.scandir

    def refused(path: str) -> Iterator[os.DirEntry[str]]:
        if path.endswith("03"):
            raise OSError(5, "no")
        return real(path)

    monkeypatch.setattr(os, "scandir", refused)
    source = SnapshotsSource(str(tmp_path))
    assert [one.id for one in source.snapshots()] == ["2026-11-04"]
    assert [item.path for item in source.damage] == ["2026-11-03"]


def test_where_no_snapshots_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "docs", a="a")
    (tmp_path / "2026-11-03").write_text("a file")
    for place, words in (
        ("", "looked for"),
        ("none", "no such folder"),
        ("2026-11-03", "no such"),
        ("\0", "no such"),
    ):
        with pytest.raises(NoSuchTarget, match=words):
            SnapshotsSource(os.path.join(tmp_path, place))

    def refused(path: str) -> list[str]:
        raise PermissionError(13, "no", path)

    monkeypatch.setattr(os, "listdir", refused)
    with pytest.raises(NotPermitted):
        SnapshotsSource(str(tmp_path))


def test_a_foreign_snapshot_or_version(tmp_path: Path) -> None:
    put(tmp_path / "2026-11-03", a="a")
    source = SnapshotsSource(str(tmp_path))
    (snapshot,) = source.snapshots()
    foreign = Version(snapshot, Entry("a", 1, 1, lambda: pytest.fail("opened")), "")
    with pytest.raises(TypeError):
        source.head(foreign)
    assert not [item for item in source.changes(snapshot, snapshot) if isinstance(item, Gone | Skipped)]


def test_the_file_system_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mountinfo"
    lines = [
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw",
        "2 1 0:30 / /tank rw shared:1 - zfs tank/data rw",
        "3 2 0:31 / /tank/.zfs/snapshot/a\\040b rw - zfs tank/data@a\\040b rw",
        "4 1 0:32 /@ /pool rw - btrfs /dev/sdb rw",
        "5 1 0:33 / /share rw - cifs //nas/share rw",
    ]
    table.write_text("\n".join(lines) + "\n")
    real = open

    def opened(path: str, *rest: object, **more: object) -> object:
        return real(table if path == "/proc/self/mountinfo" else path, *rest, **more)  # type: ignore[call-overload] # as it was called

    monkeypatch.setattr(filesystem, "open", opened, raising=False)
    assert home("/srv") == Home("ext4 /dev/sda1", many_devices=False)
    assert home("/tank/.zfs/snapshot/a b/c") == home("/tank") == Home("zfs tank/data", many_devices=True)
    assert home("/pool/.snapshots/1") == Home("btrfs /dev/sdb", many_devices=True)
    assert home("/poolside") == home("/srv")
    assert home("/share/x") == Home("", many_devices=False)
    table.write_text("rubbish\n")
    assert home("/srv") == Home("", many_devices=False)
