"""Time zone tables: both blocks, the footer, transitions in order."""

import random
import struct

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.program.tzif import FORMAT, dissect
from vigie.model import Kind

TIMES = [-1_500_000_000 + 15_724_800 * n for n in range(200)]


def block(version: bytes, width: int, times: list[int], leaps: int = 0) -> bytes:
    counts = struct.pack(">6L", 2, 2, leaps, len(times), 2, 9)
    data = b"TZif" + version + bytes(15) + counts
    data += struct.pack(f">{len(times)}{'i' if width == 4 else 'q'}", *times)
    data += bytes(n % 2 for n in range(len(times)))
    data += struct.pack(">iBB", 3600, 0, 0) + struct.pack(">iBB", 7200, 1, 4) + b"CET\0CEST\0"
    return data + bytes((width + 4) * leaps) + b"\0\1\0\1"


def table(times: list[int] | None = None, footer: bytes = b"\nCET-1CEST,M3.5.0,M10.5.0/3\n") -> bytes:
    times = TIMES if times is None else times
    return block(b"2", 4, times) + block(b"2", 8, times, 3) + footer


def healthy() -> bytes:
    return table()


def test_healthy_tables() -> None:
    for data in (healthy(), table([]), block(b"\0", 4, TIMES)):
        assert FORMAT.recognises(data[:4096])
        anatomy = dissect(Bytes(data))
        assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert "leap seconds" in {region.what for region in dissect(Bytes(healthy())).regions}
    assert dissect(Bytes(healthy() + b"x")).notes == ("1 bytes behind the table",)


def test_times_out_of_order_are_flaws_where_they_stand() -> None:
    data = bytearray(healthy())
    place = 44 + 400
    data[place : place + 200] = random.Random(1).randbytes(200)
    anatomy = dissect(Bytes(bytes(data)))
    (flaw,) = anatomy.flaws
    assert place - 8 <= flaw.start < flaw.end <= place + 208
    assert next(r for r in anatomy.regions if r.start <= flaw.start < r.end).kind is Kind.CODED


def test_types_that_do_not_exist() -> None:
    data = bytearray(healthy())
    data[44 + 800] = 2
    data[44 + 1000 + 5] = 200
    said = [flaw.what for flaw in dissect(Bytes(bytes(data))).flaws]
    assert said == ["a transition to a type that does not exist", "an impossible type of local time"]


@pytest.mark.parametrize("cut", [60, 500, 1029, 1060, 1100, -1, -28, -29, -60])
def test_cut_tables(cut: int) -> None:
    assert dissect(Bytes(healthy()[:cut])).flaws[-1].what == "the file ends before its tables do"


def test_what_is_no_table() -> None:
    data = healthy()
    second = data.index(b"TZif", 4)
    for bad in (b"", data[:43], data[:second] + b"?" * 90, data[:-28] + b"?" + data[-27:]):
        with pytest.raises(Malformed):
            dissect(Bytes(bad))


def test_counts_that_cannot_be() -> None:
    data = healthy()
    for place, value in ((4, b"9"), (10, b"x"), (20, b"\0\0\0\7"), (32, b"\xff"), (36, bytes(4))):
        assert not FORMAT.recognises(data[:place] + value + data[place + len(value) :])
