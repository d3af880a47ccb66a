"""Owners, modes, times and access lists of folders, given back at the end: files put in change the times."""

from collections import defaultdict
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from vigie.model import Attributes, Snapshot, Source, Version
from vigie.vault.destination import Destination

_PRIVATE, _USUAL = 0o700, 0o777

OnFolder = Callable[[str, tuple[str, ...]], None]
"""Told the path of a folder, and the extended attributes that it could not be given."""


@runtime_checkable
class _KnowsFolders(Protocol):
    """A source that tells what folders were like, too."""

    def folder(self, snapshot: Snapshot, path: str) -> Attributes | None:
        """Mode, owner and time of a folder of the snapshot; None where it cannot be told."""
        ...


class Folders:
    """The folders that files were handed back into."""

    def __init__(self, source: Source) -> None:
        self._source = source if isinstance(source, _KnowsFolders) else None
        self._newest: dict[str, Snapshot] = {}
        """By path, the newest snapshot that a file below it came from."""

    @property
    def mode(self) -> int:
        """What a folder is made with. Nobody else's until its own mode is known, if it ever will be."""
        return _USUAL if self._source is None else _PRIVATE

    def note(self, version: Version) -> None:
        """A file was handed back: the folders above it are to be dressed."""
        if self._source is None:
            return
        snapshot, path = version.snapshot, version.entry.path.rpartition("/")[0]
        while path:
            known = self._newest.get(path)
            if known is not None and known.time_ns >= snapshot.time_ns:
                return
            self._newest[path] = snapshot
            path = path.rpartition("/")[0]

    def dress(self, destination: Destination, on_folder: OnFolder) -> None:
        """Give every folder back what it was like; one that the source cannot tell of gets the usual mode.

        That only where this run made it: of a folder that was there before and is not known, nothing changes.
        """
        if self._source is None:
            return
        # Snapshot by snapshot: some sources take seconds to look into another one.
        by_snapshot: defaultdict[str, list[str]] = defaultdict(list)
        for path, snapshot in self._newest.items():
            by_snapshot[snapshot.id].append(path)
        known = {
            path: self._source.folder(self._newest[path], path)
            for paths in by_snapshot.values()
            for path in paths
        }
        # The deepest first: who is not root may be kept out of a folder by its own mode.
        for path in sorted(known, key=lambda path: path.count("/"), reverse=True):
            attributes = known[path]
            if attributes is None:
                destination.open_folder(path, _USUAL & ~_umask())
            elif lacking := destination.dress_folder(path, attributes):
                on_folder(path, lacking)


def _umask() -> int:
    """The mask of this process, read without setting it (proc_pid_status(5), since Linux 4.7)."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            return next(int(line.split()[1], 8) for line in status if line.startswith("Umask:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return 0o077
