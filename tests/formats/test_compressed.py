"""Compressed files: decoded where a library can, else known by their signature."""

import bz2
import lzma
import random
import struct
import time
import zlib
from collections.abc import Callable

import pytest
import zstandard

from vigie.formats.archive.compressed import FORMATS
from vigie.formats.contract import Bytes, Malformed
from vigie.model import Kind

BY_NAME = {one.name: one for one in FORMATS}
TEXT = " ".join(f"{n * n:x}" for n in range(30000)).encode()
CODERS: dict[str, Callable[[bytes], bytes]] = {
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def sevenzip() -> bytes:
    packed, end = bytes(range(200)), b"\x01\x04\x06" * 9
    start = struct.pack("<QQL", len(packed), len(end), zlib.crc32(end))
    return b"7z\xbc\xaf\x27\x1c\0\x04" + struct.pack("<L", zlib.crc32(start)) + start + packed + end


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
    begun = time.monotonic()
    anatomy = BY_NAME[name].dissect(Bytes(CODERS[name](bytes(100 << 20))))
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


def test_sevenzip_headers() -> None:
    data = sevenzip()
    form = BY_NAME["7z"]
    assert form.recognises(data)
    assert form.dissect(Bytes(data)).flaws == ()
    (start,) = form.dissect(Bytes(data[:20] + b"\xff" + data[21:])).flaws
    assert (start.start, start.end, start.checksum) == (0, 32, True)
    (end,) = form.dissect(Bytes(data[:-1] + b"\xff")).flaws
    assert (end.start, end.end) == (232, len(data))
    (cut,) = form.dissect(Bytes(data[:100])).flaws
    assert cut.start == cut.end == 100
    with pytest.raises(Malformed):
        form.dissect(Bytes(data[:20]))


@pytest.mark.parametrize(
    ("name", "magic"),
    [
        ("lz4", b"\x04\x22\x4d\x18"),
        ("rar", b"Rar!\x1a\x07\x01\x00"),
        ("cab", b"MSCF\0\0\0\0"),
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
