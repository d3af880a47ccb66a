"""The drill's ear on the guard, with a guard that does what the test says instead of the real one."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vigie.drill import lookout
from vigie.drill.lookout import Lookout, leash
from vigie.errors import VigieError

Guard = Callable[[str], Lookout]


@pytest.fixture
def guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guard:
    def start(program: str) -> Lookout:
        monkeypatch.setattr(lookout, "PROGRAM", (sys.executable, "-c", program))
        return Lookout(tmp_path, tmp_path, sensor="watchfiles")

    return start


def says(*events: dict[str, Any], then: str = "sys.stdin.read()") -> str:
    lines = "".join(f"print({json.dumps(json.dumps(event))}, flush=True)\n" for event in events)
    return f"import sys, time, signal\n{lines}{then}\n"


SLEEP = "time.sleep(60)"


def test_events_are_awaited_by_name_and_value(guard: Guard) -> None:
    events: list[dict[str, Any]] = [
        {"event": "ready"},
        {"event": "action", "pid": 1, "kind": "freeze"},
        {"event": "action", "pid": 2, "kind": "freeze"},
    ]
    with guard(says(*events, then=SLEEP)) as ear:
        assert ear.await_event("action", 20, kind="freeze", pid=2) == events[2]
        assert ear.await_event("action", 0.05) is None
        assert ear.events == events


def test_incidents_are_alarms(guard: Guard) -> None:
    events = [{"event": "incident"}, {"event": "verdict"}, {"event": "incident"}, {"event": "last"}]
    with guard(says(*events, then=SLEEP)) as ear:
        assert ear.await_event("last", 20)
        assert ear.alarms() == 2


def test_a_guard_that_dies_is_reported_in_its_own_words(guard: Guard) -> None:
    words = "print('vigie: journal: it is damaged', file=sys.stderr); sys.exit(2)"
    with guard(says({"event": "ready"}, then=words)) as ear:
        assert ear.await_event("ready", 20)
        for _ in range(2):  # whoever asks again is told again, and does not wait
            before = time.monotonic()
            with pytest.raises(VigieError, match=r"^guard: journal: it is damaged$"):
                ear.await_event("baseline", 20)
            assert time.monotonic() - before < 15


def test_a_guard_that_dies_without_a_word_is_reported_too(guard: Guard) -> None:
    with guard("") as ear, pytest.raises(VigieError, match="without a word"):
        ear.await_event("ready", 20)


def test_a_silent_guard_is_not_waited_for_beyond_the_patience(guard: Guard) -> None:
    with guard(says(then=SLEEP)) as ear:
        before = time.monotonic()
        assert ear.await_event("ready", 0.2) is None
        assert 0.2 <= time.monotonic() - before < 5


def test_complaints_are_for_people_and_bounded(guard: Guard) -> None:
    words = (
        "print('vigie: fanotify: it is for root only\\n       Run as root', file=sys.stderr)\n"
        "for _ in range(1000): print('x', file=sys.stderr)\n"
        'print(\'{"event": "done"}\', flush=True)\n' + SLEEP
    )
    with guard(says(then=words)) as ear:
        assert ear.await_event("done", 20)
        until = time.monotonic() + 10
        while len(ear._complaints) < lookout._COMPLAINTS and time.monotonic() < until:
            time.sleep(0.01)
        assert ear.complaints()[0] == "fanotify: it is for root only"
        assert len(ear.complaints()) == lookout._COMPLAINTS - 1


@pytest.mark.parametrize("line", ["not JSON", "[]", '{"summary": {}}', "\\xff\\xfe", '{"event"'])
def test_a_line_that_is_no_event_is_passed_over(guard: Guard, line: str) -> None:
    program = says(
        then=f"sys.stdout.buffer.write(b'{line}\\n')\nprint('{{\"event\": \"ready\"}}', flush=True)"
    )
    with guard(program) as ear:
        assert ear.await_event("ready", 20) == {"event": "ready"}
        assert len(ear.events) == 1


def test_it_is_given_the_folder_an_empty_settings_file_and_the_sensor(guard: Guard, tmp_path: Path) -> None:
    words = (
        "import os, json\n"
        "told = {'argv': sys.argv[1:], 'settings': os.environ['VIGIE_SETTINGS']}\n"
        "print(json.dumps({'event': 'told', **told}), flush=True)"
    )
    with guard(says(then=words)) as ear:
        told = ear.await_event("told", 20)
    assert told is not None
    options = ["--json", "--contain", "--sensor", "watchfiles", "--state", str(tmp_path)]
    assert told["argv"] == ["guard", *options, str(tmp_path)]
    assert Path(told["settings"]).read_text() == ""


def test_a_guard_that_does_not_want_to_end_is_killed(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "_GRACE", 0.2)
    deaf = 'signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(\'{"event": "deaf"}\', flush=True)\n'
    with guard(says(then=deaf + SLEEP)) as ear:
        assert ear.await_event("deaf", 20)
    assert ear._process.returncode == -9


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_a_leashed_process_does_not_outlive_a_killed_drill_even_when_stopped() -> None:
    sleeper = [*leash("KILL"), sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]
    program = (
        "import subprocess, os, signal, sys\n"
        f"child = subprocess.Popen({sleeper!r}, stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "os.kill(child.pid, signal.SIGSTOP)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        (sys.executable, "-c", program), capture_output=True, text=True, timeout=30, check=False
    )
    pid = int(done.stdout)
    until = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _runs(pid)


def test_without_setpriv_there_is_no_leash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert leash("KILL") == ()


def _runs(pid: int) -> bool:
    """Whether it exists and is no zombie that its new parent has not looked at yet."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
    finally:
        assert pid != os.getpid()
