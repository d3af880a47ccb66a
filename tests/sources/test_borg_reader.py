"""How many files a run of borg brings; what they hold is the matter of the contract suite."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from vigie.model import Attributes
from vigie.sources.borg.listing import Item
from vigie.sources.borg.program import Borg
from vigie.sources.borg.reader import Reader

KIB, MIB = 1 << 10, 1 << 20


class Counting(Reader):
    """Runs no borg: every file that is asked for is there."""

    def __init__(self) -> None:
        super().__init__(cast("Borg", None))
        self.runs: list[int] = []

    def _fetch(self, archive: str, batch: Sequence[Item]) -> str:  # noqa: ARG002 - as it is called
        self.runs.append(len(batch))
        for item in batch:
            self._keep(item.chunks, bytes(item.size))
        return ""


def announced(count: int, size: int, **more: Any) -> tuple[Counting, list[Item]]:
    items = [
        Item(f"/{n:06}", Attributes(0o644, 0, 0, 0), n.to_bytes(32, "big"), size, size, f"/{n:06}", **more)
        for n in range(count)
    ]
    reader = Counting()
    reader.announce("archive", items)
    return reader, items


def test_a_sample_of_small_files_takes_a_few_runs() -> None:
    reader, items = announced(20_000, 8 * KIB)
    for item in items[::200]:
        assert reader.head("archive", item).size == item.size
    assert len(reader.runs) < 20
    assert max(reader.runs) == 2048


def test_a_sample_of_larger_files_reads_little_beside_it() -> None:
    reader, items = announced(2_000, 512 * KIB)
    for item in items[::200]:
        reader.head("archive", item)
    assert reader.runs == [8] * 10


def test_all_of_them_are_read_in_full_runs() -> None:
    reader, items = announced(96, MIB)
    for item in items:
        reader.open("archive", item).close()
    assert len(reader.runs) <= 6
    assert sum(reader.runs) == 96


def test_what_was_given_already_is_not_read_ahead() -> None:
    reader, items = announced(10, KIB)
    reader.open("archive", items[5]).close()
    assert reader.runs == [5]
    reader.open("archive", items[0]).close()
    assert reader.runs == [5, 5]


@pytest.mark.parametrize("more", [{"flaw": "broken"}, {}])
def test_a_file_nobody_announced_comes_alone(more: dict[str, Any]) -> None:
    reader, _ = announced(10, KIB, **more)
    whole = Item("/000000", Attributes(0o644, 0, 0, 0), b"x" * 32, KIB, KIB, "/000000")
    reader.open("archive" if more else "another", whole).close()
    assert reader.runs == [1]
