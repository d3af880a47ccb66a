"""Files and folders at rest: every regular file below the targets, and why anything else is not read.

Symbolic links inside a target are not entries: what they point to is met where it lies, or was not asked for.
"""

import errno
import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from vigie.errors import NoSuchTarget
from vigie.model import Entry, Skipped
from vigie.sources.file import FileBlob, in_words, kind_in_words

__all__ = ["FileBlob", "FolderEntry", "walk"]

_PSEUDO = frozenset(
    {
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "sysfs",
        "tracefs",
    }
)
"""File systems whose "files" are the kernel speaking: nothing to encrypt in them, and some hang a reader."""


@dataclass(frozen=True, slots=True)
class FolderEntry(Entry):
    """A file met in a folder, with what else tells whether it is still the one it was."""

    dev: int
    ino: int
    ctime_ns: int


Left = Callable[[str, bool], None]
"""Told of each folder once all that is in it was yielded, and whether the listing was whole."""


def walk(
    targets: Iterable[str],
    *,
    exclude: Sequence[str] = (),
    one_filesystem: bool = False,
    left: Left = lambda _folder, _whole: None,
) -> Iterator[Entry | Skipped]:
    """Every regular file at and below `targets`; folder by folder, sorted by the bytes of the names.

    A target may be a symbolic link, which is followed. `exclude` holds shell patterns (`*.iso`,
    `/srv/share/tmp`) for whole paths or bare names; what matches is left out, with all below it, silently.
    `one_filesystem` stays on the file system each target is on. `left` hears of each folder that was entered.

    What is met in a folder is a `FolderEntry`. An entry that may not be read shows when it is opened; a
    folder that may not be read is `Skipped`.

    Raises:
        NoSuchTarget: a target does not exist; nothing has been walked yet.
    """
    roots = [_look(target) for target in targets]
    pattern = "|".join(fnmatch.translate(glob) for glob in exclude)
    rules = _Rules(re.compile(pattern) if pattern else None, one_filesystem, _pseudo_devices(), left)
    return (found for root in roots for found in _below(root, rules))


@dataclass(frozen=True, slots=True)
class _Root:
    target: str
    status: os.stat_result | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Rules:
    excluded: re.Pattern[str] | None
    one_filesystem: bool
    pseudo: dict[int, str]
    """Type of each pseudo file system that is mounted, by device number."""
    left: Left

    def forbids(self, dev: int, home: int) -> str:
        """Why what lies on a device is not for us, or nothing; `home` is the device of the target."""
        if dev in self.pseudo:
            return f"the pseudo file system {self.pseudo[dev]}, which keeps no files"
        if self.one_filesystem and dev != home:
            return "on another file system"
        return ""


@dataclass(frozen=True, slots=True)
class _Level:
    """A folder being walked: what is left of its listing, last name first, and which folder it is."""

    path: str
    prefix: str
    """Its path with a slash."""
    names: list[str]
    whole: bool
    identity: tuple[int, int]


def _look(target: str) -> _Root:
    try:
        return _Root(target, os.stat(target))
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        # ValueError: a name that no file can have (a zero byte).
        raise NoSuchTarget(target, "no such file or folder", "Check how it is spelled.") from error
    except OSError as error:
        # Links are followed here: ELOOP says that they never arrive.
        words = "symbolic links that lead in a circle" if error.errno == errno.ELOOP else in_words(error)
        return _Root(target, None, words)


def _below(root: _Root, rules: _Rules) -> Iterator[Entry | Skipped]:
    if root.status is None:
        yield Skipped(root.target, root.reason)
        return
    home = root.status.st_dev
    forbidden = rules.forbids(home, home)
    if not stat.S_ISDIR(root.status.st_mode):
        # The link itself may be a target; what is opened is what it leads to.
        yield _target(root.target, root.status, forbidden)
        return
    levels: list[_Level] = []
    trail: set[tuple[int, int]] = set()
    yield from _enter(root.target, root.status, forbidden, levels, trail)
    excluded = rules.excluded.match if rules.excluded else None
    dev, opened = home, FileBlob.open
    while levels:
        level = levels[-1]
        if not level.names:
            trail.discard(levels.pop().identity)
            rules.left(level.path, level.whole)
            continue
        name = level.names.pop()
        path = level.prefix + name
        if excluded is not None and (excluded(name) or excluded(path)):
            continue
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            yield Skipped(path, "vanished while walking")
            continue
        except OSError as error:
            yield Skipped(path, in_words(error))
            continue
        mode = status.st_mode
        if status.st_dev != dev:
            dev = status.st_dev
            forbidden = rules.forbids(dev, home)
        if stat.S_ISREG(mode) and not forbidden:
            size, mtime = status.st_size, status.st_mtime_ns
            yield FolderEntry(
                path, size, mtime, partial(opened, path), dev, status.st_ino, status.st_ctime_ns
            )
        elif stat.S_ISDIR(mode):
            yield from _enter(path, status, forbidden, levels, trail)
        elif not stat.S_ISLNK(mode):
            yield Skipped(path, forbidden if stat.S_ISREG(mode) else kind_in_words(mode))


def _target(path: str, status: os.stat_result, forbidden: str) -> Entry | Skipped:
    if not stat.S_ISREG(status.st_mode):
        return Skipped(path, kind_in_words(status.st_mode))
    if forbidden:
        return Skipped(path, forbidden)
    return Entry(path, status.st_size, status.st_mtime_ns, partial(FileBlob.open, os.path.realpath(path)))


def _enter(
    path: str, status: os.stat_result, forbidden: str, levels: list[_Level], trail: set[tuple[int, int]]
) -> Iterator[Skipped]:
    """List one folder and put it on top of `levels`; say what keeps us out of it."""
    identity = (status.st_dev, status.st_ino)
    if forbidden:
        yield Skipped(path, forbidden)
        return
    if identity in trail:
        # No disk does this, but a FUSE file system may.
        yield Skipped(path, "a folder that contains itself")
        return
    names: list[str] = []  # and nothing more of each: a folder may hold a million
    whole = False
    try:
        with os.scandir(path) as entries:
            # One by one, so that an error half way keeps what was listed before.
            for entry in entries:
                names.append(entry.name)  # noqa: PERF401 (see above)
        whole = True
    except FileNotFoundError:
        yield Skipped(path, "vanished while walking")
    except OSError as error:
        yield Skipped(path, in_words(error))
    names.sort(key=os.fsencode, reverse=True)
    trail.add(identity)
    levels.append(_Level(path, path if path.endswith("/") else f"{path}/", names, whole, identity))


def _pseudo_devices() -> dict[int, str]:
    """Device numbers of the mounted pseudo file systems (proc(5), /proc/[pid]/mountinfo: fields 3 and 9)."""
    found: dict[int, str] = {}
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                before, _, after = line.partition(" - ")
                major, _, minor = before.split()[2].partition(":")
                kind = after.split()[0]
                if kind in _PSEUDO:
                    found[os.makedev(int(major), int(minor))] = kind
    except (OSError, ValueError, IndexError):
        # Without /proc there is /sys and /dev to keep out of, whose special files are skipped anyway.
        return found
    return found
