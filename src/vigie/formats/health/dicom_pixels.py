"""Pixel data of a DICOM file: native, floating point, encapsulated (PS3.5 §8, §A.4; PS3.3 §C.7.6.3)."""

from collections.abc import Mapping

from vigie.formats import samples
from vigie.formats.health import dicom_fragments as fragments
from vigie.formats.health.dicom_sheet import Sheet
from vigie.model import Blob, Kind

SAMPLES, PHOTOMETRIC, FRAMES = 0x00280002, 0x00280004, 0x00280008
ROWS, COLUMNS, BITS = 0x00280010, 0x00280011, 0x00280100

LEAST_FLOATS = 512
"""Bytes of floating point values below which nothing can be told of them."""
MAX_STRETCHES = 1024

NOISE = 256 * 1024
"""Bytes that are read to learn whether a picture is noise."""

Facts = Mapping[int, bytes | int]
"""Values of the image module, met before the pixel data: numbers for US, bytes for IS and CS."""

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


def native(blob: Blob, start: int, end: int, big: bool, facts: Facts, sheet: Sheet, header: int) -> None:
    """Uncompressed integers: structured, as long as the image module says (PS3.5 §8.1.1).

    `[start, end)` is what the file holds of the value, `header` where its element begins. Of 16-bit pixels
    some are read, to learn whether the picture is noise; only that of a noisy one is tested here.
    """
    what = "pixel data"
    if _number(facts, BITS) == 16 and sheet.afford(NOISE) and samples.noisy(blob, start, end, big=big):
        sheet.claim(start, end, Kind.CODED, what)
        found = samples.struck(blob, start, end, sheet.left, big=big)
        for low, high in samples.joined(list(found), MAX_STRETCHES):
            sheet.flaw(low, high, "pixels that no image has")
        sheet.afford(end - start)
    else:
        sheet.claim(start, end, Kind.STRUCTURED, what)
    expected = (_frame_bits(facts) * (_number(facts, FRAMES) or 1) + 7) // 8
    if not expected:
        sheet.note("pixel data without the size of its image")
    elif end - start < expected:
        sheet.flaw(header, start, f"pixel data of {end - start} bytes, and the image has {expected}")
    elif end - start > expected + 1:
        sheet.note(f"{end - start - expected} bytes behind the last frame")


def floats(blob: Blob, start: int, end: int, width: int, big: bool, sheet: Sheet, what: str) -> None:
    """Floating point values of `width` bytes: coded, tested by their exponents."""
    if end - start < LEAST_FLOATS:
        sheet.claim(start, end, Kind.OPAQUE, what)
        return
    sheet.claim(start, end, Kind.CODED, what)
    found = samples.odd_floats(blob, start, end, width, sheet.left, big=big)
    for low, high in samples.joined(list(found), MAX_STRETCHES):
        sheet.flaw(low, high, f"{what} with exponents that no measurement has")
    sheet.afford(end - start)


def encapsulated(blob: Blob, at: int, end: int, uid: str, facts: Facts, sheet: Sheet) -> int:
    """Fragments up to the sequence delimiter (PS3.5 §A.4), each codestream tested; where to go on."""
    bits = _number(facts, BITS)
    plane = _number(facts, ROWS) * _number(facts, COLUMNS)
    if uid == fragments.DEFLATED:
        plane = (_frame_bits(facts) + 7) // 8
    elif bits < 8:
        plane = (plane * bits + 7) // 8
    row = _number(facts, COLUMNS) if bits >= 8 else 0
    image = fragments.Image(_number(facts, FRAMES) or 1, plane, row)
    return fragments.read(blob, at, end, uid, image, sheet)
