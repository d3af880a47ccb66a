"""What a dissection gathers on its way: regions, flaws, notes, and how much effort is left.

Everything is cut at the blob's size, kept in order and bounded, so that no length that was read needs to be
believed by whoever reports it.
"""

from vigie.formats.contract import EFFORT, Effort
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

REGIONS = 4096
"""Regions kept: what lies behind is a gap, which claims nothing."""
FLAWS = 1024
"""Flaws kept."""


class Draft:
    """The anatomy of one blob in the making."""

    __slots__ = ("checked", "effort", "flaws", "notes", "regions", "size")

    def __init__(self, size: int, effort: int = EFFORT) -> None:
        self.size = size
        self.effort = Effort(effort)
        self.regions: list[Region] = []
        self.flaws: list[Flaw] = []
        self.notes: list[str] = []
        self.checked = 0

    def claim(
        self,
        start: int,
        end: int,
        kind: Kind,
        what: str,
        charset: Charset = Charset.NONE,
        *,
        member: str = "",
    ) -> None:
        """Add a region behind the last one; what would overlap it is left out."""
        end = min(end, self.size)
        begin = max(start, self.regions[-1].end) if self.regions else max(start, 0)
        if begin < end and begin == start and len(self.regions) < REGIONS:
            self.regions.append(Region(start, end, kind, what, charset, member))

    def flaw(self, start: int, end: int, what: str, *, checksum: bool = False) -> None:
        """Add a flaw."""
        if len(self.flaws) < FLAWS:
            start = max(0, min(start, self.size))
            self.flaws.append(Flaw(start, max(start, min(end, self.size)), what, checksum))

    def note(self, text: str) -> None:
        """Say it once."""
        if text not in self.notes:
            self.notes.append(text)

    def untested(self, start: int) -> None:
        """Say that the effort ended here."""
        self.note(f"too long to test all of it: untested from byte {start}")

    def take(self, blob: Blob, offset: int, length: int) -> bytes:
        """Read and pay for it; fewer bytes where the blob ends."""
        self.effort.spend(length)
        return blob.at(offset, length) if offset >= 0 and length > 0 else b""

    def anatomy(self, name: str) -> Anatomy:
        """The same as an anatomy of format `name`."""
        return Anatomy(name, tuple(self.regions), tuple(self.flaws), self.checked, tuple(self.notes))
