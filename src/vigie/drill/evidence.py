"""What can be measured of an attack afterwards: which files differ, since when, and how long it ran."""

import hashlib
import os
from datetime import datetime
from pathlib import Path

from vigie.drill import playground


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of the practice, by path relative to it; the marker is not one."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            if name != playground.MARKER:
                with path.open("rb") as file:
                    found[path.relative_to(folder).as_posix()] = hashlib.file_digest(
                        file, "sha256"
                    ).hexdigest()
    return found


def first_change(folder: Path, before: dict[str, str], after: dict[str, str], begun_ns: int) -> int | None:
    """When the first file was overwritten: the earliest change of anything new or changed since."""
    changed = [folder / path for path, digest in after.items() if before.get(path) != digest]
    times = [path.stat().st_ctime_ns for path in changed]
    return min((when for when in times if when >= begun_ns), default=None)


def seconds_between(first_ns: int, iso: str) -> float:
    """From the first overwritten file to a time the guard gave, which has milliseconds.

    Both clocks are coarse (a file's time advances with the kernel's tick, 4 ms usually): never below 0.
    """
    then_ns = int(datetime.fromisoformat(iso).timestamp() * 1000) * 1_000_000
    return round(max(0.0, (then_ns - first_ns) / 1e9), 4)
