"""Bob Jenkins' lookup3 hash (hashlittle), which HDF5 seals its metadata with."""

_MASK = 0xFFFFFFFF
_START = 0xDEADBEEF


def _turn(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & _MASK


def lookup3(data: bytes, seed: int = 0) -> int:
    """The 32-bit hash of `data`."""
    a = b = c = (_START + len(data) + seed) & _MASK
    if not data:
        return c
    last = (len(data) - 1) // 12 * 12
    for at in range(0, last, 12):
        a = (a + int.from_bytes(data[at : at + 4], "little")) & _MASK
        b = (b + int.from_bytes(data[at + 4 : at + 8], "little")) & _MASK
        c = (c + int.from_bytes(data[at + 8 : at + 12], "little")) & _MASK
        for turn in (4, 6, 8, 16, 19, 4):
            # One round of six: the three words change places each time.
            a = (a - c & _MASK) ^ _turn(c, turn)
            c = (c + b) & _MASK
            a, b, c = b, c, a
    tail = data[last:].ljust(12, b"\0")
    a = (a + int.from_bytes(tail[:4], "little")) & _MASK
    b = (b + int.from_bytes(tail[4:8], "little")) & _MASK
    c = (c + int.from_bytes(tail[8:], "little")) & _MASK
    for turn in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _turn(b, turn)) & _MASK
        a, b, c = b, c, a
    # After seven changes of place the last word computed stands in `b`.
    return b
