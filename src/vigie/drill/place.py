"""Where a drill is done: a new folder with enough room, and what its disk refuses, in words."""

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vigie.errors import DiskFull, NotPermitted

ROOM, ROOM_A_FILE = 16_000_000, 160_000
"""Bytes of disk a drill takes, whatever its size, and for each file: itself, in the vault, and restored."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


def folder_in(place: Path) -> Path:
    """A new folder for a drill.

    Raises:
        NotPermitted: none can be made there.
    """
    try:
        return Path(tempfile.mkdtemp(prefix="vigie-drill-", dir=place)).resolve()
    except OSError as error:
        if error.errno in _FULL:
            raise
        problem = f"no folder can be made in it: {error.strerror}"
        raise NotPermitted(str(place), problem, "Give another place with --keep, or TMPDIR.") from error


def leave(base: Path) -> None:
    """Everything stays, but for a folder in which nothing was made."""
    with suppress(OSError):
        base.rmdir()


def room_for(files: int, place: Path) -> None:
    """Say before the work that the disk is too small, rather than after.

    Raises:
        DiskFull: it is.
    """
    free, needed = shutil.disk_usage(place).free, ROOM + files * ROOM_A_FILE
    if free < needed:
        problem = f"about {needed / 1e6:,.0f} MB are needed, {free / 1e6:,.0f} MB are free"
        raise DiskFull(str(place), problem, "Ask for fewer --files, or give another place with --keep.")


@contextmanager
def full_disk(place: Path) -> Iterator[None]:
    """A disk that fills up while the practice is made or brought back, in words."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            remedy = "Make room, or ask for fewer --files."
            raise DiskFull(str(place), "there is no room left", remedy) from error
        raise
