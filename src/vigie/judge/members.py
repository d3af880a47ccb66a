"""Files inside files: what stands in an archive as it is, is taken apart like any other file.

A member whose checksum holds needs no second look. One level only: an archive in an archive stays closed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from vigie import formats
from vigie.formats import Malformed
from vigie.model import Anatomy, Blob, Flaw, Region

MOST = 4096
"""Regions of an unfolded anatomy."""
_LEAST = 16
"""Bytes of a member that is worth it."""
_HEADS = 64
"""An opened member costs a head, and this is the share of the effort that heads may take."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a blob, as a blob."""

    blob: Blob
    start: int
    size: int

    def at(self, offset: int, length: int) -> bytes:
        """The bytes of `[offset, offset + length)` of the part, cut at its end."""
        return self.blob.at(self.start + offset, max(0, min(length, self.size - offset)))


def unfolded(anatomy: Anatomy, blob: Blob, effort: int) -> Anatomy:
    """The anatomy, with the regions and flaws of its members in place of them.

    `effort` is what all members together may cost.

    Raises:
        Unreadable: as the blob does.
    """
    if not any(region.member for region in anatomy.regions):
        return anatomy
    sound = {flaw.start for flaw in anatomy.flaws}
    regions: list[Region] = []
    flaws = list(anatomy.flaws)
    for region in anatomy.regions:
        size = region.end - region.start
        closed = anatomy.checked and region.start not in sound
        if not region.member or closed or size < _LEAST or effort <= 0 or len(regions) >= MOST:
            regions.append(region)
            continue
        inner = _dissected(Part(blob, region.start, size), region.member, min(effort, size))
        effort -= min(size, effort) + formats.HEAD // _HEADS
        if inner is None:
            regions.append(region)
            continue
        regions.extend(_moved(inner, region))
        flaws.extend(
            replace(flaw, start=flaw.start + region.start, end=flaw.end + region.start)
            for flaw in inner.flaws
        )
    return replace(anatomy, regions=tuple(regions), flaws=tuple(_in_order(flaws)))


def _dissected(part: Part, name: str, effort: int) -> Anatomy | None:
    head = part.at(0, formats.HEAD)
    found = formats.by_content(head)
    promise = formats.by_name(name)
    if promise and promise.firm and (found is None or found.name == "text"):
        found = promise.format
    if found is None:
        return None
    try:
        return found.dissect(part, effort)
    except Malformed as malformed:
        what = f"{name}: {malformed.what}"
        return Anatomy(found.name, (), (Flaw(malformed.offset, part.size, what),))


def _moved(inner: Anatomy, around: Region) -> Iterator[Region]:
    """The regions of a member at their place, and gaps as what they were."""
    at = around.start
    for region in inner.regions:
        start, end = region.start + around.start, region.end + around.start
        if start > at:
            yield replace(around, start=at, end=start, member="")
        what = f"{region.what} of {around.member}"
        yield replace(region, start=start, end=end, what=what, member="")
        at = end
    if at < around.end:
        yield replace(around, start=at, member="")


def _in_order(flaws: list[Flaw]) -> list[Flaw]:
    return sorted(flaws, key=lambda flaw: (flaw.start, flaw.end))
