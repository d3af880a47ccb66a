"""NIfTI-1 and NIfTI-2: volumes of magnetic resonance imaging, one file or a header beside its image, by hand.

The header (348 or 540 bytes) says how many voxels of which type follow; integers are structured as in a DICOM
file, floating point values are tested by their exponents (nifti1.h, nifti2.h of the NIfTI DFWG).
"""

import struct
from dataclasses import dataclass

from vigie.formats import samples
from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

MAX_FLAWS = 1024

_MAGIC_1 = {b"n+1\0": True, b"ni1\0": False}
_MAGIC_2 = {b"n+2\0\r\n\x1a\n": True, b"ni2\0\r\n\x1a\n": False}
"""To whether the voxels stand in the same file."""
# Type code to bytes of one value and whether it is a floating point number (nifti1.h, "DT_").
_TYPES = {
    2: (8, 0),
    4: (16, 0),
    8: (32, 0),
    16: (32, 4),
    32: (64, 4),
    64: (64, 8),
    128: (24, 0),
    256: (8, 0),
    512: (16, 0),
    768: (32, 0),
    1024: (64, 0),
    1280: (64, 0),
    1536: (128, 0),
    1792: (128, 8),
    2304: (32, 0),
    1: (1, 0),
}
_OPAQUE = (1536, 2048)
"""128-bit floats: nobody agrees on what those are."""
_MODEST = 1 << 40


@dataclass(frozen=True, slots=True)
class _Header:
    size: int
    big: bool
    single: bool
    type: int
    bits: int
    voxels: int
    """0 where the dimensions make no sense."""
    offset: int


def _header(head: bytes) -> _Header | None:
    """The header, if there is one: its size and its magic agree."""
    for big, order in ((False, "<"), (True, ">")):
        if len(head) >= 348 and head[:4] == struct.pack(order + "i", 348) and head[344:348] in _MAGIC_1:
            dims = struct.unpack_from(order + "8h", head, 40)
            kind, bits = struct.unpack_from(order + "hh", head, 70)
            offset = struct.unpack_from(order + "f", head, 108)[0]
            whole = int(offset) if 0 <= offset < _MODEST else -1  # not a number compares as false
            return _Header(348, big, _MAGIC_1[head[344:348]], kind, bits, _voxels(dims), whole)
        if len(head) >= 540 and head[:4] == struct.pack(order + "i", 540) and head[4:12] in _MAGIC_2:
            kind, bits = struct.unpack_from(order + "hh", head, 12)
            dims = struct.unpack_from(order + "8q", head, 16)
            offset = struct.unpack_from(order + "q", head, 168)[0]
            whole = offset if 0 <= offset < _MODEST else -1
            return _Header(540, big, _MAGIC_2[head[4:12]], kind, bits, _voxels(dims), whole)
    return None


def _voxels(dims: tuple[int, ...]) -> int:
    """How many there are: dim[0] dimensions, each at least one."""
    if not 1 <= dims[0] <= 7:
        return 0
    count = 1
    for dim in dims[1 : dims[0] + 1]:
        count *= max(0, dim)
    return count if count < _MODEST else 0


def _recognises(head: bytes) -> bool:
    return _header(head) is not None


def _dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    header = _header(blob.at(0, 540))
    if header is None:
        raise Malformed(0, "no NIfTI header")
    size = blob.size
    regions = [Region(0, header.size, Kind.STRUCTURED, "header")]
    notes: list[str] = []
    if not header.single:
        if size > header.size:
            regions.append(Region(header.size, size, Kind.OPAQUE, "extensions"))
        notes.append("the voxels are in the .img file beside it")
        return Anatomy("nifti", tuple(regions), notes=tuple(notes))
    start = max(header.offset, header.size)
    bits, floats = _TYPES.get(header.type, (0, 0))
    if not bits or not header.voxels or header.offset < 0 or start > size:
        what = "voxels of an unknown kind, or without dimensions, or that begin behind the end"
        regions.append(Region(header.size, max(size, header.size), Kind.OPAQUE, "not told"))
        flaws = (Flaw(0, header.size, what),) if header.type not in _OPAQUE else ()
        return Anatomy("nifti", tuple(r for r in regions if r.end > r.start), flaws)
    end = start + (header.voxels * bits + 7) // 8
    flaw: list[Flaw] = []
    if start > header.size:
        regions.append(Region(header.size, start, Kind.OPAQUE, "extensions"))
    if end > size:
        flaw.append(
            Flaw(size, size, f"{header.voxels} voxels of {bits} bits announced, the file ends before")
        )
    last = min(end, size)
    left = Effort(effort)
    noise = bits == 16 and left.left >= samples.SLICE and samples.noisy(blob, start, last, big=header.big)
    kind = Kind.OPAQUE if header.type in _OPAQUE else Kind.CODED if floats or noise else Kind.STRUCTURED
    if last > start:
        regions.append(Region(start, last, kind, "voxels"))
    if size > end:
        regions.append(Region(end, size, Kind.OPAQUE, "trailer"))
        notes.append(f"{size - end} bytes behind the last voxel")
    if floats or noise:
        flaw = [*_tested(blob, start, last, floats, header.big, left, notes), *flaw]
    return Anatomy("nifti", tuple(regions), tuple(flaw), notes=tuple(notes))


def _tested(
    blob: Blob, start: int, end: int, floats: int, big: bool, effort: Effort, notes: list[str]
) -> list[Flaw]:
    """Where voxels are chance: floating point ones of `floats` bytes, or, if that is 0, 16-bit integers."""
    if floats:
        found = list(samples.odd_floats(blob, start, end, floats, effort.left, big=big))
    else:
        found = list(samples.struck(blob, start, end, effort.left, big=big))
    if effort.left < end - start:
        notes.append("too large to be tested in full")
    return [Flaw(*stretch, "voxels that no image has") for stretch in samples.joined(found, MAX_FLAWS)]


FORMAT = Format(
    name="nifti",
    title="NIfTI volume",
    specification="NIfTI-1 (nifti1.h), NIfTI-2 (nifti2.h)",
    suffixes=("nii",),
    recognises=_recognises,
    dissect=_dissect,
    weak_suffixes=("hdr",),
)
