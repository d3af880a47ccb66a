"""LUKS volumes: the header, of LUKS2 with its checksum and its twin; what is locked may be anything."""

import hashlib

from vigie.formats.archive.draft import Draft
from vigie.formats.archive.encrypted import NOTE
from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Charset, Kind

MAGIC, SECOND = b"LUKS\xba\xbe", b"SKUL\xba\xbe"
_BINARY = 4096
_LARGEST = 4 * 1024 * 1024
_DIGESTS = {"sha256": hashlib.sha256, "sha512": hashlib.sha512, "sha1": hashlib.sha1}


def recognises(head: bytes) -> bool:
    """Magic and version (LUKS2 On-Disk Format 1.1, 2.1)."""
    return head[:6] == MAGIC and head[6:8] in (b"\0\1", b"\0\2")


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Both headers of LUKS2, the one of LUKS1.

    Raises:
        Malformed: there is no header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 592)
    if not recognises(head):
        raise Malformed(0, "no LUKS header")
    found = Draft(blob.size, effort)
    found.note(NOTE)
    if head[7] == 1:
        # Cipher, mode and hash are text; the master key's digest behind them is random.
        found.claim(0, 112, Kind.STRUCTURED, "header")
        found.claim(112, blob.size, Kind.OPAQUE, "keys and encrypted data")
        return found.anatomy("luks")
    size = int.from_bytes(head[8:16], "big")
    if not _BINARY < size <= _LARGEST or size % _BINARY:
        raise Malformed(8, "a header size that LUKS2 does not have")
    _header(blob, 0, size, MAGIC, found)
    _header(blob, size, size, SECOND, found)
    found.claim(2 * size, blob.size, Kind.OPAQUE, "keys and encrypted data")
    return found.anatomy("luks")


def _header(blob: Blob, start: int, size: int, magic: bytes, found: Draft) -> None:
    """Binary part, JSON, and the checksum over both with its own place zeroed (section 2.1)."""
    data = found.take(blob, start, size)
    found.claim(start, start + 104, Kind.STRUCTURED, "header")
    found.claim(start + 104, start + _BINARY, Kind.CODED, "salt, names and checksum")
    found.claim(start + _BINARY, start + size, Kind.STRUCTURED, "JSON area", Charset.UTF8)
    if len(data) < size:
        found.flaw(blob.size, blob.size, "the file ends inside a header")
        return
    if data[:6] != magic:
        found.flaw(start, start + 104, "no second header where it should be")
        return
    name = data[72:104].rstrip(b"\0").decode("ascii", "replace")
    digest = _DIGESTS.get(name)
    if digest is None:
        found.note(f"the checksum {name[:32]!r} is not tested")
        return
    value = digest(data[:448] + bytes(64) + data[512:]).digest()
    if data[448 : 448 + len(value)] == value:
        found.checked += size
    else:
        found.flaw(start, start + size, "the checksum of a header does not match", checksum=True)


FORMAT = Format(
    name="luks",
    title="LUKS volume",
    specification="LUKS2 On-Disk Format 1.1, 2; LUKS1 On-Disk Format 1.2.3",
    suffixes=("luks",),
    recognises=recognises,
    dissect=dissect,
)
