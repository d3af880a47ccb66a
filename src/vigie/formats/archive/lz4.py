"""LZ4 frames (LZ4 Frame Format 1.6): the descriptor with its checksum, then the chain of block lengths.

No library here decodes LZ4: a block's content is not tested, but where one block begins tells where the one
before it ended.
"""

from vigie.formats.archive.draft import Draft
from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Kind

MAGIC = b"\x04\x22\x4d\x18"
SKIPPABLE = b"\x2a\x4d\x18"
SEARCH = 64 * 1024 * 1024
WINDOW = 1024 * 1024
_PRICE = 64
_P1, _P2, _P3, _P4, _P5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
_MASK = 0xFFFFFFFF


def _turn(value: int, by: int) -> int:
    value &= _MASK
    return (value << by | value >> 32 - by) & _MASK


def xxh32(data: bytes) -> int:
    """XXH32 with seed 0 of fewer than 16 bytes, which is all that a descriptor needs (xxHash 0.1.1)."""
    value = _P5 + len(data)
    whole = len(data) & ~3
    for place in range(0, whole, 4):
        value = _turn(value + int.from_bytes(data[place : place + 4], "little") * _P3, 17) * _P4 & _MASK
    for byte in data[whole:]:
        value = _turn(value + byte * _P5, 11) * _P1 & _MASK
    value = (value ^ value >> 15) * _P2 & _MASK
    value = (value ^ value >> 13) * _P3 & _MASK
    return value ^ value >> 16


def _descriptor(head: bytes) -> int:
    """Length of the frame header that `head` begins with, its checksum compared; 0 if it is none."""
    if len(head) < 7 or head[:4] != MAGIC or head[4] >> 6 != 1 or head[4] & 2 or head[5] & 0x8F:
        return 0
    length = 6 + 8 * bool(head[4] & 8) + 4 * bool(head[4] & 1)
    if len(head) <= length or head[5] >> 4 < 4 or xxh32(head[4:length]) >> 8 & 0xFF != head[length]:
        return 0
    return length + 1


def recognises(head: bytes) -> bool:
    """A frame header with its checksum, or a skippable frame before one (section "Frame header")."""
    if len(head) >= 12 and head[1:4] == SKIPPABLE and head[0] >> 4 == 5:
        head = head[8 + int.from_bytes(head[4:8], "little") :]
    return _descriptor(head) > 0


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Frames one behind the other, and behind a broken one the next.

    Raises:
        Malformed: no frame begins at the start.
        Unreadable: the blob cannot be read.
    """
    if not recognises(blob.at(0, 4096)):
        raise Malformed(0, "no LZ4 frame")
    found = Draft(blob.size, effort)
    position = 0
    while position < blob.size:
        if found.effort.left <= 0:
            found.untested(position)
            break
        head = blob.at(position, 19)
        if head[1:4] == SKIPPABLE and head[0] >> 4 == 5:
            length = 8 + int.from_bytes(head[4:8], "little")
            found.claim(position, position + length, Kind.OPAQUE, "skippable frame")
            position += length
            continue
        header = _descriptor(head)
        if not header:
            following = _next(blob, position, found)
            if following is None:
                found.claim(position, blob.size, Kind.OPAQUE, "bytes behind the last frame")
                found.note(f"{blob.size - position} bytes behind the last frame")
                break
            found.claim(position, following, Kind.CODED, "place of a frame")
            found.flaw(position, following, "no LZ4 frame where one should begin")
            position = following
            continue
        position = _frame(blob, position, header, head, found)
    found.note("blocks are not decoded: only their lengths are tested")
    return found.anatomy("lz4")


def _frame(blob: Blob, start: int, header: int, head: bytes, found: Draft) -> int:
    """Follow the blocks of one frame; where the next one should begin."""
    largest = 1 << 8 + 2 * (head[5] >> 4)
    check = 4 * bool(head[4] & 0x10)
    position = before = start + header
    while True:
        if found.effort.left <= 0:
            found.untested(position)
            found.claim(start, blob.size, Kind.CODED, "frame")
            return blob.size
        found.effort.spend(_PRICE)
        size = blob.at(position, 4)
        if len(size) < 4:
            found.claim(start, blob.size, Kind.CODED, "frame")
            found.flaw(blob.size, blob.size, "the file ends inside a frame")
            return blob.size
        length = int.from_bytes(size, "little") & 0x7FFFFFFF
        if not any(size):
            end = position + 4 + 4 * bool(head[4] & 4)
            found.claim(start, end, Kind.CODED, "frame")
            if end > blob.size:
                found.flaw(blob.size, blob.size, "the file ends inside a frame")
            return end
        if length > largest or not length:
            following = _next(blob, position, found)
            end = blob.size if following is None else following
            found.claim(start, end, Kind.CODED, "frame")
            found.flaw(before, end, f"no block length where one should be, at byte {position}")
            return end
        before = position
        position += 4 + length + check


def _next(blob: Blob, position: int, found: Draft) -> int | None:
    for base in range(position, min(blob.size, position + SEARCH), WINDOW):
        if found.effort.left <= 0:
            return None
        window = found.take(blob, base, WINDOW + 19)
        place = window.find(MAGIC)
        while place >= 0:
            if _descriptor(window[place : place + 19]):
                return base + place
            place = window.find(MAGIC, place + 1)
    return None


FORMAT = Format(
    name="lz4",
    title="LZ4 file",
    specification="LZ4 Frame Format 1.6.4",
    suffixes=("lz4",),
    recognises=recognises,
    dissect=dissect,
)
