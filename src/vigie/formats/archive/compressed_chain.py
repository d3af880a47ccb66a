"""The pieces of a zstd frame and of an xz block, by their headers alone.

Where a stream breaks, they say which piece it was; and where the chain of headers goes on to the end, what
lies behind is not claimed broken.
"""

from vigie.formats.contract import Effort
from vigie.model import Blob

PIECES = 1_000_000
"""Pieces of a stream that are walked."""
_PRICE = 64
_FEED = 4096
"""How far before the end of what was fed the fault may lie."""
_ZSTD_LARGEST = 128 * 1024
_CHECK_SIZES = (0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64)
"""Bytes of an xz check by its ID (The .xz File Format 1.2.1, section 2.1.1.2)."""


def broken_zstd(blob: Blob, start: int, end: int, place: int, effort: Effort) -> list[tuple[int, int]]:
    """What is broken of the frame at `start`, which could not be decoded beyond `place` (RFC 8878, 3.1.1)."""
    head = blob.at(start, 18)
    descriptor = head[4]
    single = descriptor & 0x20
    content = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    position = start + 5 + (not single) + (0, 1, 2, 4)[descriptor & 3] + content
    pieces = [position]
    for _ in range(PIECES):
        header = int.from_bytes(blob.at(position, 3), "little")
        kind, size = header >> 1 & 3, header >> 3
        effort.spend(_PRICE)
        if position + 3 > end or kind == 3 or size > _ZSTD_LARGEST or effort.left <= 0:
            return _parted(pieces, place, end, whole=False)
        position += 3 + (1 if kind == 1 else size)
        pieces.append(position)
        if header & 1:
            break
    return _parted(pieces, place, end, whole=position + 4 * bool(descriptor & 4) <= end)


def broken_xz(blob: Blob, start: int, end: int, place: int, effort: Effort) -> list[tuple[int, int]]:
    """The same for the LZMA2 chunks of the xz stream at `start` (sections 3 and 5.3.1; xz-file-format)."""
    check = _CHECK_SIZES[blob.at(start + 7, 1)[0] & 15]
    block = position = start + 12
    position += (blob.at(position, 1)[0] + 1) * 4
    pieces = [block, position]
    for _ in range(PIECES):
        effort.spend(_PRICE)
        header = blob.at(position, 6)
        if len(header) < 6 or position >= end or effort.left <= 0 or 2 < header[0] < 0x80:
            return _parted(pieces, place, end, whole=False)
        if header[0] >= 0x80:
            position += (6 if header[0] >= 0xC0 else 5) + int.from_bytes(header[3:5], "big") + 1
        elif header[0]:
            position += 3 + int.from_bytes(header[1:3], "big") + 1
        else:
            length = position + 1 - block
            block = position = block + length + -length % 4 + check
            size = blob.at(position, 1)
            if size == b"\0":  # the index
                pieces.append(position)
                return _parted(pieces, place, end, whole=True)
            position += (size[0] + 1) * 4 if size else 0
        pieces.append(position)
    return _parted(pieces, place, end, whole=False)


def _parted(pieces: list[int], place: int, end: int, *, whole: bool) -> list[tuple[int, int]]:
    """The piece in which `place` lies; and, where the headers do not go on to the end, the last one."""
    if place + _FEED >= pieces[-1] and whole:  # no piece is at fault: it is the checksum behind the last
        return [(pieces[0], end)]
    begin = max((piece for piece in pieces if piece < place), default=pieces[0])
    # The break is somewhere in what was fed last.
    stop = min((piece for piece in pieces if piece >= place + _FEED), default=end)
    broken = [(min(begin, end), min(stop, end))]
    if not whole:
        last = max((piece for piece in pieces[:-1] if piece < end), default=begin)
        if last <= stop:
            return [(min(begin, last), end)]
        broken.append((last, end))
    return broken
