"""Grammar of the compressed frames that DICOM alone encapsulates: JPEG-LS, RLE, deflated (PS3.5 §8.2, §A.4).

Every check takes one whole codestream and yields the stretches `(start, end, what)`, relative to it, that no
encoder writes. None of them decodes pixels. JPEG and JPEG 2000 are left to the formats of those names.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator

from vigie.formats.media.stuffing import BLOCK

Break = tuple[int, int, str]
Check = Callable[[bytes, int, int], Iterator[Break]]
"""`(codestream, bytes of a decoded plane, bytes of its rows; 0 when unknown) -> breaks`."""

AROUND = 32
"""Bytes shown either side of a forbidden code, so that the judge has something to measure."""

MAX_BREAKS = 512


def _around(at: int, size: int, what: str) -> Break:
    return max(0, at - AROUND), min(size, at + AROUND), what


def blocks(start: int, end: int, what: str) -> Iterator[Break]:
    """A stretch in pieces, for the judge to see which of them are random."""
    for at in range(start, min(end, start + MAX_BREAKS * BLOCK), BLOCK):
        yield at, min(at + BLOCK, end), what


# --- JPEG-LS: ITU-T T.87 Annex C, T.81 Annex B ------------------------------------------------------------

_FORBIDDEN = re.compile(rb"\xff+[\x80-\xfe]")  # T.87 A.1: an FF of the data is followed by a 0 bit
_SEGMENTS = frozenset((0xC4, 0xC8, 0xCC, *range(0xDA, 0xF0), 0xF7, 0xF8, 0xFE))
_SCAN_FOLLOWS = frozenset((0xC4, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xF8, 0xFE))
_NEXT_SEGMENT = re.compile(rb"\xff[\xd9-\xdd\xe0-\xef\xf7\xf8\xfe]")
_PADDING = bytes.maketrans(b"\xff", b"\x00")


def jpeg_ls(data: bytes, _plane: int, _row: int) -> Iterator[Break]:
    """Marker walk, and bit stuffing in every scan; behind a broken place on from the next marker."""
    size = len(data)
    at, restarts, framed, breaks = 2, False, False, 0
    if data[:2] != b"\xff\xd8":
        yield _around(0, size, "no start of image (FFD8)")
    while breaks < MAX_BREAKS:
        while data[at : at + 2] == b"\xff\xff":  # B.1.1.2: fill bytes
            at += 1
        if at + 2 > size:
            yield size - 1, size, "the image ends without its end marker (FFD9)"
            return
        code = data[at + 1]
        if data[at] == 0xFF and code == 0xD9:
            if data[at + 2 :].translate(_PADDING).strip(b"\0"):
                yield _around(at + 2, size, "data behind the end of the image")
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at] != 0xFF or code not in _SEGMENTS or length < 2 or at + 2 + length > size:
            found = next(
                (m.start() for m in _NEXT_SEGMENT.finditer(data, at + 1) if _leads_on(data, m.start())), 0
            )
            yield from blocks(
                at, found or size, f"no marker segment where one is due ({data[at]:02X}{code:02X})"
            )
            if not found:
                return
            breaks += 1
            at = found
            continue
        if code == 0xF7:
            framed = True
        elif code == 0xDD:
            restarts = data[at + 4 : at + 2 + length].strip(b"\0") != b""
        at += 2 + length
        if code != 0xDA:
            continue
        if not framed:
            yield _around(at, size, "a scan before any frame header")
        while breaks < MAX_BREAKS:  # the entropy-coded data of one scan
            hit = _FORBIDDEN.search(data, at)
            if hit is None:
                yield size - 1, size, "the scan runs to the end without a marker"
                return
            at = hit.end() - 2
            code = data[at + 1]
            if 0xD0 <= code <= 0xD7 and restarts:
                at += 2
            elif code in _SCAN_FOLLOWS and _leads_on(data, at):
                break
            else:
                yield at, at + 2, f"code FF{code:02X} inside a scan"
                breaks += 1
                at += 2


def _leads_on(data: bytes, at: int) -> bool:
    """Whether the marker at `at` ends a scan: the end follows, or a segment with a marker after it."""
    if data[at + 1] == 0xD9:
        return not data[at + 2 :].translate(_PADDING).strip(b"\0")
    next_at = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data[at + 1] == 0xDA or data[next_at : next_at + 1] == b"\xff"


# --- RLE: PS3.5 Annex G -----------------------------------------------------------------------------------

_PROOF = 6
"""Rows in a row that must end where a run ends, before a place behind a break is believed."""
_REACH = 64 * 1024
"""Bytes searched for such a place."""


def rle(data: bytes, plane: int, row: int) -> Iterator[Break]:
    """RLE frame: segment table, and each segment unpacks to exactly one byte plane."""
    size = len(data)
    if size < 64:
        yield 0, size, "too short for an RLE header"
        return
    count, *offsets = struct.unpack_from("<16I", data)
    starts = offsets[:count]
    if not 1 <= count <= 15 or starts[0] != 64 or any(offsets[count:]) or starts != sorted(set(starts)):
        yield 0, 64, "not an RLE header"
        yield from blocks(64, size, "behind a broken RLE header")
        return
    for start, end in zip(starts, [*starts[1:], size], strict=True):
        if start >= size or end > size:
            yield size - 1, size, "an RLE segment ends behind its frame"
            return
        length, at = _unpacked(data, start, end, plane)
        plane = plane or length
        if length != plane:
            what = f"an RLE segment unpacks to {length} bytes instead of {plane}"
            torn = list(_torn(data, start, end, row)) if row else []
            yield from ((low, high, what) for low, high in torn or [(start, end)])
        elif len(data[at:end].strip(b"\0")) > 1:
            yield _around(at, size, "data behind the end of an RLE segment")


def _unpacked(data: bytes, at: int, end: int, plane: int) -> tuple[int, int]:
    """Length a PackBits segment unpacks to, and where reading stopped (§G.3)."""
    length = 0
    while at < end and (length < plane or not plane):
        code = data[at]
        if code < 128:
            length += code + 1
            at += code + 2
        elif code > 128:
            length += 257 - code
            at += 2
        else:
            at += 1
    # A run cut by the end of the segment did not unpack to what it promised.
    return (length, at) if at <= end else (length - (at - end), end)


def _torn(data: bytes, start: int, end: int, row: int) -> Iterator[tuple[int, int]]:
    """Where the rows of a segment of a wrong length are torn.

    No run may go over the end of a row (§G.3.1). Some writers do not care, so that alone is no flaw, but
    where the length is wrong it tells where it began to be, and where it is right again.
    """
    at = start
    for _ in range(MAX_BREAKS):
        while at < end and (behind := _row(data, at, end, row)):
            at = behind
        if end - at < 2:
            return
        places = range(at + 1, min(end, at + _REACH))
        again = next((place for place in places if _rows(data, place, end, row)), 0)
        yield max(start, at - AROUND), again or min(end, at + BLOCK)
        if not again:
            return
        at = again


def _row(data: bytes, at: int, end: int, row: int) -> int:
    """Where the row that begins at `at` ends, 0 if no run ends with it."""
    length = 0
    while at < end and length < row:
        code = data[at]
        if code < 128:
            length += code + 1
            at += code + 2
        elif code > 128:
            length += 257 - code
            at += 2
        else:
            return 0
    return at if length == row and at <= end else 0


def _rows(data: bytes, at: int, end: int, row: int) -> bool:
    for _ in range(_PROOF):
        at = _row(data, at, end, row)
        if not at:
            return False
    return True


# --- Deflated image frames: PS3.5 §A.4.13 ------------------------------------------------------------------

_SLICE = 4096


def deflated(data: bytes, plane: int, _row: int) -> Iterator[Break]:
    """One raw deflate stream a frame (RFC 1951), inflated to its end; nothing inflated is kept."""
    inflater = zlib.decompressobj(wbits=-15)
    total, limit = 0, max(plane * 16, 64 * len(data) + 65536)
    for at in range(0, len(data), _SLICE):
        rest = data[at : at + _SLICE]
        while rest and not inflater.eof and total <= limit:
            try:
                total += len(inflater.decompress(rest, 1 << 20))
            except zlib.error as error:
                yield max(0, at - _SLICE), min(len(data), at + _SLICE), f"deflate stream breaks: {error}"
                return
            rest = inflater.unconsumed_tail
        if inflater.eof:
            if inflater.unused_data.strip(b"\0") or data[at + _SLICE :].strip(b"\0"):
                yield _around(at, len(data), "data behind the end of a deflate stream")
            return
    if total <= limit:
        yield max(0, len(data) - 1), len(data), "deflate stream ends early"


def gathered(breaks: Iterator[Break], lead: int) -> Iterator[Break]:
    """Join breaks by blocks of the file; `lead` is how far into one the codestream begins.

    One forbidden code alone in a block is a flipped bit and stays as narrow as it is; random bytes hold a
    dozen, and which bytes between them are healthy cannot be told.
    """
    kept: list[Break] = []
    block, alone = -1, False
    for start, end, what in breaks:
        here = (start + lead) // BLOCK
        if end - start <= 2 and kept and here == block:
            low = max(0, here * BLOCK - lead) if alone else kept[-1][0]
            kept[-1] = (low, max(kept[-1][1], (here + 1) * BLOCK - lead), kept[-1][2])
            alone = False
            continue
        block, alone = (here, True) if end - start <= 2 else (-1, False)
        kept.append((start, end, what))
    last: Break | None = None
    for start, end, what in kept:
        if last is not None and start <= last[1]:
            last = (last[0], max(end, last[1]), last[2])
            continue
        if last is not None:
            yield last
        last = (start, end, what)
    if last is not None:
        yield last
