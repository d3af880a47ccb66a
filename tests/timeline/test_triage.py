"""Every row of the table of the first look, and both sides of every limit in it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.model import Basis, Entry, OpenBlob, Snapshot, State, Version
from vigie.timeline import Look, look

AT = Snapshot("1", 1)


def closed() -> OpenBlob:
    raise Unreadable("the first look opens nothing")


def version(path: str, size: int, packed: int | None = None) -> Version:
    return Version(AT, Entry(path, size, 1, closed), "content", packed)


def is_intact(seen: Look) -> bool:
    return seen.verdict is not None and not seen.presumed


def is_open(seen: Look) -> bool:
    return seen.verdict is None


@pytest.mark.parametrize(
    ("path", "size", "packed"),
    [("/a.pdf", 0, 0), ("/a.txt", 0, None), ("/a.locked", 0, 0), ("/a.csv", 10_000, 8_999)],
    ids=["empty", "empty text", "empty, of no format", "text that compresses"],
)
def test_new_and_intact(path: str, size: int, packed: int | None) -> None:
    seen = look(version(path, size, packed), None)
    assert is_intact(seen)
    assert seen.verdict is not None
    assert (seen.verdict.state, seen.verdict.basis) == (State.INTACT, Basis.STATISTICS)
    assert seen.verdict.confidence == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("path", "size", "packed"),
    [
        ("/a.pdf", 10_000, 10_000),
        ("/a.pdf", 10_000, None),
        ("/a.jpg", 100, 100),
        ("/a.txt", 511, 511),
        ("/notes", 100, 100),
        ("/a.pdf.locked", 100, 100),
        ("/a.locked", 10_000, 9_699),
        ("/notes", 10_000, 2_000),
    ],
    ids=[
        "another format, random",
        "another format, unmeasured",
        "another format, tiny",
        "text, tiny",
        "of no format, tiny",
        "hinted at, tiny",
        "of no format, compresses",
        "no ending, compresses",
    ],
)
def test_new_and_presumed(path: str, size: int, packed: int | None) -> None:
    seen = look(version(path, size, packed), None)
    assert seen.presumed
    assert seen.verdict is not None
    assert seen.verdict.state is State.INTACT
    assert seen.verdict.confidence < 0.8
    assert seen.verdict.evidence[0].startswith("not read: it is new")


@pytest.mark.parametrize(
    ("path", "size", "packed", "group"),
    [
        ("/a.txt", 10_000, 9_000, "text that is new"),
        ("/a.pdf.locked", 10_000, 10, "new ones ending in .locked"),
        ("/a.pdf.LOCKED", 10_000, 10_000, "new ones ending in .locked"),
        ("/a.locked", 10_000, 9_700, "new ones ending in .locked"),
        ("/a.locked", 10_000, None, "new ones ending in .locked"),
        ("/d.x/notes", 10_000, 10_000, "new ones ending in ."),
        ("/.profile", 10_000, 10_000, "new ones ending in ."),
        ("/a.db", 10_000, 1_000, "new ones ending in .db"),
    ],
)
def test_new_and_open_with_all_such_ones(path: str, size: int, packed: int | None, group: str) -> None:
    seen = look(version(path, size, packed), None)
    assert is_open(seen)
    assert (seen.group, seen.whole) == (group, False)


@pytest.mark.parametrize("before", [version("/a.csv", 0, 0), None])
def test_what_was_empty_before_is_new(before: Version | None) -> None:
    assert is_intact(look(version("/a.csv", 10_000, 100), before))


@pytest.mark.parametrize(
    ("path", "now", "before"),
    [
        ("/a.dcm", (10_000, 4_000), (10_000, 4_000)),
        ("/a.dcm", (10_000, 4_200), (10_000, 4_000)),
        ("/a.dcm", (1_000, 448), (1_000, 400)),
        ("/a.dcm", (1_000_000, 400_600), (1_000_000, 400_000)),
        ("/a.dcm", (20_000, 8_000), (10_000, 4_000)),
        ("/a.txt", (10_000, 2_100), (10_000, 2_000)),
        ("/any", (10_000, 2_100), (10_000, 2_000)),
    ],
)
def test_it_packs_as_it_did(path: str, now: tuple[int, int], before: tuple[int, int]) -> None:
    assert is_intact(look(version(path, *now), version(path, *before)))


@pytest.mark.parametrize(
    ("path", "now", "before"),
    [
        ("/a.dcm", (10_000, 4_201), (10_000, 4_000)),
        ("/a.dcm", (1_000, 449), (1_000, 400)),
        ("/a.dcm", (1_000_000, 400_601), (1_000_000, 400_000)),
        ("/a.dcm", (10_000, 10_000), (10_000, 4_000)),
        ("/a.txt", (10_000, 9_699), (10_000, 2_000)),
    ],
    ids=["a fiftieth", "a small one", "a large one", "random now", "text, not quite random"],
)
def test_it_packs_less_well(path: str, now: tuple[int, int], before: tuple[int, int]) -> None:
    seen = look(version(path, *now), version(path, *before))
    assert is_open(seen)
    assert (seen.group, seen.whole) == ("", True)


@pytest.mark.parametrize(
    ("now", "before", "seen"),
    [
        ((8_000, 4_160), (10_000, 4_000), "presumed"),
        ((8_000, 4_161), (10_000, 4_000), "open"),
        ((4_000, 4_000), (10_000, 4_000), "presumed"),
        ((30_000, 20_000), (20_000, 10_000), "presumed"),
        ((30_000, 20_001), (20_000, 10_000), "open"),
        ((21_100, 11_000), (20_000, 10_000), "open"),
    ],
    ids=[
        "shorter, and packs to no more",
        "shorter, and packs to more",
        "shorter, and random now",
        "what came is random",
        "more than what came",
        "a footer longer",
    ],
)
def test_growth_that_accounts_for_all(now: tuple[int, int], before: tuple[int, int], seen: str) -> None:
    found = look(version("/a.dcm", *now), version("/a.dcm", *before))
    assert seen == ("open" if is_open(found) else "presumed" if found.presumed else "intact")


def test_text_that_compressed_and_now_does_not() -> None:
    seen = look(version("/a.txt", 10_000, 9_700), version("/a.txt", 10_000, 2_000))
    assert is_open(seen)
    assert (seen.group, seen.whole) == ("text that compressed before", False)


@pytest.mark.parametrize(
    ("now", "before", "presumed"),
    [
        ((9_000, 8_800), (10_000, 9_800), True),
        ((11_101, 10_800), (10_000, 9_800), True),
        ((11_100, 10_800), (10_000, 9_800), False),
        ((10_000, 9_800), (10_000, 9_800), False),
        ((9_000, 8_900), (10_000, 9_800), False),
        ((9_000, 8_800), (10_000, 9_850), True),
        ((9_000, 9_000), (10_000, 10_000), True),
        ((10_000, 10_000), (10_000, 10_000), False),
        ((9_000, 8_800), (10_000, 8_500), True),
    ],
    ids=[
        "shorter",
        "longer than a footer",
        "a footer longer",
        "of the same size",
        "random now",
        "random before",
        "random before and now",
        "random before and now, of the same size",
        "just above the margin",
    ],
)
def test_what_packed_a_little(now: tuple[int, int], before: tuple[int, int], presumed: bool) -> None:
    seen = look(version("/a.docx", *now), version("/a.docx", *before))
    assert (seen.presumed, is_open(seen)) == (presumed, not presumed)
    assert not seen.whole


@pytest.mark.parametrize(
    ("now", "before"),
    [((100, 90), (10_000, 2_000)), ((10_000, None), (10_000, 2_000)), ((10_000, 2_000), (10_000, None))],
)
def test_a_change_that_nobody_measured(now: tuple[int, int | None], before: tuple[int, int | None]) -> None:
    seen = look(version("/a.txt", *now), version("/a.txt", *before))
    assert is_open(seen)
    assert (seen.why, seen.group, seen.whole) == ("it changed", "", False)


def test_the_verdict_says_what_was_looked_at_and_is_shared() -> None:
    one, two = (look(version(f"/{n}.csv", 10_000, 1_234), None) for n in range(2))
    assert one is two
    assert one.verdict is not None
    assert one.verdict.evidence == ("not read: it compresses as text does (12 % of its size when packed)",)
    plain = look(version("/a.pdf", 10_000, 10_000), None).verdict
    assert plain is not None
    assert plain.evidence == ("not read: it is new, and nothing speaks against it",)


SIZES = st.integers(0, 100_000)
PACKED = st.none() | st.integers(0, 200_000)
PATHS = st.sampled_from(["/a.txt", "/a.pdf", "/a.db", "/a.pdf.x", "/a.x", "/a", "/.a", "/", "/a."])


@settings(max_examples=200, deadline=None)
@given(PATHS, SIZES, PACKED, st.none() | st.tuples(SIZES, PACKED))
def test_a_look_never_accuses(
    path: str, size: int, packed: int | None, before: tuple[int, int | None] | None
) -> None:
    """Lists say *intact* or nothing; what is open has a reason, and only a verdict is presumed."""
    seen = look(version(path, size, packed), version(path, *before) if before else None)
    assert seen.why or size == 0
    if seen.verdict is None:
        assert not seen.presumed
    else:
        assert seen.verdict.state is State.INTACT
        assert seen.presumed or not seen.group
        assert not seen.whole
