"""MPEG program and transport streams: packs and packets that chain."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats import Format
from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.mpeg import FORMATS, pack_length
from vigie.model import State, Verdict

PROGRAM, TRANSPORT = FORMATS
SKEW = bytes(value & 0xEF for value in range(256))
PACK_2 = b"\0\0\1\xba\x44\0\4\0\4\1\1\x89\xc3\xf8"
PACK_1 = b"\0\0\1\xba\x21\0\1\0\1\x80\0\1"


def program(pack: bytes = PACK_2, count: int = 300) -> bytes:
    out = b""
    for index in range(count):
        size = 2048 - len(pack) - 6
        body = random.Random(index).randbytes(size).translate(SKEW)
        out += pack + b"\0\0\1" + (b"\xe0" if index % 9 else b"\xc0") + size.to_bytes(2, "big") + body
    return out + b"\0\0\1\xb9"


def transport(stride: int = 188, count: int = 3000) -> bytes:
    ahead = b"\x01\x02\x03\x04" if stride == 192 else b""
    out = []
    for index in range(count):
        body = random.Random(index).randbytes(stride - len(ahead) - 4).translate(SKEW)
        out.append(ahead + b"\x47\x01\x00" + bytes((0x10 | index & 15,)) + body)
    return b"".join(out)


HEALTHY = {
    "mpeg-2": (PROGRAM, program()),
    "mpeg-1": (PROGRAM, program(PACK_1)),
    "188": (TRANSPORT, transport()),
    "192": (TRANSPORT, transport(192)),
    "204": (TRANSPORT, transport(204)),
}


def test_the_length_of_packs_and_packets() -> None:
    assert pack_length(PACK_2, 0) == 14
    assert pack_length(PACK_1 + bytes(9), 0) == 12
    assert pack_length(b"\0\0\1\xb9", 0) == 4
    assert pack_length(b"\0\0\1\xe0\1\0" + bytes(20), 0) == 262
    assert pack_length(b"\0\0\1\xba" + bytes(20), 0) == 0
    assert pack_length(b"\0\0\1\xba\x44", 0) == 0
    assert pack_length(b"\0\0\1\x10" + bytes(20), 0) == 0


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_streams(name: str, judged: Callable[[Format, bytes], Verdict]) -> None:
    form, data = HEALTHY[name]
    assert [one for one in FORMATS if one.recognises(data[:4096])] == [form]
    assert form.dissect(Bytes(data)).flaws == ()
    assert judged(form, data).state is State.INTACT


@pytest.mark.parametrize("name", HEALTHY)
def test_every_way_of_overwriting_it(
    name: str,
    judged: Callable[[Format, bytes], Verdict],
    attacks: Callable[[bytes], dict[str, bytes]],
    block_struck: Callable[[bytes, int], bytes],
) -> None:
    form, data = HEALTHY[name]
    for way, struck in attacks(data).items():
        assert judged(form, struck).state is State.ENCRYPTED, way
    for place in (50_000, 400_000):
        verdict = judged(form, block_struck(data, place))
        assert verdict.state is State.ENCRYPTED
        assert [found.start // 4096 for found in verdict.ranges] == [place // 4096]
        assert verdict.ranges[0].end <= (place // 4096 + 2) * 4096


def test_bare_video_and_what_is_none(judged: Callable[[Format, bytes], Verdict]) -> None:
    video = b"\0\0\1\xb3\x28\x01\xe0\x23\xff\xff\xe0\x18" + random.Random(1).randbytes(5000)
    assert PROGRAM.recognises(video)
    assert judged(PROGRAM, video).state is State.INTACT
    assert not PROGRAM.recognises(b"\0\0\1\xb3" + bytes(20))
    for form in FORMATS:
        with pytest.raises(Malformed):
            form.dissect(Bytes(b"a" * 9000))


def test_zeros_between_packs_are_no_flaw() -> None:
    data = program()
    assert PROGRAM.dissect(Bytes(data[:20480] + bytes(3000) + data[20480:])).flaws == ()
    assert PROGRAM.dissect(Bytes(data + bytes(5000))).flaws == ()


@given(st.binary(max_size=2000), st.integers(0, 40_000))
@settings(max_examples=40, deadline=None)
def test_anything_goes(noise: bytes, place: int) -> None:
    for form, whole in HEALTHY.values():
        data = whole[:40_000]
        for mutated in (noise, data[:place] + noise + data[place:], data[:place], data[:5000] + noise):
            try:
                anatomy = form.dissect(Bytes(mutated))
            except Malformed:
                continue
            assert all(0 <= flaw.start <= flaw.end <= len(mutated) for flaw in anatomy.flaws)
