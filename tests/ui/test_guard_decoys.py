"""`vigie guard decoys`, as a person or a program uses it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vigie.journal import Journal
from vigie.ui.cli.guard import command


@pytest.fixture
def share(tmp_path: Path) -> Path:
    made = tmp_path / "share"
    made.mkdir()
    (made / "a.txt").write_text("fine\n")
    return made


def run(tmp_path: Path, *words: str | Path) -> tuple[int, str]:
    state = ["--state", str(tmp_path / "state")]
    result = CliRunner().invoke(command, ["decoys", *map(str, words), *state], standalone_mode=False)
    assert result.exception is None, result.exception
    return int(result.return_value), result.output


def records(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def test_placed_listed_and_removed(share: Path, tmp_path: Path) -> None:
    code, output = run(tmp_path, "place", "--json", share)
    *placed, last = records(output)
    assert (code, len(placed), last["summary"]["placed"]) == (0, 4, 4)
    assert all(Path(item["path"]).name in last["summary"]["hide_files"] for item in placed)
    code, output = run(tmp_path, "place", share)
    assert code == 3
    assert "has decoys already" in output
    Path(placed[0]["path"]).unlink()
    code, output = run(tmp_path, "list")
    assert (code, "(gone)" in output, "4 decoys, 1 of them gone" in output) == (0, True, True)
    assert records(run(tmp_path, "list", "--json")[1])[-1]["summary"]["missing"] == 1
    Path(placed[1]["path"]).write_text("changed")
    code, output = run(tmp_path, "remove", share)
    assert (code, "it was changed" in output) == (3, True)
    code, output = run(tmp_path, "remove", "--force", "--json")
    assert (code, records(output)[-1]["summary"]) == (0, {"removed": 1, "kept": []})
    assert [path.name for path in share.iterdir()] == ["a.txt"]
    with Journal(tmp_path / "state") as journal:
        whats = [row.body["what"] for row in journal.rows("decoy")]
    assert (whats.count("placed"), whats.count("removed")) == (4, 4)


def test_people_are_told_how_to_hide_them(share: Path, tmp_path: Path) -> None:
    code, output = run(tmp_path, "place", share)
    assert (code, "hide files = /" in output) == (0, True)
    code, output = run(tmp_path, "remove")
    assert (code, output) == (0, "4 decoys removed\n")
