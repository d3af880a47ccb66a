"""JPEG: segments are sane, scans are stuffed, and chance markers fool nobody."""

import io
import random
import struct
import time
from typing import Any

import pytest
from PIL import Image

from vigie.formats.contract import Bytes, Effort, Malformed
from vigie.formats.media.jpeg import BEHIND, FORMAT, dissect
from vigie.formats.media.jpeg import image as walk_image
from vigie.formats.media.jpeg_tables import segment_fault
from vigie.formats.media.stuffing import BLOCK
from vigie.judge import judge
from vigie.model import Kind, State


def photo(size: int = 500, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((size, size), 60).convert("RGB").save(out, "JPEG", **{"quality": 90, **options})
    return out.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def noise(data: bytes, start: int, end: int, seed: int = 1) -> bytes:
    return data[:start] + random.Random(seed).randbytes(end - start) + data[end:]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"optimize": True},
        {"restart_marker_blocks": 2},
        {"exif": b"Exif\0\0II*\0" + bytes(60), "icc_profile": bytes(90000), "comment": b"hello"},
        {"subsampling": 0, "quality": 100},
    ],
)
def test_what_encoders_write(options: dict[str, Any]) -> None:
    data = photo(**options)
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert anatomy.regions[-1].end == len(data)
    assert any(r.what == "entropy-coded scan" for r in anatomy.regions)


def test_grey_and_cmyk() -> None:
    for mode in ("L", "CMYK"):
        out = io.BytesIO()
        Image.effect_noise((90, 90), 60).convert(mode).save(out, "JPEG")
        assert dissect(Bytes(out.getvalue())).flaws == ()


def test_the_flaw_is_the_blocks_that_were_hit() -> None:
    data = photo()
    (flaw,) = dissect(Bytes(noise(data, 8 * BLOCK, 10 * BLOCK))).flaws
    assert (flaw.start, flaw.end) == (8 * BLOCK, 10 * BLOCK)
    apart = noise(noise(data, 4 * BLOCK, 5 * BLOCK), 12 * BLOCK, 13 * BLOCK)
    assert [f.start for f in dissect(Bytes(apart)).flaws] == [4 * BLOCK, 12 * BLOCK]


def test_very_many_stretches_are_bounded() -> None:
    data = photo(2600)
    for start in range(2 * BLOCK, len(data) - BLOCK, 3 * BLOCK):
        data = data[:start] + b"\xff\x01" * 64 + data[start + 128 :]
    flaws = dissect(Bytes(data)).flaws
    assert len(flaws) == 256
    assert flaws[-1].end > len(data) - 4 * BLOCK


@pytest.mark.parametrize(
    "chance",
    [
        b"\xff\xd9",
        b"\xff\xc4\x00\x14" + bytes(18),
        b"\xff\xda\x00\x08\x01\x09\x00\x00\x3f\x00",
        b"\xff\xfe\x00\x09comment",
        b"\xff\xd8",
        b"\xff\xdd\x00\x05abc",
    ],
)
def test_a_marker_by_chance_does_not_end_a_scan(chance: bytes) -> None:
    data = photo()
    hit = noise(data, 6 * BLOCK, 7 * BLOCK)
    hit = hit[: 6 * BLOCK] + chance + hit[6 * BLOCK + len(chance) :]
    anatomy = dissect(Bytes(hit))
    assert anatomy.regions[-1].what == "end of image"
    assert [(f.start, f.end) for f in anatomy.flaws] == [(6 * BLOCK, 7 * BLOCK)]


@pytest.mark.parametrize(
    "behind", [b"\0" * 5000, photo(90), b"SEFT" + random.Random(7).randbytes(9000), b"\xff\xd9"]
)
def test_what_cameras_append(behind: bytes) -> None:
    data = photo(90)
    anatomy = dissect(Bytes(data + behind))
    assert anatomy.flaws == ()
    assert anatomy.notes == (f"{len(behind)} bytes behind the end of image",)
    assert anatomy.regions[-1].kind is Kind.OPAQUE


def test_fill_bytes_and_zeros_between_segments() -> None:
    data = photo(90)
    place = data.index(b"\xff\xdb")
    for filler in (b"\xff" * 5, b"\0" * 40):
        anatomy = dissect(Bytes(data[:place] + filler + data[place:]))
        assert anatomy.flaws == ()
        assert anatomy.regions[-1].what == "end of image"


def test_rubbish_between_segments_is_a_flaw() -> None:
    data = photo(90)
    place = data.index(b"\xff\xdb")
    anatomy = dissect(Bytes(data[:place] + b"rubbish" + data[place:]))
    assert [(f.start, f.end) for f in anatomy.flaws] == [(place, place + 7)]
    assert anatomy.regions[-1].what == "end of image"
    lost = dissect(Bytes(data[:place] + random.Random(2).randbytes(3000)))
    assert (lost.flaws[0].start, lost.flaws[-1].end) == (place, place + 3000)


def test_a_late_line_count_is_legal() -> None:
    # DNL (B.2.5) may follow the first scan.
    data = photo(90)
    with_lines = data[:-2] + segment(0xDC, b"\0\x5a") + data[-2:]
    assert dissect(Bytes(with_lines)).flaws == ()


def test_jpeg_ls_scans_are_not_judged() -> None:
    frame = segment(0xF7, b"\x08\0\x09\0\x09\x01\x01\x11\0")
    data = b"\xff\xd8" + frame + segment(0xDA, b"\x01\x01\0\0\0\0") + b"\xff\x7f" * 99
    anatomy = dissect(Bytes(data))
    assert anatomy.notes == ("JPEG-LS: the scan is not tested",)


def test_a_cut_file_has_no_end() -> None:
    data = photo()
    for place in (len(data) - 1, len(data) // 2, 100):
        flaws = dissect(Bytes(data[:place])).flaws
        assert flaws[-1].what == "the file ends before the end of image"


def test_no_image() -> None:
    for data in (b"", b"\xff", random.Random(1).randbytes(5000)):
        assert not FORMAT.recognises(data)
        with pytest.raises(Malformed):
            dissect(Bytes(data))


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        (0xC0, b"\x08\0\x09\0\x09\x01\x01\x11\x04"),
        (0xC0, b"\x08\0\x09\0\x09\x01\x01\x51\x00"),
        (0xC0, b"\x08\0\x09\0\x00\x01\x01\x11\x00"),
        (0xC0, b"\x08\0\x09\0\x09\x02\x01\x11\x00"),
        (0xC4, b"\x00" + b"\x03" + bytes(15) + b"abc"),
        (0xC4, b"\x00" + b"\xff" * 16),
        (0xC4, b"\x20" + bytes(16)),
        (0xC4, b"\x00" + bytes(9)),
        (0xC4, b""),
        (0xDB, b"\x04" + bytes(64)),
        (0xDB, b"\x00" + bytes(63)),
        (0xDB, b""),
        (0xDA, b"\x01\x02\0\0\x3f\0"),
        (0xDA, b"\x01\x01\x44\0\x3f\0"),
        (0xDA, b"\x01\x01\0\0\x40\0"),
        (0xDA, b""),
        (0xDD, b"\0"),
        (0xCC, b"\0"),
        (0xC8, b"\0\0"),
    ],
)
def test_impossible_segments(marker: int, body: bytes) -> None:
    assert segment_fault(marker, body, b"\x01")


def test_possible_segments() -> None:
    assert not segment_fault(0xCC, b"\0\x01", b"\x01")
    assert not segment_fault(0xDB, b"\x10" + bytes(128) + b"\x01" + bytes(64), b"\x01")
    assert not segment_fault(0xDE, b"", b"")


def test_an_image_within_other_bytes() -> None:
    data = photo(90)
    found = walk_image(Bytes(b"x" * 10 + data + b"y" * 10), 10, 10 + len(data), Effort())
    assert found.flaws == ()
    assert (found.regions[0].start, found.regions[-1].end) == (10, 10 + len(data))


def unstuffed(data: bytes, start: int, seed: int) -> bytes:
    """Struck with 512 random bytes that hold no forbidden marker: what byte stuffing cannot find."""
    hit = random.Random(seed).randbytes(512).replace(b"\xff", b"\xfe")
    return data[:start] + hit + data[start + 512 :]


@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"restart_marker_blocks": 20}, {"optimize": True}]
)
def test_small_scans_are_decoded(options: dict[str, Any]) -> None:
    data = photo(200, **options)
    assert dissect(Bytes(data)).flaws == ()
    found = near = 0
    for seed in range(40):
        start = 1000 + seed * (len(data) - 2000) // 40
        flaws = dissect(Bytes(unstuffed(data, start, seed))).flaws
        found += bool(flaws)
        near += bool(flaws) and flaws[0].start < start + 512 + BEHIND and flaws[0].end > start
    assert found >= 36
    assert near >= 20


def test_a_flipped_bit_in_a_large_scan_is_damage() -> None:
    data = photo(700)
    dice = random.Random(3)
    states = set()
    for _ in range(20):
        hit = bytearray(data)
        # Not one that breaks the stuffing: that shows, too, but as the block of 4 KiB around it.
        at = next(
            at
            for at in iter(lambda: dice.randrange(1000, len(data) - 10), 0)
            if 0 < data[at] < 0x7F and data[at - 1] != 0xFF
        )
        hit[at] ^= 1 << dice.randrange(6)
        states.add(judge(Bytes(bytes(hit)), "a.jpg").state)
    assert states == {State.INTACT, State.DAMAGED}  # half of them only change a coefficient
    short = judge(Bytes(unstuffed(data, len(data) // 2, 1)), "a.jpg")
    assert short.state is State.DAMAGED
    long = noise(data, len(data) // 2, len(data) // 2 + 4096)
    assert judge(Bytes(long), "a.jpg").state is State.ENCRYPTED


def test_a_scan_that_misses_blocks() -> None:
    data = photo(120)
    for cut in (300, 40):
        flaws = dissect(Bytes(data[: -2 - cut] + data[-2:])).flaws
        assert "another number of blocks" in flaws[0].what


def test_little_effort_looks_at_windows() -> None:
    data = photo(700, progressive=True)
    for effort in (0, 64 * 1024, 128 * 1024):
        anatomy = dissect(Bytes(data), effort)
        assert (anatomy.flaws, anatomy.notes) == ((), ("too long to test all of the scan",))
        assert anatomy.regions[-1].what == "end of image"
    hit = noise(data, len(data) - 6 * BLOCK, len(data) - 3 * BLOCK)
    (flaw,) = dissect(Bytes(hit), 128 * 1024).flaws
    assert flaw.start >= len(data) - 8 * BLOCK


def test_a_large_image_is_quick() -> None:
    data = photo(300)
    scan = data[1000:-2]
    large = data[:-2] + scan[: len(scan) // 2] * (6_000_000 // len(scan) * 2) + data[-2:]
    begun = time.perf_counter()
    dissect(Bytes(large))
    assert time.perf_counter() - begun < 0.5  # some 20 ms; the bound is for a busy machine


def test_segments_without_end_are_not_read_to_the_end() -> None:
    data = b"\xff\xd8" + segment(0xE0, b"") * 300_000
    begun = time.perf_counter()
    anatomy = dissect(Bytes(data))
    assert time.perf_counter() - begun < 4
    assert anatomy.notes == ("more segments than are read",)
    assert (anatomy.regions[-1].kind, anatomy.regions[-1].end) == (Kind.OPAQUE, len(data))
