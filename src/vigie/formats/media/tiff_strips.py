"""The strips and tiles of TIFF images, each tested by the grammar of its compression."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vigie.formats.archive.deflate import Stop
from vigie.formats.archive.deflate_resume import trace
from vigie.formats.contract import Effort, Malformed
from vigie.formats.media import jpeg, jpeg2000
from vigie.formats.media.findings import Findings
from vigie.formats.media.lzw import Lzw
from vigie.formats.media.pixels import calm, random_runs
from vigie.formats.media.stuffing import narrowed
from vigie.model import Blob, Kind

LEAST = 32 * 1024
"""What a strip takes of the effort at least: each has a cost of its own, however small it is."""
STRIPS = 1 << 20
"""Strips known of one file."""
NEAR = 16
"""Bytes of alignment between two strips that count as theirs."""
LIMIT = 1 << 32
"""Where offsets of classic TIFF end; scanners write larger files all the same, and let offsets wrap."""
_LZW_STRIP = 16 * 1024 * 1024
_RUNS = 4096
PACKED = 256
"""Bytes shown behind a run that goes too far."""
_NONE, _LZW, _JPEG, _DEFLATE, _PACKBITS, _DEFLATE_OLD = 1, 5, 7, 8, 32773, 32946
_JPEG2000 = frozenset((33003, 33004, 33005, 34712))
_NAMES = {
    _NONE: "raw pixels",
    _LZW: "LZW strips",
    _JPEG: "JPEG strips",
    _DEFLATE: "deflate strips",
    _DEFLATE_OLD: "deflate strips",
    _PACKBITS: "PackBits strips",
}


@dataclass(frozen=True, slots=True)
class Image:
    """What a directory says of its image."""

    compression: int = 1
    bits: int = 1
    """Of a sample."""
    integers: bool = True
    row: int = 0
    """Bytes of a row of a strip or tile, unpacked."""


class Strips:
    """All strips of one file: gathered first, then tested as far as the effort goes, evenly."""

    def __init__(self, blob: Blob, found: Findings, effort: Effort) -> None:
        self._blob = blob
        self._found = found
        self._effort = effort
        self._tests: dict[int, Callable[[int, int], int]] = {
            _LZW: self._lzw,
            _JPEG: self._jpeg,
            _DEFLATE: self._deflate,
            _DEFLATE_OLD: self._deflate,
            **dict.fromkeys(_JPEG2000, self._jpeg2000),
        }
        self._missing = 0
        self._strips: list[tuple[int, int, Image]] = []

    def add(self, image: Image, offsets: NDArray[np.uint64], counts: NDArray[np.uint64]) -> None:
        """Take in the strips of one image."""
        if offsets.size == 1 and not counts.size and image.compression == _NONE:
            return  # early writers leave the counts out
        size = self._blob.size
        # Place and length of a strip take four bytes at least, unless directories share their tables.
        most = min(STRIPS, size // 4)
        room = most - len(self._strips)
        if min(offsets.size, counts.size) > room:
            self._found.note(f"more than {most} strips: the rest is not tested")
        for start, count in zip(offsets[:room].tolist(), counts[:room].tolist(), strict=False):
            if start + count <= size:
                if count:
                    self._strips.append((start, start + count, image))
            elif size < LIMIT:
                self._found.flaw(size, size, "strips or tiles lie behind the end of the file")
                if start < size:
                    self._found.region(start, size, Kind.CODED, "a strip that is cut")
                self._missing += 1
                if self._missing > most:
                    return

    def test(self) -> None:
        """Test them, in the order of the file."""
        self._strips.sort(key=lambda strip: strip[:2])
        whole = sum(max(end - start, LEAST) for start, end, _ in self._strips)
        step = max(1, -(-whole // max(1, self._effort.left)))
        if step > 1:
            self._found.note(f"one strip or tile in {step} is tested")
        checked = 0
        runs: list[list[int]] = []
        images: list[Image] = []
        for index, (start, end, image) in enumerate(self._strips):
            if runs and images[-1] == image and start - runs[-1][1] <= NEAR:
                runs[-1][1] = max(runs[-1][1], end)
            else:
                runs.append([start, end])
                images.append(image)
            test = self._test_of(image)
            overlaps = index and start < self._strips[index - 1][1]
            if test and not index % step and self._effort.left > 0 and not overlaps:
                before = self._effort.left
                checked += test(start, end)
                self._effort.spend(max(0, LEAST - (before - self._effort.left)))
        self._found.checked += checked
        for (start, end), image in zip(runs[:_RUNS], images, strict=False):
            name = _NAMES.get(image.compression, "compressed strips")
            self._found.region(start, end, self._kind(start, end, image), name)

    def _test_of(self, image: Image) -> Callable[[int, int], int] | None:
        if image.compression == _PACKBITS:
            return partial(self._packbits, row=image.row) if image.row else None
        return self._tests.get(image.compression)

    def _kind(self, start: int, end: int, image: Image) -> Kind:
        if image.compression != _NONE:
            return Kind.CODED if self._test_of(image) else Kind.OPAQUE
        if not image.integers or image.bits > 16 or end - start < LEAST:
            return Kind.OPAQUE
        if calm(self._blob, start, end, self._effort):
            return Kind.STRUCTURED
        self._found.note("pixels too lively to tell them from random bytes")
        return Kind.OPAQUE

    def _deflate(self, start: int, end: int) -> int:
        """RFC 1950: header, deflate stream, Adler-32."""
        head = self._blob.at(start, 2)
        if len(head) < 2 or head[0] & 15 != 8 or int.from_bytes(head, "big") % 31:
            self._found.flaw(start, end, "no zlib header where a strip begins")
            return 0
        found = trace(self._blob, start + 2, end, self._effort, lambda last: end - last.end <= LEAST)
        for first, last in found.breaks:
            self._found.flaw(*narrowed(self._blob, first, last), "the deflate stream of a strip is broken")
        result = found.last
        if found.breaks or result.stop is Stop.SPENT:
            return 0
        if result.stop is Stop.SHORT:
            self._found.flaw(end, end, "the deflate stream of a strip is cut")
        elif self._blob.at(result.end, 4) == result.adler.to_bytes(4, "big"):
            return result.end + 4 - start
        else:
            self._found.flaw(start, end, "the Adler-32 of a strip does not match", checksum=True)
        return 0

    def _lzw(self, start: int, end: int) -> int:
        """Section 13: a clear code first, then codes that exist."""
        size = min(end - start, _LZW_STRIP, max(self._effort.left, LEAST))
        data = self._blob.at(start, size)
        self._effort.spend(8 * size)
        if data[:1] == b"\0" and data[1:2] == b"\1":
            self._found.note("LZW of the old kind: not tested")
        elif data[0] != 0x80 or data[1:2] >= b"\x80":
            self._found.flaw(start, min(end, start + LEAST), "no clear code where a strip begins")
        else:
            for first, last in Lzw(data, root=8, tiff=True).breaks:
                self._found.flaw(start + first, start + last, "codes that LZW cannot have")
        return 0

    def _packbits(self, start: int, end: int, row: int) -> int:
        """Section 9: runs that end where rows and the strip do."""
        data = self._blob.at(start, min(end - start, max(self._effort.left, LEAST)))
        at, size, made, begun, rows = 0, len(data), 0, 0, 0
        self._effort.spend(16 * size)
        while at < size:
            code = data[at]
            made += code + 1 if code < 128 else 257 - code if code > 128 else 0
            at += code + 2 if code < 128 else 2 if code > 128 else 1
            if made == row:
                made, begun, rows = 0, at, rows + 1
            elif made > row:
                if rows:  # each row is packed by itself; who packs otherwise does so from the first on
                    runs = random_runs(data[begun:], start + begun)
                    for place in runs or [(start + begun, min(end, start + at + PACKED))]:
                        self._found.flaw(*place, "PackBits runs that do not end with the row")
                return 0
        if at != size and size == end - start:
            self._found.flaw(start + begun, end, "PackBits runs that do not end with the strip")
        return 0

    def _jpeg(self, start: int, end: int) -> int:
        """Technical note 2: an abbreviated JPEG image."""
        try:
            found = jpeg.image(self._blob, start, end, self._effort)
        except Malformed as malformed:
            self._found.flaw(start, end, malformed.what)
            return 0
        for flaw in found.flaws:
            self._found.flaw(flaw.start, flaw.end, flaw.what)
        return 0

    def _jpeg2000(self, start: int, end: int) -> int:
        if self._blob.at(start, 4) != jpeg2000.START:
            self._found.note("JPEG 2000 tiles in a wrapping that is not known")
            return 0
        for flaw in jpeg2000.codestream(self._blob, start, end, self._effort).flaws:
            self._found.flaw(flaw.start, flaw.end, flaw.what)
        return 0
