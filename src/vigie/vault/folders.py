"""Owners, modes and times of folders, given back at the end: what is put into a folder changes its time."""

from typing import Protocol, runtime_checkable

from vigie.model import Attributes, Snapshot, Source, Version
from vigie.vault.destination import Destination

_PRIVATE, _USUAL = 0o700, 0o777


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

    def dress(self, destination: Destination) -> None:
        """Give every folder back what it was like; of one that the source cannot tell of, nothing changes."""
        if self._source is None:
            return
        for path in sorted(self._newest, key=lambda path: path.count("/"), reverse=True):
            attributes = self._source.folder(self._newest[path], path)
            if attributes is not None:
                destination.dress_folder(path, attributes)
