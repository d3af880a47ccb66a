"""What stands in the streams of Office files: records of Excel and PowerPoint, text of Word and Outlook.

MS-XLS 2.1.4, MS-PPT 2.3.1, MS-DOC 2.4.1 and 2.8.35, MS-OXMSG 2.1.3, MS-OXRTFCP 2.1.3. Records follow one
another without a gap, so a walk over their headers finds what was overwritten, and where it can go on.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.formats.office.ole2_sectors import Extents

WINDOW = 256 * 1024
"""Bytes in which the next record is looked for after a break, at a time."""
BREAKS = 256
"""Breaks told apart in one stream."""
_CHAIN = 5
"""Records that must follow one another for a walk to go on from a place."""
_RECORD = 8228
"""Longest record of Excel (MS-XLS 2.1.4: 8224 bytes of data)."""
_FILEPASS = b"\x2f\0"
_STRINGS, _CONTINUE = b"\xfc\0", b"\x3c\0"
# Records that most of a workbook consists of (MS-XLS 2.3): a walk goes on only at one of these.
_CORE = np.frombuffer(
    bytes.fromhex(
        "0600 0a00 3100 3c00 5d00 8500 bd00 be00 d700 e000 e500 eb00 ec00 fc00 fd00 b601 b801"
        "0002 0102 0302 0402 0502 0702 0802 0b02 7e02 1e04 0908"
    ),
    "<u2",
)
_PLAIN = np.isin(np.arange(256), np.frombuffer(b"\0 0123456789abcdefghijklmnopqrstuvwxyz", np.uint8))
_LOOK = 4096
_LOST = 16 * 1024 * 1024
"""Bytes in which no record was found, after which none is looked for any more."""
_TRIED = 256
_PIECES = 4096
_UTF16_SEEN = 64 * 1024

Mask = NDArray[np.bool_]
Sizes = NDArray[np.int64]
Grammar = Callable[[NDArray[np.uint8]], tuple[Mask, Sizes]]


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk over records found; places are offsets in the stream."""

    broken: tuple[tuple[int, int], ...]
    encrypted: bool = False
    strings: tuple[tuple[int, int], ...] = ()
    """The strings shared by the cells of a workbook, with what continues them."""


def biff(window: NDArray[np.uint8]) -> tuple[Mask, Sizes]:
    """For every offset: whether an Excel record may begin there, and how long it is."""
    words = window[:-3].astype(np.int64) | (window[1:-2].astype(np.int64) << 8)
    sizes = window[2:-1].astype(np.int64) | (window[3:].astype(np.int64) << 8)
    return (words <= 0x10FF) & (words > 0) & (sizes <= _RECORD), sizes + 4


def escher(window: NDArray[np.uint8]) -> tuple[Mask, Sizes]:
    """The same for records of PowerPoint and of drawings; a container is as long as its header."""
    count = window.size - 7
    low = [window[index : index + count].astype(np.int64) for index in range(8)]
    kinds = low[2] | (low[3] << 8)
    sizes = low[4] | (low[5] << 8) | (low[6] << 16) | (low[7] << 24)
    known = ((kinds >= 0x3E8) & (kinds <= 0x2FFF)) | ((kinds >= 0xF000) & (kinds <= 0xF1FF))
    return known & (sizes < 1 << 28), np.where(low[0] & 15 == 15, 0, sizes) + 8


def walk(stream: Extents, grammar: Grammar, header: int, effort: int) -> Walked:
    """Follow the records of a stream from its first byte on, and go on behind what is none.

    Zeros behind the last record are padding. Of a stream longer than `effort`, the beginning is walked.
    """
    broken: list[tuple[int, int]] = []
    encrypted = False
    strings: list[tuple[int, int]] = []
    lost = at = 0
    length = _LOOK
    reach = min(stream.size, effort)
    while at + header <= reach and len(broken) < BREAKS:
        base, data = at, stream.at(at, length)
        good, sizes = grammar(np.frombuffer(data, np.uint8))
        fine, long = good.tolist(), sizes.tolist()
        while at - base < len(fine) and fine[at - base]:
            kind = data[at - base : at - base + 2] if header == 4 else b""
            encrypted = encrypted or (kind == _FILEPASS and at < _LOOK)
            end = at + long[at - base]
            if kind == _STRINGS or (kind == _CONTINUE and strings and strings[-1][1] == at):
                strings.append((at, end))
            at = end
        if at - base >= len(fine):
            # Records of cells come by the thousand, pictures one by one.
            length = min(WINDOW, length * 2) if at - base < length + _LOOK else _LOOK
            continue
        if not stream.at(at, WINDOW).strip(b"\0"):
            break
        stop = _resume(stream, grammar, header, at) if lost < _LOST else stream.size
        lost += stop - at
        if broken and broken[-1][1] == at:
            broken[-1] = broken[-1][0], stop
        else:
            broken.append((at, stop))
        at = stop
    return Walked(tuple(broken), encrypted, tuple(strings))


def _resume(stream: Extents, grammar: Grammar, header: int, broken: int) -> int:
    """The first place behind `broken` where records follow one another again, or the end of the window."""
    data = stream.at(broken, WINDOW)
    good, sizes = grammar(np.frombuffer(data, np.uint8))
    places = np.flatnonzero(good[1:]) + 1
    following = places + sizes[places]
    outside = following >= good.size
    likely = places[outside | good[np.minimum(following, good.size - 1)]]
    if grammar is biff:
        # A long record made up of random bytes leads back into healthy ones, and any step fits there.
        kinds = np.frombuffer(data, np.uint8).astype(np.int64)
        likely = likely[np.isin(kinds[likely] | kinds[likely + 1] << 8, _CORE)]
    # Of random offsets one in ten thousand gets here; the chain is then followed as far as it goes.
    for place in likely[:_TRIED].tolist():
        if _chains(stream, grammar, header, broken + place):
            return broken + int(place)
    return broken + len(data)


def _chains(stream: Extents, grammar: Grammar, header: int, at: int) -> bool:
    for _ in range(_CHAIN):
        data = stream.at(at, header)
        if len(data) < header:
            return at == stream.size
        good, sizes = grammar(np.frombuffer(data, np.uint8))
        if not good[0]:
            return False
        at += int(sizes[0])
    return True


def word_text(document: Extents, tables: dict[str, Extents]) -> tuple[bool, list[tuple[int, int, bool]]]:
    """Whether a Word document is under a password, and its pieces of text: start, end, wide characters."""
    base = document.at(0, 0x1AA)
    if len(base) < 0x1AA or base[:2] != b"\xec\xa5":
        return False, []
    flags, version = struct.unpack_from("<H", base, 0x0A)[0], struct.unpack_from("<H", base, 2)[0]
    if flags & 0x0100:
        return True, []
    table = tables.get("1Table" if flags & 0x0200 else "0Table")
    place, length = struct.unpack_from("<II", base, 0x1A2)
    if version < 0xC1 or table is None or not 0 < length <= 16 * _PIECES:
        return False, []
    return False, _pieces(table.at(place, length), document.size)


def _pieces(clx: bytes, size: int) -> list[tuple[int, int, bool]]:
    """The piece table (MS-DOC 2.9.38 and 2.8.35)."""
    at = 0
    while clx[at : at + 1] == b"\x01":
        at += 3 + int.from_bytes(clx[at + 1 : at + 3], "little")
    if clx[at : at + 1] != b"\x02":
        return []
    data = clx[at + 5 : at + 5 + int.from_bytes(clx[at + 1 : at + 5], "little")]
    count = (len(data) - 4) // 12
    if count < 1:
        return []
    characters = struct.unpack_from(f"<{count + 1}I", data)
    found: list[tuple[int, int, bool]] = []
    for index in range(count):
        (place,) = struct.unpack_from("<I", data, 4 * (count + 1) + 8 * index + 2)
        wide = not place & 0x40000000
        start = place & 0x3FFFFFFF if wide else (place & 0x3FFFFFFF) // 2
        end = start + (characters[index + 1] - characters[index]) * (2 if wide else 1)
        if start < end <= size:
            found.append((start, end, wide))
    return sorted(found)


def plain(data: bytes) -> bool:
    """Whether a third of the bytes are small letters, digits, blanks and zeros.

    Of Latin text, in one byte or two, 70 % are; of Chinese a quarter, of random bytes a seventh.
    """
    return bool(data) and int(_PLAIN[np.frombuffer(data, np.uint8)].sum()) * 3 >= len(data)


def alphabetic(data: bytes) -> bool:
    """Whether UTF-16 is not mostly Chinese, Japanese or Korean: of that, cells look random by chance.

    Random bytes are in those blocks by 62 %, so that what was overwritten still counts as alphabetic.
    """
    upper = np.frombuffer(data[:_UTF16_SEEN], np.uint8)[1::2]
    eastern = ((upper >= 0x2E) & (upper <= 0x9F)) | ((upper >= 0xAC) & (upper <= 0xD7)) | (upper == 0xFF)
    return int(eastern.sum()) * 4 < upper.size * 3


def compressed_rtf(data: bytes) -> bool | None:
    """Whether the CRC of the body of a mail holds (MS-OXRTFCP 2.1.3.1); None where there is none to test."""
    if len(data) < 16 or data[8:12] != b"LZFu":
        return None
    size, crc = int.from_bytes(data[:4], "little"), int.from_bytes(data[12:16], "little")
    if size + 4 > len(data):
        return None
    # The CRC-32 of zlib, but begun at 0 and not turned over at the end.
    return zlib.crc32(data[16 : size + 4], 0xFFFFFFFF) ^ 0xFFFFFFFF == crc
