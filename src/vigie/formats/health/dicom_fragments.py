"""Encapsulated pixel data of a DICOM file: fragments, and the codestreams they make (PS3.5 §A.4)."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from vigie.formats import samples
from vigie.formats.contract import Effort, Malformed
from vigie.formats.health import dicom_frames as frames
from vigie.formats.health.dicom_sheet import Sheet
from vigie.formats.media import jpeg, jpeg2000
from vigie.formats.media.stuffing import BLOCK, WINDOW
from vigie.model import Blob, Kind, Region

MAX_FRAGMENTS = 200_000
MAX_STREAM = 64 * 1024 * 1024
"""Bytes of one codestream that are held to be tested; a longer one is named and not tested."""
SEARCH = 64 * 1024 * 1024
"""Bytes searched for the next fragment behind a broken one."""
SHOWN = 56
"""Bytes shown beside a broken header for the judge to measure, where frames themselves cannot be tested."""
SLOW = 24
"""What a byte of RLE costs against one that C code tests: its runs are walked in Python."""

BOXES = 64 * 1024
"""Bytes in which a codestream begins that stands in JP2 boxes."""
_FORBIDDEN, _FORBIDDEN_2000 = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]"), re.compile(rb"\xff[\x90-\xfe]")

_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_SYNTAX = "1.2.840.10008.1.2."
JPEGS = frozenset(f"{_SYNTAX}4.{n}" for n in range(50, 71))
JPEG_LS = frozenset(f"{_SYNTAX}4.{n}" for n in (80, 81))
JPEG_2000 = frozenset(f"{_SYNTAX}4.{n}" for n in (90, 91, 92, 93, 201, 202, 203))
RLE, DEFLATED = f"{_SYNTAX}5", f"{_SYNTAX}8.1"

Piece = tuple[int, int]
"""Offset and length of what a fragment holds."""


@dataclass(frozen=True, slots=True)
class Image:
    """What the image module says of the frames."""

    frames: int
    plane: int
    """Bytes of a decoded plane, of a whole frame where frames are deflated; 0 when unknown."""
    row: int


def read(blob: Blob, at: int, end: int, uid: str, image: Image, sheet: Sheet) -> int:
    """Fragments up to the sequence delimiter, each codestream tested; where to go on."""
    name = _name(uid)
    pieces, close = _pieces(blob, at, end, sheet, SHOWN if not name else 0)
    if not name:
        sheet.claim(at, close, Kind.OPAQUE, f"pixel data in {uid}")
        sheet.note("the pixel data is in a coding that is not tested")
        return close
    sheet.claim(at, close, Kind.CODED, f"{name} pixel data")
    # §A.4: the first item is the Basic Offset Table, empty or not; it is no fragment.
    streams = _streams(blob, pieces[1:], image.frames, uid)
    for index in samples.ends_first(len(streams)):
        stream = streams[index]
        if sheet.left < min(WINDOW, sum(length for _, length in stream)):
            sheet.note("too large to be tested in full")
            break
        if uid in JPEGS or uid in JPEG_2000:
            _image(blob, stream, uid, sheet)
        else:
            _other(blob, stream, uid, image, sheet)
    return close


def _name(uid: str) -> str:
    if uid in JPEGS:
        return "JPEG"
    if uid in JPEG_LS:
        return "JPEG-LS"
    return "JPEG 2000" if uid in JPEG_2000 else {RLE: "RLE", DEFLATED: "deflated"}.get(uid, "")


def _pieces(blob: Blob, at: int, end: int, sheet: Sheet, around: int) -> tuple[list[Piece], int]:
    """All fragments with the offset table, and where they end. Behind a broken header, on from the next.

    A broken header is told with `around` bytes either side.
    """
    start = at
    pieces: list[Piece] = []
    while True:
        header = blob.at(at, 8)
        length = int.from_bytes(header[4:], "little")
        if header[:4] == _DELIMITER and len(header) == 8:
            return pieces, at + 8
        if len(pieces) >= MAX_FRAGMENTS:
            sheet.note("more fragments than are read")
            return pieces, end
        if header[:4] == _ITEM and at + 8 + length <= end:
            pieces.append((at + 8, length))
            at += 8 + length
            continue
        # The length of the fragment before may be what was hit, as well as this header.
        last = pieces[-1][0] if pieces else start
        again = _next(blob, last, end, sheet)
        if again is None and (header[:4] == _ITEM[: len(header)] or not header):
            pieces.append((at + 8, max(0, end - at - 8)))
            sheet.flaw(end - 1, end, "the file ends inside the pixel data")
            return pieces, end
        if again is not None and again < at:
            sheet.flaw(last - 8, min(end, last + around), "fragment with a wrong length")
            pieces[-1] = (last, again - last)
        else:
            if pieces:
                sheet.flaw(last - 8, min(end, last + around), "fragment with a wrong length")
            sheet.flaw(max(start, at - around), min(end, at + 8 + around), "no fragment where one is due")
            # What stands there belongs to the stream all the same.
            stop = end if again is None else again
            pieces.append((min(at + 8, stop), max(0, stop - at - 8)))
        if again is None:
            return pieces, end
        at = again


def _next(blob: Blob, start: int, end: int, sheet: Sheet) -> int | None:
    """The next header that another one, or the delimiter, follows where its length says."""
    step = 1 << 20
    for base in range(start, min(end, start + SEARCH), step):
        if not sheet.afford(step):
            return None
        data = blob.at(base, min(step + 8, end - base))
        hit = data.find(b"\xfe\xff")
        while 0 <= hit < step:
            header = data[hit : hit + 8]
            if header == _DELIMITER + bytes(4):
                return base + hit
            if header[:4] == _ITEM and len(header) == 8:
                behind = base + hit + 8 + int.from_bytes(header[4:], "little")
                if behind + 8 <= end and blob.at(behind, 4) in (_ITEM, _DELIMITER):
                    return base + hit
            hit = data.find(b"\xfe\xff", hit + 2)
    return None


def _streams(blob: Blob, pieces: list[Piece], count: int, uid: str) -> list[list[Piece]]:
    """Which fragments make one codestream: a frame may be cut into several, never share one (§A.4)."""
    pieces = [piece for piece in pieces if piece[1]]
    signature = b"" if uid in (RLE, DEFLATED) else jpeg2000.START if uid in JPEG_2000 else b"\xff\xd8"
    if len(pieces) == count or not signature:
        return [[piece] for piece in pieces]
    if count == 1:
        return [pieces] if pieces else []
    streams: list[list[Piece]] = []
    for piece in pieces:
        if not streams or blob.at(piece[0], len(signature)) == signature:
            streams.append([])
        streams[-1].append(piece)
    return streams


class _Joined:
    """The fragments of one codestream as one blob; a frame may come in a hundred thousand of them."""

    __slots__ = ("_blob", "_ends", "_stream", "size")

    def __init__(self, blob: Blob, stream: list[Piece]) -> None:
        self._blob = blob
        self._stream = stream
        self._ends = list(accumulate(length for _, length in stream))
        """Where each fragment ends in the codestream."""
        self.size = self._ends[-1]

    def at(self, offset: int, length: int) -> bytes:
        """As `Blob.at`."""
        parts = []
        index = bisect_right(self._ends, offset)
        while length > 0 and index < len(self._stream):
            start, have = self._stream[index]
            skip = offset - (self._ends[index] - have)
            parts.append(self._blob.at(start + skip, min(length, have - skip)))
            length -= have - skip
            offset = self._ends[index]
            index += 1
        return b"".join(parts)


def _image(blob: Blob, stream: list[Piece], uid: str, sheet: Sheet) -> None:
    """Test one JPEG or JPEG 2000 codestream."""
    whole: Blob = blob
    begin, length = stream[0]
    if len(stream) > 1:
        whole, begin = _Joined(blob, stream), 0
        length = whole.size
    end = begin + length
    start = begin
    if uid in JPEG_2000 and whole.at(begin, 12) == jpeg2000.SIGNATURE:
        # §A.4.4 wants the bare codestream; some writers leave the JP2 boxes around it.
        sheet.note("JP2 boxes around a frame")
        start += max(0, whole.at(begin, min(BOXES, length)).find(jpeg2000.START))
    effort = Effort(sheet.left)
    try:
        test = jpeg.image if uid in JPEGS else jpeg2000.codestream
        found = test(whole, start, end, effort)
    except Malformed as broken:
        stop = min(end, start - start % BLOCK + BLOCK)
        sheet.flaw(*_place(stream, 0, max(stop - begin, min(length, BLOCK))), broken.what)
        for low, high in _headless(whole, stop, end, uid, sheet):
            sheet.flaw(*_place(stream, low - begin, high - begin), f"{_name(uid)} frame: broken stuffing")
        return
    sheet.left = effort.left
    for flaw in found.flaws:
        low, high = flaw.start - begin, max(flaw.start, flaw.end - 1) - begin
        sheet.flaw(*_place(stream, low, high + (flaw.end > flaw.start)), f"{_name(uid)} frame: {flaw.what}")
    for region in found.regions[-1:]:
        low, high = region.start - begin, region.end - begin
        # §A.4: a frame is padded to an even length; some writers do more of it.
        if region.what.startswith("bytes behind") and high - low > 2 and _told(whole, region):
            sheet.flaw(*_place(stream, low, high), f"{_name(uid)} frame: data behind its end")
    for note in found.notes:
        if "too long" in note:
            sheet.note("too large to be tested in full")


def _headless(blob: Blob, start: int, end: int, uid: str, sheet: Sheet) -> Iterator[tuple[int, int]]:
    """Behind a lost head: the blocks with more codes that stuffing forbids than markers stand there."""
    forbidden = _FORBIDDEN_2000 if uid in JPEG_2000 else _FORBIDDEN
    for at in range(start, min(end, start + MAX_STREAM), BLOCK):
        if not sheet.afford(BLOCK):
            return
        if len(forbidden.findall(blob.at(at, min(BLOCK, end - at)))) >= 3:
            yield at, min(at + BLOCK, end)


def _told(blob: Blob, region: Region) -> bool:
    """Whether there is anything but padding."""
    return bool(blob.at(region.start, min(BLOCK, region.end - region.start)).strip(b"\0\xff"))


def _other(blob: Blob, stream: list[Piece], uid: str, image: Image, sheet: Sheet) -> None:
    """Test one JPEG-LS, RLE or deflated frame."""
    total = sum(length for _, length in stream)
    if total > MAX_STREAM or not sheet.afford(total * SLOW if uid == RLE else total):
        sheet.note("too large to be tested in full")
        return
    check = frames.jpeg_ls if uid in JPEG_LS else frames.rle if uid == RLE else frames.deflated
    data = b"".join(blob.at(*piece) for piece in stream)
    lead = stream[0][0] % BLOCK
    for low, high, what in frames.gathered(check(data, image.plane, image.row), lead):
        # In blocks of the file: where a row was torn, the codes before and behind may be healthy.
        edges = [low, *range(low + BLOCK - (low + lead) % BLOCK, min(high, total), BLOCK), min(high, total)]
        for edge in pairwise(edges):
            sheet.flaw(*_place(stream, *edge), f"{_name(uid)} frame: {what}")


def _place(stream: list[Piece], low: int, high: int) -> Piece:
    """Where bytes `[low, high)` of a codestream stand in the file."""
    first, last = (_offset(stream, at) for at in (low, max(low, high - 1)))
    return first, last + (1 if high > low else 0)


def _offset(stream: list[Piece], at: int) -> int:
    for start, length in stream:
        if at < length:
            return start + at
        at -= length
    return stream[-1][0] + stream[-1][1]
