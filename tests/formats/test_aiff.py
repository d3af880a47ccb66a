"""AIFF and AU: headers, and samples that jump as no sound does."""

import random
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats import Format
from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.aiff import FORMATS
from vigie.model import State, Verdict

AIFF, AU = FORMATS


def samples(kind: str, seconds: float = 3.0) -> bytes:
    time = np.arange(int(seconds * 44100)) / 44100
    tone = 0.6 * np.sin(2000 * time) * (time % 1 > 0.2)
    return (tone * 32767).astype(kind).tobytes()


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">L", len(body)) + body + b"\0" * (len(body) & 1)


def aiff(coding: bytes = b"", *more: bytes, seconds: float = 3.0) -> bytes:
    raw = samples("<i2" if coding == b"sowt" else ">i2", seconds)
    common = struct.pack(">HLH10s", 1, len(raw) // 2, 16, b"\x40\x0e\xac\x44") + coding
    body = (b"AIFC" if coding else b"AIFF") + chunk(b"COMM", common)
    body += b"".join(more) + chunk(b"SSND", bytes(8) + raw)
    return b"FORM" + struct.pack(">L", len(body)) + body


def au(seconds: float = 3.0, size: int | None = None) -> bytes:
    raw = samples(">i2", seconds)
    return b".snd" + struct.pack(">5L", 32, len(raw) if size is None else size, 3, 44100, 1) + bytes(8) + raw


HEALTHY = {
    "aiff": (AIFF, aiff()),
    "sowt": (AIFF, aiff(b"sowt")),
    "named": (AIFF, aiff(b"NONE", chunk(b"NAME", b"a song!"))),
    "au": (AU, au()),
    "au, streamed": (AU, au(size=0xFFFFFFFF)),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_sounds(name: str, judged: Callable[[Format, bytes], Verdict]) -> None:
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
    verdict = judged(form, block_struck(data, 100_000))
    assert verdict.state is State.ENCRYPTED
    assert [tuple(found) for found in verdict.ranges] == [(98_304, 102_400)]


def test_what_is_missing_or_too_much(judged: Callable[[Format, bytes], Verdict]) -> None:
    for form, data in (HEALTHY["aiff"], HEALTHY["au"]):
        assert judged(form, data[:-2]).state is State.DAMAGED
        assert judged(form, data[: len(data) // 2]).state is State.DAMAGED
        with pytest.raises(Malformed):
            form.dissect(Bytes(data[2:]))
    assert AIFF.dissect(Bytes(aiff() + b"behind")).notes == ("6 bytes behind the FORM",)
    lost = aiff(b"", b"\xff" * 12)
    assert [flaw.what for flaw in AIFF.dissect(Bytes(lost)).flaws] == ["no chunk where one must begin"]
    spoken = au()[:12] + b"\0\0\0\1" + au()[16:40] + random.Random(1).randbytes(100_000)
    assert (
        judged(AU, spoken.ljust(len(au()), b"\0")).state is State.INTACT
    )  # 8 bit mu-law: anything may stand


@given(st.binary(max_size=500), st.integers(0, 30_000))
@settings(max_examples=60, deadline=None)
def test_anything_goes(noise: bytes, place: int) -> None:
    for form, data in ((AIFF, aiff(seconds=0.3)), (AU, au(0.3))):
        for mutated in (noise, data[:place] + noise + data[place:], data[:place], data[:24] + noise):
            try:
                anatomy = form.dissect(Bytes(mutated))
            except Malformed:
                continue
            assert all(0 <= flaw.start <= flaw.end <= len(mutated) for flaw in anatomy.flaws)
