"""AAC in ADTS: frames that chain."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats import Format
from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.aac import FORMAT, dissect, frame_length
from vigie.model import State, Verdict

SKEW = bytes(value & 0xEF for value in range(256))


def frame(length: int, seed: int) -> bytes:
    head = bytes((0xFF, 0xF1, 0x50, 0x80 | length >> 11, length >> 3 & 255, (length & 7) << 5 | 0x1F, 0xFC))
    return head + random.Random(seed).randbytes(length - 7).translate(SKEW)


def stream(count: int) -> bytes:
    return b"".join(frame(300 + index * 37 % 90, index) for index in range(count))


def test_the_length_of_a_frame() -> None:
    assert frame_length(frame(1234, 1), 0) == 1234
    assert frame_length(frame(1234, 1)[:6], 0) == 0
    assert frame_length(b"\xff\xf1\x3c\x80\x10\x1f\xfc", 0) == 0  # no such sampling rate
    assert frame_length(b"\xff\xf7\x50\x80\x10\x1f\xfc", 0) == 0  # a layer that is not 0


def test_healthy_streams(judged: Callable[[Format, bytes], Verdict]) -> None:
    for data in (stream(400), stream(2), frame(6000, 3) + frame(5000, 4) + frame(6000, 4)):
        assert dissect(Bytes(data)).flaws == ()
        assert judged(FORMAT, data).state is State.INTACT
    assert FORMAT.recognises(stream(400)[:4096])
    assert dissect(Bytes(b"ID3\4\0\0\0\0\0\x20" + bytes(32) + stream(9))).flaws == ()
    assert dissect(Bytes(stream(9)[50:])).notes


def test_what_is_no_stream() -> None:
    assert not FORMAT.recognises(b"\xff\xf1" + bytes(4094))
    assert not FORMAT.recognises(b"a" + stream(9))
    with pytest.raises(Malformed):
        dissect(Bytes(bytes(9999)))


def test_every_way_of_overwriting_it(
    judged: Callable[[Format, bytes], Verdict],
    attacks: Callable[[bytes], dict[str, bytes]],
    block_struck: Callable[[bytes, int], bytes],
) -> None:
    data = stream(2000)
    for name, struck in attacks(data).items():
        assert judged(FORMAT, struck).state is State.ENCRYPTED, name
    verdict = judged(FORMAT, block_struck(data, 300_000))
    assert verdict.state is State.ENCRYPTED
    assert [tuple(found) for found in verdict.ranges] == [(299_008, 303_104)]


@given(st.binary(max_size=3000), st.integers(0, 9000))
@settings(max_examples=60, deadline=None)
def test_anything_goes(noise: bytes, place: int) -> None:
    data = stream(30)
    for mutated in (noise, data[:place] + noise + data[place:], data[:place], b"\xff\xf1\x50\x80" + noise):
        try:
            anatomy = dissect(Bytes(mutated))
        except Malformed:
            continue
        assert all(0 <= flaw.start <= flaw.end <= len(mutated) for flaw in anatomy.flaws)
