"""Deflate streams (RFC 1951) inflated to test them: bounded, in slices, told where they break.

ZIP, gzip, PNG and PDF share it. zlib gives up late: random bytes inside a Huffman block decode to rubbish
until a false end of block or an impossible distance turns up. Measured on members of 0.4 to 1.6 MB that are
random from some place on: after 750 bytes (hexadecimal digits) to 16 KB (program text) in the middle, 6 to
114 KB in the last hundredth. The place of a break is given as "from `LATE` before" it. A short strike is
often not noticed at all before the checksum, for Huffman codes fall into step again.

ISA-L goes first, for it is two to three times as fast and refuses what zlib refuses, at the same place. It
cannot go back: where it meets a break, zlib goes the same way again (docs/decisions/0010-isal.md).
"""

import zlib
from collections import deque
from dataclasses import dataclass
from enum import Enum

from isal import isal_zlib

from vigie.formats.contract import Effort
from vigie.model import Blob

SLICE = 16 * 1024
"""Bytes fed to zlib at a time; the slice that breaks the stream is fed again by"""
STEP = 16
"""bytes, to know the place."""
FAST = 64 * 1024
"""Bytes fed to ISA-L, and taken from it, at a time: what stays in the cache, and is no page of its own."""

LATE = 16 * 1024
"""How long zlib is taken to go on after the first wrong byte."""

_PRODUCE = 1024 * 1024
_FETCH = 256 * 1024


class Stop(Enum):
    """Why inflating ended."""

    ENDED = "the stream ended"
    BROKEN = "the stream is broken"
    SHORT = "the input ended first"
    SPENT = "the effort is spent"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place of a stream from which on it can be inflated once more."""

    position: int
    engine: "zlib._Decompress"
    """As it stood there: to be copied, not used."""


@dataclass(frozen=True, slots=True)
class Inflated:
    """How far a stream could be followed."""

    stop: Stop
    end: int
    """The first byte behind the stream, or (within `STEP`) the byte at which it could not go on."""
    size: int
    """Bytes produced."""
    crc: int
    """CRC-32 of what was produced."""
    adler: int
    """Adler-32 of what was produced."""


def inflate(
    blob: Blob,
    start: int,
    end: int,
    effort: Effort,
    before: bytes = b"",
    marks: deque[Mark] | None = None,
) -> Inflated:
    """Follow the raw deflate stream at `[start, end)`; `before` stands in for the output that precedes it.

    A mark is left in `marks` at every slice.

    Raises:
        Unreadable: the blob cannot be read.
    """
    if not before and marks is None:
        found = unbroken(blob, start, end, effort)
        if found is not None:
            return found
    engine = zlib.decompressobj(-zlib.MAX_WBITS, zdict=before)
    position, size, crc, adler = start, 0, 0, 1
    window, base = b"", start
    while position < end and effort.left > 0:
        if position >= base + len(window):
            base, window = position, blob.at(position, min(_FETCH, end - position))
            if not window:
                break
        feed = window[position - base : position - base + SLICE]
        given = len(feed)
        effort.spend(given)
        kept = engine.copy()
        if marks is not None:
            marks.append(Mark(position, kept))
        while True:
            try:
                out = engine.decompress(feed, _PRODUCE)
            except zlib.error:
                place = position + _step(kept.copy(), window[position - base :][:given])
                return Inflated(Stop.BROKEN, place, size, crc, adler)
            size += len(out)
            crc = zlib.crc32(out, crc)
            adler = zlib.adler32(out, adler)
            effort.spend(len(out))
            feed = engine.unconsumed_tail
            if engine.eof or effort.left <= 0 or (not feed and len(out) < _PRODUCE):
                break
        position += given
        if engine.eof:
            return Inflated(Stop.ENDED, position - len(engine.unused_data), size, crc, adler)
    stop = Stop.SPENT if effort.left <= 0 else Stop.SHORT
    return Inflated(stop, position, size, crc, adler)


def unbroken(blob: Blob, start: int, end: int, effort: Effort) -> Inflated | None:
    """The same as `inflate`, fast; nothing, and nothing spent, if the stream is broken.

    Raises:
        Unreadable: the blob cannot be read.
    """
    engine, left = isal_zlib.decompressobj(-zlib.MAX_WBITS), effort.left
    position, size, crc, adler = start, 0, 0, 1
    while position < end and effort.left > 0:
        feed = blob.at(position, min(FAST, end - position))
        if not feed:
            break
        position += len(feed)
        effort.spend(len(feed))
        while True:
            try:
                out = engine.decompress(feed, FAST)
            except isal_zlib.error:  # type: ignore[misc] # its stubs take the class for an instance
                effort.left = left
                return None
            size += len(out)
            crc = isal_zlib.crc32(out, crc)
            adler = isal_zlib.adler32(out, adler)
            effort.spend(len(out))
            feed = engine.unconsumed_tail
            if engine.eof or effort.left <= 0 or (not feed and len(out) < FAST):
                break
        if engine.eof:
            return Inflated(Stop.ENDED, position - len(engine.unused_data), size, crc, adler)
    stop = Stop.SPENT if effort.left <= 0 else Stop.SHORT
    return Inflated(stop, position, size, crc, adler)


def _step(engine: "zlib._Decompress", feed: bytes) -> int:
    """How much of `feed` passes before the step that breaks the stream."""
    for place in range(0, len(feed), STEP):
        piece = feed[place : place + STEP]
        try:
            while piece:
                engine.decompress(piece, _PRODUCE)
                piece = engine.unconsumed_tail
        except zlib.error:
            return place
    return len(feed)


def crc32(blob: Blob, start: int, end: int, effort: Effort) -> int | None:
    """CRC-32 of `[start, end)`, or nothing where the effort does not reach that far.

    Raises:
        Unreadable: the blob cannot be read.
    """
    if end - start > effort.left:
        return None
    effort.spend(end - start)
    crc = 0
    for position in range(start, end, _FETCH):
        crc = isal_zlib.crc32(blob.at(position, min(_FETCH, end - position)), crc)
    return crc
