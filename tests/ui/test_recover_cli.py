"""`vigie recover` and `vigie timeline` where things go wrong: in part, damaged, full, unrecoverable."""

import errno
import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from vigie.errors import BadSettings, DiskFull, NoSuchTarget, NotPermitted, WrongPassword
from vigie.journal import Journal
from vigie.ui.cli import recover, timeline, vault

TEXT = "Madame, votre bilan sanguin est normal. Merci de revenir dans six mois.\n" * 40


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, quick_key: Callable[[Path, str], None]) -> Path:
    if shutil.which("restic") is None:
        pytest.skip("restic is not installed")
    path = tmp_path_factory.mktemp("recover") / "repository"
    restic(path, "init")
    quick_key(path, "pw")
    return path


def restic(repository: Path, *arguments: str) -> None:
    environment = os.environ | {"RESTIC_PASSWORD": "pw", "RESTIC_CACHE_DIR": str(repository.parent / "cache")}
    command = ["restic", "-r", str(repository), *arguments]
    subprocess.run(command, env=environment, check=True, capture_output=True)


@pytest.fixture
def repository(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = Path(shutil.copytree(template, tmp_path / "repository"))
    monkeypatch.setenv("RESTIC_PASSWORD", "pw")
    monkeypatch.setenv("RESTIC_REPOSITORY", str(path))
    monkeypatch.setenv("VIGIE_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(name + TEXT)
    return folder


def run(command: click.Command, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, standalone_mode=False)


def records(result: Result) -> Iterator[dict[str, Any]]:
    assert result.exception is None, result.exception
    return (json.loads(line) for line in result.stdout.splitlines())


def test_nothing_happened(repository: Path, share: Path) -> None:
    restic(repository, "backup", str(share))
    result = run(timeline.command)
    assert (result.exception, result.return_value) == (None, 0)
    assert "Nothing is encrypted in any snapshot." in result.output
    planned = run(recover.command, "--plan")
    assert planned.return_value == 0
    assert "2 files would be restored; 0 unrecoverable." in planned.output


def test_hit_from_the_first_snapshot_and_unrecoverable(repository: Path, share: Path, tmp_path: Path) -> None:
    (share / "x.pdf").write_bytes(os.urandom(9000))
    restic(repository, "backup", str(share))
    result = run(timeline.command)
    assert result.return_value == 1
    assert "it began before" in result.output
    assert "1 without a healthy version" in result.output
    planned = run(recover.command, "--plan")
    assert planned.return_value == 1
    assert "every version is encrypted" in planned.output
    *files, last = records(run(recover.command, "--to", "to", "--json"))
    assert last["summary"]["unrecoverable"] == 1
    assert last["summary"]["restored"] == 2
    [lost] = [file for file in files if file["outcome"] == "unrecoverable"]
    assert (lost["verdict"], lost["snapshot"], lost["sha256"]) == ("encrypted", None, None)
    with Journal(tmp_path / "state") as journal:
        assert [row.body["unrecoverable"] for row in journal.rows("recover")] == [1]
    people = run(recover.command, "--to", "to")
    assert people.return_value == 1
    assert "2 files back, 2 verified healthy, 1 unrecoverable." in people.output


def test_a_damaged_index_is_named(repository: Path, share: Path, tmp_path: Path) -> None:
    restic(repository, "backup", str(share))
    (share / "a.txt").write_text("newer" + TEXT)
    restic(repository, "backup", str(share))
    snapshot = max((repository / "snapshots").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    snapshot.chmod(0o600)
    snapshot.write_bytes(bytes(200))
    result = run(timeline.command)
    assert result.return_value == 3
    assert "the source itself" in result.output
    *_, last = records(run(timeline.command, "--json"))
    assert len(last["summary"]["damage"]) == 1
    handed = run(recover.command, "--to", str(tmp_path / "to"))
    assert handed.return_value == 3
    assert "the source itself" in handed.stderr


def test_equal_times_are_noted(repository: Path, share: Path) -> None:
    for _ in range(2):
        restic(repository, "backup", "--time=2026-01-01 00:00:00", str(share))
    assert "note: snapshot" in run(timeline.command).output


def test_no_snapshot(repository: Path) -> None:
    assert repository.exists()
    assert isinstance(run(timeline.command).exception, NoSuchTarget)
    assert isinstance(run(recover.command, "--plan").exception, NoSuchTarget)


def test_a_wrong_password(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert repository.exists()
    monkeypatch.setenv("RESTIC_PASSWORD", "wrong")
    assert isinstance(run(timeline.command).exception, WrongPassword)


def test_a_full_disk_lists_what_is_back(repository: Path, share: Path, tmp_path: Path, as_root: None) -> None:
    del as_root
    (share / "b.txt").write_text(TEXT * 2000)
    os.utime(share / "b.txt", (1, 1))  # the newest come first
    restic(repository, "backup", str(share))
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        result = run(recover.command, "--to", str(small), "--json")
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
    assert isinstance(result.exception, DiskFull)
    first, last = (json.loads(line) for line in result.stdout.splitlines())
    assert first["path"].endswith("a.txt")
    assert last["summary"]["restored"] == 1
    with Journal(tmp_path / "state") as journal:
        assert [row.body["restored"] for row in journal.rows("recover")] == [1]


def test_keep_in_part(repository: Path, share: Path) -> None:
    assert repository.exists()
    os.mkfifo(share / "pipe")
    result = run(vault.command, "keep", str(share))
    assert (result.exception, result.return_value) == (None, 3)
    assert "skipped" in result.output
    assert "pipe" in result.output


UNREAD = """#!/bin/sh
case $1 in
version) echo "restic 0.17.3" ;;
backup)
    echo '{"message_type":"error","error":{"message":"vanished"},"during":"archival","item":"/x/b"}' >&2
    echo '{"message_type":"status","total_bytes":10,"bytes_done":5}'
    echo '{"message_type":"summary","snapshot_id":"abcdef0123456789","data_added":7}'
    exit 3 ;;
restore) echo 'ignoring error for /x/b: vanished' >&2; exit 1 ;;
esac
"""


def test_what_restic_could_not_do_is_named(repository: Path, share: Path, tmp_path: Path) -> None:
    assert repository.exists()
    program = tmp_path / "program"
    program.write_text(UNREAD)
    program.chmod(0o755)
    (tmp_path / "vigie.toml").write_text(f"[vault]\nrestic = {json.dumps(str(program))}\n")
    kept = run(vault.command, "keep", str(share))
    assert (kept.exception, kept.return_value) == (None, 3)
    assert "/x/b: restic could not read it (vanished)" in kept.output
    first, last = records(run(vault.command, "keep", str(share), "--json"))
    assert first == {"path": "/x/b", "error": "restic could not read it (vanished)"}
    assert last["summary"]["unread"] == 1
    restored = run(vault.command, "restore", "latest", "--to", str(tmp_path / "one"))
    assert restored.return_value == 3
    assert "not restored: /x/b: vanished" in restored.output
    first, last = records(run(vault.command, "restore", "latest", "--to", str(tmp_path / "two"), "--json"))
    assert first == {"path": "/x/b", "error": "vanished"}
    assert last["summary"]["missed"] == 1


def test_what_no_snapshot_shows_is_not_called_clean(repository: Path, share: Path) -> None:
    restic(repository, "backup", str(share))
    for pack in repository.glob("data/*/*"):
        pack.unlink()
    result = run(timeline.command)
    assert result.return_value == 3
    assert (
        "Nothing that could be read is encrypted, but 1 snapshot could not be read in full" in result.output
    )
    assert "last clean" not in result.output
    assert "1 not read" in result.output


def test_the_plan_has_steps_with_files_bytes_and_time(repository: Path, share: Path, tmp_path: Path) -> None:
    (share / "x").mkdir()
    (share / "x" / "allergies.txt").write_text("penicilline" + TEXT)
    restic(repository, "backup", str(share))
    people = run(recover.command, "--plan")
    assert (people.exception, people.return_value) == (None, 0)
    assert "allergies and medication" in people.output
    assert "assumed: 500 files and 50 MB a second" in people.output
    *files, last = records(run(recover.command, "--plan", "--json", "--limit", "1K"))
    assert [file["step"] for file in files] == ["allergies and medication", *["documents, newest first"] * 2]
    first, second = last["summary"]["steps"]
    assert (first["files"], second["files"]) == (1, 2)
    assert first["bytes"] == len("penicilline" + TEXT)
    assert first["seconds"] == round(first["bytes"] / 1024, 1)
    assert "the limit given" in last["summary"]["speed"]
    assert not (tmp_path / "state" / "journal.sqlite").exists()


def test_the_plan_goes_by_what_was_measured_here(repository: Path, share: Path, tmp_path: Path) -> None:
    restic(repository, "backup", str(share))
    with Journal(tmp_path / "state") as journal:
        journal.append("recover", {"seconds": 100.0, "written": 1000, "bytes": 0})
        journal.append("recover", {"seconds": 0.1, "written": 1000, "bytes": 0})
    *_, last = records(run(recover.command, "--plan", "--json"))
    assert "journal row 1" in last["summary"]["speed"]
    assert last["summary"]["steps"][0]["seconds"] == 0.2


def test_another_order(repository: Path, share: Path, tmp_path: Path) -> None:
    restic(repository, "backup", str(share))
    mine = tmp_path / "mine.toml"
    mine.write_text('[[recover.order]]\nname = "[mine]"\nwords = ["b"]\n')
    *files, _ = records(run(recover.command, "--to", "to", "--order", str(mine), "--json"))
    assert [(os.path.basename(file["path"]), file["step"]) for file in files] == [
        ("b.txt", "[mine]"),
        ("a.txt", "the rest"),
    ]
    assert "[mine]" in run(recover.command, "--plan", "--order", str(mine)).output
    assert isinstance(run(recover.command, "--plan", "--order", "none").exception, NoSuchTarget)
    mine.write_text("")
    assert isinstance(run(recover.command, "--plan", "--order", str(mine)).exception, BadSettings)
    assert isinstance(run(recover.command, "--plan", "--limit", "fast").exception, click.BadParameter)


def test_the_manifest_is_checked(repository: Path, share: Path, tmp_path: Path) -> None:
    restic(repository, "backup", str(share))
    handed = run(recover.command, "--to", "to")
    assert (handed.exception, handed.return_value) == (None, 0)
    with Journal(tmp_path / "state") as journal:
        [row] = journal.rows("recover")
    assert row.body["key"] in handed.output
    whole = run(recover.command, "--verify-manifest", "to")
    assert (whole.exception, whole.return_value) == (None, 0)
    assert "2 files as they were handed back" in whole.output
    assert f"{row.body['key']} (of this installation)" in whole.output
    Path(f"to{share}/a.txt").write_text("mine")
    changed = run(recover.command, "--verify-manifest", "to")
    assert changed.return_value == 1
    assert "does not hold" in changed.output
    item, last = records(run(recover.command, "--verify-manifest", "to", "--json", "--state", "elsewhere"))
    assert item["path"].endswith("a.txt")
    assert last["summary"] == {
        "files": 1,
        "problems": 1,
        "ended": True,
        "key": row.body["key"],
        "own_key": False,
    }
    Path(f"to{share}/a.txt").write_text("a.txt" + TEXT)
    with Path("to/vigie-manifest.jsonl").open("a") as file:
        file.write('{"torn')
    torn = run(recover.command, "--verify-manifest", "to")
    assert torn.return_value == 3
    assert "cut short" in torn.output


def test_the_nearest_thing_is_named_and_handed_back(repository: Path, share: Path) -> None:
    restic(repository, "backup", str(share))
    (share / "a.txt").write_bytes(os.urandom(9000))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as into:
        into.writestr("lettre.txt", TEXT * 5)
    broken = made.getvalue().replace(b"Madame", b"MADAME", 1)  # a checksum that does not hold
    (share / "n.zip").write_bytes(broken)
    restic(repository, "backup", str(share))
    *files, _ = records(run(recover.command, "--to", "to", "--nearest", "--json"))
    assert {file["outcome"] for file in files if file["path"].endswith("n.zip")} == {
        "nearest",
        "unrecoverable",
    }
    assert Path(f"to{share}/n.vigie-unverified.zip").read_bytes() == broken
    assert "nearest: damaged in" in run(recover.command, "--to", "to").output


def test_nothing_is_handed_back_into_the_repository(repository: Path, share: Path) -> None:
    restic(repository, "backup", str(share))
    result = run(recover.command, "--to", str(repository / "back"))
    assert isinstance(result.exception, NotPermitted)
    assert not (repository / "back").exists()


def test_what_the_disk_does_not_take_is_counted(
    repository: Path, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        os.setxattr(share / "a.txt", "user.origin", b"scanner")
        os.setxattr(share, "user.ward", b"2 north")
    except OSError:
        pytest.skip("the disk takes no extended attributes")
    restic(repository, "backup", str(share))

    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "setxattr", refuse)
    result = run(recover.command, "--to", "to")
    assert (result.exception, result.return_value) == (None, 0)
    assert "1 file could not be given user.origin" in result.output
    assert f"folder {share}: could not be given user.ward" in result.output
