"""The streams of a PDF file, tested by their outermost filter (ISO 32000-1, 7.4)."""

import re
from dataclasses import dataclass, field

from vigie.formats.archive.deflate import LATE, Inflated, Stop
from vigie.formats.archive.deflate_resume import trace
from vigie.formats.contract import Effort, Malformed
from vigie.formats.media import jpeg, jpeg2000
from vigie.formats.media.stuffing import Coded
from vigie.formats.office.pdf_filters import lzw, run_lengths
from vigie.formats.office.pdf_objects import Stream
from vigie.model import Blob, Charset, Flaw, Kind, Region

BLOCK = 4096
"""Impossible characters of an ASCII filter are gathered by blocks of this size."""
SLACK = 64
"""Bytes that may stand between the end of a deflate stream and `endstream`: writers pad."""
_FILTER = re.compile(rb"/Filter[\x00\t\n\x0c\r ]*\[?[\x00\t\n\x0c\r ]*/([A-Za-z0-9]+)")
_METADATA = re.compile(rb"/Type[\x00\t\n\x0c\r ]*/Metadata")
_XREF = re.compile(rb"/Type[\x00\t\n\x0c\r ]*/XRef")
_DEFLATE = (b"FlateDecode", b"Fl")
_JPEG = (b"DCTDecode", b"DCT")
_JPEG2000 = (b"JPXDecode",)
_LZW = (b"LZWDecode", b"LZW")
_RUNS = (b"RunLengthDecode", b"RL")
PACKED = 256 * 1024
"""Bytes of a stream under LZW or run lengths that are followed: one code after another, which is slow."""
_CODESTREAM = b"\xff\x4f\xff\x51"
_BOXES = 64 * 1024
BREAKS = 64
"""Breaks of one stream that are told apart."""
_EARLY = re.compile(rb"/EarlyChange[\x00\t\n\x0c\r ]+0")
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
    effort: Effort
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
            self._image(stream, label, "JPEG")
        elif name in _JPEG2000:
            self._image(stream, label, "JPEG 2000")
        elif name in _ASCII:
            if stream.start < stream.end:
                what = f"ASCII {label}"
                self.regions.append(Region(stream.start, stream.end, Kind.STRUCTURED, what, Charset.LATIN1))
            self._ascii(stream, _ASCII[name], label)
        elif name in _LZW or name in _RUNS:
            self._region(stream, Kind.CODED, f"{name.decode()} {label}")
            self._packed(stream, name, label)
        elif name:
            kind = name.decode("ascii")
            self._region(stream, Kind.OPAQUE, f"{kind} {label}")
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
        traced = trace(
            self.blob, stream.start + 2, stream.end, self.effort, lambda end: self._ends(stream, end)
        )
        for start, end in traced.breaks[:BREAKS]:
            self.flaws.append(Flaw(start, end, f"the {label} breaks"))
        found = traced.last
        if found.stop is Stop.SPENT:
            self.note("too long to test all streams")
        elif found.stop is Stop.SHORT and stream.closed:
            where = max(stream.start, stream.end - LATE)
            self.flaws.append(Flaw(where, stream.end, f"the {label} has no end"))
        elif found.stop is Stop.ENDED and not traced.breaks:
            self._adler(stream, found, label)

    def _ends(self, stream: Stream, found: Inflated) -> bool:
        """Whether a deflate stream may end here: at the end of the data, or where its checksum stands."""
        if stream.end - found.end <= 4 + SLACK:
            return True
        return self.blob.at(found.end, 4) == found.adler.to_bytes(4, "big")

    def _adler(self, stream: Stream, found: Inflated, label: str) -> None:
        adler = self.blob.at(found.end, min(4, stream.end - found.end))
        if stream.end - found.end > 4 + SLACK:
            self.flaws.append(Flaw(found.end + 4, stream.end, f"bytes behind the end of the {label}"))
        if len(adler) < 4:
            self.note("a deflate stream without its Adler-32")
        elif int.from_bytes(adler, "big") == found.adler:
            self.checked += found.end - stream.start
        else:
            what = f"the Adler-32 of the {label} does not match"
            self.flaws.append(Flaw(stream.start, stream.end, what, checksum=True))

    def _image(self, stream: Stream, label: str, kind: str) -> None:
        """A picture, tested as a file of its kind is."""
        try:
            found = self._picture(stream, kind)
        except Malformed:
            self._region(stream, Kind.CODED, f"{kind} {label}")
            self.flaws.append(Flaw(stream.start, stream.end, f"no {kind} in the {label}"))
            return
        self.regions.extend(found.regions)
        self.flaws.extend(found.flaws)

    def _picture(self, stream: Stream, kind: str) -> Coded:
        if kind == "JPEG":
            return jpeg.image(self.blob, stream.start, stream.end, self.effort)
        # 7.4.9: the boxes around the codestream may be missing, and are small.
        head = self.blob.at(stream.start, min(_BOXES, stream.end - stream.start))
        begin = max(0, head.find(_CODESTREAM))
        return jpeg2000.codestream(self.blob, stream.start + begin, stream.end, self.effort)

    def _packed(self, stream: Stream, name: bytes, label: str) -> None:
        """Codes of LZW or run lengths (7.4.4, 7.4.5), followed for a while."""
        length = min(stream.end - stream.start, PACKED, max(0, self.effort.left))
        self.effort.spend(length)
        data = self.blob.at(stream.start, length)
        early = _EARLY.search(stream.dictionary) is None
        end = lzw(data, early=early) if name in _LZW else run_lengths(data)
        whole = length == stream.end - stream.start
        if end is not None and (end < length - SLACK or not whole):
            what = f"the {label} breaks"
            self.flaws.append(Flaw(stream.start + end, stream.end, what))

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
