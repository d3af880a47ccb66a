"""A repository as a whole: make it, list it, verify it, and restore a snapshot as it is."""

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from vigie.errors import ExitCode, NoSuchTarget, NotPermitted, RepositoryDamaged, VigieError
from vigie.model import Skipped
from vigie.vault.keep import COUNT_TAG, ENCRYPTED_TAG, FILES_TAG
from vigie.vault.restic import Restic

_IGNORED = "ignoring error for "
"""How `restic restore` names a file it could not restore (cmd_restore.go)."""
_RETRY = " returned error, retrying after "
"""How restic says that it waits before it tries to read a file again."""
_PATIENCE = "restic tries ten times to read what is missing or damaged: a minute or two for each such pack"
_CACHELESS = "disabling cache"
"""How restic says that it does without its cache: nothing is wrong with the repository."""
_PROGRESS = re.compile(r"\[[\d:]+\] ")
"""How restic begins a line of progress: the time since it began."""
_MOST_NAMED = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list of snapshots."""

    snapshot: str
    time: str
    """As restic writes it: RFC 3339."""
    host: str
    paths: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def files(self) -> int | None:
        """Files in it, where Vigie kept it."""
        return self._count(FILES_TAG)

    @property
    def encrypted(self) -> int | None:
        """Files judged encrypted when it was kept, where Vigie kept it."""
        hit = self._count(COUNT_TAG)
        return hit if hit is not None or ENCRYPTED_TAG in self.tags or self.files is None else 0

    def _count(self, prefix: str) -> int | None:
        found = [tag.removeprefix(prefix) for tag in self.tags if tag.startswith(prefix)]
        return int(found[0]) if found and found[0].isdecimal() and len(found[0]) < 20 else None


def init(restic: Restic, version: int = 2) -> None:
    """Make a repository of the given format; 2 compresses, 1 is what restic before 0.14 reads.

    Raises:
        VigieError: there is one already, or it cannot be made there.
    """
    restic.run("init", f"--repository-version={version}")


def snapshots(restic: Restic) -> tuple[Listed, ...]:
    """All snapshots, as restic lists them: oldest first.

    Raises:
        NoSuchTarget, WrongPassword, RepositoryDamaged: as restic says.
    """
    text = restic.run("snapshots", "--json", "--no-lock").text
    try:
        found = json.loads(text)
        if not isinstance(found, list):
            raise TypeError("not a list")  # noqa: TRY301 - the same thing to the user as no JSON at all
        return tuple(_listed(item) for item in found if isinstance(item, dict))
    except (ValueError, TypeError, RecursionError) as error:
        raise RepositoryDamaged(
            restic.name, "restic's list of snapshots cannot be understood", "See: restic snapshots"
        ) from error


def verify(
    restic: Restic,
    *,
    read_data: bool = False,
    on_line: Callable[[str], None] | None = None,
    on_problem: Callable[[str], None] | None = None,
) -> tuple[str, ...]:
    """What is wrong with the repository, line by line; nothing where it is whole.

    With `read_data` every byte is read; without, that the files are there and fit together. `on_problem` gets
    each problem as it is found, in another thread, and `on_line` what else restic says meanwhile.

    Raises:
        NoSuchTarget, WrongPassword, RepositoryLocked: it could not be looked at.
    """
    problems: list[str] = []
    say = on_line or _nothing
    done, patience = "", [_PATIENCE]

    def follow(line: str) -> None:
        nonlocal done
        progress = _PROGRESS.sub("", line)
        if progress == line or progress != done:  # several times a second it says where it still is
            say(line)
        done = progress

    def complain(line: str) -> None:
        if _RETRY in line:
            if patience:
                say(patience.pop())
            say(line.replace(_RETRY, ": tried again after "))
        elif _CACHELESS in line:
            say(line)
        elif line.strip() and len(problems) < _MOST_NAMED:
            problems.append(line.strip())
            if on_problem:
                on_problem(line.strip())

    with suppress(OSError):  # where there is no room for a cache, restic does without
        os.makedirs(restic.cache, exist_ok=True)  # which `check` does not make itself
    try:
        restic.run(
            "check",
            *(("--read-data",) if read_data else ()),
            on_line=follow,
            on_complaint=complain,
        )
    except RepositoryDamaged as error:
        return tuple(problems) or (error.problem,)
    return ()


def restore(
    restic: Restic, snapshot: str, target: str, *, on_line: Callable[[str], None] | None = None
) -> tuple[Skipped, ...]:
    """Restore one snapshot as it is, encrypted files included, into a new or empty folder; what could not be.

    Raises:
        NotPermitted: the folder cannot be made, is a file, or holds something.
        NoSuchTarget: there is no such snapshot.
        DiskFull: there is no room left.
    """
    if snapshot.startswith("-"):
        raise NoSuchTarget(snapshot, "this is no snapshot", "List the snapshots: vigie vault list")
    another = "Give a new folder with --to."
    try:
        os.makedirs(target, exist_ok=True)
        if os.listdir(target):
            raise NotPermitted(target, "the folder is not empty, and nothing is ever overwritten", another)
    except FileExistsError as error:
        raise NotPermitted(target, "a file stands there", another) from error
    except OSError as error:
        raise NotPermitted(target, f"the folder cannot be used: {error.strerror}", another) from error
    missed: list[Skipped] = []

    def complain(line: str) -> None:
        if line.startswith(_IGNORED) and len(missed) < _MOST_NAMED:
            path, _, reason = line.removeprefix(_IGNORED).partition(": ")
            missed.append(Skipped(path, reason))

    arguments = ("restore", snapshot, f"--target={target}", "--verify")
    try:
        restic.run(*arguments, on_line=on_line or _nothing, on_complaint=complain)
    except VigieError as error:
        # restic ends with 1 when it restored all but some files: that is a part, and they are named.
        if not missed or type(error) is not VigieError or error.exit_code is not ExitCode.FAILED:
            raise
    return tuple(missed)


def _listed(item: dict[str, Any]) -> Listed:
    return Listed(
        snapshot=str(item.get("id", "")),
        time=str(item.get("time", "")),
        host=str(item.get("hostname", "")),
        paths=_texts(item.get("paths")),
        tags=_texts(item.get("tags")),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(text) for text in value) if isinstance(value, list) else ()


def _nothing(_: str) -> None:
    return None
