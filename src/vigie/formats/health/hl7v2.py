"""HL7 v2 messages in vertical bar encoding, bare or framed by MLLP (HL7 v2.5.1 §2.5 to §2.10)."""

import re

from vigie.formats.contract import EFFORT, HEAD, Format, Malformed
from vigie.formats.health import attachments
from vigie.formats.office import text
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

START, END = 0x0B, 0x1C
"""MLLP frame: <VT> message <FS><CR> (HL7 v2.5.1 implementation guide, appendix C)."""

# §2.16.9: field separator, then component, repetition, escape and subcomponent separators, often truncation.
_HEADER = re.compile(r"[\s\x0b]{0,8}(?:MSH|FHS|BHS)([!-/:-@\[-`{-~])([!-/:-@\[-`{-~]{1,5})(?:\1|$)")
_BREAK = re.compile(rb"[\r\n]")
_LINE = re.compile(rb"[^\r\n\x0b\x1c]+")


def _recognises(head: bytes) -> bool:
    return _HEADER.match(text.read_head(head[:512])) is not None


def _dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    head = blob.at(0, HEAD)
    header = _HEADER.match(text.read_head(head[:512]))
    found = text.survey(blob, effort)
    notes = list(found.notes)
    flaws = list(found.flaws)
    if header is None:
        if not flaws:
            raise Malformed(0, "no MSH, FHS or BHS segment at the start")
        flaws.insert(0, Flaw(0, min(8, blob.size), "no MSH, FHS or BHS segment at the start"))
    elif found.charset is not Charset.UTF16:
        notes += _charset_notes(head, header[1], found.charset)
        notes += _loose_lines(blob, header[1].encode(), effort)
        more, said = attachments.tested(blob, attachments.HL7, effort)
        flaws += more
        notes += said
        tail = blob.at(max(0, blob.size - 4096), 4096)
        if head[:1] == bytes([START]) and tail.rstrip(b"\r\n\0 ")[-1:] != bytes([END]):
            flaws.append(Flaw(blob.size - 1, blob.size, "MLLP frame without its end"))
        elif header[0].lstrip().startswith("FHS") and b"FTS" not in tail:  # §2.10.3: a file has a trailer
            if tail.rstrip(b" \0\x1a").endswith((b"\r", b"\n")):
                notes.append("a batch file without its trailer (FTS)")
            else:
                flaws.append(Flaw(blob.size, blob.size, "the batch file ends inside a segment"))
    region = Region(0, blob.size, Kind.STRUCTURED, "HL7 v2 segments", found.charset)
    return Anatomy("hl7v2", (region,), tuple(flaws), notes=tuple(notes))


def _charset_notes(head: bytes, separator: str, charset: Charset) -> list[str]:
    """MSH-18 against what the bytes are: interfaces get it wrong too often to call it a flaw."""
    fields = re.split(rb"[\r\n]", head.lstrip(b"\x0b\xef\xbb\xbf \r\n"))[0].split(separator.encode())
    said = fields[17].strip() if len(fields) > 17 else b""
    if said.startswith(b"UNICODE UTF-8") and charset is Charset.LATIN1:
        return ["MSH-18 says UTF-8, and the text is not"]
    return []


def _loose_lines(blob: Blob, separator: bytes, effort: int) -> list[str]:
    """Lines that begin no segment: text with line breaks inside a field, which real systems send."""
    segment = re.compile(rb"[A-Z][A-Z0-9]{2}(?:" + re.escape(separator) + rb"|$)")
    at = 0
    while at < min(blob.size, max(effort, text.SLICE)):
        data = blob.at(at, text.SLICE)
        whole = _BREAK.search(data) if at else None  # the slice may begin inside a line
        for line in _LINE.finditer(data, whole.start() if whole else 0):
            if line.end() == len(data) and at + len(data) < blob.size:
                break  # it goes on in the next slice, which begins behind it
            words = line[0].removeprefix(b"\xef\xbb\xbf").strip()
            if words and not segment.match(words):
                return ["lines that begin no segment"]
        at += len(data)
    return []


FORMAT = Format(
    name="hl7v2",
    title="HL7 v2 message",
    specification="HL7 v2.5.1 §2.5, §2.10",
    suffixes=("hl7", "er7", "oru", "adt", "mllp"),
    recognises=_recognises,
    dissect=_dissect,
    textual=True,
)
