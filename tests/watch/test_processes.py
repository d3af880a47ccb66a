import os
import subprocess
import sys
from pathlib import Path

import pytest

from vigie.model import Actor, Process
from vigie.watch import processes
from vigie.watch.cgroup import membership
from vigie.watch.proc_connector import Birth
from vigie.watch.processes import ENDED, Actors, Stat, describe, executable_of, groups_of, stat_of


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
    chain = Actors().of(os.getpid(), stat_here()).parents
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


class Told:
    """Births as a test has them; a made-up pid is none that the kernel gives."""

    def __init__(self, **births: tuple[int, int]) -> None:
        self.births = {int(pid[1:]): Birth(*birth) for pid, birth in births.items()}
        self.caught_up = 0

    def catch_up(self) -> None:
        self.caught_up += 1

    def of(self, pid: int) -> Birth | None:
        return self.births.get(pid)

    def close(self) -> None:
        pass


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[int, Stat]:
    """A /proc of its own: pid -> stat."""
    found: dict[int, Stat] = {}
    monkeypatch.setattr(processes, "stat_of", found.get)
    monkeypatch.setattr(
        processes, "describe", lambda pid, stat: Process(pid, stat.started, f"/bin/{stat.name}")
    )
    monkeypatch.setattr(processes, "executable_of", lambda _, name: f"/bin/{name}")
    monkeypatch.setattr(processes, "groups_of", lambda pid: (f"of-{pid}.service", ""))
    return found


def a_stat(parent: int, started: int, name: str, state: str = "S") -> Stat:
    return Stat(state, parent, 0, 0, 0, started, name)


def line(actor: Actor | None) -> list[tuple[int, str]]:
    assert actor is not None
    return [(p.pid, p.executable) for p in (actor.process, *actor.parents)]


def test_an_orphan_belongs_to_whoever_started_its_line(table: dict[int, Stat]) -> None:
    # A script (10) starts 20, which starts 30 and ends: 30 is given to pid 1.
    table |= {1: a_stat(0, 0, "init"), 10: a_stat(1, 100, "script"), 30: a_stat(1, 301, "cipher")}
    told = Told(p20=(10, 300), p30=(20, 302))
    assert line(Actors(births=told).of(30, table[30])) == [
        (30, "/bin/cipher"),
        (20, ENDED),
        (10, "/bin/script"),
        (1, "/bin/init"),
    ]
    assert line(Actors().of(30, table[30])) == [(30, "/bin/cipher"), (1, "/bin/init")]


def test_a_process_that_has_ended_is_named_by_its_line(table: dict[int, Stat]) -> None:
    table |= {1: a_stat(0, 0, "init"), 10: a_stat(1, 100, "script"), 20: a_stat(10, 299, "shell")}
    told = Told(p20=(10, 300), p30=(20, 301), p31=(20, 302), p40=(39, 400))
    actors = Actors(births=told)
    first = actors.gone(30)
    assert line(first) == [(30, ENDED), (20, "/bin/shell"), (10, "/bin/script"), (1, "/bin/init")]
    assert first is not None
    assert (first.unit, first.process.started) == ("of-20.service", 301)
    assert actors.gone(30) is first
    del table[20]  # it was seen while it lived: that is remembered, with the very moment of its start
    later = actors.gone(31)
    assert line(later)[1] == (20, "/bin/shell")
    assert later is not None
    assert later.parents[0].started == 299
    # Nothing is known of who started it, or of it; and without births nothing ever is.
    assert line(actors.gone(40)) == [(40, ENDED)]
    assert actors.gone(50) is None
    assert Actors().gone(30) is None


def test_nobody_answers_for_a_pid_that_was_given_again(table: dict[int, Stat]) -> None:
    table |= {1: a_stat(0, 0, "init"), 20: a_stat(1, 900, "nurse"), 30: a_stat(1, 800, "other")}
    actors = Actors(births=Told(p20=(1, 900), p30=(20, 300), p40=(50, 400), p50=(1, 700)))
    # 20 began after its supposed child 30 had: it is not the one that started it.
    assert line(actors.gone(30)) == [(30, ENDED)]
    # The last process of pid 20 lives: whoever had that pid before is not known.
    assert actors.gone(20) is None
    assert line(actors.gone(40)) == [(40, ENDED)]
    # The birth is of another process than the one that has the pid now: its present parent counts.
    assert line(actors.of(30, table[30])) == [(30, "/bin/other"), (1, "/bin/init")]


def test_what_ended_is_what_it_was(table: dict[int, Stat], monkeypatch: pytest.MonkeyPatch) -> None:
    table |= {20: a_stat(0, 100, "cipher")}
    actors = Actors()
    actor = actors.of(20, table[20])
    monkeypatch.setattr(processes, "executable_of", lambda _, name: f"[{name}]")  # a zombie has none
    assert actors.of(20, a_stat(0, 100, "cipher", "Z")) is actor


def test_a_chain_is_never_endless(table: dict[int, Stat]) -> None:
    table |= {pid: a_stat(21 - pid + 20, 100, "loop") for pid in (20, 21)}
    assert len(Actors().of(20, table[20]).parents) == 64
    told = Told(**{f"p{pid}": (pid + 1, 100) for pid in range(100, 300)})
    actor = Actors(births=told).gone(100)
    assert actor is not None
    assert len(actor.parents) == 64


def test_processes_above_are_bounded(table: dict[int, Stat], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_CACHE", 3)
    actors = Actors()
    for pid in range(10, 30):
        table[pid] = a_stat(0, pid, "x")
        actors.of(pid, table[pid])
    assert len(actors._processes) == 3


def test_the_groups_of_this_process_are_read() -> None:
    assert groups_of(os.getpid()) == membership(Path("/proc/self/cgroup").read_text())
    assert groups_of(2**22 + 1) == ("", "")
