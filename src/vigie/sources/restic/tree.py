"""A tree: the nodes of one folder (restic doc/design.rst, "Trees and Data")."""

import base64
import os
import stat
from dataclasses import dataclass
from enum import Enum
from typing import Any

from vigie.errors import Unreadable
from vigie.model import Attributes
from vigie.sources.restic.document import identity, integer, parse, text, time_ns, unquote


class NodeKind(Enum):
    """What a node is to a reader of files."""

    FILE = "file"
    FOLDER = "dir"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Node:
    """One name in a folder."""

    name: str
    kind: NodeKind
    attributes: Attributes
    content: bytes = b""
    """Of a file: the ids of its blobs in order, 32 bytes each."""
    subtree: bytes = b""
    """Of a folder: the id of its tree."""
    flaw: str = ""
    """Why it cannot be read, in words; the name is then only for show."""


_LONGEST_NAME, _LARGEST = 255, 65_536
"""Bytes of the name and of the value of an extended attribute (<linux/limits.h>)."""
_NO_ATTRIBUTES = Attributes(0, 0, 0, 0)

# Go's os.FileMode keeps these three apart from the permission bits.
_SPECIAL = ((1 << 23, stat.S_ISUID), (1 << 22, stat.S_ISGID), (1 << 20, stat.S_ISVTX))


Interned = dict[int, Node]
"""Nodes by a hash of all that describes them: from one snapshot to the next, most are the same."""


def parse_tree(data: bytes, interned: Interned | None = None) -> tuple[Node, ...]:
    """Read a tree (JSON): nodes sorted by the bytes of their names; a node that cannot be read is flawed.

    A node that is `interned` comes back as the very same object; those that are new are added.

    Raises:
        Unreadable: it is no tree.
    """
    nodes = parse(data).get("nodes")
    if nodes is None:
        return ()
    if not isinstance(nodes, list):
        raise Unreadable("its list of names cannot be read")
    found: list[Node] = []
    names: set[str] = set()
    for document in nodes:
        node = _node(document) if interned is None else _interned(document, interned)
        if node.name in names and not node.flaw:
            node = _flawed(node.name, "a second file of the same name in the same folder")
        names.add(node.name)
        found.append(node)
    found.sort(key=order_of)
    return tuple(found)


def order_of(node: Node) -> bytes:
    """By which nodes are sorted: the bytes of the name."""
    return os.fsencode(node.name)


def _interned(document: Any, interned: Interned) -> Node:
    try:
        # Hashes of strings are salted (PYTHONHASHSEED): nobody can prepare two nodes with the same one.
        key = hash(
            (
                document["name"],
                document["type"],
                document["mode"],
                document["mtime"],
                document["uid"],
                document["gid"],
                document.get("subtree"),
                document.get("size"),
                # What has none, as most have, costs nothing.
                (extended := document.get("extended_attributes")) and repr(extended),
                *(document.get("content") or ()),
            )
        )
    except (TypeError, KeyError, AttributeError):
        return _node(document)  # not as restic writes it: looked at closely each time
    node = interned.get(key)
    if node is None or node.name != document["name"]:
        node = _node(document)
        if not node.flaw:
            interned[key] = node
    return node


def _flawed(name: str, flaw: str) -> Node:
    # The name goes into reports: it must not look like another path.
    return Node(
        name.replace("/", "\ufffd").replace("\0", "\ufffd"), NodeKind.OTHER, _NO_ATTRIBUTES, flaw=flaw
    )


def _node(document: Any) -> Node:
    if not isinstance(document, dict):
        return _flawed("?", "it is not described as restic does")
    stored = text(document.get("name"))
    try:
        name = unquote(stored)
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            return _flawed(stored or "?", "its name would lead out of its folder")
        return _read(name, document)
    except Unreadable as error:
        return _flawed(stored or "?", error.reason)


def _read(name: str, document: dict[str, Any]) -> Node:
    kind = document.get("type")
    if kind not in ("file", "dir"):
        return Node(name, NodeKind.OTHER, _NO_ATTRIBUTES)
    mode = integer(document.get("mode"), 1 << 32)
    attributes = Attributes(
        mode & 0o777 | sum(posix for go, posix in _SPECIAL if mode & go),
        integer(document.get("uid"), 1 << 32),
        integer(document.get("gid"), 1 << 32),
        _mtime(document.get("mtime")),
        _extended(document.get("extended_attributes")),
    )
    if kind == "dir":
        return Node(name, NodeKind.FOLDER, attributes, subtree=identity(document.get("subtree")))
    content = document.get("content")
    if content is None and not document.get("size"):
        content = []
    if not isinstance(content, list):
        raise Unreadable("the list of its blobs is missing")
    return Node(name, NodeKind.FILE, attributes, content=b"".join(map(identity, content)))


def _extended(value: Any) -> tuple[tuple[str, bytes], ...]:
    """Names and values of extended attributes, as restic has them (internal/restic/node.go: base64).

    One that cannot be, or is larger than Linux takes (xattr(7), "Limits"), is left out: the file counts.
    """
    found: list[tuple[str, bytes]] = []
    for item in value if isinstance(value, list) else ():
        if not isinstance(item, dict):
            continue
        name, coded = item.get("name"), item.get("value")
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or "\0" in name:
            continue
        if coded is not None and (not isinstance(coded, str) or len(coded) > _LARGEST * 4 // 3 + 4):
            continue
        try:
            found.append((name, base64.b64decode(coded or "", validate=True)))
        except ValueError:
            continue
    return tuple(found)


def _mtime(value: Any) -> int:
    # A file is worth reading whatever its time says.
    try:
        return time_ns(value)
    except Unreadable:
        return 0
