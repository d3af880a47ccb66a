import errno
import importlib
import multiprocessing
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from vigie.config import CheckSettings
from vigie.errors import VigieError
from vigie.model import Entry, Likeness, Skipped, State, Verdict
from vigie.sources.folder import FileBlob, walk
from vigie.workers import Workers, entry, pool, wire, worker
from vigie.workers.progress import Progress


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(CheckSettings(workers=2, seconds=20)) as started:
        yield started


def files(folder: Path, count: int) -> list[Entry | Skipped]:
    for number in range(count):
        (folder / f"{number:03}.txt").write_text(f"text {number}\n")
    return list(walk([str(folder)]))


def misbehave(
    monkeypatch: pytest.MonkeyPatch, mischief: Callable[[], object], *, name: str, times: int = 1
) -> None:
    """Have the workers that are started from now on do something when they judge a file of this name."""
    genuine = worker._judge
    left = [times]

    def judged(descriptor: int, called: str, before: Likeness | None, *, full: bool) -> Verdict:
        if called.endswith(name) and left[0]:
            left[0] -= 1
            mischief()
        return genuine(descriptor, called, before, full=full)

    monkeypatch.setattr(worker, "_judge", judged)


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are forked from this very process, so that what is patched here is patched in them."""
    importlib.import_module("vigie.workers.preload")  # as in the server that they are forked from otherwise
    genuine = multiprocessing.get_context

    class Context:
        Process = genuine("fork").Process

        def set_forkserver_preload(self, _: object) -> None:
            return None

    monkeypatch.setattr(multiprocessing, "get_context", lambda _: Context())


def hang() -> None:
    time.sleep(60)


def forbidden() -> None:
    os.execv("/bin/true", ["true"])


def vanish() -> None:
    os._exit(3)


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize(
    ("mischief", "said"),
    [
        (hang, "judging it took more than 0.3 s"),
        (forbidden, "a system call that no file needs"),
        (vanish, "out of memory, or poisonous"),
    ],
)
def test_in_a_batch_the_file_that_is_to_blame_is_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mischief: Callable[[], object], said: str
) -> None:
    monkeypatch.setattr(worker, "PATIENCE", 60.0)  # nothing is answered before the end of a batch
    misbehave(monkeypatch, mischief, name="/037.txt")
    with Workers(CheckSettings(workers=1, seconds=0.3)) as one:
        results = list(one.judge_all(files(tmp_path, 60)))
    assert [item.path[-7:] for item, _ in results] == [f"{number:03}.txt" for number in range(60)]
    odd = {item.path[-7:]: verdict for item, verdict in results if verdict.state is not State.INTACT}
    assert list(odd) == ["037.txt"]
    assert said in odd["037.txt"].evidence[0]


@pytest.mark.usefixtures("forked")
def test_a_worker_that_lies_about_where_it_is_gains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Liar(Progress):
        def begin(self) -> None:
            self._count[0] = 1 << 60

    monkeypatch.setattr(worker, "Progress", Liar)
    misbehave(monkeypatch, vanish, name="/005.txt")
    with Workers(CheckSettings(workers=1)) as one:
        results = list(one.judge_all(files(tmp_path, 20)))
    assert len(results) == 20
    assert {verdict.state for _, verdict in results} <= {State.INTACT, State.UNKNOWN}


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("answer", [b"[]", b"nonsense", b"[1]", b"[" + b"[]," * 99 + b"[]]"])
def test_a_worker_that_talks_nonsense_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    fair = wire.reply
    monkeypatch.setattr(wire, "reply", lambda sheaf: answer if len(sheaf) == 7 else fair(sheaf))
    monkeypatch.setattr(worker, "PATIENCE", 60.0)
    monkeypatch.setattr(wire, "BATCH", 7)
    with Workers(CheckSettings(workers=1, seconds=0.3)) as one:
        verdicts = [verdict for _, verdict in one.judge_all(files(tmp_path, 8))]
    assert len(verdicts) == 8
    assert State.UNKNOWN in {verdict.state for verdict in verdicts}


def test_what_is_known_is_neither_opened_nor_judged(tmp_path: Path) -> None:
    items = files(tmp_path, 40)
    known = {item.path: number for number, item in enumerate(items) if number not in (7, 30)}
    with Workers(CheckSettings(workers=1)) as one:
        results = list(one.judge_all(items[:5], known=lambda item: known.get(item.path)))
        assert results == list(zip(items[:5], range(5), strict=True))
        assert one.isolation is None  # nothing was started
        results = list(one.judge_all(items, known=lambda item: known.get(item.path)))
        assert one.isolation is not None
    assert [item for item, _ in results] == items
    judged = [number for number, (_, said) in enumerate(results) if isinstance(said, Verdict)]
    assert judged == [7, 30]
    assert all(said == number for number, (_, said) in enumerate(results) if number not in judged)


def test_no_more_than_a_window_is_taken_in_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "WINDOW", 20)
    items, taken = files(tmp_path, 200), 0

    def counted() -> Iterator[Entry | Skipped]:
        nonlocal taken
        for item in items:
            taken += 1
            yield item

    with Workers(CheckSettings(workers=2)) as two:
        for yielded, (item, verdict) in enumerate(two.judge_all(counted()), 1):
            assert taken - yielded <= 20
            assert item is items[yielded - 1]
            assert verdict.state is State.INTACT


def test_a_large_file_does_not_hold_up_small_ones_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "BULK", 100)
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text("text\n" * (1 if number % 3 else 50))
    with Workers(CheckSettings(workers=2)) as two:
        states = [verdict.state for _, verdict in two.judge_all(walk([str(tmp_path)]))]
    assert states == [State.INTACT] * 10


def test_many_workers_are_given_few_files_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    assert [Workers(CheckSettings(workers=n))._batch for n in (1, 2, 64, 1024)] == [16, 16, 4, 1]


def test_a_full_look_may_take_longer_the_larger_the_file_is() -> None:
    hasty = Workers(CheckSettings(seconds=30))
    patient = Workers(CheckSettings(seconds=30), full=True)
    assert hasty.limit(1 << 40) == hasty.limit(0) == patient.limit(0) == 30
    assert patient.limit(2_000_000_000) == 130


@pytest.mark.usefixtures("forked")
def test_whether_every_byte_is_read_reaches_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*_: object, full: bool) -> Verdict:
        return Verdict(State.UNKNOWN, evidence=(f"full: {full}",))

    monkeypatch.setattr(worker, "judge", told)
    items = files(tmp_path, 2)
    for full in (False, True):
        with Workers(CheckSettings(workers=1), full=full) as one:
            assert [v.evidence for _, v in one.judge_all(items)] == [(f"full: {full}",)] * 2
            with FileBlob.open(items[0].path) as blob:
                assert one.judge(blob, "x").evidence == (f"full: {full}",)


def test_the_parent_never_loads_the_judge() -> None:
    code = "import sys, vigie.workers; print('numba' in sys.modules, 'vigie.judge' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_a_worker_that_cannot_be_forked_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(ForkServerProcess, "start", refuse)
    resource_tracker.ensure_running()  # it has a descriptor of its own, for as long as we live
    descriptors = len(os.listdir("/proc/self/fd"))
    with Workers(CheckSettings()) as none, pytest.raises(VigieError, match="could not be forked") as caught:
        none.start()
    assert "workers = 1" in caught.value.remedy
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_no_descriptor_is_lost_when_workers_are_replaced(workers: Workers, tmp_path: Path) -> None:
    items = files(tmp_path, 3)
    list(workers.judge_all(items))
    descriptors = len(os.listdir("/proc/self/fd"))
    for one in workers._pool:
        one.replace()
    assert len(list(workers.judge_all(items))) == 3
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_the_first_function_of_a_worker_leads_to_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[object] = []
    monkeypatch.setattr(worker, "serve", lambda *given: met.extend(given))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        entry.serve(theirs, 7)
    assert met == [theirs, 7]


def test_what_workers_are_forked_from_has_loaded_all_they_need() -> None:
    code = (
        "import gc, sys, vigie.workers.preload; print(gc.get_freeze_count() > 10_000, "
        "'vigie.judge' in sys.modules, 'encodings.cp1252' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True True\n"
