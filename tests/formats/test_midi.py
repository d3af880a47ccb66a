"""MIDI: a header and the tracks that it counts."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats import Format
from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.midi import FORMAT, dissect
from vigie.model import State, Verdict


def song(tracks: int = 3, notes: int = 900) -> bytes:
    out = b"MThd\0\0\0\6\0\1" + tracks.to_bytes(2, "big") + b"\1\xe0"
    for track in range(tracks):
        dice = random.Random(track)
        events = b"".join(
            bytes((dice.randrange(120), 0x90 | track, dice.randrange(30, 90), dice.randrange(128)))
            for _ in range(notes)
        )
        out += b"MTrk" + (len(events) + 4).to_bytes(4, "big") + events + b"\0\xff\x2f\0"
    return out


def test_a_healthy_song(
    judged: Callable[[Format, bytes], Verdict],
    attacks: Callable[[bytes], dict[str, bytes]],
    block_struck: Callable[[bytes, int], bytes],
) -> None:
    data = song()
    assert FORMAT.recognises(data)
    assert dissect(Bytes(data)).flaws == ()
    assert judged(FORMAT, data).state is State.INTACT
    for name, struck in attacks(data).items():
        if name != "64 KiB of 256":
            assert judged(FORMAT, struck).state is State.ENCRYPTED, name
    assert judged(FORMAT, block_struck(data, 5000)).state is State.ENCRYPTED


def test_what_is_missing_or_too_much(judged: Callable[[Format, bytes], Verdict]) -> None:
    data = song()
    assert judged(FORMAT, data[:-1]).state is State.DAMAGED
    assert judged(FORMAT, data[: data.rindex(b"MTrk")]).state is State.DAMAGED
    assert dissect(Bytes(data + b"more")).notes == ("4 bytes behind the last track",)
    assert dissect(Bytes(data.replace(b"MTrk", b"Mxxx"))).flaws[0].what == "no track where one must begin"
    with pytest.raises(Malformed):
        dissect(Bytes(data[4:]))


@given(st.binary(max_size=500), st.integers(0, 4000))
@settings(max_examples=60, deadline=None)
def test_anything_goes(noise: bytes, place: int) -> None:
    data = song(2, 100)
    for mutated in (data[:place] + noise + data[place:], data[:14] + noise):
        try:
            anatomy = dissect(Bytes(mutated))
        except Malformed:
            continue
        assert all(0 <= flaw.start <= flaw.end <= len(mutated) for flaw in anatomy.flaws)
