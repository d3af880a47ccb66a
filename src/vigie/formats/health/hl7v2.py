"""HL7 v2 messages in vertical bar encoding, bare or framed by MLLP (HL7 v2.5.1 §2.5 to §2.10)."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.formats.compiled import compiled
from vigie.formats.contract import EFFORT, HEAD, Format, Malformed
from vigie.formats.health import attachments
from vigie.formats.office import text
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

START, END = 0x0B, 0x1C
"""MLLP frame: <VT> message <FS><CR> (HL7 v2.5.1 implementation guide, appendix C)."""

# §2.16.9: field separator, then component, repetition, escape and subcomponent separators, often truncation.
_HEADER = re.compile(r"[\s\x0b]{0,8}(?:MSH|FHS|BHS)([!-/:-@\[-`{-~])([!-/:-@\[-`{-~]{1,5})(?:\1|$)")
_BREAK = re.compile(rb"[\r\n]")


def _recognises(head: bytes) -> bool:
    return _HEADER.match(text.read_head(head[:512])) is not None


def _dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    head = blob.at(0, HEAD)
    header = _HEADER.match(text.read_head(head[:512]))
    found = text.survey(blob, effort)
    # Messages in one file may differ in their character set (MSH-18): a letter of another one is no damage.
    broken, said = text.damage(blob, found)
    flaws, notes = list(broken), list(said)
    if header is None:
        if not found.flaws:
            raise Malformed(0, "no MSH, FHS or BHS segment at the start")
        flaws.insert(0, Flaw(0, min(8, blob.size), "no MSH, FHS or BHS segment at the start"))
    elif found.charset is not Charset.UTF16:
        notes += _charset_notes(head, header[1], found.charset)
        notes += _loose_lines(blob, header[1].encode(), effort)
        more, told = attachments.tested(blob, attachments.HL7, effort)
        flaws += more
        notes += told
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
    at = 0
    while at < min(blob.size, max(effort // 4, text.SLICE)):  # it makes a note, and no verdict
        data = blob.at(at, text.SLICE)
        whole = _BREAK.search(data) if at else None  # the slice may begin inside a line
        first = whole.start() if whole else 0
        # A line that goes on in the next slice, which begins behind it, is not looked at.
        if _loose(np.frombuffer(data, np.uint8), first, ord(separator), at + len(data) < blob.size):
            return ["lines that begin no segment"]
        at += len(data)
    return []


@compiled
def _loose(data: NDArray[np.uint8], first: Any, separator: Any, more: Any) -> bool:
    """Whether a line behind `first` is neither blank nor begins with three of A-Z and 0-9 and a separator.

    The last line does not count where `more` follows it.
    """
    at = first
    size = data.size
    while at < size:
        # The bytes of MLLP end a line as well, and a byte order mark may begin one.
        end = at
        while (
            end < size and data[end] != 0x0D and data[end] != 0x0A and data[end] != 0x0B and data[end] != 0x1C
        ):
            end += 1
        if more and end == size:
            return False
        if end - at >= 3 and data[at] == 0xEF and data[at + 1] == 0xBB and data[at + 2] == 0xBF:
            at += 3
        stop = end
        while at < stop and (data[at] == 0x20 or data[at] == 0x09 or data[at] == 0x0C):
            at += 1
        while at < stop and (data[stop - 1] == 0x20 or data[stop - 1] == 0x09 or data[stop - 1] == 0x0C):
            stop -= 1
        if at < stop:
            if stop - at < 3 or not 0x41 <= data[at] <= 0x5A or (stop - at > 3 and data[at + 3] != separator):
                return True
            for i in range(at + 1, at + 3):
                if not (0x41 <= data[i] <= 0x5A or 0x30 <= data[i] <= 0x39):
                    return True
        at = end + 1
    return False


def warm() -> None:
    """Compile the loop, or load it from where it is kept, before the first file and confinement."""
    _loose(np.frombuffer(b"MSH|", np.uint8), 0, 0x7C, False)


FORMAT = Format(
    name="hl7v2",
    title="HL7 v2 message",
    specification="HL7 v2.5.1 §2.5, §2.10",
    suffixes=("hl7", "er7", "oru", "adt", "mllp"),
    recognises=_recognises,
    dissect=_dissect,
    textual=True,
)
