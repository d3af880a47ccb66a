"""DICOM files: preamble, file meta information, data set (PS3.10 §7; PS3.5 §7, §10)."""

import struct
import zlib

from vigie.formats.contract import EFFORT, Bytes, Format, Malformed
from vigie.formats.health import dicom_fragments as fragments
from vigie.formats.health.dicom_elements import Syntax, Walk
from vigie.formats.health.dicom_sheet import Sheet
from vigie.formats.health.dicom_values import VRS
from vigie.model import Anatomy, Blob, Kind

PREAMBLE = 128
IMPLICIT, EXPLICIT, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
MAX_INFLATED = 64 * 1024 * 1024
"""Bytes of an inflated data set that are held to be read; a longer one is inflated to its end only."""

_TIFF = (b"II*\0", b"MM\0*")
_META = struct.Struct("<HH2sH")


def _plausible(head: bytes, at: int, explicit: bool, order: str) -> bool:
    """Whether three elements of a data set (or all there are) stand at `at`, in rising order."""
    last = -1
    for _ in range(3):
        if len(head) - at < 8:
            return last >= 0 and len(head) == at
        group, element, vr, length = struct.unpack_from(order + "HH2sH", head, at)
        tag = group << 16 | element
        if tag <= last or group not in (0x0002, 0x0008, 0x0010, 0x0018, 0x0020, 0x0028):
            return False
        at += 8
        if explicit and vr not in VRS:
            return False
        if explicit and vr in (b"SQ", b"OB", b"UN", b"UT", b"OW"):
            return last >= 0  # two in order are enough where the third is long
        if not explicit:
            length = struct.unpack_from(order + "I", head, at - 4)[0]
            if length > 1024 or length % 2:
                return False
        last, at = tag, at + length
    return True


def _bare(head: bytes) -> Syntax | None:
    """The encoding of a data set that begins the file, without preamble."""
    if head[:2] in (b"\x02\0", b"\x08\0"):
        if _plausible(head, 0, True, "<"):
            return Syntax(EXPLICIT, explicit=True)
        if _plausible(head, 0, False, "<"):
            return Syntax(IMPLICIT, explicit=False)
    if head[:2] == b"\0\x08" and _plausible(head, 0, True, ">"):
        return Syntax(BIG_ENDIAN, explicit=True, big=True)
    return None


def _recognises(head: bytes) -> bool:
    return head[PREAMBLE : PREAMBLE + 4] == b"DICM" or _bare(head) is not None


def _meta(blob: Blob, at: int, sheet: Sheet) -> tuple[int, str]:
    """Read the file meta information (PS3.10 §7.1): where it ends, and the transfer syntax it names."""
    data = blob.at(at, 256 * 1024)
    pos, uid, promised = 0, "", None
    while len(data) - pos >= 8:
        group, element, vr, length = _META.unpack_from(data, pos)
        if group != 2:
            break
        header = 8
        if vr not in VRS:
            if vr.isalpha():
                raise Malformed(at + pos, f"(0002,{element:04X}) has no known VR")
            length = struct.unpack_from("<I", data, pos + 4)[0]
            sheet.note("file meta information in implicit VR")
        elif vr in (b"OB", b"UN", b"UT", b"OW", b"SQ"):
            length, header = struct.unpack_from("<I", data.ljust(pos + 12, b"\0"), pos + 8)[0], 12
        value = data[pos + header : pos + header + length]
        if len(value) < length:
            raise Malformed(at + pos, f"(0002,{element:04X}) of {length} bytes does not fit")
        if vr == b"UI" and not (value.isascii() and value.rstrip(b"\0").decode("latin-1").isprintable()):
            sheet.flaw(at + pos, at + pos + header + length, f"(0002,{element:04X}) is no UID")
        pos += header + length
        if element == 0 and length == 4:
            promised = pos + int.from_bytes(value, "little")
        elif element == 0x10:
            uid = value.rstrip(b"\0 ").decode("latin-1")
    if promised is not None and promised != pos:
        # Writers get this wrong, and every reader copes: worth saying, no sign of harm.
        sheet.note("file meta information of another length than it says")
    if not pos and blob.at(PREAMBLE, 4) == b"DICM":
        sheet.note("no file meta information")
    return at + pos, uid


def _syntax(head: bytes, uid: str, sheet: Sheet) -> Syntax:
    """How the data set is really written: what its first element looks like beats what is announced."""
    big = uid == BIG_ENDIAN
    length = int.from_bytes(head[4:8], "big" if big else "little")
    short = length <= 1024 and not length % 2
    explicit = head[4:6] in VRS or (uid not in ("", IMPLICIT) and not short)
    if explicit == (uid == IMPLICIT):
        sheet.note("value representations contradict the transfer syntax")
    return Syntax(
        uid,
        explicit,
        big,
        encapsulated=uid in (fragments.RLE, fragments.DEFLATED) or uid.startswith("1.2.840.10008.1.2.4."),
    )


def _inflated(blob: Blob, start: int, sheet: Sheet) -> bytes | None:
    """Inflate the data set (PS3.5 §A.5, RFC 1951) to its end; its bytes, if few enough to be read."""
    sheet.claim(start, blob.size, Kind.CODED, "deflate stream of the data set")
    inflater = zlib.decompressobj(wbits=-15)
    parts: list[bytes] = []
    total, step = 0, 16 * 1024
    for at in range(start, blob.size, step):
        rest = blob.at(at, step)
        while rest and not inflater.eof:
            try:
                part = inflater.decompress(rest, 1 << 20)
            except zlib.error as error:
                low = max(start, at - step)
                sheet.flaw(low, min(blob.size, at + step), f"deflate stream breaks: {error}")
                return None
            rest = inflater.unconsumed_tail
            if not sheet.afford(len(part)):
                return None
            total += len(part)
            if total <= MAX_INFLATED:
                parts.append(part)
        if inflater.eof:
            tail = blob.size - at - min(step, blob.size - at) + len(inflater.unused_data)
            if 1 < tail <= 9:  # one zero byte makes the length even; some writers add the trailer of gzip
                sheet.note("a checksum behind the deflate stream")
            elif tail > 9:
                sheet.flaw(blob.size - tail, blob.size, "data behind the end of the deflate stream")
            break
    else:
        sheet.flaw(blob.size - 1, blob.size, "deflate stream ends early")
        return None
    return b"".join(parts) if total <= MAX_INFLATED else None


def _dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    head = blob.at(0, 4096)
    sheet = Sheet(0, effort)
    syntax = None
    at = 0
    if head[PREAMBLE : PREAMBLE + 4] == b"DICM":
        at = PREAMBLE + 4
        # PS3.10 §7.1: the preamble is anybody's; it may hold a TIFF header.
        sheet.claim(0, PREAMBLE, Kind.OPAQUE, "preamble")
    else:
        syntax = _bare(head)
        if syntax is None:
            # A preamble that still looks like one says that the prefix behind it was hit, not the start.
            mostly_zero = head[:PREAMBLE].count(0) > PREAMBLE // 2
            at = PREAMBLE if mostly_zero or head[:4] in _TIFF else 0
            raise Malformed(min(at, blob.size), "neither the DICM prefix nor data elements")
        sheet.note("no preamble")
    start, uid = _meta(blob, at, sheet)
    if start >= blob.size:
        raise Malformed(max(0, blob.size - 1), "the file ends before its data set")
    if uid == DEFLATED:
        return _deflated(blob, start, sheet)
    if syntax is None or start > at:
        syntax = _syntax(blob.at(start, 8), uid, sheet)
    walk = Walk(blob, sheet, syntax)
    walk.run(start)
    if not walk.read and sheet.flaws:
        raise Malformed(start, sheet.flaws[0].what)
    return sheet.anatomy(blob.size)


def _deflated(blob: Blob, start: int, sheet: Sheet) -> Anatomy:
    data = _inflated(blob, start, sheet)
    if data is not None:
        inner = Sheet(0, sheet.left)
        Walk(Bytes(data), inner, Syntax(EXPLICIT, explicit=True)).run(0)
        for flaw in inner.flaws:
            sheet.flaw(start, blob.size, f"in the inflated data set: {flaw.what}")
    return sheet.anatomy(blob.size)


FORMAT = Format(
    name="dicom",
    title="DICOM file",
    specification="DICOM PS3.10 §7, PS3.5 §7, §8, §10 and Annex A",
    suffixes=("dcm", "dicom"),
    recognises=_recognises,
    dissect=_dissect,
    weak_suffixes=("ima",),
)
