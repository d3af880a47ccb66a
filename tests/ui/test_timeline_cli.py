"""`vigie timeline` through real restic: table, JSON, files, all of it, and cautions."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from vigie.ui.cli import timeline

TEXT = "Madame, votre bilan sanguin est normal. Merci de revenir dans six mois.\n" * 40


def restic(repository: Path, *arguments: str) -> None:
    environment = os.environ | {"RESTIC_PASSWORD": "pw", "RESTIC_CACHE_DIR": str(repository.parent / "cache")}
    command = ["restic", "-r", str(repository), *arguments]
    subprocess.run(command, env=environment, check=True, capture_output=True)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, quick_key: Callable[[Path, str], None]) -> Path:
    """Three snapshots of six letters: the second is edited, in the third all are random and renamed."""
    if shutil.which("restic") is None:
        pytest.skip("restic is not installed")
    top = tmp_path_factory.mktemp("timeline")
    share = top / "share"
    share.mkdir()
    restic(top / "repository", "init")

    def keep(day: int) -> None:
        for path in share.iterdir():
            os.utime(path, (1_700_000_000, 1_700_000_000))  # before the days that the snapshots are dated
        restic(top / "repository", "backup", f"--time=2026-01-0{day} 00:00:00", str(share))

    quick_key(top / "repository", "pw")
    for n in range(6):
        (share / f"{n}.txt").write_text(f"{n} {TEXT}")
    keep(1)
    (share / "0.txt").write_text(f"edited {TEXT}")
    keep(2)
    for n in range(6):
        (share / f"{n}.txt").unlink()
        (share / f"{n}.txt.locked").write_bytes(os.urandom(9000))
    keep(3)
    return top / "repository"


@pytest.fixture(autouse=True)
def here(attacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTIC_PASSWORD", "pw")
    monkeypatch.setenv("RESTIC_REPOSITORY", str(attacked))
    monkeypatch.setenv("VIGIE_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(timeline.command, arguments, standalone_mode=False)
    assert result.exception is None, result.exception
    return result


def records(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(*arguments, "--json").stdout.splitlines()]


def test_for_people() -> None:
    result = run("--files")
    assert result.return_value == 1
    assert "It began between" in result.output
    assert "added to names: .locked (6)" in result.output
    assert "6 documents affected; 0 never hit; 0 without a healthy version." in result.output
    assert "before you forget" not in result.output
    assert result.output.count(", clean in ") == 6


def test_for_machines() -> None:
    *rows, last = records("--files")
    snapshots, hits = rows[:3], rows[3:]
    assert [(row["new"], row["changed"], row["encrypted"]) for row in snapshots] == [
        (6, 0, 0),
        (0, 1, 0),
        (6, 0, 6),
    ]
    assert {hit["last_clean"] for hit in hits} == {snapshots[1]["snapshot"]}
    assert all(hit["now"] == hit["path"] + ".locked" and hit["sure"] for hit in hits)
    assert [hit["stage"] for hit in hits] == [2] * 6
    summary = last["summary"]
    assert (summary["last_clean"], summary["first_hit"]) == tuple(row["snapshot"] for row in snapshots[1:])
    assert (summary["affected"], summary["unrecoverable"], summary["never_hit"]) == (6, 0, 0)
    assert summary["stages"] == {"1": 7, "2": 6, "3": 0}
    [wave] = summary["waves"]
    assert (wave["files"], wave["endings"]) == (6, {".locked": 6})


def test_all_of_every_version() -> None:
    *rows, last = records("--full")
    assert len(rows) == 3
    assert last["summary"]["stages"] == {"1": 0, "2": 0, "3": 13}


def test_a_policy_that_would_drop_the_clean_ones(tmp_path: Path) -> None:
    (tmp_path / "vigie.toml").write_text("[vault.forget]\nlast = 1\n")
    result = run()
    assert "before you forget any snapshot" in result.output
    assert "would go, with the last clean version of 6 documents" in result.output
    *rows, last = records()
    assert {"what": "needed", "snapshots": [rows[1]["snapshot"]], "files": 6} in last["summary"]["cautions"]
    (tmp_path / "vigie.toml").write_text("[vault.forget]\nlast = 2\n")
    assert "would go" not in run().output
