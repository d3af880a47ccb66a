"""Two old filters of PDF, followed to see whether they hold: LZW and run lengths (ISO 32000-1, 7.4.4, 7.4.5).

Nothing is decompressed: of LZW the size of the table at each code is enough to know which codes cannot be.
"""

_CLEAR, _END, _FIRST, _FULL = 256, 257, 258, 4096
_RUN_END = 128


def lzw(data: bytes, *, early: bool) -> int | None:
    """Where the codes end, or break; None when they go on to the end of `data`.

    Args:
        data: the stream, from its first byte on.
        early: whether codes grow one code too soon (`/EarlyChange`, which is 1 unless it says otherwise).
    """
    width, following = 9, _FIRST
    bits = held = 0
    first = True
    for place, value in enumerate(data):
        bits = (bits << 8 | value) & 0xFFFFFF
        held += 8
        if held < width:
            continue
        held -= width
        code = bits >> held & ((1 << width) - 1)
        if code == _CLEAR:
            width, following, first = 9, _FIRST, True
            continue
        if code == _END:
            return place + 1
        if (
            code > following
            or (first and code >= _CLEAR)
            or (code == following and following < _FULL and first)
        ):
            return place
        following = min(following + (not first), _FULL)
        first = False
        width = max(9, min(12, (following + early).bit_length()))
    return None


def run_lengths(data: bytes) -> int | None:
    """Where the runs end (behind the mark 128), or None when they go on to the end of `data`."""
    at = 0
    while at < len(data):
        length = data[at]
        if length == _RUN_END:
            return at + 1
        at += length + 2 if length < _RUN_END else 2
    return None
