r"""Rich Text Format (1.9.1): characters throughout, but for what stands behind `\bin`.

Pictures are hexadecimal digits, so that one expectation, text, holds from brace to brace.
"""

import re

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.office import text
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

MOST = 1024
r"""Pieces of binary data (`\bin`) told apart."""
_SLICE = 1024 * 1024
_START = re.compile(rb"\s{0,16}\{\\rtf")
_BINARY = re.compile(rb"(?<!\\)\\bin(\d{1,10})(?: |(?=\\))")


def recognises(head: bytes) -> bool:
    r"""The group and the control word every file begins with ("File Contents": `{\rtf`)."""
    return _START.match(head) is not None


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    r"""The anatomy of an RTF file.

    Raises:
        Malformed: it does not begin with `{\rtf`; or see `text.survey`.
        Unreadable: the blob cannot be read.
    """
    if not recognises(blob.at(0, 64)):
        raise Malformed(0, "no {\\rtf")
    pieces = _binaries(blob, effort)
    found = text.survey(blob, effort)
    notes = list(found.notes)
    if pieces:
        # Their bytes say nothing of the character set of the rest, and break it nowhere.
        charset = Charset.LATIN1
        flaws = tuple(
            flaw
            for flaw in text.damage(blob, found)[0]
            if not any(start - 64 <= flaw.start and flaw.end <= end + 64 for start, end in pieces)
        )
        notes.append(f"{len(pieces)} pieces of binary data")
    else:
        charset = found.charset
        flaws, said = text.damage(blob, found)
        notes = list(said)
    regions: list[Region] = []
    at = 0
    for start, end in (*pieces, (blob.size, blob.size)):
        if at < start:
            regions.append(Region(at, start, Kind.STRUCTURED, "text and control words", charset))
        if start < end:
            regions.append(Region(start, end, Kind.OPAQUE, "binary data"))
        at = end
    tail = blob.at(max(0, blob.size - 4096), 4096).rstrip(b"\0\t\n\r\x1a ")
    if not tail.endswith(b"}") and blob.size <= effort and not pieces and _open(blob):
        flaws = (*flaws, Flaw(blob.size, blob.size, "its groups are not closed"))
    return Anatomy("rtf", tuple(regions), flaws, notes=tuple(notes))


def _binaries(blob: Blob, effort: int) -> list[tuple[int, int]]:
    r"""What stands behind each `\bin`, as long as it says, as far as the effort reaches."""
    pieces: list[tuple[int, int]] = []
    at = 0
    while at < min(blob.size, effort) and len(pieces) < MOST:
        window = blob.at(at, _SLICE + 32)
        match = _BINARY.search(window)
        if match is None or match.start() >= _SLICE:
            at += _SLICE
            continue
        start = at + match.end()
        end = start + int(match[1])
        if start < end <= blob.size:
            pieces.append((start, end))
        at = end if start < end <= blob.size else start
    return pieces


def _open(blob: Blob) -> bool:
    """Whether more braces are opened than closed; those behind a backslash are characters."""
    depth = 0
    for at in range(0, blob.size, _SLICE):
        data = blob.at(at, _SLICE).replace(b"\\\\", b"").replace(b"\\{", b"").replace(b"\\}", b"")
        depth += data.count(b"{") - data.count(b"}")
    return depth > 0


FORMAT = Format(
    name="rtf",
    title="Rich Text document",
    specification="Rich Text Format 1.9.1, File Contents",
    suffixes=("rtf",),
    recognises=recognises,
    dissect=dissect,
    textual=True,
)
