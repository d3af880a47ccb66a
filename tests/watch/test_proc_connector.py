"""Who started whom, from the kernel's own events."""

import errno
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import NotPermitted, VigieError
from vigie.watch import proc_connector
from vigie.watch.proc_connector import ProcConnector, parse
from vigie.watch.processes import ENDED, Actors, stat_of
from vigie.watch.responsible import chain_of


def message(what: int, child: int, thread: int, index: int = 1) -> bytes:
    netlink = struct.pack("=IHHII", 76, 3, 0, 0, 0)
    header = struct.pack("=IIIIHH", index, 1, 0, 0, 40, 0)
    return netlink + header + struct.pack("=IIQIIII", what, 0, 5_000_000_000, 7, 7, thread, child) + bytes(8)


def test_a_fork_is_parsed() -> None:
    assert parse(message(1, 42, 42)) == (42, 7, 5_000_000_000)
    assert parse(message(1, 42, 43)) is None  # a thread
    assert parse(message(2, 42, 42)) is None  # an exec
    assert parse(message(1, 42, 42, index=9)) is None
    assert parse(message(1, 42, 42)[:60]) is None


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=120))
def test_any_message_is_parsed(data: bytes) -> None:
    parse(data)


class Script:
    """A socket that says what the test says."""

    def __init__(self, *said: tuple[bytes, int] | int) -> None:
        self._said = list(said)

    def recvfrom(self, _: int) -> tuple[bytes, tuple[int, int]]:
        if not self._said:
            raise BlockingIOError
        said = self._said.pop(0)
        if isinstance(said, int):
            raise OSError(said, os.strerror(said))
        return said[0], (said[1], 1)

    def fileno(self) -> int:
        return -1


def scripted(monkeypatch: pytest.MonkeyPatch, *said: tuple[bytes, int] | int) -> ProcConnector:
    monkeypatch.setattr(proc_connector, "_listening", lambda: Script(*said))
    return ProcConnector()


def test_only_the_kernel_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    births = scripted(monkeypatch, (message(1, 42, 42), 0), (message(1, 43, 43), 4711), (b"?", 0))
    births.catch_up()
    births.close()
    found = births.of(42)
    assert found is not None
    assert found.parent == 7
    assert births.of(43) is None


def test_what_may_be_wrong_after_a_loss_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    births = scripted(monkeypatch, (message(1, 42, 42), 0), errno.ENOBUFS, (message(1, 43, 43), 0))
    births.catch_up()
    assert births.of(42) is None
    assert births.of(43) is not None


def test_a_fork_bomb_fills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc_connector, "_KNOWN", 10)
    monkeypatch.setattr(proc_connector, "_AT_ONCE", 50)
    births = scripted(monkeypatch, *[(message(1, pid, pid), 0) for pid in range(100)])
    births.catch_up()
    assert births.of(49) is not None
    assert births.of(50) is None  # later: the guard has other things to do as well
    births.catch_up()
    assert len(births._births) == 10


def test_where_it_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []

    class Refused:
        def __init__(self, *_: int) -> None:
            pass

        def setsockopt(self, *_: object) -> None:
            raise OSError(codes[0], os.strerror(codes.pop(0)))

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(socket, "socket", Refused)
    codes = [errno.EPERM, errno.ENOPROTOOPT]
    for kind in (NotPermitted, VigieError):
        with pytest.raises(kind, match="is not known"):
            ProcConnector()
    assert closed == [True, True]


@pytest.fixture
def births(as_root: None) -> Iterator[ProcConnector]:
    del as_root
    listening = ProcConnector()
    yield listening
    listening.close()
    listening.close()


@pytest.mark.root
@pytest.mark.alone
def test_writers_that_have_ended_are_their_scripts(
    births: ProcConnector, start: Callable[..., object]
) -> None:
    code = (
        "import os\n"
        "for _ in range(50):\n"
        "    pid = os.fork()\n"  # each starts the one that writes, and ends: nobody's child soon after
        "    if not pid:\n"
        "        inner = os.fork()\n"
        "        if inner: print(inner, flush=True)\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
        "print('done', flush=True); input()"
    )
    child = start(sys.executable, "-c", code)
    assert isinstance(child, subprocess.Popen)
    assert child.stdout is not None
    writers = [int(line) for line in iter(child.stdout.readline, "done\n")]
    assert len(writers) == 50
    actors = Actors(births=births)
    for pid in writers:
        stat = stat_of(pid)
        actor = actors.of(pid, stat) if stat is not None else actors.gone(pid)
        assert actor is not None
        assert actor.parents[0].executable == ENDED
        assert actor.parents[1].pid == child.pid
        assert (child.pid, actor.parents[1].started) in [key for key, _ in chain_of(actor)]


@pytest.mark.root
@pytest.mark.alone
def test_a_birth_is_told_with_the_start_that_proc_tells(births: ProcConnector) -> None:
    sleeping = subprocess.Popen(["sleep", "30"])
    try:
        births.catch_up()
        birth, stat = births.of(sleeping.pid), stat_of(sleeping.pid)
        assert birth is not None
        assert stat is not None
        assert birth.parent == os.getpid()
        assert birth.started - stat.started in (0, 1)
    finally:
        sleeping.kill()
        sleeping.wait()
