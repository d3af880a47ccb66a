"""Plain text: its character set, decided over the whole file or spread slices of it, and what no text has.

`survey` is what every format made of text builds on (HL7 v2, CSV, and XML and JSON that do not parse).
"""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from vigie.formats.contract import EFFORT, HEAD, Dissect, Format, Malformed
from vigie.formats.office import charsets, text_wide
from vigie.formats.office.charsets import wide
from vigie.formats.office.text_bytes import BAD, tally
from vigie.formats.office.text_wide import MAX_FLAWS, SLICE, START
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

__all__ = [
    "FORMAT",
    "MAX_FLAWS",
    "SLICE",
    "TextSurvey",
    "clean",
    "damage",
    "plain",
    "read_head",
    "survey",
    "wide",
]

MAX_LOCATED = 16
"""Slices with impossible bytes in which their places are looked up; the judge measures the rest anyway."""

PIECE = 64 * 1024
"""What is read at a time of a text that is longer than the effort allows."""

_ASCII = bytes(range(0x80))
_HIGH = bytes(range(0x80, 0x100))
_CONTINUATION = bytes(range(0x80, 0xC0))
_NOT_C1 = bytes(c for c in range(256) if not 0x80 <= c < 0xA0)

# Impossible bytes that stand at most 64 apart make one stretch. The sets exclude one another, so little is
# ever tried twice.
_SET = b"".join(rb"\x%02x" % c for c in BAD)
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
_PRINTED = bytes(c for c in range(0x80) if c not in BAD)

_PADDING = 64
"""Zeros at either end from which on they are padding: a log written in place, or cut while it was open."""


@dataclass(frozen=True, slots=True)
class TextSurvey:
    """How a blob is written, and where it cannot be text."""

    charset: Charset
    codec: str
    """Python's name of the encoding, to decode with."""
    flaws: tuple[Flaw, ...]
    notes: tuple[str, ...] = ()


@lru_cache(maxsize=4)  # every format that is written in characters asks this of the same head
def read_head(head: bytes) -> str:
    """The head of a file as characters, for formats that look for a word in it; never fails."""
    codec = wide(head) or "utf-8"
    return head.decode(codec, "replace").removeprefix("\ufeff")


@lru_cache(maxsize=4)
def clean(head: bytes) -> bool:
    """Whether the whole head is surely text; a character cut at its end is fine."""
    if not head:
        return False
    codec = wide(head)
    if codec:
        unit = charsets.unit(codec)
        units = head[: len(head) // unit * unit].decode(codec, "surrogatepass" if unit == 2 else "replace")
        odd = text_wide.BAD_UNITS.search(units)
        if unit == 4:
            return odd is None and "\ufffd" not in units
        return odd is None or (odd.start() == len(units) - 1 and len(head) >= HEAD - 1)
    if charsets.shifting(head):
        head = head.translate(charsets.UNSHIFT)
    bad, tolerated, high = tally(head)
    if bad or tolerated > len(head) // 64 + 2:
        return False
    if not high:
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD)
    except UnicodeDecodeError:
        return _single_byte(head) or charsets.legacy(head)
    return True


def _single_byte(data: bytes) -> bool:
    """Whether bytes that are not UTF-8 look like Latin-1 or a cousin: some high bytes, few in a row."""
    high = len(data.translate(None, _ASCII))
    c1 = len(data.translate(None, _NOT_C1))
    return high * 10 <= len(data) * 3 and c1 * 20 <= len(data) + 19 and _LONG_RUN.search(data) is None


def survey(blob: Blob, effort: int = EFFORT) -> TextSurvey:
    """Decide the character set of the blob, and find the stretches that no text has.

    Of a blob longer than `effort` bytes, the head, the tail and slices evenly between are read.

    Raises:
        Malformed: it is empty, or neither its start nor half of its head can be text.
        Unreadable: see `Blob.at`.
    """
    if blob.size == 0:
        raise Malformed(0, "empty")
    begin, stop = _padding(blob, effort)
    notes: tuple[str, ...] = (
        (f"{begin + blob.size - stop} bytes of zeros at an end",) if begin or stop < blob.size else ()
    )
    spans = _spans(begin, stop, effort)
    if len(spans) > 1:
        notes += (f"too long to read all of it: {len(spans)} places of it were looked at",)
    head = blob.at(begin, HEAD)
    codec = wide(head)
    if codec and charsets.unit(codec) == 4:
        # It leaves every fourth byte zero: the judge measures it as the binary it is to everyone else.
        return TextSurvey(Charset.NONE, codec, text_wide.flaws(blob, codec, spans), ("UTF-32", *notes))
    if codec:
        if blob.size % 2:
            notes = ("an odd number of bytes in UTF-16", *notes)
        return TextSurvey(Charset.UTF16, codec, text_wide.flaws(blob, codec, spans), notes)
    shifting = charsets.shifting(head)
    if shifting:
        blob = charsets.Unshifted(blob)
        head = blob.at(begin, HEAD)
    bad = _BAD_START.search(head, 0, START)
    cells = range(0, len(head), _CELL)
    # A file that is struck here and there is still text, and its hits are told better from the whole of it.
    if bad and 2 * sum(_BAD_START.search(head, at, at + _CELL) is not None for at in cells) >= len(cells):
        raise Malformed(begin + bad.start(), f"byte {bad.group()[0]:02X} stands in no text")
    # One pass in C: which slices hold impossible bytes, and how much of the rest is UTF-8.
    dirty: list[tuple[int, int]] = []
    wrong: list[tuple[int, int]] = []
    valid = invalid = holes = high = size = 0
    for at, data in _slices(blob, spans):
        bad_here, _, high_here = tally(data)
        if bad_here:
            dirty.append((at, len(data)))
        if not high_here:
            continue
        try:
            data.decode("utf-8")
            valid += high_here
        except UnicodeDecodeError:
            wrong.append((at, len(data)))
            healthy, stretches = _healthy(data)
            wrong_here = healthy.decode("utf-8", "replace").count("\ufffd")
            high_here = len(healthy.translate(None, _ASCII))
            valid += max(0, high_here - wrong_here)
            invalid += wrong_here
            holes += stretches
            high += high_here
            size += len(healthy)
    if invalid > holes and invalid * 8 > valid:
        if high * 10 > size * 3:
            notes = ("a character set other than those of Western Europe", *notes)
        return TextSurvey(Charset.LATIN1, "latin-1", _locate(blob, dirty, utf8=False), notes)
    found = _locate(blob, sorted({*dirty, *wrong}), utf8=True)
    if shifting:
        return TextSurvey(Charset.LATIN1, "latin-1", found, ("ISO 2022 with shifts", *notes))
    return TextSurvey(Charset.UTF8, "utf-8", found, notes)


def _padding(blob: Blob, effort: int) -> tuple[int, int]:
    """Where the text begins and ends between zeros; neither is looked for further than `effort`.

    Raises:
        Malformed: there is nothing but zeros as far as was looked.
    """
    begin, stop = 0, blob.size
    if not blob.at(0, _PADDING).strip(b"\0"):
        while begin < min(stop, effort + SLICE):
            data = blob.at(begin, SLICE)
            rest = data.lstrip(b"\0")
            begin += len(data) - len(rest)
            if rest or not data:
                break
        else:
            raise Malformed(0, "nothing but zeros")
        begin &= ~3  # units of two or four bytes keep their places
    if not blob.at(max(begin, stop - _PADDING), _PADDING).strip(b"\0"):
        while stop > begin and blob.size - stop < effort:
            data = blob.at(max(begin, stop - SLICE), min(SLICE, stop - begin))
            rest = data.rstrip(b"\0")
            stop -= len(data) - len(rest)
            if rest or not data:
                break
        stop = min(blob.size, begin + (stop - begin + 3 & ~3))
    return begin, stop


def _spans(begin: int, stop: int, effort: int) -> list[tuple[int, int]]:
    """All of `[begin, stop)`, or as much as `effort` allows: both ends, and evenly between."""
    if stop - begin <= effort:
        return [(begin, stop)]
    count = max(2, effort // PIECE)
    piece = min(PIECE, max(HEAD, effort // 2))
    if count * piece >= stop - begin:
        return [(begin, stop)]
    last = stop - begin - piece
    starts = (begin + (last * index // (count - 1) & ~3) for index in range(count))
    return [(start, min(stop, start + piece + 3)) for start in starts]


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


def _slices(blob: Blob, spans: list[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """The blob in slices that cut no UTF-8 character."""
    for start, stop in spans:
        at = start
        while at < stop:
            data = blob.at(at, min(SLICE, stop - at))
            if not data:
                break
            if at == start and start:  # continuation bytes of a character that began before
                cut = len(data) - len(data[:3].lstrip(_CONTINUATION) + data[3:])
                at, data = at + cut, data[cut:]
            if at + len(data) < blob.size:
                for back in range(1, min(4, len(data))):
                    if data[-back] >= 0xC0:  # a lead byte: its character may go on in the next slice
                        data = data[:-back]
                        break
                    if data[-back] < 0x80:
                        break
            yield at, data
            at += max(1, len(data))
            if stop - at < 4 and stop < blob.size:
                break  # less than a character of what is not read


def _locate(blob: Blob, places: list[tuple[int, int]], *, utf8: bool) -> tuple[Flaw, ...]:
    """The first impossible stretches, merged, in the slices that are known to hold some."""
    found: list[Flaw] = []
    for at, length in places[:MAX_LOCATED]:
        data = blob.at(at, length)
        for character, blanks in _CHARACTERS if utf8 else ():
            data = character.sub(blanks, data)
        for hit in (_STRETCH_HIGH if utf8 else _STRETCH).finditer(data):
            start, end = at + hit.start(), at + hit.end()
            if found and start - found[-1].end <= 64:
                start = found.pop().start
            found.append(Flaw(start, end, "bytes that stand in no text"))
            if len(found) >= MAX_FLAWS:
                return tuple(found)
    return tuple(found)


def plain(
    name: str, what: str, look: Callable[[Blob, TextSurvey], tuple[str, ...]] = lambda _blob, _found: ()
) -> Dissect:
    """How a format that is nothing but text is taken apart; `look` adds notes."""

    def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
        if not blob.size:
            return Anatomy(name, ())
        found = survey(blob, effort)
        flaws, notes = damage(blob, found)
        region = Region(0, blob.size, Kind.STRUCTURED, what, found.charset)
        return Anatomy(name, (region,), flaws, notes=(*look(blob, found), *notes))

    return dissect


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
    suffixes=("txt", "log", "md", "ini", "cfg", "conf"),
    recognises=clean,
    dissect=plain("text", "text"),
    textual=True,
)
