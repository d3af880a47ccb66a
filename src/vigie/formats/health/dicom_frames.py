"""Grammar of the compressed frames a DICOM file encapsulates (PS3.5 §8.2, §A.4, Annex G), tested cheaply.

Every check takes one whole codestream and yields the stretches `(start, end, what)`, relative to it, that no
encoder writes. None of them decodes pixels: they rely on the bit stuffing that keeps marker codes out of
entropy-coded data, which random bytes violate about once in 300 to 600 bytes.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator

Break = tuple[int, int, str]
Check = Callable[[bytes, int, int], Iterator[Break]]
"""`(codestream, bytes of a decoded plane, bytes of its rows; 0 when unknown) -> breaks`."""

AROUND = 32
"""Bytes shown either side of a forbidden code, so that the judge has something to measure."""

NEIGHBOURS = 4096
"""Bytes between two breaks up to which they are one: so many random bytes hold a dozen forbidden codes."""

MAX_BREAKS = 512


def _around(at: int, size: int, what: str) -> Break:
    return max(0, at - AROUND), min(size, at + AROUND), what


# --- JPEG and JPEG-LS: ITU-T T.81 Annex B, T.87 Annex C -------------------------------------------------

_SCAN_END = re.compile(rb"\xff+[^\x00\xff]")  # T.81 B.1.1.5: an FF of the data is followed by 00
_SCAN_END_LS = re.compile(rb"\xff+[\x80-\xfe]")  # T.87 A.1: an FF of the data is followed by a 0 bit
_FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7))
_SEGMENTS = _FRAMES | frozenset((0xC4, 0xC8, 0xCC, *range(0xDA, 0xF0), 0xF8, 0xFE))
_SCAN_FOLLOWS = frozenset((0xC4, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xF8, 0xFE))
_STUFFING = bytes.maketrans(b"\xff", b"\x00")


def _jpeg(data: bytes, scan_end: re.Pattern[bytes]) -> Iterator[Break]:
    size = len(data)
    if data[:2] != b"\xff\xd8":
        yield _around(0, size, "no start of image (FFD8)")
        return
    at, restarts, framed, breaks = 2, False, False, 0
    while breaks < MAX_BREAKS:
        while data[at : at + 2] == b"\xff\xff":  # B.1.1.2: fill bytes
            at += 1
        if at + 2 > size:
            yield size - 1, size, "the image ends without its end marker (FFD9)"
            return
        code = data[at + 1]
        if data[at] != 0xFF or code not in _SEGMENTS | {0xD9}:
            yield _around(at, size, f"no marker where one is due ({data[at]:02X}{code:02X})")
            return
        if code == 0xD9:
            if data[at + 2 :].translate(_STUFFING).strip(b"\0"):
                yield _around(at + 2, size, "data behind the end of the image")
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > size:
            yield _around(at, size, f"marker segment FF{code:02X} of {length} bytes does not fit")
            return
        if code in _FRAMES:
            framed = True
        elif code == 0xDD:
            restarts = data[at + 4 : at + 2 + length].strip(b"\0") != b""
        at += 2 + length
        if code != 0xDA:
            continue
        if not framed:
            yield _around(at, size, "a scan before any frame header")
            return
        while breaks < MAX_BREAKS:  # the entropy-coded data of one scan
            hit = scan_end.search(data, at)
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
        return not data[at + 2 :].translate(_STUFFING).strip(b"\0")
    next_at = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data[at + 1] == 0xDA or data[next_at : next_at + 1] == b"\xff"


def jpeg(data: bytes, _plane: int, _row: int) -> Iterator[Break]:
    """JPEG, lossy or lossless (T.81): marker walk and byte stuffing."""
    return _jpeg(data, _SCAN_END)


def jpeg_ls(data: bytes, _plane: int, _row: int) -> Iterator[Break]:
    """JPEG-LS (T.87): marker walk and bit stuffing."""
    return _jpeg(data, _SCAN_END_LS)


# --- JPEG 2000 and High-Throughput JPEG 2000: ITU-T T.800 Annex A ----------------------------------------

_ABOVE_8F = re.compile(rb"\xff[\x90-\xff]")  # B.10.1, D.4.1: packets hold no code above FF8F
_SIGNPOSTS = re.compile(rb"\xff[\x90\x93-\xff]")  # ... but SOP and EPH (FF91, FF92) where COD allows them


def jpeg2000(data: bytes, _plane: int, _row: int) -> Iterator[Break]:
    """JPEG 2000 codestream: main header, tile-parts within their lengths, clean packets, end marker."""
    size = len(data)
    if data[:4] != b"\xff\x4f\xff\x51":
        yield _around(0, size, "no start of codestream (FF4F FF51)")
        return
    at, tile_end, forbidden, breaks, cut = 2, 0, _ABOVE_8F, 0, False
    while breaks < MAX_BREAKS:
        code = int.from_bytes(data[at : at + 2], "big")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if at + 2 > size:
            if not cut:
                yield max(0, size - 1), size, "the codestream ends without its end marker (FFD9)"
            return
        if code == 0xFFD9:
            if len(data[at + 2 :].strip(b"\0")) > 1:  # encoders fill up to even length, some of them with FF
                yield _around(at + 2, size, "data behind the end of the codestream")
            return
        if code == 0xFF93 and tile_end:  # start of data: the packets of one tile-part
            for hit in forbidden.finditer(data, at + 2, tile_end):
                yield hit.start(), hit.end(), f"code {hit.group().hex().upper()} inside a packet"
                breaks += 1
                if breaks >= MAX_BREAKS:
                    return
            at, tile_end = tile_end, 0
            continue
        if not 0xFF50 <= code <= 0xFF90 or length < 2 or at + 2 + length > size:
            yield _around(at, size, f"no marker segment where one is due ({code:04X})")
            return
        if code == 0xFF52 and length > 4 and data[at + 4] & 0b110:  # COD: Scod says SOP or EPH are used
            forbidden = _SIGNPOSTS
        elif code == 0xFF90:
            stretch = int.from_bytes(data[at + 6 : at + 10], "big")  # Psot; 0: up to the end marker
            tile_end = at + stretch if stretch else data.rfind(b"\xff\xd9", at)
            if length != 10 or tile_end <= at + 12 or tile_end > size:
                yield at, at + 12, f"a tile-part of {stretch} bytes does not fit"
                tile_end, cut = size, True
                breaks += 1
        at += 2 + length


# --- RLE: PS3.5 Annex G -----------------------------------------------------------------------------------


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
        return
    for start, end in zip(starts, [*starts[1:], size], strict=True):
        if start >= size or end > size:
            yield size - 1, size, "an RLE segment ends behind its frame"
            return
        length, at, torn = _unpacked(data, start, end, plane, row)
        plane = plane or length
        if length != plane:
            low, high = (max(start, torn - AROUND), min(end, torn + NEIGHBOURS)) if torn else (start, end)
            yield low, high, f"an RLE segment unpacks to {length} bytes instead of {plane}"
        elif len(data[at:end].strip(b"\0")) > 1:
            yield _around(at, size, "data behind the end of an RLE segment")


def _unpacked(data: bytes, at: int, end: int, plane: int, row: int) -> tuple[int, int, int]:
    """Length a PackBits segment unpacks to, where reading stopped, and the first row that is torn (§G.3).

    No run may go over the end of a row (§G.3.1). Some writers do not care, so that is no flaw, but where the
    length is wrong it tells where it began to be; 0 where nothing does.
    """
    length = torn = 0
    due, began = row, at
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
        if length >= due and row and not torn:
            if length > due:
                torn = began
            due += row
            began = at
    # A run cut by the end of the segment did not unpack to what it promised.
    return (length, at, torn) if at <= end else (length - (at - end), end, torn)


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


def gathered(breaks: Iterator[Break]) -> Iterator[Break]:
    """Join breaks that stand close: one forbidden code alone is a flipped bit, several are a stretch."""
    last: Break | None = None
    for start, end, what in breaks:
        if last is not None and start - last[1] <= NEIGHBOURS:
            last = (last[0], max(end, last[1]), last[2])
            continue
        if last is not None:
            yield last
        last = (start, end, what)
    if last is not None:
        yield last


CHECKS: dict[str, tuple[str, Check, bytes]] = {
    **{f"1.2.840.10008.1.2.4.{n}": ("JPEG", jpeg, b"\xff\xd8") for n in range(50, 71)},
    **{f"1.2.840.10008.1.2.4.{n}": ("JPEG-LS", jpeg_ls, b"\xff\xd8") for n in (80, 81)},
    **{
        f"1.2.840.10008.1.2.4.{n}": ("JPEG 2000", jpeg2000, b"\xff\x4f\xff\x51")
        for n in (90, 91, 92, 93, 201, 202, 203)
    },
    "1.2.840.10008.1.2.5": ("RLE", rle, b""),
    "1.2.840.10008.1.2.8.1": ("deflated", deflated, b""),
}
"""By transfer syntax: what it is called, its check, and how a codestream begins (empty: no signature)."""
