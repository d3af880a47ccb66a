"""Where the samples of a track lie (ISO/IEC 14496-12, 8.7), and whether each holds what its codec says.

H.264, H.265 and AV1 samples chain inside (see `nal`), Motion JPEG, MPEG-4 and ProRes begin with a mark. Of
other codecs nothing is known.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vigie.formats.contract import Effort
from vigie.formats.media.findings import Findings
from vigie.formats.media.nal import broken_obus, broken_scan, broken_units
from vigie.model import Blob

SAMPLES = 2_000_000
"""Samples of one track whose places are worked out: 9 hours at 60 pictures a second."""
TABLE = 8 * SAMPLES
"""Bytes of one table that are read."""
COST = 2048
"""Effort that looking into one sample takes: a seek, and a page of a disk."""
ON_TOP = "samples lie on top of each other: not all of them are tested"
_SCANNED = (b"jpeg", b"mjpa")
"""Codecs whose samples are read from end to end, where a few bytes are enough for the others."""
_MARKS = {
    b"mp4v": b"\0\0\1",
    **dict.fromkeys((b"apch", b"apcn", b"apcs", b"apco", b"ap4h", b"ap4x"), b"icpf"),
}

Test = Callable[[int, int], int | None]
"""Where in the sample `[start, end)` something is broken, if anything is."""


@dataclass(slots=True)
class Track:
    """What a `trak` box told: its codec, and the places of its tables (offset and end of their content)."""

    number: int = 0
    """By which fragments name it (8.3.2)."""
    codec: bytes = b""
    width: int = 0
    inside: bool = True
    """Whether the samples lie in this file (8.7.2)."""
    tables: dict[bytes, tuple[int, int]] = field(default_factory=dict)


def description(blob: Blob, offset: int, end: int) -> tuple[bytes, int]:
    """Codec of an `stsd` (8.5.2) whose content is `[offset, end)`, and the width of its NAL lengths.

    No codec where there are several entries: which sample has which is not followed.
    """
    head = blob.at(offset, min(end - offset, 64 * 1024))
    if len(head) < 16 or int.from_bytes(head[4:8], "big") != 1:
        return b"", 0
    codec, index = head[12:16], 8 + 86
    while index + 8 <= len(head):
        size = int.from_bytes(head[index : index + 4], "big")
        body = head[index + 8 : index + 31]
        if head[index + 4 : index + 8] == b"avcC" and len(body) > 4:
            return codec, (body[4] & 3) + 1
        if head[index + 4 : index + 8] == b"hvcC" and len(body) > 21:
            return codec, (body[21] & 3) + 1
        if size < 8:
            break
        index += size
    return codec, 0


def tester(blob: Blob, codec: bytes, width: int) -> Test | None:
    """How a sample of this codec is tested, or nothing."""
    if codec in (b"avc1", b"avc3", b"hvc1", b"hev1", b"dvh1", b"dvhe"):
        return (lambda start, end: broken_units(blob, start, end, width)) if width else None
    if codec == b"av01":
        return lambda start, end: broken_obus(blob, start, end)
    if codec in _SCANNED:
        return lambda start, end: broken_scan(blob, start, end)
    mark = _MARKS.get(codec)
    if mark is None:
        return None
    skip = 4 if mark == b"icpf" else 0  # ProRes: behind the length of the frame

    def marked(start: int, end: int) -> int | None:
        found = blob.at(start + skip, len(mark))
        return None if end - start < skip + len(mark) or found == mark else start

    return marked


def positions(blob: Blob, track: Track) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Offsets and sizes of the samples of a track, or nothing where its tables do not fit together."""
    sizes = _sizes(blob, track)
    runs = _numbers(blob, track.tables.get(b"stsc"), 8, ">u4")
    wide = b"co64" in track.tables
    chunks = _numbers(blob, track.tables.get(b"co64" if wide else b"stco"), 8, ">u8" if wide else ">u4")
    if sizes is None or runs is None or chunks is None or not sizes.size or runs.size < 3 or not chunks.size:
        return None
    rows = runs[: runs.size // 3 * 3].reshape(-1, 3)
    first = np.append(rows[:, 0] - 1, chunks.size)
    if first[0] != 0 or (np.diff(first) < 0).any() or int(chunks.max()) > 1 << 62 or int(chunks.min()) < 0:
        return None
    filled = np.minimum(np.cumsum(np.repeat(rows[:, 1], np.diff(first))), sizes.size)
    counts = np.diff(np.concatenate(([0], filled)))
    sizes = sizes[: int(filled[-1])]
    ahead = np.concatenate(([0], np.cumsum(sizes)))
    begins = ahead[:-1] - np.repeat(ahead[filled - counts], counts)
    return np.repeat(chunks, counts) + begins, sizes


def _sizes(blob: Blob, track: Track) -> NDArray[np.int64] | None:
    place = track.tables.get(b"stsz")
    if place is None:
        return None
    head = blob.at(place[0], 12)
    if len(head) < 12:
        return None
    _, constant, count = struct.unpack(">3L", head)
    if constant:
        return np.full(min(count, SAMPLES), constant, np.int64)
    return _numbers(blob, (place[0] + 4, place[1]), 8, ">u4")


def _numbers(blob: Blob, place: tuple[int, int] | None, skip: int, kind: str) -> NDArray[np.int64] | None:
    """The entries of a table behind version, flags and count."""
    if place is None or place[1] - place[0] < skip:
        return None
    data = blob.at(place[0] + skip, min(place[1] - place[0] - skip, TABLE))
    width = np.dtype(kind).itemsize
    # Offsets of 64 bits that do not fit a signed number are no offsets: they turn negative and are refused.
    return np.frombuffer(data[: len(data) // width * width], kind).astype(np.int64)


def room(blob: Blob) -> Effort:
    """Bytes that may be tested, or searched for what was overwritten, in all samples of a file together.

    Samples share no bytes, so a healthy file never comes near; tables can have a million of them share all.
    """
    return Effort(2 * blob.size)


def examine(blob: Blob, track: Track, findings: Findings, effort: int, left: Effort) -> int:
    """Test the samples of a track, as many as the effort allows; returns the effort that it took.

    `left` is what is left of the file's `room`.
    """
    test = tester(blob, track.codec, track.width)
    if test is None or not track.inside:
        return 0
    found = positions(blob, track)
    if found is None:
        place = track.tables.get(b"stsz", (0, 0))
        if b"stsc" in track.tables and any(blob.at(place[0] + 4, min(8, place[1] - place[0]))):
            findings.note("the tables of a track do not fit together")
        return 0
    offsets, sizes = found
    count = offsets.size
    cost = COST + (int(sizes.mean()) if count and track.codec in _SCANNED else 0)
    picked = chosen(count, max(64, effort // cost))
    if picked.size < count:
        findings.note("long: not every sample is tested")
    samples = zip(offsets[picked].tolist(), sizes[picked].tolist(), strict=True)
    follow(blob, samples, test, findings, left)
    return int(picked.size) * cost


def chosen(count: int, most: int) -> NDArray[np.int64]:
    """Which of `count` samples are tested if at most `most` may be: all, or head, tail and evenly between."""
    if count <= most:
        return np.arange(count)
    head, tail = most // 4, most // 8
    between = np.linspace(head, count - tail, most - head - tail, endpoint=False, dtype=np.int64)
    return np.concatenate((np.arange(head), between, np.arange(count - tail, count)))


def follow(
    blob: Blob, samples: Iterable[tuple[int, int]], test: Test, findings: Findings, left: Effort
) -> None:
    """Test samples in the order of the track; those that break in a row are one stretch."""
    good = lost = last = -1
    for start, size in samples:
        end = start + size
        if not size or end > blob.size:  # cut off: said where the boxes are walked
            continue
        if left.left < 0:
            findings.note(ON_TOP)
            break
        left.spend(size)
        fault = test(start, end)
        if lost >= 0 and (fault is None or not last <= start < last + 4 * 1024 * 1024):
            _flaw(blob, (good, max(start, last), lost), findings, left)
            lost = -1
        if fault is None:
            good = start
        else:
            lost, last = (fault if lost < 0 else lost), end
            good = good if 0 <= good <= lost else start
    if lost >= 0:
        _flaw(blob, (good, last, lost), findings, left)


def _flaw(blob: Blob, stretch: tuple[int, int, int], findings: Findings, left: Effort) -> None:
    good, end, lost = stretch
    start = good if 0 <= good <= lost else lost
    left.spend(end - start)
    findings.struck(blob, start, end, lost, "a sample is not what its codec writes")
