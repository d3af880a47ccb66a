"""Disks of virtual machines: their headers and tables; what the disk holds may be anything.

QCOW2, VHD, VHDX, VDI and VMDK. A fixed VHD is a disk with 512 bytes behind it, and a flat VMDK the disk
itself: neither is known by its head.
"""

import struct
from collections.abc import Callable

from vigie.formats.archive.draft import Draft
from vigie.formats.contract import EFFORT, Dissect, Format, Malformed
from vigie.model import Anatomy, Blob, Charset, Kind

TABLE = 16 * 1024 * 1024
"""Bytes of a table that are read."""
_VHD_COOKIE, _VHD_FOOTER = b"conectix", 512
_REGION = 64 * 1024


def _qcow2(head: bytes) -> bool:
    return head[:4] == b"QFI\xfb" and head[4:8] in (b"\0\0\0\2", b"\0\0\0\3") and len(head) >= 72


def _dissect_qcow2(blob: Blob, found: Draft) -> None:
    """Header, first tables; each entry's reserved bits are zero (QEMU docs/interop/qcow2)."""
    head = blob.at(0, 104)
    bits, crypt, entries = (int.from_bytes(head[a:b], "big") for a, b in ((20, 24), (32, 36), (36, 40)))
    l1_at, counts_at = (int.from_bytes(head[a : a + 8], "big") for a in (40, 48))
    counts = int.from_bytes(head[56:60], "big")
    if not 9 <= bits <= 21:
        raise Malformed(20, "a cluster size that QCOW2 does not have")
    if crypt:
        found.note("encrypted on purpose: what is inside cannot be told")
    tables = ((counts_at, counts << bits, "reference count table"), (l1_at, entries * 8, "L1 table"))
    found.claim(0, 72, Kind.STRUCTURED, "header")
    for start, length, what in sorted(tables):
        _table(blob, start, length, what, bits, found)


def _table(blob: Blob, start: int, length: int, what: str, bits: int, found: Draft) -> None:
    """A table of 8-byte places of clusters, high byte first, with flags in the topmost bits."""
    if start + length > blob.size:
        found.flaw(blob.size, blob.size, f"the file ends before its {what}")
        return
    data = found.take(blob, start, min(length, TABLE))
    found.claim(start, start + len(data), Kind.STRUCTURED, what)
    inside = (1 << bits) - 1
    for index, (entry,) in enumerate(struct.iter_unpack(">Q", data[: len(data) & ~7])):
        place = entry & 0x00FFFFFFFFFFFE00
        if place & inside or place >= max(blob.size, 1) or entry & 0x7F00000000000000:
            at = start + 8 * index
            found.flaw(at, min(start + len(data), at + 4096), f"an entry of the {what} leads nowhere")
            break


def vhd_checksum(footer: bytes, place: int) -> bool:
    """Whether the one's complement of the sum of all other bytes stands at `place`."""
    said = int.from_bytes(footer[place : place + 4], "big")
    return said == ~(sum(footer) - sum(footer[place : place + 4])) & 0xFFFFFFFF


def _vhd(head: bytes) -> bool:
    return head[:8] == _VHD_COOKIE and len(head) >= _VHD_FOOTER and vhd_checksum(head[:_VHD_FOOTER], 64)


def _dissect_vhd(blob: Blob, found: Draft) -> None:
    """The footer at the end, its copy at the start, and the table between (VHD specification 1.0)."""
    end = max(0, blob.size - _VHD_FOOTER)
    footer = blob.at(end, _VHD_FOOTER)
    first = blob.at(0, _VHD_FOOTER)
    whole = footer[:8] == _VHD_COOKIE and vhd_checksum(footer, 64)
    if not whole and not _vhd(first):
        raise Malformed(end, "no footer of a virtual disk")
    if not whole and footer[:8] == _VHD_COOKIE:
        found.flaw(end, blob.size, "the checksum of the footer does not match", checksum=True)
    elif not whole:  # cut off, or overwritten: what a disk holds may be random, too
        found.flaw(blob.size, blob.size, "no footer at the end")
    if int.from_bytes((footer if whole else first)[60:64], "big") == 2:  # fixed: the disk as it is
        found.claim(end, blob.size, Kind.STRUCTURED, "footer")
        return
    found.claim(0, _VHD_FOOTER, Kind.STRUCTURED, "copy of the footer")
    if not _vhd(first):
        found.flaw(0, _VHD_FOOTER, "the copy of the footer does not match", checksum=True)
    place = int.from_bytes((footer if whole else first)[16:24], "big")
    header = blob.at(place, 1024) if place < blob.size else b""
    found.claim(place, place + len(header), Kind.STRUCTURED, "dynamic disk header")
    if header[:8] != b"cxsparse" or not vhd_checksum(header, 36):
        found.flaw(
            place, place + 1024, "the checksum of the dynamic disk header does not match", checksum=True
        )
    else:
        table = int.from_bytes(header[16:24], "big")
        length = min(4 * int.from_bytes(header[28:32], "big"), TABLE)
        found.claim(table, table + length, Kind.STRUCTURED, "block allocation table")
    if whole:
        found.claim(end, blob.size, Kind.STRUCTURED, "footer")


def _dissect_vhdx(blob: Blob, found: Draft) -> None:
    """File identifier, two headers, two region tables (MS-VHDX 2.1 and 2.2)."""
    for start, length, magic, what in (
        (0, 520, b"vhdxfile", "file identifier"),
        (_REGION, 80, b"head", "header"),
        (2 * _REGION, 80, b"head", "header"),
        (3 * _REGION, 16, b"regi", "region table"),
        (4 * _REGION, 16, b"regi", "region table"),
    ):
        if blob.size < start + length:
            found.flaw(blob.size, blob.size, f"the file ends before its {what}")
            return
        found.claim(start, start + length, Kind.STRUCTURED, what)
        # A new disk has one header; the other one is zeros until the first change.
        if blob.at(start, len(magic)) not in (magic, bytes(len(magic))):
            found.flaw(start, start + length, f"no {what} where one should be")


def _vdi(head: bytes) -> bool:
    return head[:4] == b"<<< " and head[64:68] == b"\x7f\x10\xda\xbe" and head[70:72] in (b"\0\0", b"\1\0")


def _dissect_vdi(blob: Blob, found: Draft) -> None:
    """Text, header, block map of 32-bit numbers (VirtualBox, VDICore.h)."""
    head = blob.at(0, 512)
    found.claim(0, 392, Kind.STRUCTURED, "header")
    start, blocks = int.from_bytes(head[340:344], "little"), int.from_bytes(head[384:388], "little")
    if not 400 <= start <= blob.size:
        raise Malformed(min(340, blob.size), "a block map that is nowhere")
    data = found.take(blob, start, min(4 * blocks, TABLE))
    found.claim(start, start + len(data), Kind.STRUCTURED, "block map")
    for index, (entry,) in enumerate(struct.iter_unpack("<L", data[: len(data) & ~3])):
        if entry >= blocks and entry < 0xFFFFFFFE:
            at = start + 4 * index
            found.flaw(at, min(start + len(data), at + 4096), "an entry of the block map leads nowhere")
            break


def _vmdk(head: bytes) -> bool:
    sparse = head[:4] == b"KDMV" and head[4:8] in (b"\1\0\0\0", b"\2\0\0\0", b"\3\0\0\0")
    return sparse or head[:8] == b"COWD\1\0\0\0" or head.startswith(b"# Disk DescriptorFile")


def _dissect_vmdk(blob: Blob, found: Draft) -> None:
    """A text that names other files, or a sparse header and the same text (VMware Virtual Disk Format 5)."""
    head = blob.at(0, 512)
    if head.startswith(b"#"):
        found.claim(0, blob.size, Kind.STRUCTURED, "descriptor", Charset.UTF8)
        return
    found.claim(0, 79, Kind.STRUCTURED, "header")
    if head.startswith(b"KDMV"):
        start, length = (512 * int.from_bytes(head[a : a + 8], "little") for a in (28, 36))
        if start and length <= 1024 * 1024:
            found.claim(start, start + length, Kind.STRUCTURED, "descriptor", Charset.UTF8)
            if start + length <= blob.size and not blob.at(start, 21).startswith(b"# Disk DescriptorFile"):
                found.flaw(start, start + 21, "no descriptor where one should be")
        if head[73:77] != b"\n \r\n":
            found.flaw(73, 77, "the line ends were changed: it was sent as text")


def _format(
    name: str,
    title: str,
    where: str,
    recognises: Callable[[bytes], bool],
    take_apart: Callable[[Blob, Draft], None],
    suffixes: tuple[str, ...],
    weak: tuple[str, ...] = (),
) -> Format:
    dissect = _dissector(name, title, recognises, take_apart)
    # The descriptor of a VMDK may be a text.
    return Format(name, title, where, suffixes, recognises, dissect, weak, plain=name == "vmdk")


def _dissector(
    name: str, title: str, recognises: Callable[[bytes], bool], take_apart: Callable[[Blob, Draft], None]
) -> Dissect:
    def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
        # A fixed VHD has its mark at the end.
        if name != "vhd" and not recognises(blob.at(0, 4096)):
            raise Malformed(0, f"no header of a {title}")
        found = Draft(blob.size, effort)
        take_apart(blob, found)
        return found.anatomy(name)

    return dissect


FORMATS = (
    _format("qcow2", "QCOW2 disk", "QEMU docs/interop/qcow2", _qcow2, _dissect_qcow2, ("qcow2",), ("qcow",)),
    _format("vhd", "VHD disk", "VHD Image Format 1.0", _vhd, _dissect_vhd, ("vhd",)),
    _format(
        "vhdx", "VHDX disk", "MS-VHDX 2", lambda head: head.startswith(b"vhdxfile"), _dissect_vhdx, ("vhdx",)
    ),
    _format("vdi", "VirtualBox disk", "VirtualBox, VDICore.h", _vdi, _dissect_vdi, ("vdi",)),
    _format("vmdk", "VMware disk", "Virtual Disk Format 5.0", _vmdk, _dissect_vmdk, (), ("vmdk",)),
)
