import random

import pytest

from vigie.formats.contract import Bytes
from vigie.judge import Explanation, examine, explain
from vigie.judge.explanation import MOST, STRETCHES, _joined
from vigie.model import Flaw, Kind, Region, State

TEXT = "Compte rendu : évolution favorable, glycémie 5,4 mmol/l.\r\n".encode() * 4000


def explained(data: bytes, name: str) -> Explanation:
    return explain(examine(Bytes(data), name))


def test_a_struck_text_is_explained_where_it_is_struck() -> None:
    data = TEXT[:80_000] + random.Random(1).randbytes(40_000) + TEXT[:80_000]
    found = explained(data, "a.txt")
    assert found.verdict.state is State.ENCRYPTED
    assert (found.stretches[0].start, found.stretches[-1].end) == (0, len(data))
    assert len(found.stretches) == STRETCHES
    for stretch in found.stretches:
        assert stretch.expected is Kind.STRUCTURED
        assert stretch.random is not None
        if stretch.start > 81_000 and stretch.end < 119_000:
            assert stretch.struck
            assert stretch.random > 0.9
            if 85_000 < stretch.start < 115_000:  # its blocks reach over the edge nowhere
                assert stretch.chi2 is not None
                assert 150 < stretch.chi2 < 400
        elif stretch.end < 79_000:
            assert not stretch.struck
            assert stretch.random == 0
            assert stretch.chi2 is not None
            assert stretch.chi2 > 10_000


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 4096, 5000])
def test_files_of_every_size_have_a_strip(size: int) -> None:
    found = explained(TEXT[:size], "a.txt")
    assert len(found.stretches) == min(STRETCHES, -(-size // 64))
    assert sum(s.end - s.start for s in found.stretches) == size


def test_what_was_not_read_is_not_drawn_as_calm() -> None:
    found = explained(b"a quiet line of text\n" * 600_000, "a.txt")
    assert found.verdict.state is State.INTACT
    assert found.verdict.read < found.size
    assert sum(stretch.random is None for stretch in explained(bytes(200 << 20), "x").stretches) == 0
    unknown = explained(random.Random(2).randbytes(9000), "x")
    assert {stretch.expected for stretch in unknown.stretches} == {None}


def test_it_stays_small() -> None:
    findings = examine(Bytes(TEXT), "a.txt")
    assert findings.anatomy is not None
    regions = tuple(Region(n * 10, n * 10 + 10, Kind.OPAQUE, str(n // 2)) for n in range(2 * MOST + 20))
    flaws = tuple(Flaw(n, n + 1, "x") for n in range(2 * MOST))
    crowded = type(findings)(
        findings.verdict, findings.randomness, type(findings.anatomy)("text", regions, flaws)
    )
    found = explain(crowded)
    assert len(found.regions) == len(found.flaws) == MOST
    assert found.regions[0] == Region(0, 20, Kind.OPAQUE, "0")
    assert found.stretches[0].flawed


def test_members_that_stand_next_to_one_another_stay_apart() -> None:
    kind = Kind.OPAQUE
    one, other = (Region(0, 9, kind, "data", member="a.txt"), Region(9, 20, kind, "data", member="b.txt"))
    again = Region(20, 30, kind, "data", member="b.txt")
    assert _joined((one, other, again)) == (one, Region(9, 30, kind, "data", member="b.txt"))
