"""Files of a restic repository: they have no magic, but their names are the SHA-256 of what they hold.

See restic, "References", "Repository Format". A key's file is JSON text and named the same way; `config` is
a few hundred encrypted bytes under a name that says nothing, and stays unknown.
"""

import re

_NAME = re.compile(r"[0-9a-f]{64}\Z")
_FOLDERS = frozenset({"index", "keys", "locks", "snapshots"})


def content_address(path: str) -> str | None:
    """The SHA-256 in hexadecimal that the file at `path` must have, if it stands in a restic repository.

    Told by its place alone: `data/ab/abcd…`, `index/…`, `keys/…`, `locks/…`, `snapshots/…`, and `data/abcd…`
    of old repositories on S3.
    """
    parts = path.rsplit("/", 3)
    name = parts[-1]
    if not _NAME.match(name) or len(parts) < 2:
        return None
    folder = parts[-2]
    if folder in _FOLDERS or folder == "data":
        return name
    return name if len(parts) > 2 and parts[-3] == "data" and folder == name[:2] else None


def is_config(path: str, size: int) -> bool:
    """Whether a file may be a repository's `config`: a nonce, some JSON and a tag, encrypted."""
    return path.rpartition("/")[2] == "config" and 32 < size <= 4096
