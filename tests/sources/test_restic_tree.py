import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.model import Attributes
from vigie.sources.restic.index import MAX_BLOB, Index, Place
from vigie.sources.restic.snapshot import parse_snapshot
from vigie.sources.restic.tree import Node, NodeKind, parse_tree

A, B = "aa" * 32, "bb" * 32

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(A)
ANY = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def encode(document: Any) -> bytes:
    return json.dumps(document).encode()


def tree(*nodes: dict[str, Any]) -> tuple[Node, ...]:
    return parse_tree(encode({"nodes": nodes}))


def test_nodes_are_read_and_sorted() -> None:
    folder, file, link = tree(
        {"name": "b.txt", "type": "file", "mode": 0o640 | 1 << 22, "uid": 5, "gid": 6, "size": 3,
         "mtime": "1970-01-01T00:00:01Z", "content": [A, B]},
        {"name": "c", "type": "symlink", "linktarget": "/etc/passwd"},
        {"name": "a", "type": "dir", "mode": 2147484141, "subtree": B},
    )  # fmt: skip
    assert (folder.name, folder.kind, folder.subtree.hex()) == ("a", NodeKind.FOLDER, B)
    assert folder.attributes == Attributes(0o755, 0, 0, 0)
    assert (file.name, file.kind, file.content.hex()) == ("b.txt", NodeKind.FILE, A + B)
    assert file.attributes == Attributes(0o2640, 5, 6, 1_000_000_000)
    assert link.kind is NodeKind.OTHER
    assert not link.flaw


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "\\x00", "\\x2f", "\\056\\056", "\\q", None, 7])
def test_a_name_that_leads_elsewhere_is_a_flaw(name: object) -> None:
    (node,) = tree({"name": name, "type": "dir", "subtree": A})
    assert node.flaw
    assert node.kind is NodeKind.OTHER
    assert "/" not in node.name
    assert "\0" not in node.name


@pytest.mark.parametrize(
    "change",
    [
        {"content": "x"},
        {"content": ["x"]},
        {"content": None, "size": 5},
        {"uid": -1},
        {"mode": "rw"},
        {"type": "dir"},
        {"type": "dir", "subtree": "../../etc"},
    ],
)
def test_a_broken_node_leaves_the_others(change: dict[str, Any]) -> None:
    good = {"name": "good", "type": "file", "content": [A]}
    flawed, fine = tree(good, {"name": "bad", "type": "file", "content": [A]} | change)
    assert flawed.flaw
    assert (fine.name, fine.flaw) == ("good", "")


def test_oddities_that_harm_nothing() -> None:
    (node,) = tree({"name": "a", "type": "file", "content": None, "mtime": "yesterday"})
    assert (node.kind, node.content, node.attributes.mtime_ns) == (NodeKind.FILE, b"", 0)
    assert parse_tree(b'{"nodes": null}') == ()
    first, second = tree(
        {"name": "a", "type": "file", "content": []}, {"name": "a", "type": "file", "content": []}
    )
    assert (first.flaw, bool(second.flaw)) == ("", True)
    assert tree(5, None)[0].flaw  # type: ignore[arg-type] # not what the type says, on purpose
    with pytest.raises(Unreadable):
        parse_tree(b'{"nodes": 5}')


NODE_KEYS = ["name", "type", "mode", "mtime", "content", "subtree", "uid"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(NODE_KEYS), ANY, max_size=5), max_size=3))
def test_no_tree_makes_the_reader_crash(nodes: list[Any]) -> None:
    for node in tree(*nodes):
        assert node.flaw or ("/" not in node.name and node.name not in ("", ".", ".."))


def test_a_snapshot_is_read() -> None:
    root = parse_snapshot(
        A, encode({"time": "1970-01-01T00:00:01Z", "tree": B, "paths": ["/x"], "hostname": "h"})
    )
    snapshot = root.snapshot
    assert (root.tree.hex(), snapshot.id, snapshot.time_ns, snapshot.paths, snapshot.host, snapshot.tags) == (
        B, A, 10**9, ("/x",), "h", (),
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["time", "tree", "paths", "hostname", "tags"]), ANY))
def test_no_snapshot_makes_the_reader_crash(document: Any) -> None:
    with pytest.raises(Unreadable):
        parse_snapshot(A, encode(document))


def entry(identifier: str = A, offset: int = 0, length: int = 100, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "type": "data", "offset": offset, "length": length} | more


def test_the_index_finds_every_place_once() -> None:
    index = Index()
    one = encode({"packs": [{"id": A, "blobs": [entry(), entry(B, 100, 50, uncompressed_length=900)]}]})
    index.add(one)
    index.add(one)
    index.add(encode({"packs": [{"id": B, "blobs": [entry(offset=7)]}]}))
    index.add(b'{"packs": null}')
    assert len(index) == 2
    a, b = bytes.fromhex(A), bytes.fromhex(B)
    assert list(index.places(a)) == [Place(A, 0, 100, 68, False), Place(B, 7, 100, 68, False)]
    assert index.find(b) == Place(A, 100, 50, 900, True)
    assert index.find(bytes(32)) is None
    assert list(index.places(bytes(32))) == []


@pytest.mark.parametrize(
    "packs",
    [
        5,
        [5],
        [{"id": A}],
        [{"id": "x", "blobs": [entry()]}],
        [{"id": A, "blobs": [entry(), entry("x")]}],
        [{"id": A, "blobs": [entry(length=31)]}],
        [{"id": A, "blobs": [entry(length=MAX_BLOB)]}],
        [{"id": A, "blobs": [entry(offset=-1)]}],
        [{"id": A, "blobs": [entry(uncompressed_length=1 << 40)]}],
    ],
)
def test_a_broken_index_file_is_refused_whole(packs: Any) -> None:
    index = Index()
    with pytest.raises(Unreadable):
        index.add(encode({"packs": packs}))
    assert len(index) == 0


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"id": st.just(A) | ANY},
            optional={
                "blobs": st.lists(st.dictionaries(st.sampled_from(list(entry())), ANY), max_size=3) | ANY
            },
        ),
        max_size=3,
    )
)
def test_no_index_makes_the_reader_crash(packs: Any) -> None:
    index = Index()
    try:
        index.add(encode({"packs": packs}))
    except Unreadable:
        assert len(index) == 0
