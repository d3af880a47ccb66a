import os
import subprocess
import sys

import pytest

from vigie.watch import processes
from vigie.watch.processes import Actors, Stat, describe, executable_of, parents_of, stat_of


def stat_here() -> Stat:
    stat = stat_of(os.getpid())
    assert stat is not None
    return stat


def test_this_process_is_described() -> None:
    me = describe(os.getpid(), stat_here())
    assert me.executable == os.readlink("/proc/self/exe")
    assert me.command
    assert me.user
    assert me.started == stat_here().started


def test_the_chain_of_parents_ends_at_pid_one() -> None:
    chain = parents_of(stat_here())
    assert chain[0].pid == os.getppid()
    assert chain[-1].pid == 1


def test_what_is_gone_is_none(sleeper: subprocess.Popen[str]) -> None:
    stat = stat_of(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert stat_of(sleeper.pid) is None
    assert stat is not None
    # Its name and parents were read in time: better than nothing.
    actor = Actors().of(sleeper.pid, stat)
    assert actor.process.executable.startswith("[")
    assert actor.parents[0].pid == os.getpid()


@pytest.mark.parametrize(
    "line",
    [b"", b"12", b"12 (a) S", b"12 (a) S 1 2 3 four 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", b"))))"],
)
def test_a_stat_that_makes_no_sense_is_none(monkeypatch: pytest.MonkeyPatch, line: bytes) -> None:
    monkeypatch.setattr(processes, "_read", lambda *_: line)
    assert stat_of(12) is None


def test_a_name_may_hold_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b"12 (a) R 9 (\xe9\n) T 7 8 9 1025 11 4194560 " + b" ".join(b"%d" % n for n in range(10, 40))
    monkeypatch.setattr(processes, "_read", lambda *_: line)
    stat = stat_of(12)
    assert stat is not None
    assert (stat.state, stat.parent, stat.group, stat.terminal, stat.started) == ("T", 7, 8, 1025, 22)
    assert os.fsencode(stat.name) == b"a) R 9 (\xe9\n"


def test_a_process_without_executable_is_named_in_brackets() -> None:
    assert executable_of(2**22 + 1, "kworker") == "[kworker]"


def test_a_long_command_line_is_cut(start: object) -> None:
    assert callable(start)
    child = start(sys.executable, "-c", "print('up', flush=True); input()", "x" * 100_000)
    assert child.stdout.readline() == "up\n"
    stat = stat_of(child.pid)
    assert stat is not None
    process = describe(child.pid, stat)
    assert sum(map(len, process.command)) <= 4096


def test_an_actor_is_remembered_until_it_runs_something_else(start: object) -> None:
    assert callable(start)
    child = start("/bin/sh", "-c", "echo up; read x; exec sleep 30")
    child.stdout.readline()
    actors = Actors()
    stat = stat_of(child.pid)
    assert stat is not None
    first = actors.of(child.pid, stat)
    assert actors.of(child.pid, stat) is first
    child.stdin.write("go\n")
    child.stdin.flush()
    while "sleep" not in os.readlink(f"/proc/{child.pid}/exe"):
        pass
    second = actors.of(child.pid, stat)
    assert second.process.executable.endswith("sleep")
    assert second.process.started == first.process.started


def test_actors_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_CACHE", 2)
    actors = Actors()
    stat = stat_here()
    for started in range(5):
        fields = {name: getattr(stat, name) for name in Stat.__slots__}
        actors.of(os.getpid(), Stat(**{**fields, "started": started}))
    assert len(actors._known) == 2


def test_a_user_without_a_name_is_a_number() -> None:
    assert processes._user(3_999_999) == "3999999"
