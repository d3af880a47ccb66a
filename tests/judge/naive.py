"""The kernels of `vigie.judge.kernels`, slow and obvious; each compiled one must equal its twin."""

from itertools import pairwise

from vigie.model import Charset


def block_histograms(data: bytes) -> list[list[int]]:
    blocks = [data[start : start + 4096] for start in range(0, len(data) - 4095, 4096)]
    return [[block.count(value) for value in range(256)] for block in blocks]


def control_blocks(data: bytes) -> list[bool]:
    controls = {*range(8), *range(14, 32), 0x7F} - {0x1B}
    return [not controls.isdisjoint(data[start : start + 4096]) for start in range(0, len(data), 4096)]


def random_cell(cell: bytes) -> bool:
    if len(set(cell)) < 48 or not 18 <= sum(value >= 128 for value in cell) <= 46:
        return False
    if not 216 <= sum(value.bit_count() for value in cell) <= 296:
        return False
    for lag in (1, 2, 3, 4):
        steps = [abs(a - b) for a, b in zip(cell, cell[lag:], strict=False)]
        if sum(steps) < 53 * len(steps):
            return False
    return True


def cell_masks(data: bytes) -> list[int]:
    result = [0] * ((len(data) + 4095) // 4096)
    for number, start in enumerate(range(0, len(data) - 63, 64)):
        if random_cell(data[start : start + 64]):
            result[number // 64] |= 1 << number % 64
    return result


def random_fine(data: bytes) -> list[bool]:
    result = []
    for start in range(0, len(data) - 15, 16):
        cell = data[start : start + 16]
        steps = sum(abs(a - b) for a, b in pairwise(cell))
        result.append(
            len(set(cell)) >= 13
            and 3 <= sum(value >= 128 for value in cell) <= 13
            and 44 <= sum(value.bit_count() for value in cell) <= 84
            and steps >= 45 * 15
        )
    return result


def _control(value: int) -> bool:
    return value == 0x7F or (value < 0x20 and not (8 <= value <= 13 or value == 0x1B))


def impossible_bytes(data: bytes, charset: Charset) -> list[int]:
    if charset is Charset.UTF8:
        return _utf8(data)
    if charset is Charset.UTF16:
        return _utf16(data)
    result = []
    for start in range(0, len(data), 16):
        cell = data[start : start + 16]
        controls, high = sum(map(_control, cell)), sum(value >= 0x80 for value in cell)
        result.append(controls + high if controls >= 1 and high >= 3 else 0)
    return result


def _utf8(data: bytes) -> list[int]:
    bad = [False] * len(data)
    due = 0
    for i, value in enumerate(data):
        if due and 0x80 <= value <= 0xBF:
            due -= 1
            continue
        bad[i] = due > 0 or _control(value) or 0x80 <= value <= 0xC1 or value >= 0xF5
        due = (
            1 if 0xC2 <= value <= 0xDF else 2 if 0xE0 <= value <= 0xEF else 3 if 0xF0 <= value <= 0xF4 else 0
        )
    result = []
    for start in range(0, len(data), 16):
        cell = range(start, min(start + 16, len(data)))
        has_control = any(_control(data[i]) for i in cell)
        high = sum(data[i] >= 0x80 for i in cell)
        result.append(sum(bad[i] for i in cell) if has_control and high >= 3 else 0)
    return result


def _utf16(data: bytes) -> list[int]:
    cells = (len(data) + 15) // 16
    result = [0] * cells
    for start in range(0, cells * 16, 64):
        group = data[start : min(start + 64, len(data) - len(data) % 2)]
        halves = (group[0::2], group[1::2])
        if all(len(half) >= 8 and len(set(half)) * 4 >= len(half) * 3 for half in halves):
            for cell in range(start // 16, min(start // 16 + 4, cells)):
                result[cell] = 16
    return result
