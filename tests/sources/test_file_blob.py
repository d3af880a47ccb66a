import errno
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.model import OpenBlob
from vigie.sources.file import FileBlob, in_words

DATA = bytes(range(256)) * 4


@pytest.fixture
def path(tmp_path: Path) -> str:
    place = tmp_path / "file"
    place.write_bytes(DATA)
    return str(place)


@settings(max_examples=100, deadline=None)
@given(offset=st.integers(0, 1 << 62), length=st.integers(-5, 1 << 62))
def test_a_slice_is_that_of_the_bytes(offset: int, length: int) -> None:
    fd = os.memfd_create("test")
    os.write(fd, DATA)
    with FileBlob.adopt(fd) as blob:
        for start in (offset, offset % 1200):
            assert blob.at(start, length) == DATA[start : start + max(length, 0)]


def test_it_is_an_open_blob_with_a_descriptor(path: str) -> None:
    blob: OpenBlob = FileBlob.open(path)
    assert blob.size == 1024
    assert os.pread(blob.fileno(), 3, 1) == DATA[1:4]
    assert not os.get_inheritable(blob.fileno())
    blob.close()
    blob.close()
    assert blob.fileno() == -1
    with pytest.raises(Unreadable):
        blob.at(0, 1)


def test_forgetting_it_closes_it(path: str) -> None:
    fd = FileBlob.open(path).fileno()
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(fd)


def test_reading_in_pieces_gives_the_same(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigie.sources.file._PIECE", 100)
    with FileBlob.open(path) as blob:
        assert blob.at(3, 1000) == DATA[3:1003]


def test_a_file_that_shrinks_or_grows(path: str) -> None:
    with FileBlob.open(path) as blob:
        os.truncate(path, 2000)
        assert blob.at(1000, 500) == DATA[1000:]
        os.truncate(path, 512)
        assert blob.at(0, 512) == DATA[:512]
        with pytest.raises(Unreadable, match="shrank"):
            blob.at(0, 513)


def test_what_is_no_regular_file_is_not_read(tmp_path: Path, path: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    os.symlink(path, tmp_path / "link")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name, reason in {
            "pipe": "pipe",
            "link": "symbolic link",
            "socket": "socket",
            ".": "a folder",
            "nothing": "vanished",
            "x" * 300: "too long",
        }.items():
            with pytest.raises(Unreadable, match=reason):
                FileBlob.open(str(tmp_path / name))
    with pytest.raises(Unreadable, match="device"):
        FileBlob.open("/dev/null")


def test_a_refused_descriptor_is_closed() -> None:
    reading, writing = os.pipe()
    with pytest.raises(Unreadable, match="pipe"):
        FileBlob.adopt(reading)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(reading)
    os.close(writing)
    with pytest.raises(Unreadable):
        FileBlob.adopt(reading)
    ends = socket.socketpair()
    fd = ends[0].detach()
    with pytest.raises(Unreadable, match="socket"):
        FileBlob.adopt(fd)
    ends[1].close()


def test_without_the_right_to_leave_the_access_time(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = os.open

    def refuse(place: str, flags: int) -> int:
        if flags & os.O_NOATIME:
            raise PermissionError(errno.EPERM, "not the owner")
        return genuine(place, flags)

    monkeypatch.setattr(os, "open", refuse)
    with FileBlob.open(path) as blob:
        assert blob.at(0, 4) == DATA[:4]


def test_reasons_are_words() -> None:
    assert in_words(OSError(errno.EACCES, "x")) == "no permission"
    assert "disk" in in_words(OSError(errno.EIO, "x"))
    assert in_words(OSError(errno.EBADF, "x")) == "bad file descriptor"
