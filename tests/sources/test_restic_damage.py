"""Repositories made by hand, whole and broken: what a reader owes when the repository is hostile."""

import base64
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vigie.errors import NoSuchTarget, NotPermitted, RepositoryDamaged, Unreadable, WrongPassword
from vigie.model import Attributes, Entry, Skipped, Version
from vigie.sources import spool
from vigie.sources.restic import ResticSource, repository, walk
from vigie.sources.restic.crypto import Key
from vigie.sources.restic.transport import LocalTransport, Refused, Unreachable

KEY = Key(b"e" * 32, b"k" * 16, b"r" * 16)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def seal(plain: bytes, key: Key = KEY) -> bytes:
    nonce = hashlib.sha256(plain).digest()[:16]
    body = Cipher(AES(key.encrypt), CTR(nonce)).encryptor().update(plain)
    return nonce + body + key.authenticator(nonce, body).finalize()


class Forge:
    """Writes a repository by hand; its key opens with "pw" at no cost."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.config(version=2)
        derived = hashlib.scrypt(b"pw", salt=bytes(64), n=2, r=1, p=1, dklen=64)
        master = {"mac": {"k": b64(KEY.k), "r": b64(KEY.r)}, "encrypt": b64(KEY.encrypt)}
        data = seal(json.dumps(master).encode(), Key(derived[:32], derived[32:48], derived[48:]))
        self.key = {"kdf": "scrypt", "N": 2, "r": 1, "p": 1, "salt": b64(bytes(64)), "data": b64(data)}
        self.file("keys", json.dumps(self.key).encode())

    def config(self, **document: Any) -> None:
        (self.top / "config").write_bytes(seal(json.dumps(document).encode()))

    def file(self, kind: str, raw: bytes, name: str = "") -> Path:
        name = name or hashlib.sha256(raw).hexdigest()
        path = self.top / kind / (f"{name[:2]}/{name}" if kind == "data" else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        return path

    def pack(self, *blobs: bytes, compress: bool = True) -> tuple[Path, Path]:
        """A pack of these blobs and an index file for it; gives the paths of both."""
        packed, rows = b"", []
        for blob in blobs:
            sealed = seal(zstandard.compress(blob) if compress else blob)
            row = {"id": hashlib.sha256(blob).hexdigest(), "offset": len(packed), "length": len(sealed)}
            rows.append(row | ({"uncompressed_length": len(blob)} if compress else {}))
            packed += sealed
        path = self.file("data", packed)
        return path, self.index([{"id": path.name, "blobs": rows}])

    def index(self, packs: Any) -> Path:
        return self.file("index", seal(b"\x02" + zstandard.compress(json.dumps({"packs": packs}).encode())))

    def snapshot(self, tree: bytes, **more: Any) -> Path:
        document = {"time": "2026-01-01T00:00:00Z", "tree": hashlib.sha256(tree).hexdigest()} | more
        return self.file("snapshots", seal(json.dumps(document).encode()))

    def open(self, password: str = "pw") -> ResticSource:
        return ResticSource(str(self.top), password)


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    top = tmp_path / "repository"
    top.mkdir()
    return Forge(top)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def node(name: str, *blobs: bytes) -> dict[str, Any]:
    return {"name": name, "type": "file", "content": [sha(blob) for blob in blobs]}


def tree(*nodes: dict[str, Any]) -> bytes:
    return json.dumps({"nodes": nodes}).encode() + b"\n"


ONE, TWO, THREE = b"one " * 100, b"two " * 100, b"three " * 100


def listed(opened: ResticSource) -> list[Version | Skipped]:
    return [item for snapshot in opened.snapshots() for item in opened.versions(snapshot)]


def versions(opened: ResticSource) -> dict[str, Version]:
    return {item.entry.path: item for item in listed(opened) if isinstance(item, Version)}


def content(version: Version) -> bytes:
    blob = version.entry.open()
    try:
        return blob.at(0, blob.size)
    finally:
        blob.close()


def small(forge: Forge, *, compress: bool = True) -> tuple[Path, Path]:
    """One snapshot with files "a" (two blobs) and "b"; the trees lie in a pack of their own."""
    root = tree(node("a", ONE, TWO), node("b", THREE))
    forge.pack(root)
    forge.snapshot(root)
    return forge.pack(ONE, TWO, THREE, compress=compress)


@pytest.mark.parametrize("compress", [True, False])
def test_a_repository_made_by_hand_is_read(forge: Forge, compress: bool) -> None:
    small(forge, compress=compress)
    with forge.open() as opened:
        assert opened.damage == ()
        found = versions(opened)
        assert {path: content(version) for path, version in found.items()} == {"/a": ONE + TWO, "/b": THREE}
        assert list(opened.read(found["/a"])) == [ONE, TWO]
        stored = len(zstandard.compress(ONE) + zstandard.compress(TWO)) if compress else 800
        assert found["/a"].packed == (stored if compress else None)
        assert opened.attributes(found["/a"]) == Attributes(0, 0, 0, 0)


def test_the_password_may_be_asked_for(forge: Forge) -> None:
    small(forge)
    asked: list[str] = []

    def ask() -> str:
        asked.append("once")
        return "pw"

    ResticSource(f"local:{forge.top}", ask).close()
    assert asked == ["once"]
    with pytest.raises(WrongPassword) as raised:
        forge.open("PW")
    assert "RESTIC_PASSWORD" in raised.value.remedy
    with pytest.raises(NoSuchTarget):
        ResticSource(str(forge.top / "nothing"), lambda: pytest.fail("asked for nothing"))


def flip(path: Path, offset: int = -20) -> None:
    raw = bytearray(path.read_bytes())
    raw[offset] ^= 1
    path.write_bytes(raw)


def broken(version: Version) -> str:
    with pytest.raises(Unreadable) as raised:
        version.entry.open()
    return raised.value.reason


def test_a_damaged_blob_costs_only_the_files_that_hold_it(forge: Forge) -> None:
    pack, _ = small(forge)
    flip(pack, 20)
    with forge.open() as opened:
        found = versions(opened)
        assert "seal is broken" in broken(found["/a"])
        assert pack.name[:8] in broken(found["/a"])
        assert content(found["/b"]) == THREE


def test_a_short_or_missing_pack(forge: Forge) -> None:
    pack, _ = small(forge)
    raw = pack.read_bytes()
    with forge.open() as opened:
        found = versions(opened)
        pack.write_bytes(raw[:-5])
        assert content(found["/a"]) == ONE + TWO
        assert "cut short" in broken(found["/b"])
        pack.unlink()
        assert "missing" in broken(found["/a"])
        os.mkfifo(pack)
        assert "pipe" in broken(found["/a"])


def test_a_second_copy_of_a_blob_is_used(forge: Forge) -> None:
    pack, _ = small(forge)
    other, _ = forge.pack(TWO, compress=False)
    with forge.open() as opened:
        found = versions(opened)
        flip(pack, -40)
        assert content(found["/a"]) == ONE + TWO
        pack.unlink()
        assert "missing" in broken(found["/a"])
        assert other.exists()
    forge.pack(ONE, THREE)
    with forge.open() as opened:
        assert [content(version) for version in versions(opened).values()] == [ONE + TWO, THREE]


@pytest.mark.parametrize("far", [False, True])
def test_a_second_copy_of_a_tree_is_used(forge: Forge, monkeypatch: pytest.MonkeyPatch, far: bool) -> None:
    monkeypatch.setattr(LocalTransport, "far", far)
    root = tree(node("a", ONE, TWO), node("b", THREE))
    small(forge)
    forge.pack(root, compress=False)
    with forge.open() as opened:
        place, _ = opened._repository.index.places(bytes.fromhex(sha(root)))
        flip(forge.top / "data" / place.pack[:2] / place.pack)
        assert versions(opened).keys() == {"/a", "/b"}


def test_an_old_snapshot_file_in_a_new_ones_place_is_noticed(forge: Forge) -> None:
    small(forge)
    genuine = next((forge.top / "snapshots").iterdir())
    forge.file("snapshots", genuine.read_bytes(), "d" * 64)
    with forge.open() as opened:
        assert opened.damage == (Skipped(f"snapshots/{'d' * 64}", "its content is not what its name says"),)
        assert len(opened.snapshots()) == 1


@pytest.mark.parametrize(("most", "reads"), [(repository._MAX_RUN, 1), (0, 2)])
def test_neighbours_in_a_pack_are_read_at_once(
    forge: Forge, monkeypatch: pytest.MonkeyPatch, most: int, reads: int
) -> None:
    small(forge)
    monkeypatch.setattr(repository, "_MAX_RUN", most)
    with forge.open() as opened:
        version = versions(opened)["/a"]
        asked: list[object] = []
        genuine = LocalTransport.read

        def count(self: LocalTransport, kind: str, name: str, offset: int, length: int) -> bytes:
            asked.append(offset)
            return genuine(self, kind, name, offset, length)

        monkeypatch.setattr(LocalTransport, "read", count)
        assert list(opened.read(version)) == [ONE, TWO]
        assert len(asked) == reads


def test_bytes_under_a_wrong_name_are_noticed(forge: Forge) -> None:
    small(forge, compress=False)
    for path in (forge.top / "index").iterdir():
        path.unlink()
    root = tree(node("a", ONE, TWO), node("b", THREE))
    forge.pack(root)
    packed = forge.file("data", seal(b"not one"))
    forge.index([{"id": packed.name, "blobs": [{"id": sha(ONE), "offset": 0, "length": 39}]}])
    with forge.open() as opened:
        only_a = next(item for item in listed(opened))
        assert isinstance(only_a, Skipped)
        assert "missing" in only_a.reason
        with pytest.raises(Unreadable, match="not what its name says"):
            opened._repository.tree(bytes.fromhex(sha(ONE)))
        with pytest.raises(Unreadable, match="not in the index"):
            list(opened._repository.blobs([bytes.fromhex(sha(TWO))]))
        with pytest.raises(Unreadable, match="not in the index"):
            opened._repository.tree(bytes.fromhex(sha(TWO)))


def test_a_bomb_is_refused(forge: Forge) -> None:
    root = tree(node("bomb", ONE))
    forge.pack(root)
    forge.snapshot(root)
    packed = seal(zstandard.compress(bytes(10_000_000)))
    pack = forge.file("data", packed)
    row = {"id": sha(ONE), "offset": 0, "length": len(packed), "uncompressed_length": 400}
    forge.index([{"id": pack.name, "blobs": [row]}])
    with forge.open() as opened:
        assert "more than it should" in broken(versions(opened)["/bomb"])


def test_a_part_of_the_index_that_is_missing_is_said_once(forge: Forge) -> None:
    root = tree(node("a", ONE), node("b", TWO))
    forge.pack(root)
    _, index = forge.pack(ONE)
    _, other = forge.pack(TWO)
    forge.snapshot(root)
    index.unlink()
    other.unlink()
    with forge.open() as opened:
        assert not list(opened.damage)
        assert [item.path for item in listed(opened) if isinstance(item, Skipped)] == ["/a", "/b"]
        damage = opened.damage
    assert [said.path for said in damage] == ["index"]
    assert "restic repair index" in damage[0].reason


def test_a_missing_folder_leaves_its_neighbours(forge: Forge) -> None:
    inner = tree(node("x", ONE))
    root = tree(
        {"name": "gone", "type": "dir", "subtree": sha(b"never saved")},
        {"name": "here", "type": "dir", "subtree": sha(inner)},
        {"name": "..", "type": "dir", "subtree": sha(inner)},
        {"name": "odd", "type": "dir"},
        {"name": "link", "type": "symlink"},
        node("absent", b"never saved"),
        node("there", TWO),
    )
    forge.pack(root, inner)
    forge.pack(ONE, TWO)
    forge.snapshot(root)
    with forge.open() as opened:
        found = listed(opened)
    skipped = {item.path: item.reason for item in found if isinstance(item, Skipped)}
    assert skipped.keys() == {"/..", "/absent", "/gone", "/odd"}
    assert all(skipped.values())
    assert [item.entry.path for item in found if isinstance(item, Version)] == ["/here/x", "/there"]


def test_a_snapshot_without_its_tree_is_said(forge: Forge) -> None:
    small(forge)
    forge.snapshot(b"never saved", time="2020-01-01T00:00:00Z")
    with forge.open() as opened:
        first, second = opened.snapshots()
        (skipped,) = opened.versions(first)
        assert isinstance(skipped, Skipped)
        assert skipped.path == "/"
        assert len(list(opened.versions(second))) == 2


def test_folders_nested_without_end_are_cut(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_MAX_DEPTH", 3)
    monkeypatch.setattr(walk, "_CACHED_NODES", 2)
    trees = [tree(node("file", ONE))]
    for _ in range(4):
        trees.append(tree({"name": "d", "type": "dir", "subtree": sha(trees[-1])}))
    forge.pack(*trees)
    forge.pack(ONE)
    forge.snapshot(trees[-1])
    forge.snapshot(trees[1])
    with forge.open() as opened:
        first, second = sorted(listed(opened), key=lambda item: isinstance(item, Version))
        assert first == Skipped("/d/d/d", "folders are nested too deep")
        assert isinstance(second, Version)
        assert second.entry.path == "/d/file"


@pytest.mark.parametrize("kind", ["snapshots", "index"])
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"short",
        seal(b"\x02 no frame"),
        seal(b"\x03{}"),
        seal(b"{"),
        seal(b"[]"),
        seal(b'{"tree":5,"packs":5}'),
        seal(b"{}", Key(b"f" * 32, b"k" * 16, b"x" * 16)),
    ],
)
def test_a_broken_file_is_named_and_the_rest_is_read(forge: Forge, kind: str, raw: bytes) -> None:
    small(forge)
    bad = forge.file(kind, raw)
    with forge.open() as opened:
        assert [item.path for item in opened.damage] == [f"{kind}/{bad.name}"]
        assert len(versions(opened)) == 2


def test_files_that_ransomware_renamed_are_named_and_those_being_written_are_not(forge: Forge) -> None:
    small(forge)
    forge.file("snapshots", b"noise", f"{'a' * 64}.locked")
    forge.file("snapshots", b"half", f"{'b' * 64}-tmp-123")
    forge.file("keys", b"noise", "README.txt")
    forge.file("index", b"swapped", "c" * 64)
    with forge.open() as opened:
        assert {item.path for item in opened.damage} == {
            f"snapshots/{'a' * 64}.locked",
            "keys/README.txt",
            f"index/{'c' * 64}",
        }
        assert len(versions(opened)) == 2


def test_a_file_too_large_is_not_read(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    small(forge)
    bad = forge.file("snapshots", bytes(5000))
    monkeypatch.setattr(repository, "_MAX_FILE", 4000)
    with forge.open() as opened:
        assert opened.damage == (Skipped(f"snapshots/{bad.name}", "it is larger than restic makes them"),)


@pytest.mark.parametrize("config", [None, b"", b"encrypted by ransomware, 16 bytes and more", seal(b"{}")])
def test_a_lost_config_does_not_lose_the_backups(forge: Forge, config: bytes | None) -> None:
    small(forge)
    if config is None:
        (forge.top / "config").unlink()
    else:
        (forge.top / "config").write_bytes(config)
    with forge.open() as opened:
        assert [item.path for item in opened.damage] == ["config"]
        assert content(versions(opened)["/b"]) == THREE


def test_a_config_that_cannot_be_read(forge: Forge) -> None:
    small(forge)
    (forge.top / "config").unlink()
    (forge.top / "config").mkdir()
    with forge.open() as opened:
        assert opened.damage == (Skipped("config", "a folder"),)


@pytest.mark.parametrize("version", [0, 3, 99])
def test_another_format_is_refused(forge: Forge, version: int) -> None:
    forge.config(version=version)
    with pytest.raises(RepositoryDamaged, match=f"format {version}") as raised:
        forge.open()
    assert "pgrade" in raised.value.remedy


def test_keys(forge: Forge) -> None:
    small(forge)
    good = next((forge.top / "keys").iterdir())
    hollow = hashlib.scrypt(b"pw", salt=bytes(64), n=2, r=1, p=1, dklen=64)
    sealed = seal(b"{}", Key(hollow[:32], hollow[32:48], hollow[48:]))
    forge.file("keys", b"{}", "0" * 64)
    forge.file("keys", json.dumps(forge.key | {"data": b64(sealed)}).encode(), "1" * 64)
    forge.file("keys", json.dumps(forge.key | {"salt": b64(b"x")}).encode(), "2" * 64)
    with forge.open() as opened:
        assert {item.path for item in opened.damage} <= {f"keys/{'0' * 64}", f"keys/{'1' * 64}"}
        assert f"keys/{'0' * 64}" in {item.path for item in opened.damage}
    good.unlink()
    with pytest.raises(WrongPassword):
        forge.open()
    for digit in "12":
        (forge.top / "keys" / (digit * 64)).unlink()
    with pytest.raises(RepositoryDamaged, match="none of its key files"):
        forge.open()
    (forge.top / "keys" / ("0" * 64)).unlink()
    with pytest.raises(RepositoryDamaged, match="no key file"):
        forge.open()
    (forge.top / "config").unlink()
    with pytest.raises(NoSuchTarget):
        forge.open()


def test_when_nothing_of_a_kind_can_be_read(forge: Forge) -> None:
    with forge.open() as empty:
        assert empty.snapshots() == ()
    _, index = small(forge)
    for path in index.parent.iterdir():
        flip(path)
    with pytest.raises(RepositoryDamaged, match="index"):
        forge.open()
    for path in index.parent.iterdir():
        path.unlink()
    with pytest.raises(RepositoryDamaged, match="no index"):
        forge.open()
    for path in (forge.top / "snapshots").iterdir():
        flip(path)
    with pytest.raises(RepositoryDamaged, match="snapshots"):
        forge.open()


@pytest.mark.parametrize(
    ("kind", "failure", "expected"),
    [
        ("config", Refused("no"), NotPermitted),
        ("config", Unreachable("no"), NoSuchTarget),
        ("keys", Refused("no"), RepositoryDamaged),
        ("index", Unreachable("no"), RepositoryDamaged),
    ],
)
def test_a_keeper_that_refuses(
    forge: Forge, monkeypatch: pytest.MonkeyPatch, kind: str, failure: Unreadable, expected: type[Exception]
) -> None:
    small(forge)

    def refusing(method: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(self: LocalTransport, asked: str, *rest: object) -> Any:
            if asked == kind:
                raise failure
            return method(self, asked, *rest)

        return refuse

    monkeypatch.setattr(LocalTransport, "read", refusing(LocalTransport.read))
    monkeypatch.setattr(LocalTransport, "names", refusing(LocalTransport.names))
    with pytest.raises(expected):
        forge.open()


def test_permission_and_disk_errors_are_told_apart(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = LocalTransport(str(forge.top))

    def fail(*_: object) -> None:
        raise failure

    for failure in (PermissionError(13, "x"), OSError(5, "x")):
        with monkeypatch.context() as patch:
            patch.setattr(os, "pread", fail)
            patch.setattr(os, "listdir", fail)
            with pytest.raises(Unreadable) as raised:
                transport.read("config", "", 0, 10)
            assert isinstance(raised.value, Refused) == isinstance(failure, PermissionError)
            with pytest.raises(Unreadable):
                transport.names("keys")
    assert transport.read("config", "", 10_000, 10) == b""


def test_large_files_are_assembled_on_disk_and_leave_nothing(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(forge)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.setattr(spool, "IN_MEMORY", 100)
    with forge.open() as opened:
        found = versions(opened)["/a"]
        blob = found.entry.open()
        assert blob.at(398, 4) == (ONE + TWO)[398:402]
        assert os.readlink(f"/proc/self/fd/{blob.fileno()}").startswith(str(scratch))
        with pytest.raises(OSError, match="Bad file"):
            os.write(blob.fileno(), b"x")
        blob.close()
        assert list(scratch.iterdir()) == []

        monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        assert "no space left" in broken(found)


def test_a_file_larger_than_the_disk_is_not_begun(forge: Forge) -> None:
    chunk = bytes(60_000_000)
    root = tree({"name": "vast", "type": "file", "content": [sha(chunk)] * 300_000})
    forge.pack(root, chunk)
    forge.snapshot(root)
    with forge.open() as opened:
        vast = versions(opened)["/vast"]
        assert vast.entry.size == 18_000_000_000_000
        assert "too many" in broken(vast)


def test_versions_of_elsewhere_are_refused(forge: Forge) -> None:
    small(forge)
    with forge.open() as opened:
        version = next(iter(versions(opened).values()))
        foreign = Version(version.snapshot, Entry("/x", 0, 0, lambda: pytest.fail("opened")), "")
        with pytest.raises(TypeError):
            opened.attributes(foreign)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_makes_the_reader_crash_or_lie(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    top = tmp_path_factory.mktemp("fuzz")
    forge = Forge(top)
    small(forge)
    files = sorted(path for path in top.rglob("*") if path.is_file())
    victim = data.draw(st.sampled_from(files))
    raw = victim.read_bytes()
    cut = data.draw(st.integers(0, len(raw)))
    victim.write_bytes(
        raw[:cut] + data.draw(st.binary(max_size=40)) + raw[cut + data.draw(st.integers(0, 40)) :]
    )
    try:
        opened = forge.open()
    except (RepositoryDamaged, WrongPassword, NoSuchTarget):
        return
    for version in versions(opened).values():
        try:
            assert content(version) == {"/a": ONE + TWO, "/b": THREE}[version.entry.path]
        except Unreadable:
            continue
