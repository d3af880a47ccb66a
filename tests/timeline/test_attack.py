"""Waves, the first file, added endings, notes left behind."""

from collections.abc import Callable

import pytest

from vigie.errors import Unreadable
from vigie.model import Entry, Likeness, OpenBlob, Snapshot, State, Verdict, Version
from vigie.timeline import Attack, Story, Timeline, attack

Told = Callable[..., Timeline]
HOUR = 3600 * 1_000_000_000
DAY = 24 * HOUR
STATES = {"i": State.INTACT, "e": State.ENCRYPTED, "r": State.UNKNOWN}


def closed() -> OpenBlob:
    raise Unreadable("nothing in this room opens a file")


def seen(at: Snapshot, path: str, content: str, mtime_ns: int = 1, size: int = 10) -> tuple[Version, Verdict]:
    state = STATES[content[0]]
    likeness = Likeness(state, None, size, float(state is not State.INTACT), b"")
    return Version(at, Entry(path, size, mtime_ns, closed), content), Verdict(state, likeness=likeness)


def days(count: int) -> list[Snapshot]:
    return [Snapshot(str(number), (number + 1) * DAY, paths=("/",)) for number in range(count)]


def daily(*hits: int) -> Attack:
    """A snapshot a day; so many files are encrypted in place in each of them, a folder for each day."""
    story, total = Story(), sum(hits)
    done = 0
    for at, count in zip(days(len(hits)), hits, strict=True):
        changes = [seen(at, f"/d/{n}", "i") for n in range(total)] if done == 0 and at.id == "0" else []
        changes += [seen(at, f"/d/{n}", f"e{n}", at.time_ns - HOUR - n) for n in range(done, done + count)]
        done += count
        story.add(at, changes)
    return attack(story.end())


def test_nothing_happened(told: Told) -> None:
    assert attack(told({"/a": "i"}, {"/a": "i2"})) == Attack((), (), (), 1)
    assert attack(Story().end()) == Attack((), (), (), 0)


def test_waves_are_snapshots_in_a_row() -> None:
    found = daily(0, 2, 60, 0, 0, 3, 0)
    shown = [(w.clean and w.clean.id, w.first.id, w.last.id, w.files, w.slow) for w in found.waves]
    assert shown == [("0", "1", "2", 62, False), ("4", "5", "5", 3, True)]
    assert (len(found.hits), found.never_hit) == (65, 0)


@pytest.mark.parametrize(("most", "slow"), [(50, True), (51, False)])
def test_a_slow_burn(most: int, slow: bool) -> None:
    [wave] = daily(0, 3, most, 5).waves
    assert wave.slow is slow
    assert wave.clean is not None
    assert (wave.clean.id, wave.first.id, wave.last.id) == ("0", "1", "3")


def test_hit_already_in_the_oldest_snapshot(told: Told) -> None:
    [wave] = attack(told({"/a": "e"}, {"/a": "e"})).waves
    assert (wave.clean, wave.first.id) == (None, wave.last.id)


@pytest.mark.parametrize(
    ("mtimes", "earliest"),
    [
        ((DAY + 5, DAY + 6), "/d/0"),
        ((DAY + 6, DAY + 5), "/d/1"),
        ((DAY + 5, DAY + 5), "/d/0"),
        ((DAY - 2 * HOUR - 1, DAY + 5), "/d/1"),
        ((DAY - 2 * HOUR, DAY + 5), "/d/0"),
        ((1, 2), None),
        ((2 * DAY + 2 * HOUR, 2 * DAY + 3 * HOUR), "/d/0"),
        ((2 * DAY + 2 * HOUR + 1, 3 * DAY), None),
    ],
)
def test_the_first_file_by_a_time_that_can_be(mtimes: tuple[int, int], earliest: str | None) -> None:
    before, after = days(2)
    story = Story()
    story.add(before, [seen(before, f"/d/{n}", "i") for n in range(2)])
    story.add(after, [seen(after, f"/d/{n}", "e", mtime) for n, mtime in enumerate(mtimes)])
    [wave] = attack(story.end()).waves
    assert (wave.earliest.path if wave.earliest else None) == earliest


def test_endings_and_folders(told: Told) -> None:
    found = attack(
        told(
            {"/d/a.pdf": "i1", "/d/b.pdf": "i2", "/e/c.pdf": "i3", "/e/d.pdf": "i4", "/e/keep": "i"},
            {
                "/d/a.pdf.locked": "e1",
                "/d/b.pdf.locked": "e2",
                "/e/c.pdf.id-7.[m@x].crypt": "e3",
                "/e/d.pdf": "e4",
                "/e/keep": "i",
            },
        )
    )
    [wave] = found.waves
    assert wave.endings == ((".locked", 2), (".id-7.[m@x].crypt", 1))
    assert (wave.files, wave.folders) == (4, 2)
    # The three that were renamed are known by their new names; the documents themselves were never encrypted.
    assert {hit.path: hit.added for hit in found.hits}["/e/d.pdf"] == ""


def test_random_names_are_hits(told: Told) -> None:
    found = attack(
        told(
            {f"/d/{n}.pdf": f"i{n}" for n in range(4)},
            {"/d/3.pdf": "i3", **{f"/d/x{n}": f"r{n}" for n in range(3)}},
        )
    )
    assert [hit.path for hit in found.hits] == ["/d/x0", "/d/x1", "/d/x2"]
    assert found.waves[0].files == 3
    assert found.never_hit == 1


def test_random_ones_of_before_are_none(told: Told) -> None:
    found = attack(told({"/d/key": "r", "/d/a": "i"}, {"/d/key": "r", "/d/a": "e"}))
    assert [hit.path for hit in found.hits] == ["/d/a"]


def noted(
    folders: int, *, size: int = 10, same: bool = True, early: bool = False, bad: bool = False
) -> Attack:
    before, after = days(2)
    story = Story()
    left = [
        seen(
            at := before if early else after,
            f"/{n}/README.txt",
            ("e" if bad else "i") + f"note{'' if same else n}",
            at.time_ns,
            size,
        )
        for n in range(folders)
    ]
    story.add(before, [seen(before, "/a", "i"), *(left if early else ())])
    story.add(after, [seen(after, "/a", "e", after.time_ns), *(() if early else left)])
    return attack(story.end())


def test_a_note() -> None:
    [note] = noted(3).notes
    assert (note.name, note.folders, note.example, note.first.id) == ("README.txt", 3, "/0/README.txt", "1")


@pytest.mark.parametrize(
    "found",
    [
        noted(2),
        noted(3, same=False),
        noted(3, size=0),
        noted(3, size=64 * 1024 + 1),
        noted(3, early=True),
        noted(3, bad=True),
    ],
    ids=["two folders", "other words in each", "empty", "large", "there before", "encrypted"],
)
def test_no_note(found: Attack) -> None:
    assert found.notes == ()


def test_notes_of_a_source_without_content_addresses() -> None:
    before, after = days(2)
    story = Story()
    story.add(before, [seen(before, "/a", "i")])
    left = [(Version(after, Entry(f"/{n}/HELP", 10, n, closed), ""), Verdict(State.INTACT)) for n in range(4)]
    story.add(after, [seen(after, "/a", "e"), *left])
    assert [(note.name, note.folders) for note in attack(story.end()).notes] == [("HELP", 4)]


def test_the_most_frequent_note_comes_first() -> None:
    before, after = days(2)
    story = Story()
    story.add(before, [seen(before, "/a", "i")])
    left = [
        seen(after, f"/{n}/{name}", f"i{name}")
        for name, count in (("few", 3), ("many", 5))
        for n in range(count)
    ]
    story.add(after, [seen(after, "/a", "e"), *left])
    assert [note.name for note in attack(story.end()).notes] == ["many", "few"]


def test_what_is_gone_since_counts_as_hit(told: Told) -> None:
    files = {f"/d/{n}": "i" for n in range(4)}
    story = attack(told(files, {"/d/0": "e", "/d/1": "i"}))
    assert story.never_hit == 1
