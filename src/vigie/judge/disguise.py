"""Ciphertext that was made to look harmless: written as base64 or hexadecimal, or spread among filling bytes.

Such a file is calm to every test of randomness. It is looked for only where something is wrong already (a
file that is not what its name promises) or where a file of letters is suspect (a text without a single word).
"""

import binascii
import re
from collections.abc import Iterator

import numpy as np

from vigie import formats
from vigie.judge import kernels
from vigie.judge.kernels import BLOCK, CELL
from vigie.model import Blob

_PLACE = 16 * 1024
"""Bytes looked at at the head, in the middle and at the tail."""
_LEAST = 1024
"""Bytes a place must have for a judgement."""
_SHARE = 0.9
"""Share of random cells, once the disguise is taken off."""
_LANES = range(2, 5)
"""One byte of so many is ciphertext, the others fill."""
_FILLING = 16
"""Different bytes that filling may have."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/_=\r\n-]*")
_HEX = re.compile(rb"(?:[0-9a-f\s]*|[0-9A-F\s]*)")
_SPACE = b" \t\r\n\v\f"  # all that \s is


def disguise(blob: Blob, *, letters: bool = False) -> str | None:
    """How a blob of random bytes is disguised, in words; nothing where it is not.

    Args:
        blob: what is suspect.
        letters: only written in letters and digits, since it is a text.

    Raises:
        Unreadable: as the blob does.
    """
    places = [place for place in _places(blob) if len(place) >= _LEAST]
    if not places:
        return None
    for words, undo in (("hexadecimal digits", _from_hex), ("base64", _from_base64)):
        plain = [undo(place) for place in places]
        if all(_random(data) for data in plain) and formats.by_content(plain[0][: formats.HEAD]) is None:
            return f"random bytes written as {words}"
    for step in () if letters else _LANES:
        if all(_in_lanes(place, step) for place in places):
            return f"random bytes in one of every {step}, filling between"
    return None


def _places(blob: Blob) -> Iterator[bytes]:
    yield blob.at(0, _PLACE)
    if blob.size > 3 * _PLACE:
        middle = blob.size // 2
        yield blob.at(middle - middle % (12 * CELL), _PLACE)  # in step with lanes, and with groups of four
        yield blob.at(blob.size - _PLACE, _PLACE)


def _from_hex(place: bytes) -> bytes:
    if not _HEX.fullmatch(place):
        return b""
    digits = place.translate(None, _SPACE)
    return bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))


def _from_base64(place: bytes) -> bytes:
    if not _BASE64.fullmatch(place):
        return b""
    lines = place.split(b"\n")
    # A place in the middle of a file begins somewhere in a line: groups of four are known from the next on.
    letters = b"".join(lines[1:] if len(lines) > 2 else lines).translate(None, b"\r\n=")
    letters = letters.translate(bytes.maketrans(b"-_", b"+/"))
    return binascii.a2b_base64(letters[: len(letters) // 4 * 4])


def _random(data: bytes) -> bool:
    cells = len(data) // CELL
    if cells < _LEAST // 2 // CELL:
        return False
    masks = kernels.cell_masks(np.frombuffer(data, np.uint8))
    return int(np.bitwise_count(masks).sum()) >= _SHARE * cells


def _in_lanes(place: bytes, step: int) -> bool:
    lanes = [place[phase::step][:BLOCK] for phase in range(step)]
    chosen = [lane for lane in lanes if len(set(lane)) > _FILLING]
    return len(chosen) == 1 and len(chosen[0]) >= _LEAST // step and _random(chosen[0])
