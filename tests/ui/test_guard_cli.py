import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vigie.journal import Journal
from vigie.model import Process
from vigie.ui.cli.guard.tell import steady, tell
from vigie.watch.actions import of_process
from vigie.watch.freeze import FROZEN
from vigie.watch.incidents import Action
from vigie.watch.processes import stat_of

pytestmark = pytest.mark.alone

VIGIE = (sys.executable, "-m", "vigie")
IMITATION = Path(__file__).parent.parent / "watch" / "imitation.py"
NOBODY = 65534


def run(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*VIGIE, *map(str, words)], capture_output=True, text=True, timeout=60, check=False, **options
    )


@pytest.fixture
def begin() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def start(*words: str | Path, **options: Any) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = subprocess.Popen(
            [str(w) for w in words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def until(guard: subprocess.Popen[str], name: str) -> dict[str, Any]:
    assert guard.stdout is not None
    for line in guard.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == name:
            return event
    raise AssertionError(f"the guard ended before {name}")


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_seen_stopped_listed_and_released(
    begin: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    share, state = tmp_path / "share", tmp_path / "state"
    share.mkdir()
    attack = begin(sys.executable, IMITATION, share / "own", "1000", "inplace")
    assert attack.stdin is not None
    assert attack.stdout is not None
    attack.stdout.readline()
    guard = begin(*VIGIE, "guard", share, "--contain", "--json", "--state", state)
    ready = until(guard, "ready")
    assert {"sensor", "attribution", "lost", "paths", "filesystems", "time"} <= ready.keys()
    assert until(guard, "baseline")["files"] == 1001
    attack.stdin.write("go\n")
    attack.stdin.flush()
    verdict = until(guard, "verdict")
    keys = {
        "path",
        "size",
        "verdict",
        "format",
        "pattern",
        "ranges",
        "basis",
        "confidence",
        "evidence",
        "actor",
    }
    assert keys <= verdict.keys()
    assert verdict["actor"]["pid"] == attack.pid
    incident = until(guard, "incident")
    assert incident["actor"]["pid"] == attack.pid
    action = until(guard, "action")
    assert {"incident", "kind", "pid", "executable", "outcome", "expires"} <= action.keys()
    assert action["incident"] == incident["id"]
    stat = stat_of(attack.pid)
    assert stat is not None
    assert stat.state == "T"
    hit = [
        p for p in (share / "own").iterdir() if p.name != "imitation.mark" and not p.read_bytes().isascii()
    ]
    assert len(hit) < 500
    guard.terminate()
    assert guard.wait(20) == 1

    listed = run("incidents", "--json", "--state", state)
    assert listed.returncode == 1
    first, summary = map(json.loads, listed.stdout.splitlines())
    assert (first["id"], first["state"], first["actor"]["pid"]) == (incident["id"], "open", attack.pid)
    assert summary == {"summary": {"incidents": 1, "open": 1}}
    table = run("incidents", "--state", state, env={**os.environ, "COLUMNS": "200"})
    assert incident["id"] in table.stdout

    done = run("release", incident["id"], "--json", "--state", state)
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[0])["outcome"] == "released"
    assert attack.wait(20) == 0
    assert "nothing to undo" in run("release", incident["id"], "--state", state).stdout
    assert run("incidents", "--state", state).returncode == 0


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_without_root_it_says_what_is_lost(begin: Callable[..., subprocess.Popen[str]]) -> None:
    # Not below tmp_path: pytest's folder is for its owner only.
    home = Path("/var/tmp") / f"vigie-test-{os.getpid()}"
    (home / "share").mkdir(parents=True)
    try:
        os.chown(home, NOBODY, NOBODY)
        words = (*VIGIE, "guard", home / "share", "--contain", "--json", "--state", home / "state")
        environment = {**os.environ, "HOME": str(home), "COVERAGE_FILE": str(home / ".coverage")}
        guard = begin(
            *words, user=NOBODY, group=NOBODY, extra_groups=[], env=environment, stderr=subprocess.PIPE
        )
        ready = until(guard, "ready")
        assert (ready["sensor"], ready["attribution"], ready["contain"]) == ("watchfiles", False, False)
        assert "nothing can be frozen" in ready["lost"][0]
        guard.terminate()
        assert guard.wait(20) == 0
        assert guard.stderr is not None
        said = guard.stderr.read()
        assert "root only" in said
        assert "Run as root" in said
        refused = run(
            *("guard", home / "share", "--sensor", "fanotify", "--state", home / "state"),
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            env=environment,
        )
        assert refused.returncode == 2
        assert "root only" in refused.stderr
    finally:
        shutil.rmtree(home)


def test_people_get_short_lines(begin: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    share, state = tmp_path / "share", tmp_path / "state"
    share.mkdir()
    for number in range(3):
        (share / f"{number}.txt").write_text("All is well with this patient.\n" * 400)
    guard = begin(*VIGIE, "guard", share, "--sensor", "watchfiles", "--state", state)
    assert guard.stdout is not None
    assert "watchfiles, observing only" in guard.stdout.readline()
    for line in guard.stdout:
        if "baseline" in line:
            break
    for number in range(3):
        (share / f"{number}.txt").write_bytes(os.urandom(12_000))
    for line in guard.stdout:
        if "incident" in line:
            assert "3 files were turned into encrypted ones" in line
            assert "actor unknown" in line
            break
    guard.send_signal(signal.SIGINT)
    rest = guard.stdout.read()
    assert guard.wait(20) == 1
    assert "1 incident" in rest
    with Journal(state) as journal:
        assert [row.body["what"] for row in journal.rows("guard")][::2] == ["start"]
        journal.verify()


def test_nothing_to_watch_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    done = run("guard", "--state", tmp_path / "state", cwd=tmp_path)
    assert done.returncode == 2
    assert "vigie.toml" in done.stderr
    missing = run("guard", tmp_path / "missing", "--state", tmp_path / "state")
    assert missing.returncode == 2
    assert "no such file" in missing.stderr


def test_no_incidents_and_no_such_incident(tmp_path: Path) -> None:
    listed = run("incidents", "--state", tmp_path)
    assert (listed.returncode, listed.stdout) == (0, "No incidents.\n")
    unknown = run("release", "20260101-0000-beef", "--state", tmp_path)
    assert unknown.returncode == 2
    assert "vigie incidents" in unknown.stderr


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            {
                "event": "verdict",
                "verdict": "encrypted",
                "path": "/a\udce9",
                "actor": {"executable": "/bin/x", "pid": 7, "user": "me"},
                "evidence": ["why"],
            },
            "encrypted: /a\\xe9 (/bin/x, pid 7, user me): why",
        ),
        (
            {
                "event": "action",
                "kind": "freeze",
                "executable": "/bin/x",
                "pid": 7,
                "outcome": "frozen",
                "expires": "tomorrow",
            },
            "freeze /bin/x (pid 7): frozen, until tomorrow",
        ),
        ({"event": "stopped", "incidents": 1, "frozen": [{"pid": 7}]}, "still frozen: 7"),
        ({"event": "trouble", "what": "journal", "problem": "full", "remedy": "Make room."}, "journal: full"),
        ({"event": "trouble", "what": "journal", "problem": "", "remedy": ""}, "journal: works again"),
        ({"event": "overflow", "reason": "ran over"}, "ran over"),
        ({"event": "mounted", "filesystems": ["/mnt"]}, "/mnt"),
        ({"event": "rescan", "paths": ["/srv"]}, "/srv"),
    ],
)
def test_every_event_has_a_line(
    event: dict[str, Any], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tell({"time": "2026-11-23T15:00:00.000Z", **event})
    said = capsys.readouterr().out
    assert said.startswith("15:00:00")
    assert expected in said


def test_actions_and_releases_are_told_to_people(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append("incident", {"id": "i1", "actor": None, "files": ["/a"], "count": 1, "reason": "why"})
        frozen = Action("freeze", of_process(Process(2**22 + 5, 1, "/bin/x")), FROZEN, True, 0, 10**18)
        journal.append("action", frozen.body("i1"))
    table = run("incidents", "--state", tmp_path, env={**os.environ, "COLUMNS": "200"})
    assert table.returncode == 1
    assert "freeze /bin/x (pid 4194309): frozen" in table.stdout
    done = run("release", "i1", "--state", tmp_path)
    assert done.stdout == "release from freeze /bin/x (pid 4194309): the process is gone\n"


def test_a_pipe_is_not_watched(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run("guard", tmp_path / "pipe", "--state", tmp_path / "state")
    assert done.returncode == 2
    assert "neither a folder nor a file" in done.stderr


def test_the_guard_goes_on_when_nobody_reads_its_output(
    begin: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    share, state = tmp_path / "share", tmp_path / "state"
    share.mkdir()
    words = (*VIGIE, "guard", share, "--sensor", "watchfiles", "--json", "--state", state)
    guard = begin(*words, stderr=subprocess.PIPE)
    assert guard.stdout is not None
    until(guard, "baseline")
    guard.stdout.close()
    for number in range(3):
        (share / f"{number}.txt").write_bytes(os.urandom(12_000))
    deadline = time.monotonic() + 10
    with Journal(state) as journal:
        while not list(journal.rows("incident")) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert guard.poll() is None
        guard.terminate()
        assert guard.stderr is not None
        assert "nobody reads" in guard.stderr.read()
        assert guard.wait(20) == 1
        assert [row.body["what"] for row in journal.rows("guard")][-1] == "stop"


def test_output_to_a_full_disk_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    errors: list[OSError] = [OSError(28, "No space left on device")]

    def tell(event: dict[str, Any]) -> None:
        if errors:
            raise errors.pop()
        said.append(event)

    monkeypatch.setattr(sys, "stdout", sys.stdout)
    say = steady(tell)
    say({"event": "a"})
    say({"event": "b"})
    assert said == [{"event": "b"}]
    errors.append(BrokenPipeError())
    for _ in range(2):
        say({"event": "c"})
    assert said == [{"event": "b"}]


def test_what_is_lost_stands_on_lines_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    ready = {"event": "ready", "sensor": "x", "contain": False, "paths": ["/a"], "lost": ["this", "that"]}
    tell({"time": "2026-11-23T15:00:00.000Z", **ready})
    assert capsys.readouterr().out.splitlines()[1:] == ["          lost: this", "          lost: that"]
