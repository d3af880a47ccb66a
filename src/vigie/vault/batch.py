"""Files that go to the disk together: one wait for the disk, and one round of the judge, serve them all."""

import hashlib
import os
import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from vigie.model import State, Verdict, Version
from vigie.timeline import Choice, Lost, Why
from vigie.vault.destination import Place
from vigie.vault.handed import Handed, Outcome, named

FILES = 256
BULK = 32 << 20
"""Bytes that make a batch full."""
AGE = 1.0
"""Seconds after which what there is goes to the disk: a slow source must not leave it waiting."""
MARK = ".vigie-unverified"
"""What the name of a file says that is handed back for want of a healthy version."""


class Item:
    """One document on its way."""

    __slots__ = (
        *("again", "choice", "compare", "fd", "given", "handed", "kept", "lacking", "place", "sha256"),
        *("stamp", "step", "sum", "verdict", "wanted"),
    )

    def __init__(self, choice: Choice, step: str) -> None:
        self.choice = choice
        self.step = step
        self.place: Place | None = None
        self.wanted: Version | None = None
        """What must be read for it: nothing where its outcome is known already."""
        self.compare = False
        """Whether a file of that size is there already, and nobody says what it is."""
        self.fd = -1
        self.given = 0
        """Bytes of it that came so far."""
        self.sum = hashlib.sha256()
        self.sha256 = ""
        self.kept: list[bytes] | None = []
        """The bytes that were written, until they were read back and summed up; None of a large file."""
        self.verdict: Verdict | None = None
        """What the judge says of what was written."""
        self.lacking: tuple[str, ...] = ()
        """Extended attributes that it could not be given."""
        self.handed: Handed | None = None
        self.again = False
        """Whether an older version is tried in its place."""
        self.stamp: tuple[int, int] | None = None
        """Of the file under its final name, where that is worth a line in the manifest."""

    @property
    def target(self) -> str:
        """The path it gets."""
        path = self.choice.path
        if self.choice.why is not Why.NEAREST:
            return path
        folder, slash, name = path.rpartition("/")
        stem, dot, ending = name.rpartition(".")
        marked = f"{stem}{MARK}.{ending}" if dot and stem else name + MARK
        return folder + slash + marked

    def keep(self, data: bytes, most: int) -> None:
        """Keep what was written, of a file of up to so many bytes; of a larger one, its sum."""
        if self.kept is not None and self.given <= most:
            self.kept.append(data)
            return
        for piece in (*(self.kept or ()), data):
            self.sum.update(piece)
        self.kept = None

    def settle(self, outcome: Outcome, reason: str = "", state: State | None = None) -> None:
        """Say what became of it; the first word counts."""
        if self.handed is not None:
            return
        if outcome is Outcome.RESTORED and self.choice.why is Why.NEAREST:
            outcome = Outcome.NEAREST
        version = self.choice.version
        self.handed = Handed(
            self.choice.path,
            outcome,
            state or self.choice.verdict.state,
            version.snapshot.id,
            version.entry.size,
            self.sha256 if outcome in (Outcome.RESTORED, Outcome.ALREADY, Outcome.NEAREST) else "",
            reason,
            self.step,
            lacking=self.lacking if outcome in (Outcome.RESTORED, Outcome.NEAREST) else (),
        )
        self.kept = None

    def lose(self, lost: Lost) -> None:
        """Say that no version of it can be handed back."""
        self.handed = replace(named(lost), step=self.step)
        self.kept = None

    def line(self) -> dict[str, Any]:
        """What the manifest says of it."""
        assert self.handed is not None  # noqa: S101 - it is settled
        said = self.handed.record()
        if self.stamp is not None:
            said |= {"to": self.target, "content": content_of(self.choice.version), "stamp": self.stamp}
        return said


@dataclass(slots=True)
class Batch:
    """Some items in order."""

    items: list[Item] = field(default_factory=list)
    bulk: int = 0
    since: float = field(default_factory=time.monotonic)
    landed: Future[None] | None = None
    """Done when all of it is on the disk and was read back."""
    is_judged: bool = False
    before: list[Item] = field(default_factory=list)
    """Those that had their names when the wait for the disk began: it brings these down, too."""

    def add(self, item: Item) -> None:
        """Take in an item all of whose bytes came."""
        self.items.append(item)
        self.bulk += item.given

    @property
    def is_full(self) -> bool:
        """Whether it should go to the disk now."""
        return len(self.items) >= FILES or self.bulk >= BULK or self.is_old

    @property
    def is_old(self) -> bool:
        """Whether its first file waits since long."""
        return bool(self.items) and time.monotonic() - self.since > AGE

    def open_items(self) -> list[Item]:
        """Those whose outcome is not known yet."""
        return [item for item in self.items if item.handed is None]


def content_of(version: Version) -> str:
    """What tells one version from another: the source's own word, else where and when it was."""
    entry = version.entry
    return version.content or f"{version.snapshot.id}:{entry.size}@{entry.mtime_ns}"


def stamp(status: os.stat_result) -> tuple[int, int]:
    """What changes whenever a file does: no call sets a change time (inode(7))."""
    return status.st_ino, status.st_ctime_ns
