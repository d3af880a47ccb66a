"""RAR 1.5 to 4 and RAR 5: every block header with its checksum, stored members with theirs.

No library here reads RAR, and the packing method is not published: packed data is named, not tested.
"""

import re
import zlib
from dataclasses import dataclass

from vigie.formats.archive.deflate import crc32
from vigie.formats.archive.draft import Draft
from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Kind

MAGIC4, MAGIC5 = b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00"
LONGEST = 2 * 1024 * 1024
"""A header takes at most this (RAR 5.0 technote, general archive block format)."""
WINDOW = 1024 * 1024
SEARCH = 64 * 1024 * 1024
"""Bytes looked through for the next header behind a broken one."""
_PRICE = 256
_MAIN, _FILE, _SERVICE, _LOCKED, _END = 1, 2, 3, 4, 5
# Where a header may begin behind a broken one: its checksum, a size of one or two digits, a file or the end.
_LIKELY5 = re.compile(rb"(?s)(?=.{4}(?:[\x07-\x7f]|[\x80-\xff][\x01-\x1f])[\x02\x03\x05][\x00-\x7f])")
_LIKELY4 = re.compile(rb"(?s)(?=..[\x74\x7a\x7b].[\x40\x80-\x9f\xc0-\xdf].[\x00-\x0f])")


@dataclass(frozen=True, slots=True)
class Header:
    """One block header whose checksum holds."""

    kind: int
    length: int
    """Bytes of the header."""
    data: int
    """Bytes of data behind it."""
    locked: bool = False
    """Everything behind this header, or the data behind it, is encrypted by password."""
    crc: int | None = None
    """CRC-32 of the data, where it is stored as it is."""
    name: str = ""


def recognises(head: bytes) -> bool:
    """The signature of either kind."""
    return head.startswith((MAGIC4, MAGIC5))


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Headers one behind the other, to the end mark.

    Raises:
        Malformed: there is no signature.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 8)
    if not recognises(head):
        raise Malformed(0, "no RAR signature")
    new = head.startswith(MAGIC5)
    found = Draft(blob.size, effort)
    position = len(MAGIC5) if new else len(MAGIC4)
    found.claim(0, position, Kind.STRUCTURED, "signature")
    while True:
        if found.effort.left <= 0:
            found.untested(position)
            break
        header = read_header(blob, position, new, found)
        if header is None:
            following = _next(blob, position + 1, new, found) if position < blob.size else None
            if following is None and _cut(blob, position, new):
                found.flaw(blob.size, blob.size, "the file ends before its end mark")
                break
            found.claim(position, position + 7, Kind.STRUCTURED, "place of a block header")
            stop = blob.size if following is None else following
            found.flaw(position, min(stop, position + 64), "no RAR block header where one should be")
            if following is None:
                break
            position = following
            continue
        data = position + header.length
        found.claim(position, data, Kind.CODED, f"block header {header.name[:200]}".rstrip())
        found.checked += header.length
        if header.kind == _LOCKED:
            found.claim(data, blob.size, Kind.OPAQUE, "encrypted headers and data")
            found.note("encrypted by password")
            break
        if header.kind == _END:
            if data < blob.size:
                found.note(f"{blob.size - data} bytes behind the end mark")
            break
        _data(blob, data, header, found)
        position = data + header.data
        if position > blob.size:
            found.flaw(blob.size, blob.size, f"the file ends inside the data of {header.name[:200]}")
            break
    found.note("packed data is not tested")
    return found.anatomy("rar")


def _data(blob: Blob, start: int, header: Header, found: Draft) -> None:
    end = start + header.data
    if header.locked:
        found.note("encrypted by password")
    kind = Kind.OPAQUE if header.locked else Kind.CODED
    found.claim(start, end, kind, f"data of {header.name[:200]}")
    if header.crc is None or end > blob.size:
        return
    crc = crc32(blob, start, end, found.effort)
    if crc is None:
        found.untested(start)
    elif crc == header.crc:
        found.checked += header.data
    else:
        found.flaw(start, end, f"the CRC-32 of {header.name[:200]} does not match", checksum=True)


def read_header(blob: Blob, position: int, new: bool, found: Draft) -> Header | None:
    """The block header at `position`, if it is one."""
    found.effort.spend(_PRICE)
    try:
        return _read5(blob, position, found) if new else _read4(blob, position, found)
    except IndexError:  # the header ends before its fields do
        return None


def _cut(blob: Blob, position: int, new: bool) -> bool:
    """Whether what stands at `position` is the beginning of a header that is not all there."""
    head = blob.at(position, 7)
    if len(head) < 7:
        return True
    if new:
        try:
            size, place = _vint(head, 4)
        except IndexError:
            return False
        return size <= 4096 and position + place + size > blob.size
    return 0x72 <= head[2] <= 0x7B and position + int.from_bytes(head[5:7], "little") > blob.size


def _vint(data: bytes, place: int) -> tuple[int, int]:
    """A number in digits of seven bits, lowest first, and where the next thing begins."""
    value = 0
    for index in range(10):
        byte = data[place + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, place + index + 1
    raise IndexError


def _read5(blob: Blob, position: int, found: Draft) -> Header | None:
    start = blob.at(position, 7)
    size, place = _vint(start, 4)
    if not 0 < size <= LONGEST:
        return None
    head = found.take(blob, position, place + size)
    if len(head) < place + size or zlib.crc32(head[4:]) != int.from_bytes(head[:4], "little"):
        return None
    length = len(head)
    kind, place = _vint(head, place)
    flags, place = _vint(head, place)
    extra = data = 0
    if flags & 1:
        extra, place = _vint(head, place)
    if flags & 2:
        data, place = _vint(head, place)
    if kind not in (_FILE, _SERVICE):
        return Header(kind, length, data)
    file_flags, place = _vint(head, place)
    _, place = _vint(head, place)
    _, place = _vint(head, place)
    place += 4 * bool(file_flags & 2)
    crc = int.from_bytes(head[place : place + 4], "little") if file_flags & 4 else None
    place += 4 * bool(file_flags & 4)
    packing, place = _vint(head, place)
    _, place = _vint(head, place)
    name_length, place = _vint(head, place)
    name = head[place : place + name_length].decode("utf-8", "replace")
    locked = _has_extra(head, max(place + name_length, length - extra), 1)
    plain = not packing >> 7 & 7 and not locked and not flags & 0x18
    return Header(kind, length, data, locked, crc if plain else None, name)


def _has_extra(head: bytes, place: int, wanted: int) -> bool:
    """Whether the extra area holds a record of this type (1: file encryption)."""
    while place < len(head):
        size, after = _vint(head, place)
        kind, _ = _vint(head, after)
        if kind == wanted:
            return True
        place = after + size
    return False


def _read4(blob: Blob, position: int, found: Draft) -> Header | None:
    start = blob.at(position, 7)
    kind, flags, size = start[2], start[3] | start[4] << 8, int.from_bytes(start[5:7], "little")
    if not 0x72 <= kind <= 0x7B or size < 7 or len(start) < 7:
        return None
    head = found.take(blob, position, size)
    # A comment inside the header (RAR 2) is not summed: main flag 2, file flag 8.
    partial = (kind == 0x73 and flags & 2) or (kind == 0x74 and flags & 8) or kind in (0x75, 0x76, 0x77, 0x79)
    if len(head) < size or (not partial and zlib.crc32(head[2:]) & 0xFFFF != head[0] | head[1] << 8):
        return None
    if kind == 0x73:
        return Header(_LOCKED if flags & 0x80 else _MAIN, size, 0)
    if kind == 0x7B:
        return Header(_END, size, 0)
    data = int.from_bytes(head[7:11], "little") if flags & 0x8000 or kind in (0x74, 0x7A) else 0
    if kind not in (0x74, 0x7A) or size < 32:
        return Header(_SERVICE, size, data)
    name_start = 32
    if flags & 0x100:
        data |= int.from_bytes(head[32:36], "little") << 32
        name_start = 40
    name = head[name_start : name_start + int.from_bytes(head[26:28], "little")].split(b"\0")[0]
    plain = head[25] == 0x30 and not flags & 0x07
    crc = int.from_bytes(head[16:20], "little") if plain and kind == 0x74 else None
    return Header(_FILE, size, data, bool(flags & 4), crc, name.decode("cp437"))


def _next(blob: Blob, position: int, new: bool, found: Draft) -> int | None:
    """The next header at or behind `position` whose checksum holds."""
    likely = _LIKELY5 if new else _LIKELY4
    for base in range(position, min(blob.size, position + SEARCH), WINDOW):
        if found.effort.left <= 0:
            return None
        window = found.take(blob, base, WINDOW + 8)
        for hit in likely.finditer(window):
            if found.effort.left <= 0:
                return None
            if hit.start() < WINDOW and read_header(blob, base + hit.start(), new, found):
                return base + hit.start()
    return None


FORMAT = Format(
    name="rar",
    title="RAR archive",
    specification="RAR 5.0 technote; RAR 4.20 technote",
    suffixes=("rar",),
    recognises=recognises,
    dissect=dissect,
)
