import ctypes
import operator
import os
import random
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from vigie.config import CheckSettings
from vigie.errors import Unreadable, VigieError
from vigie.model import Entry, Likeness, OpenBlob, Skipped, State, Verdict
from vigie.sources.folder import FileBlob, walk
from vigie.workers import Workers, limits, process, seccomp, wire, worker
from vigie.workers.progress import Progress


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(CheckSettings(workers=2, seconds=20)) as started:
        yield started


def test_one_file_is_judged_in_a_confined_process(workers: Workers, tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("Tout va bien.\n" * 100)
    with FileBlob.open(str(path)) as blob:
        assert workers.judge(blob, str(path)).state is State.INTACT
    isolation = workers.start()
    assert isolation.memory
    assert isolation.files
    assert isolation.no_new_privileges
    assert isolation.system_calls
    assert isolation == workers.isolation
    assert isolation.unprivileged == (os.geteuid() == 0)
    process = workers._single.process if workers._single else None
    assert process is not None
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status  # SECCOMP_MODE_FILTER
    if os.geteuid() == 0:
        assert f"Uid:\t{limits.NOBODY}" in status


def test_many_come_back_in_order_with_what_could_not_be_read(workers: Workers, tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}.txt").write_text(f"line {number}\n" * (number + 1))
    (tmp_path / "pipe").touch()
    (tmp_path / "pipe").unlink()
    os.mkfifo(tmp_path / "pipe")

    def vanished() -> OpenBlob:
        raise Unreadable("it vanished")

    items: list[Entry | Skipped] = list(walk([str(tmp_path)]))
    items.insert(5, Entry("gone", 1, 0, vanished))
    results = list(workers.judge_all(items))
    assert [item.path for item, _ in results] == [item.path for item in items]
    states = {item.path: verdict for item, verdict in results}
    assert states["gone"] == Verdict.skipped("it vanished")
    assert states[str(tmp_path / "pipe")] == Verdict.skipped("a named pipe")
    assert states[str(tmp_path / "299.txt")].state is State.INTACT


def test_the_version_before_reaches_the_worker(workers: Workers, tmp_path: Path) -> None:
    path = tmp_path / "data.zzz"
    path.write_bytes(random.Random(1).randbytes(20_000))
    before = Likeness(State.UNKNOWN, None, 20_000, 0.0, bytes(32))
    [(_, verdict)] = workers.judge_all(walk([str(path)]), before=lambda _: before)
    assert verdict.state is State.ENCRYPTED
    with FileBlob.open(str(path)) as blob:
        assert workers.judge(blob, str(path)).state is State.UNKNOWN
        assert workers.judge(blob, str(path), before).state is State.ENCRYPTED


def test_a_caller_that_stops_half_way_does_not_mix_verdicts_up(workers: Workers, tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number:02}.txt").write_text("text\n")
    generator = workers.judge_all(walk([str(tmp_path)]))
    next(generator)
    generator.close()  # type: ignore[attr-defined] # it is a generator
    (tmp_path / "00.txt").write_bytes(random.Random(2).randbytes(9000))
    states = [verdict.state for _, verdict in workers.judge_all(walk([str(tmp_path)]))]
    assert states == [State.ENCRYPTED] + [State.INTACT] * 49


def test_a_stream_that_is_left_open_may_end_after_its_workers(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number:02}.txt").write_text("text\n")
    started = Workers(CheckSettings(workers=2))
    stream = started.judge_all(walk([str(tmp_path)]))
    next(stream)
    started.close()
    stream.close()  # type: ignore[attr-defined] # it is a generator
    started.close()
    assert len(list(started.judge_all(walk([str(tmp_path)])))) == 50  # as if it had just been made
    started.close()


def test_a_worker_that_dies_costs_one_verdict(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number:02}.txt").write_text("text\n")
    with Workers(CheckSettings(workers=1)) as one:
        items = list(walk([str(tmp_path)]))
        kills = iter([True])

        def kill() -> OpenBlob:
            if next(kills, False):
                process = one._pool[0].process
                os.kill(process.pid or 0, signal.SIGKILL)
                process.join()
            return FileBlob.open(str(tmp_path / "20.txt"))

        items[20] = Entry("killer", 5, 0, kill)
        verdicts = [verdict for _, verdict in one.judge_all(items)]
        assert len(verdicts) == 40
        died = [verdict for verdict in verdicts if verdict.state is State.UNKNOWN]
        assert len(died) == 1
        assert "died" in died[0].evidence[0]

        with FileBlob.open(str(tmp_path / "00.txt")) as blob:
            one.judge(blob, "a.txt")
            assert one._single is not None
            os.kill(one._single.process.pid or 0, signal.SIGKILL)
            assert one.judge(blob, "a.txt").state is State.UNKNOWN
            assert one.judge(blob, "a.txt").state is State.INTACT


def test_a_file_that_takes_too_long_costs_one_verdict(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text("text\n")
    with Workers(CheckSettings(workers=1, seconds=0.5)) as one:
        items = list(walk([str(tmp_path)]))

        stops = iter([signal.SIGSTOP])

        def stall() -> OpenBlob:
            os.kill(one._pool[0].process.pid or 0, next(stops, signal.SIGCONT))
            return FileBlob.open(str(tmp_path / "3.txt"))

        items[3] = Entry("stall", 5, 0, stall)
        verdicts = [verdict for _, verdict in one.judge_all(items)]
        late = [verdict for verdict in verdicts if verdict.state is State.UNKNOWN]
        assert [v.evidence for v in late] == [("judging it took more than 0.5 s",)]
        assert len(verdicts) == 10
        with FileBlob.open(str(tmp_path / "1.txt")) as blob:
            one.start()
            assert one._single is not None
            os.kill(one._single.process.pid or 0, signal.SIGSTOP)
            assert "0.5 s" in one.judge(blob, "1.txt").evidence[0]
            assert one.judge(blob, "1.txt").state is State.INTACT


def test_workers_end_with_their_parent() -> None:
    started = Workers(CheckSettings(workers=1))
    started.start()
    process = started._single.process if started._single else None
    assert process is not None
    pid = process.pid
    started.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)


def test_no_worker_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "serve", operator.is_)  # takes what a worker takes, and ends at once
    with Workers(CheckSettings()) as none, pytest.raises(VigieError) as caught:
        none.start()
    assert "workers = 1" in caught.value.remedy


# The worker's own side, run in this process so that it can be looked at.


def exchange(message: bytes, paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> list[Verdict]:
    isolation = limits.Isolation(*[True] * 8)
    monkeypatch.setattr(worker, "confine", lambda _: isolation)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    thread = threading.Thread(target=worker.serve, args=(theirs, 1 << 30))
    thread.start()
    progress, page = Progress.shared()
    try:
        socket.send_fds(ours, [b"P"], [page])
        assert b'"memory": true' in ours.recv(wire.LONGEST)
        with ExitStack() as stack:
            files = [stack.enter_context(path.open("rb")) for path in paths]
            socket.send_fds(ours, [message], [file.fileno() for file in files])
        verdicts: list[Verdict] = []
        while len(verdicts) < len(paths):
            verdicts += wire.read_reply(ours.recv(wire.LONGEST))
        assert progress.begun == len(paths)
        return verdicts
    finally:
        os.close(page)
        ours.close()
        thread.join(10)
        theirs.close()
        progress.close()


def test_a_worker_answers_and_leaves_when_the_parent_hangs_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text\n")
    assert [v.state for v in exchange(wire.request([("a.txt", None)]), [path], monkeypatch)] == [State.INTACT]


def test_verdicts_travel_together_but_none_waits_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text\n")
    sent: list[int] = []
    genuine = wire.reply

    def reply(sheaf: list[bytes]) -> bytes:
        sent.append(len(sheaf))
        return genuine(sheaf)

    monkeypatch.setattr(wire, "reply", reply)
    message = wire.request([("a.txt", None)] * 5)
    monkeypatch.setattr(worker, "PATIENCE", 60.0)
    assert len(exchange(message, [path] * 5, monkeypatch)) == 5
    assert sent == [5]
    monkeypatch.setattr(worker, "PATIENCE", 0.0)
    assert len(exchange(message, [path] * 5, monkeypatch)) == 5
    assert sent == [5, 1, 1, 1, 1, 1]
    monkeypatch.setattr(worker, "PATIENCE", 60.0)
    monkeypatch.setattr(wire, "SHEAF", 10)
    assert len(exchange(message, [path] * 5, monkeypatch)) == 5
    assert sent[6:] == [1] * 5


@pytest.mark.parametrize(
    ("bug", "said"),
    [(MemoryError(), "more memory"), (RuntimeError("oops"), "please report: RuntimeError('oops')")],
)
def test_a_bug_in_a_format_costs_one_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: Exception, said: str
) -> None:
    def broken(*_: object, full: bool) -> Verdict:
        assert not full
        raise bug

    monkeypatch.setattr(worker, "judge", broken)
    path = tmp_path / "a.txt"
    path.write_text("text\n")
    [verdict] = exchange(wire.request([("a.txt", None)]), [path], monkeypatch)
    assert verdict.state is State.UNKNOWN
    assert said in verdict.evidence[0]


def test_a_folder_descriptor_is_skipped(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    assert worker._judge(fd, "x", None, full=False).state is State.SKIPPED


def test_what_is_missing_is_said_in_words() -> None:
    isolation = limits.Isolation(True, True, True, False, True, False, False, False)
    assert isolation.missing() == (
        "runs as the calling user",
        "can open other files (no Landlock)",
        "shares the network",
        "may make any system call (no seccomp)",
    )


def _confined(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each wall alone keeps out: seccomp stands before the others, and is left out to see them."""
    with monkeypatch.context() as patch:
        patch.setattr(seccomp, "restrict", lambda *_: False)
        limits.confine(256 << 20)
    try:
        if kind == "file":
            os.open("/etc/hostname", os.O_RDONLY)
        elif kind == "memory":
            bytearray(1 << 30)
        elif kind == "fork":
            os.fork()
        elif kind == "network":
            socket.create_connection(("127.0.0.1", 9), timeout=1)
        elif kind == "root":
            os.setuid(0)
    except (OSError, MemoryError):
        os._exit(42)
    os._exit(0)


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("kind", ["file", "memory", "fork", "network", "root"])
def test_a_confined_process_can_do_nothing_else(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = os.fork()
    if pid == 0:
        _confined(kind, monkeypatch)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42


def test_limits_that_are_refused_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert not limits._limit(resource.RLIMIT_CORE, 0)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "setgroups", lambda _: (_ for _ in ()).throw(OSError()))
    assert not limits._drop()
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    assert not limits._drop()

    class NoLandlock:
        def syscall(self, *_: object) -> int:
            return -1

    assert not limits._landlock(NoLandlock())


def test_an_existing_hard_limit_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10, 10))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: asked.append(pair))
    assert limits._limit(resource.RLIMIT_NOFILE, 64)
    assert asked == [(10, 10)]


def test_confinement_asks_for_everything_it_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    class Libc:
        """Grants everything, changes nothing."""

        def prctl(self, *_: int) -> int:
            return 0

        def unshare(self, _: int) -> int:
            return 0

        def syscall(self, number: int, *_: object) -> int:
            return os.open("/dev/null", os.O_RDONLY) if number == limits._LANDLOCK_CREATE_RULESET else 0

    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "x", "6", "1", "x86_64")))
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc())
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    for name in ("setgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(os, name, lambda *_: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert limits.confine(1 << 30).missing() == ()


def test_the_time_to_start_is_bounded() -> None:
    begun = time.monotonic()
    with Workers(CheckSettings(workers=1)) as one:
        one.start()
    assert time.monotonic() - begun < process.START


def test_ctrl_c_at_the_terminal_is_for_the_parent_alone(workers: Workers) -> None:
    workers.start()
    assert workers._single
    pid = workers._single.process.pid
    assert pid
    blocked = Path(f"/proc/{pid}/status").read_text().partition("SigBlk:\t")[2].split()[0]
    assert int(blocked, 16) & 1 << (signal.SIGINT - 1)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_parent_that_is_gone_ends_the_worker_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    had = limits.Isolation(*[False] * 8)
    monkeypatch.setattr(worker, "confine", lambda _: had)
    progress, page = Progress.shared()
    socket.send_fds(ours, [b"P"], [page])
    ours.close()
    os.close(page)
    progress.close()
    with theirs:
        worker.serve(theirs, 1)
