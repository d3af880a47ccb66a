"""VP8L images parsed to the last pixel (RFC 9649, section 3), as WebP holds them: no pixel is made of it.

Prefix codes that are no codes, copies of what was not decoded yet, and an image that ends before its data, or
not at all, are what healthy ones never have. Codes are complete, so random bits go on being symbols: where
they begin and end cannot be told, only that pixels and bits do not come out even. One flipped bit makes
another symbol, and most codes find their way back behind it; but where tiles of the image have codes of their
own, one pixel more is enough to lose it for good.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.formats.compiled import compiled

HEAD = 5
"""Bytes of the signature and the size (3.4)."""
GROUPS = 8192
"""Groups of codes that are followed in one image; libwebp makes 2,600 at most."""
TILES = 1 << 22
"""Pixels of the picture that says which codes are used where, up to which an image is followed."""
WHOLE, PREFIX, COPY, SHORT, TRANSFORM, LARGE = range(6)
"""How parsing ended: at the last pixel, a prefix code that is none, a copy of what is not there, the end of
the data, a transform that stands there twice, or where nobody follows it."""
_DIRECT = 8
"""Bits of code that are looked up at once."""
_LONGER = 0xFFFF
_SYMBOLS = 280 + 2048
_PAD = 8
_ORDER = np.array((17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), np.int64)
"""In which the lengths of the code for lengths stand (3.7.2.1.2)."""
_PLANE = np.frombuffer(
    bytes.fromhex(
        "1807171928062729161a262a38053739151b363a252b48044749141c353b464a242c58454b343c03"
        "5759131d565a232d444c555b333d68026769121e666a222e545c434d656b323e78017779535d111f"
        "646c424e767a212f757b313f636d525e00747c414f1020626e30737d515f40727e616f50717f6070"
    ),
    np.uint8,
)
"""Short distances as points (3.6.2.2): rows above in the high half, 8 - columns to the left in the low."""

Octets = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Parsed:
    """How the parsing of one image went."""

    ending: int
    """See `WHOLE`."""
    bits: int
    """Where in the data it ended."""
    pixels: int
    """How many pixels of what was decoded last are known by then."""
    due: int
    """How many pixels that has."""

    @property
    def missing(self) -> int:
        """How many bytes more the pixels that are missing would have taken, if they are like the others."""
        return -(-(self.due - self.pixels) * self.bits // (8 * max(1, self.pixels)))


def parse(data: bytes, size: tuple[int, int] | None = None) -> Parsed | None:
    """Read an image with its header; with `size`, one without (an alpha plane); None where none begins.

    Takes some 110 ns a byte, and at most some 60 MiB beside the data.
    """
    at = 0
    if size is None:
        if len(data) < HEAD or data[0] != 0x2F or data[4] >> 5:
            return None
        bits = int.from_bytes(data[1:HEAD], "little")
        size, at = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), HEAD
    found = np.array((8 * at, 0, 0), np.int64)
    whole = np.frombuffer(data + bytes(_PAD), np.uint8)
    ending = _image(whole, 8 * len(data), size[0], size[1], found, _ORDER, _PLANE)
    return Parsed(int(ending), int(found[0]), int(found[1]), int(found[2]))


def warm() -> None:
    """Compile the loops, or load them from where they are kept, before the first file and confinement."""
    parse(b"\x2f\0\0\0\0" + bytes(16))


@compiled
def _take(data: Octets, found: NDArray[np.int64], count: Any) -> Any:
    """The next `count` bits, 24 at most, the lowest first."""
    at = min(found[0] >> 3, data.size - 4)
    word = np.int64(data[at]) | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]) << 16
    word |= np.int64(data[at + 3]) << 24
    word >>= found[0] & 7
    found[0] += count
    return word & (1 << count) - 1


@compiled
def _symbol(
    data: Octets,
    found: NDArray[np.int64],
    direct: NDArray[np.uint16],
    counts: NDArray[np.int16],
    symbols: NDArray[np.int16],
) -> Any:
    """The next symbol of one code (3.7.2.1)."""
    at = min(found[0] >> 3, data.size - 4)
    word = np.int64(data[at]) | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]) << 16
    word >>= found[0] & 7
    entry = np.int64(direct[word & (1 << _DIRECT) - 1])
    if entry != _LONGER:
        found[0] += entry & 15
        return entry >> 4
    code: Any = 0
    first: Any = 0
    index: Any = 0
    for width in range(1, 16):  # of one length, codes follow each other
        code |= word & 1
        word >>= 1
        count = np.int64(counts[width])
        if code - first < count:
            found[0] += width
            return np.int64(symbols[index + code - first])
        index += count
        first = first + count << 1
        code <<= 1
    return np.int64(0)  # a complete code has no others


@compiled
def _build(
    lengths: NDArray[np.uint8],
    size: Any,
    direct: NDArray[np.uint16],
    counts: NDArray[np.int16],
    symbols: NDArray[np.int16],
) -> Any:
    """The tables of a code from its lengths: how many symbols it has, 0 if it is none."""
    counts[:] = 0
    for symbol in range(size):
        counts[lengths[symbol]] += 1
    total = size - counts[0]
    counts[0] = 0
    starts = np.zeros(17, np.int64)
    room: Any = 1 << 15
    for width in range(1, 16):
        starts[width + 1] = starts[width] + counts[width]
        room -= np.int64(counts[width]) << 15 - width
    if total > symbols.size or total == 0 or (total > 1 and room):
        return 0
    for symbol in range(size):
        if lengths[symbol]:
            symbols[starts[lengths[symbol]]] = symbol
            starts[lengths[symbol]] += 1
    if total == 1:
        direct[:] = np.int64(symbols[0]) << 4  # takes no bits
        return 1
    direct[:] = _LONGER
    code, index = 0, 0
    for width in range(1, _DIRECT + 1):
        for _ in range(counts[width]):
            turned = 0
            for bit in range(width):
                turned |= (code >> bit & 1) << width - 1 - bit
            for at in range(turned, 1 << _DIRECT, 1 << width):
                direct[at] = np.int64(symbols[index]) << 4 | width
            code += 1
            index += 1
        code <<= 1
    return total


@compiled
def _code(
    data: Octets,
    found: NDArray[np.int64],
    size: Any,
    order: NDArray[np.int64],
    lengths: NDArray[np.uint8],
    direct: NDArray[np.uint16],
    counts: NDArray[np.int16],
    symbols: NDArray[np.int16],
) -> Any:
    """Read one prefix code (3.7.2.1): how many symbols it has, 0 if it is none."""
    lengths[:] = 0
    if _take(data, found, 1):
        two = _take(data, found, 1)
        one = _take(data, found, 8 if _take(data, found, 1) else 1)
        other = _take(data, found, 8) if two else one
        if max(one, other) >= size:
            return 0
        lengths[one] = lengths[other] = 1
        return _build(lengths, size, direct, counts, symbols)
    for index in range(4 + _take(data, found, 4)):
        lengths[order[index]] = _take(data, found, 3)
    if not _build(lengths, 19, direct, counts, symbols):
        return 0
    left: Any = size
    if _take(data, found, 1):
        left = 2 + _take(data, found, 2 + 2 * _take(data, found, 3))
        if left > size:
            return 0
    lengths[:] = 0
    symbol, before = 0, 8
    while symbol < size and left > 0:
        left -= 1
        length = _symbol(data, found, direct, counts, symbols)
        if length < 16:
            lengths[symbol] = length
            symbol += 1
            before = length or before
            continue
        if length == 16:
            times = 3 + _take(data, found, 2)
        else:
            times = 3 + _take(data, found, 3) if length == 17 else 11 + _take(data, found, 7)
        if symbol + times > size:
            return 0
        for _ in range(times):
            lengths[symbol] = before if length == 16 else 0
            symbol += 1
    return _build(lengths, size, direct, counts, symbols)


@compiled
def _extra(data: Octets, found: NDArray[np.int64], symbol: Any) -> Any:
    """The length or distance that a symbol and the bits behind it stand for (3.6.2.2)."""
    if symbol < 4:
        return symbol + 1
    bits = symbol - 2 >> 1
    return ((2 + (symbol & 1)) << bits) + _take(data, found, bits) + 1


@compiled
def _pixels(
    data: Octets,
    limit: Any,
    wide: Any,
    high: Any,
    found: NDArray[np.int64],
    order: NDArray[np.int64],
    plane: NDArray[np.uint8],
    cache: Any,
    tiles: NDArray[np.int64],
    side: Any,
    made: NDArray[np.int64],
) -> Any:
    """Codes and pixels of one image (3.7); pixels are kept in `made`, if that has room for them.

    Args:
        data: with room behind it.
        limit: where it ends, in bits.
        wide: columns.
        high: rows.
        found: where it is read, in bits; pixels so far; pixels in all.
        order: see `_ORDER`.
        plane: see `_PLANE`.
        cache: bits of the number of colors that are remembered, or 0.
        tiles: group of each tile; one for an image that has but one group.
        side: bits of the side of a tile.
        made: the pixels, ARGB.
    """
    groups = tiles.max() + 1
    found[1], found[2] = 0, wide * high
    if groups > GROUPS:
        return LARGE
    alphabet: Any = 280 + ((1 << cache) if cache else 0)
    direct = np.empty((groups * 5, 1 << _DIRECT), np.uint16)
    counts = np.zeros((groups * 5, 16), np.int16)
    symbols = np.empty(groups * 600 + 4 * _SYMBOLS, np.int16)
    starts = np.zeros(groups * 5, np.int64)
    lengths = np.zeros(_SYMBOLS, np.uint8)
    stored: Any = 0
    for index in range(groups * 5):
        part = index % 5
        size = alphabet if part == 0 else 40 if part == 4 else 256
        if stored + 2 * _SYMBOLS > symbols.size:
            more = np.empty(2 * symbols.size, np.int16)
            more[:stored] = symbols[:stored]
            symbols = more
        starts[index] = stored
        count = _code(data, found, size, order, lengths, direct[index], counts[index], symbols[stored:])
        if found[0] > limit:
            return SHORT
        if not count:
            return PREFIX
        stored += count
    keep = made.size > 0
    colors = np.zeros(1 << cache, np.int64)
    across = (wide - 1 >> side) + 1
    total = wide * high
    done, row, column = 0, 0, 0
    while done < total:
        if found[0] > limit:
            return SHORT
        at = 5 * (tiles[(row >> side) * across + (column >> side)] if groups > 1 else 0)
        first = _symbol(data, found, direct[at], counts[at], symbols[starts[at] :])
        times: Any = 1
        back: Any = 0
        color = np.int64(0)
        if first < 256:
            color = first << 8
            for part in range(1, 4):
                to = at + part
                value = _symbol(data, found, direct[to], counts[to], symbols[starts[to] :])
                color |= value << (16 if part == 1 else 0 if part == 2 else 24)
        elif first < 280:
            times = _extra(data, found, first - 256)
            to = at + 4
            back = _extra(data, found, _symbol(data, found, direct[to], counts[to], symbols[starts[to] :]))
            if back > 120:
                back -= 120
            else:
                point = np.int64(plane[back - 1])
                back = max(1, (point >> 4) * wide + 8 - (point & 15))
            if back > done or done + times > total:
                return COPY if found[0] <= limit else SHORT
        elif keep:
            color = colors[first - 280]
        if keep:
            for place in range(done, done + times):
                if back:
                    color = made[place - back]
                made[place] = color
                if cache:
                    colors[(0x1E35A7BD * color & 0xFFFFFFFF) >> 32 - cache] = color
        done += times
        found[1] = done
        column += times
        while column >= wide:
            column -= wide
            row += 1
    return WHOLE if found[0] <= limit else SHORT


@compiled
def _remembered(data: Octets, found: NDArray[np.int64]) -> Any:
    """Bits of how many colors an image remembers (3.7.1), 0 if it does not, -1 if that is out of range."""
    if not _take(data, found, 1):
        return 0
    bits = _take(data, found, 4)
    return bits if 1 <= bits <= 11 else -1


@compiled
def _inner(
    data: Octets,
    limit: Any,
    wide: Any,
    high: Any,
    found: NDArray[np.int64],
    order: NDArray[np.int64],
    plane: NDArray[np.uint8],
    made: NDArray[np.int64],
) -> Any:
    """A picture that a transform or the choice of codes is written as (3.7.1)."""
    cache = _remembered(data, found)
    if cache < 0:
        return PREFIX
    return _pixels(data, limit, wide, high, found, order, plane, cache, np.zeros(1, np.int64), 0, made)


@compiled
def _image(
    data: Octets,
    limit: Any,
    width: Any,
    high: Any,
    found: NDArray[np.int64],
    order: NDArray[np.int64],
    plane: NDArray[np.uint8],
) -> Any:
    """A whole image, transforms first (3.5): how it ended."""
    nothing = np.empty(0, np.int64)
    wide: Any = width
    seen = 0
    while _take(data, found, 1):
        kind = _take(data, found, 2)
        if seen >> kind & 1:
            return TRANSFORM
        seen |= 1 << kind
        ending: Any = WHOLE
        if kind == 3:  # colors by their index, several to a pixel where they are few (3.5.4)
            colors = _take(data, found, 8) + 1
            ending = _inner(data, limit, colors, 1, found, order, plane, nothing)
            pack = 3 if colors <= 2 else 2 if colors <= 4 else 1 if colors <= 16 else 0
            wide = (wide - 1 >> pack) + 1
        elif kind < 2:
            side = _take(data, found, 3) + 2
            ending = _inner(
                data, limit, (wide - 1 >> side) + 1, (high - 1 >> side) + 1, found, order, plane, nothing
            )
        if ending != WHOLE:
            return ending
    cache = _remembered(data, found)
    if cache < 0:
        return PREFIX
    tiles = np.zeros(1, np.int64)
    side = 0
    if _take(data, found, 1):
        side = _take(data, found, 3) + 2
        across, down = (wide - 1 >> side) + 1, (high - 1 >> side) + 1
        if across * down > TILES:
            return LARGE
        tiles = np.zeros(across * down, np.int64)
        ending = _inner(data, limit, across, down, found, order, plane, tiles)
        if ending != WHOLE:
            return ending
        tiles = tiles >> 8 & 0xFFFF
    return _pixels(data, limit, wide, high, found, order, plane, cache, tiles, side, nothing)
