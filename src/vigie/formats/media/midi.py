"""Standard MIDI files (RP-001): a header of 6 bytes, then tracks, each with its length, that chain."""

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.media.findings import Findings
from vigie.model import Anatomy, Blob, Kind

TRACKS = 65_536
"""Chunks read: the header counts its tracks in 16 bits."""


def recognises(head: bytes) -> bool:
    """The header chunk: length 6, format 0 to 2."""
    return head[:8] == b"MThd\0\0\0\6" and head[8:10] in (b"\0\0", b"\0\1", b"\0\2")


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Chunks to the end; bytes of events have their top bit clear but for one in three or four.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """
    if not recognises(blob.at(0, 14)):
        raise Malformed(0, "no MIDI header")
    findings = Findings(blob.size)
    findings.region(0, 14, Kind.STRUCTURED, "header")
    said, found, offset = int.from_bytes(blob.at(10, 2), "big"), 0, 14
    for _ in range(TRACKS):
        head = blob.at(offset, 8)
        end = offset + 8 + int.from_bytes(head[4:], "big")
        if len(head) < 8 or head[:4] != b"MTrk" or end > blob.size:
            break
        findings.region(offset, end, Kind.STRUCTURED, "track")
        found, offset = found + 1, end
    if found >= said:
        if offset < blob.size:
            findings.note(f"{blob.size - offset} bytes behind the last track")
    elif blob.at(offset, 4) in (b"MTrk", b""):
        findings.region(offset, blob.size, Kind.STRUCTURED, "track that is cut off")
        findings.flaw(blob.size, blob.size, f"{said} tracks expected, {found} are whole")
    else:
        findings.region(offset, blob.size, Kind.STRUCTURED, "tracks that are lost")
        findings.flaw(offset, blob.size, "no track where one must begin")
    return findings.anatomy("midi")


FORMAT = Format(
    name="midi",
    title="MIDI file",
    specification="RP-001 Standard MIDI Files 1.0",
    suffixes=("mid", "midi", "kar"),
    recognises=recognises,
    dissect=dissect,
)
