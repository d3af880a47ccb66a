"""The streams of a PDF file, tested by their outermost filter (ISO 32000-1, 7.4)."""

import re
from dataclasses import dataclass, field

from vigie.formats.archive.deflate import LATE, Stop, inflate
from vigie.formats.contract import Effort, Malformed
from vigie.formats.media.jpeg import Walk
from vigie.formats.office.pdf_objects import Stream
from vigie.model import Blob, Flaw, Kind, Region

BLOCK = 4096
"""Impossible characters of an ASCII filter are gathered by blocks of this size."""
SLACK = 64
"""Bytes that may stand between the end of a deflate stream and `endstream`: writers pad."""
_FILTER = re.compile(rb"/Filter[\x00\t\n\x0c\r ]*\[?[\x00\t\n\x0c\r ]*/([A-Za-z0-9]+)")
_METADATA = re.compile(rb"/Type[\x00\t\n\x0c\r ]*/Metadata")
_XREF = re.compile(rb"/Type[\x00\t\n\x0c\r ]*/XRef")
_DEFLATE = (b"FlateDecode", b"Fl")
_JPEG = (b"DCTDecode", b"DCT")
# What may not stand in ASCII85 and ASCIIHex data: `z`, `~>` and white space do in the first (7.4.2, 7.4.3).
_ASCII = {
    b"ASCII85Decode": re.compile(rb"[^!-u~z\x00\t\n\x0c\r ]"),
    b"A85": re.compile(rb"[^!-u~z\x00\t\n\x0c\r ]"),
    b"ASCIIHexDecode": re.compile(rb"[^0-9A-Fa-f>\x00\t\n\x0c\r ]"),
    b"AHx": re.compile(rb"[^0-9A-Fa-f>\x00\t\n\x0c\r ]"),
}


@dataclass(slots=True)
class Tests:
    """Runs the tests of all streams and gathers what they say."""

    blob: Blob
    encrypted: bool
    effort: Effort = field(default_factory=Effort)
    regions: list[Region] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checked: int = 0

    def note(self, text: str) -> None:
        """Say it once."""
        if text not in self.notes:
            self.notes.append(text)

    def run(self, stream: Stream) -> None:
        """Test one stream."""
        label = f"stream of object {stream.number}"
        if not stream.closed:
            # Cut off; or, if the data was to end sooner, what stood behind it was overwritten.
            self.flaws.append(Flaw(min(stream.due, stream.end), stream.end, f"the {label} has no endstream"))
        xref = _XREF.search(stream.dictionary)
        if self.encrypted and not xref:
            self._region(stream, Kind.OPAQUE, f"encrypted {label}")
            return
        first = _FILTER.search(stream.dictionary)
        name = first[1] if first else b""
        if name in _DEFLATE:
            self._region(stream, Kind.CODED, f"deflate {label}")
            self._deflate(stream, label)
        elif name in _JPEG:
            self._jpeg(stream, label)
        elif name in _ASCII:
            self._region(stream, Kind.CODED, f"ASCII {label}")
            self._ascii(stream, _ASCII[name], label)
        elif name:
            kind = name.decode("ascii")
            self._region(stream, Kind.OPAQUE if kind == "Crypt" else Kind.CODED, f"{kind} {label}")
            self.note(f"streams under {kind} are not tested")
        elif _METADATA.search(stream.dictionary):
            self._region(stream, Kind.STRUCTURED, f"XMP {label}")
        else:
            self._region(stream, Kind.OPAQUE, f"unfiltered {label}")

    def _region(self, stream: Stream, kind: Kind, what: str) -> None:
        if stream.start < stream.end:
            self.regions.append(Region(stream.start, stream.end, kind, what))

    def _deflate(self, stream: Stream, label: str) -> None:
        """A zlib stream (RFC 1950): header, deflate data, Adler-32."""
        head = self.blob.at(stream.start, 2)
        if stream.end - stream.start < 2:
            self.note("an empty deflate stream")
            return
        if head[0] & 0x0F != 8 or int.from_bytes(head, "big") % 31 or head[1] & 0x20:
            self.flaws.append(Flaw(stream.start, stream.end, f"no zlib header in the {label}"))
            return
        found = inflate(self.blob, stream.start + 2, stream.end, self.effort)
        if found.stop is Stop.ENDED:
            adler = self.blob.at(found.end, min(4, stream.end - found.end))
            if stream.end - found.end > 4 + SLACK:
                what = f"bytes behind the end of the {label}"
                self.flaws.append(Flaw(found.end + 4, stream.end, what))
            if len(adler) < 4:
                self.note("a deflate stream without its Adler-32")
            elif int.from_bytes(adler, "big") == found.adler:
                self.checked += found.end - stream.start
            else:
                what = f"the Adler-32 of the {label} does not match"
                self.flaws.append(Flaw(stream.start, stream.end, what, checksum=True))
        elif found.stop is Stop.SPENT:
            self.note("too long to test all streams")
        elif found.stop is Stop.SHORT:
            if stream.closed:
                self.flaws.append(Flaw(stream.start, stream.end, f"the {label} has no end"))
        else:
            where = max(stream.start, found.end - LATE)
            self.flaws.append(Flaw(where, stream.end, f"the {label} breaks near byte {found.end}"))

    def _jpeg(self, stream: Stream, label: str) -> None:
        walk = Walk(self.blob, stream.start, stream.end)
        try:
            walk.run()
        except Malformed:
            self._region(stream, Kind.CODED, f"JPEG {label}")
            self.flaws.append(Flaw(stream.start, stream.end, f"no JPEG in the {label}"))
            return
        self.regions.extend(walk.regions)
        self.flaws.extend(walk.flaws)

    def _ascii(self, stream: Stream, impossible: re.Pattern[bytes], label: str) -> None:
        """Gather what cannot stand in the data, by blocks next to one another."""
        spans: list[list[int]] = []
        for start in range(stream.start // BLOCK * BLOCK, stream.end, BLOCK):
            begin, end = max(start, stream.start), min(start + BLOCK, stream.end)
            if impossible.search(self.blob.at(begin, end - begin)):
                if spans and spans[-1][1] == begin:
                    spans[-1][1] = end
                else:
                    spans.append([begin, end])
        for begin, end in spans[:64]:
            self.flaws.append(Flaw(begin, end, f"characters that cannot stand in the {label}"))
