"""What the header segments of a JPEG may say (ITU-T T.81, B.2.2 to B.2.5)."""

SOF = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
"""Start of frame, one marker a process (table B.1)."""
_DHT, _DAC, _SOS, _DQT, _DNL, _DRI = 0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD


def segment_fault(marker: int, body: bytes, components: bytes) -> str:
    """What is impossible in the segment `marker` with the parameters `body`, or an empty string.

    `components` are the identifiers of the frame header so far, empty before it.
    """
    if marker in SOF:
        return "" if _frame(body) else "an impossible frame header"
    if marker == _DHT:
        return "" if _huffman(body) else "impossible Huffman tables"
    if marker == _DQT:
        return "" if _quantisation(body) else "impossible quantisation tables"
    if marker == _SOS:
        return "" if _scan(body, components) else "an impossible scan header"
    if marker in (_DRI, _DNL):
        return "" if len(body) == 2 else "an impossible length"
    if marker == _DAC:
        return "" if body and len(body) % 2 == 0 else "impossible conditioning"
    return "" if marker in (0xDE, 0xDF) else "an unknown marker"


def _frame(body: bytes) -> bool:
    """B.2.2: precision, size, and for each component its sampling factors 1 to 4 and table 0 to 3."""
    if len(body) < 9 or not 2 <= body[0] <= 16 or body[3:5] == b"\0\0" or not 1 <= body[5] <= 4:
        return False
    if len(body) != 6 + 3 * body[5]:
        return False
    sampling, tables = body[7::3], body[8::3]
    return all(1 <= s >> 4 <= 4 and 1 <= s & 15 <= 4 for s in sampling) and max(tables) <= 3


def _huffman(body: bytes) -> bool:
    """B.2.4.2: classes and slots, no more than 256 codes, and codes that fit (Kraft's inequality)."""
    offset = 0
    while offset < len(body):
        counts = body[offset + 1 : offset + 17]
        total = sum(counts)
        if body[offset] & 0xEC or len(counts) < 16 or total > 256:
            return False
        if sum(count << (15 - index) for index, count in enumerate(counts)) > 1 << 16:
            return False
        offset += 17 + total
    return offset == len(body) and offset > 0


def _quantisation(body: bytes) -> bool:
    """B.2.4.1: 64 values of one or two bytes a table."""
    offset = 0
    while offset < len(body):
        if body[offset] & 0xEC:
            return False
        offset += 1 + (128 if body[offset] >> 4 else 64)
    return offset == len(body) and offset > 0


def _scan(body: bytes, components: bytes) -> bool:
    """B.2.3: one to four components of the frame, tables 0 to 3, then the spectral selection."""
    if not body or not 1 <= body[0] <= 4 or len(body) != 4 + 2 * body[0] or not components:
        return False
    chosen, tables = body[1:-3:2], body[2:-3:2]
    if any(one not in components for one in chosen) or any(table & 0xCC for table in tables):
        return False
    return body[-3] <= 63 and body[-2] <= 63
