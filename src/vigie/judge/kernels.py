"""Randomness, measured block by block: compiled loops over bytes. Each has a naive twin in the tests.

Four scales, because attackers choose theirs (64 bytes on, 128 off; 16 on, 16 off; whole files):

- `cell_masks`: which cells of 64 bytes look random, by their distinct values, high bits, set bits and
  the distance between neighbours (raw pixels and samples have close neighbours, random bytes have not);
  one bit a cell, one word a block of 4 KiB;
- `random_fine`: the same for cells of 16 bytes, rougher: for places where something else already failed;
- `block_histograms`: how often each byte value stands in a block of 4 KiB, for the tests of uniformity in
  `randomness`, which tell compressed from encrypted;
- `control_blocks`: which blocks hold control bytes that no text has, so that the rest need not be asked;
- `impossible_bytes`: how many bytes of each 16-byte cell cannot stand in a text of a given character set.

All take `uint8` arrays of one dimension and release the interpreter lock.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.formats.compiled import compiled
from vigie.model import Charset

Bytes = NDArray[np.uint8]

BLOCK = 4096
"""Bytes of a block: a word of `cell_masks`, a row of `block_histograms`."""
CELL = 64
"""Bytes of a randomness cell."""
FINE = 16
"""Bytes of a text cell."""

_STRIDE = 128
"""Bytes looked at together for control bytes."""

_POPCOUNT = np.array([value.bit_count() for value in range(256)], dtype=np.uint8)
_ONE = np.uint64(1)
_LOW6 = np.uint8(63)

MIN_DISTINCT = 48
"""Of 64 random bytes 56.8 differ on average (standard deviation 2.3); 48 is 3.8 deviations below."""
HIGH_LOW, HIGH_HIGH = 18, 46
"""Bytes with the top bit set among 64: 32 on average (4.0); 3.5 deviations each way."""
BITS_LOW, BITS_HIGH = 216, 296
"""Set bits among 512: 256 on average (11.3); 3.5 deviations each way."""
MIN_STEP = 53
"""Mean distance between bytes 1 to 4 apart: 85.3 on average (about 8); 4 deviations below."""


@compiled
def _bits(word: Any) -> Any:
    """Set bits of a 64-bit word, summed side by side; LLVM knows the shape and makes it one instruction."""
    word = word - ((word >> _ONE) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@compiled
def _looks_random(cell: Bytes, words: Any) -> bool:
    # Cheap tests first, in loops of fixed length over 32-bit numbers: the compiler makes vectors of them.
    high = np.int32(0)
    for i in range(CELL):
        high += np.int32(cell[i] >> 7)
    if high < HIGH_LOW or high > HIGH_HIGH:
        return False
    bits = np.uint64(0)
    for i in range(CELL // 8):
        bits += _bits(words[i])
    if bits < BITS_LOW or bits > BITS_HIGH:
        return False
    step1 = step2 = step3 = step4 = np.int32(0)
    for i in range(CELL - 4):
        value = np.int32(cell[i])
        step1 += abs(np.int32(cell[i + 1]) - value)
        step2 += abs(np.int32(cell[i + 2]) - value)
        step3 += abs(np.int32(cell[i + 3]) - value)
        step4 += abs(np.int32(cell[i + 4]) - value)
    for i in range(CELL - 4, CELL - 1):
        value = np.int32(cell[i])
        step1 += abs(np.int32(cell[i + 1]) - value)
        if i < CELL - 2:
            step2 += abs(np.int32(cell[i + 2]) - value)
        if i < CELL - 3:
            step3 += abs(np.int32(cell[i + 3]) - value)
    if step1 < MIN_STEP * (CELL - 1) or step2 < MIN_STEP * (CELL - 2):
        return False
    if step3 < MIN_STEP * (CELL - 3) or step4 < MIN_STEP * (CELL - 4):
        return False
    # Distinct values: a set of 256 bits in four registers.
    seen0 = seen1 = seen2 = seen3 = np.uint64(0)
    for i in range(CELL):
        bit = _ONE << np.uint64(cell[i] & _LOW6)
        quarter = cell[i] >> 6
        seen0 |= bit if quarter == 0 else np.uint64(0)
        seen1 |= bit if quarter == 1 else np.uint64(0)
        seen2 |= bit if quarter == 2 else np.uint64(0)
        seen3 |= bit if quarter == 3 else np.uint64(0)
    return bool(_bits(seen0) + _bits(seen1) + _bits(seen2) + _bits(seen3) >= MIN_DISTINCT)


@compiled
def cell_masks(data: Bytes) -> NDArray[np.uint64]:
    """Which whole cells of `CELL` bytes look random (99.8 % of truly random ones do): one word a block.

    Returns:
        uint64 of shape (ceil(data.size / BLOCK),); bit i of a word is the block's cell i.
    """
    result = np.zeros((data.size + BLOCK - 1) // BLOCK, np.uint64)
    count = data.size // CELL
    words = data[: count * CELL].view(np.uint64)
    for cell in range(count):
        if _looks_random(data[cell * CELL : cell * CELL + CELL], words[cell * 8 : cell * 8 + 8]):
            result[cell // 64] |= _ONE << np.uint64(cell % 64)
    return result


@compiled
def block_histograms(data: Bytes) -> NDArray[np.int32]:
    """How often each byte value stands in each whole block of `BLOCK` bytes.

    Returns:
        int32 of shape (data.size // BLOCK, 256).
    """
    result = np.zeros((data.size // BLOCK, 256), np.int32)
    for block in range(result.shape[0]):
        row = result[block]
        for i in range(block * BLOCK, block * BLOCK + BLOCK):
            row[data[i]] += 1
    return result


@compiled
def control_blocks(data: Bytes) -> NDArray[np.bool_]:
    """Which blocks of `BLOCK` bytes hold a control byte as `impossible_bytes` means it (not for UTF-16).

    Returns:
        bool of shape (ceil(data.size / BLOCK),).
    """
    result = np.zeros((data.size + BLOCK - 1) // BLOCK, np.bool_)
    for block in range(result.size):
        # Strides of a fixed length: the compiler makes vectors of them.
        for start in range(block * BLOCK, min(block * BLOCK + BLOCK, data.size - _STRIDE + 1), _STRIDE):
            part = data[start : start + _STRIDE]
            found = np.uint8(0)
            for i in range(_STRIDE):
                value = part[i]
                found += np.uint8(
                    (value < 8) | ((value >= 14) & (value < 0x20) & (value != 0x1B)) | (value == 0x7F)
                )
            if found:
                result[block] = True
                break
    for i in range(data.size - data.size % _STRIDE, data.size):
        value = data[i]
        if value < 8 or (14 <= value < 0x20 and value != 0x1B) or value == 0x7F:
            result[i // BLOCK] = True
    return result


@compiled
def random_fine(data: Bytes) -> NDArray[np.bool_]:
    """Which whole cells of `FINE` bytes look random (about 95 % of truly random ones do).

    Of 16 random bytes 15.5 differ on average, 8 have the top bit set, 64 bits of 128 are set (5.7).

    Returns:
        bool of shape (data.size // FINE,).
    """
    count = data.size // FINE
    result = np.zeros(count, np.bool_)
    seen = np.full(256, -1, np.int64)
    for cell in range(count):
        start = cell * FINE
        distinct = 0
        high = np.int64(0)
        bits = np.int64(0)
        step = np.int64(0)
        for i in range(start, start + FINE):
            value = data[i]
            high += value >> 7
            bits += _POPCOUNT[value]
            if seen[value] != cell:
                seen[value] = cell
                distinct += 1
            if i > start:
                step += abs(np.int64(value) - np.int64(data[i - 1]))
        result[cell] = distinct >= 13 and 3 <= high <= 13 and 44 <= bits <= 84 and step >= 45 * (FINE - 1)
    return result


@compiled
def _impossible_utf8(data: Bytes, result: Bytes) -> None:
    # A text that mixes UTF-8 and Latin-1 has invalid bytes, but no control characters among them, and one
    # that is padded with zeros has control characters, but no high bytes: cells without both are not counted,
    # or a line of French in the wrong encoding would look like an attack.
    controls = np.zeros(result.size, np.uint8)
    high = np.zeros(result.size, np.uint8)
    expected = 0  # continuation bytes still due (RFC 3629 section 3)
    for i in range(data.size):
        value = data[i]
        bad = False
        high[i // FINE] += value >> 7
        if expected > 0 and 0x80 <= value < 0xC0:
            expected -= 1
            continue
        if expected > 0:
            bad = True  # the sequence before was cut short
            expected = 0
        if value < 0x20 or value == 0x7F:
            if not (8 <= value <= 13 or value == 0x1B):
                bad = True
                controls[i // FINE] = 1
        elif value < 0x7F:
            pass
        elif 0xC2 <= value < 0xE0:
            expected = 1
        elif 0xE0 <= value < 0xF0:
            expected = 2
        elif 0xF0 <= value < 0xF5:
            expected = 3
        else:
            bad = True
        if bad:
            result[i // FINE] += 1
    for cell in range(result.size):
        if controls[cell] == 0 or high[cell] < 3:
            result[cell] = 0


@compiled
def _impossible_latin1(data: Bytes, result: Bytes) -> None:
    # A high byte is possible here, a crowd of them beside control characters is not.
    for cell in range(result.size):
        controls = 0
        high = np.int64(0)
        for i in range(cell * FINE, min(cell * FINE + FINE, data.size)):
            value = data[i]
            if value >= 0x80:
                high += 1
            elif value == 0x7F or (value < 0x20 and not (8 <= value <= 13 or value == 0x1B)):
                controls += 1
        if controls >= 1 and high >= 3:
            result[cell] = controls + high


@compiled
def _impossible_utf16(data: Bytes, result: Bytes) -> None:
    # Characters of a text share few high bytes; in random bytes nearly every unit has its own.
    span = 4  # cells looked at together: 32 units
    seen = np.full(256, -1, np.int64)
    for group in range((result.size + span - 1) // span):
        start = group * span * FINE
        end = min(start + span * FINE, data.size - data.size % 2)
        for parity in range(2):
            distinct = 0
            units = 0
            for i in range(start + parity, end, 2):
                units += 1
                if seen[data[i]] != group * 2 + parity:
                    seen[data[i]] = group * 2 + parity
                    distinct += 1
            if units < 8 or distinct * 4 < units * 3:
                break
        else:
            for cell in range(group * span, min((group + 1) * span, result.size)):
                result[cell] = FINE


def impossible_bytes(data: Bytes, charset: Charset) -> Bytes:
    """How many bytes of each cell of `FINE` bytes cannot stand in a text of this character set.

    Args:
        data: the bytes; UTF-16 starts at an even offset, UTF-8 at a character.
        charset: UTF8, LATIN1 or UTF16.

    Returns:
        uint8 of shape (ceil(data.size / FINE),).
    """
    result = np.zeros((data.size + FINE - 1) // FINE, np.uint8)
    if charset is Charset.UTF8:
        _impossible_utf8(data, result)
    elif charset is Charset.UTF16:
        _impossible_utf16(data, result)
    else:
        _impossible_latin1(data, result)
    return result


def glance(head: bytes) -> bool:
    """Whether the first bytes of a file look random: cheap, for whoever must decide in microseconds.

    True for over 99 % of random heads; for hardly any healthy format, since nearly all start with a header.
    """
    if len(head) < FINE:
        return False
    fine = head[:FINE]
    high = sum(value >= 0x80 for value in fine)
    if len(set(fine)) >= FINE - 3 and 3 <= high <= 13 and sum(v < 0x20 or v >= 0x7F for v in fine) >= 7:
        return True
    cell = head[:CELL]
    if len(cell) < CELL:
        return False
    bits = int.from_bytes(cell, "little").bit_count()
    return len(set(cell)) >= MIN_DISTINCT and BITS_LOW <= bits <= BITS_HIGH


def warm() -> None:
    """Compile every kernel, or load it from the cache, before the first file and confinement."""
    data = np.frombuffer(bytes(BLOCK), np.uint8)
    cell_masks(data)
    block_histograms(data)
    control_blocks(data)
    random_fine(data)
    for charset in (Charset.UTF8, Charset.LATIN1, Charset.UTF16):
        impossible_bytes(data, charset)
