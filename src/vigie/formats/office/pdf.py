"""PDF (ISO 32000-1): streams tested by their filters, the text between, and the cross-reference chain."""

import re
from bisect import bisect
from collections.abc import Iterable

from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.formats.office import pdf_text
from vigie.formats.office.pdf_objects import Outline, Stream, outline, search_back
from vigie.formats.office.pdf_streams import Tests
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

REVISIONS = 1024
"""Cross-reference sections followed through `/Prev`."""
TAIL = 4096
"""How far before the end `startxref` and `%%EOF` are looked for; readers differ, Annex H.3.18 says 1024."""
MOST = 4096
"""Regions kept."""
FLAWS = 1024
DEFLATED = 5
"""How much testing a stream costs for each of its bytes: what it inflates to counts as well."""
TEXT = 1024 * 1024
"""Text between two streams is surveyed in pieces of this size."""
_HEADER = re.compile(rb"%PDF-\d\.\d")
_JUNK = re.compile(rb"%PDF-\d\.\d[^\r\n]{0,32}[\r\n]{1,2}(?:%|\d{1,10} \d{1,5} obj)")
_STARTXREF = re.compile(rb"startxref[\x00\t\n\x0c\r %]*(\d{1,12})")
_TRAILER = re.compile(rb"trailer[\x00\t\n\x0c\r ]*<<")
_PREV = re.compile(rb"/Prev[\x00\t\n\x0c\r ]+(\d{1,12})")
_HYBRID = re.compile(rb"/XRefStm[\x00\t\n\x0c\r ]+(\d{1,12})")
_ENCRYPT = re.compile(rb"/Encrypt[\x00\t\n\x0c\r ]*(?:<<|\d)")
_STANDARD = re.compile(rb"/Filter[\x00\t\n\x0c\r ]*/Standard\b")


def recognises(head: bytes) -> bool:
    """A header at the start, or within the first 1024 bytes if PDF follows it (7.5.2, Annex H.3.3)."""
    return bool(_HEADER.match(head.lstrip(b"\xef\xbb\xbf\0\t\n\x0c\r ")) or _JUNK.search(head[:1100]))


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The anatomy of a PDF file.

    Half of the effort goes into finding the objects, the rest into what their streams hold.

    Raises:
        Malformed: no header in the first 1024 bytes.
        Unreadable: the blob cannot be read.
    """
    header = _HEADER.search(blob.at(0, 1032))
    if not header:
        raise Malformed(0, "no PDF header")
    start = header.start()
    left = Effort(effort // 2)
    plan = outline(blob, start, left)
    gaps = _gaps(blob, plan, start)
    encrypted = _encrypted(blob, plan, gaps)
    tests = Tests(blob, encrypted, Effort(effort - effort // 2 + max(0, left.left)))
    for stream in _order(plan.streams, tests.effort.left):
        tests.run(stream)
    for begin, end in gaps:
        _text(blob, begin, end, tests)
    if encrypted:
        tests.note("encrypted by password")
    if start:
        tests.note(f"{start} bytes before the header")
    if not plan.complete:
        tests.note("too many objects, or too long: the rest is not tested")
    _ending(blob, plan, start, tests)
    regions = tests.regions
    if len(regions) > MOST:
        tests.note(f"{len(regions)} regions: only the longest are named")
        # What is left out counts as opaque: so structured ones, which are held to the most, stay first.
        regions = sorted(regions, key=lambda one: (one.kind is not Kind.STRUCTURED, one.start - one.end))[
            :MOST
        ]
    regions = sorted(regions, key=lambda region: region.start)
    flaws = sorted(tests.flaws, key=lambda flaw: flaw.start)[:FLAWS]
    return Anatomy("pdf", tuple(regions), tuple(flaws), tests.checked, tuple(tests.notes))


def _order(streams: tuple[Stream, ...], effort: int) -> Iterable[Stream]:
    """In which order streams are tested: where not all can be, both ends first, then places between."""
    if sum(stream.end - stream.start for stream in streams) * DEFLATED <= effort:
        return streams
    # Multiples of the golden section fall evenly into any number of parts.
    spread = sorted(range(1, len(streams) - 1), key=lambda index: index * 0.6180339887 % 1)
    return (streams[index] for index in dict.fromkeys((0, len(streams) - 1, *spread)))


def _gaps(blob: Blob, plan: Outline, start: int) -> list[tuple[int, int]]:
    """What lies between the streams, in pieces."""
    gaps: list[tuple[int, int]] = []
    position = start
    end = blob.size
    if not plan.complete:
        end = plan.streams[-1].end if plan.streams else start
    for stop, following in [*((s.start, s.end) for s in plan.streams), (end, end)]:
        gaps.extend((at, min(at + TEXT, stop)) for at in range(position, stop, TEXT))
        position = following
    return gaps


def _encrypted(blob: Blob, plan: Outline, gaps: list[tuple[int, int]]) -> bool:
    """Whether a trailer names an encryption dictionary (7.6.1), or one of the standard handler is there."""
    if any(b"/XRef" in s.dictionary and _ENCRYPT.search(s.dictionary) for s in plan.streams):
        return True
    for begin, end in gaps:
        text = blob.at(begin, end - begin)
        if b"/Encrypt" in text and any(
            _ENCRYPT.search(text, m.end(), m.end() + 4096) for m in _TRAILER.finditer(text)
        ):
            return True
        if b"/Standard" in text and _STANDARD.search(text):
            return True
    return False


def _text(blob: Blob, begin: int, end: int, tests: Tests) -> None:
    found = pdf_text.survey(blob.at(begin, end - begin))
    position = begin
    for start, stop in [*found.strings, (end - begin, end - begin)]:
        if position < begin + start:
            region = Region(position, begin + start, Kind.STRUCTURED, "objects", Charset.LATIN1)
            tests.regions.append(region)
        position = begin + stop
    for first, last in found.broken:
        tests.flaws.append(Flaw(begin + first, begin + last, "control characters between objects"))


def _ending(blob: Blob, plan: Outline, shift: int, tests: Tests) -> None:
    """The end marker, and the chain of cross-reference sections from `startxref` back (7.5.4 to 7.5.8)."""
    marker = search_back(blob, b"%%EOF", TAIL)
    place = search_back(blob, b"startxref", TAIL)
    if marker < 0 or (plan.complete and any(one > marker for one in plan.objects)):
        tests.flaws.append(Flaw(blob.size, blob.size, "no end of file marker"))
        return
    said = _STARTXREF.match(blob.at(place, 64)) if place >= 0 else None
    if not said:
        tests.flaws.append(Flaw(max(place, 0) or blob.size, blob.size, "no startxref"))
        return
    if not plan.complete:
        return  # what it points to may not have been seen
    waiting = [int(said[1])]
    seen: set[int] = set()
    while waiting and len(seen) < REVISIONS:
        offset = waiting.pop()
        if offset in seen:
            continue
        seen.add(offset)
        section = _section(blob, plan, offset, shift, tests)
        if section is None:
            # Readers rebuild the table then. Whether it was overwritten shows in its own bytes: they are
            # text, or a deflate stream, and tested as such.
            tests.note(f"byte {offset} should hold a cross-reference section, and does not")
            return
        waiting.extend(int(match[1]) for match in (_PREV.search(section), _HYBRID.search(section)) if match)


def _section(blob: Blob, plan: Outline, offset: int, shift: int, tests: Tests) -> bytes | None:
    """The trailer dictionary of the section at `offset`; nothing where no section is."""
    for base in dict.fromkeys((offset, offset + shift)):
        head = blob.at(base, 64)
        at = base + len(head) - len(head.lstrip(b"\0\t\n\x0c\r "))
        if head.lstrip(b"\0\t\n\x0c\r ").startswith(b"xref"):
            # A table is made of lines of 20 bytes; its trailer stands behind them.
            for begin in range(at, blob.size, TEXT):
                tests.effort.spend(TEXT)
                if tests.effort.left <= 0:
                    return b""
                window = blob.at(begin, TEXT + 4096)
                if match := _TRAILER.search(window):
                    return window[match.start() : match.start() + 4096]
            return None
        if at in plan.objects:
            index = bisect(plan.streams, at, key=lambda stream: stream.start)
            following = plan.streams[index : index + 1]
            return following[0].dictionary if following and following[0].start < at + 8192 else b""
    return None


FORMAT = Format(
    name="pdf",
    title="PDF document",
    specification="ISO 32000-1, 7.3 to 7.6",
    suffixes=("pdf", "fdf"),
    recognises=recognises,
    dissect=dissect,
    plain=True,
)
