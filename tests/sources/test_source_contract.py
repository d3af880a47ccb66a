"""What every source of snapshots owes its readers; a new source is one line in `SOURCES`."""

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vigie.errors import NoSuchTarget
from vigie.model import Gone, Skipped, Snapshot, Source, Version
from vigie.sources.borg import BorgSource
from vigie.sources.restic import ResticSource
from vigie.sources.snapshots import SnapshotsSource

Truth = tuple[dict[str, bytes], dict[str, bytes]]

SOURCES = (
    "restic-1",
    "restic-2",
    "restic-2-uncompressed",
    "restic-rest",
    "restic-rclone",
    "restic-sftp",
    "restic-s3",
    "borg",
    "borg-lz4-encrypted",
    "snapshots-hardlinks",
    "snapshots-dated",
)


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found.update(os.fsencode(path) + b"%d %d" % (status.st_mode, status.st_mtime_ns))
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


@pytest.fixture(scope="module", params=SOURCES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def place(name: str, request: pytest.FixtureRequest) -> Path:
    if name.startswith("snapshots"):
        folder: Callable[[bool], Path] = request.getfixturevalue("snapshots_folder")
        return folder(name.endswith("hardlinks"))
    if name.startswith("borg"):
        archives: Callable[[str, str], Path] = request.getfixturevalue("borg_repository")
        return archives(*(("repokey", "lz4") if name.endswith("encrypted") else ("none", "none")))
    repository: Callable[[int, str], Path] = request.getfixturevalue("repository")
    return repository(1 if name == "restic-1" else 2, "off" if name.endswith("uncompressed") else "auto")


@pytest.fixture(scope="module")
def source(name: str, place: Path, password: str, request: pytest.FixtureRequest) -> Iterator[Source]:
    location = str(place)
    if name.startswith("snapshots"):
        with SnapshotsSource(location) as moments:
            yield moments
        return
    if name.startswith("borg"):
        with BorgSource(location, lambda: password) as archives:
            yield archives
        return
    if name == "restic-rest":
        serve: Callable[[Path], str] = request.getfixturevalue("serve")
        location = f"rest:http://vigie:p%20w@{serve(place)}/"
    elif name == "restic-rclone":
        location = f"rclone:store:{place}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RCLONE_CONFIG_STORE_TYPE", "local")
        if name == "restic-sftp":
            sftp: Callable[[Path], tuple[str, Path]] = request.getfixturevalue("sftp")
            server, home = sftp(place.parent)
            location = f"sftp://{server}/{place.name}"
            patch.setenv("HOME", str(home))
            patch.delenv("SSH_AUTH_SOCK", raising=False)
        elif name == "restic-s3":
            s3: Callable[[Path], str] = request.getfixturevalue("s3")
            location = s3(place)
            patch.setenv("AWS_ACCESS_KEY_ID", "vigie-id")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        with ResticSource(location, password) as opened:
            yield opened


def read(version: Version) -> bytes:
    blob = version.entry.open()
    try:
        return blob.at(0, blob.size)
    finally:
        blob.close()


def found(source: Source, snapshot: Snapshot) -> dict[str, Version]:
    listed = list(source.versions(snapshot))
    assert not [item for item in listed if isinstance(item, Skipped)]
    return {item.entry.path: item for item in listed if isinstance(item, Version)}


def test_snapshots_come_oldest_first_with_host_and_tags(name: str, source: Source) -> None:
    first, second = source.snapshots()
    assert first.time_ns < second.time_ns
    assert first.id != second.id
    told = {
        "restic": ("cabinet", ("nightly",), ()),
        "borg": (
            socket.gethostname(),
            ("first",),
            ("second",),
        ),  # borg 1 has no tags; names tell archives apart
        "snapshots": ("", first.tags, first.tags),
    }
    assert (first.host, first.tags, second.tags) == told[name.partition("-")[0]]
    assert first.paths
    assert first.paths == second.paths


def test_versions_hold_the_bytes_that_were_saved(source: Source, truth: Truth) -> None:
    for snapshot, files in zip(source.snapshots(), truth, strict=True):
        versions = found(source, snapshot)
        assert versions.keys() == files.keys()
        for path, version in versions.items():
            assert version.snapshot == snapshot
            assert read(version) == files[path]
            assert version.entry.size == len(files[path])
            assert version.entry.mtime_ns == 1_600_000_000_123_456_789


def test_versions_come_in_path_order_and_again_the_same(source: Source) -> None:
    for snapshot in source.snapshots():
        paths = list(found(source, snapshot))
        assert paths == sorted(paths, key=lambda path: os.fsencode(path).split(b"/"))
        assert paths == list(found(source, snapshot))


def test_content_is_the_same_exactly_where_the_bytes_are(name: str, source: Source) -> None:
    versions = [version for snapshot in source.snapshots() for version in found(source, snapshot).values()]
    bytes_of: dict[str, bytes] = {}
    for version in versions:
        assert version.content
        assert bytes_of.setdefault(version.content, read(version)) == read(version)
    # A folder of snapshots knows which files are one, not which happen to hold the same.
    assert len(set(bytes_of.values())) == len(bytes_of) or name.startswith("snapshots")


def test_an_opened_version_is_a_read_only_file_of_its_own(source: Source, truth: Truth) -> None:
    version = found(source, source.snapshots()[0])["/imaging/large.bin"]
    data = truth[0]["/imaging/large.bin"]
    blob, other = version.entry.open(), version.entry.open()
    assert blob.size == len(data)
    assert blob.at(1_000_000, 7) == data[1_000_000:1_000_007]
    assert blob.at(len(data) - 3, 10) == data[-3:]
    assert blob.at(len(data), 10) == b""
    assert os.pread(blob.fileno(), 4, 8) == data[8:12]
    with pytest.raises(OSError, match=r"."):
        os.write(blob.fileno(), b"x")
    blob.close()
    assert other.at(0, 4) == data[:4]
    other.close()


def test_reading_everything_writes_nothing(source: Source, place: Path) -> None:
    before = digest(place)
    for snapshot in source.snapshots():
        for version in found(source, snapshot).values():
            read(version)
    assert digest(place) == before


def test_a_foreign_snapshot_is_refused(source: Source) -> None:
    with pytest.raises(NoSuchTarget):
        source.versions(Snapshot("0" * 64, 0))


def test_changes_from_nothing_are_all_versions(source: Source) -> None:
    for snapshot in source.snapshots():
        assert list(source.changes(None, snapshot)) == list(source.versions(snapshot))


def test_changes_tell_what_differs_and_nothing_else(source: Source, truth: Truth) -> None:
    first, second = source.snapshots()
    forth, back = (first, second, truth[0], truth[1]), (second, first, truth[1], truth[0])
    for before, after, old, new in (forth, back):
        changes = list(source.changes(before, after))
        told = {item.entry.path if isinstance(item, Version) else item.path: item for item in changes}
        assert len(told) == len(changes)
        assert list(told) == sorted(told, key=lambda path: os.fsencode(path).split(b"/"))
        assert {path for path, item in told.items() if isinstance(item, Gone)} == old.keys() - new.keys()
        versions = {path: item for path, item in told.items() if isinstance(item, Version)}
        assert versions.keys() == {path for path in new if new[path] != old.get(path)}
        assert all(read(version) == new[path] for path, version in versions.items())
        assert {version.snapshot for version in versions.values()} <= {after}


def test_nothing_changes_from_a_snapshot_to_itself(source: Source) -> None:
    for snapshot in source.snapshots():
        assert list(source.changes(snapshot, snapshot)) == []


def test_the_head_is_how_the_file_begins(source: Source, truth: Truth) -> None:
    for path, version in found(source, source.snapshots()[0]).items():
        head = source.head(version)
        data = truth[0][path]
        assert head.size == len(data) or head.size >= 4096
        assert head.at(0, head.size) == data[: head.size]
        assert os.pread(head.fileno(), 4, 0) == data[:4]
        head.close()


def test_a_sound_source_has_no_damage_and_a_name(source: Source) -> None:
    assert source.damage == ()
    assert source.location
    assert "p%20w" not in source.location
