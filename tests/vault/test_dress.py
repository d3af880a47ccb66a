"""What a file had besides its bytes: given back as far as the disk can, and never what is a privilege."""

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.model import Attributes
from vigie.vault.dress import dress

ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)
    for entry in (
        (0x01, 6, 0xFFFFFFFF),
        (0x02, 4, 1234),
        (0x04, 4, 0xFFFFFFFF),
        (0x10, 4, 0xFFFFFFFF),
        (0x20, 0, 0xFFFFFFFF),
    )
)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "a", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            os.setxattr(fd, "user.test", b"")
            os.removexattr(fd, "user.test")
        except OSError:
            pytest.skip("the disk takes no extended attributes")
        yield fd
    finally:
        os.close(fd)


def given(fd: int, *extended: tuple[str, bytes], mode: int = 0o640) -> tuple[str, ...]:
    return dress(fd, Attributes(mode, os.getuid(), os.getgid(), 5_000_000_000, extended))


def test_attributes_of_users_and_an_access_list(file: int) -> None:
    assert given(file, ("user.b", b"\x00\xff"), ("user.empty", b"")) == ()
    assert os.getxattr(file, "user.b") == b"\x00\xff"
    assert os.getxattr(file, "user.empty") == b""
    if given(file, ("system.posix_acl_access", ACL)):
        pytest.skip("the disk takes no access lists")
    assert os.getxattr(file, "system.posix_acl_access") == ACL
    status = os.fstat(file)
    assert (status.st_mode & 0o7777, status.st_mtime_ns) == (0o640, 5_000_000_000)


@pytest.mark.usefixtures("as_root")
def test_what_only_root_may_give(file: int) -> None:
    lacking = given(file, ("security.NTACL", b"\x04\x00"), ("trusted.label", b"x"))
    assert os.getxattr(file, "security.NTACL") == b"\x04\x00"
    assert lacking in ((), ("trusted.label",))  # in a container root may not


def test_no_privilege_is_given_back(file: int) -> None:
    capability = struct.pack("<5I", 0x02000001, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0)
    names = ("security.capability", "trusted.overlay.redirect", "user.overlay.opaque")
    assert given(file, *((name, capability) for name in names), mode=0o6755) == ()
    assert os.listxattr(file) == []
    assert os.fstat(file).st_mode & 0o7777 == 0o755


def test_what_the_disk_does_not_take_is_told(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = ("nonsense", "system.other", "user.nul\0", "user.\ud800", "user." + "n" * 300)
    assert given(file, *((name, b"x") for name in bad), ("user.kept", b"y")) == bad
    assert os.listxattr(file) == ["user.kept"]
    assert given(file, ("user.large", bytes(70_000))) == ("user.large",)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "setxattr", full)
    assert given(file, ("user.a", b"")) == ("user.a",)


@pytest.mark.usefixtures("as_root")
def test_an_owner_is_changed_only_where_it_differs(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def fchown(_: int, uid: int, gid: int) -> None:
        asked.append((uid, gid))

    monkeypatch.setattr(os, "fchown", fchown)
    given(file)
    dress(file, Attributes(0o600, 1234, 1235, 0))
    assert asked == [(1234, 1235)]
