"""Where text in units of two or four bytes holds what is no character (Unicode 16, 3.9 and 23.7)."""

import re
from collections.abc import Iterator

from vigie.formats.contract import Malformed
from vigie.formats.office.charsets import bad_utf32, unit
from vigie.model import Blob, Flaw

SLICE = 1024 * 1024
MAX_FLAWS = 64
START = 64
"""Bytes at the start that must be text, or else half the cells of the head, for a file to be called text."""
NEAR = 64
"""Bytes between two of them, up to which they are one flaw."""
# Lone surrogates, noncharacters and controls: units that no text has.
BAD_UNITS = re.compile("[\x00-\x07\x0e-\x19\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def flaws(blob: Blob, codec: str, spans: list[tuple[int, int]]) -> tuple[Flaw, ...]:
    """The first impossible stretches of `spans`, which begin on multiples of four.

    Raises:
        Malformed: the file begins with one.
        Unreadable: see `Blob.at`.
    """
    found: list[Flaw] = []
    search = _utf32 if unit(codec) == 4 else _utf16
    for begin, stop in spans:
        for at in range(begin, stop, SLICE):
            for start, end in search(blob.at(at, min(SLICE, stop - at)), codec):
                if at + start < START:
                    raise Malformed(at + start, "no character of any text")
                if found and at + start - found[-1].end <= NEAR:
                    found[-1] = Flaw(found[-1].start, at + end, found[-1].what)
                elif len(found) >= MAX_FLAWS:
                    return tuple(found)
                else:
                    found.append(Flaw(at + start, at + end, "no character of any text"))
    return tuple(found)


def _utf32(data: bytes, codec: str) -> Iterator[tuple[int, int]]:
    yield from bad_utf32(data, codec)


def _utf16(data: bytes, codec: str) -> Iterator[tuple[int, int]]:
    units = data[: len(data) & ~1].decode(codec, "surrogatepass")
    astral = len(units) * 2 != len(data) & ~1
    index = start = 0
    for hit in BAD_UNITS.finditer(units):
        # Characters beyond the first plane take two units: with those, places must be counted.
        between = units[index : hit.start()]
        start += len(between.encode(codec, "surrogatepass")) if astral else len(between) * 2
        index = hit.start()
        if index in (0, len(units) - 1) and "\ud800" <= hit.group() <= "\udfff":
            continue  # a pair the slice cut
        yield start, start + 2
