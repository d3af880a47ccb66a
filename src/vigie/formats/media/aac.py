"""AAC in ADTS frames (ISO/IEC 13818-7, 6.2), chained: 28 bits of each header never change."""

import re

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.media.chain import LINKS, Chain, Grammar
from vigie.formats.media.findings import Findings
from vigie.formats.media.tags import ahead, tag
from vigie.model import Anatomy, Blob

LONGEST = 8191
"""Bytes of a frame at most: its length has 13 bits."""
SEARCH = 64 * 1024
"""Bytes in which the first frame must stand, where only the name says that this is AAC."""
_SYNC = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")


def frame_length(data: bytes, index: int) -> int:
    """Bytes of the frame whose header stands at an index, or 0."""
    head = data[index : index + 7]
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 0xF > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0


def _grammar_like(header: bytes) -> Grammar:
    fixed = header[0], header[1], header[2], header[3] & 0xF0

    def length(data: bytes, index: int) -> int:
        head = data[index : index + 4]
        if len(head) < 4 or (head[0], head[1], head[2], head[3] & 0xF0) != fixed:
            return 0
        return frame_length(data, index)

    return Grammar(re.compile(re.escape(header[:3])), length, LONGEST, tag)


def _start(data: bytes, size: int, at_most: int) -> tuple[int, Grammar] | None:
    """Where in `data`, the beginning of a blob of `size` bytes, a chain begins."""
    for match in _SYNC.finditer(data):
        if match.start() > min(at_most, len(data) - 4):
            return None
        grammar = _grammar_like(data[match.start() : match.start() + 4])
        place, links = match.start(), 0
        while links < LINKS and (length := grammar.length(data, place)):
            place, links = place + length, links + 1
        # A head may show no more than the first frame, and a short recording have no more.
        if links == LINKS or (links == 2 and place + 7 > min(size, len(data))):
            return match.start(), grammar
    return None


def recognises(head: bytes) -> bool:
    """Frames that chain from the first byte on."""
    return bool(_SYNC.match(head)) and _start(head, len(head), 0) is not None


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Frames to the end.

    Raises:
        Malformed: no chain of frames where one must begin.
        Unreadable: the blob cannot be read.
    """
    findings = Findings(blob.size)
    offset = ahead(blob)
    found = _start(blob.at(offset, SEARCH), blob.size - offset, SEARCH)
    if found is None:
        raise Malformed(0, "no ADTS frames")
    place, grammar = found
    if place > 2 * max(grammar.length(blob.at(offset + place, 7), 0), 512):
        findings.flaw(0, place, "no frame where one must begin")
    elif place:
        findings.note(f"{place} bytes before the first frame")
    Chain(blob, grammar, findings).run(offset + place, blob.size, effort)
    return findings.anatomy("aac")


FORMAT = Format(
    name="aac",
    title="AAC audio (ADTS)",
    specification="ISO/IEC 13818-7 6.2",
    suffixes=("aac", "adts"),
    recognises=recognises,
    dissect=dissect,
)
