import os
import subprocess
import time
from pathlib import Path

import pytest

from vigie.journal import Known
from vigie.model import Actor, Likeness, Process, State
from vigie.watch.events import Written
from vigie.watch.freeze import Freezer
from vigie.watch.hold import Holds
from vigie.watch.lanes import Job
from vigie.watch.processes import stat_of
from vigie.watch.responsible import ProcessKey as Key
from vigie.watch.scope import Scope
from vigie.watch.triage import Triage
from vigie.watch.waiting import Waiting

pytestmark = pytest.mark.alone

GONE: Key = (2**22 + 5, 1)
CALM = Likeness(State.INTACT, "text", 12288, 0.0, b"")


REAL_SLEEP = time.sleep


def key_of(process: "subprocess.Popen[str]") -> Key:
    stat = stat_of(process.pid)
    assert stat is not None
    return (process.pid, stat.started)


def job(*line: Key, before: Likeness | None = None) -> Job:
    actor = Actor(Process(line[0][0], line[0][1], "/bin/x"))
    return Job("/a", (1, 1, 1, 1, 1), before, None, actor, line)


@pytest.fixture
def holds(tmp_path: Path) -> Holds:
    return Holds(tmp_path, Freezer())


def test_who_started_it_is_held_when_the_writer_is_gone(
    holds: Holds, sleeper: "subprocess.Popen[str]"
) -> None:
    caught_up: list[int] = []
    waiting = Waiting(holds, lambda _: False, lambda: caught_up.append(1))
    parent = key_of(sleeper)
    first, second = job(GONE, parent), job(GONE, parent)
    waiting.add(first)
    waiting.add(second)
    waiting.hold(first)
    assert parent in holds
    waiting.done(first)
    assert parent in holds  # another child of its still waits
    waiting.done(second)
    assert parent not in holds
    assert caught_up == [1]
    holds.close()


def test_a_recycled_pid_is_not_held(holds: Holds, sleeper: "subprocess.Popen[str]") -> None:
    pid, started = key_of(sleeper)
    Waiting(holds, lambda _: False, lambda: None).hold(job((pid, started + 1)))
    assert len(holds) == 0
    holds.close()


def test_what_comes_in_while_catching_up_keeps_it_waiting(
    holds: Holds, sleeper: "subprocess.Popen[str]"
) -> None:
    key = key_of(sleeper)
    more = [job(key)]
    waiting = Waiting(holds, lambda _: False, lambda: waiting.add(more.pop()) if more else None)
    waiting.add(job(key))
    waiting.hold(job(key))
    waiting.done(job(key))
    assert key in holds
    waiting.done(job(key))
    assert key not in holds
    holds.close()


def comes_to_rest(pid: int) -> bool:
    """Whether it is stopped, soon: a process running on another core takes a moment to see the signal."""
    for _ in range(200):
        stat = stat_of(pid)
        if stat is not None and stat.state == "T":
            return True
        REAL_SLEEP(0.01)
    return False


def test_the_overdue_go_on_and_the_frozen_stay(
    holds: Holds, sleeper: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_of(sleeper)
    waiting = Waiting(holds, lambda _: True, lambda: None)
    waiting.hold(job(key))
    waiting.release_overdue()
    assert key in holds
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    waiting.release_overdue()
    assert key not in holds
    assert comes_to_rest(sleeper.pid)  # frozen: not ours to continue
    holds.close()


def test_an_observer_holds_nobody(sleeper: "subprocess.Popen[str]") -> None:
    waiting = Waiting(None, lambda _: False, lambda: None)
    task = job(key_of(sleeper), before=CALM)
    for _ in range(20):
        waiting.add(task)
    waiting.hold(task)
    waiting.release_overdue()
    waiting.done(task)
    stat = stat_of(sleeper.pid)
    assert stat is not None
    assert stat.state != "T"


class Past:
    def __init__(self, likeness: Likeness | None) -> None:
        self._likeness = likeness

    def at(self, path: str) -> Known | None:
        return Known(path, 1, 1, 1, 1, self._likeness) if self._likeness else None

    def of(self, dev: int, ino: int) -> Known | None:
        del dev, ino
        return None


@pytest.mark.parametrize(
    ("before", "spoilt", "suspect_parent", "held"),
    [
        (CALM, 8192, False, True),  # the end
        (CALM, 6144, False, True),  # the middle
        (CALM, None, False, False),
        (None, 8192, False, False),  # new: many healthy files begin calmly and go on randomly
        (Likeness(State.INTACT, "zip", 12288, 0.9, b""), 8192, False, False),  # was random there
        (CALM, None, True, True),  # a sibling has encrypted something
    ],
)
def test_known_files_are_glanced_at_beyond_their_heads(
    before: Likeness | None,
    spoilt: int | None,
    suspect_parent: bool,
    held: bool,
    holds: Holds,
    tmp_path: Path,
    sleeper: "subprocess.Popen[str]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "a.txt"
    data = bytearray(b"All is well.....\n" * 800)[:12288]
    if spoilt is not None:
        data[spoilt:] = b"\xff" * (12288 - spoilt)
    path.write_bytes(data)
    scope = Scope([str(tmp_path)], state=str(tmp_path / "state"))
    child = key_of(sleeper)
    triage = Triage(
        scope,
        Past(before),
        holds,
        lambda head: b"\xff" in head[:64],
        lambda key: suspect_parent and key != child,
    )
    monkeypatch.setattr(triage, "_own", -1)  # the sleeper is our child here
    task = triage.take(Written(str(path), os.open(path, os.O_RDONLY), sleeper.pid))
    assert task is not None
    assert task.line[0] == child
    assert task.blob is not None
    task.blob.close()
    assert (child in holds) is held
    holds.close()
