"""SCP-ECG records, made by hand: sections, their sums, and what breaks them."""

import random
import struct
from binascii import crc_hqx

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import HEAD, Bytes, Malformed
from vigie.formats.health.scpecg import FORMAT
from vigie.judge import judge
from vigie.model import State

CHAOS = random.Random(9)
PATIENT = b"\x00\x07\0Dupre\0\0\x01\x08\0Helene\0\0\x02\x06\x0012345\0\xff\0\0"


def section(number: int, body: bytes, *, mark: bytes = bytes(6), sums: bool = True) -> bytes:
    rest = struct.pack("<HIBB", number, 16 + len(body), 20, 20) + mark + body
    return struct.pack("<H", crc_hqx(rest, 0xFFFF) if sums else 0x1234) + rest


def record(*, sums: bool = True, total: bool = True, mark: bytes = b"SCPECG", size: int = 20_000) -> bytes:
    # Rhythm data is Huffman coded: bytes of many kinds, far from uniform.
    rhythm = bytes(CHAOS.choices(range(256), weights=[1 + (n * 7) % 13 for n in range(256)], k=size))
    bodies = [(1, PATIENT), (3, bytes(40)), (6, rhythm), (7, b"\0\1" * 30), (99, b"")]
    at = 6 + 16 + 12 * 10
    parts, pointers = [], [(0, 16 + 12 * 10, 7)]
    for number, body in bodies:
        part = section(number, body, sums=sums)
        pointers.append((number, len(part), at + 1))
        parts.append(part)
        at += len(part)
    pointers += [(number, 0, 0) for number in (2, 4, 5, 8, 9, 10)]
    table = b"".join(struct.pack("<HII", *pointer) for pointer in pointers)
    body = section(0, table, mark=mark, sums=sums) + b"".join(parts)
    rest = struct.pack("<I", 6 + len(body)) + body
    return struct.pack("<H", crc_hqx(rest, 0xFFFF) if total else 0x4321) + rest


HEALTHY = record()


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (HEALTHY, None),
        (record(mark=bytes(6)), None),
        (record(total=False), "the sum of the record does not fit, those of its sections do"),
        (record(sums=False), "sums of sections that do not fit, and that of the record does"),
        (record(sums=False, total=False), "no sum fits: its writer does not compute them"),
        (HEALTHY + bytes(6), "6 bytes behind the record"),
    ],
)
def test_healthy_records(data: bytes, note: str | None) -> None:
    assert FORMAT.recognises(data[:HEAD])
    anatomy = FORMAT.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.notes == ((note,) if note else ())
    assert judge(Bytes(data), "x.scp").state is State.INTACT


def test_sums_that_hold_are_counted() -> None:
    assert FORMAT.dissect(Bytes(HEALTHY)).checked == len(HEALTHY)


def at(data: bytes, start: int, size: int) -> bytes:
    return data[:start] + CHAOS.randbytes(size) + data[start + size :]


def test_struck_records_are_encrypted() -> None:
    chopped = bytearray(HEALTHY)
    for place in range(0, len(chopped), 192):
        chopped[place : place + 64] = CHAOS.randbytes(len(chopped[place : place + 64]))
    for data in (
        CHAOS.randbytes(len(HEALTHY)),
        at(HEALTHY, 0, 4096),
        bytes(chopped),
        at(HEALTHY, 8192, 4096),
    ):
        assert judge(Bytes(data), "x.scp").state is State.ENCRYPTED


def test_a_struck_block_is_told_by_blocks_of_its_section() -> None:
    anatomy = FORMAT.dissect(Bytes(at(HEALTHY, 8192, 4096)))
    assert {flaw.what for flaw in anatomy.flaws} == {"sum of section 6 does not fit"}
    assert [flaw.end for flaw in anatomy.flaws[:-1]] == [8192, 12288]
    assert all(flaw.checksum for flaw in anatomy.flaws)
    assert judge(Bytes(at(HEALTHY, 8192, 4096)), "x.scp").ranges == ((8192, 12288),)


def test_a_flipped_bit_is_damage() -> None:
    data = bytearray(HEALTHY)
    data[200] ^= 1
    assert judge(Bytes(bytes(data)), "x.scp").state is State.DAMAGED


def test_pointers_that_lie_are_flaws() -> None:
    data = bytearray(HEALTHY)
    data[22 + 10 + 6 : 22 + 10 + 10] = struct.pack("<I", 20)
    what = [flaw.what for flaw in FORMAT.dissect(Bytes(bytes(data))).flaws]
    assert what[0] in ("section 1 cannot stand there", "sum of the pointers does not fit")
    data = bytearray(HEALTHY)
    place = HEALTHY.index(b"Dupre") - 19 + 2
    data[place : place + 2] = b"\x09\x00"
    assert "no section 1 here" in [flaw.what for flaw in FORMAT.dissect(Bytes(bytes(data))).flaws]


def test_every_cut_is_told() -> None:
    for size in range(1, len(HEALTHY), 101):
        try:
            assert FORMAT.dissect(Bytes(HEALTHY[:size])).flaws
        except Malformed as broken:
            assert size < 40
            assert broken.offset <= size  # noqa: PT017  either is right


def test_without_effort_no_sum_is_computed() -> None:
    anatomy = FORMAT.dissect(Bytes(HEALTHY), 100)
    assert anatomy.flaws == ()
    assert "too large to be tested in full" in anatomy.notes


@pytest.mark.parametrize("head", [b"", bytes(64), CHAOS.randbytes(64), HEALTHY[:20]])
def test_other_files_are_not(head: bytes) -> None:
    assert not FORMAT.recognises(head)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_mutated_records(draw: st.DataObject) -> None:
    data = bytearray(HEALTHY)
    for _ in range(draw.draw(st.integers(1, 5))):
        place = draw.draw(st.integers(0, 400))
        data[place : place + 8] = draw.draw(st.binary(max_size=8))
    try:
        anatomy = FORMAT.dissect(Bytes(bytes(data)))
    except Malformed:
        return
    last = 0
    for region in anatomy.regions:
        assert last <= region.start < region.end <= len(data)
        last = region.end
    assert all(0 <= flaw.start <= flaw.end <= len(data) for flaw in anatomy.flaws)
