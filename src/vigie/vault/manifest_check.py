"""Does a manifest still say what it said, and do the files below its folder still hold what it says?"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vigie.errors import NoSuchTarget, NotPermitted, Unreadable
from vigie.model import Skipped
from vigie.sources.file import FileBlob, in_words
from vigie.vault.destination import PIECE
from vigie.vault.manifest import KEY, NAME, SIGNATURE, SUMS, Reading
from vigie.vault.manifest_key import PublicKey

_SMALL = 4096
"""Bytes of the files beside the manifest that are read at most."""


@dataclass(slots=True)
class Checked:
    """What a look at a manifest and its files found."""

    key: PublicKey
    sources: list[str] = field(default_factory=list)
    """What was restored from, one a run."""
    files: int = 0
    """That are there and hold the bytes that the manifest tells of."""
    problems: list[Skipped] = field(default_factory=list)
    """What does not hold: files, or the manifest itself."""
    ended: bool = False
    """Whether its last run ended, and signed the whole; else the seals of its groups vouch for all."""


def check_manifest(
    folder: str, own: PublicKey | None = None, on_file: Callable[[], None] = lambda: None
) -> Checked:
    """Check the manifest of a folder, its signature, and every file it tells of.

    The key beside the manifest is used, or `own` where a run that was killed left none.

    Raises:
        NoSuchTarget: there is no manifest, or no key to check it with.
        NotPermitted: it cannot be read.
    """
    path = os.path.join(folder, NAME)
    key = PublicKey.of_pem(_small(folder, KEY)) or own
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NoSuchTarget(folder, "there is no manifest", "Give a folder that was restored into.") from error
    except OSError as error:
        raise NotPermitted(path, in_words(error), "Run as the user who restored.") from error
    try:
        if key is None:
            raise NoSuchTarget(path, f"{KEY} is not beside it", "Take it from the installation that signed.")
        found = Checked(key)
        reading = Reading(fd, key)
        newest: dict[str, str] = {}
        for group in reading.groups():
            for body in group:
                _take(body, found, newest)
    finally:
        os.close(fd)
    if reading.problem:
        found.problems.append(Skipped(NAME, reading.problem))
    sums = _small(folder, SUMS)
    found.ended = sums == f"{reading.whole.hexdigest()}  {NAME}\n".encode()
    if found.ended and not key.verifies(_small(folder, SIGNATURE), sums):
        found.problems.append(Skipped(SIGNATURE, "it is not the signature of this key"))
    for name, sha256 in newest.items():
        on_file()
        problem = _differs(folder, name, sha256)
        if problem:
            found.problems.append(Skipped(name, problem))
        else:
            found.files += 1
    return found


def _take(body: dict[str, Any], found: Checked, newest: dict[str, str]) -> None:
    """Its seal holds: it is what Vigie wrote."""
    if "stamp" in body:
        newest[body["to"]] = body["sha256"]
    elif "vigie" in body:
        found.sources.append(str(body.get("source", "")))


def _differs(folder: str, name: str, sha256: str) -> str:
    """Why the file is not what was handed back, or nothing."""
    below = name.strip("/")
    try:
        with FileBlob.open(f"{folder}/{below}") as blob:
            found = hashlib.sha256()
            for offset in range(0, blob.size, PIECE):
                found.update(blob.at(offset, PIECE))
    except Unreadable as error:
        return error.reason
    return "" if found.hexdigest() == sha256 else "its bytes are not those that were handed back"


def _small(folder: str, name: str) -> bytes:
    try:
        with FileBlob.open(os.path.join(folder, name)) as blob:
            return blob.at(0, _SMALL)
    except Unreadable:
        return b""
