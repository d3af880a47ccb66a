"""The only place where the imitated attack may work: a temporary folder that the drill made and marked.

The marker file names the folder itself (device, inode), who made it, a random token, and every file the run
made (path, device, inode, time). Whoever is about to overwrite something enters through `entered`, which
checks all of that, and then asks `ours` of each file; neither follows a symbolic link below the folder.
"""

import json
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from vigie.errors import VigieError

MARKER = ".vigie-drill.json"
_LARGEST = 256 * 1024 * 1024
"""Bytes of the largest marker that is read: room for a million files."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotAPlayground(VigieError):
    """The folder was not made and marked by this drill: nothing may be overwritten in it."""

    def __init__(self, folder: str, problem: str) -> None:
        super().__init__(folder, problem, "run the drill: it makes, marks and removes its own folder")


class Identity(NamedTuple):
    """Which folder it is, whatever it is called."""

    device: int
    inode: int


class Stamp(NamedTuple):
    """Which file it is, in the state the run left it.

    The time is needed: filesystems give the inode of a deleted file to the next one made.
    """

    device: int
    inode: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Playground:
    """A marked folder and the files in it that the run made."""

    folder: Path
    token: str
    uid: int
    created_ns: int
    itself: Identity
    files: Mapping[str, Stamp]
    """Path relative to the folder -> stamp. No other file is ever overwritten."""


def create(parent: Path | None = None) -> Playground:
    """A new folder, its owner's only, below `parent` (by default, the system's temporary folder)."""
    folder = Path(tempfile.mkdtemp(prefix="vigie-drill-", dir=parent)).resolve()
    own = folder.stat()
    made = Playground(
        folder, secrets.token_hex(16), os.geteuid(), time.time_ns(), Identity(own.st_dev, own.st_ino), {}
    )
    with _opened(folder) as root:
        _mark(root, made)
    return made


@contextmanager
def entered(folder: Path, token: str | None = None) -> Iterator[tuple[int, Playground]]:
    """A descriptor of the folder, and what its marker says, once everything agrees.

    Raises:
        NotAPlayground: it is a symbolic link, somebody else's, not marked, marked for another folder, or
            marked with another token than `token`.
    """
    name = str(folder)
    with _opened(folder) as root:
        own = os.fstat(root)
        if own.st_uid != os.geteuid():
            raise NotAPlayground(name, "belongs to somebody else")
        found = _marker(root, folder)
        if found.uid != own.st_uid:
            raise NotAPlayground(name, "was marked by somebody else")
        if found.itself != (own.st_dev, own.st_ino):
            raise NotAPlayground(name, "carries the marker of another folder")
        if token is not None and not secrets.compare_digest(found.token.encode(), token.encode()):
            raise NotAPlayground(name, "carries another token than the one given")
        yield root, found


@contextmanager
def parent_of(root: int, path: str) -> Iterator[tuple[int, str]]:
    """A descriptor of the folder `path` lies in, reached from `root` through no link; and the name.

    Raises:
        OSError: a part is missing, or is a symbolic link.
        ValueError: `path` is absolute, empty, or climbs.
    """
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"not a path inside the folder: {path!r}")
    here = os.dup(root)
    try:
        for part in parts[:-1]:
            below = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        yield here, parts[-1]
    finally:
        os.close(here)


def ours(status: os.stat_result, expected: Stamp | None = None) -> bool:
    """Whether this may be overwritten: a regular file of this user with one name, and the expected one."""
    return (
        stat.S_ISREG(status.st_mode)
        and status.st_nlink == 1
        and status.st_uid == os.geteuid()
        and (expected is None or expected == (status.st_dev, status.st_ino, status.st_mtime_ns))
    )


def record(playground: Playground, made: Iterable[str], gone: Iterable[str] = ()) -> Playground:
    """Put the files `made` (paths relative to the folder) on the marker's list, and take `gone` off it.

    Call it with what a run's own work says it wrote, never with what a listing of the folder shows.

    Raises:
        NotAPlayground: the folder is no longer the one that was marked, or a path is no file of this run
            (a link, a hard link, on another device, outside).
    """
    with entered(playground.folder, playground.token) as (root, marked):
        files = dict(marked.files)
        for path in gone:
            files.pop(path, None)
        for path in made:
            files[path] = _stamp(root, marked, path)
        refreshed = replace(marked, files=files)
        _mark(root, refreshed)
    return refreshed


def remove(playground: Playground) -> None:
    """Delete the folder and all that is in it.

    Raises:
        NotAPlayground: the folder does not carry the marker of this run.
    """
    with entered(playground.folder, playground.token):
        # rmtree works through descriptors on Linux and does not follow links.
        shutil.rmtree(playground.folder)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    # abspath takes the trailing slash away that would make open() follow a link despite O_NOFOLLOW.
    name = os.path.abspath(folder)
    try:
        root = os.open(name, _FOLDER)
    except OSError as error:
        raise NotAPlayground(name, f"is not a folder that can be opened ({error.strerror})") from error
    try:
        yield root
    finally:
        os.close(root)


def _stamp(root: int, marked: Playground, path: str) -> Stamp:
    try:
        with parent_of(root, path) as (parent, name):
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except (OSError, ValueError) as error:
        raise NotAPlayground(str(marked.folder), f"has no such file of this run: {path} ({error})") from error
    if not ours(status) or status.st_dev != marked.itself.device or path == MARKER:
        raise NotAPlayground(str(marked.folder), f"{path} is not a file that this run made")
    return Stamp(status.st_dev, status.st_ino, status.st_mtime_ns)


def _mark(root: int, playground: Playground) -> None:
    """Write the marker beside the old one and put it in place at once."""
    text = json.dumps(
        {
            "vigie-drill": 1,
            "token": playground.token,
            "uid": playground.uid,
            "created_ns": playground.created_ns,
            "itself": playground.itself,
            "files": playground.files,
        }
    ).encode()
    fresh = f"{MARKER}.new"
    with suppress(FileNotFoundError):
        # Left by a run that was killed. Never opened: it could be another name of something precious.
        os.unlink(fresh, dir_fd=root)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(fresh, flags, 0o600, dir_fd=root), "wb") as file:
        file.write(text)
    os.replace(fresh, MARKER, src_dir_fd=root, dst_dir_fd=root)


def _marker(root: int, folder: Path) -> Playground:
    name = str(folder)
    try:
        descriptor = os.open(MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=root)
    except OSError as error:
        raise NotAPlayground(name, f"carries no marker {MARKER} ({error.strerror})") from error
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not ours(status) or stat.S_IMODE(status.st_mode) & 0o022 or status.st_size > _LARGEST:
            raise NotAPlayground(name, f"{MARKER} is not a marker that the drill wrote")
        raw = file.read(_LARGEST)
    try:
        return _parsed(json.loads(raw), folder)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotAPlayground(name, f"{MARKER} cannot be read") from error


def _numbers(value: Any) -> Iterator[int]:
    for number in value:
        if type(number) is not int:
            raise TypeError("identities are numbers")
        yield number


def _parsed(marker: Any, folder: Path) -> Playground:
    if marker["vigie-drill"] != 1 or not isinstance(marker["token"], str) or len(marker["token"]) < 32:
        raise ValueError("not a marker of this version")
    if type(marker["uid"]) is not int or type(marker["created_ns"]) is not int:
        raise TypeError("uid and time are numbers")
    if not isinstance(marker["files"], dict):
        raise TypeError("the files are a table")
    files = {path: Stamp(*_numbers(value)) for path, value in marker["files"].items()}
    itself = Identity(*_numbers(marker["itself"]))
    return Playground(folder, marker["token"], marker["uid"], marker["created_ns"], itself, files)
