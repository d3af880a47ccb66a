"""Where the ordinary work of a drill is done, and the account each step gives of the files it touched."""

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime
from datetime import time as clock
from pathlib import Path
from random import Random

from vigie.drill.playground import NotAPlayground, Playground, entered, ours
from vigie.drill.practice import database
from vigie.drill.practice.draft import Draft
from vigie.drill.practice.people import Patient


@dataclass(frozen=True, slots=True)
class Desk:
    """Where somebody works, and on what day."""

    ground: Playground
    """The marked folder, and which files in it the run made: no other one is changed."""
    patients: tuple[Patient, ...]
    rng: Random
    today: datetime

    @property
    def folder(self) -> Path:
        """The practice, resolved."""
        return self.ground.folder

    def find(self, pattern: str, count: int = 0) -> list[str]:
        """Paths (relative) of the run's own files that match, in order; or `count` of them, drawn."""
        found = sorted(path for path in self.folder.glob(pattern) if self._own(path))
        names = [path.relative_to(self.folder).as_posix() for path in found]
        return sorted(self.rng.sample(names, min(count, len(names)))) if count else names

    def _own(self, path: Path) -> bool:
        """Whether the run made this very file, and no link leads to it."""
        expected = self.ground.files.get(path.relative_to(self.folder).as_posix())
        return expected is not None and path.resolve() == path and ours(os.lstat(path), expected)

    def new(self, path: str) -> Path:
        """Where to write a file that is not there yet; its folders are made.

        Raises:
            NotAPlayground: the way leads out of the folder, through a link.
        """
        target = self.folder / path
        if target.parent.resolve() != target.parent:
            raise NotAPlayground(str(self.folder), f"a link stands on the way to {path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def put(self, draft: Draft) -> list[str]:
        """Write a new file; nothing, if one of that name is there."""
        try:
            with self.new(draft.path).open("xb") as file:
                file.write(draft.data)
        except FileExistsError:
            return []
        return [draft.path]


@dataclass(frozen=True, slots=True)
class Touched:
    """What a step did, by path relative to the folder."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    """(before, after)."""
    skipped: str = ""
    """Why the step could not be done here."""

    @property
    def made(self) -> tuple[str, ...]:
        """Paths that now hold a file of this step."""
        return (*self.added, *self.changed, *(after for _, after in self.renamed))

    @property
    def gone(self) -> tuple[str, ...]:
        """Paths that no longer hold one."""
        return (*self.removed, *(before for before, _ in self.renamed))


def sit_down(folder: Path, seed: int, today: date | None = None) -> Desk:
    """A desk in a marked practice, with the patients of its database; by default, today.

    Raises:
        NotAPlayground: the folder was not made by the drill.
    """
    with entered(folder) as (_, marked):
        # Resolved once, so that a link on the way to a file can be told from one above the folder.
        ground = replace(marked, folder=folder.resolve())
    address = (ground.folder / database.PATH).as_uri()
    with closing(sqlite3.connect(f"{address}?mode=ro", uri=True)) as connection:
        patients = database.patients_in(connection)
    day = today or date.today()  # noqa: DTZ011 -- the practice lives in the machine's own time
    morning = datetime.combine(day, clock(9))
    return Desk(ground, patients, Random(f"work {seed}"), morning)


def touched_in(printed: str) -> Touched:
    """What a printed line says was touched.

    Raises:
        ValueError, KeyError, TypeError: it is no such line.
    """
    step = json.loads(printed)
    added, changed, removed = (tuple(map(str, step[key])) for key in ("added", "changed", "removed"))
    renamed = tuple((str(before), str(after)) for before, after in step["renamed"])
    return Touched(added, changed, removed, renamed, str(step["skipped"]))
