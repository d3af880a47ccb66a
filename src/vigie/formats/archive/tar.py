"""tar (POSIX.1-1988 ustar, POSIX.1-2001 pax, GNU, and version 7): every header with its checksum.

By hand: tarfile stops at the first bad header, and knows no place to go on. What members hold may be
anything; a lost header is looked for at every 512 bytes behind.
"""

import re
from dataclasses import dataclass

import numpy as np

from vigie.formats.archive.draft import Draft
from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Kind

BLOCK = 512
WINDOW = 1024 * 1024
"""Bytes read at a time when a header is looked for."""
LONGEST_NAME = 1024 * 1024
"""Bytes of extended headers (pax records, GNU long names) that are read."""
_PRICE = 1024
"""What a header costs of the effort."""
_NO_DATA = frozenset(b"123456")
"""Links, devices, folders and pipes: nothing follows, whatever size they give (as GNU tar reads them)."""
_SIZE = re.compile(rb"(?:^|\n)\d{1,10} size=(\d{1,20})\n")
_OCTAL = re.compile(rb"[0-7]*")


@dataclass(frozen=True, slots=True)
class Header:
    """What a tar header says."""

    name: str
    kind: int
    size: int
    """Bytes of data behind it, before they are rounded up to blocks."""
    extended: bool
    """Old GNU sparse file: more maps of holes follow."""


def read_header(block: bytes) -> Header | None:
    """The header in 512 bytes, if its checksum holds and its numbers are numbers (pax, ustar format)."""
    if len(block) < BLOCK or not block[0]:
        return None
    said = _number(block[148:156])
    numbers = [_number(block[start:end]) for start, end in ((100, 108), (124, 136), (136, 148))]
    if said is None or None in numbers:
        return None
    total = sum(block) - sum(block[148:156]) + 8 * 32
    if said != total and said != total - 256 * sum(byte > 127 for byte in block[:148] + block[156:]):
        return None  # Sun's tar summed signed bytes
    name = block[:100].split(b"\0")[0]
    return Header(
        name.decode("utf-8", "replace"), block[156], numbers[1] or 0, bool(block[156] == 83 and block[482])
    )


def _number(field: bytes) -> int | None:
    """Octal digits, or base 256 where the first bit is set (GNU)."""
    if field[0] == 0xFF:
        return 0  # below zero: a time before 1970
    if field[0] == 0x80:
        value = int.from_bytes(field[1:], "big")
        return value if value < 1 << 62 else None
    digits = field.replace(b"\0", b" ").strip()
    return int(digits or b"0", 8) if _OCTAL.fullmatch(digits) else None


def recognises(head: bytes) -> bool:
    """A header whose checksum holds; an empty archive is only zeros, and known by its name alone."""
    return read_header(head[:BLOCK]) is not None


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Headers from one end to the other.

    Raises:
        Malformed: neither a header nor the mark of the end stands at the start, nor anywhere near.
        Unreadable: the blob cannot be read.
    """
    if not blob.size:
        raise Malformed(0, "the file is empty")
    found = Draft(blob.size, effort)
    position, override, before, headers = 0, None, 0, 0
    while position < blob.size:
        if found.effort.left <= 0:
            found.untested(position)
            break
        found.effort.spend(_PRICE)
        block = blob.at(position, BLOCK)
        header = read_header(block)
        if header is None:
            following = _nothing(blob, position, block, before, found)
            if following is None:
                break
            position, override = following, None
            continue
        headers += 1
        found.claim(position, position + BLOCK, Kind.STRUCTURED, f"header of {header.name[:200]}")
        data = position + BLOCK
        while header.extended and data < blob.size and blob.at(data + 504, 1) != b"\0":
            found.effort.spend(_PRICE)
            data += BLOCK
        if header.extended:
            data += BLOCK
        size = header.size if override is None else override
        override = None
        if header.kind in b"xXgLK":
            override = _extended(blob, data, header, found)
            size = header.size
        before = data
        if header.kind in _NO_DATA:
            size = 0
        position = data + size + -size % BLOCK
        if data < min(data + size, blob.size) and header.kind not in b"xXgLK":
            name = header.name[:200]
            found.claim(data, data + size, Kind.OPAQUE, f"data of {name}", member=name)
        if data + size > blob.size:
            found.flaw(blob.size, blob.size, f"the file ends inside {header.name[:200]}")
    if not headers and found.flaws:
        raise Malformed(0, "no tar header")
    return found.anatomy("tar")


def _extended(blob: Blob, data: int, header: Header, found: Draft) -> int | None:
    """A pax record or a long name for the next header; the size that a record gives, if any."""
    text = found.take(blob, data, min(header.size, LONGEST_NAME))
    # Extended attributes (SCHILY.xattr, LIBARCHIVE.xattr) may be binary, or base64 of something random.
    kind = Kind.OPAQUE if b"xattr" in text or header.size > LONGEST_NAME else Kind.STRUCTURED
    found.claim(data, data + header.size, kind, "extended header")
    size = _SIZE.search(text) if header.kind in b"xX" else None
    return int(size[1]) if size else None


def _nothing(blob: Blob, position: int, block: bytes, before: int, found: Draft) -> int | None:
    """No header at `position`: the end, or a lost one. Where the next header stands, if anywhere."""
    if not block.strip(b"\0"):
        return _end(blob, position, found)
    if len(block) < BLOCK:
        found.flaw(blob.size, blob.size, "the file ends inside a header")
        return None
    if before and read_header(blob.at(before, BLOCK)):
        return before  # a link that has no data and yet a size
    what = "no tar header where one should be"
    if not position and found.size > BLOCK:
        found.claim(0, BLOCK, Kind.STRUCTURED, "place of the first header")
    else:
        found.claim(position, position + BLOCK, Kind.STRUCTURED, "place of a header")
    found.flaw(position, position + BLOCK, what)
    return _next(blob, position + BLOCK, found)


def _end(blob: Blob, position: int, found: Draft) -> int | None:
    """Behind the zeros of the end: padding, foreign bytes, or (cat a.tar b.tar) another archive."""
    for base in range(position, blob.size, WINDOW):
        if found.effort.left <= 0:
            found.untested(base)
            return None
        window = found.take(blob, base, WINDOW)
        rest = window.lstrip(b"\0")
        if rest:
            place = base + len(window) - len(rest)
            place -= (place - position) % BLOCK
            if read_header(blob.at(place, BLOCK)):
                return place
            found.claim(position, place, Kind.STRUCTURED, "padding")
            following = _next(blob, place, found)
            if following is None and place > position + 2 * BLOCK:
                found.note(f"{blob.size - place} bytes behind the end of the archive")
            elif following is None:
                found.claim(place, blob.size, Kind.STRUCTURED, "padding")
            return following
    found.claim(position, blob.size, Kind.STRUCTURED, "padding")
    return None


def _next(blob: Blob, position: int, found: Draft) -> int | None:
    """The next header at a multiple of 512 from `position`."""
    for base in range(position, blob.size, WINDOW):
        if found.effort.left <= 0:
            found.untested(base)
            return None
        window = found.take(blob, base, WINDOW)
        blocks = np.frombuffer(window, np.uint8)[: len(window) // BLOCK * BLOCK].reshape(-1, BLOCK)
        # The checksum field ends in NUL and space, in one order or the other, after octal digits.
        digits = blocks[:, 149:153]
        likely = ((digits >= 0x30) & (digits < 0x38)).all(axis=1) & (blocks[:, 0] != 0)
        for index in np.flatnonzero(likely).tolist():
            if read_header(window[index * BLOCK : (index + 1) * BLOCK]):
                return int(base + index * BLOCK)
    return None


FORMAT = Format(
    name="tar",
    title="tar archive",
    specification="POSIX.1-2017 pax, ustar Interchange Format",
    suffixes=("tar",),
    recognises=recognises,
    dissect=dissect,
)
