"""The nouns that every room shares: frozen, slotted dataclasses and Protocols; no input or output.

All times are nanoseconds since the Unix epoch (UTC), all sizes and offsets bytes, all ranges half open
`[start, end)`. Paths are `str` as `os.fsdecode` gives them: a name that is not UTF-8 carries surrogates.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, NoReturn, Protocol, Self


class Blob(Protocol):
    """Bytes at rest, read by bounded slices. A format never sees a path or a file."""

    @property
    def size(self) -> int:
        """Bytes in all, fixed when the blob was opened."""
        ...

    def at(self, offset: int, length: int) -> bytes:
        """The bytes of `[offset, offset + length)`, cut at `size`.

        Raises:
            Unreadable: the bytes cannot be had (input/output error, or the file shrank since).
        """
        ...


class OpenBlob(Blob, Protocol):
    """A blob that hangs on a file descriptor, so that a worker process can be handed it."""

    def fileno(self) -> int:
        """The descriptor, open for reading and seekable, owned by this object."""
        ...

    def close(self) -> None:
        """Give the descriptor back."""
        ...


class Range(NamedTuple):
    """Half-open byte range `[start, end)`."""

    start: int
    end: int


class Kind(StrEnum):
    """What may stand in a region of a healthy file."""

    STRUCTURED = "structured"
    """Text, headers, tables, raw pixels: random bytes are impossible."""
    CODED = "coded"
    """Looks random, but obeys a grammar or a checksum that can be tested."""
    OPAQUE = "opaque"
    """Anything may stand here: a recognised encrypted container, a private binary field."""


class Charset(StrEnum):
    """How a structured region of text is written; decides which bytes are impossible in it."""

    NONE = "binary"
    """Not text."""
    UTF8 = "utf-8"
    LATIN1 = "latin-1"
    """Any single-byte character set: every byte above 0x7F may stand, few in a row do."""
    UTF16 = "utf-16"


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of a file with one expectation."""

    start: int
    end: int
    kind: Kind
    what: str
    """In words a person can check: "header", "deflate stream of word/document.xml"."""
    charset: Charset = Charset.NONE
    member: str = ""
    """Name of the file that stands here as it is: a member of an archive that is not compressed."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """A place where a recognised file breaks its own format; an empty one means that something is missing."""

    start: int
    end: int
    what: str
    checksum: bool = False
    """Whether a checksum says so (rather than grammar)."""
    throughout: bool = False
    """Whether every block of it was seen to be broken, rather than only its start."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What a format found in a blob: regions in rising order without overlap, and what is broken.

    A gap between regions is read as *opaque*: nothing is claimed about it.
    """

    format: str
    regions: tuple[Region, ...]
    flaws: tuple[Flaw, ...] = ()
    checked: int = 0
    """Bytes of coded regions whose checksum was verified and holds."""
    notes: tuple[str, ...] = ()
    """Oddities worth saying that are not flaws ("no preamble", "encrypted by password")."""


class State(StrEnum):
    """The five things a verdict can say."""

    INTACT = "intact"
    ENCRYPTED = "encrypted"
    DAMAGED = "damaged"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class Pattern(StrEnum):
    """Which part of the file was overwritten."""

    FULL = "full"
    HEADER = "header"
    INTERMITTENT = "intermittent"
    PARTIAL = "partial"
    """One stretch that is neither the head nor the whole."""


class Basis(StrEnum):
    """What tipped the verdict."""

    CHECKSUM = "checksum"
    STRUCTURE = "structure"
    STATISTICS = "statistics"
    COMPARISON = "comparison"


MAP_CELLS = 32
"""Cells of a likeness' randomness map."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What is remembered of a version, to compare the next one with. Small: it is kept for every file."""

    state: State
    format: str | None
    size: int
    random_share: float
    """Share of the file's blocks that look random, 0 to 1."""
    map: bytes
    """`MAP_CELLS` bytes: that share for each equal part of the file, 0 to 255; empty for an empty file."""


class Period(NamedTuple):
    """The rhythm of a regular intermittent pattern: bytes overwritten, then bytes left alone."""

    on: int
    off: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of one version of one file. Not a boolean: `bool(verdict)` raises."""

    state: State
    format: str | None = None
    pattern: Pattern | None = None
    ranges: tuple[Range, ...] = ()
    basis: Basis | None = None
    confidence: float = 0.0
    evidence: tuple[str, ...] = ()
    likeness: Likeness | None = None
    period: Period | None = None
    """Of an intermittent pattern, where it is regular."""
    read: int = 0
    """Bytes of the file whose randomness was measured."""

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict is not a boolean: compare verdict.state with a State")

    @classmethod
    def skipped(cls, reason: str) -> Self:
        """The verdict on an entry that was not read, and why."""
        return cls(state=State.SKIPPED, evidence=(reason,))

    def record(self) -> dict[str, Any]:
        """The promised JSON keys of DESIGN.md ("Command line") but path and size, and two more (0007)."""
        return {
            "verdict": self.state.value,
            "format": self.format,
            "pattern": self.pattern.value if self.pattern else None,
            "period": list(self.period) if self.period else None,
            "ranges": [list(r) for r in self.ranges],
            "basis": self.basis.value if self.basis else None,
            "confidence": round(self.confidence, 4),
            "evidence": list(self.evidence),
            "read": self.read,
        }


class Judge(Protocol):
    """Whoever turns a blob into a verdict: the judge itself, or a worker process around it."""

    def __call__(self, blob: Blob, name: str, before: Likeness | None = None) -> Verdict:
        """Judge `blob`, which is called `name`, against the version `before` where one is known."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in a source at one moment."""

    path: str
    size: int
    mtime_ns: int
    open: Callable[[], OpenBlob] = field(repr=False, compare=False)
    """Open it for reading.

    Raises:
        Unreadable: it cannot be opened any more.
    """


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a source that is not read, and why ("a socket", "no permission")."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of a backup."""

    id: str
    time_ns: int
    host: str = ""
    paths: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attributes:
    """What restoring a file gives back besides its bytes."""

    mode: int
    """Permission bits with set-uid, set-gid and sticky, as `chmod` takes them."""
    uid: int
    gid: int
    mtime_ns: int
    extended: tuple[tuple[str, bytes], ...] = ()
    """Extended attributes (xattr(7)) by name, as the kernel gives and takes them; ACLs are two of these."""


@dataclass(frozen=True, slots=True)
class Version:
    """A path in a snapshot. Two versions with the same non-empty `content` hold the same bytes."""

    snapshot: Snapshot
    entry: Entry
    content: str
    """Identity of the bytes (content address), or empty where the source has none."""
    packed: int | None = None
    """Bytes that the content takes compressed, before deduplication; None where the source does not say."""
    chunks: bytes = b""
    """Ids of its pieces in order, 32 bytes each, by which versions share them; empty where there are none."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A path that the snapshot before held, and this one does not."""

    path: str


class Source(Protocol):
    """Snapshots and the versions in them, read-only: nothing in the source is locked, written or repaired."""

    @property
    def location(self) -> str:
        """What people call it, without passwords."""
        ...

    @property
    def damage(self) -> tuple[Skipped, ...]:
        """Parts of the source itself that could not be read so far, and why."""
        ...

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All snapshots, oldest first."""
        ...

    def versions(self, snapshot: Snapshot) -> Iterator[Version | Skipped]:
        """Every file of one snapshot, in path order.

        Raises:
            NoSuchTarget: the snapshot is not of this source.
        """
        ...

    def changes(self, before: Snapshot | None, after: Snapshot) -> Iterator[Version | Skipped | Gone]:
        """What `after` holds that `before` did not hold with the same bytes, and what is gone; in path order.

        All of `after` where `before` is None. What could not be read is told again each time. A folder of
        `after` that cannot be read is one `Skipped`; nothing below it is `Gone` for that.

        Raises:
            NoSuchTarget: one of the snapshots is not of this source.
        """
        ...

    def head(self, version: Version) -> OpenBlob:
        """The first piece of a file as the source keeps it: all of a small one, the cheapest to read.

        Raises:
            Unreadable: it cannot be had.
        """
        ...

    def attributes(self, version: Version) -> Attributes:
        """Mode, owner and time of the file."""
        ...

    def close(self) -> None:
        """Let go of connections and child processes."""
        ...


@dataclass(frozen=True, slots=True)
class Process:
    """A process as it was when it was seen; `started` tells it from a later one with the same pid."""

    pid: int
    started: int
    """Clock ticks after boot (`/proc/PID/stat`, field 22)."""
    executable: str
    command: tuple[str, ...] = ()
    user: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """An SMB client: the machine behind a server process, and who is logged on there."""

    address: str
    """IPv4 or IPv6, as the kernel gives it."""
    user: str = ""
    machine: str = ""
    """What it calls itself; anything may stand there."""
    share: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who wrote: a process, with the chain that started it, and the client it works for."""

    process: Process
    parents: tuple[Process, ...] = ()
    """Nearest first, up to pid 1."""
    client: Client | None = None
    unit: str = ""
    """Its systemd unit, from its control group (cgroups(7))."""
    container: str = ""
    """The id of its container, likewise."""
