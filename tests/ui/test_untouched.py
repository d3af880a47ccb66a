"""`vigie timeline` and `vigie recover` on backups that cannot be written, or that somebody is using."""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from vigie.errors import ExitCode
from vigie.ui.cli import recover, timeline

TEXT = "Madame, votre bilan sanguin est normal. Merci de revenir dans six mois.\n" * 40
NAMES = ("a.txt", "b.txt", "c.txt", "d.txt")
Digest = dict[str, tuple[int, int, int, str]]


def program(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")


def written(folder: Path, times: int) -> Path:
    """The share as it is on the first day, and on the second, when two of its files were hit."""
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        (folder / name).write_bytes(os.urandom(9000) if times and name < "c" else (name + TEXT).encode())
    return folder


@pytest.fixture(scope="module")
def restic(tmp_path_factory: pytest.TempPathFactory, quick_key: Callable[[Path, str], None]) -> Path:
    program("restic")
    top = tmp_path_factory.mktemp("restic")
    repository = top / "repository"
    environment = os.environ | {"RESTIC_PASSWORD": "pw", "RESTIC_CACHE_DIR": str(top / "cache")}
    command = ["restic", "-q", "-r", str(repository)]
    subprocess.run([*command, "init"], env=environment, check=True, capture_output=True)
    quick_key(repository, "pw")
    for times in range(2):
        share = str(written(top / "share", times))
        subprocess.run([*command, "backup", share], env=environment, check=True, capture_output=True)
    return repository


@pytest.fixture(scope="module")
def borg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program("borg")
    top = tmp_path_factory.mktemp("borg")
    repository = top / "repository"
    environment = os.environ | {"BORG_PASSPHRASE": "pw", "BORG_BASE_DIR": str(top)}
    for times in range(2):
        written(top / "share", times)
        made = [["borg", "init", "-e", "repokey", str(repository)]] if not times else []
        for command in (*made, ["borg", "create", f"{repository}::{times}", "share"]):
            subprocess.run(command, env=environment, check=True, capture_output=True, cwd=top)
    return repository


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("snapshots")
    for times, day in enumerate(("2026-11-03", "2026-11-04")):
        written(top / day, times)
    return top


@pytest.fixture
def mounted(tmp_path: Path, as_root: None) -> Iterator[Callable[[Path], Path]]:  # noqa: ARG001 - it skips
    """Mount a folder once more, read-only."""
    place = tmp_path / "read-only"
    place.mkdir()

    def mount(folder: Path) -> Path:
        bind = ["mount", "--bind", "-o", "ro", str(folder), str(place)]
        if subprocess.run(bind, check=False, capture_output=True).returncode:
            pytest.skip("mounting is not allowed here")
        with pytest.raises(OSError, match="Read-only"):
            (place / "probe").touch()
        return place

    yield mount
    subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


def digest(folder: Path) -> Digest:
    """Names, modes, sizes, times and bytes; not when it was last read."""
    found: Digest = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_size, status.st_mtime_ns, content)
    return found


def run(command: click.Command, *arguments: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(command, [*arguments, "--json"], standalone_mode=False)
    assert result.exception is None, result.exception
    *_, last = map(json.loads, result.stdout.splitlines())
    return int(result.return_value), last["summary"]


def the_attack_is_seen(source: str) -> None:
    code, said = run(timeline.command, source)
    assert (code, said["affected"]) == (ExitCode.FOUND, 2)


def everything_works(source: str, tmp_path: Path) -> None:
    the_attack_is_seen(source)
    code, said = run(recover.command, source, "--plan")
    assert code == ExitCode.CLEAN
    code, said = run(recover.command, source, "--to", str(tmp_path / "to"))
    assert (code, said["restored"], said["verified"]) == (ExitCode.CLEAN, 4, 4)
    back = {path.name: path.read_text() for path in (tmp_path / "to").rglob("*.txt")}
    assert back == {name: name + TEXT for name in NAMES}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("RESTIC_PASSWORD", "pw")
    monkeypatch.setenv("BORG_PASSPHRASE", "pw")
    monkeypatch.setenv("HOME", str(tmp_path))  # a machine on which borg never ran
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", ["restic", "snapshots"])
def test_a_backup_on_a_read_only_mount(
    kind: str, mounted: Callable[[Path], Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    backup: Path = request.getfixturevalue(kind)
    before = digest(backup)
    everything_works(f"{kind}:{mounted(backup)}", tmp_path)
    assert digest(backup) == before


def test_a_borg_repository_on_a_read_only_mount(borg: Path, mounted: Callable[[Path], Path]) -> None:
    before = digest(borg)
    the_attack_is_seen(f"borg:{mounted(borg)}")
    assert digest(borg) == before


def test_a_repository_that_a_backup_is_being_written_to(restic: Path, tmp_path: Path) -> None:
    repository = Path(shutil.copytree(restic, tmp_path / "in-use"))
    before = digest(repository)
    environment = os.environ | {"RESTIC_CACHE_DIR": str(tmp_path / "cache")}
    command = ["restic", "-q", "-r", str(repository), "backup", "--stdin"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as backup:
        assert backup.stdin is not None
        try:
            backup.stdin.write(os.urandom(1 << 20))
            deadline = time.monotonic() + 20
            while not (locks := os.listdir(repository / "locks")):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            everything_works(f"restic:{repository}", tmp_path)
            assert os.listdir(repository / "locks") == locks
            assert backup.poll() is None
        finally:
            backup.stdin.close()
    assert backup.returncode == 0
    after = digest(repository)
    folders = {name for name in before if (repository / name).is_dir()}
    assert all(after[name] == was for name, was in before.items() if name not in folders)
    assert os.listdir(repository / "locks") == []
    check = ["restic", "-q", "-r", str(repository), "check", "--read-data"]
    subprocess.run(check, env=environment, check=True, capture_output=True)
