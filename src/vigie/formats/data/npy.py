"""NumPy arrays (.npy): a header in Python's words, then as many bytes as that announces. By hand."""

import math
import re

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

_MAGIC = b"\x93NUMPY"
_LONGEST = 1 << 16
_SHAPE = re.compile(rb"'shape' *: *\(([0-9, L]*)\)")
_KIND = re.compile(rb"'descr' *: *'([^']*)'")
_PLAIN = re.compile(rb"[<>|=]?([a-zA-Z])(\d+)")
_UNICODE = 4
"""Bytes of a character of type U."""


def recognises(head: bytes) -> bool:
    """Magic, version 1 to 3, and an opening brace."""
    if head[:6] != _MAGIC or len(head) < 16 or head[6] not in (1, 2, 3):
        return False
    return head[10 if head[6] == 1 else 12] == 0x7B


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """The header is text; the numbers are opaque, but their count is known.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 12)
    if not recognises(blob.at(0, 16)):
        raise Malformed(0, "no header of a NumPy array")
    start = 10 if head[6] == 1 else 12
    end = start + int.from_bytes(head[8:start], "little")
    if end > min(blob.size, _LONGEST):
        raise Malformed(8, "the header is longer than the file")
    header = Region(start, end, Kind.STRUCTURED, "header", Charset.LATIN1)
    text = blob.at(start, end - start)
    shape, kind = _SHAPE.search(text), _KIND.search(text)
    if shape is None:
        raise Malformed(start, "the header names no shape")
    # Python 2 wrote an L behind long numbers.
    sizes = [int(one) for one in shape.group(1).replace(b"L", b"").split(b",") if one.strip().isdigit()]
    size = math.prod(sizes) * _width(kind.group(1) if kind else b"")
    flaws = []
    if size > blob.size - end:
        flaws.append(Flaw(blob.size, blob.size, f"{size:,} bytes announced, {blob.size - end:,} are there"))
    return Anatomy("npy", (header, Region(end, blob.size, Kind.OPAQUE, "numbers")), tuple(flaws))


def _width(kind: bytes) -> int:
    """Bytes of one item: 0 where they are Python objects or records, whose size is not one number."""
    found = _PLAIN.fullmatch(kind)
    if found is None or found.group(1) == b"O":
        return 0
    return int(found.group(2)) * (_UNICODE if found.group(1) == b"U" else 1)


FORMAT = Format(
    name="npy",
    title="NumPy array",
    specification="NumPy enhancement proposal 1; numpy.lib.format",
    suffixes=("npy",),
    recognises=recognises,
    dissect=dissect,
)
