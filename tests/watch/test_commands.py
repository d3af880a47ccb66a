import json
import os
import time
from pathlib import Path

import pytest

from vigie.watch.actions import Measure, about
from vigie.watch.commands import Commands, Own

INCIDENT = {"id": "i1", "reason": "é\n\udce9"}


def commands(*own: Own) -> Commands:
    return Commands(own, lambda incident: INCIDENT if incident == "i1" else {})


def own(tmp_path: Path, body: str, undo: str = "", seconds: float = 10) -> Own:
    path = tmp_path / "mine"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return Own("tell the pager", (str(path), "a b"), ("sh", "-c", undo) if undo else (), seconds)


def test_it_gets_the_incident_and_says_how_it_went(tmp_path: Path) -> None:
    mine = own(tmp_path, f'echo "$1 $VIGIE_INCIDENT"; cat > {tmp_path}/told', undo="echo gone")
    measure = about(Measure("command", {"command": mine.name}), "i1")
    outcome = commands(mine).do(measure.target)
    assert outcome.in_force
    assert outcome.words == "done: a b i1"
    assert json.loads((tmp_path / "told").read_text()) == INCIDENT
    undone = commands(mine).undo(measure.target)
    assert not undone.in_force
    assert undone.words == "undone: gone"


def test_without_an_undoing_nothing_stays_in_force(tmp_path: Path) -> None:
    mine = own(tmp_path, "true")
    target = {"command": mine.name}
    assert not commands(mine).do(target).in_force
    assert commands(mine).undo(target).in_force


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo no; exit 7", "it ended with 7: no"),
        ("exec sleep 60", "killed after 0.2 s"),
        ("sleep 60 & exit 0", "done"),
        ("setsid sleep 5 & exit 0", "done"),
        ("head -c 3000000 /dev/zero", "done"),
    ],
)
def test_it_never_keeps_anybody_waiting(tmp_path: Path, body: str, words: str) -> None:
    mine = own(tmp_path, body, seconds=0.2 if "exec" in body else 3)
    began = time.monotonic()
    outcome = commands(mine).do({"command": mine.name})
    assert time.monotonic() - began < 3
    assert outcome.words.startswith(words)
    assert len(outcome.words) < 400


def test_what_it_leaves_behind_is_killed(tmp_path: Path) -> None:
    mine = own(tmp_path, f"sleep 60 & echo $! > {tmp_path}/pid")
    commands(mine).do({"command": mine.name})
    pid = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            break
        if state == "Z":
            break
        time.sleep(0.01)
    else:
        os.kill(pid, 9)
        pytest.fail("it still runs")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    mine = Own("gone", (str(tmp_path / "none"),), (), 1)
    assert "No such file" in commands(mine).do({"command": "gone"}).words
    assert not commands(mine).do({"command": "other"}).done
    assert commands(mine).undo({"command": "other"}).in_force
