"""Nothing is overwritten, nothing is written outside."""

import ctypes
import errno
import fcntl
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vigie.errors import DiskFull, NotPermitted, StateInUse
from vigie.model import Attributes
from vigie.vault import Destination
from vigie.vault import destination as destination_module
from vigie.vault.destination import Refused, Taken, write
from vigie.vault.dress import dress


def put(destination: Destination, path: str, data: bytes = b"data") -> None:
    place = destination.place(path)
    fd = destination.draft(place)
    try:
        write(fd, data)
        destination.publish(place)
    except OSError as error:
        raise destination.fatal(error) or error from error
    finally:
        os.close(fd)
        destination.discard(place)


def tree(path: Path) -> list[str]:
    return sorted(str(found.relative_to(path)) for found in path.rglob("*"))


def test_a_file_and_its_folders(tmp_path: Path) -> None:
    with Destination(str(tmp_path / "to" / "there")) as destination:
        put(destination, "/srv/d/a.txt")
        put(destination, "/srv/d/b.txt")
        put(destination, "/srv/e/c.txt")
        put(destination, "top.txt")
    assert tree(tmp_path / "to" / "there") == [
        "srv",
        "srv/d",
        "srv/d/a.txt",
        "srv/d/b.txt",
        "srv/e",
        "srv/e/c.txt",
        "top.txt",
    ]
    assert (tmp_path / "to/there/srv/d/a.txt").read_bytes() == b"data"


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Destination(str(tmp_path)) as destination:
        for number in range(50):
            put(destination, f"/d{number % 7}/e/{number}")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "path", ["/a/../b", "..", "/..", "/a/./b", "a//b", "", "/", "/a\0b/c", "/a/\0", "/a/.."]
)
def test_paths_that_lead_elsewhere(tmp_path: Path, path: str) -> None:
    with Destination(str(tmp_path / "to")) as destination, pytest.raises(Refused, match="leads elsewhere"):
        destination.place(path)
    assert tree(tmp_path) == ["to"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["", ".", "..", "a", "b", "\0", "/", "\udce9", "n" * 300]), max_size=6))
def test_no_path_leads_outside(tmp_path: Path, parts: list[str]) -> None:
    with Destination(str(tmp_path / "to")) as destination, suppress(Refused, Taken, OSError):
        put(destination, "/".join(parts))
    assert os.listdir(tmp_path) == ["to"]


def test_a_link_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "srv").symlink_to(tmp_path / "outside")
    (tmp_path / "to" / "file").write_text("x")
    with Destination(str(tmp_path / "to")) as destination:
        for path in ("/srv/a", "/file/a", "/srv/d/a"):
            with pytest.raises(Refused, match="where a folder must be"):
                destination.place(path)
    assert tree(tmp_path / "outside") == []


def test_what_stands_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    (tmp_path / "file").write_bytes(b"abc")
    with Destination(str(tmp_path)) as destination:
        for name, reason in (
            ("folder", "a folder"),
            ("pipe", "a named pipe"),
            ("link", "link"),
            ("socket", "socket"),
        ):
            with pytest.raises(Refused, match=reason):
                destination.look(destination.place(name))
        assert destination.look(destination.place("none")) is None
        with pytest.raises(Refused):
            destination.digest(destination.place("none"))
        there = destination.look(destination.place("file"))
        assert there is not None
        assert there.st_size == 3
        digest = destination.digest(destination.place("file"))
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
@pytest.mark.parametrize("old_system", [False, True])
def test_a_name_that_is_taken_at_the_last_moment(
    tmp_path: Path, kind: str, old_system: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old_system:
        _no_renameat2(monkeypatch, errno.EINVAL)
    with Destination(str(tmp_path)) as destination:
        place = destination.place("a")
        os.close(destination.draft(place))
        if kind == "file":
            (tmp_path / "a").write_bytes(b"mine")
        elif kind == "folder":
            (tmp_path / "a").mkdir()
        else:
            (tmp_path / "a").symlink_to("nowhere")
        with pytest.raises(Taken):
            destination.publish(place)
        destination.discard(place)
    assert os.listdir(tmp_path) == ["a"]
    if kind == "file":
        assert (tmp_path / "a").read_bytes() == b"mine"


def test_a_disk_that_cannot_rename_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _no_renameat2(monkeypatch, errno.ENOSYS)
    with Destination(str(tmp_path)) as destination:
        put(destination, "/d/a")
    assert tree(tmp_path) == ["d", "d/a"]


def test_a_draft_that_vanished(tmp_path: Path) -> None:
    with Destination(str(tmp_path)) as destination:
        place = destination.place("a")
        os.close(destination.draft(place))
        destination.discard(place)
        destination.discard(place)
        with pytest.raises(FileNotFoundError):
            destination.publish(place)


def test_other_troubles_of_publishing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _no_renameat2(monkeypatch, errno.EIO)
    with Destination(str(tmp_path)) as destination, pytest.raises(OSError, match="Input/output"):
        put(destination, "a")
    assert tree(tmp_path) == []


def _no_renameat2(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    class Libc:
        @staticmethod
        def renameat2(*_: object) -> int:
            ctypes.set_errno(code)
            return -1

    monkeypatch.setattr(destination_module, "_libc", Libc)


def test_more_folders_than_are_kept_open(tmp_path: Path) -> None:
    with Destination(str(tmp_path)) as destination:
        places = [destination.place(f"/d{number}/a") for number in range(100)]
        for place in (*places, *reversed(places)):
            os.close(destination.draft(place))
        open_ = sum(os.readlink(f"/proc/self/fd/{fd}").startswith(str(tmp_path)) for fd in _descriptors())
        assert open_ < 80
        for place in places:
            assert stat.S_ISREG(destination.publish(place).st_mode)
        destination.sync()
    assert len(tree(tmp_path)) == 200


def _descriptors() -> list[str]:
    return [fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]


def test_a_disk_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Libc:
        @staticmethod
        def syncfs(_: int) -> int:
            ctypes.set_errno(errno.EIO)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc)
    with Destination(str(tmp_path)) as destination, pytest.raises(OSError, match="Input/output"):
        destination.sync()


def test_a_folder_is_dressed(tmp_path: Path) -> None:
    with Destination(str(tmp_path)) as destination:
        destination.place("/d/e/a", folders=0o700)
        assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700
        destination.dress_folder("/d/e", Attributes(0o751, os.getuid(), os.getgid(), 5_000_000_000))
        destination.dress_folder("/none", Attributes(0o751, 0, 0, 0))
    status = (tmp_path / "d" / "e").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns) == (0o751, 5_000_000_000)


def test_a_draft_left_by_a_run_that_was_killed(tmp_path: Path) -> None:
    with Destination(str(tmp_path)) as destination:
        place = destination.place("a")
        (tmp_path / os.fsdecode(place.draft)).write_bytes(b"half")
        put(destination, "a")
    assert tree(tmp_path) == ["a"]


def test_a_long_name(tmp_path: Path) -> None:
    with Destination(str(tmp_path)) as destination:
        put(destination, "n" * 255)
        with pytest.raises(OSError, match="too long"):
            put(destination, "n" * 256)
    assert tree(tmp_path) == ["n" * 255]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with Destination(str(tmp_path)), pytest.raises(StateInUse, match="another run"):
        Destination(str(tmp_path))
    with Destination(str(tmp_path)):
        pass


def test_a_share_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with Destination(str(tmp_path)) as destination:
        put(destination, "a")


def test_destinations_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in ("file", "file/below"):
        with pytest.raises(NotPermitted, match="a file stands there"):
            Destination(str(tmp_path / path))
    with pytest.raises(NotPermitted):
        Destination("/proc/none")


def test_no_room(small_disk: Path) -> None:
    with Destination(str(small_disk)) as destination:
        put(destination, "/d/a", b"x" * 100_000)
        with pytest.raises(DiskFull) as error:
            put(destination, "/d/b", b"x" * 6_000_000)
        assert "run the same command again" in error.value.remedy
        assert tree(small_disk) == ["d", "d/a"]


def test_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with Destination(str(tmp_path)) as destination:
        monkeypatch.setattr(os, "mkdir", refuse)
        with pytest.raises(NotPermitted, match="read-only"):
            destination.place("/d/a")


def test_dress(tmp_path: Path) -> None:
    path = tmp_path / "a"
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    owner = (1234, 1235) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    try:
        dress(fd, Attributes(0o106754, *owner, 1_700_000_000_123_456_789))
        status = path.stat()
        dress(fd, Attributes(0o106754, *owner, 1 << 90))  # a time that no disk knows does no harm
    finally:
        os.close(fd)
    assert stat.S_IMODE(status.st_mode) == 0o754
    assert (status.st_uid, status.st_gid) == owner
    assert status.st_mtime_ns == 1_700_000_000_123_456_789
