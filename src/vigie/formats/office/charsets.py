"""Character sets other than UTF-8 and Latin-1, told from the head of a text (Unicode 16, 3.10; ISO/IEC 2022).

Which one it is matters little: what counts is that a letter from Kyiv or Osaka is not called broken.
"""

import codecs
import re
from functools import lru_cache

import numpy as np

from vigie.model import Blob

UNSHIFT = bytes(0x20 if code in (0x0E, 0x0F) else code for code in range(256))
"""Shift out and shift in as blanks."""

LEAST = 192
"""Bytes of a head from which on the absence of control bytes says something: 1 random head in 10 million."""

_UTF32 = {b"\xff\xfe\0\0": "utf-32-le", b"\0\0\xfe\xff": "utf-32-be"}
_DESIGNATES = re.compile(rb"\x1b\$[)*+][A-H]")
# Strict in the order of how much they refuse.
_MULTIBYTE = ("euc_jp", "euc_kr", "cp932", "big5hkscs", "gb18030")
_LONG_WORD = re.compile(rb"[\x80-\xff]{33}")
_BLANK = re.compile(rb"[ \t\r\n]")


@lru_cache(maxsize=4)  # asked of the same head by every format that is written in characters
def wide(head: bytes) -> str | None:
    """The UTF-16 or UTF-32 codec of a head: by its byte order mark, or by where its zeros stand."""
    if codec := _UTF32.get(head[:4]):
        return codec
    if head[:2] == b"\xff\xfe":
        return "utf-16-le"
    if head[:2] == b"\xfe\xff":
        return "utf-16-be"
    half = len(head) // 2
    even, odd = head[: half * 2 : 2].count(0), head[1 : half * 2 : 2].count(0)
    if half >= 2 and max(even, odd) * 3 >= half and min(even, odd) * 64 <= half:
        return "utf-16-le" if odd > even else "utf-16-be"
    if half >= 8 and even + odd >= half:
        return next((codec for codec in _UTF32.values() if _letters(head, codec)), None)
    return None


def unit(codec: str) -> int:
    """Bytes of one unit of a codec that `wide` named."""
    return 4 if codec.startswith("utf-32") else 2


def _letters(head: bytes, codec: str) -> bool:
    """Whether units of four bytes are characters, half of them ASCII: a table of numbers is neither."""
    units = np.frombuffer(head[: len(head) & ~3], "<u4" if codec.endswith("le") else ">u4")
    letters = int(((units >= 0x20) & (units < 0x7F) | (units == 0x0A) | (units == 0x0D)).sum())
    return letters * 2 >= units.size and not bad_utf32(head, codec)


def bad_utf32(data: bytes, codec: str) -> list[tuple[int, int]]:
    """Stretches of units that are no character (Unicode 16, 3.9): surrogates, controls, beyond 10FFFF."""
    units = np.frombuffer(data[: len(data) & ~3], "<u4" if codec.endswith("le") else ">u4")
    bad = (units > 0x10FFFF) | ((units >= 0xD800) & (units < 0xE000)) | (units < 0x08)
    bad |= (units >= 0x0E) & (units < 0x1A)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], bad, [False])).astype(np.int8)))
    return [(int(first) * 4, int(last) * 4) for first, last in edges.reshape(-1, 2)]


def shifting(head: bytes) -> bool:
    """Whether a head designates sets it then shifts to (ISO-2022-KR and -CN): SO and SI are text in it."""
    return _DESIGNATES.search(head) is not None


def legacy(head: bytes) -> bool:
    """Whether a head without control bytes is text in some national character set, by its words."""
    if len(head) < LEAST or not _BLANK.search(head):
        return False
    if _LONG_WORD.search(head) is None and len(_BLANK.findall(head)) * 64 >= len(head):
        return True  # Cyrillic, Greek, Hebrew, Arabic: one byte a letter, and blanks between the words
    return any(_decodes(head, codec) for codec in _MULTIBYTE)


def _decodes(head: bytes, codec: str) -> bool:
    try:
        words = codecs.getincrementaldecoder(codec)().decode(head)
    except UnicodeDecodeError:
        return False
    # Characters for private use stand in fonts of one house; bytes taken at random decode to many of them.
    return sum("\ue000" <= word <= "\uf8ff" for word in words) * 50 <= len(words)


class Unshifted:
    """A blob whose shifts read as blanks."""

    __slots__ = ("_blob", "size")

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self.size = blob.size

    def at(self, offset: int, length: int) -> bytes:
        """As `Blob.at`."""
        return self._blob.at(offset, length).translate(UNSHIFT)
