"""Where the samples of a fragmented film lie (ISO/IEC 14496-12, 8.8): a `moof` box every few seconds."""

import numpy as np

from vigie.formats.contract import Effort
from vigie.formats.media.findings import Findings
from vigie.formats.media.isobmff_samples import COST, Track, chosen, follow, tester
from vigie.model import Blob

SAMPLES = 1_000_000
"""Samples of fragments whose places are kept."""
_BASE, _DEFAULT_SIZE = 0x1, 0x10
_MOOF_IS_BASE = 0x20000
_OFFSET, _FIRST_FLAGS, _SIZE = 0x1, 0x4, 0x200


class Fragments:
    """Gathers the runs of samples of each track, as their boxes are met."""

    __slots__ = ("_base", "_blob", "_default", "_next", "_number", "_trafs", "left", "samples")

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._base = self._next = self._trafs = self._number = self._default = 0
        self.left = SAMPLES
        self.samples: dict[int, list[tuple[int, int]]] = {}

    def begin(self, start: int) -> None:
        """A `moof` begins at `start`."""
        self._base, self._trafs = start, 0

    def header(self, offset: int, defaults: dict[int, int]) -> None:
        """A `tfhd` (8.8.7) with its content at `offset`; `defaults` are the sizes of `trex`, by track."""
        head = self._blob.at(offset, 36)
        flags, self._number = int.from_bytes(head[1:4], "big"), int.from_bytes(head[4:8], "big")
        self._default = defaults.get(self._number, 0)
        index = 8
        for flag, width in ((_BASE, 8), (0x2, 4), (0x8, 4), (_DEFAULT_SIZE, 4)):
            if not flags & flag:
                continue
            value = int.from_bytes(head[index : index + width], "big")
            index += width
            if flag == _BASE:
                self._base = value
            elif flag == _DEFAULT_SIZE:
                self._default = value
        if not flags & (_BASE | _MOOF_IS_BASE) and self._trafs:
            self._number = 0  # begins where the track before ended: an old way, not followed
        self._trafs += 1
        self._next = self._base

    def run(self, offset: int, end: int) -> None:
        """A `trun` (8.8.8) with its content at `[offset, end)`."""
        data = self._blob.at(offset, min(end - offset, 1 << 20))
        if len(data) < 8 or not self._number:
            return
        flags, count = int.from_bytes(data[1:4], "big"), int.from_bytes(data[4:8], "big")
        index = 8
        if flags & _OFFSET:
            self._next = self._base + int.from_bytes(data[8:12], "big", signed=True)
            index = 12
        index += 4 if flags & _FIRST_FLAGS else 0
        fields = (flags >> 8 & 0xF).bit_count()
        count = min(count, self.left, (len(data) - index) // (4 * fields) if fields else 4096)
        if count <= 0:
            return
        if flags & _SIZE:
            rows = np.frombuffer(data, ">u4", count * fields, index).reshape(count, fields)
            sizes = rows[:, flags >> 8 & 1].tolist()
        else:
            sizes = [self._default] * count
        self.left -= count
        places = self.samples.setdefault(self._number, [])
        for size in sizes:
            places.append((self._next, size))
            self._next += size


def examine(
    blob: Blob, track: Track, fragments: Fragments, findings: Findings, effort: int, left: Effort
) -> int:
    """Test the samples that one track has in fragments; returns the effort that it took.

    `left` is what is left of the file's `room`.
    """
    samples = fragments.samples.get(track.number, [])
    test = tester(blob, track.codec, track.width)
    if not samples or test is None:
        return 0
    picked = chosen(len(samples), max(64, effort // COST)).tolist()
    if len(picked) < len(samples):
        findings.note("long: not every sample is tested")
    follow(
        blob,
        ((start, size) for start, size in map(samples.__getitem__, picked) if start >= 0),
        test,
        findings,
        left,
    )
    return len(picked) * COST
