"""What stands between the streams of a PDF file (ISO 32000-1, 7.2 and 7.3): text, but for some strings.

A literal string may hold any byte, so those that are not plain text are left out of what is called
structured. Elsewhere control characters cannot stand: they are what betrays an overwritten stretch even
where its parentheses make it look like a string.
"""

import re
from dataclasses import dataclass

LONGEST = 64 * 1024
"""Longest literal string believed; a longer one is a parenthesis that was never closed."""
NEAR = 256
"""Bytes between two that cannot stand where they do, up to which they are one stretch."""
BREAKS = 256
"""Stretches told apart; beyond, the last one grows."""
_TOKEN = re.compile(rb"[()%]|\\.", re.DOTALL)
_COMMENT = re.compile(rb"[^\r\n]*")
_CONTROL = re.compile(rb"[\x01-\x08\x0b\x0e-\x1f\x7f]")
_BINARY = re.compile(rb"[^\t\n\r\x20-\x7e]")


@dataclass(frozen=True, slots=True)
class TextSurvey:
    """Offsets are relative to the text that was surveyed."""

    strings: tuple[tuple[int, int], ...]
    """Literal strings that hold other bytes than plain text."""
    broken: tuple[tuple[int, int], ...]
    """Stretches of bytes that cannot stand where they do; those close to one another are one."""


def survey(text: bytes) -> TextSurvey:
    """Find the binary strings in `text`, and the control characters outside of strings and comments."""
    if not _BINARY.search(text):
        return TextSurvey((), ())
    strings: list[tuple[int, int]] = []
    outside: list[tuple[int, int]] = []
    position = plain = 0
    while match := _TOKEN.search(text, position):
        position = match.end()
        token = match[0]
        if token == b"%":
            outside.append((plain, match.start()))
            comment = _COMMENT.match(text, position)
            position = plain = comment.end() if comment else position
        elif token == b"(":
            end, closed = _string_end(text, position)
            if not closed:
                position = end
            else:
                outside.append((plain, match.start()))
                if _BINARY.search(text, match.start(), end):
                    strings.append((match.start(), end))
                position = plain = end
    outside.append((plain, len(text)))
    broken: list[tuple[int, int]] = []
    for start, end in outside:
        for hit in _CONTROL.finditer(text, start, end):
            if broken and (hit.start() - broken[-1][1] <= NEAR or len(broken) >= BREAKS):
                broken[-1] = broken[-1][0], hit.end()
            else:
                broken.append(hit.span())
    return TextSurvey(tuple(strings), tuple(broken))


def _string_end(text: bytes, position: int) -> tuple[int, bool]:
    """Behind the parenthesis that closes the string opened before `position`, or how far was looked."""
    depth = 1
    limit = min(len(text), position + LONGEST)
    while match := _TOKEN.search(text, position, limit):
        position = match.end()
        if match[0] == b"(":
            depth += 1
        elif match[0] == b")":
            depth -= 1
            if not depth:
                return position, True
    return limit, False
