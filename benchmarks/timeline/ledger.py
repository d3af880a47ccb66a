"""The truth: what every document was in every snapshot, kept as JSON lines beside the repository.

The first line is about the whole run, each further one is a document, followed through renames. A content is
the first eight bytes of its SHA-256, in hex: two versions are the same exactly if these are, and restic calls
the blob of a file of one chunk by the same name.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class Content(NamedTuple):
    """A document from one snapshot on, up to the next `Content` of it."""

    snapshot: int
    """Number of the first snapshot that holds it, from 0."""
    path: str
    """Relative to the share."""
    digest: str
    size: int
    how: str
    """"first", "new", "edited", "renamed", "transcoded", … or "hit"."""


@dataclass(slots=True)
class Document:
    """One document of the share."""

    kind: str
    contents: list[Content]
    """Oldest first; what a day overwrote before its backup is not among them."""
    hit: int | None = None
    """Number of the first snapshot in which it is struck."""
    pattern: str = ""
    way: str = ""
    """"in place", "longer name" or "random name"."""
    gone: int | None = None
    """Number of the first snapshot without it: its user deleted it."""

    @property
    def path(self) -> str:
        """Where it is now."""
        return self.contents[-1].path

    def at(self, snapshot: int) -> Content | None:
        """What snapshot number `snapshot` holds of it."""
        if self.gone is not None and snapshot >= self.gone:
            return None
        return next((one for one in reversed(self.contents) if one.snapshot <= snapshot), None)

    @property
    def clean(self) -> Content | None:
        """Of a document that is hit: its last clean content, if any backup saw it before it was struck."""
        return None if self.hit is None else self.at(self.hit - 1)

    def become(self, content: Content) -> None:
        """Take a new content in; of two on one day, a backup sees the second only."""
        last = self.contents[-1]
        if last.snapshot == content.snapshot:
            self.contents.pop()
            if last.how in ("first", "new") and content.how != "hit":
                content = content._replace(how=last.how)
        self.contents.append(content)


@dataclass(slots=True)
class Truth:
    """One built repository."""

    root: str
    """Absolute path of the share, as the snapshots hold it."""
    seed: int
    snapshots: list[str]
    """Their full identifiers, oldest first."""
    times: list[int]
    """Seconds since 1970, UTC, of each."""
    began: int | None = None
    """Second in which the first document was struck."""
    notes: list[str] = field(default_factory=list)
    """What the attack left behind, relative to the share."""
    waves: list[tuple[str, int, int]] = field(default_factory=list)
    """(name, first snapshot, documents) of each."""
    documents: list[Document] = field(default_factory=list)

    @property
    def onset(self) -> int | None:
        """Number of the first snapshot that holds a struck document."""
        return min((one.hit for one in self.documents if one.hit is not None), default=None)

    def number(self, identifier: str | None) -> int | None:
        """Number of a snapshot, by its identifier or the beginning of it."""
        if not identifier:
            return None
        return next((n for n, full in enumerate(self.snapshots) if full.startswith(identifier)), None)

    def inside(self, path: str) -> str:
        """A path of the backup, relative to the share."""
        return path.removeprefix("/").removeprefix(self.root.strip("/")).removeprefix("/")


def digest(data: bytes) -> str:
    """What a content is called here."""
    return hashlib.sha256(data).hexdigest()[:16]


def save(truth: Truth, path: Path) -> None:
    """Write it as JSON lines; it is there as a whole, or not at all."""
    head = {name: value for name, value in _fields(truth) if name != "documents"}
    fresh = path.with_suffix(".new")
    with open(fresh, "w", encoding="utf-8") as out:
        out.write(json.dumps(head) + "\n")
        out.writelines(json.dumps(asdict(document)) + "\n" for document in truth.documents)
    fresh.replace(path)


def load(path: Path) -> Truth:
    """What `save` wrote."""
    with open(path, encoding="utf-8") as lines:
        truth = Truth(**json.loads(next(lines)))
        truth.waves = [(name, snapshot, count) for name, snapshot, count in truth.waves]
        truth.documents.extend(_documents(lines))
    return truth


def _documents(lines: Iterable[str]) -> Iterable[Document]:
    for line in lines:
        fields = json.loads(line)
        fields["contents"] = [Content(*one) for one in fields["contents"]]
        yield Document(**fields)


def _fields(truth: Truth) -> Iterable[tuple[str, Any]]:
    return ((name, getattr(truth, name)) for name in Truth.__slots__)
