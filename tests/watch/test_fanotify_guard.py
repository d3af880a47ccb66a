"""What a guard does with changes of names, dead writers, and a machine that slept."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest

from vigie.config import GuardSettings
from vigie.journal import Journal
from vigie.model import Entry, Likeness, OpenBlob, Skipped, State, Verdict
from vigie.sources.folder import walk
from vigie.ui.cli.guard.tell import who
from vigie.watch import guard as guard_module
from vigie.watch import suspend
from vigie.watch.events import Event, Moved, NameEvent, Overflow, Removed, Written
from vigie.watch.facts import Deleted, Fact, Renamed
from vigie.watch.freeze import Freezer
from vigie.watch.guard import Edges, Guard
from vigie.watch.proc_connector import Birth
from vigie.watch.processes import ENDED, stat_of
from vigie.watch.responsible import Key, Link
from vigie.watch.rules import Finding
from vigie.watch.scope import Scope
from vigie.watch.suspend import Suspends

pytestmark = pytest.mark.alone

E = TypeVar("E")

DEAD = 2**22 + 7
"""A pid that no process has."""


class Queue(Generic[E]):
    """Events as the test says, behind something that can be waited for."""

    lost: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._events: list[E] = []
        self.extended = 0

    def say(self, *events: E) -> None:
        self._events += events
        os.eventfd_write(self._wake, 1)

    def fileno(self) -> int:
        return self._wake

    def read(self) -> list[E]:
        events, self._events = self._events, []
        if events:
            os.eventfd_read(self._wake)
        return events

    def extend(self) -> list[str]:
        self.extended += 1
        return []

    def close(self) -> None:
        os.close(self._wake)


class Files(Queue[Event]):
    name, attribution, filesystems = "scripted", True, ("/",)
    lost = ("of files",)

    def ignore(self, folder: str) -> None:
        del folder


class NamesSaid(Queue[NameEvent]):
    lost = ("of names",)


class Births:
    """The dead pid was a child of this process's parent, or of another one."""

    def __init__(self) -> None:
        self.caught_up = 0
        self.known = {DEAD: Birth(os.getppid(), 2**60)}

    def catch_up(self) -> None:
        self.caught_up += 1

    def of(self, pid: int) -> Birth | None:
        return self.known.get(pid)

    def close(self) -> None:
        pass


class Listening:
    """A rule that keeps every fact."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def counts(self, fact: Fact) -> bool:
        del fact
        return False

    def see(self, fact: Fact, chain: Sequence[Link], now: int) -> Finding | None:
        del chain, now
        self.facts.append(fact)
        return None

    def forget(self, key: Key) -> None:
        del key


def judge(blob: OpenBlob, name: str, before: Likeness | None) -> Verdict:
    del before
    if "slow" in name:
        time.sleep(0.2)
    state = State.INTACT if blob.at(0, 99).isascii() else State.ENCRYPTED
    return Verdict(state, likeness=Likeness(state, None, blob.size, 0.0, b""))


def judge_all(
    items: Iterable[Entry | Skipped], before: Callable[[str], Likeness | None]
) -> Iterator[tuple[Entry | Skipped, Verdict]]:
    for item in items:
        assert isinstance(item, Entry)
        yield item, judge(item.open(), item.path, before(item.path))


class Bench:
    """A guard in a thread."""

    def __init__(self, folder: Path) -> None:
        self.share = folder / "share"
        self.share.mkdir()
        self.files, self.names, self.births, self.rule = Files(), NamesSaid(), Births(), Listening()
        self.said: list[dict[str, Any]] = []
        self.journal = Journal(folder / "state")
        scope = Scope([str(self.share)], state=str(folder / "state"))
        edges = Edges(
            self.files,
            judge,
            judge_all,
            lambda head: not head.isascii(),
            lambda: walk(scope.roots),
            self.said.append,
            rules=(self.rule,),
            names=self.names,
            births=self.births,
            lost=("of births",),
        )
        self.guard = Guard(edges, scope, GuardSettings(), self.journal, Freezer(), contain=True)
        self._thread = threading.Thread(target=self.guard.run)
        self._thread.start()

    def until(self, enough: Callable[[], object]) -> None:
        end = time.monotonic() + 4
        while not enough():
            assert time.monotonic() < end, self.said
            time.sleep(0.005)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.said if event["event"] == name]

    def end(self) -> None:
        self.guard.stop()
        self._thread.join(10)
        self.files.close()
        self.names.close()
        self.journal.close()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(guard_module, "_TICK", 0.05)
    made = Bench(tmp_path)
    made.until(lambda: made.events("baseline"))
    yield made
    made.end()


def test_what_cannot_be_seen_is_in_the_first_line(bench: Bench) -> None:
    assert bench.events("ready")[0]["lost"] == ["of files", "of names", "of births"]
    bench.until(lambda: bench.names.extended and bench.births.caught_up)


def test_changes_of_names_are_facts_with_an_author_even_a_dead_one(bench: Bench) -> None:
    old, new = str(bench.share / "a"), str(bench.share / "a.locked")
    bench.names.say(
        Moved(new, old, os.getppid()),
        Removed(new, DEAD, gone=True),
        Removed(new, os.getppid(), gone=True),  # whoever has the pid now did not do it
        Removed("/elsewhere", os.getppid()),
        Removed(new, None),
    )
    bench.until(lambda: len(bench.rule.facts) == 4)
    renamed, dead, reused, nobody = bench.rule.facts
    assert isinstance(renamed, Renamed)
    assert (renamed.old, renamed.path) == (old, new)
    assert renamed.actor is not None
    assert renamed.actor.process.pid == os.getppid()
    assert isinstance(dead, Deleted)
    assert dead.actor is not None
    assert (dead.actor.process.executable, dead.actor.parents[0].pid) == (ENDED, os.getppid())
    assert reused.actor is nobody.actor is None


def test_a_file_of_a_dead_writer_has_an_actor(bench: Bench) -> None:
    path = bench.share / "a.pdf"
    path.write_bytes(b"\xff" * 50)
    bench.files.say(Written(str(path), os.open(path, os.O_RDONLY), DEAD, gone=True))
    bench.until(lambda: bench.events("verdict"))
    actor = bench.events("verdict")[0]["actor"]
    assert (actor["pid"], actor["executable"]) == (DEAD, ENDED)
    assert actor["parents"][0]["pid"] == os.getppid()


def test_whoever_started_a_dead_writer_waits_in_its_place(
    bench: Bench, sleeper: subprocess.Popen[str]
) -> None:
    def state() -> str:
        stat = stat_of(sleeper.pid)
        assert stat is not None
        return stat.state

    stat = stat_of(sleeper.pid)
    assert stat is not None
    # Not as a child of this process: what our own children write is our own affair.
    bench.births.known = {DEAD: Birth(sleeper.pid, 2**60), sleeper.pid: Birth(1, stat.started)}
    path = bench.share / "slow.pdf"
    path.write_bytes(b"\xff" * 50)
    bench.files.say(Written(str(path), os.open(path, os.O_RDONLY), DEAD, gone=True))
    bench.until(lambda: state() == "T")
    bench.until(lambda: state() != "T")  # judged: one file makes no incident


def test_names_that_were_lost_mean_reading_everything_again(bench: Bench) -> None:
    bench.names.say(Overflow("names ran over"))
    bench.until(lambda: len(bench.events("baseline")) == 2)
    assert bench.events("overflow")[0]["reason"] == "names ran over"


def test_after_sleep_everything_is_read_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = suspend._ahead_ns()
    monkeypatch.setattr(suspend, "_ahead_ns", lambda: real + 3600 * 10**9)
    bench.until(lambda: len(bench.events("baseline")) == 2)
    assert bench.events("overflow")[0]["reason"] == "the machine was suspended"
    assert len(bench.events("overflow")) == 1


def test_a_moment_is_no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = Suspends()
    assert not slept.happened()
    real = suspend._ahead_ns()
    monkeypatch.setattr(suspend, "_ahead_ns", lambda: real + 10**8)
    assert not slept.happened()
    monkeypatch.setattr(suspend, "_ahead_ns", lambda: real + 2 * 10**9)
    assert slept.happened()
    assert not slept.happened()


def test_people_read_where_it_ran() -> None:
    actor = {"executable": "/bin/x", "pid": 7, "user": "me"}
    assert who(actor) == "/bin/x, pid 7, user me"
    there = {**actor, "user": "", "unit": "docker.service", "container": "0123456789abcdef"}
    assert who(there) == "/bin/x, pid 7, unit docker.service, in container 0123456789ab"
