"""What a format is: one file, one `FORMAT`, one line in the catalogue.

A format is pure: it gets a `Blob`, reads it by bounded slices, and answers with an `Anatomy`. It never
sees a path, never decides whether a file is encrypted (the judge does), and never trusts a length it read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

from vigie.model import Anatomy, Blob

HEAD = 4096
"""Bytes of the head of a file that `Format.recognises` is shown (fewer when the file is shorter)."""

EFFORT = 256 * 1024 * 1024
"""Bytes one dissection may read, decode or checksum unless told otherwise: see `Dissect`."""


class Malformed(Exception):
    """The blob cannot be what it was taken for. Evidence for the judge, never shown bare.

    `offset` is where the first thing was met that a healthy file of the kind cannot have.
    """

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(f"at byte {offset}: {what}")
        self.offset = offset
        self.what = what


class Dissect(Protocol):
    """How a format takes a blob apart. Bounded in time and memory on any input."""

    def __call__(self, blob: Blob, effort: int = EFFORT, /) -> Anatomy:
        """The anatomy of a blob.

        `effort` is how many bytes may be read, decoded or checksummed, all in all: a hurried look at a large
        file gives less, `vigie check --full` gives all it takes. Where it does not reach, regions are named
        but not tested, and `Anatomy.notes` says so. Headers, tables and directories come first, then the two
        ends, then places spread over the rest.

        Raises:
            Malformed: the blob cannot be this format at all.
            Unreadable: as the blob does.
        """
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """How a kind of file is known, and what a healthy one looks like."""

    name: str
    """Short, lower case, the field's word: "dicom", "hl7v2", "pdf"."""
    title: str
    """For people: "DICOM Part 10 file"."""
    specification: str
    """Where the layout is written down, with its section."""
    suffixes: tuple[str, ...]
    """Endings (lower case, no dot) that promise this format: a file so named that is none is broken."""
    recognises: Callable[[bytes], bool]
    """Whether the head (at most `HEAD` bytes) is surely this format. Must not raise on any input."""
    dissect: Dissect
    weak_suffixes: tuple[str, ...] = ()
    """Endings that only hint: other formats use them too (".db", ".dat")."""
    textual: bool = False
    """Whether it is written in characters: what is random in it then shows in the characters, too."""
    plain: bool = False
    """Whether its head may be nothing but text all the same: no other binary format is asked about a text."""


class Effort:
    """What is left of the bytes one dissection may decode or checksum (see `Dissect`)."""

    __slots__ = ("left",)

    def __init__(self, left: int = EFFORT) -> None:
        self.left = left

    def spend(self, count: int) -> None:
        """Take `count` bytes off."""
        self.left -= count


class Cursor:
    """Reads a blob forward, in slices, for dissectors that parse headers."""

    __slots__ = ("_base", "_blob", "_window", "offset")

    WINDOW = 64 * 1024

    def __init__(self, blob: Blob, offset: int = 0) -> None:
        self._blob = blob
        self._base = 0
        self._window = b""
        self.offset = offset

    @property
    def left(self) -> int:
        """Bytes between the cursor and the end."""
        return self._blob.size - self.offset

    def peek(self, length: int) -> bytes:
        """Up to `length` bytes at the cursor, without moving."""
        start = self.offset - self._base
        if start < 0 or start + length > len(self._window):
            self._base = self.offset
            self._window = self._blob.at(self.offset, max(length, self.WINDOW))
            start = 0
        return self._window[start : start + length]

    def take(self, length: int, what: str) -> bytes:
        """Exactly `length` bytes.

        Raises:
            Malformed: the file ends before.
        """
        data = self.peek(length)
        if len(data) < length:
            self.fail(f"the file ends inside {what}")
        self.offset += length
        return data

    def skip(self, length: int, what: str) -> None:
        """Move on without reading.

        Raises:
            Malformed: the file ends before.
        """
        if length > self.left:
            self.fail(f"{what} is said to be {length} bytes long, and {self.left} are left")
        self.offset += length

    def fail(self, what: str) -> NoReturn:
        """Give up here."""
        raise Malformed(self.offset, what)


@dataclass(frozen=True, slots=True)
class Bytes:
    """A blob in memory: what tests, members of archives and decoded streams are."""

    data: bytes

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.data)

    def at(self, offset: int, length: int) -> bytes:
        """The bytes of `[offset, offset + length)`, cut at the end."""
        return self.data[offset : offset + length]
