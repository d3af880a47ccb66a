"""The matrix that databases and scientific files must pass: healthy, overwritten, cut, chaos, hurried."""

import importlib
import importlib.util
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie import formats
from vigie.formats.contract import HEAD, Bytes, Format, Malformed
from vigie.judge import judge
from vigie.model import State, Verdict

_spec = importlib.util.spec_from_file_location(
    "made_databases", Path(__file__).with_name("made_databases.py")
)
assert _spec is not None
assert _spec.loader is not None
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)

MODULES = [
    "access",
    "dbase",
    "ese",
    "evtx",
    "firebird",
    "hdf5",
    "innodb",
    "matlab",
    "mysql",
    "npy",
    "parquet",
    "pgdump",
    "postgres",
    "postgres_control",
    "postgres_wal",
    "pst",
    "registry",
    "sqlserver",
    "stores",
]


def _declared() -> dict[str, Format]:
    found: dict[str, Format] = {}
    for name in MODULES:
        content = importlib.import_module(f"vigie.formats.data.{name}")
        one = (content.FORMAT,) if hasattr(content, "FORMAT") else ()
        found.update((form.name, form) for form in (*getattr(content, "FORMATS", ()), *one))
    return found


FORMS = _declared()
DATA: dict[str, bytes] = {name: make() for name, make in made.MADE.items()}
PAGED = [
    "postgres",
    "postgres-wal",
    "innodb",
    "firebird",
    "access",
    "sqlserver",
    "dbase",
    "ese",
    "registry",
    "evtx",
    "pst",
    "parquet",
    "pgdump",
    "matlab",
]
"""Formats that know where they are broken; of the others only the header is known."""
NAMED = [name for name in PAGED if FORMS[name].suffixes or FORMS[name].weak_suffixes]
"""Formats whose files carry an ending, so that a lost header is told."""


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes], Verdict]:
    """The verdict on bytes that are named as the format wants it."""
    others = tuple(form for form in formats.CATALOGUE if form.name not in FORMS)
    monkeypatch.setattr(formats, "CATALOGUE", (*FORMS.values(), *others))
    for form in FORMS.values():
        for suffix in form.suffixes:
            monkeypatch.setitem(formats._PROMISED, suffix, form)
        for suffix in form.weak_suffixes:
            monkeypatch.setitem(formats._HINTED, suffix, form)

    def judged(name: str, data: bytes) -> Verdict:
        suffix = next(iter((*FORMS[name].suffixes, *FORMS[name].weak_suffixes)), "")
        return judge(Bytes(data), f"x.{suffix}" if suffix else "16384")

    return judged


def struck(data: bytes, *, start: int = 0, on: int = 1 << 30, off: int = 0, end: int = 1 << 30) -> bytes:
    """Overwritten with random bytes, from `start` to `end`."""
    result = bytearray(data)
    dice = random.Random(start + on + off)
    for at in range(start, min(end, len(data)), on + off):
        stop = min(at + on, end, len(data))
        result[at:stop] = dice.randbytes(stop - at)
    return bytes(result)


@pytest.mark.parametrize("name", FORMS)
def test_healthy_files_are_known_and_intact(name: str, judged: Callable[[str, bytes], Verdict]) -> None:
    data = DATA[name]
    knowing = [form.name for form in FORMS.values() if form.recognises(data[:HEAD])]
    assert knowing == ([name] if name != "sst" else [])
    anatomy = FORMS[name].dissect(Bytes(data))
    assert (anatomy.format, anatomy.flaws) == (name, ())
    expected = (
        State.UNKNOWN if name == "sst" else State.INTACT
    )  # a name alone, and nothing that can be tested
    assert judged(name, data).state is expected


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize(
    "pattern", [{}, {"end": 4096}, {"on": 64, "off": 128}, {"on": 16, "off": 16}], ids=str
)
def test_what_loses_its_header_is_encrypted(
    name: str, pattern: dict[str, int], judged: Callable[[str, bytes], Verdict]
) -> None:
    verdict = judged(name, struck(DATA[name], **pattern))
    assert verdict.state is State.ENCRYPTED
    assert verdict.ranges[0].start < 4096


@pytest.mark.parametrize("name", PAGED)
@pytest.mark.parametrize("block", [8, 11, 20])
def test_one_block_in_the_middle_is_found_where_it_is(
    name: str, block: int, judged: Callable[[str, bytes], Verdict]
) -> None:
    data = DATA[name]
    start = block * 4096
    if start + 8192 > len(data) or (block % 2 and name in HALVES):
        pytest.skip("half a page whose header is whole: the body is opaque")
    verdict = judged(name, struck(data, start=start, end=start + 4096))
    assert verdict.state is State.ENCRYPTED
    assert verdict.ranges[0].start >= start - 4096
    assert verdict.ranges[-1].end <= start + 3 * 4096


HALVES = ("postgres-wal", "firebird", "sqlserver", "ese")
"""Pages of 8 KiB without a checksum that is known: their second half may hold anything."""


@pytest.mark.parametrize("name", PAGED)
@pytest.mark.parametrize("pattern", [{}, {"on": 64, "off": 128}], ids=str)
def test_the_rest_of_a_file_is_encrypted_behind_a_healthy_header(
    name: str, pattern: dict[str, int], judged: Callable[[str, bytes], Verdict]
) -> None:
    data = DATA[name]
    start = len(data) // 8 // 8192 * 8192 + 16384
    verdict = judged(name, struck(data, start=start, **pattern))
    assert verdict.state is State.ENCRYPTED
    assert verdict.ranges[0].end > start


@pytest.mark.parametrize("name", FORMS)
def test_cut_anywhere_is_no_crash_and_seldom_intact(name: str) -> None:
    data = DATA[name]
    for end in (*range(0, 700, 61), len(data) // 3, len(data) // 2, len(data) - 1):
        try:
            anatomy = FORMS[name].dissect(Bytes(data[:end]))
        except Malformed as malformed:
            edges = [malformed.offset]
        else:
            edges = [edge for flaw in anatomy.flaws for edge in (flaw.start, flaw.end)]
        assert all(0 <= edge <= end for edge in edges)


@pytest.mark.parametrize("name", FORMS)
def test_three_wounds_are_three_flaws(name: str) -> None:
    if name not in (
        "postgres",
        "innodb",
        "firebird",
        "access",
        "sqlserver",
        "ese",
        "registry",
        "pst",
        "evtx",
    ):
        pytest.skip("no pages")
    data = DATA[name]
    places = [len(data) * n // 5 // 16384 * 16384 for n in (1, 2, 3)]
    hurt = data
    for place in places:
        hurt = struck(hurt, start=place, end=place + 4096)
    flaws = FORMS[name].dissect(Bytes(hurt)).flaws
    for place in places:
        assert any(flaw.start < place + 4096 and flaw.end > place for flaw in flaws)
        assert not any(flaw.start <= place + 24_000 < flaw.end for flaw in flaws)


@given(name=st.sampled_from(sorted(FORMS)), seed=st.integers(0, 1 << 30))
@settings(max_examples=200, deadline=None)
def test_mutated_files_are_dissected_within_bounds(name: str, seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray(DATA[name][: dice.choice((400, 5000, 40_000, 1 << 20))])
    for _ in range(dice.randrange(1, 12)):
        at = dice.randrange(len(data)) if dice.random() < 0.5 else dice.randrange(min(len(data), 600))
        piece = dice.choice((dice.randbytes(1), b"\xff" * 4, bytes(4), dice.randbytes(64)))
        data[at : at + len(piece)] = piece
    blob = Bytes(bytes(data))
    try:
        anatomy = FORMS[name].dissect(blob)
    except Malformed as malformed:
        edges = [malformed.offset]
    else:
        edges = [edge for region in anatomy.regions for edge in (region.start, region.end)]
        assert edges == sorted(edges)
        assert all(flaw.start <= flaw.end for flaw in anatomy.flaws)
        edges += [edge for flaw in anatomy.flaws for edge in (flaw.start, flaw.end)]
    assert all(0 <= edge <= blob.size for edge in edges)


@given(st.sampled_from(sorted(FORMS)), st.binary(max_size=3000))
@settings(max_examples=200, deadline=None)
def test_chaos_behind_a_healthy_head_is_dissected(name: str, chaos: bytes) -> None:
    for keep in (0, 16, 128, 600):
        try:
            FORMS[name].dissect(Bytes(DATA[name][:keep] + chaos))
        except Malformed:
            continue


def test_random_heads_are_none_of_them() -> None:
    dice = random.Random(3)
    for _ in range(2000):
        head = dice.randbytes(HEAD)
        assert not any(form.recognises(head) for form in FORMS.values())


class Endless:
    """A sparse file of 20 GiB that begins as a healthy one, and repeats its last page for ever."""

    size = 20 << 30

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read = 0

    def at(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        self.read += length
        assert length <= 128 << 20
        found = self.data[offset : offset + length]
        return found + bytes(length - len(found))


@pytest.mark.parametrize("name", FORMS)
def test_a_hurried_look_at_a_huge_file_is_short(name: str) -> None:
    blob = Endless(DATA[name])
    begun = time.perf_counter()
    try:
        FORMS[name].dissect(blob, 4 << 20)
    except Malformed:
        assert name in ("parquet", "sst")  # their end is what they are known by
    assert blob.read <= 12 << 20
    assert time.perf_counter() - begun < 3
