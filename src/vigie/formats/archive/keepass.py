"""KeePass databases (KDBX 3.1 and 4): the header and its SHA-256, then blocks by their lengths."""

import hashlib

from vigie.formats.archive.draft import Draft
from vigie.formats.archive.encrypted import NOTE
from vigie.formats.contract import EFFORT, Cursor, Format, Malformed
from vigie.model import Anatomy, Blob, Kind

_SIGNATURE = b"\x03\xd9\xa2\x9a"
_KINDS = frozenset({0x65, 0x66, 0x67})
_FIELDS = 64
_LONGEST = 1024 * 1024
_BLOCKS = 100_000


def recognises(head: bytes) -> bool:
    """Both signatures: of KeePass 1, of a 2.x pre-release, of 2.x."""
    return len(head) >= 12 and head[:4] == _SIGNATURE and head[4] in _KINDS and head[5:8] == b"\xfb\x4b\xb5"


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Header fields to their end mark; of version 4 the header's digest and the chain of blocks.

    Raises:
        Malformed: there is no signature, or the header is none.
        Unreadable: the blob cannot be read.
    """
    found = Draft(blob.size, effort)
    found.note(NOTE)
    head = blob.at(0, 12)
    if not recognises(head):
        raise Malformed(0, "no KeePass signature")
    found.claim(0, 12, Kind.STRUCTURED, "signature")
    major = head[10]
    if head[4] == 0x65 or major not in (2, 3, 4):  # KeePass 1 and what is to come
        found.claim(12, blob.size, Kind.OPAQUE, "content")
        return found.anatomy("keepass")
    cursor = Cursor(blob, 12)
    width = 4 if major == 4 else 2
    for _ in range(_FIELDS):
        kind = cursor.take(1, "the header")[0]
        length = int.from_bytes(cursor.take(width, "the header"), "little")
        if kind > 16 or length > _LONGEST:
            cursor.fail("no KeePass header field where one should be")
        cursor.skip(length, "a header field")
        if not kind:
            break
    end = cursor.offset
    if major < 4:
        found.claim(12, end, Kind.OPAQUE, "header")
        found.claim(end, blob.size, Kind.OPAQUE, "content")
        return found.anatomy("keepass")
    found.claim(12, end + 64, Kind.CODED, "header and its digest")
    if hashlib.sha256(found.take(blob, 0, end)).digest() == blob.at(end, 32):
        found.checked += end
    else:
        found.flaw(12, end + 32, "the SHA-256 of the header does not match", checksum=True)
    _blocks(blob, end + 64, found)
    return found.anatomy("keepass")


def _blocks(blob: Blob, position: int, found: Draft) -> None:
    """Authenticator, length, content; the last one is empty (KDBX 4, HMAC block stream)."""
    for _ in range(_BLOCKS):
        length = int.from_bytes(blob.at(position + 32, 4), "little")
        if position + 36 > blob.size:
            found.flaw(blob.size, blob.size, "the file ends before its last block")
            return
        found.claim(position, position + 36 + length, Kind.OPAQUE, "block")
        position += 36 + length
        if not length:
            if position < blob.size:
                found.note(f"{blob.size - position} bytes behind the last block")
            return
        if position > blob.size:
            found.flaw(blob.size, blob.size, "the file ends inside a block")
            return


FORMAT = Format(
    name="keepass",
    title="KeePass database",
    specification="KDBX 4, keepass.info/help/kb/kdbx.html",
    suffixes=("kdbx", "kdb"),
    recognises=recognises,
    dissect=dissect,
)
