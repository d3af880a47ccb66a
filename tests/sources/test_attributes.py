"""Modes, times, access lists and extended attributes of files and folders, from each kind of source."""

import base64
import json
import os
import shutil
import stat
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import NoSuchTarget
from vigie.model import Attributes, Snapshot, Version
from vigie.sources.borg import BorgSource
from vigie.sources.borg.acl import access_lists
from vigie.sources.borg.listing import parse_listing
from vigie.sources.restic import ResticSource
from vigie.sources.restic.tree import parse_tree
from vigie.sources.snapshots import SnapshotsSource

MTIME = 1_500_000_000_123_456_789
USER = ("user.origin", b"\x00\xffscanner")
TEXT = ("user.ward", "2 nord é".encode())
NOBODY = 0xFFFFFFFF
TAGS = ((0x01, 6, NOBODY), (0x02, 4, 1234), (0x04, 4, NOBODY), (0x10, 4, NOBODY), (0x20, 0, NOBODY))
ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in TAGS)
Sources = BorgSource | ResticSource | SnapshotsSource


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("attributes") / "2026-11-03"
    folder = top / "d" / "e"
    folder.mkdir(parents=True)
    path = folder / "a.txt"
    path.write_bytes(b"I am healthy")
    try:
        for name, value in (USER, TEXT, ("system.posix_acl_access", ACL)):
            os.setxattr(path, name, value)
        os.setxattr(folder, *USER)
        os.setxattr(folder, "system.posix_acl_default", ACL)
    except OSError:
        pytest.skip("the disk takes no extended attributes or access lists")
    os.chmod(folder, 0o710)
    for place in (path, folder):
        os.utime(place, ns=(MTIME, MTIME))
    return top


@pytest.fixture(scope="module", params=("restic", "borg", "snapshots"))
def source(
    request: pytest.FixtureRequest,
    data: Path,
    tmp_path_factory: pytest.TempPathFactory,
    quick_key: Callable[[Path, str], None],
) -> Iterator[Sources]:
    kind = str(request.param)
    if kind == "snapshots":
        with SnapshotsSource(str(data.parent)) as moments:
            yield moments
        return
    if shutil.which(kind) is None:
        pytest.skip(f"{kind} is not installed")
    top = tmp_path_factory.mktemp(kind)
    place = top / "repository"
    environment = os.environ | {
        "RESTIC_PASSWORD": "pw",
        "RESTIC_CACHE_DIR": str(top / "cache"),
        "BORG_BASE_DIR": str(top / "base"),
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    }

    def run(*command: str) -> None:
        subprocess.run(command, env=environment, cwd=data, check=True, capture_output=True)

    if kind == "borg":
        run("borg", "init", "-e", "none", str(place))
        run("borg", "create", f"{place}::first", "d")
        with BorgSource(str(place), "") as archives:
            yield archives
        return
    run("restic", "-r", str(place), "init")
    quick_key(place, "pw")
    run("restic", "-r", str(place), "backup", ".")
    with ResticSource(str(place), "pw") as repository:
        yield repository


def only(source: Sources) -> tuple[Snapshot, Version]:
    [snapshot] = source.snapshots()
    [version] = [found for found in source.versions(snapshot) if isinstance(found, Version)]
    return snapshot, version


def test_of_a_file(source: Sources, data: Path) -> None:
    _, version = only(source)
    assert version.entry.path == "/d/e/a.txt"
    found = source.attributes(version)
    mode = stat.S_IMODE((data / "d" / "e" / "a.txt").stat().st_mode)
    assert (found.mode, found.uid, found.gid, found.mtime_ns) == (mode, os.getuid(), os.getgid(), MTIME)
    assert {USER, TEXT, ("system.posix_acl_access", ACL)} <= set(found.extended)


def test_of_a_folder(source: Sources) -> None:
    snapshot, version = only(source)
    found = source.folder(snapshot, "/d/e")
    assert found is not None
    assert (found.mode, found.mtime_ns) == (0o710, MTIME)
    assert {USER, ("system.posix_acl_default", ACL)} <= set(found.extended)
    above = source.folder(snapshot, "/d")
    assert above is not None
    assert above.extended == ()
    for path in (version.entry.path, "/d/none", "/none"):
        assert source.folder(snapshot, path) is None
    with pytest.raises(NoSuchTarget):
        source.folder(Snapshot("another", 0), "/d")


def node(extended: object) -> Attributes:
    document: dict[str, Any] = {"name": "a", "type": "file", "content": [], "extended_attributes": extended}
    data = json.dumps({"nodes": [document]}).encode()
    interned: dict[int, Any] = {}
    [read] = parse_tree(data, interned)
    assert not read.flaw
    assert parse_tree(data, interned)[0].attributes == read.attributes
    return read.attributes


def test_restic_nodes_that_are_odd() -> None:
    good = {"name": "user.a", "value": base64.b64encode(b"x").decode()}
    assert node([good, {"name": "user.none"}]).extended == (("user.a", b"x"), ("user.none", b""))
    for odd in (
        {"name": 1, "value": ""},
        {"name": "", "value": ""},
        {"name": "n" * 256, "value": ""},
        {"name": "user.\0", "value": ""},
        {"name": "user.a", "value": 7},
        {"name": "user.a", "value": "?"},
        {"name": "user.a", "value": "A" * 100_000},
        "user.a",
    ):
        assert node([odd, good]).extended == (("user.a", b"x"),)
    assert node("user.a").extended == ()


def test_a_change_of_attributes_alone_is_seen_beside_interned_nodes() -> None:
    def tree(value: bytes) -> bytes:
        extended = [{"name": "user.a", "value": base64.b64encode(value).decode()}]
        common = {"mode": 0, "mtime": "2026-01-01T00:00:00Z", "uid": 0, "gid": 0}
        document = {"name": "a", "type": "file", "content": [], "extended_attributes": extended} | common
        return json.dumps({"nodes": [document]}).encode()

    interned: dict[int, Any] = {}
    [first], [second] = parse_tree(tree(b"x"), interned), parse_tree(tree(b"y"), interned)
    assert (first.attributes.extended, second.attributes.extended) == (
        (("user.a", b"x"),),
        (("user.a", b"y"),),
    )


def test_borg_items_that_are_odd() -> None:
    extended = {"user.a": "x", "user.raw": "\x7f00ff", "user.odd": "\x7fzz", "user.n": 7, "n" * 256: "x"}
    item = {"path": "a", "mode": 0o100644, "mtime": 1, "xattrs": extended | {"user.large": "x" * 70_000}}
    lines = ["{", '    "_items": [', "    {", json.dumps(item)[1:-1], "    }", "    ]", "}"]
    listing = parse_listing(line.encode() + b"\n" for line in lines)
    assert not listing.flaw
    assert listing.items[0].attributes.extended == (("user.a", b"x"), ("user.raw", b"\x00\xff"))


LIST = "user::rw-\nuser:anne:r--:1234\ngroup::r--\nmask::r--\nother::---"


def test_borg_access_lists() -> None:
    assert list(access_lists({"acl_access": LIST})) == [("system.posix_acl_access", ACL)]
    shuffled = "\n".join(reversed(LIST.split("\n"))) + "\n\n"
    assert list(access_lists({"acl_default": shuffled})) == [("system.posix_acl_default", ACL)]
    assert list(access_lists({"acl_access": LIST.replace("anne:r--:1234", "1234:r--  # effective")})) == [
        ("system.posix_acl_access", ACL)
    ]
    bare = "user::rw-\ngroup::r--\nother::---"
    assert list(access_lists({"acl_access": bare})) == []  # the mode says so
    assert [name for name, _ in access_lists({"acl_default": bare})] == ["system.posix_acl_default"]


@pytest.mark.parametrize(
    "text",
    ["", "x", "king::rwx", "user:anne:rwx", "user:anne:rwx:-1", "user:anne:rwx:99999999999", "a:b:c:d:e", 7],
)
def test_borg_access_lists_that_cannot_be_read(text: object) -> None:
    assert list(access_lists({"acl_access": text, "acl_default": text})) == []


def test_borg_access_lists_without_end() -> None:
    assert list(access_lists({"acl_default": "user:1:rwx\n" * 9000})) == []
    [(_, value)] = access_lists({"acl_default": "user:1:rwx\n" * 8191})
    assert len(value) <= 65_536


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="usergopmaskth:rwx-0123456789\n #", max_size=200))
def test_any_text_is_an_access_list_or_none(text: str) -> None:
    for _, value in access_lists({"acl_access": text, "acl_default": text}):
        assert value[:4] == b"\x02\0\0\0"
        assert len(value) % 8 == 4
