"""From one tree to the next where trees are missing, cut, forged, too deep, or a bomb."""

import hashlib
import json
from collections.abc import Mapping

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.sources.restic import walk
from vigie.sources.restic.crypto import Key
from vigie.sources.restic.repository import Repository
from vigie.sources.restic.transport import Absent
from vigie.sources.restic.walk import Found, Lost, Trees, Walk

KEY = Key(b"e" * 32, b"k" * 16, b"r" * 16)


def sealed(plain: bytes) -> bytes:
    nonce = hashlib.sha256(plain).digest()[:16]
    body = Cipher(AES(KEY.encrypt), CTR(nonce)).encryptor().update(plain)
    return nonce + body + KEY.authenticator(nonce, body).finalize()


class Stored:
    """A repository in memory, one pack a tree, and what of it was read (it is its own transport)."""

    far = False

    def __init__(self) -> None:
        self.packs: dict[str, bytes] = {}
        self.read_of: list[str] = []
        self.repository = Repository(self, KEY, "here")
        self.trees = Trees(self.repository)

    def names(self, _kind: str) -> tuple[str, ...]:
        return ()

    def read(self, _kind: str, name: str, offset: int, length: int) -> bytes:
        self.read_of.append(name)
        if name not in self.packs:
            raise Absent("it is missing")
        return self.packs[name][offset : offset + length]

    def close(self) -> None:
        """Nothing is open."""

    def tree(self, *nodes: dict[str, object]) -> bytes:
        """Keep a tree; gives its id."""
        return self.blob(json.dumps({"nodes": nodes}).encode())

    def blob(self, data: bytes, named: bytes = b"") -> bytes:
        """Keep a blob, under the id of other bytes where some are given."""
        identifier = hashlib.sha256(named or data).digest()
        packed = sealed(zstandard.compress(data))
        row = {
            "id": identifier.hex(),
            "offset": 0,
            "length": len(packed),
            "uncompressed_length": len(data),
        }
        self.packs[identifier.hex()] = packed
        packs = {"packs": [{"id": identifier.hex(), "blobs": [row]}]}
        self.repository.index.add(json.dumps(packs).encode())
        return identifier

    def told(self, old: bytes | None, new: bytes) -> list[Found | Lost]:
        return list(Walk(self.trees, old, new))


def file(name: str, content: bytes = b"") -> dict[str, object]:
    return _node(name, "file") | {"content": [hashlib.sha256(content).hexdigest()]}


def folder(name: str, identifier: bytes) -> dict[str, object]:
    return _node(name, "dir") | {"subtree": identifier.hex()}


def _node(name: str, kind: str) -> dict[str, object]:
    time = "2026-01-01T00:00:00Z"
    return {"name": name, "type": kind, "mode": 0o644, "mtime": time, "uid": 0, "gid": 0}


def flaws(told: list[Found | Lost]) -> dict[str, str]:
    return {item.path: item.flaw for item in told if isinstance(item, Found) and item.node is None}


def found(told: list[Found | Lost]) -> list[str]:
    return [item.path for item in told if isinstance(item, Found) and item.node is not None]


def lost(told: list[Found | Lost]) -> list[str]:
    return [item.path for item in told if isinstance(item, Lost)]


@pytest.fixture
def stored() -> Stored:
    return Stored()


def _removed(stored: Stored, identifier: bytes) -> None:
    del stored.packs[identifier.hex()]


def _cut(stored: Stored, identifier: bytes) -> None:
    stored.packs[identifier.hex()] = stored.packs[identifier.hex()][:-5]


def _altered(stored: Stored, identifier: bytes) -> None:
    raw = bytearray(stored.packs[identifier.hex()])
    raw[20] ^= 1
    stored.packs[identifier.hex()] = bytes(raw)


def _forged(stored: Stored, identifier: bytes) -> None:
    """Sealed with the right key, by somebody who puts another tree in its place."""
    honest = stored.repository.tree(identifier)
    other = honest.replace(b'"x"', b'"y"')
    assert other != honest
    stored.blob(other, named=honest)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (_removed, "missing"),
        (_cut, "cut short"),
        (_altered, "seal is broken"),
        (_forged, "not what its name says"),
    ],
)
def test_a_damaged_tree_is_told_in_each_snapshot_and_nothing_below_it_is_lost(
    stored: Stored, harm: object, reason: str
) -> None:
    assert callable(harm)
    inner = stored.tree(file("x"))
    first = stored.tree(folder("hit", stored.tree(file("x"), file("z"))), file("b"))
    second = stored.tree(folder("hit", inner), file("b"))
    harm(stored, inner)
    assert found(stored.told(None, first)) == ["/b", "/hit/x", "/hit/z"]
    told = stored.told(first, second)
    assert (found(told), lost(told)) == ([], [])
    assert reason in flaws(told)["/hit"]
    again = stored.told(second, second)
    assert flaws(again) == flaws(told)
    assert lost(again) == []
    # the next snapshot is whole again: all of the folder is told, and nothing is said to be gone
    healed = stored.told(second, first)
    assert found(healed) == ["/hit/x", "/hit/z"]
    assert (flaws(healed), lost(healed)) == ({}, [])
    assert stored.trees.partial


def test_a_damaged_root_is_told_in_each_snapshot(stored: Stored) -> None:
    root = stored.tree(file("x"))
    _cut(stored, root)
    told = [flaws(stored.told(old, root)) for old in (None, root, root)]
    assert [list(one) for one in told] == [["/"]] * 3


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"nodes": 3}', b'{"nodes": [', b"\xff", b'{"nodes":' + b"[" * 100_000, bytes(100_000)],
)
def test_what_is_no_tree_is_told(stored: Stored, data: bytes) -> None:
    root = stored.tree(folder("odd", stored.blob(data)), file("b"))
    told = stored.told(None, root)
    assert found(told) == ["/b"]
    assert "cannot be read" in flaws(told)["/odd"]


def test_a_tree_that_cannot_be_read_for_a_while(stored: Stored) -> None:
    inner = stored.tree(file("x"))
    root = stored.tree(folder("far", inner))
    kept = stored.packs.pop(inner.hex())
    assert list(flaws(stored.told(None, root))) == ["/far"]
    stored.packs[inner.hex()] = kept
    assert found(stored.told(root, root)) == ["/far/x"]


def test_what_was_below_a_folder_that_is_gone_and_cannot_be_read(stored: Stored) -> None:
    inner = stored.tree(file("x"))
    old = stored.tree(folder("gone", inner), folder("there", stored.tree(file("y"))), file("z"))
    _removed(stored, inner)
    assert lost(stored.told(old, stored.tree())) == ["/there/y", "/z"]
    assert stored.trees.partial


def test_a_file_becomes_a_folder_and_back(stored: Stored) -> None:
    as_file, as_folder = stored.tree(file("x")), stored.tree(folder("x", stored.tree(file("y"))))
    there, back = stored.told(as_file, as_folder), stored.told(as_folder, as_file)
    assert (lost(there), found(there)) == (["/x"], ["/x/y"])
    assert (lost(back), found(back)) == (["/x/y"], ["/x"])


def _nested(stored: Stored, depth: int, leaf: bytes) -> bytes:
    for _ in range(depth):
        leaf = stored.tree(folder("d", leaf))
    return leaf


def test_as_deep_as_linux_can_open_and_no_deeper(stored: Stored) -> None:
    shallow = _nested(stored, walk._MAX_DEPTH - 1, stored.tree(file("x")))
    assert len(found(stored.told(None, shallow))) == 1
    assert len(lost(stored.told(shallow, stored.tree()))) == 1
    deep = stored.tree(folder("d", shallow), file("z"))
    for old in (None, shallow, deep, deep):
        told = stored.told(old, deep)
        assert list(flaws(told).values()) == ["folders are nested too deep"]
        assert lost(told) == (["/d" * (walk._MAX_DEPTH - 1) + "/x"] if old == shallow else [])


class Circular(Repository):
    """Two trees that hold each other: no SHA-256 allows it, and no reader should rest on that."""

    def __init__(self) -> None:
        super().__init__(Stored(), KEY, "round")

    def tree(self, identifier: bytes) -> bytes:
        other = bytes(32) if any(identifier) else b"\1" * 32
        return json.dumps({"nodes": [folder("d", other), file("x")]}).encode()


def test_a_circle_ends() -> None:
    told = list(Walk(Trees(Circular()), None, bytes(32)))
    assert list(flaws(told).values()) == ["folders are nested too deep"]
    assert len(found(told)) == walk._MAX_DEPTH


def test_forty_trees_that_stand_for_a_million_million_folders(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "_FEW", 1000)
    monkeypatch.setattr(walk, "_OFTEN", 10)
    tree = stored.tree()
    for _ in range(40):
        tree = stored.tree(folder("a", tree), folder("b", tree))
    root = stored.tree(folder("bomb", tree), file("z"))
    told = stored.told(None, root)
    assert found(told) == ["/z"]
    assert set(flaws(told).values()) == {"the same folders lie in each other over and over"}
    assert len(flaws(told)) < 100
    assert flaws(stored.told(root, root))
    assert lost(stored.told(root, stored.tree())) == ["/z"]
    # many equal folders are nothing to wonder about
    inner = stored.tree(file("x"))
    many = stored.tree(*(folder(f"{number:03}", inner) for number in range(300)))
    assert len(found(stored.told(None, many))) == 300


def test_each_tree_is_read_once_where_only_the_newest_can_be_kept(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "_CACHED_NODES", 45)
    quiet = [folder(f"q{n}", stored.tree(file("x", b"%d" % n))) for n in range(5)]
    old: bytes | None = None
    for day in range(8):
        busy = stored.tree(*(file(f"{n}", b"%d %d" % (n, day)) for n in range(5)))
        new = stored.tree(folder("busy", busy), *quiet)
        assert stored.told(old, new)
        old = new
    assert len(stored.read_of) == len(set(stored.read_of)) == 5 + 2 * 8


names = st.sampled_from("abc")
shapes = st.recursive(
    st.sampled_from([b"1", b"2"]), lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=8
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_changes_added_up_are_what_a_look_at_the_last_snapshot_gives(data: st.DataObject) -> None:
    stored = Stored()
    days = data.draw(st.lists(st.dictionaries(names, shapes, max_size=3), min_size=2, max_size=4))
    roots = [_kept(stored, day) for day in days]
    for identifier in data.draw(st.lists(st.sampled_from(sorted(stored.packs)), max_size=2)):
        stored.packs[identifier] = b""
    state: dict[str, bytes] = {}
    for old, new in zip([None, *roots], roots, strict=False):
        told = stored.told(old, new)
        for item in told:
            if isinstance(item, Lost):
                assert state.pop(item.path, None) is not None
            elif item.node is not None:
                state[item.path] = item.node.content
            else:
                inside = item.path.rstrip("/") + "/"
                state = {path: kept for path, kept in state.items() if not path.startswith(inside)}
        fresh = list(Walk(Trees(stored.repository), None, new))
        assert flaws(told) == flaws(fresh)
        assert state == {
            item.path: item.node.content for item in fresh if isinstance(item, Found) and item.node
        }


def _kept(stored: Stored, shape: Mapping[str, object]) -> bytes:
    nodes = [
        folder(name, _kept(stored, inner)) if isinstance(inner, dict) else file(name, _bytes(inner))
        for name, inner in shape.items()
    ]
    return stored.tree(*nodes)


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value
