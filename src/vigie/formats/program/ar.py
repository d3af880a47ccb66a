"""ar archives (static libraries, Debian packages): headers are walked, members may be anything."""

import re

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

MAGIC, THIN = b"!<arch>\n", b"!<thin>\n"
MEMBERS = 65_536
REGIONS = 4_096
FLAWS = 1_024
_HEADER = re.compile(rb"[ -~]{16}[0-9 -]{12}[0-9 -]{6}[0-9 -]{6}[0-7 ]{8}([0-9]{1,10}) *`\n")
_WINDOW = 1 << 20
_NAMES = (b"// ", b"/ ", b"/SYM64/ ", b"__.SYMDEF")
"""Tables of symbols and of long names: GNU, and BSD."""


def recognises(head: bytes) -> bool:
    """Magic, then the first member's header, or nothing."""
    return head[:8] in (MAGIC, THIN) and (len(head) == 8 or _size(head[8:68]) is not None)


def _size(header: bytes) -> int | None:
    """Length of the member that `header` announces, or nothing where it is no header (ar(5))."""
    match = _HEADER.fullmatch(header)
    return int(match[1]) if match else None


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Member after member; after a broken header, on at the next one that is found.

    Raises:
        Malformed: no magic.
        Unreadable: the blob cannot be read.
    """
    magic = blob.at(0, 8)
    if magic not in (MAGIC, THIN):
        raise Malformed(0, "no magic of an ar archive")
    regions = [Region(0, 8, Kind.STRUCTURED, "magic")]
    flaws: list[Flaw] = []
    notes: list[str] = []
    offset = 8
    for _ in range(MEMBERS):
        if offset >= blob.size or len(flaws) == FLAWS:
            break
        header = blob.at(offset, 60)
        size = _size(header)
        if size is None:
            if len(header) < 60:
                if header.strip(b"\n\0"):
                    flaws.append(Flaw(blob.size, blob.size, "the file ends inside a member's header"))
                break
            following = _next(blob, offset + 1, effort)
            stop = min(offset + 60, following or blob.size)
            regions.append(Region(offset, stop, Kind.STRUCTURED, "place of a member's header"))
            flaws.append(Flaw(offset, stop, "no header of a member where one must begin"))
            if following is None:
                notes.append(f"untested from byte {stop}")
                break
            offset = following
            continue
        table = header.startswith(_NAMES)
        end = offset + 60 + (size if table or magic == MAGIC else 0)
        if end > blob.size:
            flaws.append(Flaw(blob.size, blob.size, "the file ends inside a member"))
        if len(regions) < REGIONS:
            stop = min(end, blob.size) if table else offset + 60
            regions.append(
                Region(offset, stop, Kind.STRUCTURED, "member table" if table else "member header")
            )
        offset = end + end % 2
    else:
        notes.append(f"more than {MEMBERS} members: the rest is not walked")
    return Anatomy("ar", tuple(regions), tuple(flaws), 0, tuple(notes))


def _next(blob: Blob, start: int, effort: int) -> int | None:
    """The next header of a member: they stand at even offsets."""
    for position in range(start, min(blob.size, start + effort), _WINDOW):
        for match in _HEADER.finditer(blob.at(position, _WINDOW + 59)):
            if (position + match.start()) % 2 == 0:
                return position + match.start()
    return None


FORMAT = Format(
    name="ar",
    title="ar archive (static library, Debian package)",
    specification="ar(5); deb(5)",
    suffixes=("deb", "udeb", "rlib"),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("a",),
    plain=True,
)
