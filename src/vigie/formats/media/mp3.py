"""MP3 (MPEG audio, ISO/IEC 11172-3 and 13818-3): every frame header, chained from frame to frame.

A header leaves 17 bits of a stream as they are and says how long the frame is: a random one fits once in
130,000 times, a chain of three never. Tags (ID3v1, ID3v2, APE, Lyrics3) are stepped over; what stands in them
may be anything. Parsed by hand: bounds, resynchronising and speed.
"""

import re

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.media.chain import Chain, Grammar
from vigie.formats.media.findings import Findings
from vigie.formats.media.tags import ahead, id3v2, tag
from vigie.model import Anatomy, Blob, Kind

LONGEST = 2881
"""Bytes of a frame at most: 160 kbit/s at 8 kHz in layer II of MPEG-2.5."""
SEARCH = 64 * 1024
"""Bytes behind a tag in which the first frame must stand."""
_V1 = (
    (),
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # layer III
    (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),  # layer I
)
_V2_LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_V2_ONE = (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
_RATES = (44100, 48000, 32000)
_SYNC = re.compile(rb"\xff[\xe2-\xe7\xf2-\xff]")


def frame_length(header: bytes) -> int:
    """Bytes of the frame with this header (11172-3, 2.4.2.3), or 0; free formats are not known here."""
    if len(header) < 3 or header[0] != 0xFF or header[1] < 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    step, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or not layer or not 0 < step < 15 or rate == 3:
        return 0
    hertz = _RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    table = _V1[layer] if version == 3 else _V2_ONE if layer == 3 else _V2_LOW
    bits = table[step - 1] * 1000
    if layer == 3:
        return (12 * bits // hertz + padding) * 4
    return (72 if layer == 1 and version != 3 else 144) * bits // hertz + padding


def _lengths(version_layer: int, rate: int) -> dict[bytes, int]:
    """Every first three bytes that a header of one stream may have, and the length of its frame."""
    return {
        head: length
        for protection in (0, 1)
        for third in range(256)
        if third >> 2 & 3 == rate
        and (length := frame_length(head := bytes((0xFF, version_layer | protection, third))))
    }


def grammar_like(header: bytes) -> Grammar | None:
    """The grammar of the stream that this header belongs to."""
    if not frame_length(header):
        return None
    lengths = _lengths(header[1] & 0xFE, header[2] >> 2 & 3)
    sync = re.compile(b"\xff[" + re.escape(bytes((header[1] & 0xFE, header[1] | 1))) + b"]")
    known = frozenset(lengths.values())
    return Grammar(
        sync, lambda data, index: lengths.get(data[index : index + 3], 0), max(known), tag, lengths=known
    )


def _start(data: bytes, size: int) -> tuple[int, Grammar] | None:
    """Where in `data` (of a blob of `size` bytes, from its first frame on) a chain of two or more begins."""
    for match in _SYNC.finditer(data):
        grammar = grammar_like(data[match.start() : match.start() + 3])
        if grammar is None:
            continue
        place, links = match.start(), 0
        while links < 3 and (length := grammar.length(data, place)):
            place, links = place + length, links + 1
        if links == 3 or (links == 2 and place >= min(size, len(data))):
            return match.start(), grammar
    return None


def recognises(head: bytes) -> bool:
    """An ID3v2 tag of sane header, or a chain of frames from the first byte on."""
    if id3v2(head, 0):
        return True
    found = _start(head, 1 << 62) if _SYNC.match(head) else None
    return found is not None and found[0] == 0


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Tags, then frames to the end.

    Raises:
        Malformed: no chain of frames where one must begin.
        Unreadable: the blob cannot be read.
    """
    findings = Findings(blob.size)
    tagged = id3v2(blob.at(0, 16), 0)
    if tagged:
        findings.region(0, 10, Kind.STRUCTURED, "ID3v2 header")
        findings.region(10, tagged, Kind.OPAQUE, "ID3v2 tag")
    offset = ahead(blob)
    data = blob.at(offset, SEARCH)
    found = _start(data, blob.size - offset)
    if found is None:
        if not tagged:
            raise Malformed(0, "no MPEG audio frames")
        findings.note("behind its ID3 tag stands no MPEG audio")
        return findings.anatomy("mp3")
    place, grammar = found
    if place > grammar.longest and not tagged and data[:place].strip(b"\0"):
        findings.flaw(0, place, "no frame where one must begin")
    elif place:
        findings.note(f"{place} bytes before the first frame")
    Chain(blob, grammar, findings).run(offset + place, blob.size, effort)
    return findings.anatomy("mp3")


FORMAT = Format(
    name="mp3",
    title="MPEG audio (MP3)",
    specification="ISO/IEC 11172-3 2.4; ID3v2.4.0 3.1",
    suffixes=("mp3", "mp2", "mpga"),
    recognises=recognises,
    dissect=dissect,
)
