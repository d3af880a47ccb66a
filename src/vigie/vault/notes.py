"""How what differs between two snapshots is written down: bytes that check themselves, nothing to be run.

A note is a path, and of a file its time and the ids of its pieces: what a source needs to tell it again.
Notes come in parts, each

    16 bytes   BLAKE2b of the rest, keyed with what the part belongs to: another one's does not fit
     4 bytes   length of the next field, most significant byte first
     …         zlib of a JSON array of times and one of numbers of pieces (-1: gone), a NUL, and the paths
               with a NUL between them
     …         the ids, 32 bytes each
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from vigie.model import Gone, Version

NOTES = 8192
"""Notes of a part, at most."""
IDS = 4 << 20
"""Bytes of ids from which a part ends."""
_LARGEST = 64 << 20
"""Bytes of names and numbers of a part, and of its ids; a file of 2 TiB has more ids."""
_SUM, _LENGTH, _ID = 16, 4, 32
_AS = "utf-8", "surrogatepass"
"""Paths are text that may hold any surrogates: these bytes come back as what they were."""


class Note(NamedTuple):
    """A file, or a path that is gone."""

    path: str
    mtime_ns: int
    chunks: bytes | None
    """None: it is gone."""


def written(changes: Iterable[Version | Gone], label: str) -> list[bytes]:
    """The parts, one at least; `label` says what they belong to.

    Raises:
        ValueError: something cannot be written down: a path with a NUL in it, more ids than fit.
    """
    notes: list[list[Note]] = [[]]
    held = 0
    for change in changes:
        if isinstance(change, Gone):
            note = Note(change.path, 0, None)
        else:
            note = Note(change.entry.path, change.entry.mtime_ns, change.chunks)
        if len(notes[-1]) >= NOTES or held >= IDS:
            notes.append([])
            held = 0
        notes[-1].append(note)
        held += len(note.chunks or b"")
    return [_part(part, _key(label, number, len(notes))) for number, part in enumerate(notes)]


def read(parts: Sequence[bytes], label: str) -> Iterator[Note]:
    """The notes in these parts.

    Raises:
        ValueError: this is not what we wrote for `label`; a part that is sound may have been told before.
    """
    for number, part in enumerate(parts):
        try:
            yield from _notes(part, _key(label, number, len(parts)))
        except (zlib.error, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"no notes: {error}") from error


def seal(data: bytes, key: bytes) -> bytes:
    """The bytes with their sum before them, of which `opened` makes sure; the key is 64 bytes at most."""
    return hashlib.blake2b(data, digest_size=_SUM, key=key).digest() + data


def opened(sealed: bytes, key: bytes) -> bytes:
    """What was sealed with this key.

    Raises:
        ValueError: these bytes were not.
    """
    data = sealed[_SUM:]
    if sealed[:_SUM] != hashlib.blake2b(data, digest_size=_SUM, key=key).digest():
        raise ValueError("damaged, or of something else")
    return data


def _key(label: str, number: int, parts: int) -> bytes:
    return hashlib.blake2b(f"{label} {number}/{parts}".encode()).digest()


def _part(notes: Sequence[Note], key: bytes) -> bytes:
    paths = "\0".join(note.path for note in notes)
    ids = b"".join(note.chunks or b"" for note in notes)
    counts = [-1 if note.chunks is None else len(note.chunks) // _ID for note in notes]
    numbers = json.dumps([[note.mtime_ns for note in notes], counts], separators=(",", ":"))
    text = b"\0".join((numbers.encode(), paths.encode(*_AS)))
    odd = any(note.chunks is not None and len(note.chunks) % _ID for note in notes)
    if odd or paths.count("\0") != max(0, len(notes) - 1) or max(len(text), len(ids)) > _LARGEST:
        raise ValueError("something in it cannot be noted")
    packed = zlib.compress(text, 1)
    return seal(len(packed).to_bytes(_LENGTH) + packed + ids, key)


def _notes(part: bytes, key: bytes) -> Iterator[Note]:
    data = opened(part, key)
    start = _LENGTH + int.from_bytes(data[:_LENGTH])
    unpacking = zlib.decompressobj()
    text = unpacking.decompress(data[_LENGTH:start], _LARGEST + 1)
    if len(text) > _LARGEST or not unpacking.eof:
        raise ValueError("too long, or cut short")
    numbers, _, names = text.partition(b"\0")
    times, counts = json.loads(numbers)
    paths = names.decode(*_AS).split("\0") if times else []
    if not len(times) == len(counts) == len(paths):
        raise ValueError("numbers and paths do not fit")
    for path, mtime_ns, count in zip(paths, times, counts, strict=True):
        end = start + _ID * max(count, 0)
        if type(mtime_ns) is not int or type(count) is not int or end > len(data):
            raise ValueError("numbers do not fit")
        yield Note(path, mtime_ns, data[start:end] if count >= 0 else None)
        start = end
    if start != len(data):
        raise ValueError("ids are left over")
