"""JSON as restic writes it: documents, ids, times and quoted names, none of them trusted."""

import json
import os
import re
from datetime import date
from typing import Any

from vigie.errors import Unreadable

_ID = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
# What Go's strconv.Unquote accepts between double quotes (The Go Programming Language Specification, "String
# literals"): one escape, or one character that needs none.
_QUOTED = re.compile(
    r"""\\(?:x(?P<hex>[0-9a-fA-F]{2})|u(?P<u4>[0-9a-fA-F]{4})|U(?P<u8>[0-9a-fA-F]{8})|(?P<oct>[0-7]{3})
    |(?P<one>[abfnrtv\\"]))|(?P<plain>[^\\"\n]+)""",
    re.VERBOSE,
)
_ONE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}
_SURROGATE = re.compile("[\ud800-\udfff]")
_EPOCH = date(1970, 1, 1).toordinal()


def parse(data: bytes) -> dict[str, Any]:
    """The JSON object that `data` holds.

    Raises:
        Unreadable: it holds none.
    """
    try:
        document = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        # RecursionError: nested thousands deep, which restic never does.
        raise Unreadable("it is not the JSON that restic writes") from error
    if not isinstance(document, dict):
        raise Unreadable("it is not a JSON object")
    return document


def identity(value: Any) -> bytes:
    """The 32 bytes of an id.

    Raises:
        Unreadable: it is none.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Unreadable("an id in it is not a SHA-256")
    return bytes.fromhex(value)


def is_name(value: str) -> bool:
    """Whether a file in a repository can be called so (its SHA-256 in lower-case hexadecimal)."""
    return _ID.fullmatch(value) is not None


def text(value: Any) -> str:
    """A string that can be printed, or nothing; half characters become U+FFFD, as they do in Go."""
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else ""


def texts(value: Any) -> tuple[str, ...]:
    """The strings of a list."""
    return tuple(text(item) for item in value) if isinstance(value, list) else ()


def integer(value: Any, below: int) -> int:
    """A number in `[0, below)`; 0 where there is none (Go leaves zeros out).

    Raises:
        Unreadable: it is something else.
    """
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < below:
        raise Unreadable("a number in it is impossible")
    return value


def time_ns(value: Any) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time, as Go writes it (nanoseconds, years 0000 to 9999).

    Raises:
        Unreadable: it is none.
    """
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Unreadable("a time in it cannot be read")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    # Python knows no year 0; the calendar repeats itself every 400 years, which are 146,097 days.
    shift = 400 if year == 0 else 0
    try:
        days = date(year + shift, month, day).toordinal() - _EPOCH - (146_097 if shift else 0)
    except ValueError as error:
        raise Unreadable("a time in it cannot be read") from error
    offset = (int(offset_hours) * 60 + int(offset_minutes)) * 60 if sign else 0
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second - (-offset if sign == "-" else offset)
    return seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0"))


def unquote(value: str) -> str:
    r"""The name of a file from the form restic stores (Go's strconv.Quote, without the quotes).

    Bytes that are no UTF-8 are stored as `\xNN`, and come back as `os.fsdecode` gives them.

    Raises:
        Unreadable: it is not a quoted name.
    """
    if "\\" not in value and '"' not in value and value.isascii() and "\n" not in value:
        return value
    raw = bytearray()
    position = 0
    while position < len(value):
        match = _QUOTED.match(value, position)
        if match is None:
            raise Unreadable("a name in it is not quoted as restic does")
        position = match.end()
        kind, found = match.lastgroup, match[match.lastgroup or 0]
        if kind == "plain":
            raw += text(found).encode()
        elif kind == "one":
            raw.append(_ONE[found])
        elif kind == "hex":
            raw.append(int(found, 16))
        else:
            raw += _code_point(found, octal=kind == "oct")
    return os.fsdecode(bytes(raw))


def _code_point(digits: str, *, octal: bool) -> bytes:
    number = int(digits, 8 if octal else 16)
    if octal and number < 256:
        return bytes((number,))
    if octal or number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise Unreadable("a name in it is not quoted as restic does")
    return chr(number).encode()
