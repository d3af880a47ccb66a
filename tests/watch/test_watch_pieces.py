import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vigie.errors import DiskFull, NotPermitted, StateInUse, Unreadable, VigieError
from vigie.journal import Baseline, Journal, Known
from vigie.model import Actor, Entry, Likeness, OpenBlob, Process, Skipped, State, Verdict
from vigie.watch import birth, folder_events, incidents, lanes, urgency
from vigie.watch.actions import of_process
from vigie.watch.birth import born_ns, same_inode
from vigie.watch.events import Overflow, Written
from vigie.watch.folder_events import FolderEvents, Settling
from vigie.watch.freeze import FROZEN, REFUSED, Freezer
from vigie.watch.incidents import KINDS, Action, release
from vigie.watch.lanes import (
    Job,
    Judged,
    Picture,
    QuickLane,
    Result,
    Results,
    Scanned,
    SlowLane,
    Vanished,
    stamp_of,
)
from vigie.watch.lock import sole_guard
from vigie.watch.log import Log, actor_record, timestamp
from vigie.watch.scope import Scope
from vigie.watch.triage import Triage

pytestmark = pytest.mark.alone

GOOD = Likeness(State.INTACT, "pdf", 9, 0.0, b"")


# Scope


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/a", True),
        ("/srv/deep/er/a", True),
        ("/srv", False),
        ("/srvx/a", False),
        ("/srv/x.iso", False),
        ("/srv/cache/deep/a", False),
        ("/srv/state/journal", False),
        ("/srv/statement", True),
        ("/one/file", True),
        ("/one/file2", False),
    ],
)
def test_what_is_covered(path: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "realpath", str)
    scope = Scope(["/srv", "/one/file", "/srv"], exclude=["*.iso", "cache"], state="/srv/state")
    assert scope.covers(path) is (expected or path == "/srv")
    assert Scope(["/srv"], state="/x").covers("/srv/x.iso")


# Birth


def test_a_new_file_with_a_used_inode_number_is_not_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_text("x")
    fd = os.open(path, os.O_RDONLY)
    born = born_ns(fd)
    assert born is not None
    assert same_inode(fd, "/other", "/a.pdf", born)
    assert not same_inode(fd, "/a.pdf", "/a.pdf", born - 1)
    os.close(fd)


def test_where_the_birth_is_not_known_the_names_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    assert born_ns(-1) is None
    for broken in (None, lambda *_: 0):
        monkeypatch.setattr(birth, "_STATX", broken)
        assert born_ns(0) is None
    assert same_inode(0, "/x/a.pdf.locked", "/x/a.pdf", 0)
    assert same_inode(0, "/x/b.pdf", "/x/a.pdf", 0)
    assert not same_inode(0, "/x/0f3e", "/x/a.pdf", 0)
    assert not same_inode(0, "/x/b", "/x/a", 0)


# Log


class Disk(Journal):
    full = False

    def append(self, kind: str, body: dict[str, Any], *, durable: bool = True) -> Any:
        if self.full:
            raise DiskFull("journal", "full", "Make room.")
        return super().append(kind, body, durable=durable)


def test_rows_wait_for_a_full_disk_in_order(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []
    with Disk(tmp_path) as journal:
        log = Log(journal, said.append)
        journal.full = True
        for number in range(5):
            log.row("guard", {"n": number})
        journal.full = False
        log.retry()
        log.retry()
        assert [row.body["n"] for row in journal.rows()] == [0, 1, 2, 3, 4]
    assert [bool(event["problem"]) for event in said] == [True, False]
    assert said[0]["remedy"] == "Make room."


def test_times_and_actors_in_json() -> None:
    assert timestamp(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123Z"
    assert timestamp(-1)
    assert actor_record(None) is None
    parent = Process(1, 0, "/sbin/init", ("init", "secret"), "root")
    record = actor_record(Actor(Process(7, 1, "/bin/a", ("a", "b"), "me"), (parent,)))
    assert record is not None
    assert record["command"] == ["a", "b"]
    assert "secret" not in str(record["parents"])


# Incidents


def test_what_cannot_be_released_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Freezer, "release", staticmethod(lambda _: REFUSED))
    with Journal(tmp_path) as journal:
        opened = {"id": "i1", "actor": None, "files": ["/a"], "count": 1, "reason": "why"}
        journal.append("incident", opened)
        process = Process(4, 5, "/bin/x")
        journal.append("action", Action("freeze", of_process(process), FROZEN, True, 0, 10**18).body("i1"))
        journal.append(
            "action", Action("freeze", of_process(process), "left", False, 0, undone=True).body(None)
        )
        journal.append("verdict", {"path": "/b", "incident": "i1", "joined": True})
        journal.append("verdict", {"path": "/a", "incident": "i1", "joined": False})
        journal.append("verdict", {"path": "/c", "incident": None, "joined": False})
        with pytest.raises(NotPermitted):
            release(journal, "i1", {"freeze": Freezer()})
        (found,) = incidents.incidents(journal.rows(*KINDS))
        assert (found.phase.value, found.count, found.files) == ("open", 2, ("/a", "/b"))
        assert found.record()["actions"][0]["expires"] == "2001-09-09T01:46:40.000Z"
        assert [a.outcome for a in found.actions] == [FROZEN, REFUSED]


def test_files_of_an_incident_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidents, "_FILES", 2)
    with Journal(tmp_path) as journal:
        journal.append("incident", {"id": "i", "actor": None, "files": [], "count": 0, "reason": "why"})
        for number in range(5):
            journal.append("verdict", {"path": str(number), "incident": "i", "joined": True}, durable=False)
        (found,) = incidents.incidents(journal.rows())
    assert (found.count, len(found.files)) == (5, 2)


# Lock


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotPermitted), sole_guard(tmp_path / "file"):
        pass


def test_the_lock_is_held_against_other_processes(tmp_path: Path, start: Callable[..., Any]) -> None:
    code = "import fcntl,sys; f=open(sys.argv[1],'w'); fcntl.lockf(f,2); print('locked',flush=True); input()"
    other = start(sys.executable, "-c", code, tmp_path / "guard.lock")
    assert other.stdout.readline() == "locked\n"
    with pytest.raises(StateInUse), sole_guard(tmp_path):
        pass


# Lanes


def job(path: Path, **more: Any) -> Job:
    return Job(str(path), stamp_of(os.stat(path)), None, **more)


def collect(results: Results, last: Callable[[Result], bool]) -> list[Result]:
    found: list[Result] = []
    end = time.monotonic() + 4
    while time.monotonic() < end:
        result = results.take()
        if result is None:
            time.sleep(0.002)
            continue
        found.append(result)
        if last(result):
            break
    return found


def scanned(result: Result) -> bool:
    return isinstance(result, Scanned)


def test_the_quick_lane_answers_whatever_happens(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")

    def judge(blob: OpenBlob, name: str, before: Likeness | None) -> Verdict:
        del blob, before
        if name.endswith("a"):
            return Verdict(State.INTACT)
        raise Unreadable("input/output error")

    results = Results()
    lane = QuickLane(judge, results)
    (tmp_path / "b").write_text("x")
    gone = job(tmp_path / "b")
    (tmp_path / "b").unlink()
    (tmp_path / "c").write_text("x")
    for one in (job(tmp_path / "a"), gone, job(tmp_path / "c")):
        lane.submit(one)
    found = collect(results, lambda r: isinstance(r, Judged) and r.job.path.endswith("c"))
    lane.close()
    results.close()
    states = [r.verdict.state for r in found if isinstance(r, Judged)]
    assert states == [State.INTACT, State.SKIPPED, State.SKIPPED]


def entries(*paths: Path) -> Iterator[Entry | Skipped]:
    for path in paths:
        yield Entry(str(path), 1, 1, lambda: (_ for _ in ()).throw(AssertionError))
    yield Skipped("/dev/null", "a device")


def picture(known: dict[str, Known] | None = None, reported: dict[str, Any] | None = None) -> Picture:
    have = known or {}
    return Picture(have.get, (reported or {}).get, lambda: iter(have.values()), lambda: not have)


def good(
    items: Iterable[Entry | Skipped], before: Callable[[str], Likeness | None]
) -> Iterator[tuple[Entry | Skipped, Verdict]]:
    for item in items:
        assert isinstance(item, Entry)
        if "poison" in item.path:
            raise RuntimeError("poison")
        item.open().close()
        yield item, Verdict(State.INTACT, likeness=before(item.path))


def test_a_scan_passes_over_what_is_known_and_survives_a_judge_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_STRIDE", 2)
    paths = [tmp_path / name for name in ("same", "changed", "new", "reported", "poison", "last")]
    for path in paths:
        path.write_text("x")
    status = os.stat(paths[0])
    likeness = Likeness(State.INTACT, None, 1, 0.0, b"")
    known = {}
    for path, mtime in ((paths[0], status.st_mtime_ns), (paths[1], 5), (tmp_path / "gone", 5)):
        have = os.stat(path) if path.exists() else status
        known[str(path)] = Known(str(path), have.st_dev, have.st_ino, mtime, have.st_ctime_ns, likeness)
    reported = {str(paths[3]): stamp_of(os.stat(paths[3]))}
    results = Results()
    walk = lambda: entries(*paths, tmp_path / "vanished")  # noqa: E731
    lane = SlowLane(good, walk, picture(known, reported), results)
    lane.scan()
    found = collect(results, scanned)
    lane.close()
    results.close()
    judged = [(os.path.basename(r.job.path), r.verdict.state) for r in found if isinstance(r, Judged)]
    assert judged == [
        ("changed", State.INTACT),
        ("new", State.INTACT),
        ("poison", State.UNKNOWN),
        ("last", State.INTACT),
    ]
    assert [r.paths for r in found if isinstance(r, Vanished)] == [(str(tmp_path / "gone"),)]
    end = found[-1]
    assert isinstance(end, Scanned)
    assert (end.files, end.judged) == (7, 4)


def test_a_walk_that_fails_ends_the_scan_not_the_lane() -> None:
    calls = []

    def walk() -> Iterator[Entry | Skipped]:
        calls.append(1)
        if len(calls) == 1:
            raise VigieError("x", "the folder is gone", "")
        return entries()

    results = Results()
    lane = SlowLane(good, walk, picture(), results)
    lane.scan()
    collect(results, scanned)
    lane.scan()
    assert any(isinstance(r, Scanned) for r in collect(results, scanned))
    lane.close()
    results.close()
    assert len(calls) == 2


def test_the_slow_lane_waits_for_whoever_takes_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_RESULTS", 2)
    paths = [tmp_path / f"f{number}" for number in range(6)]
    for path in paths:
        path.write_text("x")
    results = Results()
    lane = SlowLane(good, lambda: entries(*paths), picture(), results)
    lane.scan()
    time.sleep(0.1)
    assert len(results) == 3
    assert len(collect(results, scanned)) == 7
    lane.close()
    results.close()


# Triage


def test_a_file_with_a_name_of_its_own_in_a_container_is_found_by_its_inode(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    path = share / "a.txt"
    path.write_text("x")
    status = os.stat(path)
    known = Known(str(path), status.st_dev, status.st_ino, 1, time.time_ns(), GOOD)
    with Baseline(tmp_path / "state") as baseline:
        baseline.remember([known])
        scope = Scope([str(share)], state=str(tmp_path / "state"))
        triage = Triage(scope, baseline, None, bool, lambda _: False)

        def event(name: str, opened: Path = path) -> Written:
            return Written(name, os.open(opened, os.O_RDONLY), 1, os.pidfd_open(os.getpid()))

        job = triage.take(event("/data/a.txt"))
        assert job is not None
        assert (job.path, job.before) == (str(path), GOOD)
        assert job.blob is not None
        job.blob.close()
        other = tmp_path / "other.txt"
        other.write_text("y")
        assert triage.take(event(str(other), other)) is None
        assert triage.take(event("/data/b.txt", other)) is None
        assert triage.take(event(str(share), share)) is None
        held = os.open(other, os.O_RDONLY)
        other.unlink()
        assert triage.take(Written("/data/b.txt", held)) is None


def test_descriptors_of_our_own_databases_are_never_closed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Baseline(state) as baseline:
        triage = Triage(Scope([str(tmp_path)], state=str(state)), baseline, None, bool, lambda _: False)
        fds = [os.open(baseline.path, os.O_RDONLY) for _ in range(2)]
        assert triage.take(Written(str(baseline.path), fds[0])) is None
        triage.drop(Written(str(baseline.path), fds[1]))
        other = os.open(os.devnull, os.O_RDONLY)
        triage.drop(Written(os.devnull, other, 1, os.pidfd_open(os.getpid())))
        for fd in fds:
            os.fstat(fd)
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(other)
    for fd in fds:
        os.close(fd)


def test_what_our_own_children_write_is_not_ours_to_judge(
    tmp_path: Path, sleeper: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")
    with Baseline(tmp_path / "state") as baseline:
        scope = Scope([str(tmp_path)], state=str(tmp_path / "state"))
        triage = Triage(scope, baseline, None, bool, lambda _: False)
        for pid in (os.getpid(), sleeper.pid):
            assert triage.take(Written(str(path), os.open(path, os.O_RDONLY), pid)) is None
        monkeypatch.setattr(baseline, "at", lambda _: (_ for _ in ()).throw(DiskFull("", "", "")))
        with pytest.raises(DiskFull):
            triage.take(Written(str(path), os.open(path, os.O_RDONLY), None))


# The watchfiles sensor


def test_a_file_is_read_when_it_is_quiet_or_has_waited_long_enough() -> None:
    settling = Settling()
    settling.changed("/a", 0.0)
    settling.changed("/b", 0.0)
    settling.changed("/gone", 0.0)
    settling.drop("/gone")
    settling.drop("/never")
    assert settling.due(0.1) == []
    settling.changed("/b", 0.1)
    assert settling.due(0.25) == ["/a"]
    for step in range(60):
        settling.changed("/b", step / 10)
    assert settling.due(5.9) == ["/b"]
    assert len(settling) == 0


def test_changes_are_reported_without_who_did_it(tmp_path: Path) -> None:
    sensor = FolderEvents([str(tmp_path)])
    (tmp_path / "state").mkdir()
    sensor.ignore(str(tmp_path / "state"))
    (tmp_path / "state" / "journal").write_text("x")
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.txt").write_text("x")
    (tmp_path / "c.txt").write_text("x")
    (tmp_path / "c.txt").unlink()
    found: dict[bytes, Written] = {}
    end = time.monotonic() + 4
    while len(found) < 2 and time.monotonic() < end:
        for event in sensor.read():
            assert isinstance(event, Written)
            found[os.fsencode(event.path)] = event
        time.sleep(0.02)
    sensor.close()
    assert set(found) == {os.fsencode(tmp_path / "a.txt"), os.fsencode(tmp_path / "b.txt")}
    for event in found.values():
        assert (event.pid, event.pidfd) == (None, None)
        os.close(event.fd)
    assert sensor.extend() == []


def test_a_watch_that_cannot_be_set_up_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "inotify limit reached")

    monkeypatch.setattr(folder_events, "watch", refuse)
    with pytest.raises(VigieError, match="limit reached"):
        FolderEvents([str(tmp_path)])


def test_a_name_that_is_not_utf_8_means_reading_everything_again(tmp_path: Path) -> None:
    sensor = FolderEvents([str(tmp_path)])
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.txt"), "wb") as file:
        file.write(b"x")
    end = time.monotonic() + 4
    seen: list[object] = []
    while not seen and time.monotonic() < end:
        seen += sensor.read()
        time.sleep(0.02)
    assert isinstance(seen[0], Overflow)
    time.sleep(0.8)  # it watches again
    (tmp_path / "later.txt").write_text("x")
    seen.clear()
    while not seen and time.monotonic() < end:
        seen += sensor.read()
        time.sleep(0.02)
    sensor.close()
    assert isinstance(seen[-1], Written)
    os.close(seen[-1].fd)


def test_too_many_changes_mean_reading_everything_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_events, "_WAITING", 1)
    sensor = FolderEvents([str(tmp_path)])
    for number in range(20):
        (tmp_path / str(number)).write_text("x")
    end = time.monotonic() + 4
    seen: list[object] = []
    while not any(isinstance(e, Overflow) for e in seen) and time.monotonic() < end:
        seen += sensor.read()
        time.sleep(0.02)
    sensor.close()
    for event in seen:
        if isinstance(event, Written):
            os.close(event.fd)
    assert any(isinstance(e, Overflow) for e in seen)


# Urgency


def test_priority_is_asked_for_and_niceness_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    nice: list[int] = []
    real: list[int] = []
    interval = sys.getswitchinterval()
    monkeypatch.setattr(os, "setpriority", lambda _, __, value: nice.append(value))
    monkeypatch.setattr(os, "sched_setscheduler", lambda thread, *_: real.append(thread))
    urgency.be_urgent()
    assert threading.get_native_id() in real
    assert nice == []

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    urgency.be_urgent()
    sys.setswitchinterval(interval)
    assert nice
    assert set(nice) == {-15}
