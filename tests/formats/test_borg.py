"""Borg segments: entries by their CRC-32."""

import random
import struct
import zlib

import pytest

from vigie.formats.archive.borg import FORMATS
from vigie.formats.contract import Bytes, Malformed

SEGMENT, INDEX = FORMATS


def entry(tag: int, seed: int) -> bytes:
    chooser = random.Random(seed)
    key, data = chooser.randbytes(32), chooser.randbytes(3000 + 500 * seed)
    body = {0: key + data, 1: key, 2: b"", 3: key + chooser.randbytes(8) + data}[tag]
    head = struct.pack("<LB", 9 + len(body), tag)
    summed = head + (body[:40] if tag == 3 else body)
    return struct.pack("<L", zlib.crc32(summed)) + head + body


def segment(tag: int = 0) -> bytes:
    return b"BORG_SEG" + b"".join(entry(tag, n) for n in range(10)) + entry(1, 3) + entry(2, 0)


def index() -> bytes:
    return b"BORG_IDX" + struct.pack("<LLBB", 3, 500, 32, 8) + random.Random(1).randbytes(500 * 40)


SAMPLES = {
    "put": (SEGMENT, segment(), None),
    "put2": (SEGMENT, segment(3), None),
    "index": (INDEX, index(), None),
}


def struck(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + random.Random(start).randbytes(length) + data[start + length :]


@pytest.mark.parametrize("tag", [0, 3])
def test_every_entry_is_summed(tag: int) -> None:
    data = segment(tag)
    assert SEGMENT.recognises(data)
    anatomy = SEGMENT.dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert len(anatomy.regions) == 13
    assert anatomy.checked > (len(data) - 20 if tag == 0 else 500)


def test_the_flaw_is_the_entry() -> None:
    data = segment()
    regions = SEGMENT.dissect(Bytes(data)).regions
    hit = struck(struck(data, regions[3].start + 100, 500), regions[7].start, 1000)
    flaws = SEGMENT.dissect(Bytes(hit)).flaws
    assert [(f.start, f.end, f.checksum) for f in flaws] == [
        (r.start, r.end, True) for r in (regions[3], regions[7])
    ]


def test_cut_and_struck_to_the_end() -> None:
    data = segment()
    regions = SEGMENT.dissect(Bytes(data)).regions
    (cut,) = SEGMENT.dissect(Bytes(data[: regions[6].start + 100])).flaws
    assert cut.start == cut.end == regions[6].start + 100
    assert (
        SEGMENT.dissect(Bytes(data[: regions[6].start + 4])).flaws[0].what == "the file ends inside an entry"
    )
    (rest,) = SEGMENT.dissect(Bytes(struck(data, regions[6].start, len(data) - regions[6].start))).flaws
    assert (rest.start, rest.end) == (regions[6].start, len(data))
    last = regions[-1]
    assert [f.start for f in SEGMENT.dissect(Bytes(struck(data, last.start + 5, 4))).flaws] == [last.start]


def test_efforts_that_end() -> None:
    assert SEGMENT.dissect(Bytes(segment()), 10_000).notes[0].startswith("too long")
    broken = struck(segment(), 8, 40_000)
    assert SEGMENT.dissect(Bytes(broken), 3000).flaws


def test_other_files() -> None:
    assert INDEX.recognises(index())
    assert INDEX.dissect(Bytes(index())).flaws == ()
    assert INDEX.dissect(Bytes(index()[:1000])).flaws[0].start == 1000
    for form in FORMATS:
        with pytest.raises(Malformed):
            form.dissect(Bytes(b"x" * 30))
