"""borg repositories that are damaged, foreign, locked or not there; and how many runs reading takes."""

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from vigie.errors import (
    MissingProgram,
    NoSuchTarget,
    NotPermitted,
    RepositoryDamaged,
    Unreadable,
    WrongPassword,
)
from vigie.model import Gone, Skipped, Version
from vigie.sources.borg import BorgSource, reader
from vigie.sources.borg.program import Borg

Repositories = Callable[[str, str], Path]


@pytest.fixture
def repository(borg_repository: Repositories, tmp_path: Path) -> Path:
    """A plain repository of this test's own."""
    place = tmp_path / "repository"
    shutil.copytree(borg_repository("none", "none"), place)
    return place


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The arguments of every run of borg."""
    seen: list[tuple[str, ...]] = []
    before = Borg.running

    def running(self: Borg, *arguments: str) -> object:
        seen.append(arguments)
        return before(self, *arguments)

    monkeypatch.setattr(Borg, "running", running)
    return seen


def opened(place: Path, password: str = "") -> BorgSource:
    return BorgSource(str(place), lambda: password)


def listed(source: BorgSource, number: int = 0) -> dict[str, Version]:
    items = source.versions(source.snapshots()[number])
    return {item.entry.path: item for item in items if isinstance(item, Version)}


def read(version: Version) -> bytes:
    blob = version.entry.open()
    try:
        return blob.at(0, blob.size)
    finally:
        blob.close()


def strike(place: Path, needle: bytes) -> None:
    """Change a byte of the chunk that holds these bytes; compression must be off."""
    for segment in place.glob("data/*/*"):
        data = bytearray(segment.read_bytes())
        if (at := data.find(needle)) >= 0:
            data[at] ^= 0xFF
            segment.write_bytes(data)
            return
    raise AssertionError("no such bytes")


def state(folder: Path) -> str:
    found = hashlib.sha256()
    for path in (folder, *sorted(folder.rglob("*"))):
        status = path.lstat()
        found.update(repr((path, status.st_mode, status.st_mtime_ns, status.st_ctime_ns)).encode())
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


def test_a_damaged_file_is_unreadable_and_all_others_are_read(
    repository: Path, truth: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    strike(repository, b"kept as it is")
    with opened(repository) as source:
        files = listed(source)
        assert files.keys() == truth[0].keys()
        with pytest.raises(Unreadable, match=r"."):
            files["/archive/2024/old.txt"].entry.open()
        for path in files.keys() - {"/archive/2024/old.txt"}:
            assert read(files[path]) == truth[0][path]
        with pytest.raises(Unreadable):
            source.head(files["/archive/2024/old.txt"])


def test_a_damaged_large_file(
    repository: Path, truth: tuple[dict[str, bytes], dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "AHEAD", 1000)
    monkeypatch.setattr(reader, "HEAD", 1500)
    data = truth[0]["/imaging/large.bin"]
    with opened(repository) as source:
        version = listed(source)["/imaging/large.bin"]
        assert read(version) == data
        head = source.head(version)
        assert (head.size, head.at(0, 2000)) == (1500, data[:1500])
        head.close()
    strike(repository, data[:40])
    with opened(repository) as source, pytest.raises(Unreadable):
        listed(source)["/imaging/large.bin"].entry.open()


def test_few_runs_read_many_files(repository: Path, runs: list[tuple[str, ...]]) -> None:
    with opened(repository) as source:
        files = listed(source)
        assert len(runs) == 2  # the archives, and what is in the first
        for version in files.values():
            read(version)
        assert len([run for run in runs if run[0] == "export-tar"]) <= 3
        assert not any(word for run in runs for word in run if "--repair" in word)


def test_a_list_of_files_that_cannot_be_read(repository: Path) -> None:
    # Items are stored as MessagePack; a path in them stands as it is.
    strike(repository, b"gone.txt")
    with opened(repository) as source:
        first, second = source.snapshots()
        items = list(source.versions(first))
        assert isinstance(items[0], Skipped)
        assert items[0].path == "/"
        assert [item.path for item in source.damage] == ["first"]
        # What the damaged list does not hold is not gone for that.
        assert not [item for item in source.changes(second, first) if isinstance(item, Gone)]
        assert len(listed(source, 1)) == 9


def test_an_archive_that_cannot_be_read_leaves_the_others(repository: Path) -> None:
    strike(repository, b"2026-11-03T08:00:00.000000\xa8time_end")
    with opened(repository) as source:
        assert [snapshot.tags for snapshot in source.snapshots()] == [("first",), ("second",)]
        assert "host and paths" in source.damage[0].reason
        assert listed(source, 0) == {}
        assert len(listed(source, 1)) == 9


@pytest.mark.parametrize("password", ["wrong", ""])
def test_the_wrong_passphrase(borg_repository: Repositories, password: str) -> None:
    with pytest.raises(WrongPassword) as error:
        opened(borg_repository("repokey", "lz4"), password)
    assert "BORG_PASSPHRASE" in error.value.remedy
    assert "wrong" not in error.value.remedy


def test_a_passphrase_is_asked_for_only_where_there_is_a_key(borg_repository: Repositories) -> None:
    def asked() -> str:
        raise AssertionError("nobody need be asked")

    with BorgSource(str(borg_repository("none", "none")), asked) as source:
        assert len(source.snapshots()) == 2
    with BorgSource(str(borg_repository("none", "none")), "not needed") as source:
        assert len(source.snapshots()) == 2


def test_a_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    if not shutil.which("borg"):
        pytest.skip("borg is not installed")
    home = tmp_path / "home"
    environment = os.environ | {"BORG_PASSPHRASE": password, "BORG_BASE_DIR": str(home)}
    command = ["borg", "init", "-e", "keyfile", str(tmp_path / "r")]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with pytest.raises(WrongPassword) as error:
        opened(tmp_path / "r", password)
    assert "BORG_KEY_FILE" in error.value.remedy
    for name, value in (("BORG_BASE_DIR", home), ("BORG_CONFIG_DIR", home / ".config/borg")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, str(value))
            with opened(tmp_path / "r", password) as source:
                assert source.snapshots() == ()


def test_it_is_read_while_locked_and_not_touched(repository: Path) -> None:
    (repository / "lock.exclusive").mkdir()
    (repository / "lock.exclusive" / "pc@1.2-3").write_bytes(b"")
    shutil.rmtree(repository / "data" / "1", ignore_errors=True)
    before = state(repository)
    with opened(repository) as source:
        for version in listed(source, 1).values():
            read(version)
    assert state(repository) == before


def test_an_index_that_lags_behind_is_made_anew_elsewhere(repository: Path) -> None:
    # As a run leaves it that was killed after its last segment: borg replays segments and writes an index.
    for path in repository.glob("*.*"):
        path.unlink()
    before = state(repository)
    with opened(repository) as source:
        assert len(listed(source, 1)) == 9
    assert state(repository) == before


def test_borg_writes_to_it_meanwhile(
    repository: Path, tmp_path: Path, truth: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    with opened(repository) as source:
        first = source.snapshots()[0]
        (tmp_path / "more.txt").write_text("more")
        ours = ["BORG_RELOCATED_REPO_ACCESS_IS_OK", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"]
        environment = os.environ | dict.fromkeys(ours, "yes") | {"BORG_BASE_DIR": str(tmp_path)}
        for words in (
            ("create", f"{repository}::third", "more.txt"),
            ("delete", f"{repository}::second"),
            ("compact", str(repository)),
        ):
            subprocess.run(["borg", *words], check=True, capture_output=True, env=environment, cwd=tmp_path)
        assert len(source.snapshots()) == 2
        files = {item.entry.path: item for item in source.versions(first) if isinstance(item, Version)}
        assert files.keys() == truth[0].keys()
        assert all(read(version) == truth[0][path] for path, version in files.items())
    with opened(repository) as source:
        assert [snapshot.tags for snapshot in source.snapshots()] == [("first",), ("third",)]
        assert read(listed(source)["/same.txt"]) == b"same bytes\n"


def test_a_chunk_that_is_gone(repository: Path) -> None:
    with opened(repository) as source:
        files = listed(source)
        shutil.rmtree(repository / "data")
        with pytest.raises(Unreadable):
            files["/same.txt"].entry.open()
        shutil.rmtree(repository)
        with pytest.raises(Unreadable):
            files["/changing.txt"].entry.open()
        with pytest.raises(RepositoryDamaged):
            source.versions(source.snapshots()[1])


def test_the_shadow_is_removed(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, borg_repository: Repositories
) -> None:
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(room))
    with opened(repository) as source:
        (shadow,) = room.iterdir()
        assert stat.S_IMODE(shadow.stat().st_mode) == 0o700
        blob = listed(source)["/same.txt"].entry.open()
    assert list(room.iterdir()) == []
    assert blob.at(0, 99) == b"same bytes\n"
    blob.close()
    with pytest.raises(WrongPassword):
        opened(borg_repository("repokey", "lz4"), "wrong")
    assert list(room.iterdir()) == []


def test_foreign_and_missing_repositories(tmp_path: Path) -> None:
    for name, config in (("two", b"[repository]\nversion = 2\n"), ("restic", b"\x81\x02"), ("none", b"")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config").write_bytes(config)
        with pytest.raises(RepositoryDamaged, match="borg"):
            opened(tmp_path / name)
    (tmp_path / "store" / "config").mkdir(parents=True)
    with pytest.raises(RepositoryDamaged, match="borg 2"):
        opened(tmp_path / "store")
    for place in ("nowhere", ""):
        with pytest.raises(NoSuchTarget):
            opened(tmp_path / place)
    for place in ("ssh://backup/./r", "/srv/r::archive"):
        with pytest.raises(NoSuchTarget, match="folder"):
            BorgSource(place, "")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "config").write_bytes(b"[repository]\nversion = 1\n")
    with pytest.raises(RepositoryDamaged):
        opened(tmp_path / "bare")


def test_it_may_not_be_read(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> list[str]:
        raise PermissionError(13, "no", path)

    monkeypatch.setattr(os, "listdir", refused)
    with pytest.raises(NotPermitted):
        opened(repository)
    monkeypatch.undo()
    (repository / "config").unlink()
    (repository / "config").symlink_to("elsewhere")
    (repository / "elsewhere").write_bytes(b"")
    with pytest.raises(NotPermitted):
        opened(repository)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "no such program"),
        ("echo borg 2.0.0", "1.1 to 1.4"),
        ("echo borg 1.0.9", "1.1 to 1.4"),
        ("echo hello", "not borg"),
        ("", "not borg"),
    ],
)
def test_programs_that_are_not_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, words: str
) -> None:
    (tmp_path / "config").write_bytes(b"[repository]\nversion = 1\n")
    (tmp_path / "data").mkdir()
    if script is not None:
        (tmp_path / "borg").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "borg").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgram, match=words) as error:
        opened(tmp_path)
    assert error.value.remedy == "apt-get install borgbackup"


@pytest.mark.parametrize(
    "script", ["echo '[]'", "echo '{'", "exit 2", "echo PermissionError: x >&2; exit 2", "kill -9 $$"]
)
def test_a_program_that_says_nothing_sensible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    (tmp_path / "config").write_bytes(b"[repository]\nversion = 1\n")
    (tmp_path / "data").mkdir()
    body = f'#!/bin/sh\n[ "$1" = --version ] && echo borg 1.2.4 && exit\n{script}\n'
    (tmp_path / "borg").write_text(body)
    (tmp_path / "borg").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(RepositoryDamaged):
        opened(tmp_path)


def test_how_compressed_a_file_is(borg_repository: Repositories) -> None:
    text, noise = "/changing.txt", "/imaging/large.bin"
    with opened(borg_repository("none", "none")) as source:
        assert {version.packed for version in listed(source).values()} == {None}
    with opened(borg_repository("repokey", "lz4"), "correct horse battery staple") as source:
        files = listed(source)
        packed = {path: files[path].packed or 0 for path in (text, noise)}
        assert packed[text] < 1000
        assert packed[noise] == files[noise].entry.size
        assert len(files[noise].chunks) % 32 == 0
        assert source.attributes(files[text]).mtime_ns == 1_600_000_000_123_456_789
    with pytest.raises(TypeError):
        source.attributes(Version(files[text].snapshot, files[text].entry.__class__("a", 1, 1, print), ""))  # type: ignore[arg-type] # not from here
