"""What one reading of a DICOM file writes down: regions, flaws and notes, all of them bounded in number."""

from dataclasses import replace

from vigie.formats.contract import EFFORT
from vigie.model import Anatomy, Flaw, Kind, Region

MAX_REGIONS = 4096
MAX_FLAWS = 1024
MAX_NOTES = 16


class Sheet:
    """Collects an anatomy front to back.

    Whatever is not claimed otherwise is *structured*: element headers, text, numbers. A stretch is closed
    when something of another kind is claimed, so hundreds of small elements make one region.
    """

    __slots__ = ("_flaws", "_notes", "_regions", "left", "mark")

    def __init__(self, start: int, effort: int = EFFORT) -> None:
        self.mark = start
        """Where the open structured stretch begins."""
        self._regions: list[Region] = []
        self._flaws: list[Flaw] = []
        self._notes: dict[str, None] = {}
        self.left = effort
        """Bytes that testing may still cost."""

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        """The flaws so far."""
        return tuple(self._flaws)

    def claim(self, start: int, end: int, kind: Kind, what: str) -> None:
        """Close the open structured stretch at `start` and put a region behind it.

        What was claimed before stays: lengths that lie may lead into it once more.
        """
        self.close(start)
        start = max(start, self.mark)
        if end > start and len(self._regions) < MAX_REGIONS:
            self._regions.append(Region(start, end, kind, what))
        self.mark = max(self.mark, end)

    def close(self, end: int) -> None:
        """Close the open structured stretch."""
        # Past the limit nothing more is claimed: a gap is read as opaque.
        if end > self.mark and len(self._regions) < MAX_REGIONS:
            self._regions.append(Region(self.mark, end, Kind.STRUCTURED, "data elements"))
        self.mark = max(self.mark, end)

    def flaw(self, start: int, end: int, what: str) -> None:
        """Write down a place that breaks the format."""
        if len(self._flaws) < MAX_FLAWS:
            self._flaws.append(Flaw(start, max(start + 1, end), what))

    def note(self, what: str) -> None:
        """Write down an oddity, once."""
        if len(self._notes) < MAX_NOTES:
            self._notes[what] = None

    def afford(self, cost: int) -> bool:
        """Take `cost` bytes of testing from what one dissection may spend; False when it is used up."""
        if cost > self.left:
            self.note("too large to be tested in full")
            return False
        self.left -= cost
        return True

    def anatomy(self, size: int) -> Anatomy:
        """Everything written down, of a file of `size` bytes."""
        cut = (replace(f, start=min(f.start, size), end=min(f.end, size)) for f in self._flaws)
        flaws = tuple(sorted(cut, key=lambda f: (f.start, f.end)))
        return Anatomy("dicom", tuple(self._regions), flaws, notes=tuple(self._notes))
