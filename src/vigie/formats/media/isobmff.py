"""ISO base media files (ISO/IEC 14496-12) and QuickTime: MP4, MOV, 3GP, HEIF, AVIF: one walker.

Boxes chain exactly, at every level; the tables of `moov` hold small numbers and never look random; where they
say that samples of H.264, H.265 or AV1 lie, the lengths inside each sample chain as well. Parsed by hand: no
library says where a broken file breaks, nor goes on behind it.
"""

import re

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.media import isobmff_fragments, isobmff_items, isobmff_samples
from vigie.formats.media.findings import Findings
from vigie.formats.media.isobmff_samples import Track
from vigie.model import Anatomy, Blob, Kind

BOXES = 200_000
"""Boxes read of one file: an hour in fragments of a tenth of a second."""
DEPTH = 12
"""Boxes inside boxes."""
_NEAR = 4096
"""Bytes searched first for the next box: it may be lost again right behind."""
META = 4 * 1024 * 1024
"""Bytes of one table of a picture that are read."""
_TOP = frozenset(
    b"ftyp styp moov mdat moof mfra free skip wide pnot meta uuid sidx ssix prft emsg udta".split()
)
_FOUND = re.compile(rb"moov|mdat|moof|mfra|free|skip|wide|uuid|styp|sidx|prft|emsg")
_CONTAINERS = frozenset(b"moov trak mdia minf stbl dinf edts mvex moof traf mfra gmhd iprp ipco tref".split())
# Of these it is known that what they hold never looks random; of all others nothing is claimed.
_TABLES = frozenset(
    b"ftyp styp mvhd tkhd mdhd hdlr vmhd smhd nmhd dref elst stts ctts stss stsz stsc stco co64 cslg trex "
    b"mehd mfhd tfhd tfdt trun sidx mfro tfra sbgp iinf iloc pitm iref ipma ispe pixi gmin".split()
)
_TYPE = re.compile(rb"[ -~\xa9][ -~]{3}")
_HEIF = frozenset(b"mif1 msf1 heic heix hevc hevx heim heis hevm hevs".split())


def _brands(head: bytes) -> tuple[bytes, ...]:
    """Major and compatible brands of an `ftyp` box (4.3), or none."""
    size = int.from_bytes(head[:4], "big")
    if head[4:8] != b"ftyp" or not 16 <= size <= 4096 or size % 4 or not _TYPE.fullmatch(head[8:12]):
        return ()
    return head[8:12], *(head[index : index + 4] for index in range(16, min(size, len(head) - 3), 4))


def _kind(head: bytes) -> str:
    """Which of the formats a head is, or nothing."""
    brands = _brands(head)
    if brands:
        if brands[0] in (b"avif", b"avis") or (brands[0] in _HEIF and b"avif" in brands):
            return "avif"
        if brands[0] in _HEIF:
            return "heif"
        if brands[0] == b"qt  ":
            return "mov"
        return "3gp" if brands[0][:3] in (b"3gp", b"3g2", b"3gg") else "mp4"
    size, name, inner = int.from_bytes(head[:4], "big"), head[4:8], head[12:16]
    if name == b"styp" and 16 <= size <= 4096:
        return "mp4"
    if name == b"moov" and inner in (b"mvhd", b"cmov", b"prfl", b"udta", b"iods"):
        return "mov"
    if name in (b"wide", b"free", b"skip", b"pnot", b"mdat") and (
        (name == b"mdat" and (size == 1 or size >= 1 << 8))
        or (8 <= size <= len(head) - 8 and head[size + 4 : size + 8] in _TOP)
    ):
        return "mov"
    return ""


class _Walk:
    """One pass over the boxes."""

    def __init__(self, blob: Blob, effort: int) -> None:
        self.blob = blob
        self.effort = effort
        self.findings = Findings(blob.size)
        self.tracks: list[Track] = []
        self.seen: set[bytes] = set()
        self.boxes = 0
        self.item_boxes: dict[bytes, tuple[int, int]] = {}
        self.fragments = isobmff_fragments.Fragments(blob)
        self.defaults: dict[int, int] = {}
        """Sizes of the samples of fragments, by track, where they do not say themselves (8.8.3)."""

    def box(self, offset: int, end: int) -> tuple[bytes, int, int]:
        """Type, content and end of the box at `offset` (4.2); the end is beyond `end` if it is cut off."""
        head = self.blob.at(offset, min(16, end - offset))
        size, name, content = int.from_bytes(head[:4], "big"), head[4:8], offset + 8
        if len(head) < 8 or not _TYPE.fullmatch(name):
            return b"", 0, 0
        if size == 1 and len(head) == 16:
            size, content = int.from_bytes(head[8:], "big"), offset + 16
        elif size == 0:
            size = end - offset
        return (name, content, offset + size) if size >= content - offset else (b"", 0, 0)

    def top(self) -> None:
        """Boxes of the file, to its end."""
        offset, end = 0, self.blob.size
        while offset < end and self.boxes < BOXES:
            name, content, stop = self.box(offset, end)
            known = name in _TOP
            if not name or (stop > end and not known):
                offset = self._lost(offset)
                continue
            self.boxes += 1
            self.seen.add(name)
            self.findings.region(offset, content, Kind.STRUCTURED, f"{_said(name)} header")
            if stop > end:
                self.findings.flaw(end, end, f"the file ends inside its {_said(name)} box")
            if name == b"moof":
                self.fragments.begin(offset)
            self._within(name, content, min(stop, end), 0)
            offset = stop
        if self.boxes >= BOXES:
            self.findings.note("more boxes than are read")

    def _within(self, name: bytes, offset: int, end: int, depth: int) -> None:
        """The content of a box."""
        if name == b"mdat":
            self.findings.region(offset, end, Kind.CODED, "media data")
        elif name in (b"iinf", b"iloc"):
            self.item_boxes[name] = offset, end
            self.findings.region(offset, end, Kind.STRUCTURED, f"{_said(name)} table")
        elif name in _CONTAINERS or (name == b"meta" and not depth):
            if name == b"trak":
                self.tracks.append(Track())
            elif name == b"iprp":
                self.item_boxes[name] = offset, end
            elif name == b"meta":
                offset += 4  # a full box
            self._children(offset, end, depth + 1)
        elif name in _TABLES:
            self.findings.region(offset, end, Kind.STRUCTURED, f"{_said(name)} table")
            if self.tracks:
                self._track(name, offset, end)
            if name == b"tfhd":
                self.fragments.header(offset, self.defaults)
            elif name == b"trun":
                self.fragments.run(offset, end)
        else:
            self.findings.region(offset, end, Kind.OPAQUE, f"{_said(name)} box")
            if name == b"stsd" and self.tracks:
                track = self.tracks[-1]
                track.codec, track.width = isobmff_samples.description(self.blob, offset, end)

    def _children(self, offset: int, end: int, depth: int) -> None:
        while end - offset >= 8 and self.boxes < BOXES and depth < DEPTH:
            name, content, stop = self.box(offset, end)
            if end == self.blob.size and name in _CONTAINERS | _TABLES:
                stop = min(stop, end)  # the box around is cut off itself: that was said
            if not name or stop > end:
                if not self.blob.at(offset, min(64, end - offset)).strip(b"\0"):
                    return
                self.findings.region(offset, end, Kind.STRUCTURED, "boxes that are lost")
                self.findings.flaw(offset, min(end, offset + 4096), "no box where one must begin")
                return
            self.boxes += 1
            self.findings.region(offset, content, Kind.STRUCTURED, f"{_said(name)} header")
            self._within(name, content, stop, depth)
            offset = stop

    def _track(self, name: bytes, offset: int, end: int) -> None:
        track = self.tracks[-1]
        if name in (b"stsz", b"stsc", b"stco", b"co64"):
            track.tables[name] = offset, end
        elif name == b"dref":
            # Each entry is a box of its own; the last bit of its flags says "in this file".
            head = self.blob.at(offset, 20)
            track.inside = len(head) < 20 or bool(head[19] & 1)
        elif name == b"tkhd":
            head = self.blob.at(offset, 24)  # version 1 has times of 64 bits
            track.number = int.from_bytes(head[20:24] if head[:1] == b"\1" else head[12:16], "big")
        elif name == b"trex":
            head = self.blob.at(offset, 20)
            self.defaults[int.from_bytes(head[4:8], "big")] = int.from_bytes(head[16:20], "big")

    def _lost(self, offset: int) -> int:
        """Nothing that is a box stands at `offset`; returns where the next one does."""
        place, reach = self.blob.size, min(self.blob.size, offset + max(self.effort, 1 << 20))
        for position in (offset, *range(offset + _NEAR, reach, 1 << 20)):
            length = _NEAR if position == offset else 1 << 20
            for match in _FOUND.finditer(self.blob.at(position, length + 3)):
                start = position + match.start() - 4
                name, _, stop = self.box(start, self.blob.size) if start > offset else (b"", 0, 0)
                # Four letters stand by chance every few GiB, but a size that fits besides hardly ever.
                if name and stop <= self.blob.size and self._leads_on(stop):
                    place = start
                    break
            if place < self.blob.size:
                break
        whole = b"mdat" in self.seen and b"moov" in self.seen and b"moof" not in self.seen
        if place == self.blob.size and (whole or b"meta" in self.seen):
            self.findings.note(f"{place - offset} bytes behind the last box")
            self.findings.region(offset, place, Kind.OPAQUE, "bytes behind the last box")
        elif self.blob.at(offset, min(4096, place - offset)).strip(b"\0"):
            self.findings.struck(self.blob, offset, place, offset, "no box where one must begin")
        return place

    def _leads_on(self, offset: int) -> bool:
        return offset >= self.blob.size or bool(self.box(offset, self.blob.size)[0])

    def media(self) -> None:
        """What the tables say of the media data."""
        left = isobmff_samples.room(self.blob)
        for number, track in enumerate(self.tracks):
            share = max(0, self.effort) // (len(self.tracks) - number)
            self.effort -= isobmff_samples.examine(self.blob, track, self.findings, share, left)
            self.effort -= isobmff_fragments.examine(
                self.blob, track, self.fragments, self.findings, max(0, share), left
            )
        if b"iloc" in self.item_boxes and b"iinf" in self.item_boxes:
            iinf, iloc = self._content(b"iinf"), self._content(b"iloc")
            width = isobmff_items.nal_width(self._content(b"iprp"))
            isobmff_items.examine(self.blob, iinf, iloc, width, self.findings, left)
        if not self.seen & {b"moov", b"moof", b"meta", b"styp"}:
            self.findings.flaw(self.blob.size, self.blob.size, "no table of what it holds")

    def _content(self, name: bytes) -> bytes:
        start, end = self.item_boxes.get(name, (0, 0))
        return self.blob.at(start, min(end - start, META))


def _said(name: bytes) -> str:
    return name.decode("latin-1").strip()


def _format(
    name: str, title: str, specification: str, suffixes: tuple[str, ...], weak: tuple[str, ...] = ()
) -> Format:
    def recognises(head: bytes) -> bool:
        return _kind(head) == name

    def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
        if not _kind(blob.at(0, 4096)):
            raise Malformed(0, "no box of a film or picture")
        walk = _Walk(blob, effort)
        walk.top()
        walk.media()
        return walk.findings.anatomy(name)

    return Format(name, title, specification, suffixes, recognises, dissect, weak)


_BASE = "ISO/IEC 14496-12 4, 8"
FORMATS = (
    _format("mov", "QuickTime film", "QuickTime File Format; " + _BASE, ("mov", "qt")),
    _format("3gp", "3GPP film", "3GPP TS 26.244; " + _BASE, ("3gp", "3gpp", "3g2")),
    _format("heif", "HEIF picture", "ISO/IEC 23008-12; " + _BASE, ("heic", "heif", "hif")),
    _format("avif", "AVIF picture", "AV1 Image File Format; " + _BASE, ("avif", "avifs")),
    _format(
        "mp4",
        "MP4 film or sound",
        "ISO/IEC 14496-14; " + _BASE,
        ("mp4", "m4v", "m4a", "m4b", "m4r", "f4v", "mj2", "cr3"),
        ("m4s", "m4p"),
    ),
)
