import ast
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from vigie.drill import attack, playground
from vigie.drill.attack import NOTE, PATTERNS, SUFFIX
from vigie.drill.playground import MARKER, NotAPlayground, Playground

TEXT = b"Compte rendu de consultation, sans particularite.\n" * 2000


def make(parent: Path, names: tuple[str, ...] = ("a.txt", "sub/b.txt", "sub/deep/c.txt")) -> Playground:
    ground = playground.create(parent)
    for name in names:
        (ground.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (ground.folder / name).write_bytes(TEXT)
    return playground.record(ground, names)


@pytest.fixture
def ground(tmp_path: Path) -> Playground:
    return make(tmp_path)


def entropy(data: bytes) -> float:
    return -sum(n / len(data) * math.log2(n / len(data)) for n in Counter(data).values())


def changed(data: bytes) -> list[bool]:
    """Which bytes differ from the text: a random byte still equals it once in 256."""
    return [a != b for a, b in zip(data, TEXT, strict=True)]


def hit(parent: Path, pattern: str) -> tuple[Path, bytes, os.stat_result]:
    ground = make(parent, ("a.txt",))
    os.utime(ground.folder / "a.txt", ns=(10**18, 10**18))
    ground = playground.record(ground, ["a.txt"])
    assert attack.attack(ground.folder, ground.token, pattern=pattern).hit == 1
    (path,) = (p for p in ground.folder.iterdir() if p.name not in {MARKER, NOTE})
    return path, path.read_bytes(), path.stat()


@pytest.mark.parametrize(
    ("pattern", "name", "old_time"),
    [
        ("full", "a.txt", False),
        ("locked", "a.txt.locked", False),
        ("copied", "a.txt.locked", False),
        ("backdated", "a.txt", True),
    ],
)
def test_whole_file_patterns(tmp_path: Path, pattern: str, name: str, old_time: bool) -> None:
    path, data, status = hit(tmp_path, pattern)
    assert path.name == name
    assert len(data) == len(TEXT)
    assert entropy(data) > 7.9
    assert (status.st_mtime_ns == 10**18) is old_time


def test_header_is_the_first_page_only(tmp_path: Path) -> None:
    _, data, _ = hit(tmp_path, "header")
    assert entropy(data[:4096]) > 7.9
    assert data[4096:] == TEXT[4096:]


@pytest.mark.parametrize(("pattern", "on", "off"), [("intermittent", 64, 128), ("fine", 16, 16)])
def test_intermittent_patterns(tmp_path: Path, pattern: str, on: int, off: int) -> None:
    path, data, _ = hit(tmp_path, pattern)
    assert path.name == "a.txt"
    flags = changed(data)
    inside = [f for i, f in enumerate(flags) if i % (on + off) < on]
    outside = [f for i, f in enumerate(flags) if i % (on + off) >= on]
    assert sum(inside) / len(inside) > 0.98
    assert not any(outside)


@pytest.mark.parametrize(("on", "off"), [(64, 128), (16, 16)])
def test_intermittent_keeps_its_step_over_large_files(tmp_path: Path, on: int, off: int) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(2_500_000))
    descriptor = os.open(path, os.O_RDWR)
    attack._every(attack.Victim(descriptor, -1, "large", 2_500_000, (0, 0)), on, off)
    os.close(descriptor)
    data = path.read_bytes()
    assert len(data) == 2_500_000
    assert not any(any(data[at + on : at + on + off]) for at in range(0, len(data), on + off))
    assert all(any(data[at : at + on]) for at in range(0, len(data) - on, on + off))


def test_chunks_are_three(tmp_path: Path) -> None:
    _, data, _ = hit(tmp_path, "chunks")
    runs = [key for key, group in itertools.groupby(changed(data), bool) if len(list(group)) > 64]
    blocks = [sum(changed(data)[at : at + 1000]) > 900 for at in range(0, len(data), 1000)]
    assert [key for key, _ in itertools.groupby(blocks)] == [True, False, True, False, True]
    assert runs.count(False) == 2


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", [0, 1, 5000])
def test_small_files_keep_their_size(tmp_path: Path, pattern: str, size: int) -> None:
    ground = playground.create(tmp_path)
    (ground.folder / "a").write_bytes(TEXT[:size])
    ground = playground.record(ground, ["a"])
    assert attack.attack(ground.folder, ground.token, pattern=pattern).hit == 1
    (path,) = (p for p in ground.folder.iterdir() if p.name not in {MARKER, NOTE})
    assert path.stat().st_size == size


def test_each_file_gets_the_next_pattern_and_each_folder_a_note(tmp_path: Path) -> None:
    names = tuple(f"f{n}/{n}.txt" for n in range(2 * len(PATTERNS)))
    ground = make(tmp_path, names)
    tally = attack.attack(ground.folder, ground.token)
    assert (tally.hit, tally.passed) == (2 * len(PATTERNS), 1)
    left = [p for p in ground.folder.rglob("*") if p.is_file() and p.name not in {MARKER, NOTE}]
    assert len(left) == len(names)
    assert sum(p.name.endswith(SUFFIX) for p in left) == 4
    assert all(p.read_bytes() != TEXT for p in left)
    notes = list(ground.folder.rglob(NOTE))
    assert len(notes) == len(names)
    assert b"drill" in notes[0].read_bytes()


def test_it_imports_nothing_that_could_do_more() -> None:
    found: set[str] = set()
    for node in ast.walk(ast.parse(Path(attack.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    standard = {
        "argparse",
        "collections.abc",
        "dataclasses",
        "itertools",
        "json",
        "os",
        "pathlib",
        "sys",
        "time",
    }
    assert found == standard | {"vigie.drill.playground"}


def test_limit_and_rate(ground: Playground) -> None:
    start = time.monotonic()
    assert attack.attack(ground.folder, ground.token, pattern="full", rate=20, limit=2).hit == 2
    assert 0.04 < time.monotonic() - start < 2
    assert sum(p.read_bytes() == TEXT for p in ground.folder.rglob("*.txt") if p.name != NOTE) == 1


def untouched(path: Path, ground: Playground) -> None:
    """The attack runs, hits what it may, and leaves `path` alone."""
    before = path.read_bytes()
    for pattern in PATTERNS:
        attack.attack(ground.folder, ground.token, pattern=pattern)
    assert path.read_bytes() == before
    assert path.exists()


def test_a_file_that_is_not_listed_stays(ground: Playground) -> None:
    (ground.folder / "sub/mine.txt").write_bytes(TEXT)
    untouched(ground.folder / "sub/mine.txt", ground)
    assert not (ground.folder / "sub/mine.txt.locked").exists()


def test_a_file_swapped_for_another_stays(ground: Playground) -> None:
    # Another file under a listed name: same path, foreign inode.
    (ground.folder / "fresh").write_bytes(TEXT)
    os.replace(ground.folder / "fresh", ground.folder / "a.txt")
    untouched(ground.folder / "a.txt", ground)


def test_a_file_that_got_the_inode_of_a_listed_one_stays(ground: Playground) -> None:
    listed = ground.files["a.txt"]
    for _ in range(20):
        (ground.folder / "a.txt").unlink()
        (ground.folder / "a.txt").write_bytes(TEXT)
        if (ground.folder / "a.txt").stat().st_ino == listed.inode:
            break
    untouched(ground.folder / "a.txt", ground)


def test_a_file_swapped_for_a_link_leads_nowhere(ground: Playground, tmp_path: Path) -> None:
    outside = tmp_path / "thesis.txt"
    outside.write_bytes(TEXT)
    (ground.folder / "a.txt").unlink()
    (ground.folder / "a.txt").symlink_to(outside)
    untouched(outside, ground)
    assert (ground.folder / "a.txt").is_symlink()


def test_a_link_to_a_listed_file_is_no_way_in(ground: Playground, tmp_path: Path) -> None:
    # Even the right inode, once it lives outside and is reached by a link, is out of reach.
    moved = tmp_path / "moved.txt"
    (ground.folder / "a.txt").rename(moved)
    (ground.folder / "a.txt").symlink_to(moved)
    untouched(moved, ground)


def test_a_file_with_a_second_name_stays(ground: Playground, tmp_path: Path) -> None:
    os.link(ground.folder / "a.txt", tmp_path / "kept.txt")
    untouched(tmp_path / "kept.txt", ground)


def test_a_folder_swapped_for_a_link_is_not_entered(ground: Playground, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (ground.folder / "sub").rename(home)
    (ground.folder / "sub").symlink_to(home)
    # Path, device and inode all agree with the list; only the way leads outside.
    untouched(home / "b.txt", ground)
    assert not (home / NOTE).exists()


def test_a_listed_path_that_became_a_pipe_does_not_block(ground: Playground) -> None:
    (ground.folder / "a.txt").unlink()
    os.mkfifo(ground.folder / "a.txt")
    assert attack.attack(ground.folder, ground.token, pattern="full").hit == 2


def test_a_file_of_another_user_stays(ground: Playground, as_root: None) -> None:
    del as_root
    os.chown(ground.folder / "a.txt", 65534, 65534)
    untouched(ground.folder / "a.txt", ground)


def test_a_swap_between_look_and_open_is_seen(ground: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    (ground.folder / "fresh").write_bytes(TEXT)
    real = os.open

    def late(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "a.txt" and (ground.folder / "fresh").exists():
            os.replace(ground.folder / "fresh", ground.folder / "a.txt")
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", late)
    attack.attack(ground.folder, ground.token, pattern="full")
    assert (ground.folder / "a.txt").read_bytes() == TEXT


def test_a_link_put_there_between_look_and_open_is_not_followed(
    ground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The very file that is listed, moved outside: only O_NOFOLLOW stands between.
    outside = tmp_path / "moved.txt"
    real = os.open

    def late(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "a.txt" and not (ground.folder / "a.txt").is_symlink():
            (ground.folder / "a.txt").rename(outside)
            (ground.folder / "a.txt").symlink_to(outside)
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", late)
    assert attack.attack(ground.folder, ground.token, pattern="full").hit == 2
    assert outside.read_bytes() == TEXT


@pytest.mark.parametrize("pattern", ["locked", "copied"])
def test_a_longer_name_that_is_taken_is_not_replaced(ground: Playground, pattern: str) -> None:
    (ground.folder / "a.txt.locked").write_bytes(b"mine")
    tally = attack.attack(ground.folder, ground.token, pattern=pattern)
    assert (ground.folder / "a.txt.locked").read_bytes() == b"mine"
    assert (ground.folder / "a.txt").exists()
    assert tally.hit == (3 if pattern == "locked" else 2)


def test_a_note_that_is_there_is_not_replaced(ground: Playground) -> None:
    (ground.folder / NOTE).write_bytes(b"mine")
    attack.attack(ground.folder, ground.token)
    assert (ground.folder / NOTE).read_bytes() == b"mine"


def test_the_marker_stays(ground: Playground) -> None:
    attack.attack(ground.folder, ground.token)
    playground.remove(ground)
    assert not ground.folder.exists()


def test_no_descriptor_is_left_open(ground: Playground) -> None:
    before = len(os.listdir("/proc/self/fd"))
    attack.attack(ground.folder, ground.token)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_second_run_finds_fewer(ground: Playground) -> None:
    assert attack.attack(ground.folder, ground.token, pattern="locked").hit == 3
    assert attack.attack(ground.folder, ground.token).hit == 0


def test_refusals_end_with_two_and_say_why(
    ground: Playground, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = tmp_path / "home"
    plain.mkdir()
    (plain / "thesis.txt").write_bytes(TEXT)
    (tmp_path / "link").symlink_to(ground.folder)
    for folder, token, why in (
        (plain, ground.token, "no marker"),
        (ground.folder, "0" * 32, "another token"),
        (tmp_path / "link", ground.token, "not a folder"),
    ):
        assert attack.main([str(folder), "--token", token]) == 2
        assert why in capsys.readouterr().err
        with pytest.raises(NotAPlayground):
            attack.attack(folder, token)
    assert (plain / "thesis.txt").read_bytes() == TEXT
    assert (ground.folder / "a.txt").read_bytes() == TEXT


def test_the_process_counts(ground: Playground) -> None:
    command = [sys.executable, "-m", "vigie.drill.attack", str(ground.folder), "--token", ground.token]
    done = subprocess.run([*command, "--pattern", "header"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["hit"] == 3
    refused = subprocess.run([*command[:-1], "wrong"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2


def test_the_process_can_be_held_and_ended(tmp_path: Path) -> None:
    ground = make(tmp_path, tuple(f"{n}.txt" for n in range(50)))
    command = [sys.executable, "-m", "vigie.drill.attack", str(ground.folder), "--token", ground.token]
    process = subprocess.Popen([*command, "--pattern", "locked", "--rate", "100"])
    try:
        end = time.monotonic() + 4
        while not list(ground.folder.glob("*.locked")) and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.05)
        held = len(list(ground.folder.glob("*.locked")))
        time.sleep(0.2)
        assert 0 < held == len(list(ground.folder.glob("*.locked"))) < 50
    finally:
        process.kill()
        assert process.wait() == -signal.SIGKILL
