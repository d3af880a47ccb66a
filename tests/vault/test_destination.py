"""Nothing is overwritten, nothing is written outside."""

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
from vigie.vault import Destination
from vigie.vault.destination import Refused, Taken, dress, write


def put(destination: Destination, path: str, data: bytes = b"data") -> None:
    place = destination.place(path)
    with destination.draft(place) as fd:
        write(fd, data)
        destination.publish(place)


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
    with Destination(str(tmp_path / "to")) as destination, suppress(Refused, Taken):
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
                destination.digest(destination.place(name))
        assert destination.digest(destination.place("none")) is None
        digest = destination.digest(destination.place("file"))
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
@pytest.mark.parametrize("without_links", [False, True])
def test_a_name_that_is_taken_at_the_last_moment(
    tmp_path: Path, kind: str, without_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without_links:
        _forbid_links(monkeypatch, errno.EPERM)
    with Destination(str(tmp_path)) as destination:
        place = destination.place("a")
        with pytest.raises(Taken), destination.draft(place):  # noqa: PT012 - taken within the draft
            if kind == "file":
                (tmp_path / "a").write_bytes(b"mine")
            elif kind == "folder":
                (tmp_path / "a").mkdir()
            else:
                (tmp_path / "a").symlink_to("nowhere")
            destination.publish(place)
    assert os.listdir(tmp_path) == ["a"]
    if kind == "file":
        assert (tmp_path / "a").read_bytes() == b"mine"


def test_a_disk_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _forbid_links(monkeypatch, errno.EOPNOTSUPP)
    with Destination(str(tmp_path)) as destination:
        put(destination, "/d/a")
    assert tree(tmp_path) == ["d", "d/a"]


def test_a_draft_that_vanished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _forbid_links(monkeypatch, errno.EPERM)
    with Destination(str(tmp_path)) as destination:
        place = destination.place("a")
        with pytest.raises(Refused), destination.draft(place):  # noqa: PT012 - gone within the draft
            os.unlink(place.draft, dir_fd=place.folder)
            destination.publish(place)


def test_other_troubles_of_publishing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _forbid_links(monkeypatch, errno.EIO)
    with Destination(str(tmp_path)) as destination, pytest.raises(Refused, match="input/output"):
        put(destination, "a")
    assert tree(tmp_path) == []


def _forbid_links(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)


def test_a_draft_left_by_a_run_that_was_killed(tmp_path: Path) -> None:
    with Destination(str(tmp_path)) as destination:
        place = destination.place("a")
        (tmp_path / os.fsdecode(place.draft)).write_bytes(b"half")
        put(destination, "a")
    assert tree(tmp_path) == ["a"]


def test_a_long_name(tmp_path: Path) -> None:
    with Destination(str(tmp_path)) as destination:
        put(destination, "n" * 255)
        with pytest.raises(Refused):
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
        dress(fd, 0o106754, *owner, 1_700_000_000_123_456_789)
        status = path.stat()
        dress(fd, 0o106754, *owner, 1 << 90)  # a time that no disk knows does no harm
    finally:
        os.close(fd)
    assert stat.S_IMODE(status.st_mode) == 0o754
    assert (status.st_uid, status.st_gid) == owner
    assert status.st_mtime_ns == 1_700_000_000_123_456_789
