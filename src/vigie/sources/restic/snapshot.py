"""A snapshot file: when, where, what, and the tree it points to (restic doc/design.rst, "Snapshots")."""

from dataclasses import dataclass

from vigie.model import Snapshot
from vigie.sources.restic.document import identity, parse, text, texts, time_ns


@dataclass(frozen=True, slots=True)
class Root:
    """A snapshot, and the id of its topmost tree."""

    snapshot: Snapshot
    tree: bytes


def parse_snapshot(name: str, data: bytes) -> Root:
    """Read the snapshot file called `name` (JSON).

    Raises:
        Unreadable: it is none.
    """
    document = parse(data)
    return Root(
        Snapshot(
            id=name,
            time_ns=time_ns(document.get("time")),
            host=text(document.get("hostname")),
            paths=texts(document.get("paths")),
            tags=texts(document.get("tags")),
        ),
        identity(document.get("tree")),
    )
