"""Compiled Python (.pyc): the header, then marshalled objects walked one by one; bytecode may be anything.

Walked by hand: `marshal.loads` trusts what it reads. Its types are those of Python/marshal.c (2.3 to 3.15).
"""

import re

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

WALKED = 8 * 1024 * 1024
"""Bytes of objects walked: this is Python's work, and the largest healthy files have a few MiB."""
FLAWS = 256
REGIONS = 2_048
_CODE = 64
"""Byte strings from this length on are opaque: bytecode and line tables, or any data."""
_NUMBERS = 32
"""Numbers in a row that are so many bytes long are opaque, too: tables of constants look random."""
_BETWEEN = 16
"""Bytes between numbers that are still in a row: the heads of small tuples, references."""
_REFERENCE = 0x80
"""FLAG_REF: the object will be referred to."""
_DEEPEST = 6_000
"""Open objects, of which a code object counts three; MAX_MARSHAL_STACK_DEPTH is 2,000."""
_ANY, _INT = -1, -4
"""In the walk: objects without number (up to a null), and the raw integer inside a code object."""
_EMPTY = frozenset(b"NFTS.")
_FIGURES = frozenset(b"iIgyl")
_FIXED = {ord("i"): 4, ord("I"): 8, ord("g"): 8, ord("y"): 16, ord("r"): 4, ord("R"): 4}
_COUNTED = frozenset(b"([<>")
_STRINGS = frozenset(b"stuaA")
_SHORT = frozenset(b"zZ")
_NEXT = re.compile(rb"[\xe3c](?:[\0-\xff]{2}\0[\0\x80]){4,6}[\xf3s]")
"""A code object and its bytecode: four to six small integers between, the flags among them."""


def _header(head: bytes) -> int | None:
    """Length of the header, by the magic number (PEP 3147, PEP 552; Lib/importlib/_bootstrap_external.py)."""
    magic = int.from_bytes(head[:2], "little")
    if head[2:4] != b"\r\n":
        return None
    if 62_000 <= magic < 62_500 or 3_000 <= magic < 3_190:
        return 8
    if 3_190 <= magic < 3_390:
        return 12
    if 3_390 <= magic < 4_000:
        return 16 if int.from_bytes(head[4:8], "little") <= 3 else None
    return None


def recognises(head: bytes) -> bool:
    """Magic number, then a code object without arguments, as every module is."""
    size = _header(head)
    return (
        size is not None
        and head[size : size + 1] in (b"c", b"\xe3")
        and head[size + 1 : size + 5] == bytes(4)
    )


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Objects up to the end; after a broken one, on at the next code object.

    Raises:
        Malformed: no magic number.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 32)
    size = _header(head)
    if size is None or len(head) <= size:
        raise Malformed(0, "no magic number of Python")
    data = blob.at(0, min(WALKED, max(effort, 4096)))
    walk = _Walk(data, int.from_bytes(head[:2], "little"), whole=len(data) == blob.size)
    offset = walk.objects(size, 1)
    while offset < len(data):
        following = _NEXT.search(data, offset + 1)
        if not walk.broken:
            walk.notes.append(f"{blob.size - offset} bytes behind the module")
            break
        start, what = offset, walk.broken
        offset = following.start() if following else len(data)
        walk.flaws.append(Flaw(start, offset, what))
        if len(walk.flaws) == FLAWS:
            break
        offset = walk.objects(offset, _ANY)
    if not walk.whole:
        walk.notes.append(f"too long to walk: untested from byte {len(data)}")
    return Anatomy("pyc", walk.regions(), tuple(walk.flaws), 0, tuple(walk.notes))


class _Walk:
    """Objects in one buffer; never deeper than the buffer is long, never a length believed."""

    def __init__(self, data: bytes, magic: int, *, whole: bool) -> None:
        self.data = data
        self.whole = whole
        self.broken = ""
        self.flaws: list[Flaw] = []
        self.notes: list[str] = []
        self.opaque: list[tuple[int, int]] = []
        self.figures = (0, 0)
        # How many integers a code object begins with, and the objects before and behind its first line.
        if magic >= 62_000:
            self.integers, self.before, self.behind = 16, 8, 1
        elif magic < 3_410:
            self.integers, self.before, self.behind = 20, 8, 1
        elif magic < 3_495:  # 3.8: arguments by position only
            self.integers, self.before, self.behind = 24, 8, 1
        else:  # 3.11: qualified name, exception table
            self.integers, self.before, self.behind = 20, 8, 2

    def objects(self, position: int, count: int) -> int:
        """Walk `count` objects (or any number); returns where it ended, and says in `broken` why."""
        data, size = self.data, len(self.data)
        waiting = [count]
        self.broken = ""
        while waiting:
            left = waiting[-1]
            if left == 0:
                waiting.pop()
                continue
            if left == _INT:
                waiting.pop()
                position += 4
                continue
            if position >= size:
                if left == _ANY and len(waiting) == 1:
                    return position
                return self._end()
            if left > 0:
                waiting[-1] = left - 1
            start = position
            kind = data[position] & ~_REFERENCE
            position += 1
            if kind in _EMPTY:
                continue
            if kind in _FIXED:
                position += _FIXED[kind]
            elif kind in _SHORT:
                position += 1 + data[position] if position < size else 1
            elif kind == 0x29:  # a small tuple
                if position >= size:
                    return self._end()
                waiting.append(data[position])
                position += 1
            elif kind in _STRINGS:
                length = int.from_bytes(data[position : position + 4], "little")
                position += 4 + length
                if kind == 0x73 and length >= _CODE and position <= size:
                    self.opaque.append((start, position))
            elif kind in _COUNTED:
                waiting.append(int.from_bytes(data[position : position + 4], "little"))
                position += 4
                if waiting[-1] > size - position and self.whole:
                    return self._stop(start, f"a sequence of {waiting[-1]} objects")
            elif kind == 0x63:  # code
                waiting += [self.behind, _INT, self.before]
                position += self.integers
            elif kind == 0x7B:  # a dictionary, ended by a null
                waiting.append(_ANY)
            elif kind == 0x30 and left == _ANY:
                waiting.pop()
                if not waiting:
                    return self._stop(start, "a null object")
            elif kind == 0x6C:  # a long integer, in digits of 15 bits; negative ones count so
                position += 4 + 2 * abs(int.from_bytes(data[position : position + 4], "little", signed=True))
            elif kind == 0x3A:  # a slice (3.14)
                waiting.append(3)
            elif kind in (0x66, 0x78):  # float and complex in characters (before 2.5)
                for _ in range(1 if kind == 0x66 else 2):
                    position += 1 + data[position] if position < size else 1
            else:
                return self._stop(start, f"object type {kind:#x}")
            if len(waiting) > _DEEPEST:
                return self._stop(start, "objects nested deeper than Python allows")
            if position > size:
                if self.whole:
                    return self._stop(start, "an object longer than the file")
                return self._end()
            if kind in _FIGURES:
                self._figure(start, position)
        return position

    def _figure(self, start: int, end: int) -> None:
        """Join a number to those shortly before it."""
        first, last = self.figures
        if start - last > _BETWEEN or start < last:
            self.figures = (start, end)
            return
        if self.opaque and self.opaque[-1] == (first, last):
            self.opaque.pop()
        self.figures = (first, end)
        if end - first >= _NUMBERS:
            self.opaque.append(self.figures)

    def _stop(self, position: int, what: str) -> int:
        self.broken = what
        return position

    def _end(self) -> int:
        if self.whole:
            self.flaws.append(Flaw(len(self.data), len(self.data), "the file ends inside an object"))
        return len(self.data)

    def regions(self) -> tuple[Region, ...]:
        """What stands between byte strings: names, constants, references."""
        found: list[Region] = []
        begin = 0
        for start, end in [*self.opaque, (len(self.data), len(self.data))]:
            if start - begin >= _CODE and len(found) < REGIONS:
                found.append(Region(begin, start, Kind.STRUCTURED, "names and constants"))
            begin = max(begin, end)
        return tuple(found)


FORMAT = Format(
    name="pyc",
    title="compiled Python module",
    specification="PEP 3147, PEP 552; CPython Python/marshal.c",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
    # PyPy and others write their own magic numbers under the same name.
    weak_suffixes=("pyc", "pyo"),
)
