"""JPEG scans decoded as far as telling blocks apart (ITU-T T.81, annexes F.2 and G.2): no pixel is made.

Byte stuffing misses one overwrite of 512 bytes in seven: as many random bytes hold no forbidden marker. Their
Huffman codes are another matter: blocks of more than 64 coefficients, codes that no table has, and in the end
another number of blocks than the image has. Sequential scans of 8 bits are decoded, and of progressive images
the first scans of each band; what refines a band cannot be followed without its coefficients. By hand, as a
compiled loop: decoders hide what is broken, and make pixels.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.formats.compiled import compiled

PLACES = 1000
"""Places kept of one scan."""
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1), 0xC2
_END_OF_BLOCK, _BAD = 128, 64
"""What is added to the index of the coefficient: from 128 the block has ended, from 65 to 127 it burst."""
_DIRECT = 9
"""Bits of code that are looked up at once; few codes are longer."""
_NONE = -1
"""In place of a table: the scan has no such coefficients."""

Octets = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Layout:
    """What one scan holds."""

    mcus: int
    blocks: tuple[tuple[int, int], ...]
    """The tables of each block of an MCU, by class and slot: of its DC code, of its AC codes; or `_NONE`."""
    first: int = 1
    """Index of the first AC coefficient (Ss, B.2.3)."""
    last: int = 63
    """Index of the last one (Se)."""
    progressive: bool = False
    """Whether a code may end several blocks at once (G.1.2.2)."""


@dataclass(slots=True)
class Coding:
    """What the header segments so far say of how scans are coded."""

    process: int = 0
    """The marker of the frame: C0 baseline, C1 extended, C2 progressive."""
    frame: bytes = b""
    """Parameters of the frame header (B.2.2)."""
    restart: int = 0
    """MCUs between two restart markers; 0: none (B.2.4.4)."""
    tables: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    """By class and slot: how many codes there are of each length, and what they stand for (B.2.4.2)."""

    def define(self, body: bytes) -> None:
        """Take in the tables of a sane DHT segment."""
        offset = 0
        while offset + 17 <= len(body):
            counts = body[offset + 1 : offset + 17]
            total = sum(counts)
            self.tables[body[offset]] = counts, body[offset + 17 : offset + 17 + total]
            offset += 17 + total

    def layout(self, scan: bytes) -> Layout | None:
        """What a scan with this header holds, if it can be followed and its tables are known."""
        progressive = self.process == _PROGRESSIVE
        if not (progressive or self.process in _SEQUENTIAL) or len(self.frame) < 9 or self.frame[0] != 8:
            return None
        start, end, bits = scan[-3:] if progressive else b"\0\x3f\0"
        if bits >> 4:  # refines a band (G.1.2.3)
            return None
        height, width = int.from_bytes(self.frame[1:3], "big"), int.from_bytes(self.frame[3:5], "big")
        parts = {self.frame[at]: self.frame[at + 1] for at in range(6, len(self.frame) - 2, 3)}
        wide, high = max(s >> 4 for s in parts.values()), max(s & 15 for s in parts.values())
        chosen = [(parts.get(scan[at], 0), scan[at + 1]) for at in range(1, 1 + 2 * scan[0], 2)]
        blocks: list[tuple[int, int]] = []
        for sampling, slots in chosen:
            pair = (_NONE if start else slots >> 4), (0x10 | slots & 15 if end else _NONE)
            if not sampling or not height or not self.tables.keys() >= set(pair) - {_NONE}:
                return None
            blocks += [pair] * ((sampling >> 4) * (sampling & 15) if len(chosen) > 1 else 1)
        if len(chosen) > 1:  # interleaved (A.2.3)
            mcus = -(-width // (8 * wide)) * -(-height // (8 * high))
        else:
            sampling = chosen[0][0]
            columns = -(-width * (sampling >> 4) // wide)
            rows = -(-height * (sampling & 15) // high)
            mcus = -(-columns // 8) * -(-rows // 8)
        return Layout(mcus, tuple(blocks), max(1, start), end, progressive)


@dataclass(frozen=True, slots=True)
class Decoded:
    """How the decoding of one scan went."""

    places: tuple[int, ...]
    """Offsets into the scan where a block burst, rising: the first `PLACES`."""
    short: bool
    """Whether blocks are missing, or bytes are left over."""


def decode(data: bytes, coding: Coding, scan: bytes) -> Decoded | None:
    """Follow the codes of the scan `data` with the scan header `scan`, if that is known how.

    Takes some 15 ns a byte, whatever the bytes are, and no memory beside them.
    """
    layout = coding.layout(scan)
    if layout is None or not layout.mcus:
        return None
    slots = sorted({slot for pair in layout.blocks for slot in pair if slot != _NONE})
    direct, limits, shifts, entries = _tables(tuple((slot, *coding.tables[slot]) for slot in slots))
    plan = np.array([[slots.index(s) if s != _NONE else s for s in pair] for pair in layout.blocks], np.int64)
    places = np.empty(PLACES, np.int64)
    band = np.array((layout.first, layout.last, layout.progressive), np.int64)
    count, short = _scan(
        np.frombuffer(data, np.uint8),
        coding.restart,
        layout.mcus,
        plan,
        band,
        direct,
        limits,
        shifts,
        entries,
        places,
    )
    return Decoded(tuple(places[:count].tolist()), bool(short))


def warm() -> None:
    """Compile the loops, or load them from where they are kept, before the first file and confinement."""
    coding = Coding(0xC0, b"\x08\0\x08\0\x08\x01\x01\x11\0")
    for slot in (0x00, 0x10):
        coding.define(bytes([slot, 1, *bytes(15), 0]))
    decode(b"\x3f", coding, b"\x01\x01\0\0\x3f\0")


@lru_cache(maxsize=4)  # the frames of a film or a series, and most encoders, have the same ones
def _tables(chosen: tuple[tuple[int, bytes, bytes], ...]) -> tuple[Any, Any, Any, Any]:
    """The tables of a scan as the loop wants them, one row a table (see `_looked_up`)."""
    rows = len(chosen)
    direct, entries = np.zeros((rows, 1 << _DIRECT), np.uint16), np.zeros((rows, 256), np.uint16)
    limits, shifts = np.zeros((rows, 17), np.int32), np.zeros((rows, 17), np.int32)
    for row, (slot, counts, symbols) in enumerate(chosen):
        code = index = 0
        for width in range(1, 17):  # C.2: codes of one length follow those of the length before
            shifts[row, width] = index - code
            for symbol in symbols[index : index + counts[width - 1]]:
                if code >= 1 << width:
                    break
                entry = _entry(width, symbol, direct=slot < 0x10)
                entries[row, index] = entry
                if width <= _DIRECT:
                    times = 1 << _DIRECT - width
                    direct[row, code * times : code * times + times] = entry
                code += 1
                index += 1
            limits[row, width] = code << 16 - width
            code <<= 1
    return direct, limits, shifts, entries


def _entry(width: int, symbol: int, *, direct: bool) -> int:
    """The bits of code and value, and above them what they add to the index of the coefficient."""
    if direct:
        return width + min(symbol, 16)
    size, run = symbol & 15, symbol >> 4
    if size:  # F.1.2.2.1: 8 bits a sample make none of more than 10
        return width + size | (run + 1 if size <= 10 else _BAD) << 8
    return width | (16 if run == 15 else _END_OF_BLOCK + run) << 8


@compiled
def _filled(data: Octets, at: Any, last: Any, bits: Any, have: Any, lent: Any) -> Any:
    """At least 32 bits at hand: of the scan without its stuffing (F.1.2.3), then 1 bits that are lent."""
    if have < 32 and at + 4 <= last:
        one, two, three, four = data[at], data[at + 1], data[at + 2], data[at + 3]
        if one != 0xFF and two != 0xFF and three != 0xFF and four != 0xFF:
            word = np.int64(one) << 24 | np.int64(two) << 16 | np.int64(three) << 8 | np.int64(four)
            return at + 4, (bits & 0xFFFFFFFF) << 32 | word, have + 32, lent
    while have < 32:
        value = np.int64(0xFF)
        if at < last:
            value = np.int64(data[at])
            at += 1
            if value == 0xFF and at < last and data[at] == 0:
                at += 1
        else:
            lent += 8
        bits = (bits << 8 | value) & 0xFFFFFFFFFFFF
        have += 8
    return at, bits, have, lent


@compiled
def _looked_up(
    window: Any, direct: NDArray[np.uint16], limits: NDArray[np.int32], shifts: Any, entries: Any
) -> Any:
    """The entry for 16 bits; a code that no table has is one bit, and bursts the block."""
    entry = np.int64(direct[window >> 16 - _DIRECT])
    if entry:
        return entry
    for width in range(_DIRECT + 1, 17):
        if window < limits[width]:
            return np.int64(entries[shifts[width] + (window >> 16 - width)])
    return np.int64(_BAD << 8 | 1)


@compiled
def _before(data: Octets, first: Any, at: Any, count: Any) -> Any:
    """The offset `count` bytes before `at`, where a stuffed byte counts as one."""
    for _ in range(count):
        at -= 1
        if at > first and data[at] == 0 and data[at - 1] == 0xFF:
            at -= 1
    return at


@compiled
def _interval(
    data: Octets,
    first: Any,
    last: Any,
    mcus: Any,
    plan: NDArray[np.int64],
    band: NDArray[np.int64],
    direct: NDArray[np.uint16],
    limits: NDArray[np.int32],
    shifts: NDArray[np.int32],
    entries: NDArray[np.uint16],
    places: NDArray[np.int64],
    burst: Any,
) -> Any:
    """Decode so many MCUs from `[first, last)`.

    Returns:
        How many places are known by now, and whether the last block ends where the interval does.
    """
    low, high, progressive = band[0], band[1], band[2]
    at, bits, have, lent = first, np.int64(0), np.int64(0), np.int64(0)
    ended = np.int64(0)  # blocks that an earlier code has ended
    for _ in range(mcus):
        for block in range(plan.shape[0]):
            begun, unread = at, have - lent
            direct_table, table = plan[block, 0], plan[block, 1]
            index = low
            if direct_table >= 0:
                at, bits, have, lent = _filled(data, at, last, bits, have, lent)
                entry = _looked_up(
                    bits >> have - 16 & 0xFFFF,
                    direct[direct_table],
                    limits[direct_table],
                    shifts[direct_table],
                    entries[direct_table],
                )
                have -= entry & 0xFF
                index += entry >> 8
            if table >= 0 and ended > 0:
                ended -= 1
                continue
            soon, limit, shift, entry_of = direct[table], limits[table], shifts[table], entries[table]
            while table >= 0 and index <= high:
                at, bits, have, lent = _filled(data, at, last, bits, have, lent)
                entry = _looked_up(bits >> have - 16 & 0xFFFF, soon, limit, shift, entry_of)
                have -= entry & 0xFF
                index += entry >> 8
                run = (entry >> 8) - _END_OF_BLOCK
                if progressive and run > 0:
                    have -= run
                    ended = (1 << run) - 1 + (bits >> have & (1 << run) - 1)
            if high + 1 < index < _END_OF_BLOCK and burst < places.size:
                # Within the last bits a code may be cut, rather than wrong.
                at, bits, have, lent = _filled(data, at, last, bits, have, lent)
                if not lent:
                    places[burst] = _before(data, first, begun, unread + 7 >> 3)
                    burst += 1
        if have < lent:
            return burst, False  # blocks are missing
    # The last byte is filled with 1 bits (F.1.2.3); some encoders pad further.
    start, end = _before(data, first, at, have - lent >> 3), last
    while start < end and (data[start] == 0 or data[start] == 0xFF):
        start += 1
    while start < end and (data[end - 1] == 0 or data[end - 1] == 0xFF):
        end -= 1
    return burst, end - start < 4


@compiled
def _scan(
    data: Octets,
    restart: Any,
    mcus: Any,
    plan: NDArray[np.int64],
    band: NDArray[np.int64],
    direct: NDArray[np.uint16],
    limits: NDArray[np.int32],
    shifts: NDArray[np.int32],
    entries: NDArray[np.uint16],
    places: NDArray[np.int64],
) -> Any:
    """Decode a scan, interval by interval (E.2.4): how many `places` burst, and whether it is short."""
    burst, short, first, done = np.int64(0), False, np.int64(0), np.int64(0)
    while True:
        last: Any = data.size
        if restart > 0:
            for at in range(first, data.size - 1):
                if data[at] == 0xFF and 0xD0 <= data[at + 1] < 0xD8:
                    last = at
                    break
        due = min(restart, mcus - done) if restart > 0 else mcus
        burst, whole = _interval(
            data, first, last, due, plan, band, direct, limits, shifts, entries, places, burst
        )
        short = short or not whole
        done += due
        first = last + 2
        if done >= mcus or last == data.size:
            return burst, short or done < mcus or first < data.size
