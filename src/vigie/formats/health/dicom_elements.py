"""The walk over the data elements of a DICOM data set (PS3.5 §7): one loop, a bounded stack, no recursion."""

import struct
from dataclasses import dataclass, field

from vigie.formats.health import dicom_pixels as pixels
from vigie.formats.health import dicom_resume as resume
from vigie.formats.health.dicom_sheet import Sheet
from vigie.formats.health.dicom_values import LONG, VRS, WAVEFORM_BITS, Values
from vigie.model import Blob, Kind

UNDEFINED = 0xFFFFFFFF
MAX_DEPTH = 64
MAX_ELEMENTS = 4_000_000
"""Elements and items after which the walk ends: some seconds. The largest headers have a tenth of that."""

MAX_RESUMED = 64
"""Times a walk is taken up again."""
BLOCK = 4096
UNREAD = "data elements that cannot be read"

WINDOW = 64 * 1024

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010

_FACTS = frozenset(
    (pixels.SAMPLES, pixels.PHOTOMETRIC, pixels.FRAMES, pixels.ROWS, pixels.COLUMNS, pixels.BITS)
)


@dataclass(frozen=True, slots=True)
class Syntax:
    """Transfer syntax, as far as the walk cares (PS3.5 §10)."""

    uid: str
    explicit: bool
    big: bool = False
    encapsulated: bool = False


@dataclass(slots=True)
class _Level:
    """A data set, a sequence or an item that is being read."""

    end: int
    items: bool
    """Whether items are due here (a sequence), rather than data elements."""
    explicit: bool
    closed: bool = True
    """Whether its length is given; otherwise a delimiter ends it."""
    last: int = -1
    facts: dict[int, bytes | int] = field(default_factory=dict)


class Walk:
    """One walk over one data set; what it finds goes to the sheet."""

    def __init__(self, blob: Blob, sheet: Sheet, syntax: Syntax) -> None:
        self._blob = blob
        self._sheet = sheet
        self._syntax = syntax
        self._size = blob.size
        order = ">" if syntax.big else "<"
        self._head = struct.Struct(order + "HH2sH")
        self._long = struct.Struct(order + "I")
        self._item = struct.pack(order + "HH", 0xFFFE, 0xE000)
        self.read = 0
        """Elements read, at any depth."""
        self._steps = 0
        self._resumed = 0

    def run(self, at: int) -> None:
        """Read the data set that begins at `at` and goes to the end of the blob."""
        root = _Level(self._size, False, self._syntax.explicit)
        place: int | None = at
        while place is not None:
            place = self._read(place, root)

    def _read(self, at: int, level: _Level) -> int | None:
        """Read elements as far as they lead; where to go on behind a broken place, None if nowhere."""
        blob, size, sheet = self._blob, self._size, self._sheet
        values = Values(blob, sheet, big=self._syntax.big)
        unpack_head, unpack_long = self._head.unpack_from, self._long.unpack_from
        uid, encapsulated = self._syntax.uid, self._syntax.encapsulated
        stack = [level]
        base, window, stop = 0, b"", -1
        before = at
        while True:
            while at >= level.end:
                if len(stack) == 1:
                    sheet.close(size)
                    return None
                if not level.closed:
                    sheet.flaw(size - 1, size, "the file ends inside a sequence")
                stack.pop()
                level = stack[-1]
            self._steps += 1
            if self._steps > MAX_ELEMENTS:
                sheet.note("more elements than are read")
                sheet.close(at)
                return None
            if at >= stop or at < base:
                base, window = at, blob.at(at, WINDOW)
                # Twelve zeros stand in for what is behind the end; elements are checked against it below.
                stop = base + len(window) - (12 if base + len(window) < size else 0)
                window += bytes(12)
            group, element, vr, short = unpack_head(window, at - base)
            tag = group << 16 | element
            if at + 8 > level.end:
                if len(stack) == 1 and not blob.at(at, 8).strip(b"\0"):
                    sheet.close(size)
                    return None
                return self._lost(before, at, "the data set ends inside an element", stack[0])

            if group == 0xFFFE:
                length = unpack_long(window, at - base + 4)[0]
                if tag == ITEM and level.items:
                    if length != UNDEFINED and at + 8 + length > level.end:
                        return self._lost(before, at, f"an item of {length} bytes does not fit", stack[0])
                    end = level.end if length == UNDEFINED else at + 8 + length
                    level = _Level(end, False, level.explicit, closed=length != UNDEFINED)
                    stack.append(level)
                elif len(stack) > 1 and tag == (SEQUENCE_END if level.items else ITEM_END) and not length:
                    stack.pop()
                    level = stack[-1]
                elif (tag in (ITEM_END, SEQUENCE_END) and not length) or (tag == ITEM and self._resumed):
                    sheet.note("a delimiter that closes nothing")
                else:
                    return self._lost(before, at, "an item outside any sequence", stack[0])
                before, at = at, at + 8
                continue
            if level.items:
                return self._lost(
                    before, at, f"no item where one is due ({group:04X},{element:04X})", stack[0]
                )
            if not tag and len(stack) == 1 and not blob.at(at, WINDOW).strip(b"\0"):
                sheet.note("zeros behind the data set")
                sheet.close(size)
                return None

            # The header: §7.1.2 explicit VR with 16 or 32 bit length, §7.1.3 implicit VR.
            explicit = level.explicit
            if explicit and vr not in VRS:
                length = unpack_long(window, at - base + 4)[0]
                if vr.isalpha() and vr.isupper():  # §6.2: a VR of a later edition has the long form
                    sheet.note(f"unknown VR {vr.decode('latin-1')}")
                    vr = b"UN"
                elif tag > level.last and at + 8 + length <= level.end:
                    sheet.note("an element without VR among those with one")
                    explicit = False
                else:
                    return self._lost(before, at, f"({group:04X},{element:04X}) has no VR", stack[0])
            if not explicit:
                vr = b""
                value, length = at + 8, unpack_long(window, at - base + 4)[0]
            elif vr in LONG:
                value, length = at + 12, unpack_long(window, at - base + 8)[0]
            else:
                value, length = at + 8, short
            if tag <= level.last:
                sheet.note("tags that do not rise")
            level.last = tag
            end = value + length

            if length == UNDEFINED:
                if tag == PIXEL_DATA and vr in (b"OB", b"OW", b"UN", b""):
                    before, at = at, pixels.encapsulated(blob, value, level.end, uid, level.facts, sheet)
                    self.read += 1
                    continue
                if vr not in (b"SQ", b"UN", b""):
                    return self._lost(before, at, f"{vr.decode()} of undefined length", stack[0])
                # §6.2.2 note: UN of undefined length is a sequence of implicit VR.
                inner = _Level(level.end, True, vr == b"SQ", closed=False)
            elif end > level.end:
                if tag == PIXEL_DATA and end > size and len(stack) == 1 and level.facts:
                    pixels.native(blob, value, size, self._syntax.big, level.facts, sheet, at)
                    sheet.flaw(size - 1, size, "the file ends inside the pixel data")
                    return None
                return self._lost(
                    before, at, f"({group:04X},{element:04X}) of {length} bytes does not fit", stack[0]
                )
            elif vr == b"SQ" or (not vr and length >= 8 and self._peek(window, base, value, 4) == self._item):
                inner = _Level(end, True, vr == b"SQ")
            else:
                self.read += 1
                if tag in _FACTS:
                    raw = self._peek(window, base, value, min(length, 16))
                    plain = tag not in (pixels.FRAMES, pixels.PHOTOMETRIC) and len(raw) == 2
                    level.facts[tag] = (
                        int.from_bytes(raw, "big" if self._syntax.big else "little") if plain else raw
                    )
                elif tag == WAVEFORM_BITS:
                    level.facts[tag] = self._peek(window, base, value, min(length, 2))
                if tag == PIXEL_DATA and len(stack) == 1 and not encapsulated:
                    pixels.native(blob, value, end, self._syntax.big, level.facts, sheet, at)
                elif length:
                    inside = base <= value and end <= base + len(window) - 12
                    data = window[value - base : end - base] if inside else b""
                    values.test(tag, vr, value, end, data, level.facts)
                before, at = at, end
                continue
            if len(stack) >= MAX_DEPTH:
                return self._lost(at, at, "sequences nested too deep", stack[0])
            stack.append(inner)
            level = inner
            before, at = at, value

    def _peek(self, window: bytes, base: int, at: int, length: int) -> bytes:
        data = window[at - base : at - base + length]
        return data if len(data) == length else self._blob.at(at, length)

    def _lost(self, before: int, at: int, what: str, top: _Level) -> int | None:
        """The walk cannot go on at `at`: say where, and where it can be taken up again.

        The length that led here stands in the element before, so that one is suspect too.
        """
        sheet, size, syntax = self._sheet, self._size, self._syntax
        if at - before > 64:
            sheet.flaw(before, min(size, before + 64), f"what follows from here cannot be: {what}")
            sheet.flaw(at, min(size, at + 64), what)
        else:
            sheet.flaw(before, min(size, at + 64), what)
        found = self._pixels_after(before + 8)
        lost_from = max(before, sheet.mark)
        again = None
        if self.read and self._resumed < MAX_RESUMED:  # a data set that never began is none
            reach = max(0, sheet.left)
            again = resume.after(self._blob, before + 8, reach, explicit=syntax.explicit, big=syntax.big)
            sheet.left -= min(reach, (again or size) - before)
        if again is not None and (found is None or again < found[0]):
            self._resumed += 1
            self._unread(lost_from, max(lost_from, again))
            top.last = -1
            return max(lost_from, again)
        if found is None:
            sheet.claim(lost_from, size, Kind.CODED, UNREAD)
            return None
        header, value, length = found
        self._unread(lost_from, header)
        if length == UNDEFINED:
            pixels.encapsulated(self._blob, value, size, syntax.uid, top.facts, sheet)
        elif not syntax.encapsulated:
            end = min(size, value + length)
            pixels.native(self._blob, value, end, syntax.big, top.facts, sheet, header)
        sheet.close(size)
        return None

    def _unread(self, start: int, end: int) -> None:
        """What the walk had to leave out, in blocks: the judge sees which of them are random."""
        self._sheet.claim(start, end, Kind.CODED, UNREAD)
        for low in range(start - start % BLOCK, end, BLOCK):
            self._sheet.flaw(max(start, low), min(end, low + BLOCK), UNREAD)

    def _pixels_after(self, start: int) -> tuple[int, int, int] | None:
        """Pixel data that reaches to the end of the file, or nearly: header, value, length."""
        tag = struct.pack(self._head.format[:1] + "HH", PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF)
        step, reach = 1 << 20, min(16 << 20, max(0, self._sheet.left))
        for base in range(start, min(self._size, start + reach), step):
            data = self._blob.at(base, step + 12)
            hit = data.find(tag)
            while 0 <= hit <= len(data) - 12:
                long = data[hit + 4 : hit + 6] in (b"OB", b"OW")
                length = self._long.unpack_from(data, hit + (8 if long else 4))[0]
                value = base + hit + (12 if long else 8)
                if long == self._syntax.explicit and (
                    length == UNDEFINED or self._size - 4096 <= value + length <= self._size
                ):
                    return base + hit, value, length
                hit = data.find(tag, hit + 4)
        return None
