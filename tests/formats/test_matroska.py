"""Matroska and WebM: elements that chain, clusters, and what their blocks hold."""

import random
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats import Format
from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.matroska import FORMAT, dissect, element
from vigie.model import State, Verdict

SKEW = bytes(value & 0xEF for value in range(256))
LIVE = b"\x01\xff\xff\xff\xff\xff\xff\xff"


def sized(name: str, body: bytes) -> bytes:
    size = len(body)
    length = bytes((0x80 | size,)) if size < 127 else (0x10000000 | size).to_bytes(4, "big")
    return bytes.fromhex(name) + length + body


def tracks(codec: bytes, private: bytes) -> bytes:
    entry = sized("d7", b"\1") + sized("86", codec) + (sized("63a2", private) if private else b"")
    return sized("1654ae6b", sized("ae", entry) + sized("ae", sized("d7", b"\2") + sized("86", b"A_OPUS")))


def nals(seed: int) -> bytes:
    body = random.Random(seed).randbytes(2500).translate(SKEW)
    return struct.pack(">L", 1201) + b"\x41" + body[:1200] + struct.pack(">L", 1301) + b"\x41" + body[1200:]


def film(
    codec: bytes = b"V_MPEG4/ISO/AVC",
    private: bytes = b"\1\x64\0\x1f\xff\xe1",
    clusters: int = 12,
    *,
    live: bool = False,
    group: bool = False,
) -> bytes:
    body = sized("1549a966", sized("2ad7b1", b"\x0f\x42\x40")) + tracks(codec, private)
    for index in range(clusters):
        blocks = sized("e7", (index * 1000).to_bytes(2, "big"))
        for number in range(15):
            block = (
                b"\x81"
                + number.to_bytes(2, "big")
                + (b"\0" if group else b"\x80")
                + nals(index * 99 + number)
            )
            blocks += sized("a0", sized("a1", block)) if group else sized("a3", block)
            blocks += sized("a3", b"\x82\0\1\x80" + random.Random(number).randbytes(150))
        blocks += sized("ec", bytes(30))
        body += bytes.fromhex("1f43b675") + LIVE + blocks if live else sized("1f43b675", blocks)
    if not live:
        body += sized("1c53bb6b", sized("bb", sized("b3", b"\1")) * 20)
    head = sized("1a45dfa3", sized("4286", b"\1") + sized("4282", b"matroska"))
    return head + (b"\x18\x53\x80\x67" + LIVE + body if live else sized("18538067", body))


HEALTHY = {
    "h264": film(),
    "hevc": film(b"V_MPEGH/ISO/HEVC", b"\1" + bytes(20) + b"\xff\0"),
    "live": film(live=True),
    "groups": film(group=True),
    "vp9": film(b"V_VP9", b""),
}


def test_element_headers() -> None:
    found = element(b"\x1a\x45\xdf\xa3\x84abcd", 0)
    assert found is not None
    assert (found.id, found.content, found.end) == (0x1A45DFA3, 5, 9)
    live = element(b"\x18\x53\x80\x67" + LIVE, 100)
    assert live is not None
    assert (live.content, live.end) == (112, None)
    for bad in (b"", b"\xa3", b"\x08\x81", b"\xa3\0\0", b"\xa3\x10\1"):
        assert element(bad, 0) is None


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_films(name: str, judged: Callable[[Format, bytes], Verdict]) -> None:
    data = HEALTHY[name]
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert judged(FORMAT, data).state is State.INTACT


@pytest.mark.parametrize("name", HEALTHY)
def test_every_way_of_overwriting_it(
    name: str,
    judged: Callable[[Format, bytes], Verdict],
    attacks: Callable[[bytes], dict[str, bytes]],
    block_struck: Callable[[bytes, int], bytes],
) -> None:
    data = HEALTHY[name]
    for way, struck in attacks(data).items():
        assert judged(FORMAT, struck).state is State.ENCRYPTED, way
    twice = block_struck(block_struck(data, 100_000), 300_000)
    assert judged(FORMAT, twice).state is State.ENCRYPTED
    flaws = dissect(Bytes(twice)).flaws
    assert [flaw.start // 4096 for flaw in flaws] == [24, 73]
    assert all(flaw.end - flaw.start <= 2 * 4096 for flaw in flaws)


def test_a_lost_unit_inside_a_block() -> None:
    data = HEALTHY["h264"]
    place = data.index(nals(99 * 5 + 3)) + 1205
    (flaw,) = dissect(Bytes(data[:place] + b"\xff" * 4 + data[place + 4 :])).flaws
    assert flaw.what == "a block is not what its codec writes"
    assert flaw.start == place


def test_a_cut_is_damage(judged: Callable[[Format, bytes], Verdict]) -> None:
    data = HEALTHY["h264"]
    for end in (len(data) - 1, len(data) // 2, len(data) // 3):
        assert judged(FORMAT, data[:end]).state is State.DAMAGED


def test_oddities() -> None:
    data = HEALTHY["h264"]
    assert dissect(Bytes(data + b"behind")).notes == ("6 bytes behind the segment",)
    assert dissect(Bytes(film(clusters=60)), 1).notes == ("long: not every block is tested",)
    zipped = data.replace(sized("d7", b"\1"), sized("6d80", b""), 1)
    assert dissect(Bytes(zipped)).flaws == ()
    with pytest.raises(Malformed):
        dissect(Bytes(data[1:]))
    with pytest.raises(Malformed):
        dissect(Bytes(data[:20].ljust(4000, b"\1")))


@given(st.binary(max_size=2000), st.integers(0, 40_000))
@settings(max_examples=60, deadline=None)
def test_anything_goes(noise: bytes, place: int) -> None:
    data = SHORT
    for mutated in (noise, data[:place] + noise + data[place:], data[:place], data[:44] + noise):
        try:
            anatomy = dissect(Bytes(mutated))
        except Malformed:
            continue
        assert all(0 <= flaw.start <= flaw.end <= len(mutated) for flaw in anatomy.flaws)
        edges = [edge for region in anatomy.regions for edge in (region.start, region.end)]
        assert edges == sorted(edges)


SHORT = film(clusters=1)
