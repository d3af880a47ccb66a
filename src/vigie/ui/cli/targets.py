"""What `vigie check` was pointed at: files, folders, and snapshots of backups."""

import fnmatch
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vigie.config import Settings
from vigie.errors import NoSuchTarget
from vigie.model import Entry, Skipped, Snapshot, Source
from vigie.sources.folder import Left, walk

if TYPE_CHECKING:
    from vigie.sources.restic import ResticSource

RESTIC = "restic:"
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
    paths = tuple(name for name in named if not name.startswith(RESTIC))
    walk(paths)  # raises for what is not there; nothing is read yet
    backups = []
    for name in named:
        if name.startswith(RESTIC):
            place, _, wanted = name.partition("@") if name.rfind("@") > name.rfind("/") else (name, "", "")
            source = stack.enter_context(_source_of(place, settings))
            backups.append((source, _snapshot(source, wanted or LATEST)))
    return Targets(paths, tuple(backups), tuple(exclude))


def _source_of(place: str, settings: Settings) -> "ResticSource":
    # Loaded when one is named: the cryptography of backups takes longer than a check of an unchanged folder.
    from vigie.vault import source_of  # noqa: PLC0415 - see above

    return source_of(place, settings.vault)


def _snapshot(source: "ResticSource", wanted: str) -> Snapshot:
    snapshots = source.snapshots()
    if not snapshots:
        raise NoSuchTarget(source.location, "it holds no snapshot", "Make one: vigie vault keep")
    if wanted == LATEST:
        return snapshots[-1]
    found = [snapshot for snapshot in snapshots if snapshot.id.startswith(wanted)]
    if len(found) != 1:
        problem = "several snapshots begin so" if found else "there is no such snapshot"
        raise NoSuchTarget(f"{source.location}@{wanted}", problem, "List them: vigie timeline")
    return found[0]
