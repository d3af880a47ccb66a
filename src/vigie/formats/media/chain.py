"""Streams that are chains of frames, each of which says how long it is: MP3, AAC, MPEG packs and packets.

A header that does not stand where the frame before ends is a break. Spliced and ripped recordings have
harmless ones (a frame cut short, a few lost bytes, a tag between): those are counted and noted. What cannot
be explained so is a flaw, up to where the chain goes on.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from vigie.formats.media.findings import Findings
from vigie.formats.media.stretch import places
from vigie.model import Blob, Kind

SLICE = 1024 * 1024
"""Bytes read at a time."""
LINKS = 3
"""Frames in a row that make a chain."""
ODD = 8
"""Harmless breaks that a recording may have; beyond, more than one in a hundred frames is too many."""
STEPPED = 2
"""Breaks exactly as long as a frame that are not harmless: there the header of a frame was overwritten, for
what is spliced goes on anywhere."""
REACH = 16
"""Bytes of a header, at most."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """How the frames of one stream are known."""

    sync: re.Pattern[bytes]
    """Where a frame may begin."""
    length: Callable[[bytes, int], int]
    """Length of the frame whose header stands at an index; 0 if none does."""
    longest: int
    """Bytes that a frame has at most."""
    tag: Callable[[bytes, int], int]
    """Length of what may stand between frames (tags, padding) at an index; 0 if none does."""
    what: str = "audio frames"
    lenient: bool = True
    """Whether a break no longer than a frame is harmless, if there are few."""
    lengths: frozenset[int] = frozenset()
    """All lengths that frames of this stream may have, where they are few."""


class Chain:
    """Follows the frames of a stretch of a blob."""

    def __init__(self, blob: Blob, grammar: Grammar, findings: Findings) -> None:
        self.blob = blob
        self.grammar = grammar
        self.findings = findings
        self.frames = 0
        self._seen = 0  # bytes of the longest frame so far
        self._odd: list[tuple[int, int]] = []
        self._base, self._data = 0, b""

    def run(self, start: int, end: int, effort: int) -> None:
        """Walk `[start, end)`, as far as the effort reaches."""
        self.findings.region(start, end, Kind.CODED, self.grammar.what)
        reached = start
        for first, last in places(start, end, effort):
            if first > reached:
                self.findings.note("long: not every frame is tested")
                reached = self._next(first, min(last, first + 2 * self.grammar.longest), first)
            reached = self._walk(reached, last)
        if reached > self.blob.size:
            self.findings.note("the last frame is not whole")
        self._settle()

    def _walk(self, position: int, end: int) -> int:
        """Follow the frames that begin before `end`; returns where the next one begins."""
        before = position
        while position < end:
            data, index = self._at(position, REACH)
            length = self.grammar.length(data, index) if data else 0
            if length:
                before, position = position, position + length
                self.frames += 1
                self._seen = max(self._seen, length)
                continue
            skipped = self.grammar.tag(data, index)
            if skipped:
                before = position = position + skipped
                continue
            before = position = self._broken(before, position, end)
        return position

    def _broken(self, before: int, lost: int, end: int) -> int:
        """Judge a break at `lost`; returns where the chain goes on."""
        place = self._next(before + 4 if before < lost else lost, end, lost)
        gap = place - lost
        if place >= end:
            if gap <= 2 * self._seen:  # the recording ends amid a frame, or behind it
                self.findings.note("the last frame is not whole")
                return end
            if not self.blob.at(lost, min(gap, SLICE)).strip(b"\0"):
                self.findings.note(f"zeros from byte {lost}")
                return end
        if self.grammar.lenient and gap <= max(self._seen, 512):
            self._odd.append((min(lost, place), place))
            if len(self._odd) > 4096:
                self._settle()
            return place
        # A chain may begin by chance, and the frame before the break may be hit itself.
        self.findings.struck(self.blob, before, place, lost, "no frame where one must begin")
        return place

    def _settle(self) -> None:
        """Small breaks: harmless if few."""
        stepped = sum(place - start in self.grammar.lengths for start, place in self._odd)
        if len(self._odd) > max(ODD, self.frames // 100) or stepped >= max(STEPPED, self.frames // 1000):
            for start, place in self._odd:
                self.findings.flaw(start, max(place, start + 64), "frames break off again and again")
        elif self._odd:
            self.findings.note(f"spliced: {len(self._odd)} small breaks")
        self._odd = []

    def _next(self, start: int, end: int, lost: int) -> int:
        """Where from `start` on a chain of frames begins, or `end`."""
        position = start
        while position < end:
            data = self.blob.at(position, min(SLICE + REACH, self.blob.size - position))
            for match in self.grammar.sync.finditer(data):
                place = position + match.start()
                if place >= end:
                    return end
                if place != lost and self._links(place):
                    return place
            position += SLICE
        return end

    def _links(self, place: int) -> bool:
        for count in range(LINKS):
            data, index = self._at(place, REACH)
            length = self.grammar.length(data, index) if data else 0
            if not length:
                return count == LINKS - 1 and place >= self.blob.size
            place += length
        return True

    def _at(self, position: int, length: int) -> tuple[bytes, int]:
        """A buffer and the index in it where `position` stands."""
        index = position - self._base
        if index < 0 or index + length > len(self._data):
            if position >= self.blob.size:
                return b"", 0
            if 0 <= index < len(self._data) and self._base + len(self._data) >= self.blob.size:
                return self._data, index
            self._base, self._data = position, self.blob.at(position, SLICE)
            index = 0
        return self._data, index
