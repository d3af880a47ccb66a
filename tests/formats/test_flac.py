"""FLAC: metadata, and frames whose CRCs hold."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats import Format
from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.flac import FORMAT, crc16, dissect, header_length
from vigie.model import State, Verdict


def slow_crc(data: bytes, polynomial: int, bits: int) -> int:
    """The CRCs of RFC 9639, bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte << (bits - 8)
        for _ in range(8):
            crc <<= 1
            if crc >> bits:
                crc ^= (1 << bits) | polynomial
    return crc


def frame(number: int, size: int) -> bytes:
    coded = bytes((number,)) if number < 128 else bytes((0xC0 | number >> 6, 0x80 | number & 0x3F))
    head = b"\xff\xf8\xc9\x18" + coded
    head += bytes((slow_crc(head, 0x07, 8),))
    body = head + random.Random(number).randbytes(size)
    return body + crc16(body).to_bytes(2, "big")


def recording(count: int) -> bytes:
    info = b"fLaC\0\0\0\x22" + bytes(18) + random.Random(0).randbytes(16)
    words = b"\4\0\0\x64" + b"words " * 16 + b"abcd"
    padding = b"\x81\0\x20\0" + bytes(8192)
    return info + words + padding + b"".join(frame(index, 4000 + index * 31 % 900) for index in range(count))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 100, 4095, 5000])
def test_the_crc_is_that_of_the_rfc(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert crc16(data) == slow_crc(data, 0x8005, 16)


def test_frame_headers() -> None:
    assert header_length(frame(5, 20), 0) == 6
    assert header_length(frame(300, 20), 0) == 7
    wide = b"\xff\xf9\x7d\x08\x05\0\xff\xac\x44"  # block size and rate are said in 16 bits each
    assert header_length(wide + bytes((slow_crc(wide, 0x07, 8),)) + bytes(9), 0) == 10
    for bad in (b"\xff\xf8\x0f\x18\0", b"\xff\xf8\xcf\x18\0", b"\xff\xf8\xc9\xb8\0", b"\xff\xf8\xc9\x18\x80"):
        assert header_length(bad + bytes(9), 0) == 0


def test_a_healthy_recording(judged: Callable[[Format, bytes], Verdict]) -> None:
    data = recording(80)
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert anatomy.checked > 300_000
    assert judged(FORMAT, data).state is State.INTACT
    for odd in (b"ID3\4\0\0\0\0\0\x20" + bytes(32) + data, data + b"TAG" + bytes(125)):
        assert dissect(Bytes(odd)).flaws == ()
    with pytest.raises(Malformed):
        dissect(Bytes(data[1:]))


def test_broken_metadata() -> None:
    data = recording(3)
    assert [flaw.what for flaw in dissect(Bytes(data[:100])).flaws] == [
        "a metadata block longer than the file",
        "the file ends inside its metadata",
    ]
    broken = data[:42] + b"\x7f" + data[43:]
    assert dissect(Bytes(broken)).flaws[0].what == "no metadata block where one must begin"
    endless = data[:42] + b"\6\0\0\0" * 2000
    assert "more metadata blocks than are read" in dissect(Bytes(endless)).notes


def test_every_way_of_overwriting_it(
    judged: Callable[[Format, bytes], Verdict],
    attacks: Callable[[bytes], dict[str, bytes]],
    block_struck: Callable[[bytes, int], bytes],
) -> None:
    data = recording(200)
    for name, struck in attacks(data).items():
        assert judged(FORMAT, struck).state is State.ENCRYPTED, name
    verdict = judged(FORMAT, block_struck(data, 400_000))
    assert verdict.state is State.ENCRYPTED
    (found,) = verdict.ranges  # a frame is as tight as FLAC can tell
    assert found.start <= 397_312 <= found.end <= 397_312 + 3 * 4900


def test_a_cut_is_no_attack(judged: Callable[[Format, bytes], Verdict]) -> None:
    data = recording(40)
    for end in (len(data) - 1, len(data) - 3000):
        assert judged(FORMAT, data[:end]).state is State.DAMAGED


def test_a_long_recording_is_sampled() -> None:
    data = recording(100) + b"".join(frame(index, 4500) for index in range(900))
    anatomy = dissect(Bytes(data), 1 << 20)
    assert anatomy.flaws == ()
    assert anatomy.notes == ("long: not every frame is tested",)


@given(st.binary(max_size=3000), st.integers(0, 30_000))
@settings(max_examples=60, deadline=None)
def test_anything_goes(noise: bytes, place: int) -> None:
    data = recording(6)
    for mutated in (noise, data[:place] + noise + data[place:], data[:place], data[:42] + noise):
        try:
            anatomy = dissect(Bytes(mutated))
        except Malformed:
            continue
        assert all(0 <= flaw.start <= flaw.end <= len(mutated) for flaw in anatomy.flaws)
