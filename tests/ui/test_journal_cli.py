"""`vigie journal`: shown, filtered, verified, and never made by looking at it."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from vigie.errors import JournalBroken, NoSuchTarget
from vigie.journal import Journal
from vigie.ui.cli.journal import command


@pytest.fixture
def state(tmp_path: Path) -> Path:
    with Journal(tmp_path) as journal:
        journal.append("keep", {"files": 3})
        journal.append("verdict", {"path": "/a/caf\udce9 [x].txt", "evidence": ["y" * 500]})
    return tmp_path


def run(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--state", str(state)], standalone_mode=False)


def records(result: Result) -> list[dict[str, Any]]:
    assert result.exception is None, result.exception
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_show_json(state: Path) -> None:
    first, second, last = records(run(state, "show", "--json"))
    assert (first["id"], first["kind"], first["body"]) == (1, "keep", {"files": 3})
    assert second["body"]["path"] == "/a/caf\udce9 [x].txt"
    assert first["time"].endswith("+00:00")
    assert last == {"summary": {"rows": 2}}


def test_show_some(state: Path) -> None:
    assert len(records(run(state, "show", "--json", "--kind", "keep"))) == 2
    assert len(records(run(state, "show", "--json", "--after", "1"))) == 2
    assert records(run(state, "show", "--json", "--kind", "none")) == [{"summary": {"rows": 0}}]


def test_show_to_people(state: Path) -> None:
    result = run(state, "show")
    assert result.exception is None
    assert "keep" in result.output
    assert "[x]" in result.output
    assert "yyyyy" * 50 not in result.output


def test_verify(state: Path) -> None:
    (summary,) = records(run(state, "verify", "--json"))
    digest = summary["summary"]["hash"]
    assert summary["summary"]["rows"] == 2
    assert run(state, "verify", "--expect", digest).return_value == 0
    assert digest in run(state, "verify").output
    assert isinstance(run(state, "verify", "--expect", "0" * 63 + "1").exception, JournalBroken)


def test_a_changed_row(state: Path) -> None:
    with sqlite3.connect(state / "journal.sqlite") as db:
        db.execute("DROP TRIGGER journal_no_update")
        db.execute("UPDATE journal SET body = '{}' WHERE id = 1")
    db.close()
    assert isinstance(run(state, "verify").exception, JournalBroken)


@pytest.mark.parametrize("verb", ["show", "verify"])
def test_no_journal(tmp_path: Path, verb: str) -> None:
    result = run(tmp_path / "none", verb)
    assert isinstance(result.exception, NoSuchTarget)
    assert not (tmp_path / "none").exists()


def test_it_is_a_group() -> None:
    assert isinstance(command, click.Group)


def test_an_emptied_journal_is_not_unbroken(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    (tmp_path / "journal.sqlite").write_bytes(b"")
    for words in (["verify"], ["show"]):
        done = subprocess.run(
            [sys.executable, "-m", "vigie", "journal", *words, "--state", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "it is empty" in done.stderr


def test_a_reader_that_goes_away_leaves_quietly(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for number in range(3000):
            journal.append("verdict", {"number": number}, durable=False)
    command = [sys.executable, "-m", "vigie", "journal", "show", "--state", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout
        child.stdout.readline()
        child.stdout.close()
        assert child.wait(30) == 3
        assert child.stderr
        assert child.stderr.read() == ""
