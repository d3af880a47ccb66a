"""When it began, what is hit, what vanished."""

from collections.abc import Callable

import pytest

from vigie.errors import NoSuchTarget
from vigie.model import Entry, Gone, OpenBlob, Snapshot, State, Verdict, Version
from vigie.timeline import Story, Timeline, one_machine
from vigie.timeline.coverage import covers

Told = Callable[..., Timeline]
THREE = {"/d/a.pdf": "i1", "/d/b.pdf": "i2", "/d/c.pdf": "i3"}


def ids(timeline: Timeline) -> tuple[str | None, str | None]:
    clean, hit = timeline.last_clean, timeline.first_hit
    return (clean.id[:8] if clean else None, hit.id[:8] if hit else None)


def leftovers(timeline: Timeline) -> tuple[str, ...]:
    return tuple(document.path for document in timeline.leftovers)


def test_nothing_happened(told: Told) -> None:
    timeline = told(THREE, THREE)
    assert ids(timeline) == ("00000001", None)
    assert (timeline.affected, timeline.began, timeline.leftovers) == (0, None, ())
    assert [(row.files, row.new, row.changed) for row in timeline.rows] == [(3, 3, 0), (3, 0, 0)]


def test_no_snapshot_at_all() -> None:
    assert ids(Story().end()) == (None, None)


def test_encrypted_in_place(told: Told) -> None:
    timeline = told(THREE, {**THREE, "/d/a.pdf": "i9"}, {**THREE, "/d/a.pdf": "e1"})
    assert ids(timeline) == ("00000001", "00000002")
    assert timeline.affected == 1
    assert [row.changed for row in timeline.rows] == [0, 1, 1]
    assert [row.encrypted for row in timeline.rows] == [0, 0, 1]


def test_a_file_encrypted_from_its_first_day_is_not_the_onset(told: Told) -> None:
    timeline = told(
        {**THREE, "/d/x": "e0"}, {**THREE, "/d/x": "e0"}, {**THREE, "/d/x": "e0", "/d/a.pdf": "e1"}
    )
    assert ids(timeline) == ("00000001", "00000002")


def test_but_it_is_where_nothing_else_tells(told: Told) -> None:
    timeline = told({**THREE, "/d/x": "e0"}, {"/d/x": "e0"})
    assert ids(timeline) == (None, "00000000")
    # Nothing says that somebody else than their user deleted the others.
    assert timeline.vanished == frozenset()
    assert timeline.gone == set(THREE)


def test_longer_names_are_the_same_documents(told: Told) -> None:
    locked = {f"{path}.id-7.[m@x.org].crypt": "e" + content for path, content in THREE.items()}
    timeline = told(THREE, locked)
    assert ids(timeline) == ("00000000", "00000001")
    assert [document.path for document in timeline.documents] == sorted(THREE)
    assert leftovers(timeline) == tuple(sorted(locked))
    assert timeline.vanished == set(THREE)
    assert timeline.affected == 3


def test_a_copy_beside_an_original_that_is_still_there(told: Told) -> None:
    timeline = told(THREE, {**THREE, "/d/a.pdf.locked": "e1"})
    assert leftovers(timeline) == ("/d/a.pdf.locked",)
    assert (timeline.vanished, timeline.affected) == (frozenset(), 0)


def test_the_original_goes_one_snapshot_later(told: Told) -> None:
    timeline = told(THREE, {**THREE, "/d/a.pdf.locked": "e1"}, {"/d/a.pdf.locked": "e1"})
    assert timeline.vanished == set(THREE)


def test_a_longer_name_of_something_deleted_long_ago_is_not_what_became_of_it(told: Told) -> None:
    rest = {"/d/b.pdf": "i2"}
    timeline = told({"/d/a.pdf": "i1", **rest}, rest, {**rest, "/d/a.pdf.locked": "e1"})
    assert leftovers(timeline) == ("/d/a.pdf.locked",)
    assert timeline.gone == {"/d/a.pdf"}
    assert timeline.vanished == frozenset()


def test_encrypted_already_at_the_first_backup_of_the_folder(told: Told) -> None:
    timeline = told({"/d/a.pdf": "i1", "/d/a.pdf.locked": "e1"}, {"/d/a.pdf.locked": "e1"})
    assert ids(timeline) == (None, "00000000")
    assert timeline.vanished == {"/d/a.pdf"}
    assert leftovers(timeline) == ("/d/a.pdf.locked",)


def test_everything_renamed_to_random_names(told: Told) -> None:
    timeline = told(THREE, {"/d/x1": "r1", "/d/x2": "r2", "/d/x3": "r3"})
    assert ids(timeline) == ("00000000", "00000001")
    assert timeline.vanished == set(THREE)
    assert leftovers(timeline) == ("/d/x1", "/d/x2", "/d/x3")
    assert timeline.rows[1].suspect == 3


@pytest.mark.parametrize(
    "after",
    [
        {"/d/x1": "r1", "/d/x2": "r2", "/d/c.pdf": "i3"},
        {**THREE, "/d/x1": "r1", "/d/x2": "r2", "/d/x3": "r3"},
        {"/e/x1": "r1", "/e/x2": "r2", "/e/x3": "r3"},
        {"/d/x1": "u1", "/d/x2": "u2", "/d/x3": "u3"},
    ],
    ids=["too few", "nothing vanished", "another folder", "not random"],
)
def test_what_is_no_such_renaming(told: Told, after: dict[str, str]) -> None:
    assert told(THREE, after).first_hit is None


def test_a_key_beside_an_archive_is_no_leftover(told: Told) -> None:
    files = {"/d/archive.tar": "i1", "/d/archive.tar.key": "r1"}
    timeline = told(files, {**files, "/d/z.pdf": "i"}, {**files, "/d/z.pdf": "e"})
    assert leftovers(timeline) == ()


def test_deleted_by_its_user_before_and_since(told: Told) -> None:
    two = {"/d/a.pdf": "i1", "/d/b.pdf": "i2"}
    timeline = told(THREE, two, {"/d/a.pdf": "e1"})
    assert timeline.gone == {"/d/c.pdf"}
    assert timeline.vanished == {"/d/b.pdf"}
    assert timeline.affected == 2


def test_folders_kept_in_snapshots_of_their_own(told: Told) -> None:
    timeline = told(
        {"/d/a.pdf": "i1"},
        {"/e/b.pdf": "i2"},
        {"/d/a.pdf": "e1"},
        {"/e/b.pdf": "i2"},
        paths=[["/d"], ["/e"], ["/d"], ["/e"]],
    )
    assert (timeline.vanished, timeline.gone) == (frozenset(), frozenset())
    assert ids(timeline) == ("00000001", "00000002")


def test_the_first_backup_of_another_folder_says_nothing_of_the_moment(told: Told) -> None:
    timeline = told(
        {"/d/a.pdf": "i1"}, {"/e/b.pdf": "e2"}, {"/d/a.pdf": "e1"}, paths=[["/d"], ["/e"], ["/d"]]
    )
    assert ids(timeline) == ("00000001", "00000002")


def test_what_cannot_be_read_is_not_missing(told: Told) -> None:
    timeline = told(THREE, {"/d": "s"})
    assert timeline.gone | timeline.vanished == frozenset()
    assert told(THREE, {"/": "s"}).gone == frozenset()
    assert told(THREE, {"/other": "s"}).gone == set(THREE)


def test_a_folder_that_could_not_be_read_once_is_no_document(told: Told) -> None:
    timeline = told(THREE, {"/d": "s"}, THREE)
    assert timeline.gone == {"/d"}
    assert timeline.affected == 0


def test_suspect_is_what_was_intact_once(told: Told) -> None:
    timeline = told(
        {"/a": "i", "/b": "i", "/c": "i", "/d": "u", "/e": "i"},
        {"/a": "d", "/b": "u", "/c": "s", "/d": "u2", "/e": "i2"},
    )
    assert timeline.rows[1].suspect == 3
    assert timeline.affected == 2  # damaged, unreadable


def test_a_source_without_content_addresses() -> None:
    story = Story()
    for number, size in enumerate((10, 10, 11)):
        at = Snapshot(str(number), number)
        entry = Entry("/a", size, 5, _closed)
        row = story.add(at, [(Version(at, entry, ""), Verdict(State.INTACT))])
    assert row.changed == 1
    assert [r.changed for r in story.end().rows] == [0, 0, 1]


def _closed() -> OpenBlob:
    raise AssertionError


def test_equal_times_are_said() -> None:
    story = Story()
    for number in range(2):
        story.add(Snapshot(f"{number}" * 16, 7), [])
    assert "11111111 is dated no later than 00000000" in story.end().notes[0]


@pytest.mark.parametrize(
    ("tops", "path", "expected"),
    [
        (("/srv",), "/srv/a", True),
        (("/srv/",), "/srv/a", True),
        (("/srv",), "/srvx/a", False),
        (("/srv/a",), "/srv/a", True),
        (("/",), "/srv/a", True),
        ((), "/srv/a", True),
        (("/x", "/srv"), "/srv/a", True),
    ],
)
def test_covers(tops: tuple[str, ...], path: str, expected: bool) -> None:
    assert covers(Snapshot("1", 1, paths=tops), path) is expected


def test_one_machine() -> None:
    here, there = Snapshot("1", 1, host="here"), Snapshot("2", 2, host="there")
    assert one_machine([here], None, "repo") == (here,)
    assert one_machine([here, there], "there", "repo") == (there,)
    with pytest.raises(NoSuchTarget) as several:
        one_machine([here, there], None, "repo")
    assert "--host here|there" in several.value.remedy
    with pytest.raises(NoSuchTarget, match="no snapshot of the machine elsewhere"):
        one_machine([here], "elsewhere", "repo")
    with pytest.raises(NoSuchTarget, match="no snapshot is in it"):
        one_machine([], None, "repo")


def test_what_could_not_be_read_is_never_the_last_clean(told: Told) -> None:
    assert ids(told(THREE, {"/": "s"})) == ("00000000", None)
    assert ids(told({"/": "s"}, {"/": "s"})) == (None, None)
    struck = {**THREE, "/d/a.pdf": "e1"}
    timeline = told(THREE, {"/d": "s"}, struck)
    assert ids(timeline) == ("00000000", "00000002")
    assert [row.unread for row in timeline.rows] == [0, 1, 0]


def test_a_folder_that_two_series_keep_is_not_lost_to_the_one_that_leaves_it() -> None:
    story = Story()
    wide, narrow = ("/d", "/e"), ("/d",)
    for number, (tops, changes) in enumerate(
        [(wide, "i"), (narrow, "i"), (wide, "gone"), (narrow, ""), (narrow, "gone")]
    ):
        at = Snapshot(str(number), number, paths=tops)
        version = Version(at, Entry("/d/a", 10, 5, _closed), "content")
        story.add(
            at, [Gone("/d/a")] if changes == "gone" else [(version, Verdict(State.INTACT))] * len(changes)
        )
        if number == 3:
            assert [row.files for row in story.end().rows] == [1, 1, 0, 1]
            assert story.end().gone == frozenset()
    assert story.end().gone == {"/d/a"}
