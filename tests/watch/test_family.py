"""All that belongs to a process is found and stopped, however it was started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.model import Actor, Client, Process
from vigie.watch import family, freeze_group
from vigie.watch.encoded import looks_encoded
from vigie.watch.family import below, everybody, program_of, take_family
from vigie.watch.freeze import Freezer
from vigie.watch.freeze_group import GroupFreezer
from vigie.watch.processes import Stat, stat_of

TREE = """
import os, sys, time
for _ in range({children}):
    if os.fork() == 0:
        if os.fork() == 0:
            if {orphans}:
                time.sleep(0.05)
        elif {orphans}:
            os._exit(0)
        break
os.write(1, b"%d\\n" % os.getpid())
time.sleep(60)
"""


def stat(parent: int, group: int, state: str = "S") -> Stat:
    return Stat(state, parent, group, 0, 0, 1, "x")


def test_descendants_and_groups_are_family_and_the_barred_are_not() -> None:
    table = {
        1: stat(0, 1),
        10: stat(1, 10),
        11: stat(10, 10),
        12: stat(11, 12),
        13: stat(1, 10),  # its parent ended: the group tells
        14: stat(12, 12, "Z"),
        20: stat(10, 20),  # Vigie, say
        21: stat(20, 21),
        22: stat(20, 10),  # its worker, in the group of the script that started both
        30: stat(1, 30),
    }
    assert set(below([10], table, {20})) == {11, 12, 13}
    assert set(below([10], table)) == {11, 12, 13, 20, 21, 22}
    assert below([30], table) == []


def test_a_loop_of_parents_ends() -> None:
    assert set(below([1], {1: stat(2, 1), 2: stat(1, 1)})) == {2}


class Refusing:
    """Stops nobody, and remembers who it was asked about."""

    def __init__(self) -> None:
        self.pids: list[int] = []

    def __call__(self, pid: int, now: Stat) -> bool:
        self.pids.append(pid)
        return now.started < 0


@pytest.fixture
def tree() -> Iterator[list[subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []
    yield running
    for process in running:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def grow(tree: list[subprocess.Popen[str]], children: int, *, orphans: bool) -> set[int]:
    """Start a root and `children` children with a child each; all their pids, the root's first in `tree`."""
    code = TREE.format(children=children, orphans=orphans)
    root = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    tree.append(root)
    assert root.stdout is not None
    return {int(root.stdout.readline()) for _ in range(children * (1 if orphans else 2) + 1)}


@pytest.mark.alone
@pytest.mark.parametrize("orphans", [False, True])
@pytest.mark.parametrize("told", [False, True])
def test_a_real_family_stands_still(
    orphans: bool, told: bool, tree: list[subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    everyone = grow(tree, 3, orphans=orphans)
    if not told:  # a kernel that does not tell who somebody's children are
        monkeypatch.setattr(family, "_children_of", lambda _: [])
    root = tree[0].pid
    os.kill(root, signal.SIGSTOP)
    taken: list[int] = []

    def take(pid: int, now: Stat) -> bool:
        taken.append(pid)
        os.kill(pid, signal.SIGSTOP)
        return now.started > 0

    assert take_family(root, take)
    assert set(taken) == everyone - {root}
    assert len(taken) == len(set(taken))


@pytest.mark.alone
def test_nobody_is_looked_for_below_one_who_may_not_be_stopped(tree: list[subprocess.Popen[str]]) -> None:
    grow(tree, 2, orphans=False)
    asked = Refusing()
    assert take_family(tree[0].pid, asked)
    assert len(asked.pids) == 2


def test_a_family_that_grows_all_the_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pids = iter(range(10**6, 2 * 10**6))
    monkeypatch.setattr(family, "_children", lambda *_: iter([(next(pids), stat(1, 1))]))
    assert not take_family(5, lambda *_: True)
    monkeypatch.setattr(family, "_children", lambda *_: ((next(pids), stat(1, 1)) for _ in range(100)))
    asked = Refusing()
    assert not take_family(5, asked)
    assert len(asked.pids) == family.MOST


def process(pid: int, *command: str, user: str = "anna") -> Process:
    return Process(pid, 1, "/usr/bin/python3", command, user)


def test_forks_of_a_program_are_one_program() -> None:
    worker, master = process(12, "python3", "x.py"), process(11, "python3", "x.py")
    shell = process(10, "bash")
    assert program_of(Actor(worker, (master, shell))) == master
    assert program_of(Actor(shell, (master,))) == shell
    assert program_of(Actor(worker, (process(11, "python3", "x.py", user="root"),))) == worker
    assert program_of(Actor(process(12), (process(11),))).pid == 12  # command lines that cannot be read
    first = process(1, "python3", "x.py")
    assert program_of(Actor(worker, (first,))) == worker
    behind = Actor(worker, (master,), Client("192.0.2.7"))
    assert program_of(behind) == worker


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (
            (b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODk" * 4)[
                :256
            ],
            False,
        ),
        (bytes(range(33, 127)) * 4, True),
        (b"Haemoglobin 13.2 g/dl; all is well.\n" * 9, False),
        (bytes(range(33, 127)), False),  # too short to tell
        (bytes(range(256)) * 2, False),
        (b"word\nother\nthird\n" * 40, False),
    ],
)
def test_letters_that_are_no_words_are_told(head: bytes, expected: bool) -> None:
    assert looks_encoded(head) is expected


class Groups:
    """Control groups in a folder of the test's, for processes that are real."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = folder
        self.paths: list[str] = []
        self._mounts = f"30 23 0:26 / {folder} rw - cgroup2 none rw\nhostile\n31 - x\n"
        real = freeze_group._read
        monkeypatch.setattr(freeze_group, "_read", lambda path: self.read(path) or real(path))

    def read(self, path: str) -> str:
        if path == "/proc/self/mountinfo":
            return self._mounts
        return "".join(f"0::{p}\n" for p in self.paths) if path.endswith("/cgroup") else ""

    def make(self, name: str, *pids: int) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True)
        (folder / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
        (folder / "cgroup.freeze").write_text("0")
        self.paths.append("/" + name)
        return folder


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Groups:
    return Groups(tmp_path, monkeypatch)


@pytest.mark.alone
def test_a_group_of_its_own_is_frozen_and_released(groups: Groups, tree: list[subprocess.Popen[str]]) -> None:
    everyone = grow(tree, 1, orphans=False)
    folder = groups.make("attack.service", *everyone)
    freezer = GroupFreezer(Freezer())
    target = freezer.group_of(tree[0].pid)
    assert target == {"cgroup": str(folder)}
    assert freezer.do(target).in_force
    assert (folder / "cgroup.freeze").read_text() == "1"
    undone = freezer.undo(target)
    assert (undone.in_force, undone.done) == (False, True)
    assert (folder / "cgroup.freeze").read_text() == "0"


@pytest.mark.alone
@pytest.mark.parametrize(
    ("name", "more", "reason"),
    [
        ("user.slice", False, "a slice"),
        ("shared.service", True, "holds others"),
        ("..", False, "no control group"),
    ],
)
def test_what_others_share_is_not_frozen(
    name: str, more: bool, reason: str, groups: Groups, tree: list[subprocess.Popen[str]]
) -> None:
    everyone = grow(tree, 1, orphans=False)
    if name == "..":
        groups.paths += ["/..", "/", "/gone"]
    else:
        groups.make(name, *everyone, *([os.getpid()] if more else []))
    found = GroupFreezer(Freezer()).group_of(tree[0].pid)
    assert isinstance(found, str)
    assert reason in found


def test_a_group_with_one_of_ours_is_refused(groups: Groups) -> None:
    folder = groups.make("vigie.service", os.getpid())
    outcome = GroupFreezer(Freezer()).do({"cgroup": str(folder)})
    assert "Vigie" in outcome.words
    assert not outcome.in_force
    assert (folder / "cgroup.freeze").read_text() == "0"


def test_groups_that_are_gone_or_cannot_freeze(groups: Groups) -> None:
    freezer = GroupFreezer(Freezer())
    assert not freezer.do({"cgroup": str(groups.root / "gone")}).done
    assert not freezer.undo({"cgroup": str(groups.root / "gone")}).in_force
    folder = groups.make("plain", 2**22 + 3)
    (folder / "cgroup.freeze").unlink()
    assert "neither" in freezer.do({"cgroup": str(folder)}).words
    (folder / "cgroup.freeze").symlink_to(folder)
    assert "refuses" in freezer.do({"cgroup": str(folder)}).words
    assert freezer.undo({"cgroup": str(folder)}).in_force


@pytest.mark.alone
@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_the_kernels_own_freezer(tree: list[subprocess.Popen[str]]) -> None:
    folder = Path("/sys/fs/cgroup/freezer") / f"vigie-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("no v1 freezer here")
    try:
        everyone = grow(tree, 2, orphans=False)
        for pid in everyone:
            (folder / "cgroup.procs").write_text(str(pid))
        freezer = GroupFreezer(Freezer())
        target = freezer.group_of(tree[0].pid)
        assert target == {"cgroup": str(folder)}
        assert freezer.do(target).in_force
        end = time.monotonic() + 3
        while (folder / "freezer.state").read_text() != "FROZEN\n" and time.monotonic() < end:
            time.sleep(0.01)
        assert (folder / "freezer.state").read_text() == "FROZEN\n"
        assert not freezer.undo(target).in_force
        assert (folder / "freezer.state").read_text() == "THAWED\n"
    finally:
        (folder / "freezer.state").write_text("THAWED")
        for word in (folder / "cgroup.procs").read_text().split():
            os.kill(int(word), signal.SIGKILL)
        end = time.monotonic() + 3
        while (folder / "cgroup.procs").read_text() and time.monotonic() < end:
            if tree[0].poll() is None:
                tree[0].wait(3)
            time.sleep(0.01)
        folder.rmdir()


def test_everybody_is_there() -> None:
    table = everybody()
    assert os.getpid() in table
    assert table[os.getpid()].started == getattr(stat_of(os.getpid()), "started", None)
