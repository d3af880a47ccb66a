"""LLVM bitcode: the chain of top-level blocks, each with its length; what is in them may be anything."""

import struct

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

RAW = b"BC\xc0\xde"
WRAPPED = b"\xde\xc0\x17\x0b"
BLOCKS = 4_096


def recognises(head: bytes) -> bool:
    """Magic, then the identification, module or index block at once; or Apple's wrapper around that."""
    if head.startswith(WRAPPED) and len(head) >= 20:
        version, offset, _ = struct.unpack_from("<3L", head, 4)
        return not version and 20 <= offset < 4096 and offset % 4 == 0
    return head.startswith(RAW) and len(head) >= 12 and _block(head[4:12]) is not None


def _block(head: bytes) -> int | None:
    """Bytes of the block that begins here (LLVM BitCodeFormat, "ENTER_SUBBLOCK Encoding"), or nothing.

    At the top level abbreviations have two bits, block numbers below 128 eight, widths below 8 four; what
    is left of the word is zero.
    """
    if len(head) < 8:
        return None
    word, words = struct.unpack("<LL", head)
    if word & 3 != 1 or word >> 14:
        return None
    return 8 + 4 * int(words)


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Block after block, up to the end or to padding.

    Raises:
        Malformed: no magic number.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 20)
    if not recognises(head):
        raise Malformed(0, "no magic number of LLVM bitcode")
    offset, limit = 4, blob.size
    regions = [Region(0, 12, Kind.OPAQUE, "magic number")]
    flaws: list[Flaw] = []
    if head.startswith(WRAPPED):
        start, length = struct.unpack_from("<2L", head, 8)
        if start + length > limit or blob.at(start, 4) != RAW:
            raise Malformed(8, f"{length} bytes of bitcode said to be at byte {start}")
        regions = [Region(0, 20, Kind.OPAQUE, "wrapper")]
        offset, limit = start + 4, start + length
    for _ in range(BLOCKS):
        if offset + 8 > limit:
            break
        header = blob.at(offset, 8)
        length = _block(header) or 0
        if not length and header[:4] in (bytes(4), RAW):
            offset += 4  # padding, or one more module
            continue
        if not length or offset + length > limit:
            if length:
                flaws.append(Flaw(limit, limit, "the file ends inside a block"))
                break
            # A bit stream looks random anyway; the header of a block does not.
            regions.append(Region(offset, offset + 8, Kind.STRUCTURED, "place of a block's header"))
            flaws.append(Flaw(offset, offset + 8, "no block where one must begin"))
            break
        offset += length
    return Anatomy("bitcode", tuple(regions), tuple(flaws))


FORMAT = Format(
    name="bitcode",
    title="LLVM bitcode",
    specification="LLVM Bitcode File Format, 3 and 4",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
)
