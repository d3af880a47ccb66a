"""Items of a HEIF or AVIF picture (ISO/IEC 14496-12, 8.11): where each lies, and whether it chains inside."""

from collections.abc import Iterator

from vigie.formats.contract import Bytes, Effort
from vigie.formats.media.findings import Findings
from vigie.formats.media.isobmff_samples import ON_TOP, tester
from vigie.model import Blob, Kind

ITEMS = 65_536
"""Items followed; a mosaic of a large picture has some hundreds."""


def item_types(info: bytes) -> dict[int, bytes]:
    """Type of each item, from the content of an `iinf` box (8.11.6)."""
    types: dict[int, bytes] = {}
    index = 6 if info[:1] == b"\0" else 8
    while index + 8 <= len(info) and len(types) < ITEMS:
        size = int.from_bytes(info[index : index + 4], "big")
        body = info[index + 8 : index + size]
        if size < 8:
            break
        if body[:1] in (b"\2", b"\3"):
            wide = 4 if body[:1] == b"\3" else 2
            types[int.from_bytes(body[4 : 4 + wide], "big")] = body[6 + wide : 10 + wide]
        index += size
    return types


def extents(location: bytes) -> Iterator[tuple[int, int, int]]:
    """Item, offset and length of each extent in this file, from the content of an `iloc` box (8.11.3)."""
    if len(location) < 8 or location[0] > 2:
        return
    version = location[0]
    offset_size, length_size = location[4] >> 4, location[4] & 15
    base_size, index_size = location[5] >> 4, location[5] & 15 if version else 0
    reader, left = _Reader(location, 6), ITEMS
    for _ in range(min(reader.take(4 if version == 2 else 2), ITEMS)):
        item = reader.take(4 if version == 2 else 2)
        method = reader.take(2) & 15 if version else 0
        reader.take(2)
        base = reader.take(base_size)
        for _ in range(min(reader.take(2), ITEMS)):
            reader.take(index_size)
            offset, length = reader.take(offset_size), reader.take(length_size)
            left -= 1  # extents whose numbers have no bytes would go on without end
            if reader.index > len(location) or left < 0:
                return
            if method == 0:
                yield item, base + offset, length


class _Reader:
    """Big-endian numbers one after the other; zeros behind the end."""

    __slots__ = ("data", "index")

    def __init__(self, data: bytes, index: int) -> None:
        self.data = data
        self.index = index

    def take(self, width: int) -> int:
        """The next number of `width` bytes."""
        self.index += width
        return int.from_bytes(self.data[self.index - width : self.index], "big")


def examine(blob: Blob, info: bytes, location: bytes, width: int, findings: Findings, left: Effort) -> None:
    """Test every item that can be; `width` is that of the NAL lengths (from `hvcC` or `avcC`).

    `left` is what is left of the `room` that all samples of the file share.
    """
    types = item_types(info)
    for item, offset, length in extents(location):
        end = offset + length
        if end > blob.size:
            findings.flaw(blob.size, blob.size, "an item lies beyond the end of the file")
            continue
        if left.left < 0:
            findings.note(ON_TOP)
            return
        left.spend(length)
        kind = types.get(item, b"")
        findings.region(offset, end, Kind.CODED, f"item {item}")
        test = tester(blob, kind, width)
        fault = test(offset, end) if test and length else None
        if fault is not None:
            left.spend(length)
            findings.struck(blob, offset, end, fault, f"item {item} is not what its codec writes")


def nal_width(properties: bytes) -> int:
    """Width of NAL lengths, from the content of an `iprp` box: that of the first decoder configuration."""
    for name, place in ((b"hvcC", 21), (b"avcC", 4)):
        index = properties.find(name)
        if index >= 0:
            return (Bytes(properties).at(index + 4 + place, 1) or b"\0")[0] % 4 + 1
    return 0
