"""What a snapshot is about: a repository may keep several machines, and several folders of each."""

from collections.abc import Container, Iterable

from vigie.errors import NoSuchTarget
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


def one_machine(snapshots: Iterable[Snapshot], host: str | None, subject: str) -> tuple[Snapshot, ...]:
    """The snapshots of one machine: two machines have the same paths, and other files there.

    Raises:
        NoSuchTarget: there are several machines and none is named, or none of the snapshots is of `host`.
    """
    every = tuple(snapshots)
    hosts = sorted({snapshot.host for snapshot in every})
    if host is None and len(hosts) > 1:
        raise NoSuchTarget(
            subject, f"it keeps {len(hosts)} machines", f"Choose one: --host {'|'.join(hosts)}"
        )
    chosen = tuple(snapshot for snapshot in every if host in (None, snapshot.host))
    if not chosen:
        problem = f"no snapshot of the machine {host}" if host and every else "no snapshot is in it"
        gone = "Is it the right one? If so, its snapshots were taken away: look for a copy of it."
        raise NoSuchTarget(subject, problem, f"There are: {', '.join(hosts)}" if every else gone)
    return chosen
