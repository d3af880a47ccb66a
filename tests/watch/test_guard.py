import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from vigie.errors import NoSuchTarget
from vigie.journal import Journal
from vigie.watch.freeze import Freezer
from vigie.watch.incidents import KINDS, Incident, Phase, incidents, release
from vigie.watch.lock import sole_guard
from vigie.watch.processes import stat_of

HERE = Path(__file__).parent
pytestmark = [pytest.mark.root, pytest.mark.alone, pytest.mark.usefixtures("as_root")]
Event = dict[str, Any]


class Running:
    """A guard in a process of its own, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen: list[Event] = []
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def until(self, name: str, **fields: object) -> Event:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                event = json.loads(self._lines.get(timeout=max(0.01, end - time.monotonic())))
            except Empty:
                break
            self.seen.append(event)
            if event["event"] == name and all(event[key] == value for key, value in fields.items()):
                return dict(event)
        raise AssertionError(f"no {name} {fields} among {self.seen}")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(10)
        self._reader.join(10)
        return code


Launch = Callable[..., Running]


@pytest.fixture
def share(tmp_path: Path) -> Path:
    (tmp_path / "share").mkdir()
    return tmp_path / "share"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def launch(start: Callable[..., subprocess.Popen[str]], share: Path, state: Path) -> Iterator[Launch]:
    guards: list[Running] = []

    def begin(*words: str, wait: str = "baseline", **environment: str) -> Running:
        program = (sys.executable, HERE / "fake_guard.py", share, state, *words)
        guard = Running(start(*program, env={**os.environ, **environment}))
        guards.append(guard)
        guard.until(wait)
        return guard

    yield begin
    for guard in guards:
        if guard.process.poll() is None:
            guard.end()


@pytest.fixture
def attack(
    start: Callable[..., subprocess.Popen[str]], share: Path
) -> Callable[[str, int], subprocess.Popen[str]]:
    def begin(pattern: str, count: int = 1000) -> subprocess.Popen[str]:
        process = start(sys.executable, HERE / "imitation.py", share / "own", str(count), pattern)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    return begin


Attack = Callable[..., subprocess.Popen[str]]


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def stopped(pid: int, looks: int = 200) -> bool:
    """Whether it stands still, soon: a process running on another core takes a moment to see the signal."""
    for _ in range(looks):
        stat = stat_of(pid)
        if stat is not None and stat.state == "T":
            return True
        time.sleep(0.01)
    return False


def spoilt(share: Path) -> int:
    files = (path.read_bytes() for path in (share / "own").iterdir() if path.name != "imitation.mark")
    return sum(not data.isascii() for data in files)


def journaled(state: Path) -> list[Incident]:
    with Journal(state) as journal:
        return incidents(journal.rows(*KINDS))


def test_a_journal_that_somebody_holds_does_not_delay_a_freeze(
    launch: Launch, attack: Attack, share: Path, state: Path
) -> None:
    process = attack("inplace")
    guard = launch("contain", JUDGE_MS="1")
    holder = sqlite3.connect(state / "journal.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    go(process)
    assert guard.until("trouble")["what"] == "journal"
    guard.until("action", pid=process.pid)
    assert time.monotonic() - begun < 5  # SQLite's own patience would be ten seconds a row
    assert stopped(process.pid)
    holder.execute("ROLLBACK")
    holder.close()
    assert guard.until("trouble")["problem"] == ""
    assert guard.end() == 1
    [incident] = journaled(state)
    assert incident.count >= 3
    assert spoilt(share) < 600


@pytest.mark.parametrize("pattern", ["inplace", "tail", "forked"])
def test_an_attack_is_attributed_and_frozen(
    pattern: str, launch: Launch, attack: Attack, share: Path, state: Path
) -> None:
    process = attack(pattern)
    guard = launch("contain", JUDGE_MS="1")
    go(process)
    incident = guard.until("incident")
    action = guard.until("action", pid=process.pid)
    assert incident["actor"]["pid"] == process.pid
    assert "imitation.py" in " ".join(incident["actor"]["command"])
    assert incident["actor"]["parents"][0]["pid"] == os.getpid()
    assert incident["count"] == 3
    assert (action["kind"], action["outcome"]) == ("freeze", "frozen")
    assert action["expires"] > action["time"]
    assert stopped(process.pid)
    time.sleep(0.1)
    lost = spoilt(share)
    time.sleep(0.1)
    assert spoilt(share) == lost < 600
    assert guard.end() == 1
    assert stopped(process.pid)  # a guard that ends leaves it frozen
    (found,) = journaled(state)
    assert found.phase is Phase.OPEN
    assert [a.target["pid"] for a in found.in_force] == [process.pid] or pattern == "forked"
    assert set(incident["files"]) <= set(found.files)
    with Journal(state) as journal:
        assert all(
            action.outcome in ("released", "the process is gone")
            for action in release(journal, found.id, {"freeze": Freezer()})
        )
        assert release(journal, found.id, {"freeze": Freezer()}) == []
    assert not stopped(process.pid, looks=1)
    assert journaled(state)[0].phase is Phase.RELEASED


def test_copies_under_random_names_are_an_incident(launch: Launch, attack: Attack, share: Path) -> None:
    process = attack("stranger")
    guard = launch("contain")
    go(process)
    assert "vanished" in guard.until("incident")["reason"]
    guard.until("action", pid=process.pid, outcome="frozen")
    assert spoilt(share) < 600


def test_observing_names_it_and_stops_nobody(
    launch: Launch, attack: Attack, share: Path, state: Path
) -> None:
    process = attack("inplace", 20)
    guard = launch()
    assert guard.seen[0]["contain"] is False
    go(process)
    incident = guard.until("incident")
    assert process.wait(10) == 0
    for _ in range(17):
        guard.until("verdict", incident=incident["id"])
    assert spoilt(share) == 20
    assert guard.end() == 1
    (found,) = journaled(state)
    assert (found.count, found.actions) == (20, ())


def test_a_process_that_does_no_harm_goes_on(launch: Launch, share: Path, start: Any) -> None:
    guard = launch("contain", JUDGE_MS="20")
    code = "import os,sys;[open(f'{sys.argv[1]}/{i}.bin','wb').write(os.urandom(9000)) for i in range(20)]"
    assert start(sys.executable, "-c", code, share).wait(10) == 0
    assert guard.end() == 0
    assert not [e for e in guard.seen if e["event"] in ("incident", "action")]


def test_who_is_never_to_be_frozen_is_not(launch: Launch, attack: Attack, share: Path) -> None:
    process = attack("inplace", 50)
    guard = launch("contain", NEVER="*python*")
    go(process)
    assert "never frozen" in guard.until("action")["outcome"]
    assert process.wait(10) == 0
    assert spoilt(share) == 50
    guard.end()
    assert sum(e["event"] == "action" for e in guard.seen) == 1


def test_every_freeze_expires(launch: Launch, attack: Attack, state: Path) -> None:
    process = attack("inplace", 4)
    guard = launch("contain", RELEASE_AFTER="0.5")
    go(process)
    guard.until("action", kind="freeze")
    guard.until("action", kind="release", outcome="released")
    assert process.wait(10) == 0
    guard.end()
    assert journaled(state)[0].phase is Phase.RELEASED


def test_a_freeze_that_ran_out_while_no_guard_ran_is_released(launch: Launch, attack: Attack) -> None:
    process = attack("inplace", 4)
    guard = launch("contain", RELEASE_AFTER="0.3")
    go(process)
    guard.until("action", kind="freeze")
    guard.end(signal.SIGKILL)
    time.sleep(0.4)
    launch("contain").end()
    assert process.wait(10) == 0


def test_what_a_person_releases_is_left_alone(
    launch: Launch, attack: Attack, state: Path, share: Path
) -> None:
    process = attack("slow", 30)
    guard = launch("contain")
    go(process)
    incident = guard.until("incident")
    guard.until("action", kind="freeze")
    with Journal(state) as journal:
        release(journal, incident["id"], {"freeze": Freezer()})
    time.sleep(1.2)  # the guard looks every second
    before = spoilt(share)
    time.sleep(0.8)
    assert spoilt(share) > before
    assert "by hand" in guard.until("action", kind="freeze")["outcome"]
    with Journal(state) as journal, pytest.raises(NoSuchTarget):
        release(journal, "nonsense", {"freeze": Freezer()})


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_guard_finds_out_at_its_next_start(
    seed: int, launch: Launch, attack: Attack, share: Path, state: Path
) -> None:
    process = attack("inplace", 40)
    guard = launch("contain", JUDGE_MS="3")
    go(process)
    time.sleep(random.Random(seed).uniform(0.0, 0.03))
    guard.end(signal.SIGKILL)
    again = launch("contain")
    # Either it had done its worst before anybody looked, or one of the two guards has frozen it: never is it
    # left held with nothing said.
    deadline = time.monotonic() + 5
    while process.poll() is None and not (journaled(state) and stopped(process.pid)):
        assert time.monotonic() < deadline, (
            stat_of(process.pid),
            spoilt(share),
            journaled(state),
            again.seen,
        )
        time.sleep(0.05)
    if process.poll() is not None:
        assert spoilt(share) == 40
        again.until("incident") if not journaled(state) else None
    again.end()
    with Journal(state) as journal:
        journal.verify()
    frozen = [action.target["pid"] for incident in journaled(state) for action in incident.in_force]
    assert process.poll() is not None or process.pid in frozen


def test_what_changed_while_no_guard_ran_is_judged_and_said_once(
    launch: Launch, attack: Attack, state: Path
) -> None:
    process = attack("inplace", 5)
    assert launch().end() == 0
    go(process)
    process.wait(10)
    guard = launch(wait="incident")
    assert guard.seen[-1]["actor"] is None
    guard.until("baseline")
    assert guard.end() == 1
    assert len(journaled(state)) == 1
    assert launch().end() == 0
    assert len(journaled(state)) == 1


def test_bad_files_at_the_very_first_start_are_reported_but_no_incident(launch: Launch, share: Path) -> None:
    for number in range(5):
        (share / f"{number}.txt").write_bytes(b"\xff\xfe\xfd" * 99)
    (share / "damaged.doc").write_bytes(b"x")
    guard = launch()
    assert (
        sorted(e["verdict"] for e in guard.seen if e["event"] == "verdict") == ["damaged"] + ["encrypted"] * 5
    )
    assert guard.end() == 0
    again = launch()
    assert again.end() == 0
    assert not [e for e in again.seen if e["event"] == "verdict"]


def test_a_hold_left_by_a_killed_guard_is_released(launch: Launch, share: Path, start: Any) -> None:
    guard = launch("contain")
    code = "import os,sys; open(sys.argv[1],'wb').write(os.urandom(9000)); print('done')"
    process = start(sys.executable, "-c", code, share / "stuck.bin")
    deadline = time.monotonic() + 5
    while not stopped(process.pid) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert stopped(process.pid)
    guard.end(signal.SIGKILL)
    assert stopped(process.pid)
    again = launch("contain", wait="ready")
    assert process.wait(10) == 0
    assert again.seen[0]["event"] == "action"
    assert "guard that was killed" in again.seen[0]["outcome"]
    again.end(signal.SIGKILL)


def test_a_judge_that_is_stuck_holds_nobody_for_long(launch: Launch, share: Path, start: Any) -> None:
    guard = launch("contain")
    code = "import os,sys; open(sys.argv[1],'wb').write(os.urandom(9000))"
    began = time.monotonic()
    assert start(sys.executable, "-c", code, share / "stuck.bin").wait(10) == 0
    assert 1.5 < time.monotonic() - began < 4.5
    guard.end(signal.SIGKILL)


def test_a_judge_that_fails_on_one_file_goes_on_with_the_next(
    launch: Launch, attack: Attack, share: Path
) -> None:
    (share / "poison.txt").write_text("at the start")
    guard = launch()
    (share / "poison2.txt").write_text("later")
    process = attack("inplace", 3)
    go(process)
    assert guard.until("incident")["count"] == 3


def test_names_in_latin_1_and_files_that_are_gone(launch: Launch, share: Path) -> None:
    guard = launch()
    name = os.path.join(os.fsencode(share), b"caf\xe9.txt")
    with open(name, "wb") as file:
        file.write(b"\xff" * 999)
    assert os.fsencode(guard.until("verdict")["path"]) == name
    with open(share / "gone.txt", "wb") as file:
        file.write(b"\xff" * 999)
        (share / "gone.txt").unlink()
    assert guard.until("verdict")["path"] == str(share / "gone.txt")
    assert guard.seen[-1]["actor"] is None or guard.seen[-1]["actor"]["pid"] == os.getpid()


def test_large_files_are_judged_in_the_slow_lane(launch: Launch, share: Path) -> None:
    guard = launch()
    (share / "large.txt").write_bytes(b"\xff" * (9 * 1024 * 1024))
    assert guard.until("verdict")["size"] == 9 * 1024 * 1024


def test_what_is_excluded_and_what_is_ours_is_not_seen(launch: Launch, share: Path, state: Path) -> None:
    guard = launch()
    (share / "left-out").mkdir()
    bad = b"\xff" * 99
    (share / "left-out" / "a.txt").write_bytes(bad)
    (share / "b.txt.skip").write_bytes(bad)
    (state / "c.txt").write_bytes(bad)
    (share.parent / "d.txt").write_bytes(bad)
    (share / "e.txt").write_bytes(bad)
    assert guard.until("verdict")["path"] == str(share / "e.txt")


def test_a_full_disk_stops_neither_guard_nor_action(
    launch: Launch, attack: Attack, tmp_path: Path, state: Path
) -> None:
    full = tmp_path / "full"
    process = attack("inplace")
    guard = launch("contain", FULL_DISK=str(full))
    full.write_text("")
    go(process)
    guard.until("action", pid=process.pid, outcome="frozen")
    assert stopped(process.pid)
    assert [e["problem"] != "" for e in guard.seen if e["event"] == "trouble"] == [True]
    assert journaled(state) == []
    full.unlink()
    guard.until("trouble", problem="")
    guard.end()
    (found,) = journaled(state)
    assert [a.target["pid"] for a in found.in_force] == [process.pid]


def test_without_attribution_it_still_sees(launch: Launch, attack: Attack) -> None:
    process = attack("inplace", 10)
    guard = launch("contain", "watchfiles")
    ready = guard.seen[0]
    assert (ready["sensor"], ready["attribution"], ready["contain"]) == ("watchfiles", False, False)
    assert "no pid" in ready["lost"][0]
    go(process)
    assert guard.until("incident")["actor"] is None
    assert guard.end() == 1


def test_two_guards_on_one_state_are_one_too_many(
    launch: Launch, share: Path, state: Path, start: Any
) -> None:
    launch()
    second = start(sys.executable, HERE / "fake_guard.py", share, state, stderr=subprocess.PIPE)
    assert "StateInUse" in second.stderr.read()
    with sole_guard(state.parent / "other"):
        pass
