"""ISO 9660 and UDF images: volume descriptors and directories; what files hold may be anything.

The signature stands at byte 32,769, behind all that a recogniser sees: such a file is known by its name.
"""

from collections import deque

from vigie.formats.archive.draft import Draft
from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Kind

SECTOR = 2048
FIRST = 16 * SECTOR
DESCRIPTORS = 64
DIRECTORIES = 20_000
LARGEST = 16 * 1024 * 1024
"""Bytes of one directory that are read."""
_RAW = b"\0" + b"\xff" * 10 + b"\0"
"""Sync mark of a sector with its checksums (.bin, and now and then .iso)."""
_UDF = (b"BEA01", b"NSR02", b"NSR03", b"TEA01", b"BOOT2", b"CDW02")


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Descriptors from sector 16 (ECMA-119, 6.7), then the tree of directories (6.8).

    Raises:
        Malformed: no volume descriptor stands at byte 32,768.
        Unreadable: the blob cannot be read.
    """
    found = Draft(blob.size, effort)
    if blob.at(0, 12) == _RAW:
        found.claim(0, blob.size, Kind.OPAQUE, "raw sectors")
        found.note("raw sectors with their own checksums are not tested")
        return found.anatomy("iso9660")
    roots: list[tuple[int, int]] = []
    size = 0
    for index in range(DESCRIPTORS):
        place = FIRST + index * SECTOR
        sector = found.take(blob, place, SECTOR)
        if sector[1:6] in _UDF:
            found.claim(place, place + 7, Kind.STRUCTURED, "UDF descriptor")
            continue
        if sector[1:6] != b"CD001":
            if not index:
                raise Malformed(min(FIRST, blob.size), "no volume descriptor of ISO 9660 or UDF")
            if not roots and not found.flaws and any(sector[:8]):
                found.flaw(place, place + SECTOR, "no volume descriptor where one should be")
            break
        # A boot record (type 0) has 1,973 bytes of anybody's; the others are text and numbers.
        found.claim(place, place + (71 if sector[0] == 0 else 883), Kind.STRUCTURED, "volume descriptor")
        if sector[0] in (1, 2):
            size = max(
                size, int.from_bytes(sector[80:84], "little") * int.from_bytes(sector[128:130], "little")
            )
            if _both(sector, 158) and _both(sector, 166):
                roots.append((_little(sector, 158) * SECTOR, _little(sector, 166)))
            else:
                found.flaw(place + 156, place + 190, "the numbers of the root directory disagree")
    if size > blob.size + 150 * SECTOR:  # the run-out of a burnt disc is often left out
        found.flaw(blob.size, blob.size, f"the file ends before its {size} bytes")
    _walk(blob, roots, found)
    return found.anatomy("iso9660")


def _little(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "little")


def _both(data: bytes, place: int) -> bool:
    """Numbers are written twice, low byte first and high byte first (section 7.3.3)."""
    return data[place : place + 4] == data[place + 4 : place + 8][::-1] and len(data) >= place + 8


def _walk(blob: Blob, roots: list[tuple[int, int]], found: Draft) -> None:
    """All directories, each one once; claimed in the order of their places."""
    waiting, seen = deque(roots), set(roots)
    places: list[tuple[int, int]] = []
    room = 2 * blob.size  # directories share no bytes, so that a healthy image never comes near it
    while waiting:
        start, length = waiting.popleft()
        if len(seen) > DIRECTORIES or found.effort.left <= 0 or room < 0:
            found.note("not all directories are tested")
            break
        if start + length > blob.size:
            continue  # told already, or a burnt disc's run-out
        data = found.take(blob, start, min(length, LARGEST))
        room -= len(data)
        places.append((start, start + len(data)))
        for place in range(0, len(data), SECTOR):
            for extent in _records(data[place : place + SECTOR], start + place, found):
                if extent not in seen:
                    seen.add(extent)
                    waiting.append(extent)
    for start, end in sorted(places):
        found.claim(start, end, Kind.STRUCTURED, "directory")
    found.flaws.sort(key=lambda flaw: flaw.start)


def _records(sector: bytes, base: int, found: Draft) -> list[tuple[int, int]]:
    """The directories named in one sector of a directory (section 9.1)."""
    place, folders = 0, []
    while place + 33 < len(sector) and sector[place]:
        length, name = sector[place], sector[place + 32]
        if length < 34 or 33 + name > length or place + length > SECTOR:
            found.flaw(base + place, base + SECTOR, "no directory record where one should be")
            break
        if not (_both(sector, place + 2) and _both(sector, place + 10)):
            found.flaw(base + place, base + place + length, "the numbers of a directory record disagree")
        elif sector[place + 25] & 2 and sector[place + 33 : place + 33 + name] not in (b"\0", b"\1"):
            folders.append((_little(sector, place + 2) * SECTOR, _little(sector, place + 10)))
        place += length
    return folders


FORMAT = Format(
    name="iso9660",
    title="ISO 9660 or UDF image",
    specification="ECMA-119, 6 to 9",
    suffixes=("iso",),
    recognises=lambda _: False,
    dissect=dissect,
)
