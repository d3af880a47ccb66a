"""Apache Parquet: the footer, and the chain of page headers of every column chunk.

By hand (pyarrow is ten times Vigie's size): the footer says where each chunk begins and how long it is, so
that after a broken chunk the next one is known. Values are opaque; a page's CRC is verified where given.
"""

import zlib
from typing import Any

from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.formats.data import pages
from vigie.formats.data.parquet_thrift import NoThriftError, Reader
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_MAGIC, _LOCKED = b"PAR1", b"PARE"
_FOOTER = 64 * 1024 * 1024
_USUAL, _HEADER = 512, 64 * 1024
"""Bytes of a page header, as a rule and at most (it may carry the least and the greatest value)."""
_MOST = 1024
"""Flaws kept."""
_NOTE = "encrypted by columns: pages cannot be told"


def recognises(head: bytes) -> bool:
    """The magic, and the head of a first page (field 1, a number).

    A file whose footer is encrypted begins with PARE: too like a word, so it is known by its name.
    """
    return head.startswith(_MAGIC + b"\x15")


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The footer and the pages of all column chunks.

    Raises:
        Malformed: not the magic at the start, or no footer at the end.
        Unreadable: the blob cannot be read.
    """
    head, tail = blob.at(0, 4), blob.at(max(0, blob.size - 8), 8)
    if head not in (_MAGIC, _LOCKED) or blob.size < 12:
        raise Malformed(0, "no Parquet magic")
    length = int.from_bytes(tail[:4], "little")
    start = blob.size - 8 - length
    if tail[4:] not in (_MAGIC, _LOCKED) or start < 4:
        raise Malformed(blob.size - 8, "no Parquet footer at the end")
    if _LOCKED in (head, tail[4:]):
        return Anatomy("parquet", (Region(4, blob.size, Kind.OPAQUE, "encrypted columns"),), (), 0, (_NOTE,))
    reader = Reader(blob.at(start, min(length, _FOOTER)))
    magic = Region(0, 4, Kind.STRUCTURED, "magic")
    try:
        footer = reader.structure()
    except NoThriftError as error:
        # A healthy footer may name random values; a broken one is not believed.
        region = Region(start, blob.size, Kind.STRUCTURED, "footer")
        what = f"the footer breaks off at byte {start + error.offset}"
        cut = [Flaw(low, high, what) for low, high in pages.blocks(start, blob.size - 8, 1 << 16)]
        return Anatomy("parquet", (magic, region), tuple(cut) or (Flaw(start, start, what),))
    regions = (magic, Region(start, blob.size, Kind.CODED, "footer"))
    walk = _Walk(blob, Effort(effort), start)
    walk.chunks(footer)
    notes = () if walk.effort.left > 0 else ("too large to look at every page",)
    if walk.room.left < 0:
        notes = (*notes, "columns lie on top of each other: not all of them are looked at")
    return Anatomy("parquet", regions, tuple(sorted(walk.flaws, key=lambda f: f.start)), walk.checked, notes)


class _Walk:
    """One pass over the column chunks (parquet.thrift, FileMetaData)."""

    def __init__(self, blob: Blob, effort: Effort, end: int) -> None:
        self.blob = blob
        self.effort = effort
        # Chunks share no bytes, so that a healthy file never comes near this; a footer can name one for ever.
        self.room = Effort(2 * blob.size)
        self.end = end
        self.flaws: list[Flaw] = []
        self.checked = 0

    def chunks(self, footer: dict[int, Any]) -> None:
        """Every column (field 1) of every row group (field 4): its metadata is field 3."""
        for group in _structures(footer.get(4)):
            for column in _structures(group.get(1)):
                meta = column.get(3)
                if self.effort.left <= 0 or self.room.left < 0:
                    return
                if isinstance(meta, dict) and column.get(1) is None and 8 not in column:
                    self._chunk(meta)

    def _chunk(self, meta: dict[int, Any]) -> None:
        """Its pages: the dictionary's (field 11), if there is one, and the values' (field 9)."""
        length, data, words = meta.get(7), meta.get(9), meta.get(11)
        starts = [place for place in (data, words) if isinstance(place, int) and place >= 4]
        if not isinstance(length, int) or not starts:
            return
        place = min(starts)
        end = place + length
        if not place < end <= self.end:
            return
        self.room.spend(length)
        while place < end and self.effort.left > 0:
            size = self._page(place, end)
            if not size:
                for low, high in pages.blocks(place, end):
                    if len(self.flaws) < _MOST:
                        self.flaws.append(Flaw(low, high, "no page header where one must be"))
                return
            place += size

    def _page(self, place: int, end: int) -> int:
        """The bytes of a page with its header, or 0 (parquet.thrift, PageHeader)."""
        for length in (_USUAL, _HEADER):
            data = self.blob.at(place, min(length, end - place))
            self.effort.spend(len(data))
            reader = Reader(data)
            try:
                header = reader.structure()
                break
            except NoThriftError:
                continue
        else:
            return 0
        kind, plain, packed, crc = (header.get(field) for field in (1, 2, 3, 4))
        if not (isinstance(kind, int) and isinstance(plain, int) and isinstance(packed, int)):
            return 0
        start = place + reader.place
        if not 0 <= kind <= 3 or plain < 0 or not 0 <= packed <= end - start:
            return 0
        if isinstance(crc, int) and packed <= self.effort.left:
            self.effort.spend(packed)
            if zlib.crc32(self.blob.at(start, packed)) == crc & 0xFFFFFFFF:
                self.checked += packed
            else:
                for low, high in pages.blocks(start, start + packed):
                    if len(self.flaws) < _MOST:
                        self.flaws.append(
                            Flaw(low, high, "the checksum of a page does not match", checksum=True)
                        )
        return reader.place + packed


def _structures(value: Any) -> list[dict[int, Any]]:
    """Those members of a list that are structures."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


FORMAT = Format(
    name="parquet",
    title="Apache Parquet file",
    specification="parquet-format, README.md and parquet.thrift",
    suffixes=("parquet",),
    recognises=recognises,
    dissect=dissect,
)
