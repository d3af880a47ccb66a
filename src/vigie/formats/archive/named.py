"""Archives and images that are known by a strict head and not tested: what they hold may be anything."""

import zlib
from collections.abc import Callable

from vigie.formats.archive.draft import Draft
from vigie.formats.contract import EFFORT, Dissect, Format, Malformed
from vigie.model import Anatomy, Blob, Charset, Kind


def _lha(head: bytes) -> bool:
    """Method "-lh5-" and its kin at byte 2; of levels 0 and 1 the sum of the header as well (LHA header)."""
    method = head[2:7]
    if len(head) < 24 or method[:2] != b"-l" or method[4:] != b"-" or method[2:3] not in (b"h", b"z", b"p"):
        return False
    if head[20] in (0, 1):
        return len(head) > head[0] + 1 and sum(head[2 : head[0] + 2]) & 0xFF == head[1]
    return head[20] in (2, 3)


def _arj(head: bytes) -> bool:
    """Two bytes, the size of the main header, and its CRC-32 (ARJ technote)."""
    size = int.from_bytes(head[2:4], "little")
    if head[:2] != b"\x60\xea" or not 30 <= size <= 2600 or len(head) < 8 + size:
        return False
    return zlib.crc32(head[4 : 4 + size]) == int.from_bytes(head[4 + size : 8 + size], "little")


def _ace(head: bytes) -> bool:
    return head[7:14] == b"**ACE**"


def _squashfs(head: bytes) -> bool:
    """Version 4, and a block size that agrees with its logarithm (squashfs binary format, superblock)."""
    block, log = int.from_bytes(head[12:16], "little"), int.from_bytes(head[22:24], "little")
    return head[:4] == b"hsqs" and head[28:32] == b"\4\0\0\0" and 12 <= log <= 20 and block == 1 << log


def _wim(head: bytes) -> bool:
    return head[:8] in (b"MSWIM\0\0\0", b"WLPWM\0\0\0") and head[8:12] == b"\xd0\0\0\0"


def _rpm(head: bytes) -> bool:
    """Lead, and the signature header behind it (RPM file format, V4)."""
    return head[:4] == b"\xed\xab\xee\xdb" and head[96:100] == b"\x8e\xad\xe8\x01"


def _dmg(blob: Blob, found: Draft) -> None:
    """The trailer, and the property list that it names (Apple, UDIF resource file)."""
    end = max(0, blob.size - 512)
    trailer = blob.at(end, 512)
    if not trailer.startswith(b"koly\0\0\0\4\0\0\2\0"):
        raise Malformed(end, "no trailer of a disk image")
    start, length = (int.from_bytes(trailer[a : a + 8], "big") for a in (216, 224))
    if start + length <= end:
        found.claim(start, start + length, Kind.STRUCTURED, "property list", Charset.UTF8)
    found.claim(end, end + 32, Kind.STRUCTURED, "trailer")


def _wim_parts(blob: Blob, found: Draft) -> None:
    """Header, and the XML in UTF-16 at its end (Windows Imaging Format, 2)."""
    found.claim(0, 208, Kind.STRUCTURED, "header")
    head = blob.at(0, 208)
    length, start = int.from_bytes(head[72:79], "little"), int.from_bytes(head[80:88], "little")
    if not start and not length:
        return
    if start + length > blob.size:
        found.flaw(blob.size, blob.size, "the file ends before its description")
        return
    found.claim(start, start + length, Kind.STRUCTURED, "description", Charset.UTF16)
    if blob.at(start, 2) not in (b"\xff\xfe", b"<\0"):
        found.flaw(start, start + min(length, 64), "no description where one should be")


def _squashfs_parts(blob: Blob, found: Draft) -> None:
    """Superblock, and whether all of the bytes that it speaks of are there."""
    found.claim(0, 96, Kind.STRUCTURED, "superblock")
    if int.from_bytes(blob.at(40, 8), "little") > blob.size:
        found.flaw(blob.size, blob.size, "the file ends before the file system does")


def _head_only(length: int) -> Callable[[Blob, Draft], None]:
    def claim(_blob: Blob, found: Draft) -> None:
        if length:
            found.claim(0, length, Kind.STRUCTURED, "header")

    return claim


def _nothing(_head: bytes) -> bool:
    return False


def _dissector(
    name: str, title: str, recognises: Callable[[bytes], bool], parts: Callable[[Blob, Draft], None]
) -> Dissect:
    def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
        if recognises is not _nothing and not recognises(blob.at(0, 4096)):
            raise Malformed(0, f"no header of {title}")
        found = Draft(blob.size, effort)
        parts(blob, found)
        found.claim(found.regions[-1].end if found.regions else 0, blob.size, Kind.OPAQUE, f"{name} data")
        found.note(f"{title}: what it holds is not tested")
        return found.anatomy(name)

    return dissect


def _format(
    name: str,
    title: str,
    where: str,
    recognises: Callable[[bytes], bool],
    suffixes: tuple[str, ...],
    parts: Callable[[Blob, Draft], None],
    weak: tuple[str, ...] = (),
) -> Format:
    return Format(name, title, where, suffixes, recognises, _dissector(name, title, recognises, parts), weak)


FORMATS = (
    _format("lha", "LHA archive", "LHA header levels 0 to 3", _lha, ("lzh", "lha"), _head_only(20)),
    _format("arj", "ARJ archive", "ARJ technote", _arj, ("arj",), _head_only(30)),
    _format("ace", "ACE archive", "ACE technote 1.2", _ace, ("ace",), _head_only(14)),
    _format(
        "squashfs",
        "squashfs image",
        "squashfs binary format 4.0",
        _squashfs,
        ("squashfs", "sqfs", "snap"),
        _squashfs_parts,
    ),
    _format("wim", "Windows image", "Windows Imaging File Format", _wim, ("wim", "esd", "swm"), _wim_parts),
    _format("rpm", "RPM package", "RPM file format, V4", _rpm, ("rpm",), _head_only(112)),
    _format("dmg", "Apple disk image", "UDIF trailer (koly)", _nothing, (), _dmg, ("dmg",)),
)
