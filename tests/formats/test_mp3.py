"""MP3: frames that chain, tags around them, splices that are harmless, and what is not."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats import Format
from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.mp3 import FORMAT, dissect, frame_length
from vigie.model import Kind, State, Verdict

SKEW = bytes(value & 0xEF for value in range(256))


def frames(count: int, header: bytes = b"\xff\xfb\x90\x00", seed: int = 1) -> bytes:
    """Frames of 128 kbit/s at 44.1 kHz, padded now and then, of bytes that no codec makes uniform."""
    dice, out = random.Random(seed), b""
    for index in range(count):
        head = bytes((header[0], header[1], header[2] | (2 if index % 3 else 0), header[3]))
        out += head + dice.randbytes(frame_length(head) - 4).translate(SKEW)
    return out


def id3(size: int) -> bytes:
    sync = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + sync + bytes(size)


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"\xff\xfb\x90", 417),
        (b"\xff\xfb\x92", 418),
        (b"\xff\xfd\x90", 522),  # layer II, 160 kbit/s
        (b"\xff\xff\x90", 312),  # layer I, 288 kbit/s
        (b"\xff\xf3\x90", 261),  # MPEG-2, 80 kbit/s at 22.05 kHz
        (b"\xff\xe3\x90", 522),  # MPEG-2.5, 80 kbit/s at 11.025 kHz
        (b"\xff\xf5\x90", 522),
        (b"\xff\xfb\xf0", 0),
        (b"\xff\xfb\x00", 0),
        (b"\xff\xfb\x9c", 0),
        (b"\xff\xeb\x90", 0),
        (b"\xff\xf9\x90", 0),
        (b"\xfe\xfb\x90", 0),
        (b"\xff", 0),
    ],
)
def test_the_length_of_a_frame(header: bytes, length: int) -> None:
    assert frame_length(header) == length


@pytest.mark.parametrize(
    "data",
    [
        frames(200),
        id3(3000) + frames(200),
        id3(300) + bytes(900) + frames(100) + b"TAG" + bytes(125),
        frames(50) + b"APETAGEX\xd0\7\0\0" + (100).to_bytes(4, "little") + bytes(116),
        frames(50) + b"LYRICSBEGIN" + b"words" * 9 + b"000000LYRICS200",
        frames(50) + id3(40) + frames(50),
        frames(3),
    ],
)
def test_healthy_recordings(data: bytes, judged: Callable[[Format, bytes], Verdict]) -> None:
    assert FORMAT.recognises(data[:4096])
    assert dissect(Bytes(data)).flaws == ()
    assert judged(FORMAT, data).state is State.INTACT


def test_splices_are_noted_not_flawed() -> None:
    spliced = frames(50) + frames(1)[:200] + frames(50) + frames(1)[:100]
    anatomy = dissect(Bytes(spliced))
    assert anatomy.flaws == ()
    assert anatomy.notes == ("the last frame is not whole", "spliced: 1 small breaks")
    ripped = frames(1)[77:] + frames(100)
    assert dissect(Bytes(ripped)).flaws == ()


def test_a_recording_that_ends_in_zeros_or_has_none() -> None:
    assert dissect(Bytes(frames(20) + bytes(100_000))).flaws == ()
    behind = dissect(Bytes(id3(100) + b"fLaC" + bytes(5000)))
    assert behind.notes == ("behind its ID3 tag stands no MPEG audio",)
    with pytest.raises(Malformed):
        dissect(Bytes(b"RIFF" + bytes(5000)))
    with pytest.raises(Malformed):
        dissect(Bytes(bytes(20 << 20)))


def test_every_way_of_overwriting_it(
    judged: Callable[[Format, bytes], Verdict], attacks: Callable[[bytes], dict[str, bytes]]
) -> None:
    for name, data in attacks(id3(500) + frames(1500)).items():
        assert judged(FORMAT, data).state is State.ENCRYPTED, name


@pytest.mark.parametrize("place", [40_000, 300_000, 600_000])
def test_one_block_is_found_to_the_block(
    place: int, judged: Callable[[Format, bytes], Verdict], block_struck: Callable[[bytes, int], bytes]
) -> None:
    verdict = judged(FORMAT, block_struck(frames(1500), place))
    assert verdict.state is State.ENCRYPTED
    (found,) = verdict.ranges
    assert found.start // 4096 == place // 4096
    assert found.end <= (place // 4096 + 2) * 4096


def test_three_places_are_three_flaws(block_struck: Callable[[bytes, int], bytes]) -> None:
    data = frames(1500)
    for place in (50_000, 200_000, 400_000):
        data = block_struck(data, place)
    flaws = dissect(Bytes(data)).flaws
    assert [flaw.start // 4096 for flaw in flaws] == [12, 48, 97]
    assert sum(flaw.end - flaw.start for flaw in flaws) < 4 * 4096


def test_headers_overwritten_in_step_are_no_splices() -> None:
    data = frames(40)
    steps = [0]
    while steps[-1] < len(data):
        steps.append(steps[-1] + frame_length(data[steps[-1] : steps[-1] + 3]))
    once = data[: steps[9]] + b"U" * 16 + data[steps[9] + 16 :]
    assert dissect(Bytes(once)).flaws == ()
    twice = once[: steps[20]] + b"U" * 16 + once[steps[20] + 16 :]
    assert [(f.start, f.end) for f in dissect(Bytes(twice)).flaws] == [
        (steps[9], steps[10]),
        (steps[20], steps[21]),
    ]


def test_what_breaks_off_again_and_again_is_flawed() -> None:
    data = b"".join(frames(3, seed=index)[:-200] for index in range(100))
    assert len(dissect(Bytes(data)).flaws) > 50


def test_a_long_recording_is_sampled() -> None:
    data = frames(40) * 600
    anatomy = dissect(Bytes(data), 1 << 20)
    assert anatomy.flaws == ()
    assert anatomy.notes == ("long: not every frame is tested",)
    struck = data[:2_000_000] + random.Random(2).randbytes(6_000_000) + data[8_000_000:]
    assert dissect(Bytes(struck), 1 << 20).flaws


@given(st.binary(max_size=3000), st.integers(0, 20_000), st.integers(0, 20_000))
@settings(max_examples=60, deadline=None)
def test_anything_goes(noise: bytes, place: int, cut: int) -> None:
    data = id3(200) + frames(40)
    for mutated in (noise, data[:place] + noise + data[place:], data[:cut], noise + data):
        try:
            anatomy = dissect(Bytes(mutated))
        except Malformed:
            continue
        assert all(0 <= flaw.start <= flaw.end <= len(mutated) for flaw in anatomy.flaws)
        assert anatomy.regions == () or anatomy.regions[-1].kind in (Kind.CODED, Kind.OPAQUE)
