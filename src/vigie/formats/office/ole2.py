"""Compound files (MS-CFB): Word, Excel and PowerPoint up to 2003, Outlook messages, installers.

Tables and directory are structured, the records of Excel and PowerPoint are walked, texts of Word and Outlook
are text; pictures, macros and whatever else a program keeps in its streams are opaque. Read by hand: see
`ole2_sectors`.
"""

from vigie.formats.archive.encrypted import NOTE
from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.office import html, rtf, text, xml
from vigie.formats.office.ole2_sectors import MAGIC, Entry, Extents, Volume
from vigie.formats.office.ole2_streams import alphabetic, biff, compressed_rtf, escher, plain, walk, word_text
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

MOST = 4096
"""Regions kept; what is left out counts as opaque."""
FLAWS = 1024
_BODY = 16 * 1024 * 1024
"""Longest body of a mail whose checksum is tested."""
_NOT_LOCKED = 0xE391C05F
"""Token of a presentation without a password (MS-PPT 2.3.2)."""
_KINDS = {
    "WordDocument": "a Word document",
    "Workbook": "an Excel workbook",
    "Book": "an Excel workbook",
    "PowerPoint Document": "a PowerPoint presentation",
    "__properties_version1.0": "an Outlook message",
    "VisioDocument": "a Visio drawing",
    "Quill": "a Publisher document",
}
_INSTALLER = bytes.fromhex("84100c0000000000c000000000000046")
_TEXTS = ("001E", "001F")
_BODY_NAME = "__substg1.0_10090102"


class _Findings:
    """Regions, flaws and notes, gathered stream by stream."""

    def __init__(self, volume: Volume, effort: int) -> None:
        self.volume = volume
        self.left = effort
        self.regions = [Region(*place, Kind.STRUCTURED, what) for place, what in volume.tables]
        self.flaws = list(volume.flaws)
        self.notes = list(volume.notes)
        self.checked = 0

    def claim(self, stream: Extents, start: int, end: int, kind: Kind, what: str) -> None:
        """Add `[start, end)` of a stream."""
        if len(self.regions) < MOST:
            self.regions.extend(Region(*place, kind, what) for place in stream.places(start, end))

    def blame(self, stream: Extents, start: int, end: int, what: str, *, checksum: bool = False) -> None:
        """Add a flaw at `[start, end)` of a stream."""
        if len(self.flaws) < FLAWS:
            self.flaws.extend(Flaw(*place, what, checksum) for place in stream.places(start, end))

    def note(self, words: str) -> None:
        """Say it once."""
        if words not in self.notes:
            self.notes.append(words)

    def records(self, entry: Entry, stream: Extents) -> None:
        """Walk the records of a stream."""
        excel = entry.name in ("Workbook", "Book")
        walked = walk(stream, biff if excel else escher, 4 if excel else 8, self.left)
        self.left -= stream.size
        at = 0
        if walked.encrypted:
            self.note("encrypted by password")
        elif all(plain(stream.at(start, end - start)) for start, end in walked.strings[:2]):
            for start, end in walked.strings:
                self.claim(stream, at, start, Kind.CODED, f"records of {entry.name}")
                self.claim(stream, start, end, Kind.STRUCTURED, "strings of the cells")
                at = end
        self.claim(stream, at, stream.size, Kind.CODED, f"records of {entry.name}")
        if self.left <= 0:
            self.note("too long to test all streams")
        for start, end in walked.broken:
            self.blame(stream, start, end, f"no record where one must begin in {entry.name}")


def recognises(head: bytes) -> bool:
    """The signature of eight bytes (MS-CFB 2.2)."""
    return head.startswith(MAGIC)


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The anatomy of a compound file.

    What is named `.doc` or `.xls` is often text inside, RTF, HTML or a table: it then is what it is.

    Raises:
        Malformed: neither a compound file nor text.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 4096)
    if not recognises(head):
        return _as_text(blob, head, effort)
    volume = Volume(blob)
    found = _Findings(volume, effort)
    streams = [entry for entry in volume.entries if entry.kind == 2]
    names = {entry.name for entry in streams}
    if "EncryptedPackage" in names:
        found.note(NOTE)
    else:
        kind = next((_KINDS[name] for name in _KINDS if name in names), None)
        if kind is None and any(entry.clsid == _INSTALLER for entry in volume.entries if entry.kind == 5):
            kind = "a Windows installer"
        if kind:
            found.note(kind)
        _streams(found, streams)
    if volume.cut:
        found.flaws.append(Flaw(blob.size, blob.size, "sectors are missing at the end"))
    return _anatomy(found)


def _as_text(blob: Blob, head: bytes, effort: int) -> Anatomy:
    if rtf.recognises(head):
        return rtf.dissect(blob, effort)
    if text.clean(head):
        form = next((one for one in (html.FORMAT, xml.FORMAT) if one.recognises(head)), text.FORMAT)
        return form.dissect(blob, effort)
    raise Malformed(0, "no compound file header")


def _streams(found: _Findings, entries: list[Entry]) -> None:
    names = {entry.name: entry for entry in reversed(entries)}
    opened = {name: found.volume.stream(names[name]) for name in names if name in _OPENED}
    locked = "EncryptedSummary" in names or _locked(opened.get("Current User"))
    for entry in entries:
        name = entry.name
        if name in ("Workbook", "Book") and name in opened:
            found.records(entry, opened[name])
        elif name in ("PowerPoint Document", "Pictures") and name in opened and "Current User" in names:
            if locked:
                found.note("encrypted by password")
            else:
                found.records(entry, opened[name])
        elif name.startswith("__substg1.0_"):
            _outlook(found, entry)
    if "WordDocument" in opened:
        _word(found, opened)


_OPENED = (
    "Workbook",
    "Book",
    "PowerPoint Document",
    "Pictures",
    "Current User",
    "WordDocument",
    "0Table",
    "1Table",
)


def _locked(user: Extents | None) -> bool:
    """Whether a presentation is encrypted; where that is not to be known, it might be."""
    return user is None or int.from_bytes(user.at(12, 4), "little") != _NOT_LOCKED


def _word(found: _Findings, opened: dict[str, Extents]) -> None:
    document = opened["WordDocument"]
    locked, pieces = word_text(document, opened)
    if locked:
        found.note("encrypted by password")
    if document.size and document.at(0, 2) not in (b"\xec\xa5", b"\xdc\xa5"):
        found.blame(document, 0, min(32, document.size), "no file information block")
    at = 0
    for start, end, wide in pieces:
        if start >= at and (not wide or alphabetic(document.at(start, min(end - start, 65536)))):
            found.claim(document, start, end, Kind.STRUCTURED, "text")
            at = end


def _outlook(found: _Findings, entry: Entry) -> None:
    """A property of a message: text is text, and a body in compressed RTF has a checksum."""
    if entry.name.endswith(_TEXTS):
        stream = found.volume.stream(entry)
        if entry.name.endswith("1E") or alphabetic(stream.at(0, 65536)):
            found.claim(stream, 0, stream.size, Kind.STRUCTURED, f"text of {entry.name}")
    elif entry.name == _BODY_NAME and entry.size <= min(_BODY, found.left):
        stream = found.volume.stream(entry)
        holds = compressed_rtf(stream.at(0, stream.size))
        found.left -= stream.size
        if holds is not None:
            found.claim(stream, 0, stream.size, Kind.CODED, "compressed RTF")
            if holds:
                found.checked += stream.size
            else:
                found.blame(stream, 0, stream.size, "the CRC of the body does not match", checksum=True)


def _anatomy(found: _Findings) -> Anatomy:
    regions: list[Region] = []
    for region in sorted(found.regions, key=lambda one: (one.start, one.end)):
        last = regions[-1] if regions else None
        if region.start >= region.end or (last and region.start < last.end):
            continue  # crossed chains: whoever comes first keeps it
        if last and (last.end, last.kind, last.what) == (region.start, region.kind, region.what):
            regions[-1] = Region(last.start, region.end, last.kind, last.what)
        else:
            regions.append(region)
    flaws = tuple(sorted(found.flaws, key=lambda flaw: flaw.start))
    return Anatomy("ole2", tuple(regions), flaws, found.checked, tuple(found.notes))


FORMAT = Format(
    name="ole2",
    title="compound file (Word, Excel, PowerPoint up to 2003, Outlook message)",
    specification="MS-CFB 2.2 to 2.6; MS-DOC, MS-XLS, MS-PPT, MS-OXMSG",
    suffixes=("doc", "xls", "ppt", "msg", "msi", "dot", "xlt", "pps", "vsd", "mpp", "xla", "msp"),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("pot", "pub", "oft", "wps"),
)
