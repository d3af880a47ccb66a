"""The archives of a repository as snapshots: when, where, what (`borg list --json`)."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vigie.model import Snapshot

_FORMAT = "{hostname}{command_line}"
FULL = ("--json", "--format", _FORMAT)
"""Options of `borg list` that tell host and paths too; borg reads a block of each archive for it."""
BRIEF = ("--json",)
"""Those that tell what the manifest holds, which is one block."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A snapshot, and how borg names it."""

    snapshot: Snapshot
    name: str
    compressed: bool
    """Whether the run that made it was to compress; what it left as large as it was cannot be."""


def archives(document: dict[str, Any]) -> tuple[Archive, ...]:
    """What `borg list` printed, oldest first; an entry that cannot be read is left out.

    Its times must be in UTC: borg gives those of its own time zone, and does not say which.
    """
    listed = document.get("archives")
    found = (
        [_archive(entry) for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    )
    return tuple(
        sorted(
            (archive for archive in found if archive is not None),
            key=lambda archive: archive.snapshot.time_ns,  # within a second, in the order borg has them
        )
    )


def _archive(entry: dict[str, Any]) -> Archive | None:
    # "barchive" is the name with what is not UTF-8 still in it; "archive" has question marks there.
    name, identifier = entry.get("barchive", entry.get("name")), entry.get("id")
    if not isinstance(name, str) or not isinstance(identifier, str) or not name or "\0" in name:
        return None
    command = entry.get("command_line")
    words = [word for word in command if isinstance(word, str)] if isinstance(command, list) else []
    host = entry.get("hostname")
    snapshot = Snapshot(
        id=identifier,
        time_ns=_time_ns(entry.get("start", entry.get("time"))),
        host=host if isinstance(host, str) else "",
        paths=_paths(words),
        tags=(name,),
    )
    return Archive(snapshot, name, _compresses(words))


def _time_ns(text: Any) -> int:
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return 0
    return ((at.days * 86400 + at.seconds) * 1_000_000 + at.microseconds) * 1000


def _paths(words: list[str]) -> tuple[str, ...]:
    """The PATHs of `borg create … REPOSITORY::ARCHIVE PATH…`, as the archive has them; none where unsure."""
    places = [number for number, word in enumerate(words) if "::" in word]
    found: list[str] = []
    for word in words[places[0] + 1 :] if places else ():
        if word.startswith("-"):
            break  # what follows may be a path, or the value of an option
        below = os.path.normpath(word).lstrip("/")
        while below == ".." or below.startswith("../"):
            below = below[3:]
        found.append("/" + ("" if below == "." else below))
    return tuple(found)


def _compresses(words: list[str]) -> bool:
    """Whether the command line says nothing else than to compress, which is borg's default (lz4)."""
    for number, word in enumerate(words):
        option, _, value = word.partition("=")
        if (option == "--compression" and not value) or word == "-C":
            value = words[number + 1] if number + 1 < len(words) else ""
        elif word.startswith("-C"):
            value = word[2:]
        elif option != "--compression":
            continue
        if value.startswith(("none", "obfuscate")):
            return False
    return bool(words)
