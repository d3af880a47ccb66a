"""What differs, written down and read again; whatever else is in its place is no notes."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.model import Entry, Gone, OpenBlob, Snapshot, Version
from vigie.vault import notes
from vigie.vault.notes import Note, opened, read, seal, written

SNAPSHOT = Snapshot("s", 1)


def closed() -> OpenBlob:
    raise Unreadable("nothing is opened here")


def version(path: str, mtime_ns: int = 1, chunks: bytes = b"") -> Version:
    return Version(SNAPSHOT, Entry(path, 1, mtime_ns, closed), "c", None, chunks)


def expected(changes: list[Version | Gone]) -> list[Note]:
    return [
        Note(c.path, 0, None) if isinstance(c, Gone) else Note(c.entry.path, c.entry.mtime_ns, c.chunks)
        for c in changes
    ]


PATHS = st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=20)
IDS = st.integers(0, 3).flatmap(lambda n: st.binary(min_size=32 * n, max_size=32 * n))
CHANGES = st.lists(st.builds(Gone, PATHS) | st.builds(version, PATHS, st.integers(), IDS), max_size=30)


@settings(max_examples=100, deadline=None)
@given(CHANGES, st.integers(1, 9), st.integers(1, 200))
def test_what_is_written_is_read(changes: list[Version | Gone], most: int, ids: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notes, "NOTES", most)
        patch.setattr(notes, "IDS", ids)
        parts = written(changes, "a b")
    assert list(read(parts, "a b")) == expected(changes)
    assert len(parts) >= max(1, len(changes) // most)


def test_surrogates_stay_apart() -> None:
    path = "/\udce9\ud83d\ude00 é"
    assert [note.path for note in read(written([Gone(path)], ""), "")] == [path]


def test_nothing_and_an_empty_path_are_two_things() -> None:
    assert list(read(written([], ""), "")) == []
    assert list(read(written([Gone("")], ""), "")) == [Note("", 0, None)]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damage_is_noticed(data: st.DataObject) -> None:
    [part] = written([version("/a", 2, bytes(64)), Gone("/b")], "x")
    at = data.draw(st.integers(0, len(part) - 1))
    struck = bytearray(part)
    struck[at] ^= data.draw(st.integers(1, 255))
    for other in (bytes(struck), part[:at], part + b"\0"):
        with pytest.raises(ValueError, match="damaged"):
            list(read([other], "x"))


def test_a_part_of_something_else_is_noticed() -> None:
    one, two = written([Gone("/a")], "x"), written([Gone("/b")], "y")
    for parts in (two, one * 2, [*one, *two]):
        with pytest.raises(ValueError, match="something else"):
            list(read(parts, "x"))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[[],[]]",
        b'[["1"],[0]]\0/a',
        b"[[1],[true]]\0/a",
        b"[[1],[9]]\0/a",
        b"[[1],[0]]\0/a",
        b"[[1,2],[1,0]]\0/a",
        b"[1,2]\0/a",
        b"[" * 100_000,
        b"[[1],[1]]\0\xff",
    ],
)
@pytest.mark.parametrize("cut", [0, 3])
def test_what_is_sealed_and_makes_no_sense_is_no_notes(text: bytes, cut: int) -> None:
    packed = zlib.compress(text)
    packed = packed[: len(packed) - cut]
    part = seal(len(packed).to_bytes(4) + packed + bytes(32), notes._key("x", 0, 1))
    with pytest.raises(ValueError):  # noqa: PT011 - each says something else
        list(read([part], "x"))


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "_LARGEST", 1000)
    packed = zlib.compress(b"[[1],[0]]\0" + b"a" * 1000)
    part = seal(len(packed).to_bytes(4) + packed, notes._key("x", 0, 1))
    with pytest.raises(ValueError, match="too long"):
        list(read([part], "x"))


@pytest.mark.parametrize("odd", [Gone("/a\0b"), version("/a", 1, b"short"), version("/a", 1, bytes(3200))])
def test_what_cannot_be_noted_is_refused(odd: Version | Gone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "_LARGEST", 3000)
    with pytest.raises(ValueError, match="cannot be noted"):
        written([Gone("/z"), odd], "x")


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=64))
def test_seals(data: bytes, key: bytes) -> None:
    assert opened(seal(data, key), key) == data
    with pytest.raises(ValueError, match="damaged"):
        opened(seal(data, key) + b"\0", key)
