"""Archives of pg_dump -Fc: the table of contents, and every block of data by its chunks and its compression.

By hand: the table of contents tells where each block begins, so that after a broken one the next is found.
(-Fd makes gzip files beside a toc.dat, which this file reads as well; -Ft is tar, -Fp is text.)
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from vigie.formats.contract import EFFORT, Cursor, Effort, Format, Malformed
from vigie.formats.data import pages
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

_MAGIC = b"PGDMP"
_CUSTOM, _FORMATS = 1, (1, 3, 5)
"""Kinds of archive: custom, (tar's) toc and directory."""
_DATA, _BLOBS = 1, 3
_POSITION = 2
"""`K_OFFSET_POS_SET`: an entry has data, and says where."""
_ENTRIES = 1 << 20
_LONGEST = 1 << 26
_CHUNK = 1 << 24
_BUFFER = 4096
_SEARCH = 1 << 20
"""How far behind a broken chunk the next one of `_BUFFER` bytes is looked for."""
_REGIONS = 4000
_FLAWS = 1024
_ABSENT = -1


def recognises(head: bytes) -> bool:
    """Magic, version 1.x, sizes of numbers and offsets, and the kind (pg_backup_archiver.c, ReadHead)."""
    if not head.startswith(_MAGIC) or len(head) < 16:
        return False
    return (
        head[5] == 1
        and 10 <= head[6] <= 32
        and head[8] in (4, 8)
        and head[9] in (4, 8)
        and head[10] in _FORMATS
    )


@dataclass(frozen=True, slots=True)
class Archive:
    """What the header says."""

    minor: int
    width: int
    """Bytes of a number."""
    offset: int
    """Bytes of an offset."""
    custom: bool
    plain: bool
    """Whether data are not compressed."""
    zlib: bool


class _Reader:
    """Numbers and strings as pg_dump writes them."""

    def __init__(self, cursor: Cursor, width: int) -> None:
        self.cursor = cursor
        self.width = width

    def number(self, what: str) -> int:
        """A sign byte and a little-endian magnitude."""
        data = self.cursor.take(1 + self.width, what)
        if data[0] > 1:
            self.cursor.offset -= len(data)
            self.cursor.fail(f"no number where {what} must be")
        return int.from_bytes(data[1:], "little") * (-1 if data[0] else 1)

    def text(self, what: str) -> bytes | None:
        """A string, or None."""
        length = self.number(what)
        if length == _ABSENT:
            return None
        if not 0 <= length <= _LONGEST:
            self.cursor.fail(f"{what} of {length} bytes")
        return self.cursor.take(length, what)


def _archive(reader: _Reader, head: bytes) -> Archive:
    """The rest of the header: compression, date, and three names."""
    if head[6] >= 15:
        method = reader.cursor.take(1, "the compression")[0]
        plain, packed = method == 0, method == 1
    else:
        level = reader.number("the compression")
        plain, packed = level == 0, level != 0
    for _ in range(7):
        reader.number("the date")
    for what in ("the database's name", "the server's version", "pg_dump's version"):
        reader.text(what)
    return Archive(head[6], head[8], head[9], head[10] == _CUSTOM, plain, packed)


def _entries(reader: _Reader, archive: Archive) -> Iterator[int]:
    """Where the data of each entry stand (ReadToc); entries without data are passed over."""
    count = reader.number("the number of entries")
    if not 0 <= count <= _ENTRIES:
        reader.cursor.fail(f"{count} entries")
    for _ in range(count):
        reader.number("an entry's number")
        reader.number("whether it has data")
        for what in ("a table's id", "an id", "a tag", "a description"):
            reader.text(what)
        if archive.minor >= 11:
            reader.number("a section")
        texts = 6 + (archive.minor >= 14)
        for index in range(texts):
            reader.text("a statement or a name")
            if index == texts - 2 and archive.minor >= 16:
                reader.number("a kind of relation")
        reader.text("a flag")
        while reader.text("a dependency") is not None:
            pass
        if archive.custom:
            data = reader.cursor.take(1 + archive.offset, "an offset")
            if data[0] == _POSITION:
                yield int.from_bytes(data[1:], "little")
        else:
            reader.text("a file's name")


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The table of contents, and the blocks behind it.

    Raises:
        Malformed: no header, or a table of contents that breaks off.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 16)
    if not recognises(head):
        raise Malformed(0, "no header of a pg_dump archive")
    cursor = Cursor(blob, 11)
    reader = _Reader(cursor, head[8])
    archive = _archive(reader, head)
    offsets = sorted(set(_entries(reader, archive)))
    regions = [Region(0, cursor.offset, Kind.STRUCTURED, "table of contents")]
    notes: list[str] = []
    walk = _Blocks(blob, archive, Effort(effort))
    if archive.custom:
        offsets = offsets or ([cursor.offset] if cursor.left else [])
        for start, end in zip(offsets, [*offsets[1:], blob.size], strict=True):
            if walk.effort.left <= 0:
                notes.append("too large to look at every block")
                break
            walk.block(start, end)
    return Anatomy("pgdump", (*regions, *walk.regions), tuple(walk.flaws), walk.checked, tuple(notes))


class _Blocks:
    """The blocks of data (pg_backup_custom.c)."""

    def __init__(self, blob: Blob, archive: Archive, effort: Effort) -> None:
        self.blob = blob
        self.archive = archive
        self.effort = effort
        self.regions: list[Region] = []
        self.flaws: list[Flaw] = []
        self.checked = 0

    def block(self, start: int, end: int) -> None:
        """One block: kind, entry, and chunks; of large objects, several runs of chunks."""
        if start >= self.blob.size:
            self.flaws.append(Flaw(self.blob.size, self.blob.size, "the data of an entry are missing"))
            return
        cursor = Cursor(self.blob, start)
        reader = _Reader(cursor, self.archive.width)
        place = start
        try:
            kind = cursor.take(1, "a block's kind")[0]
            reader.number("a block's entry")
            if kind not in (_DATA, _BLOBS):
                raise Malformed(start, "no block of data")  # noqa: TRY301 - the one place that tells
            while kind == _DATA or reader.number("a large object's id"):
                place = cursor.offset
                self._chunks(reader, end, text=kind == _DATA)
                if kind == _DATA or self.effort.left <= 0:
                    return
        except Malformed as broken:
            # Behind a broken length nothing is known until the next block.
            place = max(place, min(broken.offset, end - 1))
            self._flawed(place, end, f"data of an entry: {broken.what}")

    def _flawed(self, start: int, end: int, what: str, *, checksum: bool = False) -> None:
        for low, high in pages.blocks(start, min(end, self.blob.size), 1 << 20):
            if len(self.flaws) < _FLAWS:
                self.flaws.append(Flaw(low, high, what, checksum))

    def _chunks(self, reader: _Reader, end: int, *, text: bool) -> None:
        """Chunks up to the empty one; compressed ones make one zlib stream."""
        inflate = zlib.decompressobj() if self.archive.zlib else None
        cursor = reader.cursor
        while self.effort.left > 0:
            length = self._length(reader, end)
            if not length:
                return
            start = cursor.offset
            if length < 0:  # a gap
                inflate = None
                continue
            self.effort.spend(length)
            if inflate is None:
                cursor.skip(length, "a chunk")
                if self.archive.plain and text and len(self.regions) < _REGIONS:
                    self.regions.append(
                        Region(start, start + length, Kind.STRUCTURED, "rows", Charset.LATIN1)
                    )
                continue
            data = cursor.take(length, "a chunk")
            try:
                while data and not inflate.eof:
                    inflate.decompress(data, _CHUNK)
                    data = inflate.unconsumed_tail
                self.checked += length
            except zlib.error:
                # The stream cannot be joined again behind this; the chain of chunks can.
                self._flawed(start, start + length, "compressed rows that cannot be", checksum=True)
                inflate = None

    def _length(self, reader: _Reader, end: int) -> int:
        """The length of the chunk at hand; -1 after a gap, with the reader at the next one.

        Raises:
            Malformed: there is none any more.
        """
        cursor = reader.cursor
        start = cursor.offset
        head = cursor.take(1 + self.archive.width, "a chunk's length")
        length = int.from_bytes(head[1:], "little")
        if not head[0] and length <= min(_CHUNK, end - cursor.offset):
            return length
        # pg_dump writes what its buffer holds, so that most chunks have the same length.
        again = self.blob.at(start, _SEARCH).find(b"\0" + _BUFFER.to_bytes(self.archive.width, "little"))
        cursor.offset = start + again
        if again <= 0 or cursor.offset >= end:
            cursor.offset = start
            cursor.fail("no chunk")
        self._flawed(start, cursor.offset, "data of an entry: no chunk")
        return -1


FORMAT = Format(
    name="pgdump",
    title="PostgreSQL archive of pg_dump",
    specification="PostgreSQL pg_backup_archiver.c and pg_backup_custom.c",
    suffixes=("pgdump",),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("dump", "backup"),
)
