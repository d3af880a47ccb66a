"""Mail: one message or an mbox of them (RFC 5322, RFC 2045 to 2049, RFC 4155), and web archives (RFC 2557).

A message is text, its attachments are base64 or quoted-printable, which is text too; only parts sent as
`binary` are not. Parts are not decoded: an overwritten byte is foreign to base64 as it is to any text.
"""

import re

from vigie.formats.contract import EFFORT, Format
from vigie.formats.office import text
from vigie.model import Anatomy, Blob, Kind, Region

MOST = 1024
"""Parts in binary told apart."""
_SLICE = 1024 * 1024
_MBOX = re.compile(rb"From \S{1,320} .{10,64}\r?\n")
_FIELD = re.compile(rb"([!-9;-~]{1,64}):[ \t]?[^\r\n]{0,2000}+(?:\r?\n[ \t][^\r\n]{0,2000}+)*+(?:\r?\n|\Z)")
_KNOWN = frozenset(
    b"from to cc bcc subject date sender reply-to message-id in-reply-to references received return-path "
    b"delivered-to mime-version content-type content-transfer-encoding dkim-signature x-mailer".split()
)
# RFC 2045, 6.2 and RFC 3030: the body of a part goes up to the next line that may be a boundary.
_BINARY = re.compile(rb"content-transfer-encoding:[ \t]*binary\b", re.IGNORECASE)
_BODY = re.compile(rb"\r?\n\r?\n")
_BOUNDARY = re.compile(rb"\r?\n--")
_COUNT = re.compile(rb"\d{1,10}\s{0,10}\n")
_LEAST = 3
_HEADER = 8192


def recognises(head: bytes) -> bool:
    """Three header fields that mail has, from the first byte on (RFC 5322, 2.2 and 3.6)."""
    start = _MBOX.match(head) or _COUNT.match(head)  # Apple Mail writes the length first
    at = start.end() if start else 0
    known: set[bytes] = set()
    for _ in range(40):
        field = _FIELD.match(head, at)
        if field is None:
            break
        at = field.end()
        name = field[1].lower()
        if name in _KNOWN:
            known.add(name)
    return len(known) >= _LEAST and bool(known & {b"from", b"subject", b"date", b"received"})


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The anatomy of a message or a box of them.

    Raises:
        Malformed: it is no text: see `text.survey`.
        Unreadable: the blob cannot be read.
    """
    if not blob.size:
        return Anatomy("email", ())
    found = text.survey(blob, effort)
    flaws, notes = text.damage(blob, found)
    pieces = _binaries(blob, effort)
    flaws = tuple(
        f for f in flaws if not any(start <= f.start + 64 and f.end <= end + 64 for start, end in pieces)
    )
    regions: list[Region] = []
    at = 0
    for start, end in (*pieces, (blob.size, blob.size)):
        if at < start:
            regions.append(Region(at, start, Kind.STRUCTURED, "header fields and text", found.charset))
        if start < end:
            regions.append(Region(start, end, Kind.OPAQUE, "part sent as binary"))
        at = end
    return Anatomy("email", tuple(regions), flaws, notes=notes)


def _binaries(blob: Blob, effort: int) -> list[tuple[int, int]]:
    """The bodies of parts in binary, as far as the effort reaches."""
    pieces: list[tuple[int, int]] = []
    at = 0
    reach = min(blob.size, effort)
    while at < reach and len(pieces) < MOST:
        match = _BINARY.search(blob.at(at, _SLICE + 64))
        if match is None or match.start() >= _SLICE:
            at += _SLICE
            continue
        at += match.end()
        body = _BODY.search(blob.at(at, _HEADER))
        if body is None:
            continue
        start = at + body.end()
        at = _boundary(blob, start, reach)
        if start < at:
            pieces.append((start, at))
    return pieces


def _boundary(blob: Blob, start: int, reach: int) -> int:
    """Where the next line that begins with two hyphens stands, or the end."""
    for at in range(start, reach, _SLICE):
        if match := _BOUNDARY.search(blob.at(at, _SLICE + 4)):
            return at + match.start()
    return blob.size


FORMAT = Format(
    name="email",
    title="mail message or mailbox",
    specification="RFC 5322, 2.2; RFC 2045; RFC 4155",
    suffixes=("eml", "mbox", "emlx", "mht", "mhtml", "mbx"),
    recognises=recognises,
    dissect=dissect,
    textual=True,
)
