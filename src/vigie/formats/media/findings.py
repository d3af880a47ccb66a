"""What a media format has found so far: regions, flaws and notes, in bounded number.

Films have hundreds of thousands of frames: neighbours of one kind become one region, flaws that touch become
one flaw, and beyond `FLAWS` the last one grows.
"""

from vigie.formats.media.stretch import overwritten
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

REGIONS = 4096
"""Regions kept; what comes later is a gap, of which nothing is claimed."""
FLAWS = 1024
"""Flaws told apart, and how many times bytes are searched for what was overwritten."""
NOTES = 16
"""Notes kept."""


class Findings:
    """Collects an anatomy; regions and flaws may come in any order."""

    __slots__ = ("_closely", "_flaws", "_regions", "checked", "notes", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.checked = 0
        self.notes: list[str] = []
        self._regions: list[Region] = []
        self._flaws: list[Flaw] = []
        self._closely = 0

    @property
    def flawed(self) -> bool:
        """Whether anything is broken so far."""
        return bool(self._flaws)

    def region(self, start: int, end: int, kind: Kind, what: str) -> None:
        """Claim `[start, end)`, cut at the end of the file."""
        end = min(end, self.size)
        if start >= end:
            return
        last = self._regions[-1] if self._regions else None
        if last is not None and last.end == start and (last.kind, last.what) == (kind, what):
            self._regions[-1] = Region(last.start, end, kind, what)
        elif len(self._regions) < REGIONS:
            self._regions.append(Region(start, end, kind, what))

    def flaw(self, start: int, end: int, what: str, *, checksum: bool = False) -> None:
        """Say that `[start, end)` is broken."""
        start, end = min(start, self.size), min(end, self.size)
        last = self._flaws[-1] if self._flaws else None
        touches = last is not None and last.start <= start <= last.end and last.end > last.start
        if last is not None and (touches or len(self._flaws) >= FLAWS):
            first = min(last.start, start)
            self._flaws[-1] = Flaw(first, max(last.end, end), last.what, last.checksum and checksum)
        else:
            self._flaws.append(Flaw(start, max(start, end), what, checksum))

    def struck(
        self, blob: Blob, start: int, end: int, lost: int, what: str, *, checksum: bool = False
    ) -> None:
        """Say that `[start, end)` is broken around `lost`, where its bytes look overwritten."""
        where = overwritten(blob, start, end, lost) if self.closely() else (min(lost, end), end)
        self.flaw(*where, what, checksum=checksum)

    def closely(self) -> bool:
        """Whether to search one more stretch for what was overwritten; said yes to `FLAWS` times in a file.

        Each takes part of a millisecond, and breaks may be a few bytes apart.
        """
        self._closely += 1
        return self._closely <= FLAWS

    def note(self, what: str) -> None:
        """Say something odd, once."""
        if what not in self.notes and len(self.notes) < NOTES:
            self.notes.append(what)

    def anatomy(self, name: str) -> Anatomy:
        """Everything, in rising order; where regions overlap, the first one stands."""
        regions: list[Region] = []
        for region in sorted(self._regions, key=lambda r: r.start):
            if not regions or region.start >= regions[-1].end:
                regions.append(region)
        flaws = sorted(self._flaws, key=lambda f: (f.start, f.end))
        return Anatomy(name, tuple(regions), tuple(flaws), self.checked, tuple(self.notes))
