"""Baseline JPEG scans decoded as far as telling their blocks apart (ITU-T T.81, annex F.2): no pixel is made.

Byte stuffing misses one overwrite of 512 bytes in seven: as many random bytes hold no forbidden marker. Their
Huffman codes are another matter: blocks of more than 64 coefficients, codes that no table has, and in the end
another number of blocks than the image has. Bits are looked up for all positions at once (numpy), so that the
loop over symbols is two additions.
"""

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_STUFFED = re.compile(rb"\xff\x00")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_FILL = b"\xff" * 8
_END_OF_BLOCK, _BAD = 128, 64
"""What is added to the index of the coefficient: from 128 the block has ended, from 65 to 127 it burst."""
_MOST = 1000
"""Places kept of one interval."""
_INTERVALS = 1000
"""Restart intervals of a scan that is decoded; each has a cost of its own."""

Lookup = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""For each 16 bits: the bits of code and value, and what they add to the index of the coefficient."""


@dataclass(slots=True)
class Coding:
    """What the header segments so far say of how scans are coded."""

    process: int = 0
    """The marker of the frame: C0 baseline, C1 extended."""
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

    def layout(self, scan: bytes) -> tuple[int, list[tuple[int, int]]] | None:
        """MCUs of a scan with this header, and the tables of each block of one, if they are known."""
        if self.process not in (0xC0, 0xC1) or len(self.frame) < 9 or self.frame[0] != 8:
            return None
        height, width = int.from_bytes(self.frame[1:3], "big"), int.from_bytes(self.frame[3:5], "big")
        parts = {self.frame[at]: self.frame[at + 1] for at in range(6, len(self.frame) - 2, 3)}
        wide, high = max(s >> 4 for s in parts.values()), max(s & 15 for s in parts.values())
        chosen = [(parts.get(scan[at], 0), scan[at + 1]) for at in range(1, 1 + 2 * scan[0], 2)]
        blocks: list[tuple[int, int]] = []
        for sampling, slots in chosen:
            tables = slots >> 4, 0x10 | slots & 15
            if not sampling or not height or not self.tables.keys() >= set(tables):
                return None
            blocks += [tables] * ((sampling >> 4) * (sampling & 15) if len(chosen) > 1 else 1)
        if len(chosen) > 1:  # interleaved (A.2.3)
            return -(-width // (8 * wide)) * -(-height // (8 * high)), blocks
        sampling = chosen[0][0]
        columns = -(-width * (sampling >> 4) // wide)
        rows = -(-height * (sampling & 15) // high)
        return -(-columns // 8) * -(-rows // 8), blocks


@dataclass(frozen=True, slots=True)
class Decoded:
    """How the decoding of one scan went."""

    places: tuple[int, ...]
    """Offsets into the scan where a block burst, rising."""
    short: bool
    """Whether blocks are missing, or bytes are left over."""


def decode(data: bytes, coding: Coding, scan: bytes) -> Decoded | None:
    """Follow the codes of the scan `data` with the scan header `scan`, if that is known how."""
    layout = coding.layout(scan)
    if layout is None or not layout[0]:
        return None
    mcus, blocks = layout
    tables = {slot: _lookup(*coding.tables[slot], direct=slot < 0x10) for pair in blocks for slot in pair}
    if not coding.restart:
        burst, whole = _interval(data, mcus, blocks, tables)
        return Decoded(tuple(burst), not whole)
    ends = [match.start() for match in _RESTART.finditer(data)]
    if len(ends) > _INTERVALS:
        return None
    places: list[int] = []
    first, done, short = 0, 0, False
    for last in (*ends, len(data)):
        burst, whole = _interval(data[first:last], min(coding.restart, mcus - done), blocks, tables)
        places += [first + place for place in burst]
        short |= not whole
        done += coding.restart
        first = last + 2
        if done >= mcus:
            break
    return Decoded(tuple(places), short or done < mcus or first < len(data))


def _interval(
    data: bytes, mcus: int, blocks: list[tuple[int, int]], tables: dict[int, Lookup]
) -> tuple[list[int], bool]:
    """Decode so many MCUs: where blocks burst, and whether the last one ends where the data does."""
    plain = data.replace(b"\xff\x00", b"\xff")
    raw = np.frombuffer(plain + _FILL, np.uint8).astype(np.uint32)
    triples = raw[:-2] << 16 | raw[1:-1] << 8 | raw[2:]
    bits = np.empty((triples.size, 8), np.uint16)
    for shift in range(8):
        bits[:, shift] = (triples >> (8 - shift)) & 0xFFFF
    flat = bits.ravel()
    known = {slot: (t[0][flat].tobytes(), t[1][flat].tobytes()) for slot, t in tables.items()}
    # For each block the lengths of its DC codes, and lengths and steps of its AC codes.
    plan = [(known[direct][0], *known[other]) for direct, other in blocks]
    end = len(plain) * 8
    position = 0
    burst: list[int] = []
    try:
        for _ in range(mcus):
            for direct, lengths, steps in plan:
                begun = position
                position += direct[position]
                index = 1
                while index < 64:
                    index += steps[position]
                    position += lengths[position]
                # Within the last bits a code may be cut, rather than wrong.
                if 64 < index < _END_OF_BLOCK and position + 32 <= end:
                    burst.append(begun >> 3)
            if position > end:
                break
    except IndexError:
        position = end + 8  # blocks are missing
    places = np.array(burst[:_MOST], np.int64)
    if burst:
        stuffed = np.fromiter((match.start() for match in _STUFFED.finditer(data)), np.int64)
        places += np.searchsorted(stuffed - np.arange(stuffed.size), places)
    # The last byte is filled with 1 bits (F.1.2.3); some encoders pad further.
    left = plain[(position + 7) // 8 :].strip(b"\0\xff")
    return places.tolist(), position <= end and len(left) < 4


def _lookup(counts: bytes, symbols: bytes, *, direct: bool) -> Lookup:
    """The table for 16 bits at once (C.2: codes of one length follow those of the length before)."""
    values = np.frombuffer(symbols, np.uint8).astype(np.int64)
    widths = np.repeat(np.arange(1, 17), np.frombuffer(counts, np.uint8))
    if direct:
        bits, steps = widths + np.minimum(values, 16), np.zeros_like(values)
    else:
        sizes, runs = values & 15, values >> 4
        bits = widths + sizes
        steps = np.where(sizes > 0, runs + 1, np.where(runs == 15, 16, _END_OF_BLOCK))
        steps[sizes > 10] = _BAD  # F.1.2.2.1: 8 bits a sample make no larger one
    times = 1 << (16 - widths)
    lengths, adds = np.repeat(bits, times), np.repeat(steps, times)
    # A code that no table has is one bit, and bursts the block.
    gap = max(0, 65536 - lengths.size)
    lengths = np.concatenate((lengths, np.ones(gap, np.int64)))
    adds = np.concatenate((adds, np.full(gap, _BAD)))
    return lengths[:65536].astype(np.uint8), adds[:65536].astype(np.uint8)
