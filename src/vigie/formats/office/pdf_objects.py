"""The objects of a PDF file in the order they stand in (ISO 32000-1, 7.3 and 7.5): streams, and text between.

The file is walked from front to back rather than by its cross-reference table: that sees every byte, old
revisions too, and needs nothing that may have been overwritten.
"""

import re
from dataclasses import dataclass

from vigie.formats.contract import Effort
from vigie.model import Blob

OBJECTS = 500_000
"""Objects walked."""
DICTIONARY = 256 * 1024
"""Longest text believed between `obj` and `stream`."""
_SLICE = 256 * 1024
_OVERLAP = 160
_SPACE = rb"[\x00\t\n\x0c\r ]"
_OBJECT = re.compile(rb"(?<![0-9])(\d{1,10})" + _SPACE + rb"{1,8}(\d{1,5})" + _SPACE + rb"{1,8}obj(?![a-z])")
_BODY = re.compile(
    rb">>" + _SPACE + rb"{0,8}(?:%[^\r\n]{0,80}" + _SPACE + rb"{1,8})?stream(\r\n|\n|\r)|endobj"
)
# Where the next object begins before `endstream` was seen, that was overwritten.
_CLOSE = re.compile(rb"(?:\r\n|\n|\r)?(endstream|endobj" + _SPACE + rb"{1,8}\d{1,10} \d{1,5} obj(?![a-z]))")
_AFTER = re.compile(_SPACE + rb"{0,8}endstream")
_LENGTH = re.compile(rb"/Length" + _SPACE + rb"*(\d{1,12})(" + _SPACE + rb"+\d{1,5}" + _SPACE + rb"+R)?")


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream object."""

    number: int
    start: int
    """First byte of the data."""
    end: int
    dictionary: bytes
    closed: bool
    """Whether `endstream` was found."""
    due: int
    """Where a direct `/Length` says that the data ends; the end of the file where there is none."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The whole file at a glance."""

    streams: tuple[Stream, ...]
    objects: frozenset[int]
    """Offsets where an object begins."""
    complete: bool
    """Whether the walk got to the end."""


def outline(blob: Blob, start: int, effort: Effort) -> Outline:
    """Walk over the objects from `start` on, as far as the effort reaches.

    Raises:
        Unreadable: the blob cannot be read.
    """
    streams: list[Stream] = []
    objects: list[int] = []
    position = start
    while found := _search(blob, _OBJECT, position, blob.size, effort):
        begin, match = found
        objects.append(begin)
        if len(objects) >= OBJECTS:
            return Outline(tuple(streams), frozenset(objects), complete=False)
        after = begin + len(match[0])
        body = _search(blob, _BODY, after, min(blob.size, after + DICTIONARY), effort)
        if body is None:
            # Whatever this is, it is no object: its headers count, and the walk stays linear.
            position = min(blob.size, after + DICTIONARY)
            rest = blob.at(after, position - after)
            objects.extend(after + inner.start() for inner in _OBJECT.finditer(rest))
            continue
        position = body[0] + len(body[1][0])
        if not body[1][1]:
            continue
        text = blob.at(after, body[0] + 2 - after)
        stream = _stream(blob, int(match[1]), text, position, effort)
        # An object that lost its `endobj` would swallow the next one's stream: the last header counts.
        inner = None
        for inner in _OBJECT.finditer(text):
            objects.append(after + inner.start())
        if inner:
            stream = _stream(blob, int(inner[1]), text[inner.end() :], position, effort)
        if effort.left <= 0 and not stream.closed:
            break  # its end was not looked for
        streams.append(stream)
        position = stream.end
    return Outline(tuple(streams), frozenset(objects), complete=effort.left > 0)


def search_back(blob: Blob, needle: bytes, reach: int) -> int:
    """Where `needle` last stands within the last `reach` bytes, or -1."""
    base = max(0, blob.size - reach)
    place = blob.at(base, reach).rfind(needle)
    return base + place if place >= 0 else -1


def _search(
    blob: Blob, pattern: re.Pattern[bytes], start: int, end: int, effort: Effort
) -> tuple[int, re.Match[bytes]] | None:
    """The first match in `[start, end)`, with its offset; slices overlap by more than any match is long."""
    step = 4096
    while start < end and effort.left > 0:
        # Small steps first: mostly it stands close by.
        effort.spend(step)
        window = blob.at(start, min(step, end - start) + _OVERLAP)
        match = pattern.search(window)
        if match and (match.start() < step or start + step >= end):
            return start + match.start(), match
        start += step
        step = _SLICE
    return None


def _stream(blob: Blob, number: int, dictionary: bytes, start: int, effort: Effort) -> Stream:
    """The stream whose data starts at `start`: as long as `/Length` says, or else up to `endstream`."""
    said = _LENGTH.search(dictionary)
    due = blob.size
    if said and not said[2]:
        due = min(start + int(said[1]), blob.size)
        if _AFTER.match(blob.at(due, 24)):
            return Stream(number, start, due, dictionary, closed=True, due=due)
    found = _search(blob, _CLOSE, start, blob.size, effort)
    if found and found[1][1] == b"endstream":
        return Stream(number, start, found[0], dictionary, closed=True, due=due)
    if found:
        due = min(due, found[0])
    return Stream(number, start, due if found else blob.size, dictionary, closed=False, due=due)
