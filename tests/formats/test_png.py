"""PNG: chunks, their CRCs, and the size of the image."""

import io
import random
import re
import struct
import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from vigie.formats import Format
from vigie.formats.contract import Bytes, Effort, Malformed
from vigie.formats.media.png import FORMAT, SIGNATURE, dissect, raw_size
from vigie.formats.media.png_rows import bad_rows
from vigie.model import Kind, State, Verdict


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    return struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)


def image(mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((300, 300), 60).convert(mode).save(out, "PNG", **options)
    return out.getvalue()


def by_hand(raw: bytes, head: bytes, *more: bytes) -> bytes:
    return (
        SIGNATURE
        + chunk(b"IHDR", head)
        + b"".join(more)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_pixel(mode: str) -> None:
    data = image(mode) if mode != "I;16" else by_hand(bytes(9 * 21), header(10, 9, 16, 0))
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert anatomy.checked == len(data) - 8
    assert anatomy.regions[-1].end == len(data)


def test_an_animation() -> None:
    out = io.BytesIO()
    frames = [Image.effect_noise((50, 50), spread) for spread in (10, 40, 90)]
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:])
    assert dissect(Bytes(out.getvalue())).flaws == ()


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 9), (8, 8), (17, 31)])
@pytest.mark.parametrize(("depth", "colour"), [(1, 0), (4, 3), (8, 2), (16, 6)])
def test_the_size_of_an_interlaced_image(size: tuple[int, int], depth: int, colour: int) -> None:
    # The passes of section 8.1, counted pixel by pixel.
    grid = [
        [1, 6, 4, 6, 2, 6, 4, 6],
        [7] * 8,
        [5, 6, 5, 6, 5, 6, 5, 6],
        [7] * 8,
        [3, 6, 4, 6, 3, 6, 4, 6],
        [7] * 8,
        [5, 6, 5, 6, 5, 6, 5, 6],
        [7] * 8,
    ]
    bits = depth * {0: 1, 3: 1, 2: 3, 6: 4}[colour]
    expected = 0
    for number in range(1, 8):
        for y in range(size[1]):
            pixels = sum(grid[y % 8][x % 8] == number for x in range(size[0]))
            expected += 1 + (pixels * bits + 7) // 8 if pixels else 0
    assert raw_size(header(*size, depth, colour, 1)) == expected


@pytest.mark.parametrize(
    "head", [header(0, 5), header(5, 0), header(5, 5, 3), header(5, 5, 8, 5), header(5, 5, 8, 2, 2)]
)
def test_impossible_headers(head: bytes) -> None:
    assert raw_size(head) is None
    assert dissect(Bytes(by_hand(bytes(80), head))).flaws[0].what == "an impossible image header"


def split(data: bytes, size: int) -> bytes:
    """The same image in IDAT chunks of this size, as encoders differ."""
    start, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    stream, at = b"", start
    while at < end:
        length = int.from_bytes(data[at : at + 4], "big")
        stream += data[at + 8 : at + 8 + length]
        at += 12 + length
    chunks = [chunk(b"IDAT", stream[n : n + size]) for n in range(0, len(stream), size)]
    return data[:start] + b"".join(chunks) + data[end:]


def strike(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + random.Random(1).randbytes(length) + data[start + length :]


def test_the_flaws_are_the_chunks_that_were_hit() -> None:
    data = split(image(), 8192)
    starts = [match.start() - 4 for match in re.finditer(b"IDAT", data)]
    hit = strike(strike(data, starts[1] + 100, 200), starts[4] + 100, 200)
    flaws = dissect(Bytes(hit)).flaws
    assert [(f.start, f.end, f.checksum) for f in flaws] == [
        (starts[n], starts[n] + 8204, True) for n in (1, 4)
    ]


def test_one_long_chunk_is_narrowed_to_where_it_breaks() -> None:
    data = split(image(), 1 << 30)
    middle = len(data) // 2 // 4096 * 4096
    flaws = dissect(Bytes(strike(data, middle, 4096))).flaws
    # Whether the stream breaks there at all is chance: if it does not, the chunk is all that can be said.
    assert all(flaw.checksum for flaw in flaws)
    assert data.index(b"IDAT") - 4 <= flaws[0].start
    assert flaws[-1].end <= data.index(b"IEND") - 4


def photograph(side: int = 500) -> bytes:
    """In one IDAT chunk, filtered by Pillow's choice."""
    rows, columns = np.mgrid[0:side, 0:side]
    plane = 90 + 60 * np.sin(rows / 90) + 40 * np.cos(columns / 70)
    grain = np.random.default_rng(1).normal(0, 3, (side, side, 3))
    out = io.BytesIO()
    Image.fromarray((plane[..., None] + grain).astype(np.uint8)).save(out, "PNG")
    return split(out.getvalue(), 1 << 30)


@pytest.mark.parametrize("length", [600, 4096, 30_000, 1 << 20])
def test_rows_tell_what_was_hit(length: int) -> None:
    data = photograph()
    for seed in range(4):
        start = random.Random(seed).randrange(3000, len(data) - 60_000)
        flaws = dissect(Bytes(strike(data, start, length)[: len(data)])).flaws
        assert abs(flaws[0].start - start) <= 4096
        if length <= 4096:
            assert flaws[-1].end <= start + length + 2 * 65_536


def test_a_short_strike_has_an_end(judged: Callable[[Format, bytes], Verdict]) -> None:
    data = photograph()
    start = len(data) // 2
    verdict = judged(FORMAT, strike(data, start, 800))
    assert verdict.state is State.ENCRYPTED
    (found,) = verdict.ranges
    assert abs(found.start - start) <= 4096
    assert abs(found.end - start - 800) <= 8192


def test_rows_of_streams_that_are_whole_or_too_long() -> None:
    rows = b"".join(b"\1" + random.Random(n).randbytes(99) for n in range(2000))
    stream = zlib.compress(rows)[2:-4]
    assert bad_rows(Bytes(stream), 100, Effort()) is None
    assert bad_rows(Bytes(stream[:5000]), 100, Effort()) is None
    assert bad_rows(Bytes(stream), 100, Effort(9000)) is None
    hit = rows[:50_000] + b"\x09" + rows[50_001:]
    found = bad_rows(Bytes(zlib.compress(hit)[2:-4]), 100, Effort())
    assert found is not None
    assert 48_000 < found[0] < 51_000
    assert found[0] < found[1] < 52_000
    cut = zlib.compress(hit)[2:60_000]
    assert bad_rows(Bytes(cut), 100, Effort()) == (found[0], len(cut))


def test_little_effort_tests_some_chunks() -> None:
    data = split(image(), 5000)
    anatomy = dissect(Bytes(data), 60_000)
    assert anatomy.flaws == ()
    assert 0 < anatomy.checked < len(data) // 2
    assert set(anatomy.notes) == {
        "too long to verify all CRCs",
        "too large to inflate; the CRCs of its chunks hold",
    }


def test_the_walk_goes_on_behind_a_lost_chunk_header() -> None:
    data = by_hand(
        bytes(9 * 31), header(10, 9), chunk(b"tEXt", b"a\0" + b"b" * 500), chunk(b"tIME", bytes(7))
    )
    start = data.index(b"tEXt") - 4
    hit = data[:start] + b"\xff" * 100 + data[start + 100 :]
    anatomy = dissect(Bytes(hit))
    assert [(f.start, f.end) for f in anatomy.flaws] == [(start, data.index(b"tIME") - 4)]
    assert anatomy.regions[-1].what == "IEND chunk"


@pytest.mark.parametrize("raw", [bytes(9 * 31 + 1), bytes(9 * 31 - 1)])
def test_pixels_too_many_or_too_few(raw: bytes) -> None:
    (flaw,) = dissect(Bytes(by_hand(raw, header(10, 9)))).flaws
    assert "279 bytes of pixels expected" in flaw.what


def test_an_image_that_does_not_inflate() -> None:
    data = SIGNATURE + chunk(b"IHDR", header(9, 9)) + chunk(b"IDAT", b"\xff" * 99) + chunk(b"IEND", b"")
    (flaw,) = dissect(Bytes(data)).flaws
    assert "does not inflate" in flaw.what


def test_oddities_are_notes() -> None:
    behind = dissect(Bytes(image() + b"more"))
    assert behind.flaws == ()
    assert behind.notes == ("4 bytes after IEND",)
    assert behind.regions[-1].kind is Kind.OPAQUE
    apple = SIGNATURE + chunk(b"CgBI", bytes(4)) + chunk(b"IHDR", header(9, 9))
    apple += chunk(b"IDAT", b"\0" * 50) + chunk(b"IEND", b"")
    assert dissect(Bytes(apple)).flaws == ()
    large = dissect(Bytes(by_hand(bytes(100), header(30000, 30000))))
    assert large.notes == ("too large to inflate; the CRCs of its chunks hold",)


def test_what_is_missing() -> None:
    first = SIGNATURE + chunk(b"tIME", bytes(7)) + chunk(b"IEND", b"")
    assert [f.what for f in dissect(Bytes(first)).flaws] == ["tIME where IHDR must stand"]
    none = SIGNATURE + chunk(b"IHDR", header(9, 9)) + chunk(b"IEND", b"")
    assert [f.what for f in dissect(Bytes(none)).flaws] == ["no image data"]
    with pytest.raises(Malformed):
        dissect(Bytes(b"\x89PNG"))


def test_a_bomb_is_put_down() -> None:
    data = by_hand(bytes(200 << 20), header(100, 100))
    begun = time.monotonic()
    assert len(dissect(Bytes(data)).flaws) == 1
    assert time.monotonic() - begun < 1
    assert FORMAT.recognises(data[:4096])
