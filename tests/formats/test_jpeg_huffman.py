"""JPEG scans: the compiled loop equals a slow and obvious twin, on whatever bytes."""

import io
import random
import re
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vigie.formats.media import jpeg_huffman
from vigie.formats.media.jpeg_huffman import PLACES, Coding, Decoded, Layout, decode

LUMA, CHROMA = b"\x01\x01\x00\0\x3f\0", b"\x02\x01\x00\x02\x11\0\x3f\0"
GREY = b"\x08\0\x40\0\x40\x01\x01\x11\0"
COLOUR = b"\x08\0\x40\0\x40\x02\x01\x22\0\x02\x11\x01"


def codes(counts: bytes, symbols: bytes) -> dict[str, int]:
    """Annex C, by the letter: what each code, in digits, stands for."""
    found, code, index = {}, 0, 0
    for width in range(1, 17):
        for _ in range(counts[width - 1]):
            if index < len(symbols) and code < 1 << width:
                found[f"{code:0{width}b}"] = symbols[index]
                code, index = code + 1, index + 1
        code <<= 1
    return found


def one(table: dict[str, int], bits: str, at: int) -> tuple[int | None, int]:
    """The symbol of the code at `at`, and its width; a code that no table has is one bit wide."""
    for width in range(1, 17):
        if bits[at : at + width] in table and len(bits[at : at + width]) == width:
            return table[bits[at : at + width]], width
    return None, 1


def interval(data: bytes, layout: Layout, mcus: int, tables: dict[int, dict[str, int]]) -> Any:
    """Where blocks of one interval burst, and whether it is whole."""
    places = [m.start() for m in re.finditer(rb"\xff\x00|.", data, re.DOTALL)]
    plain = data.replace(b"\xff\x00", b"\xff")
    end = len(plain) * 8
    bits = "".join(f"{byte:08b}" for byte in plain) + "1" * 4096
    at, ended, burst = 0, 0, []
    for _ in range(mcus):
        for direct, table in layout.blocks:
            begun, index, bad = at, layout.first, False
            if direct >= 0:
                symbol, width = one(tables[direct], bits, at)
                at += width + min(symbol or 0, 16)
                bad = symbol is None
            if table >= 0 and ended:
                ended -= 1
                index = 64
            while table >= 0 and index <= layout.last and not bad:
                symbol, width = one(tables[table], bits, at)
                run, size = divmod(symbol or 0, 16)
                at += width + size
                if symbol is None or size > 10:
                    bad = True
                elif size:
                    index += run + 1
                    bad = index > layout.last + 1
                elif run == 15:
                    index += 16
                    bad = index > layout.last + 1
                else:
                    index = 64
                    if layout.progressive:
                        ended = (1 << run) - 1 + int("0" + bits[at : at + run], 2)
                        at += run
            if bad and at + 32 <= end:
                burst.append(places[begun // 8])
        if at > end:
            return burst, False
    return burst, len(plain[(at + 7) // 8 :].strip(b"\0\xff")) < 4


def twin(data: bytes, coding: Coding, scan: bytes) -> Decoded | None:
    layout = coding.layout(scan)
    if layout is None or not layout.mcus:
        return None
    tables = {slot: codes(*coding.tables[slot]) for pair in layout.blocks for slot in pair if slot >= 0}
    ends = [m.start() for m in re.finditer(rb"\xff[\xd0-\xd7]", data)] if coding.restart else []
    places, first, done, short = [], 0, 0, False
    for last in (*ends, len(data)):
        due = min(coding.restart or layout.mcus, layout.mcus - done)
        burst, whole = interval(data[first:last], layout, due, tables)
        places += [first + place for place in burst]
        short |= not whole
        done, first = done + due, last + 2
        if done >= layout.mcus:
            break
    return Decoded(tuple(places[:PLACES]), short or done < layout.mcus or first < len(data))


def parsed(data: bytes) -> list[tuple[bytes, Coding, bytes]]:
    """The scans of an image that PIL wrote, each with what the headers said by then, and its own."""
    coding, scans, at = Coding(), [], 2
    while data[at + 1] != 0xD9:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xC4:
            coding.define(body)
        elif marker == 0xDD:
            coding.restart = int.from_bytes(body, "big")
        elif marker in (0xC0, 0xC2):
            coding.process, coding.frame = marker, body
        elif marker == 0xDA:
            found = re.compile(rb"\xff[^\x00\xd0-\xd7]").search(data, at)
            assert found
            now = Coding(coding.process, coding.frame, coding.restart, dict(coding.tables))
            scans.append((data[at : found.start()], now, body))
            at = found.start()
    return scans


def photo(**options: Any) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((120, 72), 50).convert("RGB").save(out, "JPEG", **{"quality": 85, **options})
    return out.getvalue()


WRITTEN: list[dict[str, Any]] = [
    {},
    {"optimize": True},
    {"subsampling": 0, "quality": 100},
    {"restart_marker_blocks": 3},
    {"progressive": True},
    {"progressive": True, "restart_marker_blocks": 5},
]


@pytest.mark.parametrize("options", WRITTEN)
def test_what_encoders_write_is_whole(options: dict[str, Any]) -> None:
    results = [decode(*scan) for scan in parsed(photo(**options))]
    told = [result for result in results if result is not None]
    # Of the ten scans of a progressive image, five come first in their band.
    assert (len(results), len(told)) == ((10, 5) if "progressive" in options else (1, 1))
    assert all(result == Decoded((), short=False) for result in told)


@pytest.mark.parametrize("options", WRITTEN)
def test_struck_scans_equal_their_naive_twin(options: dict[str, Any]) -> None:
    dice = random.Random(5)
    bursts = 0
    for data, coding, scan in parsed(photo(**options)):
        for _ in range(12):
            at = dice.randrange(len(data))
            hit = (
                data[:at] + dice.randbytes(dice.choice((1, 16, 200))) + data[at + dice.choice((0, 1, 200)) :]
            )
            found = decode(hit, coding, scan)
            assert found == twin(hit, coding, scan)
            bursts += bool(found and found.places)
    assert bursts


def tables(dice: random.Random) -> Coding:
    """Tables of any shape, also with codes that are not used up, or too many."""
    coding = Coding(dice.choice((0xC0, 0xC1, 0xC2)), dice.choice((GREY, COLOUR)), dice.choice((0, 0, 1, 7)))
    for slot in (0x00, 0x01, 0x10, 0x11):
        counts = bytes(dice.choice((0, 0, 1, 2, 3, 40 if width > 8 else 0)) for width in range(16))
        symbols = bytes(dice.choice((0, 1, 2, 17, 0xF0, 0x30, 0x0B, 0xE0, 9)) for _ in range(sum(counts)))
        coding.define(bytes([slot]) + counts + symbols[: dice.choice((len(symbols), 200))])
    return coding


@given(
    st.integers(0, 1 << 30),
    st.binary(max_size=300),
    st.sampled_from([b"", b"\xff\x00", b"\xff\xd3", b"\xff\xff"]),
)
@settings(max_examples=150, deadline=None)
def test_any_bytes_equal_their_naive_twin(seed: int, data: bytes, extra: bytes) -> None:
    dice = random.Random(seed)
    coding = tables(dice)
    scan = LUMA if coding.frame == GREY else CHROMA
    if coding.process == 0xC2:
        scan = dice.choice((b"\x01\x01\x00\0\0\1", b"\x01\x01\x11\x01\5\2", b"\x01\x01\x11\x06\x3f\0"))
    data = data[:100] + extra * dice.randrange(9) + data[100:]
    assert decode(data, coding, scan) == twin(data, coding, scan)


@pytest.mark.parametrize("seed", range(4))
def test_the_plain_loop_equals_the_compiled_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data, coding, scan = parsed(photo(**WRITTEN[seed]))[0]
    data = random.Random(seed).randbytes(40) + data[40:3000]
    found = decode(data, coding, scan)
    for name in ("_filled", "_looked_up", "_before", "_interval", "_scan"):
        monkeypatch.setattr(jpeg_huffman, name, getattr(jpeg_huffman, name).py_func)
    assert decode(data, coding, scan) == found


def test_what_is_not_decoded() -> None:
    known = Coding(0xC0, b"\x08\0\x09\0\x09\x01\x01\x11\x00")
    assert decode(b"abc", known, LUMA) is None  # no tables
    known.define(
        b"\x00" + bytes([0, 1]) + bytes(14) + b"\x03" + b"\x10" + bytes([0, 1]) + bytes(14) + b"\x00"
    )
    assert decode(b"", known, LUMA) == Decoded((), short=True)
    assert decode(b"", Coding(0xC9, known.frame, 0, known.tables), LUMA) is None  # arithmetic
    assert decode(b"", Coding(0xC0, b"\x0c" + known.frame[1:], 0, known.tables), LUMA) is None  # 12 bits
    assert decode(b"", Coding(0xC2, known.frame, 0, known.tables), b"\x01\x01\0\0\0\x10") is None  # refines
    assert decode(b"", Coding(0xC0, b"\x08\0\0" + known.frame[3:], 0, known.tables), LUMA) is None  # DNL


def test_places_are_bounded() -> None:
    coding = Coding(0xC0, b"\x08\xff\xf8\xff\xf8\x01\x01\x11\0")
    for slot in (0x00, 0x10):
        coding.define(bytes([slot, 1, *bytes(15), 0x0B if slot else 0]))
    found = decode(bytes(100_000), coding, LUMA)
    assert found is not None
    assert (len(found.places), found.short) == (PLACES, True)


def test_lying_sizes_take_no_time() -> None:
    # 2**26 blocks of an image that has none of them, and a restart interval at every other byte.
    coding = Coding(0xC0, b"\x08\xff\xff\xff\xff\x01\x01\x11\0", restart=1)
    for slot in (0x00, 0x10):
        coding.define(bytes([slot, 1, *bytes(15), 0]))
    begun = time.perf_counter()
    found = decode(b"\xff\xd0" * 2_000_000, coding, LUMA)
    assert found == Decoded((), short=True)
    assert time.perf_counter() - begun < 4


def test_decoding_is_fast() -> None:
    dice = np.random.default_rng(1)
    out = io.BytesIO()
    Image.fromarray(dice.integers(0, 256, (1500, 1500), np.uint8)).save(out, "JPEG", quality=90)
    jpeg_huffman.warm()
    (scan,) = parsed(out.getvalue())
    begun = time.perf_counter()
    assert decode(*scan) == Decoded((), short=False)
    # Some 100 MB/s; the bound is for a busy machine.
    assert len(scan[0]) / (time.perf_counter() - begun) > 8e6
