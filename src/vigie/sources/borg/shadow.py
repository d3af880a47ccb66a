"""A shadow of a repository: a private folder of links to its files, for borg to lock and write in."""

import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from typing import Self

from vigie.errors import NoSuchTarget, NotPermitted, RepositoryDamaged, Unreadable
from vigie.sources.file import FileBlob, in_words

_LONGEST_CONFIG = 1 << 20
_LOCKS = frozenset({"lock.exclusive", "lock.roster"})
"""Where borg keeps its locks (borg/locking.py): those of others are none of the shadow's."""
_VERSION = re.compile(rb"^version\s*=\s*(\d{1,9})\s*$", re.MULTILINE)
_KEY = re.compile(rb"^key\s*=\s*\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Shadow:
    """The folder, which is removed by `close`; `home` beside it is for borg's caches."""

    path: str
    home: str
    repository: str
    has_key: bool
    """Whether the repository holds its key: it then opens with a passphrase only."""
    _folder: tempfile.TemporaryDirectory[str] = field(repr=False)

    @classmethod
    def of(cls, repository: str) -> Self:
        """Link to everything in a repository as it is now.

        Segments are linked one by one: what borg may delete or write (the replayed index of a run that was
        cut off) is a link or a file of the shadow, never a file of the repository.

        Raises:
            NoSuchTarget: there is no borg repository.
            NotPermitted: it may not be read.
            RepositoryDamaged: it is of borg 2, or its config cannot be read.
        """
        has_key = _config(repository)
        folder = tempfile.TemporaryDirectory(prefix="vigie-borg-")
        path, home = os.path.join(folder.name, "repository"), os.path.join(folder.name, "home")
        try:
            os.mkdir(home)
            _mirror(os.path.realpath(repository), path)
        except OSError as error:
            folder.cleanup()
            raise _refused(repository, error) from error
        except BaseException:
            folder.cleanup()
            raise
        return cls(path, home, repository, has_key, folder)

    def follow(self) -> bool:
        """Link anew if the repository has moved on, and say so: borg replaces its index with every change.

        Not while borg runs in the shadow.
        """
        try:
            ours, theirs = set(os.listdir(self.path)), set(os.listdir(self.repository))
            if theirs - ours <= _LOCKS and all(
                os.path.exists(os.path.join(self.path, name)) for name in ours
            ):
                return False
            shutil.rmtree(self.path)
            _mirror(os.path.realpath(self.repository), self.path)
        except OSError as error:
            raise _refused(self.repository, error) from error
        return True

    def close(self) -> None:
        """Remove it; once is enough, more does no harm."""
        self._folder.cleanup()


def _config(repository: str) -> bool:
    """Check that it is a repository of borg 1 (docs/internals/data-structures.rst, "Config file")."""
    path = os.path.join(repository, "config")
    if os.path.isdir(path):
        raise _foreign(repository)  # borg 2 keeps its config in a folder of borgstore
    if not os.path.exists(path):
        problem = "no such folder" if not os.path.exists(repository) else "there is no borg repository in it"
        raise NoSuchTarget(
            repository, problem, "Check where the repository is: it holds a file named config."
        )
    try:
        with FileBlob.open(path) as blob:
            config = blob.at(0, _LONGEST_CONFIG)
    except Unreadable as error:
        raise NotPermitted(repository, f"its config: {error.reason}", "Run as its owner, or root.") from error
    version = _VERSION.search(config)
    if b"[repository]" not in config or version is None:
        # restic's config is a file of that name, too.
        raise RepositoryDamaged(
            repository, "its config is not one of borg", "Name it restic:… if it is that."
        )
    if int(version[1]) != 1:
        raise _foreign(repository)
    return _KEY.search(config) is not None


def _foreign(repository: str) -> RepositoryDamaged:
    return RepositoryDamaged(
        repository,
        "it was made by borg 2, which keeps other files",
        "Restore a copy with borg 2 and check that: only borg 1.1 to 1.4 can be read.",
    )


def _mirror(repository: str, shadow: str) -> None:
    os.mkdir(shadow)
    for name in os.listdir(repository):
        if name not in _LOCKS and name != "data":
            os.symlink(os.path.join(repository, name), os.path.join(shadow, name))
    data = os.path.join(shadow, "data")
    os.mkdir(data)
    for folder in os.listdir(os.path.join(repository, "data")):
        source = os.path.join(repository, "data", folder)
        if folder.isdigit() and os.path.isdir(source):
            os.mkdir(os.path.join(data, folder))
            for segment in os.listdir(source):
                os.symlink(os.path.join(source, segment), os.path.join(data, folder, segment))


def _refused(repository: str, error: OSError) -> NotPermitted | RepositoryDamaged:
    if isinstance(error, PermissionError):
        return NotPermitted(repository, "no permission to read it", "Run as its owner, or root.")
    return RepositoryDamaged(
        repository, f"it cannot be read: {in_words(error)}", "Check the disk or share it lies on."
    )
