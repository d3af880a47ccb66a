"""Which snapshots should hold a path: a repository may keep several folders, each in snapshots of its own."""

from collections.abc import Container

from vigie.model import Snapshot


def covers(snapshot: Snapshot, path: str) -> bool:
    """Whether a path lies in what the snapshot was made of."""
    return not snapshot.paths or any(
        top in ("/", path) or path.startswith(top.rstrip("/") + "/") for top in snapshot.paths
    )


def below(path: str, folders: Container[str]) -> bool:
    """Whether a path is one of these folders or lies in one, however deep; "/" holds everything."""
    while path:
        if path in folders:
            return True
        path = path.rpartition("/")[0]
    return "/" in folders
