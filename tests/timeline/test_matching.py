"""Which of the files that came was made of which of those that vanished, in one folder at one moment."""

from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.model import Entry, OpenBlob, Skipped, Snapshot, State, Verdict, Version
from vigie.timeline import Document
from vigie.timeline.matching import FOOTER, PADDING, added, matched

AT = Snapshot("0", 0)
serial = count()


def closed() -> OpenBlob:
    raise Unreadable("nothing in this room opens a file")


def file(path: str, size: int, pieces: str = "") -> Document:
    """`pieces`: a letter for each."""
    document = Document(path, 0)
    chunks = b"".join(letter.encode() * 32 for letter in pieces)
    version = Version(AT, Entry(path, size, 1, closed), f"{next(serial)}", None, chunks)
    document.see(0, version, Verdict(State.UNKNOWN), began=True)
    return document


def unread(path: str) -> Document:
    document = Document(path, 0)
    document.see(0, Skipped(path, "no permission"), Verdict.skipped("no permission"), began=True)
    return document


def files(**sizes: int) -> list[Document]:
    return [file(path, size) for path, size in sizes.items()]


def test_nothing() -> None:
    assert matched([], [], 0).pairs == {}
    assert added([]) == 0


def test_each_has_its_size() -> None:
    match = matched(files(x=30, y=10, z=20), files(a=10, b=20, c=30), 0)
    assert match.pairs == {"a": "y", "b": "z", "c": "x"}
    assert (match.left, match.missing) == ((), ())


def test_of_two_of_one_size_nobody_knows_which_became_which() -> None:
    match = matched(files(x=30, y=10, z=10), files(a=10, b=10, c=30), 0)
    assert match.pairs == {"a": "", "b": "", "c": "x"}


def test_one_that_vanished_otherwise() -> None:
    match = matched(files(x=30, y=10), files(a=10, b=20, c=30), 0)
    assert match.pairs == {"a": "y", "c": "x"}
    assert [one.path for one in match.missing] == ["b"]


def test_fewer_came_than_vanished_of_one_size() -> None:
    match = matched(files(x=10), files(a=10, b=10), 0)
    assert (match.pairs, len(match.left), len(match.missing)) == ({}, 1, 2)


def test_more_came_than_vanished_of_one_size() -> None:
    """One of them was never saved, or had another size: perhaps none was made of the one that vanished."""
    match = matched(files(x=10, y=10, z=5), files(a=10), 0)
    assert (match.pairs, len(match.left), len(match.missing)) == ({}, 3, 1)


@pytest.mark.parametrize(
    ("sizes", "more", "pairs"),
    [
        ((100, 200), 0, {"a": "x", "b": "y"}),
        ((100 + 256, 200 + 256), 256, {"a": "x", "b": "y"}),
        ((100 + 256, 200 + 256 + PADDING), 256, {"a": "x", "b": "y"}),
        ((100 + 256, 200 + 256 + PADDING + 1), 256, {"a": "x"}),
        ((99, 200), 0, {"b": "y"}),
    ],
)
def test_what_the_attack_adds(sizes: tuple[int, int], more: int, pairs: dict[str, str]) -> None:
    came, lost = files(x=sizes[0], y=sizes[1]), files(a=100, b=200)
    assert matched(came, lost, more).pairs == pairs


def test_padded_ones_of_nearly_one_size_are_not_told_apart() -> None:
    lost = files(a=100, b=100 + 2 * PADDING, c=200)
    assert matched(files(x=101, y=143, z=201), lost, 0).pairs == {"a": "", "b": "", "c": "z"}
    # Where all grow by as much, one byte is enough.
    assert matched(files(x=101, y=102), files(a=100, b=101), 1).pairs == {"a": "x", "b": "y"}


def test_most_tell_what_is_added() -> None:
    def place(*grown: int) -> tuple[list[Document], list[Document]]:
        sizes = [1000 * (n + 1) for n in range(len(grown))]
        came = [file(f"x{n}", size + more) for n, (size, more) in enumerate(zip(sizes, grown, strict=True))]
        return came, [file(f"a{n}", size) for n, size in enumerate(sizes)]

    assert added([place(256, 256), place(7), place(256)]) == 256
    assert added([place(256, 256)]) == 0  # two are not enough
    assert added([place(FOOTER + 1, FOOTER + 1, FOOTER + 1)]) == 0
    assert added([place(-1, -1, -1)]) == 0
    came, lost = place(256, 256, 256)
    assert added([(came[1:], lost)]) == 0  # as many must have come as vanished


def test_pieces_tell_more_than_sizes() -> None:
    came = [file("x", 99, "mno"), file("y", 30, "pq")]
    lost = [file("a", 30, "mnz"), file("b", 77, "rqs")]
    assert matched(came, lost, 0).pairs == {"a": "x", "b": "y"}


@pytest.mark.parametrize(
    ("came", "lost"),
    [
        (["mn"], ["mx", "my"]),
        (["mn", "mo"], ["mx", "zz"]),
        (["mn"], ["mx", "nx"]),
        (["m"], ["m", "k"]),
    ],
    ids=["a piece of two", "two with a piece", "pieces of both", "one piece"],
)
def test_pieces_that_tell_nothing(came: list[str], lost: list[str]) -> None:
    new = [file(f"x{n}", 1000 + n, pieces) for n, pieces in enumerate(came)]
    old = [file(f"a{n}", 5000 + n, pieces) for n, pieces in enumerate(lost)]
    assert matched(new, old, 0).pairs == {}


def test_what_was_never_read_has_no_size() -> None:
    assert matched([file("x", 5)], [unread("a")], 0).pairs == {}
    assert matched([unread("x")], [file("a", 5)], 0).pairs == {}


SIZES = st.lists(st.integers(0, 60), max_size=8)


@settings(max_examples=200, deadline=None)
@given(SIZES, SIZES, st.integers(0, 40))
def test_whatever_their_sizes(new: list[int], old: list[int], more: int) -> None:
    came = [file(f"x{n}", size) for n, size in enumerate(new)]
    lost = [file(f"a{n}", size) for n, size in enumerate(old)]
    match = matched(came, lost, more)
    heirs = [heir for heir in match.pairs.values() if heir]
    assert len(heirs) == len(set(heirs))
    assert set(match.pairs) | {one.path for one in match.missing} == {one.path for one in lost}
    assert not set(match.pairs) & {one.path for one in match.missing}
    assert not set(heirs) & {one.path for one in match.left}
    assert len(match.pairs) <= len(came) - len(match.left)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=12), st.integers(0, FOOTER), st.randoms(use_true_random=False))
def test_an_attack_on_a_folder_is_told_as_a_whole(sizes: list[int], more: int, dice: Random) -> None:
    """Whatever the sizes: each is known to be struck, and a name that is given is the right one."""
    shuffled = list(enumerate(sizes))
    dice.shuffle(shuffled)
    came = [file(f"{n}", size + more) for n, size in shuffled]
    lost = [file(f"a{n}", size) for n, size in enumerate(sizes)]
    match = matched(came, lost, more)
    assert set(match.pairs) == {one.path for one in lost}
    assert all(heir in ("", path[1:]) for path, heir in match.pairs.items())
    assert all(match.pairs[f"a{n}"] for n, size in enumerate(sizes) if sizes.count(size) == 1)
