"""Where a report is written: to a new file, or over a former report, never over anything else."""

import errno
import os
import tempfile
from pathlib import Path

from vigie.errors import DiskFull, NotPermitted, VigieError
from vigie.sources.file import in_words

_HEAD = 512
"""Bytes in which the mark of a report stands."""


def writable(path: Path, mark: str, *, of: str = "a drill") -> None:
    """Refuse before the work what `write` would refuse after it; `of` says what the report is of.

    Raises:
        NotPermitted: the folder is missing or cannot be written.
        VigieError: something else than a former report, which carries `mark`, stands there.
    """
    folder = path.absolute().parent
    another = "Give another file with --report."
    if not folder.is_dir():
        raise NotPermitted(str(path), "its folder does not exist", another)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NotPermitted(str(path), "its folder cannot be written", another)
    if os.path.lexists(path) and not _ours(path, mark):
        raise VigieError(str(path), f"something that is no report of {of} stands there", another)


def write(path: Path, page: str, mark: str, *, of: str = "a drill", private: bool = False) -> None:
    """Write the page beside its place, and put it there in one step.

    Everybody may read it, as what holds invented data only is there to be shown; nobody else than its owner
    where it is `private`.

    Raises:
        NotPermitted, VigieError: as `writable`.
        DiskFull: there is no room left.
    """
    writable(path, mark, of=of)
    try:
        handle, draft = tempfile.mkstemp(prefix=".vigie-", suffix=".part", dir=path.absolute().parent)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(page)
            os.chmod(draft, 0o600 if private else 0o644)
            os.replace(draft, path)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as error:
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else NotPermitted
        remedy = "Make room, or give another file with --report."
        raise kind(str(path), in_words(error), remedy) from error


def _ours(path: Path, mark: str) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return mark.encode() in file.read(_HEAD)
    except OSError:
        return False
