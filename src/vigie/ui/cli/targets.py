"""What `vigie check` was pointed at: files, folders, and snapshots of backups."""

import fnmatch
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vigie.config import Settings
from vigie.errors import NoSuchTarget
from vigie.model import Entry, Skipped, Snapshot, Source
from vigie.sources.folder import Left, walk

if TYPE_CHECKING:
    from vigie.vault.location import Backup

RESTIC = "restic:"
BACKUPS = (RESTIC, "borg:", "snapshots:")
"""What a target begins with that is in a backup."""
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Targets:
    """Everything to judge, in the order it was named. Can be gone through more than once.

    Raises:
        NoSuchTarget: one of them does not exist; nothing has been read yet.
    """

    paths: tuple[str, ...]
    backups: tuple[tuple[Source, Snapshot], ...]
    exclude: tuple[str, ...]

    def __iter__(self) -> Iterator[Entry | Skipped]:
        return self.walk(lambda _folder, _whole: None)

    def walk(self, left: Left) -> Iterator[Entry | Skipped]:
        """The same; `left` hears of every folder that was gone through."""
        if self.paths:
            yield from walk(self.paths, exclude=self.exclude, left=left)
        for source, snapshot in self.backups:
            for version in source.versions(snapshot):
                item = version if isinstance(version, Skipped) else version.entry
                name = item.path.rpartition("/")[2]
                if not any(
                    fnmatch.fnmatch(text, rule) for rule in self.exclude for text in (item.path, name)
                ):
                    yield item


def opened(named: Sequence[str], settings: Settings, exclude: Sequence[str], stack: ExitStack) -> Targets:
    """Open what was named; `stack` closes it.

    Raises:
        NoSuchTarget: a path, repository or snapshot does not exist.
        WrongPassword, RepositoryDamaged, NotPermitted, MissingProgram: a repository does not open.
    """
    paths = tuple(name for name in named if not name.startswith(BACKUPS))
    walk(paths)  # raises for what is not there; nothing is read yet
    backups = []
    for name in named:
        if name.startswith(BACKUPS):
            place, wanted = _split(name)
            source = _source_of(place, settings)
            stack.callback(source.close)
            backups.append((source, _snapshot(source, wanted or LATEST)))
    return Targets(paths, tuple(backups), tuple(exclude))


def _split(name: str) -> tuple[str, str]:
    """The backup, and the snapshot that is named behind an @; either may have one in its own name."""
    last = name.rfind("/") + 1
    places = [at for at in range(last, len(name)) if name[at] == "@"]
    for end in (len(name), *reversed(places)):
        if os.path.exists(name[:end].partition(":")[2]):
            return name[:end], name[end + 1 :]
    end = places[0] if places else len(name)  # it is not a folder of this machine
    return name[:end], name[end + 1 :]


def _source_of(place: str, settings: Settings) -> "Backup":
    # Loaded when one is named: the cryptography of backups takes longer than a check of an unchanged folder.
    from vigie.vault import source_of  # noqa: PLC0415 - see above

    return source_of(place, settings.vault)


def _snapshot(source: "Backup", wanted: str) -> Snapshot:
    snapshots = source.snapshots()
    if not snapshots:
        raise NoSuchTarget(source.location, "it holds no snapshot", "Make one: vigie vault keep")
    if wanted == LATEST:
        return snapshots[-1]
    # A whole name first: daily.1 is also how daily.10 begins. The tag of a borg archive is its name.
    found = [one for one in snapshots if one.id == wanted or (wanted in one.tags and one.tags == (wanted,))]
    found = found or [one for one in snapshots if one.id.startswith(wanted)]
    if len(found) != 1:
        problem = "several snapshots begin so" if found else "there is no such snapshot"
        raise NoSuchTarget(f"{source.location}@{wanted}", problem, "List them: vigie timeline")
    return found[0]
