"""Files that are one base64 or hexadecimal text from end to end (RFC 4648): ciphertext may hide as that.

Whoever encrypts a letter and writes the result as base64 leaves text behind. Nothing here says that it was
so: certificates, mail bodies and exports look alike, only the name and the version before can tell.
"""

import re

from vigie.model import Blob

LEAST = 256
"""Bytes below which nothing is said."""
SAMPLE = 4096
PLACES = 8
"""Samples between the head and the tail."""

_LONG = 40
"""Characters a line has at least; only the last line of a real one is shorter."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]+={0,2}")
_HEX = re.compile(rb"[0-9a-f]+|[0-9A-F]+")
# A list of checksums is no armour: MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512 in hexadecimal.
_CHECKSUMS = frozenset((32, 40, 56, 64, 96, 128))


def armoured(blob: Blob) -> bool:
    """Whether nine tenths of a blob or more are base64 or hexadecimal digits of what looks like random bytes.

    Looks at the head, the tail and `PLACES` samples between. What begins as PEM or another armour with a
    header ("-----BEGIN") says what it is, and is not meant.

    Raises:
        Unreadable: see `Blob.at`.
    """
    head = blob.at(0, SAMPLE)
    if blob.size < LEAST or head.lstrip().startswith(b"-----BEGIN"):
        return False
    last = max(0, blob.size - SAMPLE)
    starts = sorted({last * index // (PLACES + 1) for index in range(PLACES + 2)})
    lines = [line for start in starts for line in _whole_lines(blob, start)]
    total = sum(map(len, lines))
    return _one_of(lines, total, _HEX, 16) or _one_of(lines, total, _BASE64, 48)


def _whole_lines(blob: Blob, start: int) -> list[bytes]:
    """The lines of a sample; those it cuts are left out where others are there."""
    lines = blob.at(start, SAMPLE).split(b"\n")
    if len(lines) > 3:
        lines = lines[1 if start else 0 : None if start + SAMPLE >= blob.size else -1]
    return [stripped for line in lines if (stripped := line.strip())]


def _one_of(lines: list[bytes], total: int, digits: re.Pattern[bytes], distinct: int) -> bool:
    long = [line for line in lines if digits.fullmatch(line) and (len(line) >= _LONG or line is lines[-1])]
    if sum(map(len, long)) * 10 < total * 9 or len(set(b"".join(long))) < distinct:
        return False
    if digits is _HEX:
        return len(long) < 3 or len(long[0]) not in _CHECKSUMS
    # Words written together have few digits; of random bytes one character in six or seven is one.
    share = sum(chr(code).isdigit() for code in b"".join(long)) * 100 // total
    return share >= 8
