import errno
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import NotPermitted, VigieError
from vigie.watch import fanotify_abi as abi
from vigie.watch import mounts
from vigie.watch.events import Event, Overflow, Written
from vigie.watch.fanotify import Fanotify, parse
from vigie.watch.fanotify_abi import FAN_CLOSE_WRITE, FAN_EPIDFD, FAN_Q_OVERFLOW
from vigie.watch.mounts import Mount, Mounts, mounts_of

pytestmark = pytest.mark.alone


def event(mask: int, fd: int, pid: int, *infos: bytes, version: int = 3) -> bytes:
    more = b"".join(infos)
    return struct.pack("=IBBHQii", 24 + len(more), version, 0, 24, mask, fd, pid) + more


def pidfd(value: int) -> bytes:
    return struct.pack("=BBHi", 4, 0, 8, value)


@pytest.fixture
def sensor(tmp_path: Path, as_root: None) -> Iterator[Fanotify]:
    del as_root
    watching = Fanotify([str(tmp_path)])
    yield watching
    watching.close()
    watching.close()


def close_event(event: Event) -> None:
    if isinstance(event, Written):
        os.close(event.fd)
        if event.pidfd is not None:
            os.close(event.pidfd)


def events_of(sensor: Fanotify, enough: Callable[[list[Event]], bool]) -> list[Event]:
    found: list[Event] = []
    while not enough(found) and select.select([sensor], [], [], 3)[0]:
        found += sensor.read()
    return found


def test_events_are_parsed() -> None:
    data = event(FAN_CLOSE_WRITE, 5, 42, pidfd(9)) + event(FAN_CLOSE_WRITE, 6, 43)
    assert list(parse(data)) == [(FAN_CLOSE_WRITE, 5, 42, 9), (FAN_CLOSE_WRITE, 6, 43, FAN_EPIDFD)]
    other = struct.pack("=BBHi", 1, 0, 8, 77)  # FAN_EVENT_INFO_TYPE_FID: not ours
    assert list(parse(event(8, 5, 42, other, pidfd(9)))) == [(8, 5, 42, 9)]
    assert list(parse(event(8, 5, 42, struct.pack("=BBHi", 1, 0, 0, 77)))) == [(8, 5, 42, FAN_EPIDFD)]


def test_another_version_or_a_wrong_length_means_that_events_are_lost() -> None:
    assert next(parse(event(8, 5, 42, version=9)))[0] == FAN_Q_OVERFLOW
    assert next(parse(struct.pack("=IBBHQii", 999, 3, 0, 24, 8, 5, 42)))[0] == FAN_Q_OVERFLOW


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=99).map(lambda b: event(8, 1, 2, b) + b))
def test_any_bytes_are_parsed(data: bytes) -> None:
    assert len(list(parse(data))) <= len(data) // 24 + 1


@pytest.mark.root
def test_who_wrote_what_is_told(sensor: Fanotify, tmp_path: Path, start: Callable[..., object]) -> None:
    name = os.path.join(os.fsencode(tmp_path), b"caf\xe9 (deleted)")
    child = start(
        sys.executable, "-c", "import sys; open(sys.argv[1],'w').write('x'); input()", os.fsdecode(name)
    )
    assert isinstance(child, subprocess.Popen)

    def told(events: list[Event]) -> bool:
        return any(isinstance(e, Written) and os.fsencode(e.path) == name for e in events)

    events = events_of(sensor, told)
    (found,) = (e for e in events if isinstance(e, Written) and os.fsencode(e.path) == name)
    assert found.pid == child.pid
    assert found.pidfd is not None
    assert os.pread(found.fd, 9, 0) == b"x"
    for one in events:
        close_event(one)


@pytest.mark.root
def test_a_file_that_is_gone_keeps_its_name(sensor: Fanotify, tmp_path: Path) -> None:
    with open(tmp_path / "gone", "wb") as file:
        file.write(b"still here")
        os.unlink(file.name)
    mine = str(tmp_path / "gone")

    def told(events: list[Event]) -> bool:
        return any(isinstance(e, Written) and e.path == mine for e in events)

    events = events_of(sensor, told)
    assert told(events)
    for one in events:
        close_event(one)


@pytest.mark.root
def test_files_that_hold_our_locks_are_never_opened(sensor: Fanotify, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "journal").write_text("before")
    for one in sensor.read():
        close_event(one)
    sensor.ignore(str(state))
    for name in ("state/journal", "after"):
        (tmp_path / name).write_text("again")
    mine = str(tmp_path)
    seen: list[str] = []
    end = time.monotonic() + 3
    while str(tmp_path / "after") not in seen and time.monotonic() < end:
        for one in sensor.read():
            if isinstance(one, Written) and one.path.startswith(mine):
                seen.append(one.path)
            close_event(one)
    assert seen[-1] == str(tmp_path / "after")
    assert seen.count(str(state / "journal")) == 0


@pytest.mark.root
def test_events_that_are_lost_are_said(sensor: Fanotify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "read", lambda *_: event(FAN_Q_OVERFLOW, -1, 0))
    (lost,) = sensor.read()
    assert isinstance(lost, Overflow)

    def fail(code: int) -> None:
        def read(*_: object) -> bytes:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "read", read)

    fail(errno.EMFILE)
    (lost,) = sensor.read()
    assert "Too many open files" in lost.reason if isinstance(lost, Overflow) else False
    fail(errno.ENXIO)
    assert sensor.read() == []


def refuse(code: int) -> Callable[..., int]:
    def call(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return call


def test_what_the_kernel_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abi, "init", refuse(errno.EPERM))
    with pytest.raises(NotPermitted, match="root only"):
        Fanotify([str(tmp_path)])
    monkeypatch.setattr(abi, "init", refuse(errno.ENOSYS))
    with pytest.raises(VigieError, match="not implemented"):
        Fanotify([str(tmp_path)])
    asked: list[int] = []

    def old_kernel(flags: int, _: int) -> int:  # no FAN_REPORT_PIDFD before Linux 5.15
        asked.append(flags)
        if flags & abi.FAN_REPORT_PIDFD:
            raise OSError(errno.EINVAL, "invalid")
        return os.open("/dev/null", os.O_RDONLY)

    monkeypatch.setattr(abi, "init", old_kernel)
    monkeypatch.setattr(abi, "mark", refuse(errno.EOPNOTSUPP))
    with pytest.raises(VigieError, match="not watched"):
        Fanotify([str(tmp_path)])
    monkeypatch.setattr(abi, "mark", lambda *_: None)
    Fanotify([str(tmp_path)]).close()
    assert asked == [abi.FAN_REPORT_PIDFD, 0] * 2


@pytest.mark.parametrize(
    ("code", "words"), [(errno.EXDEV, "subvolume"), (errno.ENODEV, "no id"), (errno.EBADF, "bad file")]
)
def test_why_a_file_system_is_not_watched(code: int, words: str) -> None:
    assert words in abi.why(OSError(code, os.strerror(code)))


@pytest.mark.root
def test_the_kernel_refuses_what_makes_no_sense(as_root: None) -> None:
    del as_root
    with pytest.raises(OSError, match="Invalid argument"):
        abi.init(0xFFFF_FFFF, 0)
    with pytest.raises(OSError, match=r"Invalid argument|Bad file descriptor"):
        abi.mark(-1, 0, 0, "/")
    with pytest.raises(OSError, match=r"Invalid argument|Bad file descriptor"):
        abi.open_by_handle(-1, bytes(8), 0)


def test_file_systems_that_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = [Mount("/", "ext4")]
    monkeypatch.setattr(abi, "init", lambda *_: os.open("/dev/null", os.O_RDONLY))
    monkeypatch.setattr(abi, "mark", lambda *_: None)
    monkeypatch.setattr(mounts, "mounts_of", lambda _: table)
    sensor = Fanotify([str(tmp_path)])
    monkeypatch.setattr(Mounts, "changed", lambda _: True)
    assert sensor.extend() == []
    table.append(Mount("/srv/nas", "nfs4"))
    assert sensor.extend() == ["/srv/nas"]
    assert sensor.filesystems == ("/", "/srv/nas")
    assert "other machines" in sensor.lost[0]
    table[1] = Mount("/srv/nas", "nfs4", "99 0:77")  # another one, at the same place
    assert sensor.extend() == ["/srv/nas"]
    table.pop()
    assert sensor.extend() == []
    assert sensor.lost == ()
    sensor.close()


def test_the_table_is_read_when_it_changed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def take(mount: Mount) -> str:
        taken.append(mount.point)
        return ""

    class Poll:
        def __init__(self) -> None:
            self.answers: list[tuple[int, int]] = []

        def register(self, *_: int) -> None:
            pass

        def poll(self, _: int) -> list[tuple[int, int]]:
            return self.answers

    poll = Poll()
    monkeypatch.setattr(select, "poll", lambda: poll)
    monkeypatch.setattr(mounts, "mounts_of", lambda _: [Mount("/", "ext4")])
    watched = Mounts(["/"], take)
    assert watched.extend() == ["/"]
    assert watched.extend() == []
    assert taken == ["/"]
    poll.answers = [(3, select.POLLPRI)]
    assert watched.extend() == []  # marked again, since its mark may be gone; but it is none that is new
    assert taken == ["/", "/"]
    watched.close()
    watched.close()
    assert watched.changed()
    monkeypatch.setattr(os, "statvfs", refuse(errno.ENOENT))
    assert mounts.fsid_of("/gone") == 0


TABLE = r"""
20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
21 20 0:5 / /proc rw - proc proc rw
22 20 8:2 / /srv rw - xfs /dev/sdb1 rw
23 22 8:3 / /srv/a\040b rw master:3 - btrfs /dev/sdc1 rw
24 22 0:9 / /srv/sys rw - sysfs sysfs rw
25 22 0:9 / /srv rw - zfs pool rw
nonsense
26 22 - short
"""


def test_the_mounts_of_a_path_are_its_own_and_those_below() -> None:
    assert [m.point for m in mounts_of(["/srv"], TABLE)] == ["/srv/a b", "/srv"]
    assert mounts_of(["/srv/x"], TABLE) == [Mount("/srv", "zfs", "25 0:9")]
    assert [m.point for m in mounts_of(["/"], TABLE)] == ["/", "/srv", "/srv/a b"]
    assert mounts_of(["/srvx"], TABLE) == [Mount("/", "ext4", "20 8:1")]
    assert mounts_of(["/"], "") == [Mount("/", "unknown")]  # a chroot
    assert mounts_of(["/tmp"])


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.text("/ab", max_size=9))
def test_any_table_is_parsed(table: str, root: str) -> None:
    mounts_of([root], table)
