"""How the share is backed up each evening: by real restic, by real borg, or as dated folders of hard links.

A keeper has a new place of its own, and knows how its backups are called. All of them are told the time of
the day that is played, go by the ctime (a write with the old time put back is seen), and leave the marker of
the share out.
"""

import json
import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Protocol

from vigie.drill.playground import MARKER

PASSWORD = "correct horse battery staple"  # of a repository of invented files
HOST = "partage"


class Keeper(Protocol):
    """One way of keeping backups."""

    def start(self) -> None:
        """Make the repository."""

    def keep(self, folder: Path, when: datetime) -> None:
        """One more backup of `folder`, made at `when` (UTC)."""

    def kept(self) -> list[str]:
        """What the backups are called, oldest first."""
        ...


def environment() -> dict[str, str]:
    """What restic, borg and `vigie` need to open a repository; times in UTC."""
    return {**os.environ, "RESTIC_PASSWORD": PASSWORD, "BORG_PASSPHRASE": PASSWORD, "TZ": "UTC"}


def restic(repository: Path, *words: str, cwd: Path | None = None) -> str:
    """One restic command.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = ("restic", "--no-cache", "--quiet", "--repo", str(repository), *words)
    done = subprocess.run(
        command, cwd=cwd, env=environment(), check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    return done.stdout


class Restic:
    """A repository of format 2."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def start(self) -> None:
        """As `Keeper` says."""
        restic(self._place, "init", "--repository-version", "2")

    def keep(self, folder: Path, when: datetime) -> None:
        """As `Keeper` says."""
        stamp = f"{when:%Y-%m-%d %H:%M:%S}"
        restic(self._place, "backup", str(folder), "--exclude", MARKER, "--time", stamp, "--host", HOST)

    def kept(self) -> list[str]:
        """As `Keeper` says."""
        listed = json.loads(restic(self._place, "snapshots", "--json"))
        return [one["id"] for one in sorted(listed, key=lambda one: str(one["time"]))]


class Borg:
    """A repository of borg 1.x with its key inside; borg's own files (cache, security) go with the run."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._base = place.with_name("borg-base")

    def start(self) -> None:
        """As `Keeper` says."""
        self._base.mkdir()
        self._run("init", "--encryption", "repokey", str(self._place))

    def keep(self, folder: Path, when: datetime) -> None:
        """As `Keeper` says."""
        archive = f"{self._place}::{HOST}-{when:%Y-%m-%dT%H%M%S}"
        stamp = f"{when:%Y-%m-%dT%H:%M:%S}"
        self._run("create", "--timestamp", stamp, "--exclude", f"*/{MARKER}", archive, str(folder))

    def kept(self) -> list[str]:
        """As `Keeper` says."""
        archives = json.loads(self._run("list", "--json", str(self._place)))["archives"]
        shutil.rmtree(self._base)
        return [one["id"] for one in sorted(archives, key=lambda one: str(one["start"]))]

    def _run(self, *words: str) -> str:
        where = {"BORG_BASE_DIR": str(self._base), "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}
        done = subprocess.run(
            ("borg", *words),
            env=environment() | where,
            check=True,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        return done.stdout


class Folders:
    """A dated folder an evening, as rsnapshot's method makes them: what did not change is a hard link.

    A file is taken for unchanged where path, inode and ctime are those of the evening before. rsync by itself
    believes size and mtime, and would take a file that was struck with its time put back for unchanged; with
    `--checksum`, or on a file system with snapshots, what comes out is the same as here.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._names: list[str] = []
        self._seen: dict[str, tuple[int, int]] = {}

    def start(self) -> None:
        """As `Keeper` says."""
        self._place.mkdir()

    def keep(self, folder: Path, when: datetime) -> None:
        """As `Keeper` says."""
        name = f"{when:%Y-%m-%d_%H-%M-%S}"
        here, last = self._place / name, self._place / self._names[-1] if self._names else None
        seen: dict[str, tuple[int, int]] = {}
        for parent, _, files in os.walk(folder):
            inside = os.path.relpath(parent, folder)
            (here / inside).mkdir(parents=True)
            for file in files:
                if file == MARKER:
                    continue
                path = os.path.normpath(os.path.join(inside, file))
                status = os.lstat(os.path.join(parent, file))
                seen[path] = status.st_ino, status.st_ctime_ns
                if last and self._seen.get(path) == seen[path]:
                    os.link(last / path, here / path)
                else:
                    shutil.copy2(os.path.join(parent, file), here / path)
        os.utime(here, (when.timestamp(), when.timestamp()))
        self._names.append(name)
        self._seen = seen

    def kept(self) -> list[str]:
        """As `Keeper` says."""
        return list(self._names)


KEEPERS: dict[str, type[Restic] | type[Borg] | type[Folders]] = {
    "restic": Restic,
    "borg": Borg,
    "snapshots": Folders,
}
"""By the word that `vigie` has for the source."""
