"""What the values of DICOM data elements may hold, by value representation (PS3.5 §6.2)."""

from vigie.formats.health import dicom_pixels as pixels
from vigie.formats.health.dicom_sheet import Sheet
from vigie.model import Blob, Kind

SMALL = 32
"""Bytes up to which a value that may hold anything stays part of the structured stretch around it."""

WINDOW = 64 * 1024
"""Bytes of a long value that are looked at in one go."""

WAVEFORM_BITS, _WAVEFORM = 0x54001004, 0x54001010

# PS3.5 §6.2. What a healthy value may hold decides what a hit in it looks like.
_ASCII = frozenset((b"AE", b"AS", b"CS", b"DA", b"DS", b"DT", b"IS", b"TM", b"UR"))
_TEXT = frozenset((b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"))
_NUMBERS = frozenset((b"AT", b"FD", b"FL", b"SL", b"SS", b"SV", b"UL", b"US", b"UV"))
_FLOATS = {b"OF": 4, b"OD": 8}
_ANYTHING = frozenset((b"OB", b"OL", b"OV", b"OW", b"UN"))
LONG = frozenset((*_FLOATS, *_ANYTHING, b"SQ", b"SV", b"UC", b"UR", b"UT", b"UV"))
VRS = _ASCII | _TEXT | _NUMBERS | LONG | {b"UI"}

# §6.1.3 control characters, ESC of ISO 2022; everything above 7F may stand in some character set.
_TEXT_BYTES = b"\t\n\f\r\x1b" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_ASCII_BYTES = b"\t\n\f\r" + bytes(range(0x20, 0x7F))
_UID_BYTES = b"0123456789.\\ "
_PATIENT_GROUPS = (0x0008, 0x0010)
"""Groups whose longer values are text, all but the sequences: identification and patient."""


class Values:
    """Tests the values of one data set; what it finds goes to the sheet."""

    def __init__(self, blob: Blob, sheet: Sheet, *, big: bool) -> None:
        self._blob = blob
        self._sheet = sheet
        self._big = big

    def test(self, tag: int, vr: bytes, start: int, end: int, data: bytes, facts: pixels.Facts) -> None:
        """Test one value, or claim it as what cannot be tested. `data` is empty when it is long."""
        sheet = self._sheet
        if vr in _TEXT or vr in _ASCII or vr == b"UI":
            odd = self._odd(start, end, data, _TEXT_BYTES if vr in _TEXT else _ASCII_BYTES)
            if odd.strip(b"\0"):
                name = f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {vr.decode()}"
                sheet.flaw(start, end, f"{name} holds bytes no such value has")
            elif odd:
                sheet.note("text with NUL inside")
            elif vr == b"UI" and data.rstrip(b"\0").translate(None, _UID_BYTES):
                sheet.note("UIDs with letters")  # some de-identification tools put hashes in
        elif vr in _NUMBERS:
            return
        elif vr in _FLOATS:
            what = "pixel data" if tag >> 16 == 0x7FE0 else "floating point values"
            pixels.floats(self._blob, start, end, _FLOATS[vr], self._big, sheet, what)
        elif tag & 0xFF00FFFF == 0x60003000:
            sheet.claim(start, end, Kind.STRUCTURED, "overlay")
        elif tag == _WAVEFORM and facts.get(WAVEFORM_BITS) == (b"\0\x10" if self._big else b"\x10\0"):
            sheet.claim(start, end, Kind.STRUCTURED, "waveform")
        elif (vr or not self._plain(tag, start, end, data)) and end - start > SMALL:
            sheet.claim(start, end, Kind.OPAQUE, f"binary value of ({tag >> 16:04X},{tag & 0xFFFF:04X})")

    def _plain(self, tag: int, start: int, end: int, data: bytes) -> bool:
        """Without a VR: whether the value is text, or belongs where only text is long."""
        if not self._odd(start, end, data, _TEXT_BYTES):
            return True
        if tag >> 16 in _PATIENT_GROUPS and end - start > SMALL:
            name = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
            self._sheet.flaw(start, end, f"{name} holds bytes no such value has")
            return True
        return False

    def _odd(self, start: int, end: int, data: bytes, allowed: bytes) -> bytes:
        """The bytes of a value that are not allowed (the first of them, in a long value)."""
        if data:
            return data.rstrip(b"\0").translate(None, allowed)
        for at in range(start, end, WINDOW):
            part = self._blob.at(at, min(WINDOW, end - at))
            odd = part.rstrip(b"\0").translate(None, allowed)
            if odd:
                return odd
        return b""
