"""cpio (SVR4 "newc" with and without checksum, POSIX.1-1988 "odc"): every header, all ASCII digits."""

import re

from vigie.formats.archive.draft import Draft
from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Kind

WINDOW = 1024 * 1024
_NEWC = re.compile(rb"07070[12][0-9A-Fa-f]{104}")
_ODC = re.compile(rb"070707[0-7]{70}")
_ANY = re.compile(rb"07070(?:[12][0-9A-Fa-f]{104}|7[0-7]{70})")
_TRAILER = b"TRAILER!!!"
_PRICE = 256
_NAME = 4096


def recognises(head: bytes) -> bool:
    """The magic, and nothing but digits behind it (cpio(5))."""
    return _ANY.match(head) is not None


def _read(blob: Blob, position: int) -> tuple[int, int, int, int] | None:
    """Length of the header, of the name and of the data at `position`, and what they are aligned to."""
    head = blob.at(position, 110)
    if _NEWC.match(head):
        return 110, int(head[94:102], 16), int(head[54:62], 16), 4
    if _ODC.match(head):
        return 76, int(head[59:65], 8), int(head[65:76], 8), 1
    return None


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Members from the start to the trailer; behind it another archive or anything (initramfs).

    Raises:
        Malformed: no header stands at the start.
        Unreadable: the blob cannot be read.
    """
    found = Draft(blob.size, effort)
    position = 0
    if not recognises(blob.at(0, 110)):
        raise Malformed(0, "no cpio header")
    while position < blob.size:
        if found.effort.left <= 0:
            found.untested(position)
            break
        found.effort.spend(_PRICE)
        fields = _read(blob, position)
        if fields is None:
            following = _next(blob, position, found)
            found.claim(position, position + 110, Kind.STRUCTURED, "place of a header")
            found.flaw(position, position + 110, "no cpio header where one should be")
            if following is None:
                break
            position = following
            continue
        header, length, size, align = fields
        name = blob.at(position + header, min(length, _NAME)).rstrip(b"\0")
        data = position + header + length
        data += -data % align
        label = name.decode("utf-8", "replace")[:200]
        found.claim(position, position + header + length, Kind.STRUCTURED, f"header of {label}")
        found.claim(data, data + size, Kind.OPAQUE, f"data of {label}", member=label)
        position = data + size + -size % align
        if position > blob.size + align:
            found.flaw(blob.size, blob.size, f"the file ends inside {label}")
        elif name == _TRAILER:
            following = _behind(blob, position, found)
            if following is None:
                break
            position = following
        elif position >= blob.size:
            found.flaw(blob.size, blob.size, "the file ends before its trailer")
    return found.anatomy("cpio")


def _behind(blob: Blob, position: int, found: Draft) -> int | None:
    """Where another archive begins behind the trailer and its padding."""
    window = found.take(blob, position, WINDOW)
    rest = window.lstrip(b"\0")
    place = position + len(window) - len(rest)
    if _ANY.match(rest):
        return place
    if rest:
        found.note(f"{blob.size - place} bytes behind the trailer")
    found.claim(position, place, Kind.STRUCTURED, "padding")
    return None


def _next(blob: Blob, position: int, found: Draft) -> int | None:
    for base in range(position, blob.size, WINDOW):
        if found.effort.left <= 0:
            return None
        hit = _ANY.search(found.take(blob, base, WINDOW + 110))
        if hit:
            return base + hit.start()
    return None


FORMAT = Format(
    name="cpio",
    title="cpio archive",
    specification="cpio(5), newc and odc",
    suffixes=("cpio",),
    recognises=recognises,
    dissect=dissect,
)
