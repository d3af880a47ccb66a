"""The pictures of WebP: every bit of VP8 and VP8L is accounted for."""

import io
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from vigie.formats import Format
from vigie.formats.contract import Bytes
from vigie.formats.media import riff, vp8, vp8l
from vigie.formats.media.findings import Findings
from vigie.formats.media.webp import Picture
from vigie.model import Flaw, Kind, State, Verdict

pytestmark = pytest.mark.skipif(not features.check("webp"), reason="this Pillow has no WebP")
WEBP = riff.FORMATS[2]
Judged = Callable[[Format, bytes], Verdict]


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """Compile once, and not in the time of a test."""
    vp8.warm()
    vp8l.warm()


def photo(side: int = 240, grain: float = 8.0) -> Image.Image:
    """A soft picture with the grain of a camera."""
    rows, columns = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    soft = 128 + 60 * np.sin(7 * rows) * np.cos(5 * columns)
    noise = np.random.default_rng(4).normal(0, grain, (side, side, 3))
    return Image.fromarray(np.clip(soft[..., None] + noise, 0, 255).astype(np.uint8))


def drawing(side: int = 240) -> Image.Image:
    """A few flat areas."""
    dice = random.Random(3)
    image = np.full((side, side, 3), 250, np.uint8)
    for _ in range(60):
        top, left = dice.randrange(side), dice.randrange(side)
        image[top : top + 20, left : left + 50] = [dice.randrange(256) for _ in range(3)]
    return Image.fromarray(image)


def halves(side: int) -> Image.Image:
    """One half grainy, one half flat."""
    image = photo(side, 40)
    image.paste(Image.new("RGB", (side // 2, side), (40, 90, 200)), (0, 0))
    return image


def saved(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", **options)
    return out.getvalue()


def chunk(data: bytes, name: bytes) -> tuple[int, int]:
    """Where the first chunk of this name has its data."""
    at = data.index(name) + 8
    return at, at + int.from_bytes(data[at - 4 : at], "little")


def strike(data: bytes, start: int, length: int, seed: int = 1) -> bytes:
    length = min(length, len(data) - start)
    return data[:start] + random.Random(seed).randbytes(length) + data[start + length :]


def clear(image: Image.Image) -> Image.Image:
    """The same, with a plane of alpha."""
    image = image.convert("RGBA")
    image.putalpha(photo(image.width).convert("L"))
    return image


LOSSY = saved(photo(400), quality=90)
LOSSLESS = saved(photo(200), lossless=True, method=2)
ALPHA = saved(clear(drawing()), quality=60)
FILM = saved(photo(150), save_all=True, append_images=[drawing(150)], duration=40, quality=70)


@pytest.mark.parametrize("quality", [0, 10, 50, 75, 90, 100])
@pytest.mark.parametrize("method", [0, 3, 6])
@pytest.mark.parametrize("make", [photo, drawing])
def test_healthy_lossy_pictures_come_out_even(
    make: Callable[[int], Image.Image], method: int, quality: int
) -> None:
    data = saved(make(97), quality=quality, method=method)
    start, end = chunk(data, b"VP8 ")
    parsed = vp8.parse(data[start:end])
    assert parsed is not None
    assert all(16 <= left <= 31 for left in parsed.left)
    assert (parsed.idle[0], parsed.empty[0]) == (0, 0)
    assert parsed.edges[-1] == end - start
    assert WEBP.dissect(Bytes(data)).flaws == ()


@pytest.mark.parametrize("method", [0, 3, 5])
@pytest.mark.parametrize(
    "image", [photo(97), drawing(), drawing().convert("L"), clear(photo(60)), drawing(1)]
)
def test_healthy_lossless_pictures_come_out_even(image: Image.Image, method: int) -> None:
    data = saved(image, lossless=True, method=method, exact=True)
    start, end = chunk(data, b"VP8L")
    parsed = vp8l.parse(data[start:end])
    assert parsed is not None
    assert (parsed.ending, -(-parsed.bits // 8), parsed.missing) == (vp8l.WHOLE, end - start, 0)
    assert WEBP.dissect(Bytes(data)).flaws == ()


@pytest.mark.parametrize("data", [LOSSY, LOSSLESS, ALPHA, FILM])
def test_every_picture_is_claimed(data: bytes, judged: Judged) -> None:
    anatomy = WEBP.dissect(Bytes(data))
    kinds = [region.kind for region in anatomy.regions if region.what == "picture"]
    assert kinds
    assert set(kinds) == {Kind.CODED}
    assert anatomy.notes == ()
    assert judged(WEBP, data).state is State.INTACT


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("data", [LOSSY, LOSSLESS])
def test_a_strike_behind_the_head_is_seen(data: bytes, share: float, judged: Judged) -> None:
    for seed in range(4):
        place = random.Random(seed).randrange(4096, int(len(data) * (1 - share)))
        struck = strike(data, place, int(share * len(data)), seed)
        assert judged(WEBP, struck).state is State.ENCRYPTED


def test_where_a_lossy_picture_breaks_is_known_to_a_block() -> None:
    for seed in range(6):
        place = 4096 * random.Random(seed).randrange(2, len(LOSSY) // 4096 - 1)
        (flaw,) = WEBP.dissect(Bytes(strike(LOSSY, place, 4096, seed))).flaws
        assert abs(flaw.start - place) <= 4096
        assert flaw.end == len(LOSSY)


@pytest.mark.parametrize("data", [ALPHA, FILM])
def test_a_strike_at_any_picture_of_several_is_seen(data: bytes) -> None:
    for at in [r.start for r in WEBP.dissect(Bytes(data)).regions if r.what == "picture"]:
        assert WEBP.dissect(Bytes(strike(data, at + 80, 700))).flaws


def test_a_flipped_bit_of_a_lossless_picture_is_damage_at_most(judged: Judged) -> None:
    start, end = chunk(LOSSLESS, b"VP8L")
    states = set()
    for seed in range(12):
        place = random.Random(seed).randrange((start + end) // 2, end)
        flipped = bytearray(LOSSLESS)
        flipped[place] ^= 1 << seed % 8
        states.add(judged(WEBP, bytes(flipped)).state)
    assert states <= {State.INTACT, State.DAMAGED}


@pytest.mark.parametrize("data", [LOSSY, LOSSLESS])
def test_what_a_disk_loses_is_damage(data: bytes, judged: Judged) -> None:
    place = len(data) // 2 // 512 * 512
    holed = data[:place] + bytes(512) + data[place + 512 :]
    verdict = judged(WEBP, holed)
    assert verdict.state is State.DAMAGED
    assert "no coder of pictures writes" in verdict.evidence[0]
    assert judged(WEBP, data[:place]).state is State.DAMAGED


def examined(
    name: bytes, data: bytes, effort: int = 1 << 20, size: tuple[int, int] | None = None
) -> Findings:
    findings = Findings(len(data))
    Picture(Bytes(data), 0, len(data), findings).examine(name, effort, size)
    return findings


def flaws_of(name: bytes, data: bytes, size: tuple[int, int] | None = None) -> tuple[Flaw, ...]:
    return examined(name, data, size=size).anatomy("webp").flaws


def test_what_is_not_tested_is_not_claimed() -> None:
    start, end = chunk(LOSSY, b"VP8 ")
    for found in (
        examined(b"VP8 ", LOSSY[start:end], effort=100),
        examined(b"ALPH", b"\1" + bytes(100)),
        examined(b"ALPH", bytes(100), size=(10, 10)),
    ):
        anatomy = found.anatomy("webp")
        assert anatomy.regions[0].kind is Kind.OPAQUE
        assert anatomy.notes == ("a picture whose coding is not tested",)


def bits(*fields: tuple[int, int]) -> bytes:
    """Numbers of so many bits, the lowest bit first, behind the header of a picture of 4 by 4."""
    value = at = 0
    for number, width in ((0x2F, 8), (3, 14), (3, 14), (0, 1), (0, 3), *fields):
        value |= number << at
        at += width
    return value.to_bytes(at // 8 + 1, "little")


PLAIN = ((0, 1), (0, 1), (0, 1))  # no transform, no colors remembered, one group of codes
ONE = ((1, 1), (0, 1), (0, 1), (0, 1))  # a code of one symbol, which is 0 and takes no bits


@pytest.mark.parametrize(
    ("fields", "ending"),
    [
        ((*PLAIN, *ONE * 5), vp8l.WHOLE),
        ((*PLAIN, *ONE * 4, (1, 1), (0, 1), (1, 1), (40, 8)), vp8l.PREFIX),
        ((*PLAIN, (0, 1), (0, 4), (0, 12)), vp8l.PREFIX),
        ((*PLAIN, (0, 1), (0, 4), (1, 3), (2, 9)), vp8l.PREFIX),
        (((0, 1), (1, 1), (12, 4)), vp8l.PREFIX),
        (((1, 1), (2, 2), (1, 1), (2, 2)), vp8l.TRANSFORM),
        (((1, 1), (0, 2), (0, 3), (1, 1), (0, 4)), vp8l.PREFIX),
        ((*PLAIN, *ONE), vp8l.SHORT),
        # A green code of the symbols 0 and 255; the choice of codes is read as if all were different.
        ((*PLAIN, (1, 1), (1, 1), (1, 1), (0, 8), (255, 8), *ONE * 4, (0, 16)), vp8l.WHOLE),
    ],
)
def test_how_a_lossless_picture_ends(fields: tuple[tuple[int, int], ...], ending: int) -> None:
    parsed = vp8l.parse(bits(*fields))
    assert parsed is not None
    assert parsed.ending == ending


def test_a_lossless_picture_is_never_followed_without_bounds() -> None:
    # 16,384 pixels each way, whose choice of codes has 4,096 tiles each way.
    large = (1 << 14) - 1
    head = 0x2F | large << 8 | large << 22
    value = head | (0b0000101 << 40)
    parsed = vp8l.parse((value & (1 << 40) - 1 | 0b100 << 40).to_bytes(8, "little"))
    assert parsed is not None
    assert parsed.ending == vp8l.LARGE
    assert flaws_of(b"VP8L", (value & (1 << 40) - 1 | 0b100 << 40).to_bytes(8, "little")) == ()


def test_what_has_no_header_is_not_parsed() -> None:
    for data in (b"", b"\x2f", b"\x2f\0\0\0\xff", bytes(50)):
        assert vp8l.parse(data) is None
        assert vp8.parse(data) is None
    start, end = chunk(LOSSY, b"VP8 ")
    whole = LOSSY[start:end]
    assert vp8.parse(whole[:6] + bytes(4) + whole[10:]) is None
    (flaw,) = flaws_of(b"VP8 ", b"\xf0\xff\xff" + whole[3:])
    assert flaw.what == "partitions that do not fit into their picture"


@pytest.mark.parametrize(("place", "count"), [(40, 0), (30_000, 1)])
def test_an_encoder_of_its_own_kind_is_no_attack(
    place: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Blocks that end in zeros from the first rows on, in partitions that come out even: odd, not broken.
    lazy = vp8.Parsed((30, 40_000), (20, 20), (9, place), (0, -1), skips=True)
    monkeypatch.setattr(vp8, "parse", lambda data: lazy)  # noqa: ARG005 - a parser's signature
    assert len(flaws_of(b"VP8 ", random.Random(1).randbytes(40_000))) == count


def lossy_head(side: int, first: int) -> bytes:
    """The head of a key frame whose first partition has so many bytes."""
    return (first << 5 | 0x10).to_bytes(3, "little") + b"\x9d\x01\x2a" + side.to_bytes(2, "little") * 2


LOOPS = {
    vp8: ("_open", "_bit", "_number", "_optional", "_header", "_tokens", "_mode", "_residue", "_frame"),
    vp8l: ("_take", "_symbol", "_build", "_code", "_extra", "_pixels", "_remembered", "_inner", "_image"),
}


def test_the_loops_are_the_same_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(6)
    pictures = []
    for image, options in (
        (photo(40), {"quality": 60}),
        (drawing(64), {"quality": 40}),
        (photo(48), {"quality": 100, "method": 0}),
        (halves(96), {"quality": 30, "method": 6}),
        (drawing(80), {"lossless": True}),
        (halves(140), {"lossless": True, "method": 5}),
        (drawing(300), {"quality": 20, "method": 6}),
        (drawing(48).convert("P"), {"lossless": True}),
        (photo(40), {"lossless": True, "method": 5}),
    ):
        data = saved(image, **options)
        name = b"VP8L" if "lossless" in options else b"VP8 "
        start, end = chunk(data, name)
        pictures += [(name, data[start:end]), (name, strike(data[start:end], 30 + dice.randrange(90), 60))]
    pictures += [(b"VP8L", bits(*fields)) for fields in ((*PLAIN, *ONE), (*PLAIN, (0, 1), (0, 16)))]

    # Headers by chance: segments, filters, partitions, transforms and codes that no encoder chooses.
    for first in (16, 40, 120) * 20:
        pictures.append((b"VP8 ", lossy_head(32, first) + dice.randbytes(200)))
        pictures.append((b"VP8L", bits()[:5] + dice.randbytes(60)))

    def parsed() -> list[object]:
        return [(vp8.parse if name == b"VP8 " else vp8l.parse)(data) for name, data in pictures]

    compiled = parsed()
    for module, loops in LOOPS.items():
        for loop in loops:
            monkeypatch.setattr(module, loop, getattr(module, loop).py_func)
    assert parsed() == compiled


@given(st.binary(max_size=400), st.integers(0, 3000))
@settings(max_examples=120, deadline=None)
def test_anything_goes(noise: bytes, place: int) -> None:
    for name, data in ((b"VP8 ", LOSSY), (b"VP8L", LOSSLESS)):
        start, end = chunk(data, name)
        picture = data[start : min(end, start + 3000)]
        for mutated in (noise, picture[:10] + noise, picture[:place] + noise + picture[place:]):
            for flaw in flaws_of(name, mutated):
                assert 0 <= flaw.start <= flaw.end <= len(mutated)
    flaws_of(b"ALPH", b"\1" + noise, size=(place + 1, 7))
