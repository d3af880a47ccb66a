"""What an archive holds, from `borg debug dump-archive`: the one command that tells the ids of chunks.

It prints JSON of one key a line, an item indented by four (borg/archiver.py, do_debug_dump_archive); bytes
that are not UTF-8 stand as DEL and hexadecimal digits, which can be undone: nothing is lost.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vigie.errors import Unreadable
from vigie.model import Attributes
from vigie.sources.borg.acl import access_lists

_LONGEST_ITEM = 128 << 20
"""Bytes of JSON that one item may take: a file of more than a terabyte in chunks of 2 MiB."""
_LONGEST_NAME, _LARGEST = 255, 65_536
"""Bytes of the name and of the value of an extended attribute (<linux/limits.h>)."""
_HEX = "\x7f"

_START = b'    "_items": ['
_OPEN, _CLOSE = b"    {", (b"    },", b"    }")


@dataclass(frozen=True, slots=True)
class Item:
    """A regular file in an archive."""

    path: str
    """As in the archive, behind a slash."""
    attributes: Attributes
    chunks: bytes = b""
    """Ids of its chunks in order, 32 bytes each: keyed hashes of what they hold."""
    size: int = 0
    stored: int = 0
    """Bytes that its chunks take, compressed and encrypted."""
    home: str = ""
    """The path to extract it by: its own, or of a hard link that of the name whose chunks it shares."""
    flaw: str = ""
    """Why it cannot be read, in words."""

    @property
    def content(self) -> str:
        """Identity of its bytes."""
        return hashlib.sha256(self.chunks).hexdigest()


@dataclass(frozen=True, slots=True)
class Listing:
    """Regular files of an archive in path order, and folders; why the list is not whole, if it is not."""

    items: tuple[Item, ...]
    flaw: str = ""
    folders: Mapping[str, Attributes] = field(default_factory=dict)
    """What the folders in it were like, by path."""


def order(path: str) -> bytes:
    """What sorts paths folder by folder, by the bytes of the names."""
    return os.fsencode(path).replace(b"/", b"\0")


def parse_listing(lines: Iterable[bytes]) -> Listing:
    """Read the dump of an archive, line by line; where it breaks off, what was read until then counts."""
    files: dict[str, Item] = {}
    folders: dict[str, Attributes] = {}
    strange = 0
    try:
        for document in _documents(lines):
            try:
                item = _item(document, files, folders)
            except (Unreadable, ValueError):
                strange += 1
                continue
            # A path that was saved twice in one run: borg extracts the later one over the first.
            if item is not None:
                files[item.path] = item
            else:
                files.pop(_path(document), None)
    except Unreadable as error:
        flaw = error.reason
    else:
        flaw = f"{strange} entries are not described as borg does" if strange else ""
    return Listing(tuple(sorted(files.values(), key=lambda item: order(item.path))), flaw, folders)


def _documents(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The items of a dump.

    Raises:
        Unreadable: it ends too early, or an item is too long.
    """
    stream = iter(lines)
    for line in stream:
        if line.rstrip() == _START.rstrip():
            break
    inside: list[bytes] = []
    length = 0
    for line in stream:
        bare = line.rstrip(b"\n")
        if bare == b"    ]" and not inside:
            return
        if bare != b"," or inside:
            inside.append(bare)
            length += len(bare)
        if length > _LONGEST_ITEM:
            raise Unreadable("the list of its files holds an entry that is too long")
        if bare in _CLOSE:
            try:
                document = json.loads(b"".join(inside).rstrip(b","))
            except (ValueError, RecursionError) as error:
                raise Unreadable("the list of its files cannot be read from here on") from error
            inside, length = [], 0
            yield document if isinstance(document, dict) else {}
    raise Unreadable("the list of its files breaks off")


def _item(document: dict[str, Any], files: dict[str, Item], folders: dict[str, Attributes]) -> Item | None:
    """The regular file that an item describes, or None if it describes something else; folders are noted.

    Raises:
        Unreadable: it describes nothing.
    """
    path = _path(document)
    mode = _whole(document.get("mode"), 1 << 16)
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or "part" in document:
        return None
    attributes = Attributes(
        stat.S_IMODE(mode),
        _whole(document.get("uid", 0), 1 << 32),
        _whole(document.get("gid", 0), 1 << 32),
        _time(document.get("mtime")),
        (*_extended(document.get("xattrs")), *access_lists(document)),
    )
    if stat.S_ISDIR(mode):
        folders[path] = attributes
        return None
    if "source" in document:
        master = files.get("/" + _text(document["source"]))
        if master is None:
            return Item(path, attributes, flaw="a hard link to a file that is not in the archive")
        return replace(master, path=path)
    if "chunks_healthy" in document:
        return Item(
            path, attributes, flaw="a part of it was lost: borg check --repair put zeros in its place"
        )
    if not isinstance(chunks := document.get("chunks", []), list):
        return Item(path, attributes, flaw="the list of its chunks cannot be read")
    ids, size, stored = bytearray(), 0, 0
    for chunk in chunks:
        if not isinstance(chunk, list) or len(chunk) != 3:
            return Item(path, attributes, flaw="the list of its chunks cannot be read")
        identifier = _bytes(chunk[0])
        if len(identifier) != 32:
            return Item(path, attributes, flaw="the list of its chunks cannot be read")
        ids += identifier
        size += _whole(chunk[1])
        stored += _whole(chunk[2])
    return Item(path, attributes, bytes(ids), size, stored, path)


def _extended(value: Any) -> Iterator[tuple[str, bytes]]:
    """Names and values of extended attributes; one that cannot be, or is too large for Linux, is left out."""
    for name, coded in value.items() if isinstance(value, dict) else ():
        try:
            data = _bytes(coded or "")
            named = _text(name)
        except (Unreadable, ValueError):
            continue
        if 0 < len(named) <= _LONGEST_NAME and "\0" not in named and len(data) <= _LARGEST:
            yield named, data


def _path(document: dict[str, Any]) -> str:
    path = _text(document.get("path"))
    if not path or "\0" in path or path.startswith("/") or ".." in path.split("/"):
        raise Unreadable("its path would lead out of the archive")
    return "/" + path


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise Unreadable("it is not described as borg does")
    if value.startswith(_HEX):
        return bytes.fromhex(value[1:])
    return value.encode("utf-8", "surrogateescape")


def _text(value: Any) -> str:
    return os.fsdecode(_bytes(value))


def _whole(value: Any, beyond: int = 1 << 63) -> int:
    if not isinstance(value, int) or not 0 <= value < beyond:
        raise Unreadable("it is not described as borg does")
    return value


def _time(value: Any) -> int:
    # A file is worth reading whatever its time says.
    return value if isinstance(value, int) and abs(value) < 1 << 63 else 0
