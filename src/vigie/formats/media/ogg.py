"""Ogg (RFC 3533): pages, each with a CRC-32 over all of it; after a broken one, the next whose CRC holds.

The CRC is not reflected, unlike zlib's of the same polynomial: with the bits of every byte turned round, zlib
computes it.
"""

import re
import zlib
from collections.abc import Iterator

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.media.findings import Findings
from vigie.formats.media.stretch import places, uniform_part
from vigie.formats.media.tags import tag
from vigie.model import Anatomy, Blob, Kind

LONGEST = 27 + 255 + 255 * 255
"""Bytes of a page at most (RFC 3533, section 6)."""
SLICE = 1024 * 1024
_TURNED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_CAPTURE = re.compile(rb"OggS\0[\x00-\x07]")


def page_crc(page: bytes) -> int:
    """The CRC-32 of a page (section 6, field 7): the polynomial 04C11DB7, from 0, with its own field zero."""
    turned = (page[:22] + b"\0\0\0\0" + page[26:]).translate(_TURNED)
    reflected = zlib.crc32(turned, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_TURNED), "big")


def page_length(data: bytes, index: int = 0) -> int:
    """Bytes of the page whose header stands at an index, or 0."""
    if not _CAPTURE.match(data, index) or len(data) < index + 27:
        return 0
    table = data[index + 27 : index + 27 + data[index + 26]]
    return 27 + data[index + 26] + sum(table) if len(table) == data[index + 26] else 0


def recognises(head: bytes) -> bool:
    """A first page: capture pattern, version 0, the flag "beginning of stream" (section 6)."""
    return head.startswith((b"OggS\0\2", b"OggS\0\6")) and len(head) >= 27


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Pages, their CRCs, and the numbers that they count.

    Raises:
        Malformed: no page at the beginning.
        Unreadable: the blob cannot be read.
    """
    if not page_length(blob.at(0, 27 + 255)):
        raise Malformed(0, "no Ogg page")
    findings = Findings(blob.size)
    findings.region(0, 27, Kind.STRUCTURED, "header of the first page")
    findings.region(27, blob.size, Kind.CODED, "pages")
    reached = 0
    for start, end in places(0, blob.size, effort):
        if start > reached:
            findings.note("long: not every page is tested")
        reached = _walk(blob, max(start, reached), end, findings, exact=start <= reached)
    return findings.anatomy("ogg")


def _walk(blob: Blob, start: int, end: int, findings: Findings, *, exact: bool) -> int:
    """The pages that begin in `[start, end)`; returns where the next one begins."""
    position = start
    while position < end:
        page = blob.at(position, LONGEST)
        length = page_length(page)
        if length and length <= len(page):
            if page_crc(page[:length]) == int.from_bytes(page[22:26], "little"):
                findings.checked += length
                position, exact = position + length, True
                continue
            following = position + length
            if following >= blob.size or page_length(blob.at(following, 27 + 255)):
                hit = uniform_part(blob, position, following) if findings.closely() else None
                findings.flaw(
                    *(hit or (position, following)), "the CRC of a page does not match", checksum=True
                )
                position, exact = following, True
                continue
        if exact and (skipped := tag(page, 0)):
            position += skipped
            continue
        following = _next(blob, position + 1, end)
        if exact or following >= end:
            _lost(blob, position, following, findings, exact=exact)
        position, exact = following, True
    return position


def _lost(blob: Blob, position: int, following: int, findings: Findings, *, exact: bool) -> None:
    if following >= blob.size and exact and page_length(blob.at(position, 27 + 255)):
        findings.flaw(blob.size, blob.size, "the file ends inside a page")
        # A page length that was overwritten is not told from a cut but by the bytes.
        hit = uniform_part(blob, position, following)
        if hit or following - position > LONGEST:
            findings.flaw(*(hit or (position, following)), "a page that has no end")
    elif following - position > LONGEST or exact:
        # Where a page says how long it is, it is the next header that is lost, and the hit is around that.
        lost = position + page_length(blob.at(position, 27 + 255))
        lost = lost if lost < following else position
        findings.struck(blob, position, following, lost, "no page where one must begin", checksum=True)


def _next(blob: Blob, start: int, end: int) -> int:
    """The next page from `start` on whose CRC holds, or `end`."""
    # Mostly it stands close by: a first look that is short.
    for position in (start, *range(start + LONGEST, end, SLICE)):
        for place in _candidates(blob, position, LONGEST if position == start else SLICE):
            if place >= end:
                return end
            page = blob.at(place, LONGEST)
            length = page_length(page)
            if (
                length
                and length <= len(page)
                and page_crc(page[:length]) == int.from_bytes(page[22:26], "little")
            ):
                return place
    return end


def _candidates(blob: Blob, position: int, length: int) -> Iterator[int]:
    for match in _CAPTURE.finditer(blob.at(position, length + 5)):
        yield position + match.start()


FORMAT = Format(
    name="ogg",
    title="Ogg audio or video",
    specification="RFC 3533 6",
    suffixes=("ogg", "oga", "ogv", "ogx", "opus", "spx"),
    recognises=recognises,
    dissect=dissect,
)
