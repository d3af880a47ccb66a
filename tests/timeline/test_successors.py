"""What became of files that are gone: moved, or made into something else."""

import time
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.model import Entry, Gone, Likeness, OpenBlob, Skipped, Snapshot, State, Verdict, Version
from vigie.timeline import Change, Story, Timeline, affected, attack, plan

STATES = {"i": State.INTACT, "e": State.ENCRYPTED, "d": State.DAMAGED, "u": State.UNKNOWN, "r": State.UNKNOWN}
Files = Mapping[str, tuple[str, int]]
"""Path to what is said of it, `?` for an intact one of no known format, and its size."""
OTHERS: Files = {"/z.txt": ("i", 7)}
STRUCK: Files = {"/z.txt": ("e", 7)}
"""What shows in each story that an attack began."""


def closed() -> OpenBlob:
    raise Unreadable("nothing in this room opens a file")


def seen(at: Snapshot, path: str, said: str, size: int) -> tuple[Version | Skipped, Verdict]:
    if said == "s":
        return Skipped(path, "no permission"), Verdict.skipped("no permission")
    state = State.INTACT if said[0] == "?" else STATES[said[0]]
    likeness = Likeness(state, None, size, float(said[0] in "re"), b"")
    kind = "pdf" if said[0] == "i" else None
    content = f"{said} {size}" if said != "-" else ""
    return Version(at, Entry(path, size, 1, closed), content), Verdict(state, kind, likeness=likeness)


def tell(*moments: Files, tops: tuple[str, ...] = ()) -> Timeline:
    """`tops`: the folder that each snapshot is of."""
    story = Story()
    before: dict[str, Files] = {}
    for number, files in enumerate(moments):
        top = tops[number] if tops else "/"
        was = before.get(top, {})
        at = Snapshot(f"{number}", number, paths=(top,))
        changes: list[Change] = [Gone(path) for path in sorted(was.keys() - files.keys())]
        changes += [seen(at, path, *said) for path, said in files.items() if was.get(path) != said]
        story.add(at, changes)
        before[top] = files
    return story.end()


def hit(timeline: Timeline) -> dict[str, tuple[str, bool]]:
    """What it became, and whether that is sure; but for the file that shows the attack."""
    return {
        one.document.path: (one.now, one.sure) for one in affected(timeline) if one.document.path != "/z.txt"
    }


def restored(timeline: Timeline) -> set[str]:
    return {choice.path for choice in plan(timeline).choices} - {"/z.txt"}


def test_random_names_are_told_by_size() -> None:
    old = {"/d/a.pdf": ("i1", 10), "/d/b.pdf": ("i2", 20), **OTHERS}
    timeline = tell(old, {"/d/6f1a": ("u1", 20), "/d/77.enc": ("r2", 10), **STRUCK})
    assert hit(timeline) == {"/d/a.pdf": ("/d/77.enc", True), "/d/b.pdf": ("/d/6f1a", True)}
    assert [one.path for one in timeline.leftovers] == ["/d/6f1a", "/d/77.enc"]
    assert [one.shown.verdict.state.value for one in affected(timeline) if one.shown] == [
        *("unknown", "unknown", "encrypted")
    ]
    assert attack(timeline).waves[0].files == 3
    assert plan(timeline).lost == ()


def test_what_became_what_is_not_said_of_two_of_one_size() -> None:
    old = {"/d/a.pdf": ("i1", 10), "/d/b.pdf": ("i2", 10), **OTHERS}
    timeline = tell(old, {"/d/6f1a": ("u1", 10), "/d/77": ("u2", 10), **STRUCK})
    assert hit(timeline) == {"/d/a.pdf": ("", True), "/d/b.pdf": ("", True)}
    assert [one.shown for one in affected(timeline)][:2] == [None, None]
    assert restored(timeline) == {"/d/a.pdf", "/d/b.pdf"}


@pytest.mark.parametrize("ending", ["", ".enc", ".locked"])
def test_deleted_by_its_user_in_a_folder_that_is_accounted_for(ending: str) -> None:
    old = {f"/d/{n}.pdf": (f"i{n}", 10 * n) for n in range(1, 6)}
    new = {f"/d/{'x' * n}{ending}": (f"u{n}", 10 * n) for n in range(2, 6)}
    timeline = tell({**old, **OTHERS}, {**new, **STRUCK})
    assert set(hit(timeline)) == {f"/d/{n}.pdf" for n in range(2, 6)}
    # It is handed back all the same: nobody can be sure.
    assert "/d/1.pdf" in restored(timeline)


def test_nobody_knows_where_sizes_do_not_tell() -> None:
    timeline = tell({"/d/a.pdf": ("i1", 10), **OTHERS}, {"/d/77": ("u1", 5000), **STRUCK})
    assert hit(timeline) == {"/d/a.pdf": ("", False)}
    assert [one.path for one in timeline.leftovers] == ["/d/77"]


def test_a_program_that_replaces_its_own_files_proves_nothing() -> None:
    old = {"/d/block-1": ("?1", 4096), "/d/block-2": ("u2", 4096), **OTHERS}
    timeline = tell(old, {"/d/block-3": ("u3", 4096), "/d/block-4": ("u4", 4096), **STRUCK})
    assert hit(timeline) == {"/d/block-1": ("", False), "/d/block-2": ("", False)}


def test_longer_names_are_no_part_of_the_sum() -> None:
    """What came under a longer name is not counted among what came under a name of its own."""
    old = {f"/d/{n}.pdf": (f"i{n}", 10 * n) for n in range(1, 4)}
    new = {"/d/1.pdf.id-7": ("u1", 10), "/d/2.pdf.id-7": ("u2", 20), "/d/77": ("u3", 30)}
    timeline = tell({**old, **OTHERS}, {**new, **STRUCK})
    assert plan(timeline).lost == ()
    assert hit(timeline)["/d/3.pdf"] == ("/d/77", True)


def test_moved_by_its_user() -> None:
    old = {"/d/a.pdf": ("i1", 10), "/d/b.zzz": ("r2", 20), **OTHERS}
    timeline = tell(old, {"/e/a.pdf": ("i1", 10), "/d/c": ("r2", 20), **STRUCK})
    assert hit(timeline) == {}
    assert dict(timeline.became.moved) == {"/d/a.pdf": "/e/a.pdf", "/d/b.zzz": "/d/c"}
    # What cannot be told healthy, and came with the attack, is handed back under its old name.
    assert timeline.gone == {"/d/a.pdf"}
    assert restored(timeline) == {"/e/a.pdf", "/d/b.zzz"}
    assert timeline.affected == 1


def test_moved_before_it_was_struck() -> None:
    moments = [
        {"/a.pdf": ("i1", 10), **OTHERS},
        {"/b.pdf": ("i1", 10), **STRUCK},
        {"/b.pdf": ("e1", 10), **STRUCK},
    ]
    timeline = tell(*moments)
    assert hit(timeline) == {"/b.pdf": ("/b.pdf", True)}
    assert restored(timeline) == {"/b.pdf"}


def test_a_copy_that_was_always_there_is_no_move() -> None:
    twin = {"/e/form.pdf": ("i1", 10)}
    timeline = tell({"/d/form.pdf": ("i1", 10), **twin, **OTHERS}, {"/d/77": ("r", 10), **twin, **STRUCK})
    assert hit(timeline) == {"/d/form.pdf": ("/d/77", True)}
    assert restored(timeline) == {"/d/form.pdf", "/e/form.pdf"}


def test_of_two_copies_one_is_moved() -> None:
    old = {"/d/form.pdf": ("i1", 10), "/c/other.pdf": ("i1", 10), **OTHERS}
    timeline = tell(old, {"/e/form.pdf": ("i1", 10), **STRUCK})
    assert dict(timeline.became.moved) == {"/d/form.pdf": "/e/form.pdf"}
    assert restored(timeline) == {"/e/form.pdf", "/c/other.pdf"}


def test_struck_bytes_under_another_name_are_no_move() -> None:
    moments = (
        {"/a.pdf": ("i1", 10), **OTHERS},
        {"/a.pdf": ("e1", 10), **STRUCK},
        {"/b": ("e1", 10), **STRUCK},
    )
    assert hit(tell(*moments))["/a.pdf"] == ("/b", True)


def test_moved_between_folders_that_are_kept_apart() -> None:
    tops = ("/d", "/e", "/d", "/e", "/d")
    moments: tuple[Files, ...] = (
        {"/d/a.pdf": ("i1", 10), "/d/o": ("i", 9)},
        {},
        {"/d/o": ("e", 9)},
        {"/e/a.pdf": ("i1", 10)},
        {},
    )
    timeline = tell(*moments, tops=tops)
    assert dict(timeline.became.moved) == {"/d/a.pdf": "/e/a.pdf"}


def test_without_content_addresses_nothing_is_known_to_be_moved() -> None:
    story = Story()
    for number, path in enumerate(("/a.pdf", "/b.pdf")):
        at = Snapshot(str(number), number)
        entry = Entry(path, 10, 1, closed)
        shows = seen(at, "/z.txt", "ie"[number], 7)
        story.add(
            at, [(Version(at, entry, ""), Verdict(State.INTACT, "pdf")), shows, Gone("/a.pdf" * number)]
        )
    assert story.end().became.moved == {}


def test_never_backed_up_but_as_what_the_attack_left() -> None:
    new = {"/d/new.pdf.locked": ("e1", 10), "/d/77": ("r", 20), **STRUCK}
    timeline = tell({"/d/b.txt": ("i", 5), **OTHERS}, {"/d/b.txt": ("i", 5), **new})
    assert hit(timeline) == {"/d/new.pdf.locked": ("/d/new.pdf.locked", True), "/d/77": ("/d/77", True)}
    assert [one.clean for one in affected(timeline)][:2] == [None, None]
    assert {lost.path for lost in plan(timeline).lost} == {"/d/new.pdf.locked", "/d/77"}
    assert timeline.affected == 3


def test_an_ending_that_the_attack_gave_to_others_is_enough() -> None:
    """`new.dat.id-7` is of no format and not random, and was never saved without its ending."""
    old = {f"/d/{n}.pdf": (f"i{n}", 10) for n in range(3)}
    made = {f"/d/{n}.pdf.id-7": (f"u{n}", 10) for n in range(3)}
    timeline = tell(
        {**old, **OTHERS}, {**made, "/e/new.dat.id-7": ("u9", 10), "/e/v.ghi": ("u9", 99), **STRUCK}
    )
    assert hit(timeline)["/e/new.dat.id-7"] == ("/e/new.dat.id-7", True)
    assert "/e/v.ghi" not in hit(timeline)


def test_a_name_that_was_kept_is_not_what_became_of_another() -> None:
    """The attack keeps names, and `new.pdf.locked` has the size of what its user deleted the same day."""
    old = {f"/d/{n}.pdf": (f"i{n}", 10) for n in range(3)}
    made = {f"/d/{n}.pdf.locked": (f"e{n}", 10) for n in range(3)}
    timeline = tell(
        {**old, "/d/9.pdf": ("i9", 77), **OTHERS}, {**made, "/d/new.pdf.locked": ("e9", 77), **STRUCK}
    )
    assert "/d/9.pdf" not in hit(timeline)
    assert hit(timeline)["/d/new.pdf.locked"] == ("/d/new.pdf.locked", True)


def test_a_key_in_every_folder_is_no_document() -> None:
    keys = {f"/{n}/RESTORE.KEY": (f"r{n}", 256) for n in range(3)}
    timeline = tell(OTHERS, {**keys, **STRUCK})
    assert hit(timeline) == {}
    assert timeline.became.orphans == frozenset()


def test_where_something_else_vanished_nobody_knows_whose_it_was() -> None:
    timeline = tell({"/d/a.pdf": ("i1", 10), **OTHERS}, {"/d/77": ("r", 5000), **STRUCK})
    assert timeline.became.orphans == frozenset()
    assert timeline.became.unsettled == {("/d", 1)}


def test_more_came_than_vanished() -> None:
    """One of the three was new that day; the others may be what became of those that vanished."""
    old = {"/d/a.pdf": ("i1", 10), "/d/b.pdf": ("i2", 20), **OTHERS}
    new = {"/d/77": ("r1", 1000), "/d/78": ("u2", 2000), "/d/79": ("e", 3000)}
    timeline = tell(old, {**new, **STRUCK})
    assert hit(timeline) == {
        **dict.fromkeys(("/d/a.pdf", "/d/b.pdf"), ("", False)),
        **{path: (path, False) for path in new},
    }


def test_given_back_since() -> None:
    moments = [
        {"/a.pdf": ("i1", 10), **OTHERS},
        {"/a.pdf.locked": ("e1", 10), **STRUCK},
        {"/a.pdf": ("i1", 10), "/a.pdf.locked": ("e1", 10), **STRUCK},
    ]
    assert hit(tell(*moments)) == {"/a.pdf": ("/a.pdf", True)}


def test_an_encrypted_copy_beside_a_document_that_goes_on() -> None:
    moments = [
        {"/a.pdf": ("i1", 10), **OTHERS},
        {"/a.pdf": ("i1", 10), "/a.pdf.gpg": ("r1", 10), **STRUCK},
        {"/a.pdf": ("i2", 12), "/a.pdf.gpg": ("r1", 10), **STRUCK},
    ]
    assert hit(tell(*moments)) == {}


def test_what_cannot_be_read_is_nobodys_heir() -> None:
    timeline = tell({"/d/a.pdf": ("i1", 10), **OTHERS}, {"/d/77": ("s", 0), **STRUCK})
    assert hit(timeline) == {}
    assert restored(timeline) == {"/d/a.pdf"}


FATES = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(["kept", "deleted", "moved", "struck"])), max_size=9
)


@settings(max_examples=150, deadline=None)
@given(FATES, st.sampled_from([0, 4, 256]))
def test_whatever_users_did_the_same_day(fates: list[tuple[int, str]], more: int) -> None:
    """Nothing that was struck is passed over, and nothing else is called so for sure."""
    old = {f"/d/{n}.pdf": (f"i{n}", 1000 * size) for n, (size, _) in enumerate(fates)}
    new = dict(old)
    for n, (size, fate) in enumerate(fates):
        if fate != "kept":
            del new[f"/d/{n}.pdf"]
        if fate == "moved":
            new[f"/e/{n}.pdf"] = (f"i{n}", 1000 * size)
        if fate == "struck":
            new[f"/d/{n * 7:08x}"] = (f"u{n}", 1000 * size + more)
    timeline = tell({**old, **OTHERS}, {**new, **STRUCK})
    found = hit(timeline)
    struck = {f"/d/{n}.pdf" for n, (_, fate) in enumerate(fates) if fate == "struck"}
    assert struck <= found.keys()
    assert {path for path, (_, sure) in found.items() if sure} <= struck
    assert all(
        now in ("", f"/d/{int(path[3:-4]) * 7:08x}") for path, (now, _) in found.items() if path in struck
    )
    assert restored(timeline) >= struck


def test_many_files_of_the_same_bytes_move_at_once() -> None:
    """A folder of empty files gets another name: each is found by its own, and none is looked for twice."""
    empty = ("i", 0)
    old = {f"/old/{n}/empty.pdf": empty for n in range(4000)} | {f"/old/{n}.pdf": empty for n in range(4000)}
    new = {path.replace("old", "new"): said for path, said in old.items()}
    began = time.process_time()
    moved = tell({**old, **OTHERS}, {**new, **STRUCK}).became.moved
    assert time.process_time() - began < 3
    assert moved.keys() == old.keys()
    assert all(moved[path].rpartition("/")[2] == path.rpartition("/")[2] for path in old)
    assert set(moved.values()) == new.keys()


def test_what_comes_back_between_two_folders_kept_apart_is_not_moved_to_itself() -> None:
    tops = ("/d", "/e", "/e", "/d", "/d")
    moments: tuple[Files, ...] = (
        {"/d/o": ("i", 9)},
        {"/e/x": ("i", 5)},
        {"/e/x": ("i", 5)},
        {"/d/o": ("e", 9), "/d/a.pdf": ("i1", 10)},
        {"/d/o": ("e", 9)},
    )
    timeline = tell(*moments, tops=tops)
    assert timeline.became.moved == {}
    assert timeline.vanished == {"/d/a.pdf"}
