"""AIFF and AIFF-C (Apple, 1991), and Sun's AU: a header, and samples as a rule uncompressed."""

import struct

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.media import pcm
from vigie.formats.media.findings import Findings
from vigie.model import Anatomy, Blob, Kind

CHUNKS = 10_000
_UNKNOWN = 0xFFFFFFFF
_INTEGERS = {2: 1, 3: 2, 4: 3, 5: 4}  # AU encodings that are integers, and their bytes
_BIG = frozenset({b"NONE", b"twos", b"in24", b"in32"})


def recognises(head: bytes) -> bool:
    """FORM of type AIFF or AIFC, and a chunk of a printable name."""
    return head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC") and _named(head[12:16])


def _named(name: bytes) -> bool:
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Chunks to the end of the FORM.

    Raises:
        Malformed: no FORM of sound.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 16)
    if not recognises(head):
        raise Malformed(0, "no AIFF header")
    findings = Findings(blob.size)
    findings.region(0, 12, Kind.STRUCTURED, "FORM header")
    end = 8 + int.from_bytes(head[4:8], "big")
    if end > blob.size:
        findings.flaw(blob.size, blob.size, "the file is shorter than it says")
    elif end + 1 < blob.size:
        findings.note(f"{blob.size - end} bytes behind the FORM")
    offset, end, layout = 12, min(end, blob.size), None
    for _ in range(CHUNKS):
        head = blob.at(offset, 30)
        if end - offset < 8 or len(head) < 8:
            break
        size, start = int.from_bytes(head[4:8], "big"), offset + 8
        stop = min(start + size, end)
        if not _named(head[:4]):
            findings.region(offset, end, Kind.CODED, "chunks that are lost")
            findings.flaw(offset, min(end, offset + 4096), "no chunk where one must begin")
            break
        findings.region(offset, start, Kind.STRUCTURED, "chunk header")
        if head[:4] == b"COMM" and len(head) == 30:
            channels, _, bits = struct.unpack_from(">HLH", head, 8)
            coding = head[26:30] if blob.at(8, 4) == b"AIFC" else b"NONE"
            if coding in _BIG or coding == b"sowt":
                layout = pcm.Layout(-(-bits // 8), channels, big=coding != b"sowt")
            findings.region(start, stop, Kind.STRUCTURED, "format")
        elif head[:4] == b"SSND":
            findings.region(start, stop, Kind.CODED, "samples")
            if layout is not None:
                pcm.examine(blob, start + 8, stop, layout, findings, effort)
        offset = start + size + (size & 1)
    return findings.anatomy("aiff")


def recognises_au(head: bytes) -> bool:
    """The magic, a header of sane length, a known encoding, rate and number of channels."""
    if len(head) < 24 or head[:4] != b".snd":
        return False
    fields: tuple[int, ...] = struct.unpack_from(">5L", head, 4)
    offset, _, encoding, rate, channels = fields
    return 24 <= offset < 1 << 20 and 0 < encoding < 28 and 0 < rate < 1 << 20 and 0 < channels < 256


def dissect_au(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Header and samples.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 24)
    if not recognises_au(head):
        raise Malformed(0, "no AU header")
    offset, size, encoding, _, channels = struct.unpack_from(">5L", head, 4)
    findings = Findings(blob.size)
    findings.region(0, 24, Kind.STRUCTURED, "header")
    findings.region(24, offset, Kind.OPAQUE, "annotation")
    end = blob.size if size == _UNKNOWN else offset + size
    if end > blob.size:
        findings.flaw(blob.size, blob.size, "the file is shorter than it says")
    findings.region(offset, end, Kind.CODED, "samples")
    if encoding in _INTEGERS:
        layout = pcm.Layout(_INTEGERS[encoding], channels, big=True)
        pcm.examine(blob, offset, min(end, blob.size), layout, findings, effort)
    return findings.anatomy("au")


FORMATS = (
    Format(
        name="aiff",
        title="AIFF sound",
        specification="Audio Interchange File Format AIFF-C, draft 1991-08-26",
        suffixes=("aiff", "aif", "aifc"),
        recognises=recognises,
        dissect=dissect,
    ),
    Format(
        name="au",
        title="AU sound",
        specification="Sun/NeXT audio file format, au(4)",
        suffixes=("au",),
        recognises=recognises_au,
        dissect=dissect_au,
        weak_suffixes=("snd",),
    ),
)
