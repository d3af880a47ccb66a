import importlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.model import Pattern, Period, Range, State, Verdict

HERE = Path(__file__).resolve().parents[2] / "benchmarks" / "verdicts"
MODULES = ("patterns", "scoring", "uniform", "tables", "peers", "pictures", "samples")


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """The modules of the benchmark, which is a folder of scripts and no package."""
    before = set(sys.modules)
    sys.path.insert(0, str(HERE))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(HERE))
        for name in set(sys.modules) - before:
            if getattr(sys.modules[name], "__file__", None) and str(HERE) in str(sys.modules[name].__file__):
                del sys.modules[name]


def pattern(bench: Any, words: str) -> Any:
    return next(p for p in bench.patterns.PATTERNS if words in p.name)


def test_there_are_enough_patterns_and_their_names_differ(bench: Any) -> None:
    names = [p.name for p in bench.patterns.PATTERNS]
    assert len(names) == len(set(names)) >= 14


@settings(max_examples=60, deadline=None)
@given(size=st.one_of(st.integers(1, 6000), st.integers(1, 3 << 20)), seed=st.integers(0, 99))
def test_what_is_said_to_be_struck_is_all_that_changed(bench: Any, size: int, seed: int) -> None:
    data = bytes(size)
    for one in bench.patterns.PATTERNS:
        if one.disguise is not None:
            continue
        struck = one.strike(data, seed)
        spans = struck.spans
        assert len(struck.data) == size + one.footer, one.name
        assert (spans[:, 0] < spans[:, 1]).all(), one.name
        assert (spans[1:, 0] > spans[:-1, 1]).all(), one.name
        assert not len(spans) or (spans[0, 0] >= 0 and spans[-1, 1] <= len(struck.data)), one.name
        outside = ~bench.patterns.covered(spans, len(struck.data))
        assert not np.frombuffer(struck.data, np.uint8)[outside].any(), one.name


def test_a_strike_can_be_repeated_and_reaches_what_it_says(bench: Any) -> None:
    data = bytes(300_000)
    for one in bench.patterns.PATTERNS:
        struck = one.strike(data, 7)
        assert struck.data == one.strike(data, 7).data
        assert struck.data != one.strike(data, 8).data
        hit = np.frombuffer(struck.data, np.uint8)[bench.patterns.covered(struck.spans, len(struck.data))]
        if one.disguise is None:
            assert (hit != 0).mean() > 0.98, one.name


@pytest.mark.parametrize(
    ("words", "size", "spans"),
    [
        ("whole file", 100, [(0, 100)]),
        ("LockBit", 10_000, [(0, 4096)]),
        ("LockBit", 100, [(0, 100)]),
        ("LockFile", 70, [(0, 16), (32, 48)]),
        ("Black Basta", 704, [(0, 704)]),
        ("Black Basta", 705, [(0, 64), (256, 320), (512, 576)]),
        ("Black Basta", 4097, [(at, min(at + 64, 4097)) for at in range(0, 4080, 192)]),
        ("64 on, 128 off", 200, [(0, 64)]),
        ("2 chunks", 1600, [(0, 160), (1440, 1600)]),
        ("first 4 KiB", 10_000, [(4096, 10_000)]),
        ("first 4 KiB", 5000, [(2500, 5000)]),
        ("1 % in one piece", 100_000, [(60_000, 60_992)]),
    ],
)
def test_patterns_as_they_are_published(
    bench: Any, words: str, size: int, spans: list[tuple[int, int]]
) -> None:
    found = [p for p in bench.patterns.PATTERNS if words in p.name][-1 if words == "64 on, 128 off" else 0]
    assert found.spans(size).tolist() == [list(span) for span in spans]


@pytest.mark.parametrize(("words", "percent"), [("5 % in 4 KiB", 5.0), ("1 % in 4 KiB", 1.0)])
def test_shares_are_what_they_say(bench: Any, words: str, percent: float) -> None:
    spans = pattern(bench, words).spans(8 << 20)
    assert 100 * (spans[:, 1] - spans[:, 0]).sum() / (8 << 20) == pytest.approx(percent, rel=0.03)
    assert (spans % 4096 == 0).all()


def test_akira_leaves_a_footer_and_evasions_hide_everything(bench: Any) -> None:
    akira = pattern(bench, "Akira").strike(bytes(10_000), 1)
    assert akira.spans.tolist() == [[0, 5000], [10_000, 10_512]]
    assert pattern(bench, "base64").strike(bytes(3000), 1).data.isascii()
    padded = pattern(bench, "filling").strike(bytes(3000), 1)
    assert set(padded.data[1::2]) == {0x41}
    assert padded.spans.tolist() == [[0, 6000]]


@pytest.mark.parametrize(
    ("spans", "size", "shape"),
    [
        ([(0, 100_000)], 100_000, Pattern.FULL),
        ([(0, 4096)], 100_000, Pattern.HEADER),
        ([(4096, 100_000)], 100_000, Pattern.PARTIAL),
        ([(0, 4096), (50_000, 54_096)], 100_000, Pattern.INTERMITTENT),
        ([(at, at + 64) for at in range(0, 99_000, 192)], 100_000, Pattern.INTERMITTENT),
        ([(at, at + 64) for at in range(0, 99_000, 65)], 99_000, Pattern.FULL),
    ],
)
def test_the_true_name_of_a_pattern(
    bench: Any, spans: list[tuple[int, int]], size: int, shape: Pattern
) -> None:
    assert bench.patterns.shape_of(np.array(spans), size) is shape


def scored(bench: Any, words: str, verdict: Verdict, *, opaque: tuple[int, int] = (0, 0)) -> Any:
    one = pattern(bench, words)
    healthy = bench.scoring.Anatomy("x", State.INTACT, True, True, np.array([opaque]))
    return bench.scoring.scored("a.x", "x", one, one.strike(bytes(100_000), 1), healthy, verdict)


def test_a_perfect_verdict_scores_perfectly(bench: Any) -> None:
    verdict = Verdict(
        State.ENCRYPTED, "x", Pattern.INTERMITTENT, (Range(0, 100_000),), period=Period(64, 128)
    )
    found = scored(bench, "by size", verdict)
    assert found.found
    assert found.shape is found.said
    assert found.rhythm is None  # the pattern by size has none of its own
    assert found.error == 48  # 96 bytes at the end were spared, and one edge of two is exact
    assert found.overlap == 1.0
    same = bench.scoring.same_rhythm
    assert same(Period(64, 128), Period(64, 128), 9999) is True
    assert same(Period(128, 256), Period(64, 128), 9999) is False
    assert same(None, Period(64, 128), 9999) is False
    assert same(None, Period(64, 128), 99) is None


def test_a_poor_verdict_scores_poorly(bench: Any) -> None:
    found = scored(bench, "LockBit", Verdict(State.ENCRYPTED, "x", Pattern.FULL, (Range(0, 100_000),)))
    assert found.said is not found.shape
    assert found.error == (95_904 + 4096) / 4  # two of the four edges are right
    assert found.worst == 95_904
    assert found.overlap == pytest.approx(1 / 25)
    missed = scored(bench, "LockBit", Verdict(State.DAMAGED, "x"))
    assert not missed.found
    assert (missed.error, missed.worst, missed.overlap, missed.rhythm) == (None, None, None, None)


def test_what_is_struck_where_nothing_is_claimed_is_counted_apart(bench: Any) -> None:
    found = scored(bench, "LockBit", Verdict(State.INTACT, "x"), opaque=(0, 3072))
    assert found.blind == 0.75
    assert bench.tables.tellable(found)
    assert not bench.tables.tellable(scored(bench, "LockBit", Verdict(State.INTACT, "x"), opaque=(0, 4096)))


def test_tables_add_up(bench: Any) -> None:
    good = scored(bench, "LockBit", Verdict(State.ENCRYPTED, "x", Pattern.HEADER, (Range(0, 4096),)))
    bad = scored(bench, "LockBit", Verdict(State.UNKNOWN))
    row = bench.tables.score([good, bad])
    assert (row.files, row.recall, row.named, row.error, row.near, row.nearest) == (
        2,
        0.5,
        1.0,
        0.0,
        1.0,
        1.0,
    )
    assert len(bench.tables.cells(row)) == len(bench.tables.HEADS)
    assert bench.tables.missed([good, bad]) == [("x", good.pattern, "unknown", 1, "a.x (100,000)")]
    assert bench.tables.reach([good, bad])["less than 5 %, every file"].files == 2
    assert bench.tables.percent(None) == "–"


def test_peers_do_what_their_papers_say(bench: Any) -> None:
    peers = bench.peers
    dice = random.Random(3)
    noise, text = dice.randbytes(300_000), b"la fievre est tombee, le patient va mieux. " * 7000
    seen = peers.Seen("a.txt", noise, text)
    assert peers.entropy_high(seen)
    assert peers.entropy_fitting(seen)
    assert peers.dad(seen)
    healthy = peers.Seen("a.txt", text, text)
    assert not any(rule(healthy) for rule in (peers.entropy_high, peers.entropy_fitting, peers.dad))
    drop = peers.CryptoDrop(peers.Magic(), 3)
    assert drop(seen)
    assert not drop(healthy)
    assert peers.left(text, text) == 100
    assert peers.left(noise, dice.randbytes(300_000)) == 0
    assert peers.entropy(b"") == 0
    assert peers.entropy(bytes(range(256))) == 8


def test_random_pieces_pass_and_text_does_not(bench: Any) -> None:
    assert bench.uniform.passes(random.Random(1).randbytes(32_768))
    assert not bench.uniform.passes(b"compte rendu " * 2000)


def test_pictures_are_well_formed(bench: Any) -> None:
    rows = {"a < b": [1.0, None], "c": [0.5, 0.0]}
    assert ET.fromstring(bench.pictures.matrix("x & y", rows, ["p", "q"])).tag.endswith("svg")
    assert ET.fromstring(bench.pictures.bars("x", rows, ["p", "q"])).tag.endswith("svg")
