"""Which version of each document is handed back."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.model import State
from vigie.timeline import Timeline, Why, plan

Told = Callable[..., Timeline]


def chosen(timeline: Timeline) -> dict[str, tuple[str, Why]]:
    return {c.path: (c.version.content, c.why) for c in plan(timeline).choices}


def lost(timeline: Timeline) -> dict[str, str]:
    return {item.path: item.reason for item in plan(timeline).lost}


def test_each_file_has_its_own_snapshot(told: Told) -> None:
    timeline = told(
        {"/a": "i1", "/b": "i1", "/c": "i1"},
        {"/a": "i2", "/b": "i1", "/c": "i1"},
        {"/a": "e3", "/b": "e2", "/c": "i2"},
    )
    assert chosen(timeline) == {"/a": ("i2", Why.OLDER), "/b": ("i1", Why.OLDER), "/c": ("i2", Why.NEWEST)}
    assert [c.version.snapshot.id[:8] for c in plan(timeline).choices] == ["00000001", "00000000", "00000002"]
    assert "encrypted (it is encrypted)" in plan(timeline).choices[0].note


def test_vanished_is_restored_and_deleted_long_before_is_not(told: Told) -> None:
    timeline = told({"/a": "i1", "/b": "i2", "/c": "i3"}, {"/a": "i1", "/b": "i2"}, {"/b": "e"})
    assert chosen(timeline) == {"/a": ("i1", Why.VANISHED), "/b": ("i2", Why.OLDER)}


def test_moved_by_its_user_since_is_not_doubled(told: Told) -> None:
    timeline = told({"/a": "i1", "/b": "i2"}, {"/d/a": "i1", "/b": "e"})
    assert chosen(timeline) == {"/d/a": ("i1", Why.NEWEST), "/b": ("i2", Why.OLDER)}


def test_longer_names_are_not_restored(told: Told) -> None:
    timeline = told({"/a.pdf": "i1"}, {"/a.pdf.locked": "e1"})
    assert chosen(timeline) == {"/a.pdf": ("i1", Why.VANISHED)}
    assert lost(timeline) == {}


def test_unknown_from_before_is_restored_unverified_and_from_after_is_not(told: Told) -> None:
    timeline = told(
        {"/x.db": "u1", "/y.db": "u1", "/a": "i"},
        {"/x.db": "u2", "/y.db": "u1", "/z.db": "u3", "/a": "e"},
    )
    assert chosen(timeline) == {
        "/x.db": ("u1", Why.UNVERIFIED),
        "/y.db": ("u1", Why.UNVERIFIED),
        "/a": ("i", Why.OLDER),
    }
    notes = {c.path: c.note for c in plan(timeline).choices}
    assert notes["/x.db"].startswith("the newest version from before the attack")
    assert notes["/y.db"].startswith("the newest version,")
    assert lost(timeline) == {"/z.db": "came after the attack began, and cannot be told healthy"}


def test_unknown_without_an_attack_is_the_newest(told: Told) -> None:
    assert chosen(told({"/x": "u1"}, {"/x": "u2"})) == {"/x": ("u2", Why.UNVERIFIED)}


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        (["e1", "e2"], "every version is encrypted"),
        (["-", "d1"], "damaged in all versions, all since the attack began: it is damaged"),
        (["s", "s"], "could not be read: no permission"),
        (["-", "d1", "e1"], "no version is intact (damaged, encrypted)"),
    ],
)
def test_why_something_is_lost(told: Told, versions: list[str], reason: str) -> None:
    # Another file is hit in the second snapshot: that is when it began.
    moments = [{"/o": "i" if number == 0 else "e"} for number in range(len(versions))]
    for moment, content in zip(moments, versions, strict=True):
        moment.update({"/a": content} if content != "-" else {})
    assert lost(told(*moments)) == {"/a": reason}


def test_what_was_damaged_before_the_attack_is_better_than_nothing(told: Told) -> None:
    timeline = told({"/a": "d1", "/o": "i"}, {"/a": "e1", "/o": "e2"})
    assert chosen(timeline) == {"/a": ("d1", Why.UNVERIFIED), "/o": ("i", Why.OLDER)}
    assert (
        plan(timeline).choices[0].note
        == "the newest version from before the attack, which was damaged already"
    )


@pytest.mark.parametrize("now", ["d", "s", "u"])
def test_an_older_intact_version_is_better_than_a_doubtful_one(told: Told, now: str) -> None:
    timeline = told({"/a": "i1"}, {"/a": now})
    assert chosen(timeline) == {"/a": ("i1", Why.OLDER)}


PATHS = st.sampled_from(["/a", "/a.x", "/a.x.locked", "/d/a", "/d/b", "/d/c", "/d/r1", "/d/r2", "/d/r3"])
CONTENTS = st.sampled_from(["i1", "i2", "e1", "e2", "d1", "u1", "u2", "r1", "r2", "s"])


@settings(max_examples=150, deadline=None)
@given(moments=st.lists(st.dictionaries(PATHS, CONTENTS), max_size=6))
def test_whatever_the_backups_say(told: Told, moments: list[dict[str, str]]) -> None:
    timeline = told(*moments)
    made = plan(timeline)
    restored = {c.path for c in made.choices}
    named = restored | {item.path for item in made.lost}
    assert all(c.verdict.state is not State.ENCRYPTED for c in made.choices)
    assert not restored & {item.path for item in made.lost}
    orphans = timeline.became.orphans
    assert orphans <= {document.path for document in timeline.leftovers}
    assert named <= {document.path for document in timeline.documents} | orphans
    # Nothing that is in the newest snapshot is silently left out.
    newest = set(moments[-1]) if moments else set()
    assert newest <= named | {document.path for document in timeline.leftovers}
    assert timeline.affected <= len(timeline.documents) + len(orphans)


def test_the_nearest_thing_to_a_healthy_version(told: Told) -> None:
    timeline = told(
        {"/o": "i"},
        {"/o": "e", "/a": "d1", "/b": "u1", "/c": "r1"},
        {"/o": "e", "/a": "e2", "/b": "e2", "/c": "e2"},
    )
    nearest = {item.path: item.nearest for item in plan(timeline).lost}
    found = {path: (near.version.content, near.why) if near else None for path, near in nearest.items()}
    assert found["/a"] == ("d1", Why.NEAREST)
    assert found["/b"] == ("u1", Why.NEAREST)
    # Random from end to end, of no known format: what encryption leaves.
    assert found.get("/c") is None


def test_older_versions_stand_by(told: Told) -> None:
    [made] = plan(told({"/a": "i1"}, {"/a": "i2"}, {"/a": "u"}, {"/a": "i3"})).choices
    assert made.version.content == "i3"
    assert [version.content for version in made.older] == ["i2", "i1"]
