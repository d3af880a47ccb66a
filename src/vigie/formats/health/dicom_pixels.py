"""Pixel data of a DICOM file: native, floating point, encapsulated (PS3.5 §8, §A.4; PS3.3 §C.7.6.3)."""

from collections.abc import Mapping

from vigie.formats.health.dicom_frames import CHECKS, gathered
from vigie.formats.health.dicom_sheet import Sheet
from vigie.model import Blob, Kind

SAMPLES, PHOTOMETRIC, FRAMES = 0x00280002, 0x00280004, 0x00280008
ROWS, COLUMNS, BITS = 0x00280010, 0x00280011, 0x00280100

MAX_FRAGMENTS = 200_000
MAX_STREAM = 64 * 1024 * 1024
"""Bytes of one codestream that are held to be tested; a longer one is named and not tested."""

SLOW = 24
"""What a byte of RLE costs against one that C code tests: its runs are walked in Python."""

Facts = Mapping[int, bytes | int]
"""Values of the image module, met before the pixel data: numbers for US, bytes for IS and CS."""

_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_SHARED_CHROMA = {b"YBR_FULL_422": (2, 3), b"YBR_PARTIAL_422": (2, 3), b"YBR_PARTIAL_420": (1, 2)}


def _number(facts: Facts, tag: int) -> int:
    value = facts.get(tag, 0)
    if isinstance(value, int):
        return value
    digits = value.strip(b"\0 ")
    return int(digits) if digits.isdigit() and len(digits) < 10 else 0


def _frame_bits(facts: Facts) -> int:
    """Bits of one native frame; 0 when the image module does not say."""
    bits = _number(facts, ROWS) * _number(facts, COLUMNS) * _number(facts, BITS)
    bits *= _number(facts, SAMPLES) or 1
    photometric = facts.get(PHOTOMETRIC, b"")
    if isinstance(photometric, bytes):
        part, whole = _SHARED_CHROMA.get(photometric.strip(b"\0 "), (1, 1))
        bits = bits * part // whole
    return bits


def native(start: int, end: int, facts: Facts, sheet: Sheet, header: int) -> None:
    """Uncompressed integers: structured, as long as the image module says (PS3.5 §8.1.1). Nothing is read.

    `[start, end)` is what the file holds of the value, `header` where its element begins.
    """
    sheet.claim(start, end, Kind.STRUCTURED, "pixel data")
    expected = (_frame_bits(facts) * (_number(facts, FRAMES) or 1) + 7) // 8
    if not expected:
        sheet.note("pixel data without the size of its image")
    elif end - start < expected:
        sheet.flaw(header, start, f"pixel data of {end - start} bytes, and the image has {expected}")
    elif end - start > expected + 1:
        sheet.note(f"{end - start - expected} bytes behind the last frame")


def floats(blob: Blob, start: int, end: int, width: int, big: bool, sheet: Sheet, what: str) -> None:
    """Floating point values of `width` bytes: coded, tested by their exponents.

    Mantissas of measured values look random, exponents do not: of 256 neighbours, the byte that holds the
    sign and the upper exponent bits takes at most some dozens of values, of random bytes about 160.
    """
    block = 256 * width
    if end - start < block // 2:
        sheet.claim(start, end, Kind.OPAQUE, what)
        return
    sheet.claim(start, end, Kind.CODED, what)
    step = block * 256
    for at in range(start, end, step):
        data = blob.at(at, min(step, end - at))
        if not sheet.afford(len(data)):
            return
        for low in range(0, len(data), block):
            tops = data[low + (0 if big else width - 1) : low + block : width]
            if len(set(tops)) > 56:
                stop = min(low + block, len(data))
                sheet.flaw(at + low, at + stop, f"{what} with {len(set(tops))} kinds of exponents")


def encapsulated(blob: Blob, at: int, end: int, uid: str, facts: Facts, sheet: Sheet) -> int:
    """Fragments up to the sequence delimiter (PS3.5 §A.4), each codestream tested; where to go on."""
    start = at
    pieces: list[tuple[int, int]] = []
    while True:
        header = blob.at(at, 8)
        length = int.from_bytes(header[4:], "little")
        if header[:4] == _DELIMITER and len(header) == 8:
            close = at + 8
            break
        if header[:4] == _ITEM and at + 8 + length <= end and len(pieces) < MAX_FRAGMENTS:
            pieces.append((at + 8, length))
            at += 8 + length
            continue
        if len(pieces) >= MAX_FRAGMENTS:
            sheet.note("more fragments than are read")
        elif header[:4] == _ITEM[: len(header)] or not header:
            pieces.append((at + 8, max(0, end - at - 8)))
            sheet.flaw(end - 1, end, "the file ends inside the pixel data")
        else:
            # The length of the fragment before may be what was hit, as well as this header.
            if pieces:
                sheet.flaw(pieces[-1][0] - 8, pieces[-1][0] + 56, "fragment with a wrong length")
            sheet.flaw(max(start, at - 64), min(end, at + 64), "no fragment where one is due")
        close = end
        break
    name, check, signature = CHECKS.get(uid, ("", None, b""))
    kind = Kind.CODED if check else Kind.OPAQUE
    sheet.claim(start, close, kind, f"{name} pixel data".strip() if check else f"pixel data in {uid}")
    if check is None:
        sheet.note("the pixel data is in a coding that is not tested")
        return close
    frames = _number(facts, FRAMES) or 1
    bits = _number(facts, BITS)
    plane = _number(facts, ROWS) * _number(facts, COLUMNS)
    if name == "deflated":
        plane = (_frame_bits(facts) + 7) // 8
    elif bits < 8:
        plane = (plane * bits + 7) // 8
    row = _number(facts, COLUMNS) if bits >= 8 else 0
    # §A.4: the first item is the Basic Offset Table, empty or not; it is no fragment.
    for stream in _streams(blob, pieces[1:], frames, signature):
        total = sum(length for _, length in stream)
        if total > MAX_STREAM or not sheet.afford(total * SLOW if name == "RLE" else total):
            sheet.note("too large to be tested in full")
            continue
        data = b"".join(blob.at(*piece) for piece in stream)
        for low, high, what in gathered(check(data, plane, row)):
            sheet.flaw(_place(stream, low), _place(stream, max(low, high - 1)) + 1, f"{name} frame: {what}")
    return close


def _streams(
    blob: Blob, pieces: list[tuple[int, int]], frames: int, signature: bytes
) -> list[list[tuple[int, int]]]:
    """Which fragments make one codestream: a frame may be cut into several, never share one (§A.4)."""
    pieces = [piece for piece in pieces if piece[1]]
    if len(pieces) == frames or not signature:
        return [[piece] for piece in pieces]
    if frames == 1:
        return [pieces] if pieces else []
    streams: list[list[tuple[int, int]]] = []
    for piece in pieces:
        if not streams or blob.at(piece[0], len(signature)) == signature:
            streams.append([])
        streams[-1].append(piece)
    return streams


def _place(stream: list[tuple[int, int]], at: int) -> int:
    """Where byte `at` of a codestream stands in the file."""
    for start, length in stream:
        if at < length:
            return start + at
        at -= length
    return stream[-1][0] + stream[-1][1]
