"""Microsoft cabinet (MS-CAB): folders and files, and every data block with its checksum.

By hand: the checksum alone says which block of 32 KiB was hit, and needs no decoder.
"""

import struct

import numpy as np

from vigie.formats.archive.draft import Draft
from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Kind

MAGIC = b"MSCF\0\0\0\0"
_HEAD = struct.Struct("<4s4sLLLLBBHHHHH")
_DATA = struct.Struct("<LHH")
LARGEST = 32768 + 6144
"""Bytes of a packed block (section 2.4)."""
_PRICE = 64


def recognises(head: bytes) -> bool:
    """Signature, reserved zeros, version 1.3 (section 2.1)."""
    return head.startswith(MAGIC) and head[24:26] == b"\x03\x01" and head[12:16] == b"\0\0\0\0"


def checksum(data: bytes, seed: int = 0) -> int:
    """The exclusive or of all 32-bit words; what is left over counts high byte first (section 3.1)."""
    whole = len(data) & ~3
    words = np.frombuffer(data[:whole], "<u4")
    value = seed ^ (int(np.bitwise_xor.reduce(words)) if words.size else 0)
    return value ^ int.from_bytes(data[whole:], "big")


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Header, folders, files, then each folder's blocks.

    Raises:
        Malformed: there is no cabinet header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, _HEAD.size)
    if len(head) < _HEAD.size or not recognises(head):
        raise Malformed(0, "no cabinet header")
    found = Draft(blob.size, effort)
    size, files_at, folders, flags = (_HEAD.unpack(head)[i] for i in (2, 4, 8, 10))
    if size > blob.size:
        found.flaw(blob.size, blob.size, "the file ends before the cabinet does")
    elif size < blob.size:
        found.note(f"{blob.size - size} bytes behind the cabinet (a signature?)")
    place, reserved_folder, reserved_data = _HEAD.size, 0, 0
    if flags & 4:
        reserve = blob.at(place, 4)
        if len(reserve) == 4:
            place += 4 + int.from_bytes(reserve[:2], "little")
            reserved_folder, reserved_data = reserve[2], reserve[3]
    for _ in range(2 * bool(flags & 1) + 2 * bool(flags & 2)):
        place += blob.at(place, 256).find(0) + 1
    found.claim(0, _HEAD.size, Kind.STRUCTURED, "header")
    step = 8 + reserved_folder
    table = found.take(blob, place, folders * step)
    found.claim(max(place, _HEAD.size), place + folders * step, Kind.STRUCTURED, "folders")
    entries = [struct.unpack_from("<LHH", table, i * step) for i in range(len(table) // step)]
    first = min((entry[0] for entry in entries), default=size)
    if place + folders * step <= files_at <= first:
        found.claim(files_at, first, Kind.STRUCTURED, "files")
    for start, blocks, packing in sorted(entries):
        _folder(blob, start, blocks, reserved_data, f"method {packing & 15}", found)
    return found.anatomy("cab")


def _folder(blob: Blob, position: int, blocks: int, reserve: int, how: str, found: Draft) -> None:
    """Blocks one behind the other; a block that cannot be one ends what is known of the folder."""
    for _ in range(blocks):
        if found.effort.left <= 0:
            found.untested(position)
            return
        found.effort.spend(_PRICE)
        head = blob.at(position, _DATA.size + reserve)
        if len(head) < _DATA.size + reserve:
            found.flaw(blob.size, blob.size, "the file ends before its last block")
            return
        said, packed, unpacked = _DATA.unpack_from(head)
        if packed > LARGEST or unpacked > 32768 or not packed:
            found.claim(position, position + _DATA.size, Kind.STRUCTURED, "place of a block header")
            found.flaw(position, position + LARGEST, "no data block where one should be")
            return
        start, end = position + len(head), position + len(head) + packed
        data = found.take(blob, start, packed)
        found.claim(position, end, Kind.CODED, f"data block, {how}")
        if len(data) < packed:
            found.flaw(blob.size, blob.size, "the file ends inside a block")
            return
        if said and checksum(head[4:], checksum(data)) != said:
            found.flaw(position, end, "the checksum of a block does not match", checksum=True)
        elif said:
            found.checked += packed
        position = end


FORMAT = Format(
    name="cab",
    title="Microsoft cabinet",
    specification="MS-CAB 2",
    suffixes=("cab",),
    recognises=recognises,
    dissect=dissect,
)
