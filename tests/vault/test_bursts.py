"""Which changed files may stand for each other, and which may not."""

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.model import Entry, OpenBlob, Snapshot, Version
from vigie.timeline import Look
from vigie.timeline.triage import FOOTER
from vigie.vault.bursts import GAP_NS, bursts
from vigie.vault.stages import Open

AT = Snapshot("1", 1)
OLD, NOON = 1_000_000_000, 1_700_000_000_000_000_000


def closed() -> OpenBlob:
    raise Unreadable("nothing is opened here")


def version(path: str, size: int, mtime_ns: int) -> Version:
    return Version(AT, Entry(path, size, mtime_ns, closed), f"{path} {size}")


def changed(path: str, mtime_ns: int = NOON, grown: int = 0, group: str = "") -> Open:
    look = Look(None, "it changed", group=group)
    return Open(version(path, 50_000 + grown, mtime_ns), look, version(path, 50_000, OLD))


def new(path: str, group: str = "") -> Open:
    return Open(version(path, 50_000, NOON), Look(None, "it is new", group=group))


def paths(opened: list[Open]) -> list[str]:
    return [open_.version.entry.path for open_ in opened]


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (changed("/a/1.jpg"), changed("/b/2.JPG"), True),
        (changed("/1.jpg"), changed("/2.jpg", NOON + GAP_NS), True),
        (changed("/1.jpg"), changed("/2.jpg", NOON + GAP_NS + 1), False),
        (changed("/1.jpg"), changed("/2.png"), False),
        (changed("/1"), changed("/d.jpg/2"), True),
        (changed("/1.jpg"), changed("/2.jpg", grown=1), False),
        (changed("/1.jpg", grown=513), changed("/2.jpg", grown=528), True),
        (changed("/1.jpg", grown=528), changed("/2.jpg", grown=529), False),
        (changed("/1.jpg", OLD), changed("/2.jpg", OLD), True),
        (changed("/1.jpg", OLD), changed("/2.jpg"), False),
    ],
    ids=[
        "same kind and moment",
        "just within a burst",
        "just after it",
        "another kind",
        "no ending",
        "another growth",
        "padded to the same block",
        "to the next block",
        "both times put back",
        "one time put back",
    ],
)
def test_two_of_a_kind(one: Open, other: Open, together: bool) -> None:
    alone, groups = bursts([one, other])
    assert alone == []
    assert len(groups) == (1 if together else 2)


def test_a_burst_goes_on_as_long_as_files_come() -> None:
    opened = [changed(f"/{number}.jpg", NOON + number * GAP_NS) for number in range(50)]
    assert bursts(opened) == ([], [opened])


@pytest.mark.parametrize(
    "open_", [new("/a.pdf"), changed("/a.jpg", grown=-1), changed("/a.jpg", grown=FOOTER + 1)]
)
def test_what_no_attack_in_place_leaves_stands_for_itself(open_: Open) -> None:
    assert bursts([open_]) == ([open_], [])


def test_groups_of_the_first_look_stay_together() -> None:
    text = [changed("/a.txt", grown=-5, group="text"), changed("/b.csv", OLD, group="text")]
    random = [new("/a.x", "new ones"), new("/b.x", "new ones")]
    assert bursts([text[0], random[0], text[1], random[1]]) == ([], [text, random])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["/a.jpg", "/b.pdf", "/c", "/.d", "/e."]),
            st.sampled_from([OLD, 0, NOON, NOON + GAP_NS, NOON + 3 * GAP_NS]),
            st.integers(-20, 1200),
        )
    )
)
def test_each_is_in_one_place_and_in_order(drawn: list[tuple[str, int, int]]) -> None:
    opened = [changed(f"/{n}{path}", when, grown) for n, (path, when, grown) in enumerate(drawn)]
    alone, groups = bursts(opened)
    assert sorted(paths([*alone, *chain(*groups)])) == sorted(paths(opened))
    order = {id(open_): number for number, open_ in enumerate(opened)}
    for group in [alone, *groups]:
        assert [order[id(open_)] for open_ in group] == sorted(order[id(open_)] for open_ in group)
    for group in groups:
        growths = {open_.version.entry.size - 50_000 for open_ in group}
        assert max(growths) - min(growths) < 16
