"""Which documents were hit, since when, and which snapshot holds each of them clean."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.model import Gone, Snapshot
from vigie.timeline import Affected, Story, Timeline, affected

Told = Callable[..., Timeline]


def number(snapshot: Snapshot | None) -> int | None:
    return int(snapshot.id[:8]) if snapshot else None


def said(timeline: Timeline) -> dict[str, tuple[int | None, int | None, str, bool]]:
    return {item.document.path: _row(item) for item in affected(timeline)}


def _row(item: Affected) -> tuple[int | None, int | None, str, bool]:
    return number(item.hit), number(item.clean), item.now, item.sure


def test_nothing(told: Told) -> None:
    assert said(told({"/a": "i"}, {"/a": "i2"}, {})) == {}


def test_in_place(told: Told) -> None:
    files = {"/d/a": "i", "/d/b": "i"}
    assert said(told(files, {**files, "/d/a": "i2"}, {**files, "/d/a": "e"})) == {
        "/d/a": (2, 1, "/d/a", True)
    }


def test_renamed(told: Told) -> None:
    timeline = told({"/d/a.pdf": "i", "/d/b": "i"}, {"/d/a.pdf.locked": "e", "/d/b": "i"})
    assert said(timeline) == {"/d/a.pdf": (1, 0, "/d/a.pdf.locked", True)}


def test_repaired_since_is_among_them(told: Told) -> None:
    assert said(told({"/a": "i"}, {"/a": "e"}, {"/a": "i"})) == {"/a": (1, 2, "/a", True)}


def test_never_clean(told: Told) -> None:
    assert said(told({"/a": "e"}, {"/a": "e"})) == {"/a": (0, None, "/a", True)}


def test_struck_and_then_taken_away(told: Told) -> None:
    assert said(told({"/a": "i", "/b": "i"}, {"/a": "e", "/b": "i"}, {"/b": "i"}))["/a"] == (1, 0, "", True)


@pytest.mark.parametrize(("after", "now"), [("d", "/d/a"), ("s", "")])
def test_spoilt(told: Told, after: str, now: str) -> None:
    assert said(told({"/d/a": "i"}, {"/d/a": after})) == {"/d/a": (1, 0, now, False)}


def test_what_was_never_intact_is_not_spoilt(told: Told) -> None:
    assert said(told({"/a": "d"}, {"/a": "d2"})) == {}


def test_half_a_folder_swept_away(told: Told) -> None:
    files = {f"/d/{n}": f"i{n}" for n in range(8)} | {"/e/a": "i", "/e/b": "i"}
    left = {"/d/0": "e", "/d/1": "i1", "/e/a": "i"}
    found = said(told(files, left))
    assert set(found) == {f"/d/{n}" for n in range(8)} - {"/d/1"}
    assert found["/d/5"] == (1, 0, "", False)


def test_a_few_deleted_by_users_are_not_swept_away(told: Told) -> None:
    files = {f"/d/{n}": f"i{n}" for n in range(20)}
    left = {path: content for path, content in files.items() if path not in ("/d/1", "/d/2")}
    assert set(said(told(files, {**left, "/d/0": "e"}))) == {"/d/0"}


def test_something_unrecognised_came_as_they_went(told: Told) -> None:
    files = {f"/d/{n}": f"i{n}" for n in range(20)}
    left = {path: content for path, content in files.items() if path not in ("/d/1", "/d/2")}
    assert set(said(told(files, {**left, "/d/0": "e", "/d/x": "r"}))) == {"/d/0", "/d/1", "/d/2"}


def test_folders_kept_in_snapshots_of_their_own(told: Told) -> None:
    timeline = told(
        {"/d/a": "i"}, {"/e/b": "i"}, {"/d/a": "e"}, {"/e/b": "i"}, paths=[["/d"], ["/e"], ["/d"], ["/e"]]
    )
    # Snapshot 1 lies between, and does not hold it.
    assert said(timeline) == {"/d/a": (2, 0, "/d/a", True)}


def test_snapshots_whose_files_are_named_without_their_folder(told: Told) -> None:
    """As `restic backup .` makes them."""
    files = {"/a.pdf": "i", "/b": "i"}
    timeline = told(files, files, {"/a.pdf.locked": "e", "/b": "i"}, paths=[["/srv"]] * 3)
    assert timeline.began == 2
    assert said(timeline) == {"/a.pdf": (2, 1, "/a.pdf.locked", True)}


LIFE = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["create", "edit", "rename", "delete"]), st.integers(0, 9)),
        max_size=5,
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(LIFE, st.sets(st.integers(0, 9), max_size=6), st.booleans(), st.integers(0, 2))
def test_any_small_history(
    told: Told, life: list[list[tuple[str, int]]], struck: set[int], renamed: bool, later: int
) -> None:
    """Whatever users did before and after, the struck ones are named, and their newest clean snapshot."""
    files = {f"/d/{n}.pdf": f"i{n}" for n in range(3)}
    moments = [dict(files)]
    serial = 100
    for step in life:
        for deed, n in step:
            path = f"/d/{n}.pdf"
            serial += 1
            if deed == "create" or (deed == "edit" and path in files):
                files[path] = f"i{serial}"
            elif deed == "rename" and path in files:
                files[f"/d/moved{serial}.pdf"] = files.pop(path)
            elif deed == "delete":
                files.pop(path, None)
        moments.append(dict(files))
    targets = [path for place, path in enumerate(sorted(files)) if place in struck]
    clean = {path: len(moments) - 1 for path in targets}
    for path in targets:
        content = files.pop(path)
        files[path + ".locked" * renamed] = "e" + content
    moments += [dict(files)] * (1 + later)
    found = said(told(*moments))
    assert {path: row[1] for path, row in found.items()} == clean
    assert all(row[0] == clean[path] + 1 and row[3] for path, row in found.items())
    assert {row[2] for row in found.values()} == {path + ".locked" * renamed for path in targets}


def test_an_empty_story() -> None:
    story = Story()
    story.add(Snapshot("00000000", 1), [Gone("/never/seen")])
    assert list(affected(story.end())) == []
