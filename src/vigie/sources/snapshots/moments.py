"""Which subfolders of a folder are moments, and of when."""

import os
import re
import stat
from dataclasses import dataclass

from vigie.errors import NoSuchTarget, NotPermitted, Unreadable
from vigie.model import Skipped
from vigie.sources.file import FileBlob, in_words
from vigie.sources.snapshots.dates import time_of

_BELOW = (".zfs/snapshot", ".snapshots", ".snapshot")
"""Where a file system keeps the snapshots of a folder that was named itself (ZFS, snapper, NetApp)."""
_INFO = 64 * 1024
_DATE = re.compile(rb"<date>\s*(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})\s*</date>")
_TURN = re.compile(r"(?P<family>.*[^\d.])\.(?P<number>\d{1,6})", re.DOTALL)
"""rsnapshot: hourly.0 is the newest of its family."""
_SUBVOLUME = 256
"""The inode number of the root of every btrfs subvolume (BTRFS_FIRST_FREE_OBJECTID)."""

BY_NAME, BY_INFO, BY_FOLDER = "dated by its name", "dated by its info.xml", "dated by its folder"


@dataclass(frozen=True, slots=True)
class Moment:
    """A folder as it was at a time."""

    name: str
    root: str
    """The folder that holds the files."""
    time_ns: int
    dated: str
    """What the time is taken from."""
    device: int
    """Number of the device it lies on; btrfs and ZFS give each snapshot one of its own."""


def moments(folder: str) -> tuple[tuple[Moment, ...], tuple[Skipped, ...]]:
    """The moments in a folder, oldest first, and what looks like one but cannot be read.

    Links (`latest`) are not followed: they name a moment twice. What nothing marks as a moment is none.

    Raises:
        NoSuchTarget: there is no such folder, or no moment in it.
        NotPermitted: it may not be listed.
    """
    damage: list[Skipped] = []
    for place in (folder, *(os.path.join(folder, below) for below in _BELOW)):
        try:
            names = os.listdir(place)
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            if place == folder:
                raise NoSuchTarget(folder, "no such folder", "Check how it is spelled.") from error
            continue
        except OSError as error:
            raise NotPermitted(place, in_words(error), "Run as root.") from error
        found = [moment for name in names if (moment := _moment(place, name, damage))]
        if damage or any(_is_marked(place, moment) for moment in found):
            found.sort(key=_age)
            return tuple(found), (*damage, *_contradictions(found))
    raise NoSuchTarget(
        folder,
        "no snapshots in it: looked for subfolders named like a date or daily.0, or holding info.xml",
        "Name the folder whose subfolders are the snapshots.",
    )


def _moment(place: str, name: str, damage: list[Skipped]) -> Moment | None:
    path = os.path.join(place, name)
    try:
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            return None
        dated, at = BY_NAME, time_of(name)
        if at is None and name.isdecimal() and (at := _info(path)) is not None:
            dated, path = BY_INFO, os.path.join(path, "snapshot")
            status = os.lstat(path)
        if at is None and (_TURN.fullmatch(name) or _is_snapshot(place, path, status)):
            dated, at = BY_FOLDER, status.st_mtime_ns
        if at is None:
            return None
        root = os.path.join(path, "localhost")  # timeshift keeps its notes beside what it saved
        if not (os.path.exists(os.path.join(path, "info.json")) and _is_folder(root)):
            root = path
        os.scandir(root).close()
    except OSError as error:
        damage.append(Skipped(name, f"the snapshot cannot be read: {in_words(error)}"))
        return None
    return Moment(name, root, at, dated, status.st_dev)


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _is_snapshot(place: str, path: str, status: os.stat_result) -> bool:
    """Whether the file system keeps nothing but snapshots there, or this is a read-only subvolume."""
    if _is_kept(place):
        return True
    is_volume = status.st_ino == _SUBVOLUME and status.st_dev != os.stat(place).st_dev
    return is_volume and not os.access(path, os.W_OK)


def _is_marked(place: str, moment: Moment) -> bool:
    """Whether more than being a subvolume says so: a read-only `home` beside `@` is no snapshot yet."""
    return moment.dated != BY_FOLDER or _is_kept(place) or _TURN.fullmatch(moment.name) is not None


def _is_kept(place: str) -> bool:
    return os.path.realpath(place).endswith("/.zfs/snapshot")


def _info(path: str) -> int | None:
    """What snapper notes beside a snapshot, in UTC (snapper(8), "info.xml"); no XML parser is let near it."""
    try:
        with FileBlob.open(os.path.join(path, "info.xml")) as blob:
            found = _DATE.search(blob.at(0, _INFO))
    except Unreadable:
        return None
    return time_of(f"{found[1].decode()}Z") if found else None


def _age(moment: Moment) -> tuple[int, int, str]:
    # Of two that were made at once, hourly.1 is the older.
    turn = _TURN.fullmatch(moment.name)
    return moment.time_ns, -int(turn["number"]) if turn else 0, moment.name


def _contradictions(found: list[Moment]) -> list[Skipped]:
    """Rotated folders whose times contradict their numbers: somebody, or a restore, has touched them."""
    newest: dict[str, tuple[int, str]] = {}
    odd: list[Skipped] = []
    for moment in found:
        turn = _TURN.fullmatch(moment.name)
        if turn is None or moment.dated != BY_FOLDER:
            continue
        number, before = int(turn["number"]), newest.get(turn["family"])
        if before and number > before[0]:
            odd.append(
                Skipped(moment.name, f"its folder is newer than that of {before[1]}: its time is doubtful")
            )
        newest[turn["family"]] = number, moment.name
    return odd
