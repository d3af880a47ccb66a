"""Where a DICOM data set can be read again behind a broken place: elements that lead on to one another.

A header of a data element that is none is followed, within some bytes, by the next that is one; that it is
one shows in what its length leads to (PS3.5 §7.1), several times over.
"""

import re
import struct

from vigie.formats.health.dicom_values import LONG, VRS
from vigie.model import Blob

REACH = 4 * 1024 * 1024
"""Bytes searched behind one broken place."""
_STEP = 64 * 1024
_CHAIN = 4
"""Elements in a row that must make sense; by chance one place in some billions begins as many."""
_SHORT = 4096
"""Bytes of a value that is believed where no VR vouches for it."""
_VR = re.compile(rb"[ACDFILOPSTU](?=[A-Z])")
_COMMON = re.compile(rb"(?=[\x08\x10\x12\x18\x20\x28\x32\x40\x54]\x00[\x00-\xff]{3}[\x00-\x0f]\x00\x00)")
"""Group of an element without VR, and a length below 4 KiB."""
_UNDEFINED = 0xFFFFFFFF


def after(blob: Blob, start: int, reach: int, *, explicit: bool, big: bool) -> int | None:
    """The first place at most `reach` bytes behind `start` from which elements lead on to one another.

    Raises:
        Unreadable: as the blob does.
    """
    order = ">" if big else "<"
    for base in range(start, min(blob.size, start + min(reach, REACH)), _STEP):
        data = blob.at(base, _STEP + 8)
        for hit in (_VR if explicit else _COMMON).finditer(data):
            place = base + hit.start() - (4 if explicit else 0)
            if explicit and data[hit.start() : hit.start() + 2] not in VRS:
                continue
            if place >= start and _leads_on(blob, place, explicit, order):
                return place
    return None


def _leads_on(blob: Blob, at: int, explicit: bool, order: str) -> bool:
    last = -1
    for count in range(_CHAIN):
        head = blob.at(at, 12).ljust(12, b"\0")
        group, element, vr, length = struct.unpack_from(order + "HH2sH", head)
        tag = group << 16 | element
        at += 8
        if group == 0xFFFE:  # an item or its end: elements, or none, may follow
            if count == 0 or element not in (0xE000, 0xE00D, 0xE0DD):
                return False
            last = -1
            continue
        if tag <= last or not group or group > 0x7FE0:
            return False
        last = tag
        if explicit and vr not in VRS:
            return False
        if not explicit or vr in LONG:
            length = struct.unpack_from(order + "I", head, 8 if explicit else 4)[0]
            at += 4 if explicit else 0
        if group == 0x7FE0:
            return count > 0
        if length == _UNDEFINED or vr == b"SQ":
            last = -1
            continue  # what stands in it comes next
        if length % 2 or at + length > blob.size or (not explicit and length > _SHORT):
            return False
        at += length
        if at == blob.size:
            return count > 0
    return True
