"""Compressed files: decoded where a library can, else known by their signature."""

import bz2
import lzma
import random
import shutil
import struct
import subprocess
import time
import zlib
from collections.abc import Callable

import pytest
import zstandard

from vigie.formats.archive.compressed import FORMATS
from vigie.formats.archive.compressed_bzip2 import broken_blocks
from vigie.formats.contract import Bytes, Effort, Malformed
from vigie.model import Kind

BY_NAME = {one.name: one for one in FORMATS}
TEXT = " ".join(f"{n * n:x}" for n in range(30000)).encode()
CODERS: dict[str, Callable[[bytes], bytes]] = {
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@pytest.mark.parametrize("name", CODERS)
def test_streams_one_behind_the_other(name: str) -> None:
    one = CODERS[name](TEXT)
    for data in (one, one + one, one + one + bytes(8)):
        anatomy = BY_NAME[name].dissect(Bytes(data))
        assert (anatomy.flaws, anatomy.notes) == ((), ())
        assert anatomy.checked == len(data.rstrip(b"\0")) or name == "bzip2" or anatomy.checked > 0


@pytest.mark.parametrize("name", CODERS)
def test_foreign_bytes_behind_are_a_note(name: str) -> None:
    anatomy = BY_NAME[name].dissect(Bytes(CODERS[name](TEXT) + b"signature"))
    assert anatomy.flaws == ()
    assert anatomy.notes == ("9 bytes behind the last stream",)
    assert anatomy.regions[-1].kind is Kind.OPAQUE


@pytest.mark.parametrize("name", CODERS)
def test_a_hit_and_a_cut(name: str) -> None:
    data = CODERS[name](TEXT)
    middle = len(data) // 2
    hit = data[:middle] + random.Random(1).randbytes(4096) + data[middle + 4096 :]
    (flaw,) = BY_NAME[name].dissect(Bytes(hit)).flaws
    assert flaw.start < middle + 4096
    assert flaw.end > middle
    (cut,) = BY_NAME[name].dissect(Bytes(data[:middle])).flaws
    assert (cut.start, cut.end) == (middle, middle)
    assert "the file ends inside" in cut.what


@pytest.mark.parametrize("name", CODERS)
def test_without_header(name: str) -> None:
    with pytest.raises(Malformed):
        BY_NAME[name].dissect(Bytes(random.Random(1).randbytes(5000)))


@pytest.mark.parametrize("name", CODERS)
def test_a_bomb_is_put_down(name: str) -> None:
    coder: dict[str, Callable[[bytes], bytes]] = {"xz": lambda data: lzma.compress(data, preset=0)}
    bomb = coder.get(name, CODERS[name])(bytes(100 << 20))
    begun = time.monotonic()
    anatomy = BY_NAME[name].dissect(Bytes(bomb), 32 << 20)
    assert time.monotonic() - begun < 4
    assert anatomy.flaws == ()
    assert anatomy.notes[0].startswith("too long to test all of it")


def test_a_decoder_that_wants_too_much_memory() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]
    data = bytearray(lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}]))
    # Block header (section 3.1): say the dictionary of `filters` instead, and mend the CRC.
    place = 12
    size = (data[place] + 1) * 4
    data[place + 4] = 34  # 2 GiB - 1 is 39; 34 is 512 MiB
    data[place + size - 4 : place + size] = struct.pack("<L", zlib.crc32(data[place : place + size - 4]))
    assert filters[0]["dict_size"] == 1 << 29
    anatomy = BY_NAME["xz"].dissect(Bytes(bytes(data)))
    assert anatomy.notes == ("needs too much memory to be tested",)


@pytest.mark.parametrize(
    ("name", "magic"),
    [
        ("lzip", b"LZIP\x01"),
        ("lzop", b"\x89LZO\0\r\n\x1a\n"),
        ("compress", b"\x1f\x9d\x90"),
    ],
)
def test_the_rest_is_known_by_signature(name: str, magic: bytes) -> None:
    form = BY_NAME[name]
    data = magic + b"anything" * 10
    assert [one.name for one in FORMATS if one.recognises(data)] == [name]
    anatomy = form.dissect(Bytes(data))
    assert "not tested" in anatomy.notes[0]
    with pytest.raises(Malformed):
        form.dissect(Bytes(b"x" * 100))


def test_brotli_has_only_a_name() -> None:
    form = BY_NAME["brotli"]
    assert not form.recognises(b"\x0b\x02\x80")
    assert form.dissect(Bytes(b"abc")).regions[0].end == 3
    assert form.dissect(Bytes(b"")).regions == ()


def spoilt(data: bytes, *places: int) -> bytes:
    out = bytearray(data)
    for place in places:
        out[place : place + 4096] = random.Random(place).randbytes(4096)
    return bytes(out)


def test_the_blocks_of_bzip2_are_tested_one_by_one() -> None:
    text = " ".join(f"{n * n:x}" for n in range(400_000)).encode()
    data = bz2.compress(text, 1)
    places = (len(data) // 4, 3 * len(data) // 4)
    flaws = BY_NAME["bzip2"].dissect(Bytes(spoilt(data, *places))).flaws
    assert len(flaws) == 2
    for place, flaw in zip(places, flaws, strict=True):
        assert flaw.start <= place < place + 4096 <= flaw.end + 60_000
        assert flaw.end - flaw.start < 130_000


def test_a_bzip2_block_without_its_mark() -> None:
    data = bz2.compress(TEXT, 1)
    (flaw,) = BY_NAME["bzip2"].dissect(Bytes(data[:10] + b"\0" * 50 + data[60:])).flaws
    assert flaw.start < 60


@pytest.mark.parametrize("name", ["zstd", "xz"])
def test_the_flaw_is_the_piece_that_was_hit(name: str) -> None:
    chooser = random.Random(6)
    text = b"".join(bytes([chooser.choice(b"abcdefgh\n")]) * chooser.randrange(1, 4) for _ in range(400_000))
    data = CODERS[name](text)
    place = len(data) // 2
    (flaw, *more) = BY_NAME[name].dissect(Bytes(spoilt(data, place))).flaws
    assert not more
    assert flaw.start < place + 4096
    assert flaw.end > place
    assert flaw.end - flaw.start < 0.6 * len(data)


@pytest.mark.parametrize("name", ["zstd", "xz", "bzip2"])
def test_a_whole_stream_behind_a_broken_one(name: str) -> None:
    one = CODERS[name](TEXT)
    begin = len(one)
    flaws = BY_NAME[name].dissect(Bytes(spoilt(one, 5000) + one + one)).flaws
    assert all(f.end <= begin for f in flaws)
    lost = BY_NAME[name].dissect(Bytes(one + spoilt(one, 0) + one)).flaws
    assert [(f.start, f.end) for f in lost] == [(begin, 2 * begin)]


def test_xz_blocks_and_their_checks() -> None:
    if not shutil.which("xz"):
        pytest.skip("needs xz")
    for check in ("none", "crc32", "crc64", "sha256"):
        command = ["xz", "--block-size=20000", f"--check={check}", "-c"]
        data = subprocess.run(command, input=TEXT, check=True, capture_output=True, timeout=60).stdout
        assert BY_NAME["xz"].dissect(Bytes(data)).flaws == ()
        place = len(data) // 2
        flaws = BY_NAME["xz"].dissect(Bytes(data[:place] + bytes(300) + data[place + 300 :])).flaws
        assert flaws[0].start <= place + 300
        assert flaws[0].end - flaws[0].start < 20_000


def test_a_chain_of_pieces_that_breaks() -> None:
    for name in ("zstd", "xz"):
        data = CODERS[name](TEXT)
        (flaw, *_) = (
            BY_NAME[name].dissect(Bytes(data[:30] + random.Random(2).randbytes(len(data) - 30))).flaws
        )
        assert flaw.start < 200
        assert BY_NAME[name].dissect(Bytes(data), 20_000).notes[0].startswith("too long")


def test_bzip2_blocks_that_cannot_be_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bz2.compress(TEXT, 1)
    size = len(data)
    assert broken_blocks(Bytes(data), 0, size, 0, Effort(10)) is None
    assert broken_blocks(Bytes(data), 0, size, 0, Effort()) is None, "nothing is broken"
    twice = data[: size // 3] + b"1AY&SY12" + b"1AY&SY" + data[size // 3 :]
    assert broken_blocks(Bytes(twice), 0, len(twice), 0, Effort())
    monkeypatch.setattr("vigie.formats.archive.compressed_bzip2.LONGEST", 100)
    broken = broken_blocks(Bytes(data), 0, size, 0, Effort())
    assert broken is not None
    assert broken[0][0] == 4
