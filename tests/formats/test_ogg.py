"""Ogg: pages, their CRCs, and the next one that holds."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats import Format
from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.ogg import FORMAT, dissect, page_crc, page_length
from vigie.model import State, Verdict

SKEW = bytes(value & 0xEF for value in range(256))


def slow_crc(data: bytes) -> int:
    """The CRC of RFC 3533, bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


def page(number: int, size: int) -> bytes:
    table = bytes((255,) * (size // 255)) + bytes((size % 255,))
    head = b"OggS\0" + (b"\2" if number == 0 else b"\0") + bytes(8) + b"ABCD" + number.to_bytes(4, "little")
    body = random.Random(number).randbytes(size).translate(SKEW)
    raw = head + bytes(4) + bytes((len(table),)) + table + body
    return raw[:22] + page_crc(raw).to_bytes(4, "little") + raw[26:]


def stream(count: int) -> bytes:
    return b"".join(page(index, 3000 + index * 91 % 2000) for index in range(count))


def test_the_crc_is_that_of_the_rfc() -> None:
    sample = page(3, 700)
    assert page_crc(sample) == slow_crc(sample[:22] + bytes(4) + sample[26:])
    assert page_length(sample) == len(sample)
    assert page_length(sample[:28]) == 0


def test_a_healthy_stream(judged: Callable[[Format, bytes], Verdict]) -> None:
    data = stream(60)
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes, anatomy.checked) == ((), (), len(data))
    assert judged(FORMAT, data).state is State.INTACT
    assert dissect(Bytes(data + b"TAG" + bytes(125))).flaws == ()
    with pytest.raises(Malformed):
        dissect(Bytes(data[1:]))


def test_every_way_of_overwriting_it(
    judged: Callable[[Format, bytes], Verdict],
    attacks: Callable[[bytes], dict[str, bytes]],
    block_struck: Callable[[bytes, int], bytes],
) -> None:
    data = stream(200)
    for name, struck in attacks(data).items():
        assert judged(FORMAT, struck).state is State.ENCRYPTED, name
    for place in (41_000, 400_000, len(data) - 6000):
        verdict = judged(FORMAT, block_struck(data, place))
        assert verdict.state is State.ENCRYPTED
        assert any(found.start <= place < found.end for found in verdict.ranges)
        assert sum(found.end - found.start for found in verdict.ranges) <= 3 * 4096


def test_a_flipped_bit_is_one_page() -> None:
    data = bytearray(stream(60))
    data[100_000] ^= 1
    (flaw,) = dissect(Bytes(bytes(data))).flaws
    assert flaw.checksum
    assert flaw.start <= 100_000 < flaw.end
    assert flaw.end - flaw.start < 6000


def test_a_cut_is_no_attack(judged: Callable[[Format, bytes], Verdict]) -> None:
    data = stream(60)
    for end in (len(data) - 1, len(data) - 3000, 100_000):
        assert judged(FORMAT, data[:end]).state is State.DAMAGED


def test_a_long_stream_is_sampled() -> None:
    data = page(0, 30) + stream(60)[3027:] * 40
    anatomy = dissect(Bytes(data), 1 << 20)
    assert "long: not every page is tested" in anatomy.notes
    assert 0 < anatomy.checked < 5 << 20


@given(st.binary(max_size=3000), st.integers(0, 30_000))
@settings(max_examples=60, deadline=None)
def test_anything_goes(noise: bytes, place: int) -> None:
    data = stream(8)
    for mutated in (noise, data[:place] + noise + data[place:], data[:place], b"OggS\0\2" + noise):
        try:
            anatomy = dissect(Bytes(mutated))
        except Malformed:
            continue
        assert all(0 <= flaw.start <= flaw.end <= len(mutated) for flaw in anatomy.flaws)
