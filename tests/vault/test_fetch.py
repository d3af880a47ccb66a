"""The backup, read ahead in a thread."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from vigie.errors import DiskFull, Unreadable
from vigie.model import Attributes, Entry, Gone, OpenBlob, Skipped, Snapshot, Version
from vigie.vault.fetch import AHEAD, Fetch, Piece

SNAPSHOT = Snapshot("s", 1)


class Memory:
    """An open blob in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)
        self.closed = False

    def at(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self.closed = True


class Plain:
    """A source that only opens files."""

    location = "memory"
    damage: tuple[Skipped, ...] = ()

    def snapshots(self) -> tuple[Snapshot, ...]:
        return (SNAPSHOT,)

    def versions(self, snapshot: Snapshot) -> Iterator[Version | Skipped]:
        raise AssertionError(snapshot)

    def changes(self, before: Snapshot | None, after: Snapshot) -> Iterator[Version | Skipped | Gone]:
        raise AssertionError(before, after)

    def head(self, version: Version) -> OpenBlob:
        raise AssertionError(version)

    def attributes(self, version: Version) -> Attributes:
        raise AssertionError(version)

    def close(self) -> None:
        pass


class InPieces(Plain):
    """One that gives pieces."""

    def __init__(self, *pieces: bytes | Unreadable) -> None:
        self.pieces = pieces
        self.given = 0

    def read(self, version: Version) -> Iterator[bytes]:
        assert version.snapshot is SNAPSHOT
        for piece in self.pieces:
            if isinstance(piece, Unreadable):
                raise piece
            self.given += 1
            yield piece


@dataclass(frozen=True)
class Job:
    wanted: Version | None


def job(size: int, blob: Memory | None = None) -> Job:
    def opened() -> OpenBlob:
        if blob is None:
            raise Unreadable("it cannot be opened")
        return blob

    return Job(Version(SNAPSHOT, Entry("/a", size, 1, opened), "c"))


def fetched(source: Plain, *jobs: Job) -> list[tuple[int, bool, str]]:
    with Fetch(source, iter(jobs)) as fetch:
        return [(len(piece.data), piece.last, piece.trouble) for piece in fetch]


def test_pieces_in_order() -> None:
    assert fetched(InPieces(b"a", b"bc"), Job(None), job(3), job(3)) == [
        (0, True, ""),
        *[(1, False, ""), (2, True, "")] * 2,
    ]
    assert fetched(InPieces(), job(0)) == [(0, True, "")]
    assert fetched(InPieces()) == []


def test_a_source_that_only_opens() -> None:
    blob = Memory(bytes((1 << 20) + 5))
    assert fetched(Plain(), job(blob.size, blob)) == [(1 << 20, False, ""), (5, True, "")]
    assert blob.closed
    assert fetched(Plain(), job(9)) == [(0, True, "it cannot be opened")]


def test_what_cannot_be_read_or_is_of_another_size() -> None:
    assert fetched(InPieces(b"a", b"b", Unreadable("gone")), job(9), Job(None)) == [
        (1, False, ""),
        (0, True, "gone"),
        (0, True, ""),
    ]
    assert fetched(InPieces(b"a"), job(2)) == [(1, True, "the backup gave 1 bytes instead of 2")]


def test_what_the_jobs_raise_comes_at_its_place() -> None:
    def jobs() -> Iterator[Job]:
        yield Job(None)
        raise DiskFull("to", "full", "make room")

    seen: list[Piece[Job]] = []
    with Fetch(Plain(), jobs()) as fetch, pytest.raises(DiskFull):
        seen.extend(fetch)
    assert len(seen) <= 1


def test_it_does_not_run_ahead_without_bound_and_ends_when_nobody_reads() -> None:
    source = InPieces(*[bytes(1 << 20)] * 200)
    with Fetch(source, iter([job(200 << 20)])) as fetch:
        assert next(iter(fetch)).last is False
    assert source.given <= 2 * (AHEAD >> 20) + 3
    assert not [thread for thread in threading.enumerate() if thread.name == "fetch"]


class Here(InPieces):
    """One on a disk of this machine."""

    far = False


def test_what_is_near_is_read_where_it_is_wanted() -> None:
    before = threading.active_count()
    source = Here(b"a", b"bc")
    with Fetch(source, iter([job(3), Job(None)])) as fetch:
        assert threading.active_count() == before
        pieces = iter(fetch)
        assert next(pieces).data == b"a"
        assert source.given == 2  # one is held back, to say of it that it is the last
        assert [piece.data for piece in pieces] == [b"bc", b""]


def test_a_limit_is_kept_for_what_is_near() -> None:
    with Fetch(Here(bytes(500)), iter([job(500)]), 1000) as fetch:
        assert [len(piece.data) for piece in fetch] == [500]


def test_a_limit_does_not_keep_the_end_waiting() -> None:
    source = InPieces(*[bytes(1 << 20)] * 9)
    with Fetch(source, iter([job(9 << 20)]), 1000):
        pass  # a piece would take a quarter of an hour
    assert source.given <= 2
