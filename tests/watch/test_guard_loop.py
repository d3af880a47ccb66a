import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vigie.config import GuardSettings
from vigie.errors import DiskFull, ExitCode
from vigie.journal import Journal, Known
from vigie.model import Entry, Likeness, OpenBlob, Skipped, State, Verdict
from vigie.sources.folder import walk
from vigie.watch import guard as guard_module
from vigie.watch.events import Event, Overflow, Written
from vigie.watch.freeze import Freezer
from vigie.watch.guard import Edges, Guard
from vigie.watch.scope import Scope

pytestmark = pytest.mark.alone


class Scripted:
    """A sensor that reports what the test says."""

    name, attribution, lost, filesystems = "scripted", True, (), ("/",)

    def __init__(self) -> None:
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._events: list[Event] = []
        self.mounts: list[str] = []

    def say(self, *events: Event) -> None:
        self._events += events
        os.eventfd_write(self._wake, 1)

    def fileno(self) -> int:
        return self._wake

    def read(self) -> list[Event]:
        events, self._events = self._events, []
        if events:
            os.eventfd_read(self._wake)
        return events

    def ignore(self, folder: str) -> None:
        self.ignored = folder

    def extend(self) -> list[str]:
        found, self.mounts = self.mounts, []
        return found

    def close(self) -> None:
        os.close(self._wake)


def judge(blob: OpenBlob, name: str, before: Likeness | None) -> Verdict:
    del before
    if "slow" in name:
        time.sleep(0.3)
    state = State.INTACT if blob.at(0, 99).isascii() else State.ENCRYPTED
    return Verdict(state, likeness=Likeness(state, None, blob.size, 0.0, b""))


def judge_all(
    items: Iterable[Entry | Skipped], before: Callable[[str], Likeness | None]
) -> Iterator[tuple[Entry | Skipped, Verdict]]:
    for item in items:
        assert isinstance(item, Entry)
        yield item, judge(item.open(), item.path, before(item.path))


class Bench:
    """A guard in a thread, with everything about it at hand."""

    def __init__(self, folder: Path, *, contain: bool) -> None:
        self.share = folder / "share"
        self.share.mkdir()
        self.sensor = Scripted()
        self.said: list[dict[str, Any]] = []
        self.journal = Journal(folder / "state")
        scope = Scope([str(self.share)], state=str(folder / "state"))
        edges = Edges(
            self.sensor,
            judge,
            judge_all,
            lambda head: not head.isascii(),
            lambda: walk(scope.roots),
            self.said.append,
        )
        self.guard = Guard(edges, scope, GuardSettings(), self.journal, Freezer(), contain=contain)
        self.code: ExitCode | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.code = self.guard.run()

    def write(self, name: str, data: bytes = b"fine", pid: int | None = None) -> None:
        path = self.share / name
        path.write_bytes(data)
        self.sensor.say(Written(str(path), os.open(path, os.O_RDONLY), pid))

    def until(self, name: str, number: int = 1) -> dict[str, Any]:
        end = time.monotonic() + 4
        while time.monotonic() < end:
            found = [event for event in self.said if event["event"] == name]
            if len(found) >= number:
                return found[number - 1]
            time.sleep(0.005)
        raise AssertionError(f"no {name} among {self.said}")

    def end(self) -> ExitCode | None:
        if self._thread.is_alive():
            self.guard.stop()
            self._thread.join(10)
            self.sensor.close()
            self.journal.close()
        return self.code


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(guard_module, "_TICK", 0.05)
    made = Bench(tmp_path, contain=True)
    made.until("baseline")
    yield made
    made.end()


def test_lost_events_mean_reading_everything_again(bench: Bench) -> None:
    (bench.share / "unseen.txt").write_bytes(b"\xff" * 50)
    (bench.share / "seen").write_bytes(b"fine")
    bench.sensor.say(Overflow("the queue ran over"))
    assert bench.until("overflow")["reason"] == "the queue ran over"
    bench.until("rescan")
    verdict = bench.until("verdict")
    assert (verdict["path"], verdict["actor"]) == (str(bench.share / "unseen.txt"), None)
    assert bench.until("baseline", 2)["judged"] == 2
    assert bench.end() is ExitCode.CLEAN
    with Journal(bench.journal.path.parent) as journal:
        assert [row.body["what"] for row in journal.rows("guard")] == ["start", "overflow", "rescan", "stop"]


def test_new_file_systems_are_read(bench: Bench) -> None:
    bench.sensor.mounts = ["/mnt/usb"]
    assert bench.until("mounted")["filesystems"] == ["/mnt/usb"]
    bench.until("baseline", 2)


def test_more_than_can_wait_is_read_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "_JOBS", 1)
    monkeypatch.setattr(guard_module, "_OPEN_JOBS", 0)
    bench.write("slow")
    time.sleep(0.05)
    for number in range(3):
        bench.write(f"{number}.txt", b"\xff" * 50)
    assert "than can wait" in bench.until("overflow")["reason"]
    bench.until("verdict", 3)


def test_a_baseline_that_fails_costs_a_rescan_not_the_guard(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DiskFull("baseline", "disk is full", "Make room.")

    baseline = bench.guard._memory.baseline
    with monkeypatch.context() as broken:
        broken.setattr(baseline, "at", fail)
        broken.setattr(baseline, "remember", fail)
        broken.setattr(baseline, "below", fail)
        bench.write("a.txt", b"\xff" * 50)
        assert bench.until("trouble")["what"] == "baseline"
        bench.until("overflow")
        bench.until("verdict")
        assert bench.guard._memory.gone_from(str(bench.share), time.time_ns()) == 0
    bench.write("b")
    assert bench.until("trouble", 2)["problem"] == ""


def test_a_file_written_again_before_the_baseline_knew_it_is_compared_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "_TICK", 60)
    bench.write("a.txt")
    deadline = time.monotonic() + 4
    while bench.guard._memory.at(str(bench.share / "a.txt")) is None and time.monotonic() < deadline:
        time.sleep(0.005)
    bench.write("a.txt", b"\xff" * 50)
    assert bench.until("verdict")["verdict"] == "encrypted"
    bench.write("a.txt", b"\xff" * 51)
    bench.write("b.txt", b"\xff" * 51)
    assert bench.until("verdict", 2)["path"] == str(bench.share / "b.txt")  # a.txt was said once


def test_vanished_files_are_forgotten_by_a_scan(bench: Bench) -> None:
    bench.write("a.txt")
    deadline = time.monotonic() + 4
    while len(bench.guard._memory.baseline) == 0 and time.monotonic() < deadline:
        time.sleep(0.005)
    (bench.share / "a.txt").unlink()
    bench.sensor.say(Overflow("again"))
    bench.until("baseline", 2)
    assert len(bench.guard._memory.baseline) == 0


def test_known_files_are_not_rewritten_ahead_of_the_judge(bench: Bench, sleeper: Any) -> None:
    names = [f"slow{number}" for number in range(9)]
    for name in names:
        bench.write(name)
    memory = bench.guard._memory
    deadline = time.monotonic() + 4
    while len(memory.baseline) < 9 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(memory.baseline) == 9
    bench.guard._triage._own = -1  # the sleeper is our child here, and would be passed over
    for name in names:
        bench.write(name, b"fine too", sleeper.pid)
    held = False
    deadline = time.monotonic() + 2
    while not held and time.monotonic() < deadline:
        with open(f"/proc/{sleeper.pid}/stat") as file:
            held = file.read().rpartition(")")[2].split()[0] == "T"
    assert held


def scratch(bench: Bench, name: str, random: float, state: State = State.UNKNOWN) -> Known:
    path = bench.share / name
    return Known(str(path), 1, 1, 1, 1, Likeness(state, None, 9, random, b""))


def test_scratch_files_that_are_gone_are_nobodys_loss(bench: Bench) -> None:
    memory = bench.guard._memory
    memory.baseline.remember(
        [scratch(bench, "tmp_obj_1", 0.7), scratch(bench, "old.db", 0.1), scratch(bench, "old.txt", 0.0)]
    )
    before = time.time_ns()
    assert memory.gone_from(str(bench.share), before) == 2
    bench.write("made-since.lock")
    deadline = time.monotonic() + 4
    while len(memory.baseline) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    (bench.share / "made-since.lock").unlink()
    assert memory.gone_from(str(bench.share), before) == 2
    assert memory.gone_from(str(bench.share), time.time_ns()) == 3


def test_ground_that_is_lost_is_said(bench: Bench) -> None:
    moved = bench.share.with_name("moved")
    bench.share.rename(moved)
    assert "not there any more" in bench.until("trouble")["problem"]
    (moved / "bad.txt").write_bytes(b"\xff" * 50)
    moved.rename(bench.share)
    assert bench.until("trouble", 2)["problem"] == ""
    bench.until("rescan")
    assert bench.until("verdict")["path"] == str(bench.share / "bad.txt")
    state = bench.journal.path.parent
    state.rename(state.with_name("elsewhere"))
    assert "not kept" in bench.until("trouble", 3)["problem"]
