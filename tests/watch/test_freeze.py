import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from vigie.errors import VigieError
from vigie.model import Process
from vigie.watch import freeze, hold
from vigie.watch.freeze import FROZEN, GONE, REFUSED, RELEASED, RUNNING, Freezer, job_of_a_shell, open_same
from vigie.watch.hold import Holds, repair
from vigie.watch.processes import PF_KTHREAD, Stat, describe, stat_of

pytestmark = pytest.mark.alone


def of(child: subprocess.Popen[str]) -> Process:
    return describe(child.pid, stat(child.pid))


def stat(pid: int) -> Stat:
    found = stat_of(pid)
    assert found is not None
    return found


def state(pid: int, wanted: str) -> bool:
    end = time.monotonic() + 3
    while time.monotonic() < end:
        found = stat_of(pid)
        if found is not None and found.state in wanted:
            return True
        time.sleep(0.005)
    return False


def with_(base: Stat, **changes: object) -> Stat:
    return Stat(**{**{name: getattr(base, name) for name in Stat.__slots__}, **changes})


def test_a_process_is_frozen_and_released(sleeper: subprocess.Popen[str]) -> None:
    process, freezer = of(sleeper), Freezer()
    assert freezer.freeze(process) == FROZEN
    assert state(sleeper.pid, "T")
    assert freezer.release(process) == RELEASED
    assert state(sleeper.pid, "SR")
    assert freezer.release(process) == RUNNING


def test_a_recycled_pid_is_not_hit(sleeper: subprocess.Popen[str]) -> None:
    real = of(sleeper)
    before = Process(real.pid, real.started - 1, real.executable)
    freezer = Freezer()
    assert freezer.freeze(before) == GONE
    assert open_same(before.pid, before.started) is None
    sleeper.send_signal(signal.SIGSTOP)
    assert state(sleeper.pid, "T")
    assert freezer.release(before) == GONE
    assert state(sleeper.pid, "T")


def test_a_pid_that_is_recycled_at_the_last_moment_is_not_hit(
    sleeper: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, freezer = of(sleeper), Freezer()
    monkeypatch.setattr(freeze, "open_same", lambda *_: None)
    assert freezer.freeze(real) == GONE


def test_a_dead_process_is_gone(sleeper: subprocess.Popen[str]) -> None:
    process, freezer = of(sleeper), Freezer()
    sleeper.kill()
    sleeper.wait()
    assert freezer.freeze(process) == GONE
    assert freezer.release(process) == GONE
    assert open_same(process.pid, process.started) is None


def test_some_are_never_frozen(sleeper: subprocess.Popen[str]) -> None:
    process = of(sleeper)
    assert "never frozen" in Freezer(["*/python*"]).freeze(process)
    assert "never frozen" not in Freezer(["/bin/other"]).exempt(process.pid, stat(process.pid))
    freezer = Freezer()
    for pid in (1, os.getpid(), os.getppid()):
        assert freezer.exempt(pid, stat(pid)) != ""
    assert "kernel" in freezer.exempt(4, with_(stat(sleeper.pid), flags=PF_KTHREAD, started=1))
    me = describe(os.getpid(), stat(os.getpid()))
    assert freezer.freeze(me).startswith("not frozen: it is Vigie")


def test_what_somebody_released_is_left_alone(sleeper: subprocess.Popen[str]) -> None:
    process, freezer = of(sleeper), Freezer()
    freezer.spare(process.pid, process.started)
    assert "by hand" in freezer.freeze(process)


def test_the_memory_of_exemptions_is_bounded(
    sleeper: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze, "_CACHE", 3)
    freezer, now = Freezer(), stat(sleeper.pid)
    for started in range(10):
        assert freezer.exempt(sleeper.pid, with_(now, started=started)) == ""
    assert len(freezer._cache) <= 3


def test_refusals_are_words(sleeper: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    process, freezer = of(sleeper), Freezer()

    def fail(error: type[OSError]) -> None:
        def send(*_: object) -> None:
            raise error

        monkeypatch.setattr(signal, "pidfd_send_signal", send)

    fail(PermissionError)
    assert freezer.freeze(process) == REFUSED
    fail(ProcessLookupError)
    assert freezer.freeze(process) == GONE


def test_a_kernel_without_pidfd_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", missing)
    with pytest.raises(VigieError, match="not implemented"):
        open_same(1, 1)


def test_a_held_process_waits_and_goes_on(sleeper: subprocess.Popen[str], tmp_path: Path) -> None:
    holds, now = Holds(tmp_path, Freezer()), stat(sleeper.pid)
    key = (sleeper.pid, now.started)
    assert holds.hold(sleeper.pid, now, None, 10.0)
    assert holds.hold(sleeper.pid, now, None, 10.0)
    assert state(sleeper.pid, "T")
    assert key in holds
    assert len(holds) == 1
    assert holds.left() == [key]
    assert holds.overdue(10.0) == []
    assert holds.overdue(10.0 + hold.SECONDS) == [key]
    holds.release(key)
    holds.release(key)
    assert state(sleeper.pid, "SR")
    assert holds.left() == []
    holds.close()


def test_a_process_that_somebody_else_stopped_is_not_held(
    sleeper: subprocess.Popen[str], tmp_path: Path
) -> None:
    sleeper.send_signal(signal.SIGSTOP)
    assert state(sleeper.pid, "T")
    holds = Holds(tmp_path, Freezer())
    assert not holds.hold(sleeper.pid, stat(sleeper.pid), None, 0.0)
    holds.close()
    assert state(sleeper.pid, "T")


def test_what_may_not_be_held_is_not(
    sleeper: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = stat(sleeper.pid)
    exempt = Holds(tmp_path, Freezer(["*python*"]))
    assert not exempt.hold(sleeper.pid, now, None, 0.0)
    exempt.close()
    holds = Holds(tmp_path, Freezer())
    assert not holds.hold(sleeper.pid, with_(now, started=1), None, 0.0)  # another one's pid
    dead = os.pidfd_open(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert not holds.hold(sleeper.pid, now, dead, 0.0)
    assert holds.left() == []
    os.close(dead)
    monkeypatch.setattr(holds, "_free", [])
    assert not holds.hold(sleeper.pid, now, None, 0.0)
    holds.close()


def test_a_killed_guard_is_repaired(sleeper: subprocess.Popen[str], tmp_path: Path) -> None:
    killed, now = Holds(tmp_path, Freezer()), stat(sleeper.pid)
    killed.hold(sleeper.pid, now, None, 0.0)
    key = (sleeper.pid, now.started)
    holds = Holds(tmp_path, Freezer())
    assert repair(Holds(tmp_path, Freezer()), {key}) == []  # frozen by an incident: stays
    assert state(sleeper.pid, "T")
    os.pwrite(killed._fd, hold._NOTE.pack(*key), 0)
    os.pwrite(killed._fd, hold._NOTE.pack(2**22 + 1, 7), 160)
    outcomes = repair(holds, frozenset())
    assert [(p.pid, outcome) for p, outcome in outcomes] == [(sleeper.pid, RELEASED), (2**22 + 1, GONE)]
    assert state(sleeper.pid, "SR")
    assert holds.left() == []
    holds.close()
    killed._held.clear()
    killed.close()


def test_closing_lets_everybody_go_on(sleeper: subprocess.Popen[str], tmp_path: Path) -> None:
    holds = Holds(tmp_path, Freezer())
    holds.hold(sleeper.pid, stat(sleeper.pid), None, 0.0)
    holds.close()
    assert state(sleeper.pid, "SR")


def test_what_is_kept_stays_stopped(sleeper: subprocess.Popen[str], tmp_path: Path) -> None:
    holds, now = Holds(tmp_path, Freezer()), stat(sleeper.pid)
    holds.hold(sleeper.pid, now, None, 0.0)
    holds.keep((sleeper.pid, now.started))
    holds.keep((sleeper.pid, now.started))
    holds.close()
    assert state(sleeper.pid, "T")


@pytest.mark.parametrize(
    ("terminal", "group", "above", "expected"),
    [
        (0, 70, 1025, False),  # no terminal
        (1025, 70, 1025, True),  # `shell$ program`
        (1025, 50, 1025, False),  # started by such a program
        (1025, 70, 0, False),  # the shell itself, below sshd
    ],
)
def test_a_job_of_an_interactive_shell_is_known(
    terminal: int, group: int, above: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = stat(os.getpid())
    monkeypatch.setattr(freeze, "stat_of", lambda _: with_(base, terminal=above, group=50))
    assert job_of_a_shell(with_(base, terminal=terminal, group=group)) is expected
