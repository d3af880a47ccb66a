"""Plain text: UTF-8, UTF-16 or a single-byte character set, decided over the whole file; and its notes.

`survey` is what every format made of text builds on (HL7 v2, CSV, and XML and JSON that do not parse).
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from vigie.formats.contract import EFFORT, HEAD, Format, Malformed
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

SLICE = 1024 * 1024
MAX_FLAWS = 64
MAX_LOCATED = 4
"""Slices with impossible bytes in which their places are looked up; the judge measures the rest anyway."""

_TOLERATED = b"\x08\x1a\x1c\x1d\x1e\x1f"  # backspace, DOS end of file, MLLP and separators: rare
_BAD = bytes(c for c in (*range(0x20), 0x7F) if c not in b"\t\n\v\f\r\x1b" + _TOLERATED)
_GOOD = bytes(c for c in range(256) if c not in _BAD)
_ASCII = bytes(range(0x80))
_HIGH = bytes(range(0x80, 0x100))
_NOT_C1 = bytes(c for c in range(256) if not 0x80 <= c < 0xA0)

# Impossible bytes that stand at most 64 apart make one stretch. The sets exclude one another, so little is
# ever tried twice.
_SET = b"".join(rb"\x%02x" % c for c in _BAD)
_BAD_START = re.compile(rb"[" + _SET + rb"]")
_STRETCH = re.compile(rb"[" + _SET + rb"](?:[^" + _SET + rb"]{0,64}[" + _SET + rb"])*")
_STRETCH_HIGH = re.compile(
    rb"[" + _SET + rb"\x80-\xff](?:[^" + _SET + rb"\x80-\xff]{0,64}[" + _SET + rb"\x80-\xff])*"
)
# Unicode 16, table 3-7: the well-formed characters of two, three and four bytes, and blanks in their place.
_CHARACTERS = (
    (re.compile(rb"[\xc2-\xdf][\x80-\xbf]"), b"  "),
    (
        re.compile(
            rb"\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
        ),
        b"   ",
    ),
    (
        re.compile(rb"\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"),
        b"    ",
    ),
)
_LONG_RUN = re.compile(rb"[\x80-\xff]{9}")
_MARGIN = 40
"""Bytes around an impossible one that are not asked for their character set."""

_CELL = 16
_PRINTED = bytes(c for c in range(0x80) if c not in _BAD)
_START = 64
"""Bytes at the start that must be text, or else half the cells of the head, for a file to be called text."""

# Lone surrogates, noncharacters and controls: units that no UTF-16 text has.
_BAD_UNITS = re.compile("[\x00-\x07\x0e-\x19\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class TextSurvey:
    """How a blob is written, and where it cannot be text."""

    charset: Charset
    codec: str
    """Python's name of the encoding, to decode with."""
    flaws: tuple[Flaw, ...]
    notes: tuple[str, ...] = ()


def wide(head: bytes) -> str | None:
    """The UTF-16 codec a head is written in, by its byte order mark or by where its zeros stand."""
    if head[:2] == b"\xff\xfe":
        return "utf-16-le"
    if head[:2] == b"\xfe\xff":
        return "utf-16-be"
    half = len(head) // 2
    even, odd = head[: half * 2 : 2].count(0), head[1 : half * 2 : 2].count(0)
    if half >= 2 and max(even, odd) * 3 >= half and min(even, odd) * 64 <= half:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None


def read_head(head: bytes) -> str:
    """The head of a file as characters, for formats that look for a word in it; never fails."""
    codec = wide(head) or "utf-8"
    return head.decode(codec, "replace").removeprefix("\ufeff")


def clean(head: bytes) -> bool:
    """Whether the whole head is surely text; a character cut at its end is fine."""
    if not head:
        return False
    codec = wide(head)
    if codec:
        units = head[: len(head) & ~1].decode(codec, "surrogatepass")
        bad = _BAD_UNITS.search(units)
        return bad is None or (bad.start() == len(units) - 1 and len(head) >= HEAD - 1)
    if head.translate(None, _GOOD):
        return False
    if len(head) - len(head.translate(None, _TOLERATED)) > len(head) // 64 + 2:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD)
    except UnicodeDecodeError:
        return _single_byte(head)
    return True


def _single_byte(data: bytes) -> bool:
    """Whether bytes that are not UTF-8 look like Latin-1 or a cousin: some high bytes, few in a row."""
    high = len(data.translate(None, _ASCII))
    c1 = len(data.translate(None, _NOT_C1))
    return high * 10 <= len(data) * 3 and c1 * 20 <= len(data) + 19 and _LONG_RUN.search(data) is None


def survey(blob: Blob) -> TextSurvey:
    """Decide the character set of the whole blob, and find the stretches that no text has.

    Raises:
        Malformed: it is empty, or neither its start nor half of its head can be text.
        Unreadable: see `Blob.at`.
    """
    if blob.size == 0:
        raise Malformed(0, "empty")
    codec = wide(blob.at(0, HEAD))
    if codec:
        return _survey_wide(blob, codec)
    head = blob.at(0, HEAD)
    bad = _BAD_START.search(head, 0, _START)
    cells = range(0, len(head), _CELL)
    # A file that is struck here and there is still text, and its hits are told better from the whole of it.
    if bad and 2 * sum(_BAD_START.search(head, at, at + _CELL) is not None for at in cells) >= len(cells):
        raise Malformed(bad.start(), f"byte {bad.group()[0]:02X} stands in no text")
    # One pass in C: which slices hold impossible bytes, and how much of the rest is UTF-8.
    dirty: list[int] = []
    wrong: list[int] = []
    valid = invalid = holes = high = size = 0
    for at, data in _slices(blob):
        if data.isascii():
            if data.translate(None, _GOOD):
                dirty.append(at)
            continue
        if data.translate(None, _GOOD):
            dirty.append(at)
        try:
            data.decode("utf-8")
            valid += len(data.translate(None, _ASCII))
        except UnicodeDecodeError:
            wrong.append(at)
            healthy, stretches = _healthy(data)
            wrong_here = healthy.decode("utf-8", "replace").count("\ufffd")
            high_here = len(healthy.translate(None, _ASCII))
            valid += max(0, high_here - wrong_here)
            invalid += wrong_here
            holes += stretches
            high += high_here
            size += len(healthy)
    if invalid > holes and invalid * 8 > valid:
        notes = () if high * 10 <= size * 3 else ("a character set other than those of Western Europe",)
        return TextSurvey(Charset.LATIN1, "latin-1", _locate(blob, dirty, utf8=False), notes)
    return TextSurvey(Charset.UTF8, "utf-8", _locate(blob, sorted({*dirty, *wrong}), utf8=True))


def _healthy(data: bytes) -> tuple[bytes, int]:
    """What stands clear of impossible bytes, and how many stretches of those there are.

    What is near them says nothing about the character set of the rest: it was overwritten as well.
    """
    parts: list[bytes] = []
    at = stretches = 0
    for hit in _STRETCH.finditer(data):
        parts.append(data[at : max(at, hit.start() - _MARGIN)].strip(_HIGH))
        at = hit.end() + _MARGIN
        stretches += 1
    parts.append(data[at:].strip(_HIGH) if stretches else data)
    return b" ".join(parts), stretches


def _slices(blob: Blob) -> Iterator[tuple[int, bytes]]:
    """The blob in slices that cut no UTF-8 character."""
    at = 0
    while at < blob.size:
        data = blob.at(at, SLICE)
        if at + len(data) < blob.size:
            for back in range(1, 4):
                if data[-back] >= 0xC0:  # a lead byte: its character may go on in the next slice
                    data = data[:-back]
                    break
                if data[-back] < 0x80:
                    break
        yield at, data
        at += len(data)


def _locate(blob: Blob, places: list[int], utf8: bool) -> tuple[Flaw, ...]:
    """The first impossible stretches, merged, in the slices that are known to hold some."""
    found: list[Flaw] = []
    for at in places[:MAX_LOCATED]:
        data = blob.at(at, SLICE)
        for character, blanks in _CHARACTERS if utf8 else ():
            data = character.sub(blanks, data)
        for hit in (_STRETCH_HIGH if utf8 else _STRETCH).finditer(data):
            start, end = at + hit.start(), at + hit.end()
            if end == at + SLICE < blob.size and end - start < 4:
                continue  # a character the slice cut, not a bad one
            if found and start - found[-1].end <= 64:
                start = found.pop().start
            found.append(Flaw(start, end, "bytes that stand in no text"))
            if len(found) >= MAX_FLAWS:
                return tuple(found)
    return tuple(found)


def _survey_wide(blob: Blob, codec: str) -> TextSurvey:
    flaws: list[Flaw] = []
    notes = ("an odd number of bytes in UTF-16",) if blob.size % 2 else ()
    for at in range(0, blob.size & ~1, SLICE):
        data = blob.at(at, SLICE)
        units = data[: len(data) & ~1].decode(codec, "surrogatepass")
        astral = len(units) * 2 != len(data) & ~1
        index, start = 0, at
        for hit in _BAD_UNITS.finditer(units):
            # Characters beyond the first plane take two units: with those, places must be counted.
            between = units[index : hit.start()]
            start += len(between.encode(codec, "surrogatepass")) if astral else len(between) * 2
            index = hit.start()
            if index in (0, len(units) - 1) and "\ud800" <= hit.group() <= "\udfff":
                continue  # a pair the slice cut
            if start < _START:
                raise Malformed(start, "no character of any text")
            if flaws and start - flaws[-1].end <= 64:
                flaws[-1] = Flaw(flaws[-1].start, start + 2, flaws[-1].what)
            elif len(flaws) >= MAX_FLAWS:
                return TextSurvey(Charset.UTF16, codec, tuple(flaws), notes)
            else:
                flaws.append(Flaw(start, start + 2, "no character of any text"))
    return TextSurvey(Charset.UTF16, codec, tuple(flaws), notes)


def _dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    if not blob.size:
        return Anatomy("text", ())
    found = survey(blob)
    region = Region(0, blob.size, Kind.STRUCTURED, "text", found.charset)
    flaws, notes = damage(blob, found)
    return Anatomy("text", (region,), flaws, notes=notes)


def damage(blob: Blob, found: TextSurvey) -> tuple[tuple[Flaw, ...], tuple[str, ...]]:
    """The stretches that are damage, and notes: stray control bytes and a line in another charset are none.

    Editors' macros, old manuals and logs of mixed origin hold a few bytes that no text has; a disk that
    fails, or a program that was killed, leaves long stretches of them.
    """
    flaws = tuple(flaw for flaw in found.flaws if flaw.end - flaw.start >= _CELL and _dense(blob, flaw))
    strays = len(found.flaws) - len(flaws)
    return flaws, (*found.notes, *((f"bytes that stand in no text, in {strays} places",) if strays else ()))


def _dense(blob: Blob, flaw: Flaw) -> bool:
    data = blob.at(flaw.start, min(flaw.end - flaw.start, SLICE))
    return len(data.translate(None, _PRINTED)) * 2 >= len(data)


FORMAT = Format(
    name="text",
    title="Plain text",
    specification="Unicode 16, §3.9 and §3.10; ISO/IEC 8859-1",
    suffixes=("txt", "log", "md", "ini", "cfg", "conf", "hpr", "hprim"),
    recognises=clean,
    dissect=_dissect,
    textual=True,
)
