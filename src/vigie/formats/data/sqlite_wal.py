"""SQLite's write-ahead log (fileformat2.html, section 4): every frame's checksum is verified.

The checksum s0, s1 over 32-bit words x is s0 += x0 + s1; s1 += x1 + s0, or t[i] = t[i-1] + t[i-2] + x[i]: a
Fibonacci recurrence, so that its value is a sum of the words weighted with Fibonacci numbers modulo 2**32.
"""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

HEADER = struct.Struct(">8L")
FRAME = struct.Struct(">6L")
FLAWS = 256
"""Broken frames told apart; beyond, the last flaw grows."""
RUNS = 1 << 20
"""Checkpoints that a stale frame may be old."""
_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_VERSION = 3007000
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Checksum:
    """The checksum of a fixed number of words, after given start values (section 4.2)."""

    words: str
    """The numpy type of a word: byte order is told by the magic."""
    weights: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, magic: bytes, length: int) -> "Checksum":
        """For `length` bytes (a multiple of 8); words are big-endian where the magic is odd."""
        fibonacci = [1, 1]
        while len(fibonacci) < length // 4 + 1:
            fibonacci.append(fibonacci[-1] + fibonacci[-2] & _MASK)
        weights = np.array(fibonacci[::-1], dtype=np.uint32)
        return cls(">u4" if magic[3] & 1 else "<u4", weights)

    def __call__(self, data: bytes, start: tuple[int, int]) -> tuple[int, int]:
        """s0 and s1 of `data`."""
        words = np.frombuffer(data, dtype=self.words).astype(np.uint32)
        count = len(words)
        fib = self.weights[::-1]
        results = []
        for taken in (count - 1, count):
            total = int(np.dot(words[:taken], self.weights[-taken:])) if taken else 0
            before = int(fib[taken - 1]) if taken else 1
            results.append(total + before * start[0] + int(fib[taken]) * start[1] & _MASK)
        return results[0], results[1]


def recognises(head: bytes) -> bool:
    """Magic, version and a page size (section 4.1)."""
    if len(head) < HEADER.size or not head.startswith(_MAGIC):
        return False
    _, version, page, *_ = HEADER.unpack_from(head)
    return version == _VERSION and 512 <= page <= 65536 and not page & (page - 1)


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The frames of the current run; what an earlier run left behind them is stale and says nothing.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, HEADER.size)
    if not recognises(head):
        raise Malformed(0, "no header of a write-ahead log")
    fields = HEADER.unpack(head)
    page, salts = fields[2], fields[4:6]
    flaws: list[Flaw] = []
    notes: list[str] = []
    if Checksum.of(head, 24)(head[:24], (0, 0)) != fields[6:8]:
        flaws.append(Flaw(0, HEADER.size, "the checksum of the log's header does not match", checksum=True))
    regions = [Region(0, HEADER.size, Kind.STRUCTURED, "header")]
    checksum = Checksum.of(head, 8 + page)
    before: tuple[int, int] = fields[6:8]
    size = FRAME.size + page
    checked = 0
    live = HEADER.size
    stale: int | None = None
    reach = min(blob.size, max(effort, HEADER.size + size))
    for offset in range(HEADER.size, reach - size + 1, size):
        frame = blob.at(offset, size)
        if len(frame) < size:
            break
        said = FRAME.unpack_from(frame)
        if said[2:4] != salts:
            stale = offset if stale is None else stale
            if _foreign(blob, offset, size, fields[4], said):
                _flaw(flaws, Flaw(offset, offset + size, "no frame of this log nor of an earlier one"))
            continue
        if stale is not None:
            # A frame of this run behind one that is none: the other was overwritten.
            flaws = [flaw for flaw in flaws if flaw.start < stale]
            _flaw(flaws, Flaw(stale, offset, "no frame of this log where one must be"))
            stale = None
        elif checksum(frame[:8] + frame[FRAME.size :], before) == said[4:6]:
            checked += size
        else:
            _flaw(flaws, Flaw(offset, offset + size, "the checksum of a frame does not match", checksum=True))
        before = said[4:6]
        live = offset + size
    if live > HEADER.size:
        regions.append(Region(HEADER.size, live, Kind.CODED, "frames"))
    if live < blob.size:
        notes.append(f"{blob.size - live} bytes behind the last frame of this run")
        regions.append(Region(live, blob.size, Kind.OPAQUE, "stale frames"))
    return Anatomy("sqlite-wal", tuple(regions), tuple(flaws), checked, tuple(notes))


def _flaw(flaws: list[Flaw], flaw: Flaw) -> None:
    """Add a flaw, or where there are too many let the last one grow."""
    if len(flaws) < FLAWS:
        flaws.append(flaw)
    else:
        flaws[-1] = Flaw(flaws[-1].start, flaw.end, flaw.what, flaw.checksum)


def _foreign(blob: Blob, offset: int, size: int, salt: int, said: tuple[int, ...]) -> bool:
    """Whether what stands in a stale frame's place cannot be one.

    Each run counts the first salt up by one (section 4.1), and frames of a run share both; a process that
    found the log there may have begun with new ones. Space set aside in advance is zero.
    """
    if salt - said[2] & _MASK < RUNS or not any(said):
        return False
    neighbours = (blob.at(place + 8, 8) for place in (offset - size, offset + size) if place >= HEADER.size)
    return said[2:4] not in [struct.unpack(">LL", one) for one in neighbours if len(one) == 8]


FORMAT = Format(
    name="sqlite-wal",
    title="SQLite write-ahead log",
    specification="SQLite fileformat2.html 4",
    suffixes=("sqlite-wal", "sqlite3-wal", "db3-wal"),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("db-wal",),
)
