"""What `vigie timeline` and `vigie recover` keep between runs, through real restic."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from vigie.ui.cli import recover, timeline

NAME = "timeline.sqlite"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, quick_key: Callable[[Path, str], None]) -> Path:
    """Two snapshots of six files; in the second, all are random and have another name."""
    if shutil.which("restic") is None:
        pytest.skip("restic is not installed")
    top = tmp_path_factory.mktemp("memory")
    share, made = top / "share", top / "repository"
    share.mkdir()
    environment = os.environ | {"RESTIC_PASSWORD": "pw", "RESTIC_CACHE_DIR": str(top / "cache")}

    def restic(*arguments: str) -> None:
        command = ["restic", "-r", str(made), *arguments]
        subprocess.run(command, env=environment, check=True, capture_output=True)

    restic("init")
    quick_key(made, "pw")
    for n in range(6):
        (share / f"{n}.txt").write_text(f"Madame, votre bilan {n} est normal.\n" * 60)
    restic("backup", "--time=2026-01-01 00:00:00", str(share))
    for n in range(6):
        (share / f"{n}.txt").unlink()
        (share / f"{n}.txt.locked").write_bytes(os.urandom(9000))
    restic("backup", "--time=2026-01-02 00:00:00", str(share))
    return made


@pytest.fixture(autouse=True)
def here(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTIC_PASSWORD", "pw")
    monkeypatch.setenv("RESTIC_REPOSITORY", str(repository))
    monkeypatch.setenv("VIGIE_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def said(command: click.Command, *arguments: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(command, [*arguments, "--json"], standalone_mode=False)
    assert result.exception is None, result.exception
    return [json.loads(line) for line in result.stdout.splitlines()]


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    found = rows[-1]["summary"]
    assert isinstance(found, dict)
    return found


def test_the_second_run_says_the_same_and_reads_nothing(tmp_path: Path) -> None:
    *first, last = said(timeline.command, "--files")
    *second, then = said(timeline.command, "--files")
    assert first == second
    known, read = last["summary"].pop("known"), last["summary"].pop("read")
    assert known == 0
    assert read > 0
    assert then["summary"].pop("known") == 6
    assert then["summary"].pop("read") == 0
    assert last == then
    assert (tmp_path / "state" / NAME).stat().st_mode & 0o777 == 0o600


def test_people_are_told(tmp_path: Path) -> None:
    def output() -> str:
        return CliRunner().invoke(timeline.command, [], standalone_mode=False).output

    assert "Known from earlier runs" not in output()
    assert "Known from earlier runs, and not read again: 6." in output()
    assert (tmp_path / "state" / NAME).exists()


def test_again_neither_asks_nor_tells_the_memory(tmp_path: Path) -> None:
    assert summary(said(timeline.command, "--again"))["known"] == 0
    said(recover.command, "--plan", "--again")
    assert not (tmp_path / "state" / NAME).exists()
    said(timeline.command)
    assert summary(said(timeline.command, "--again"))["read"] > 0


def test_a_plan_is_made_from_what_the_timeline_read(tmp_path: Path) -> None:
    afresh = said(recover.command, "--plan", "--again")
    said(timeline.command)
    kept = (tmp_path / "state" / NAME).read_bytes()
    assert said(recover.command, "--plan") == afresh
    assert (tmp_path / "state" / NAME).read_bytes() == kept, "it had nothing to add"


def test_memory_that_is_broken_is_said_and_done_without(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / NAME).write_bytes(b"no database" * 1000)
    assert "not a database" in summary(said(timeline.command))["memory"]
    for command, arguments in ((timeline.command, []), (recover.command, ["--plan"])):
        result = CliRunner().invoke(command, arguments, standalone_mode=False)
        assert "Went on without memory of earlier runs: " in result.output
        assert result.return_value == (1 if command is timeline.command else 0)
