"""`vigie guard install`, `status`, `--replay`, the standing, the figures, and settings read again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vigie.config import GuardSettings, MetricsSettings, Settings
from vigie.errors import BadSettings, JournalBroken, NotPermitted
from vigie.journal import Journal
from vigie.model import Actor, Process, State, Verdict
from vigie.ui.cli.guard import command
from vigie.ui.cli.guard.standing import metrics_of, standing_for
from vigie.ui.cli.guard.unit import CAPABILITIES, unit
from vigie.watch.facts import Observation, to_body
from vigie.watch.metrics import Metrics
from vigie.watch.standing import NAME, Standing


def vigie(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(command, [*map(str, words)], standalone_mode=False, catch_exceptions=False)
    return int(done.return_value or 0), done.output


def standing(**fields: Any) -> Standing:
    now = time.time_ns()
    return Standing(os.getpid(), now, now - 10**9, "fanotify", contain=True, paths=("/srv",), **fields)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def locked(state: Path) -> Iterator[Path]:
    """A state folder that another process guards: a record lock is nobody's within its own."""
    script = """if True:
        import pathlib, sys
        from vigie.watch.lock import sole_guard
        with sole_guard(pathlib.Path(sys.argv[1])):
            print(flush=True)
            sys.stdin.read()
    """
    words = [sys.executable, "-c", script, str(state)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield state
        process.communicate()


def test_a_guard_that_does_not_run(state: Path) -> None:
    code, said = vigie("status", "--state", state)
    assert code == 2
    assert "not running" in said
    standing().write(state)
    code, said = vigie("status", "--state", state)
    assert code == 2
    assert "its last sign is of" in said
    assert json.loads(vigie("status", "--state", state, "--json")[1])["summary"]["running"] is False


def test_how_it_stands(locked: Path) -> None:
    standing(scanning=True, files=500, known=2000, judged=7, lost=("/mnt: no such thing",)).write(locked)
    code, said = vigie("status", "--state", locked)
    assert code == 0
    for words in ("watching since", "500 of some 2,000 files", "/mnt: no such thing", "none is open"):
        assert words in said
    standing(troubles={"journal": "the disk is full"}).write(locked)
    code, said = vigie("status", "--state", locked)
    assert code == 2
    assert "journal: the disk is full" in said
    with Journal(locked) as journal:
        body = {"id": "i1", "actor": None, "files": ["/a\x1b[2J"], "count": 1, "reason": "because"}
        journal.append("incident", body)
        journal.append(
            "action",
            {
                "incident": "i1",
                "action": "deny-address",
                "address": "10.0.0.2",
                "outcome": "denied",
                "in_force": True,
                "expires_ns": 10**18,
            },
        )
    standing().write(locked)
    code, said = vigie("status", "--state", locked)
    assert code == 1
    assert "i1: because" in said
    assert "deny-address 10.0.0.2: denied, until" in said
    told = json.loads(vigie("status", "--state", locked, "--json")[1])["summary"]
    assert told["running"] is True
    assert told["incidents_open"] == ["i1"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": 1}', "\xff"])
def test_a_standing_that_is_none(state: Path, text: str) -> None:
    (state / NAME).write_text(text, encoding="latin-1")
    assert Standing.read(state) is None
    assert Standing.read(state / "none") is None
    assert vigie("status", "--state", state)[0] == 2


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "vigie 100%.toml"
    path.write_text('[guard]\npaths = ["/srv/patients"]\n[vault]\nrepository = "/srv/vault"\n')
    return path


def test_the_unit_is_written_and_systemd_takes_it(tmp_path: Path, settings: Path, state: Path) -> None:
    words = ("install", "--contain", "--to", tmp_path, "--state", state, "--settings", settings)
    code, said = vigie(*words)
    assert code == 0, said
    place = tmp_path / "vigie-guard.service"
    text = place.read_text()
    assert "guard --contain --settings" in text
    assert "vigie 100%%.toml" in text
    assert f'"-{state}" ' in text
    assert '"-/srv/vault"' in text
    assert all(name in text for name in CAPABILITIES)
    assert (state / "numba").stat().st_mode & 0o777 == 0o700
    assert vigie(*words)[0] == 0  # the same again is no change
    with pytest.raises(BadSettings, match="another one"):
        vigie("install", "--to", tmp_path, "--state", state, "--settings", settings)
    place.write_text("mine")
    with pytest.raises(BadSettings, match="not written by Vigie"):
        vigie(*words)
    assert vigie(*words, "--force")[0] == 0
    assert place.read_text() == text
    with pytest.raises(NotPermitted):
        vigie(*words[:-5], state / "none", *words[-4:])
    (tmp_path / "none.toml").write_text("")
    with pytest.raises(BadSettings, match="nothing to watch"):
        vigie("install", "--print", "--settings", tmp_path / "none.toml")
    printed = vigie("install", "--print", "--contain", "--state", state, "--settings", settings)[1]
    assert printed == text


def test_names_cannot_leave_their_line() -> None:
    text = unit('/x"\nExecStartPre=/bin/evil', "/s", "/v", ("/w%h",), contain=False)
    assert "\nExecStartPre" not in text
    assert "%%h" in text


def test_figures(tmp_path: Path, state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    wanted = MetricsSettings(textfile=str(tmp_path / "vigie.prom"), listen=f"127.0.0.1:{port}")
    chosen = Settings(guard=GuardSettings(metrics=wanted))
    with ExitStack() as stack:
        metrics = metrics_of(chosen, stack)
        assert isinstance(metrics, Metrics)
        with pytest.raises(BadSettings, match="metrics"), ExitStack() as second:
            metrics_of(chosen, second)
        for event in (
            {"event": "verdict", "verdict": "encrypted"},
            {"event": "verdict", "verdict": "\n evil"},
            {"event": "incident", "acts": False},
            {"event": "action", "kind": "freeze", "in_force": True},
            {"event": "overflow"},
            {"event": "rescan"},
            {"event": "trouble", "problem": "full"},
            {"event": "trouble", "problem": ""},
        ):
            metrics.tell(event)
        take = standing_for(chosen, state, metrics)
        take(standing(queue=7))
        take(standing(queue=8))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            said = answer.read().decode()
    for line in (
        'vigie_verdicts_total{state="encrypted"} 1.0',
        'vigie_incidents_total{acts="no"} 1.0',
        "vigie_troubles_total 1.0",
        "vigie_queue 8.0",
    ):
        assert line in said
    assert "evil" not in said
    assert "vigie_queue 7.0" in (tmp_path / "vigie.prom").read_text()
    read = Standing.read(state)
    assert read is not None
    assert read.queue == 8
    assert metrics_of(Settings(), ExitStack()) is None


def test_a_night_told_again(state: Path) -> None:
    actor = Actor(Process(7, 70, "/bin/evil", user="anne"))
    with Journal(state) as journal:
        for number in range(3):
            seen = Observation(f"/{number}", Verdict(State.ENCRYPTED), None, actor, number)
            journal.append("fact", to_body(seen))
    code, said = vigie("--replay", "--state", state)
    assert code == 1
    assert "3 files were turned into encrypted ones" in said
    assert "/bin/evil" in said
    lines = [json.loads(line) for line in vigie("--replay", "--state", state, "--json")[1].splitlines()]
    assert lines[-1] == {"summary": {"acting": 1, "telling": 0}}
    assert lines[0]["row"] == 3
    with Journal(state) as journal:
        journal.append("fact", {"fact": "odd"})
    with pytest.raises(JournalBroken, match="cannot be read"):
        vigie("--replay", "--state", state)


@pytest.mark.root
@pytest.mark.alone
@pytest.mark.usefixtures("as_root")
def test_settings_are_read_again(tmp_path: Path, state: Path) -> None:
    (tmp_path / "share").mkdir()
    file = tmp_path / "vigie.toml"
    file.write_text("")
    words = [sys.executable, "-m", "vigie", "guard", str(tmp_path / "share"), "--json"]
    more = ["--state", str(state), "--settings", str(file)]
    with subprocess.Popen([*words, *more], stdout=subprocess.PIPE, text=True) as guard:
        assert guard.stdout is not None

        def until(holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
            assert guard.stdout is not None
            return next(event for event in map(json.loads, guard.stdout) if holds(event))

        try:
            until(lambda event: event["event"] == "baseline")
            assert vigie("status", "--state", state)[0] == 0
            file.write_text("[guard]\nnonsense = 1\n")
            guard.send_signal(signal.SIGHUP)
            told = until(lambda event: event["event"] == "trouble")
            assert "nonsense" in told["problem"]
            file.write_text("[guard]\nencrypted_files = 9\n")
            guard.send_signal(signal.SIGHUP)
            until(lambda event: event["event"] == "settings")
            guard.send_signal(signal.SIGTERM)
            guard.stdout.read()
            assert guard.wait(15) == 0
        finally:
            guard.kill()
    assert vigie("status", "--state", state)[0] == 2
