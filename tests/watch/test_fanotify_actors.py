"""Events of many writers, kept apart by actor; and a ground that moves under the sensor."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vigie.model import Actor, Likeness, Process, State, Verdict
from vigie.watch.detector import Detector, Opened
from vigie.watch.events import Written
from vigie.watch.facts import Observation
from vigie.watch.fanotify import Fanotify
from vigie.watch.ground import Ground
from vigie.watch.mounts import Mounts

pytestmark = pytest.mark.alone

LIMIT = 3
STRUCK = Verdict(State.ENCRYPTED, likeness=Likeness(State.ENCRYPTED, "pdf", 9, 1.0, b""))
GOOD = Likeness(State.INTACT, "pdf", 9, 0.0, b"")


def four_writers(parent: Process) -> list[Actor]:
    above = (parent, Process(1, 0, "/usr/lib/systemd/systemd"))
    return [Actor(Process(100 + n, n, "/usr/bin/gpg"), above) for n in range(4)]


def opened_by(writers: list[Actor], rounds: int) -> list[Opened]:
    """What comes of `rounds` files of each, one after the other."""
    detector = Detector(LIMIT, 60, str)
    found: list[Opened] = []
    for number in range(rounds):
        for writer in writers:
            path = f"/srv/{writer.process.pid}-{number}.pdf"
            seen = Observation(path, STRUCK, GOOD, writer, number)
            found += [d for d in detector.see(seen) if isinstance(d, Opened)]
    return found


def test_nobody_is_accused_of_what_others_did() -> None:
    # Children of a service belong to different people: two files each are nobody's three.
    for service in ("/usr/sbin/sshd", "/usr/lib/systemd/systemd", "/usr/sbin/cron"):
        assert opened_by(four_writers(Process(50, 5, service)), LIMIT - 1) == []


def test_whoever_started_all_of_them_answers_for_the_sum() -> None:
    (opened, *_) = opened_by(four_writers(Process(50, 5, "/usr/bin/bash")), LIMIT - 1)
    assert opened.incident.actor is not None
    assert opened.incident.actor.process.pid == 50


def test_each_answers_for_its_own() -> None:
    found = opened_by(four_writers(Process(50, 5, "/usr/sbin/sshd")), LIMIT)
    assert {d.incident.actor.process.pid for d in found if d.incident.actor} == {100, 101, 102, 103}


@pytest.mark.root
def test_writers_side_by_side_and_threads_are_told_apart_by_process(
    tmp_path: Path, as_root: None, start: Callable[..., object]
) -> None:
    del as_root
    sensor = Fanotify([str(tmp_path)])
    code = (
        "import sys, threading\n"
        "def write(n):\n"
        "    for i in range(5): open(f'{sys.argv[1]}-{n}-{i}', 'w').write('x')\n"
        "threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print('done', flush=True); input()"
    )
    children = [start(sys.executable, "-c", code, tmp_path / str(n)) for n in range(4)]
    found: dict[str, int | None] = {}
    end = time.monotonic() + 4
    while len(found) < 80 and time.monotonic() < end and select.select([sensor], [], [], 1)[0]:
        for event in sensor.read():
            assert isinstance(event, Written)
            if event.path.startswith(str(tmp_path)):
                found[event.path] = event.pid
            os.close(event.fd)
            if event.pidfd is not None:
                os.close(event.pidfd)
    sensor.close()
    for number, child in enumerate(children):
        assert isinstance(child, subprocess.Popen)
        own = [pid for path, pid in found.items() if Path(path).name.startswith(f"{number}-")]
        assert own == [child.pid] * 20


def seen(sensor: Fanotify, path: Path) -> bool:
    """Whether a write there is told."""
    path.write_text("x")
    found = False
    while select.select([sensor], [], [], 0.2)[0]:
        for event in sensor.read():
            assert isinstance(event, Written)
            found = found or event.path == str(path)
            os.close(event.fd)
            if event.pidfd is not None:
                os.close(event.pidfd)
        if found:
            return True
    return False


@pytest.mark.root
def test_a_file_system_is_watched_again_after_it_was_unmounted(tmp_path: Path, as_root: None) -> None:
    del as_root
    disk = tmp_path / "disk"
    disk.mkdir()
    mount: list[str | Path] = ["mount", "-t", "tmpfs", "tmpfs", disk]
    (tmp_path / "journal").write_text("")
    subprocess.run(mount, check=True)
    try:
        sensor = Fanotify([str(disk)])
        ground = Ground([str(disk)], str(tmp_path / "journal"))
        assert seen(sensor, disk / "a")
        # Unmounted while it is watched, and another one mounted before anybody has looked.
        subprocess.run(["umount", disk], check=True)
        subprocess.run(mount, check=True)
        assert sensor.extend() == [str(disk)]  # the guard reads everything again
        assert seen(sensor, disk / "b")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        sensor.extend()
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        sensor.extend()
        assert seen(sensor, disk / "c")
        ground.changed()
    finally:
        subprocess.run(["umount", disk], check=True)
    # The folder below it is there still: it is another one, and is read.
    sensor.extend()
    assert ground.changed() == [str(disk)]
    assert ground.trouble()[str(disk)] is None
    assert seen(sensor, disk / "below")
    sensor.close()


@pytest.mark.root
def test_a_mount_elsewhere_is_none_of_ours(tmp_path: Path, as_root: None) -> None:
    del as_root
    (tmp_path / "other").mkdir()
    (tmp_path / "watched").mkdir()
    mounts = Mounts([str(tmp_path / "watched")], lambda _: "")
    mounts.extend()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path / "other"], check=True)
    assert mounts.changed()
    subprocess.run(["umount", tmp_path / "other"], check=True)
    assert mounts.extend() == []
    mounts.close()
