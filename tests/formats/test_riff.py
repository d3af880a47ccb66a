"""RIFF: chunks that chain, the sound of WAV, the pictures of AVI and WebP."""

import io
import random
import struct
import wave
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, features

from vigie.formats import Format
from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.riff import FORMATS
from vigie.model import Kind, State, Verdict

WAV, AVI, WEBP, RIFF = FORMATS
SKEW = bytes(value & 0xEF for value in range(256))


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<L", len(body)) + body + b"\0" * (len(body) & 1)


def riff(kind: bytes, *chunks: bytes) -> bytes:
    body = kind + b"".join(chunks)
    return b"RIFF" + struct.pack("<L", len(body)) + body


def sound(width: int = 2, channels: int = 1, seconds: float = 3.0) -> bytes:
    """A loud chord with noise, that falls silent now and then."""
    count = int(seconds * 44100)
    time = np.arange(count) / 44100
    noise = np.random.default_rng(1).normal(0, 0.05, count)
    tone = (0.5 * np.sin(880 * time * 6.28) + 0.3 * np.sin(5000 * time) + noise) * (time % 1 > 0.2)
    whole = (np.clip(tone, -1, 1) * (2**31 - 1)).astype("<i4").repeat(channels)
    raw = whole.view(np.uint8).reshape(-1, 4)[:, 4 - width :] ^ np.uint8(0x80 if width == 1 else 0)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(44100)
        file.writeframes(raw.tobytes())
    return out.getvalue()


def jpeg(index: int) -> bytes:
    scan = random.Random(index).randbytes(3000).translate(SKEW).replace(b"\xff", b"\xff\0")
    return b"\xff\xd8\xff\xe0\0\4ab\xff\xda\0\4\1\1" + scan + b"\xff\xd9"


def film(codec: bytes = b"XVID", count: int = 150) -> bytes:
    strf = chunk(b"strf", struct.pack("<LLLHH4s20x", 40, 640, 480, 1, 24, codec))
    hdrl = chunk(b"LIST", b"hdrl" + chunk(b"avih", bytes(56)) + chunk(b"LIST", b"strl" + strf))
    movi, index = b"movi", b""
    for number in range(count):
        body = jpeg(number) if codec == b"MJPG" else random.Random(number).randbytes(2900).translate(SKEW)
        index += b"00dc" + struct.pack("<LLL", 16, len(movi), len(body))
        movi += chunk(b"00dc", body) + chunk(b"01wb", bytes(417))
    return riff(b"AVI ", hdrl, chunk(b"JUNK", bytes(500)), chunk(b"LIST", movi), chunk(b"idx1", index))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_healthy_sound(width: int, channels: int, judged: Callable[[Format, bytes], Verdict]) -> None:
    data = sound(width, channels)
    assert WAV.recognises(data[:4096])
    assert WAV.dissect(Bytes(data)).flaws == ()
    assert judged(WAV, data).state is State.INTACT


def test_white_noise_is_no_attack(judged: Callable[[Format, bytes], Verdict]) -> None:
    data = sound()[:44] + random.Random(1).randbytes(len(sound()) - 44)
    assert judged(WAV, data).state is State.INTACT


def pcm(values: NDArray[np.float64], width: int) -> bytes:
    """A WAV of samples from -1 to 1, in one channel."""
    raw = (np.clip(values, -1, 1) * (2**31 - 1)).astype("<i4").view(np.uint8).reshape(-1, 4)[:, 4 - width :]
    body = (raw ^ np.uint8(0x80 if width == 1 else 0)).tobytes()
    form = struct.pack("<HHLLHH", 1, 1, 44100, 44100 * width, width, 8 * width)
    return riff(b"WAVE", chunk(b"fmt ", form), chunk(b"data", body))


TIME = np.arange(120_000) / 44100
NOISE = np.random.default_rng(5)
LOUD = {
    "uniform noise": NOISE.uniform(-1, 1, TIME.size),
    "bursts": NOISE.uniform(-0.8, 0.8, TIME.size) * (TIME % 1 > 0.5),
    "Gaussian noise": NOISE.normal(0, 0.33, TIME.size),
    "Gaussian bursts": NOISE.normal(0, 0.3, TIME.size) * (TIME % 1 > 0.5),
    "clipped": NOISE.normal(0, 3, TIME.size) * (TIME % 1 > 0.5),
    "sweep": np.sin(6.28 * (100 * TIME + 4000 * TIME**2)),
    "square": np.sign(np.sin(6.28 * 3000 * TIME)),
    "high": np.sin(6.28 * 19000 * TIME),
    "dither": np.round(NOISE.uniform(-1, 1, TIME.size)) / 32768,
}


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("name", LOUD)
def test_loud_sound_is_no_attack(name: str, width: int, judged: Callable[[Format, bytes], Verdict]) -> None:
    assert judged(WAV, pcm(LOUD[name], width)).state is State.INTACT


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("seconds", [0.3, 3.0])
def test_all_but_the_head_is_struck(
    width: int, seconds: float, judged: Callable[[Format, bytes], Verdict]
) -> None:
    data = sound(width, seconds=seconds)
    verdict = judged(WAV, data[:4096] + random.Random(2).randbytes(len(data) - 4096))
    assert verdict.state is State.ENCRYPTED
    ((start, end),) = verdict.ranges
    assert (start in (4096, 4112), end) == (True, len(data))  # one cell in twenty is calm by chance


def test_a_strike_amid_noise_that_is_not_even_is_seen() -> None:
    # Gaussian noise at full scale has no calm place, but is not even: what is even in it was hit.
    data = pcm(NOISE.normal(0, 0.5, TIME.size), 2)
    struck = data[:40_960] + random.Random(2).randbytes(8192) + data[49_152:]
    assert [(f.start, f.end) for f in WAV.dissect(Bytes(struck)).flaws] == [(40_960, 49_152)]


CALM = {
    "speech": np.exp(-((TIME * 150) % 1) * 8) * np.sin(6.28 * 900 * TIME) * (np.sin(14 * TIME) > -0.3),
    "DTMF": 0.4 * (np.sin(6.28 * 770 * TIME) + np.sin(6.28 * 1336 * TIME)) * (TIME * 5 % 1 < 0.6),
    "silence": NOISE.normal(0, 2e-5, TIME.size),
}


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize(("on", "off"), [(16, 16), (64, 128), (64, 192)])
@pytest.mark.parametrize("size", [9_000, 60_000, 240_000])
@pytest.mark.parametrize("name", CALM)
def test_small_steps_behind_the_head_are_seen(
    name: str, size: int, on: int, off: int, width: int, judged: Callable[[Format, bytes], Verdict]
) -> None:
    data = pcm(CALM[name][: min(size // width, TIME.size)], width)
    assert judged(WAV, data).state is State.INTACT
    dice, struck = random.Random(size), bytearray(data)
    for start in range(4096, len(data) - on, on + off):
        struck[start : start + on] = dice.randbytes(on)
    assert judged(WAV, bytes(struck)).state is State.ENCRYPTED


def test_a_saw_is_spread_as_evenly_as_chance_and_is_none(
    judged: Callable[[Format, bytes], Verdict],
) -> None:
    # The beep of a monitor: full scale, evenly spread, but each sample follows from the one before.
    beep = (2 * ((TIME * 9000) % 1) - 1) * (TIME * 3 % 1 < 0.5)
    assert judged(WAV, pcm(beep, 2)).state is State.INTACT


def test_samples_that_are_no_integers_are_not_claimed() -> None:
    floats = riff(
        b"WAVE", chunk(b"fmt ", struct.pack("<HHLLHH", 3, 1, 44100, 176400, 4, 32)), chunk(b"data", bytes(99))
    )
    assert WAV.dissect(Bytes(floats)).regions[-1].kind is Kind.OPAQUE


@pytest.mark.parametrize("width", [1, 2, 3])
def test_every_way_of_overwriting_sound(
    width: int,
    judged: Callable[[Format, bytes], Verdict],
    attacks: Callable[[bytes], dict[str, bytes]],
    block_struck: Callable[[bytes, int], bytes],
) -> None:
    data = sound(width, 2)
    for name, struck in attacks(data).items():
        assert judged(WAV, struck).state is State.ENCRYPTED, name
    verdict = judged(WAV, block_struck(data, 100_000))
    assert verdict.state is State.ENCRYPTED
    assert [tuple(found) for found in verdict.ranges] == [(98_304, 102_400)]


@pytest.mark.parametrize("codec", [b"XVID", b"MJPG"])
def test_films(
    codec: bytes,
    judged: Callable[[Format, bytes], Verdict],
    attacks: Callable[[bytes], dict[str, bytes]],
    block_struck: Callable[[bytes, int], bytes],
) -> None:
    data = film(codec)
    assert AVI.recognises(data[:4096])
    assert AVI.dissect(Bytes(data)).flaws == ()
    assert judged(AVI, data).state is State.INTACT
    for name, struck in attacks(data).items():
        assert judged(AVI, struck).state is State.ENCRYPTED, name
    twice = block_struck(block_struck(data, 100_000), 300_000)
    assert judged(AVI, twice).state is State.ENCRYPTED
    flaws = AVI.dissect(Bytes(twice)).flaws
    assert [flaw.start // 4096 for flaw in flaws] == [24, 73]
    assert all(flaw.end - flaw.start <= 2 * 4096 for flaw in flaws)


@pytest.mark.skipif(not features.check("webp"), reason="this Pillow has no WebP")
@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 70}, {"save_all": True}])
def test_pictures(
    options: dict[str, object],
    judged: Callable[[Format, bytes], Verdict],
    attacks: Callable[[bytes], dict[str, bytes]],
) -> None:
    out = io.BytesIO()
    image = Image.effect_noise((300, 300), 60)
    more = {"append_images": [Image.effect_noise((300, 300), 20)]} if "save_all" in options else {}
    image.save(out, "WEBP", **options, **more)
    data = out.getvalue()
    assert WEBP.recognises(data[:4096])
    assert judged(WEBP, data).state is State.INTACT
    for name, struck in attacks(data).items():
        assert judged(WEBP, struck).state is State.ENCRYPTED, name
    assert judged(WEBP, data[:-1000]).state is State.DAMAGED


@pytest.mark.parametrize("name", [b"VP8 ", b"VP8L"])
def test_a_picture_that_is_none(name: bytes) -> None:
    data = riff(b"WEBP", chunk(name, random.Random(1).randbytes(9000)))
    assert [flaw.what for flaw in WEBP.dissect(Bytes(data)).flaws] == ["no picture where one must begin"]


def test_cuts_are_damage(judged: Callable[[Format, bytes], Verdict]) -> None:
    for form, data in ((WAV, sound()), (AVI, film())):
        for end in (len(data) - 2, len(data) // 2, len(data) // 3):
            assert judged(form, data[:end]).state is State.DAMAGED


def test_oddities_are_notes() -> None:
    data = sound()
    streamed = data[:4] + b"\xff" * 4 + data[8:40] + b"\xff" * 4 + data[44:]
    assert WAV.dissect(Bytes(streamed)).flaws == ()
    size = (len(data) - 44).to_bytes(8, "little")
    ds64 = chunk(b"ds64", bytes(8) + size + bytes(12))
    large = b"RF64" + b"\xff" * 4 + b"WAVE" + ds64 + data[12:40] + b"\xff" * 4 + data[44:]
    assert WAV.dissect(Bytes(large)).flaws == ()
    assert WAV.dissect(Bytes(data + b"behind" * 9)).notes == ("54 bytes behind the RIFF",)
    assert WAV.dissect(Bytes(b"RIFX" + data[4:])).notes == ("big-endian: its chunks are not followed",)
    longer = data[:40] + (len(data)).to_bytes(4, "little") + data[44:]
    assert WAV.dissect(Bytes(longer)).notes == ("the last chunk is longer than the RIFF",)
    info = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"a song"))
    assert WAV.dissect(Bytes(riff(b"WAVE", info, chunk(b"data", b""), b"\xff" * 20))).flaws == ()
    assert AVI.dissect(Bytes(film() + riff(b"AVIX", chunk(b"LIST", b"movi")))).flaws == ()
    assert RIFF.recognises(riff(b"RMID", chunk(b"data", b"MThd")))
    with pytest.raises(Malformed):
        RIFF.dissect(Bytes(b"RIFF"))


@given(st.binary(max_size=2000), st.integers(0, 40_000))
@settings(max_examples=60, deadline=None)
def test_anything_goes(noise: bytes, place: int) -> None:
    for data in (SHORT_FILM, SHORT_SOUND):
        for mutated in (noise, data[:place] + noise + data[place:], data[:place], data[:20] + noise):
            try:
                anatomy = AVI.dissect(Bytes(mutated))
            except Malformed:
                continue
            assert all(0 <= flaw.start <= flaw.end <= len(mutated) for flaw in anatomy.flaws)
            edges = [edge for region in anatomy.regions for edge in (region.start, region.end)]
            assert edges == sorted(edges)


SHORT_FILM, SHORT_SOUND = film(count=10), sound(seconds=0.3)
