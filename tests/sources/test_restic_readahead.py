import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.sources.restic import readahead
from vigie.sources.restic.readahead import ReadAhead
from vigie.sources.restic.transport import Absent

PACKS = {
    name: random.Random(name).randbytes(size) for name, size in (("a", 1000), ("b", 64), ("c", 1), ("d", 0))
}


class Counting:
    """A transport in memory that counts what it is asked."""

    far = True

    def __init__(self) -> None:
        self.reads = 0

    def names(self, kind: str) -> tuple[str, ...]:
        raise AssertionError(kind)

    def read(self, kind: str, name: str, offset: int, length: int) -> bytes:
        assert kind == "data"
        self.reads += 1
        if name not in PACKS:
            raise Absent("it is missing")
        return PACKS[name][offset : offset + length]

    def close(self) -> None:
        raise AssertionError


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 1100), st.integers(0, 400)), max_size=30))
def test_what_is_read_around_is_what_is_there(asked: list[tuple[str, int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readahead, "BLOCK", 64)
        patch.setattr(readahead, "_BLOCKS", 3)
        ahead = ReadAhead(Counting())
        for name, offset, length in asked:
            assert ahead.read(name, offset, length) == PACKS[name][offset : offset + length]
        assert len(ahead._kept) <= 3


def test_neighbours_cost_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readahead, "BLOCK", 500)
    transport = Counting()
    ahead = ReadAhead(transport)
    for offset in range(480, 0, -20):
        ahead.read("a", offset, 20)
    assert transport.reads == 1
    with pytest.raises(Unreadable):
        ahead.read("missing", 0, 1)
