"""GIF: blocks, sub-blocks and LZW codes."""

import io
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.gif import FORMAT, dissect
from vigie.formats.media.lzw import Lzw
from vigie.judge import judge
from vigie.model import Kind, State


def noise(size: int, seed: int) -> Image.Image:
    """Grey grain, the same in every run."""
    grain = np.random.default_rng(seed).normal(128, 40 + 9 * seed, (size, size))
    return Image.fromarray(grain.clip(0, 255).astype(np.uint8))


def image(size: int = 300, frames: int = 1) -> bytes:
    out = io.BytesIO()
    pictures = [noise(size, n) for n in range(frames)]
    pictures[0].save(out, "GIF", save_all=frames > 1, append_images=pictures[1:])
    return out.getvalue()


def strike(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + random.Random(start).randbytes(length) + data[start + length :]


PLAIN = image()


@pytest.mark.parametrize("data", [PLAIN, image(60, frames=4), image(3)])
def test_what_encoders_write(data: bytes) -> None:
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert anatomy.regions[-1].what == "trailer"


@pytest.mark.parametrize("start", [8192, 20480, 40960])
def test_a_struck_block_is_told_apart(start: int) -> None:
    flaws = dissect(Bytes(strike(PLAIN, start, 4096))).flaws
    assert flaws
    assert start - 512 <= flaws[0].start < start + 4096
    assert flaws[-1].end <= start + 4096 + 8192  # codes are found again at the next clear code


def test_two_strikes_are_two_flaws() -> None:
    flaws = dissect(Bytes(strike(strike(PLAIN, 8192, 600), 40960, 600))).flaws
    assert any(8192 - 512 <= flaw.start < 9000 for flaw in flaws)
    assert any(40960 - 512 <= flaw.start < 42000 for flaw in flaws)
    assert not any(20480 <= flaw.start < 36000 for flaw in flaws)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_struck_tail_is_a_range(share: float) -> None:
    for data in (PLAIN, image(90), image(60, frames=4)):
        start = int(len(data) * share)
        struck = strike(data, start, len(data) - start)
        flaws = dissect(Bytes(struck)).flaws
        assert start - 512 <= flaws[0].start <= start + 2048
        assert flaws[-1].end == len(data)
        if len(data) - start > 4096:
            assert judge(Bytes(struck), "x.gif").state is State.ENCRYPTED


def test_a_strike_to_the_next_frame_ends_there() -> None:
    out = io.BytesIO()
    pictures = [noise(200, n) for n in range(3)]
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:], duration=100, disposal=2)
    data = out.getvalue()
    second = data.index(b"\0\x21\xf9\x04", 12_000) + 1
    start = second - 9000
    struck = strike(data, start, second - 1 - start)
    flaws = dissect(Bytes(struck)).flaws
    assert start - 512 <= flaws[0].start <= start + 1024
    assert flaws[-1].end <= second + 256  # the last struck sub-block may say that it reaches further


def test_intermittent_strikes_show() -> None:
    data = PLAIN
    for start in range(4096, len(data) - 300, 192):
        data = strike(data, start, 64)
    assert dissect(Bytes(data)).flaws


def test_oddities_are_notes() -> None:
    behind = dissect(Bytes(PLAIN + b"more"))
    assert (behind.flaws, behind.notes) == ((), ("4 bytes behind the trailer",))
    bare = dissect(Bytes(PLAIN[:-1]))
    assert (bare.flaws, bare.notes) == ((), ("no trailer",))
    empty = dissect(Bytes(PLAIN[:10] + b"\0\0\0;"))
    assert empty.notes == ("no image in it",)


def test_what_is_cut_is_flawed() -> None:
    for place in (12, 900, len(PLAIN) // 2, len(PLAIN) - 3):
        try:
            assert dissect(Bytes(PLAIN[:place])).flaws
        except Malformed as malformed:
            assert malformed.offset <= place  # noqa: PT017 - either is right


def test_a_lost_block_is_resumed_behind() -> None:
    data = image(60, frames=3)
    second = data.index(b"\0\x21\xf9\x04", 2000) + 1
    hit = data[:second] + b"\x07" + data[second + 1 :]
    assert dissect(Bytes(hit)).flaws
    assert dissect(Bytes(hit)).regions[-1].what == "trailer"


def test_impossible_codes() -> None:
    start = PLAIN.index(b"\x2c\0\0\0\0") + 10
    hit = PLAIN[:start] + b"\x0d" + PLAIN[start + 1 :]
    assert dissect(Bytes(hit)).flaws[0].what == "codes of 13 bits"


def test_effort_is_honoured() -> None:
    anatomy = dissect(Bytes(PLAIN), 4096)
    assert anatomy.flaws == ()
    assert anatomy.notes
    assert all(region.kind is not Kind.STRUCTURED or region.end < 4096 for region in anatomy.regions)


def test_lzw_without_clear_codes_goes_on() -> None:
    # Beyond the full table GIF lets 12-bit codes go on: any of them exists.
    widths = [9] * 255 + [10] * 512 + [11] * 1024 + [12] * 6000
    bits = 0
    at = 9
    value = 256
    for width in widths:
        bits |= 65 << at
        at += width
    data = (bits | value).to_bytes(at // 8 + 1, "little")
    walked = Lzw(data, root=8, tiff=False)
    assert walked.breaks == []
    assert not walked.ended


@given(st.binary(max_size=400), st.integers(0, 5000))
@settings(max_examples=100, deadline=None)
def test_nothing_makes_it_fail(piece: bytes, at: int) -> None:
    for data in (b"GIF89a" + piece, PLAIN[:at] + piece + PLAIN[at + len(piece) : 9000]):
        try:
            dissect(Bytes(data))
        except Malformed as malformed:
            assert 0 <= malformed.offset <= len(data)  # noqa: PT017 - raising it is allowed
