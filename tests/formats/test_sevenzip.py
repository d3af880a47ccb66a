"""7z: both headers, and the streams that can be decoded, by their CRC-32."""

import bz2
import lzma
import random
import struct
import zlib

import pytest

from vigie.formats.archive.sevenzip import FORMAT, dissect
from vigie.formats.archive.sevenzip_header import read_end_header
from vigie.formats.contract import Bytes, Malformed
from vigie.model import Kind

TEXT = " ".join(f"{n * n:x}" for n in range(12000)).encode()
PARTS = (TEXT[:20000], TEXT[20000:50000], TEXT[50000:])
LZMA2 = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
LZMA1 = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 2}]


def number(value: int) -> bytes:
    for more in range(8):
        if value < 1 << 7 * (more + 1):
            high = value >> 8 * more
            return bytes([(0xFF00 >> more) & 0xFF | high]) + (value & (1 << 8 * more) - 1).to_bytes(
                more, "little"
            )
    return b"\xff" + value.to_bytes(8, "little")


def crc(data: bytes) -> bytes:
    return struct.pack("<L", zlib.crc32(data))


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def coder(kind: str) -> bytes:
    """One coder of a folder: flags and length of its number, the number, its properties."""
    return {
        "lzma2": b"\x21\x21" + number(1) + bytes([16]),
        "lzma": b"\x23\x03\x01\x01" + number(5) + b"\x5d" + struct.pack("<L", 1 << 20),
        "copy": b"\x01\x00",
        "deflate": b"\x03\x04\x01\x08",
        "bzip2": b"\x03\x04\x02\x02",
        "aes": b"\x24\x06\xf1\x07\x01" + number(2) + b"\x13\x00",
        "ppmd": b"\x03\x03\x04\x01",
    }[kind]


def pack(kind: str, data: bytes) -> bytes:
    return {
        "lzma2": lambda: lzma.compress(data, lzma.FORMAT_RAW, filters=LZMA2),
        "lzma": lambda: lzma.compress(data, lzma.FORMAT_RAW, filters=LZMA1),
        "deflate": lambda: deflate(data),
        "bzip2": lambda: bz2.compress(data),
    }.get(kind, lambda: data)()


def streams(kind: str, start: int, packed: int, parts: tuple[bytes, ...], *, sub: bool = True) -> bytes:
    whole = b"".join(parts)
    out = b"\x06" + number(start) + number(1) + b"\x09" + number(packed) + b"\0"
    out += b"\x07\x0b" + number(1) + b"\0" + number(1) + coder(kind) + b"\x0c" + number(len(whole))
    out += b"\0" if sub else b"\x0a\x01" + crc(whole) + b"\0"
    if sub:
        out += b"\x08\x0d" + number(len(parts)) + b"\x09" + b"".join(number(len(p)) for p in parts[:-1])
        out += b"\x0a\x01" + b"".join(map(crc, parts)) + b"\0"
    return out + b"\0"


def archive(
    kind: str = "lzma2", *, encoded: bool = False, sub: bool = True, tail: bytes = b"\x05\x00\x00"
) -> bytes:
    packed = pack(kind, b"".join(PARTS))
    end = b"\x01\x04" + streams(kind, 0, len(packed), PARTS, sub=sub) + tail
    if encoded:
        small = pack("lzma", end)
        end = b"\x17" + streams("lzma", len(packed), len(small), (end,), sub=False)
        packed += small
    start = struct.pack("<QQL", len(packed), len(end), zlib.crc32(end))
    return b"7z\xbc\xaf\x27\x1c\0\x04" + crc(start) + start + packed + end


SAMPLES = {kind: (FORMAT, archive(kind), "7z") for kind in ("lzma2", "lzma", "copy", "deflate", "bzip2")} | {
    "encoded": (FORMAT, archive(encoded=True), "7z")
}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_stream_is_decoded(name: str) -> None:
    data = SAMPLES[name][1]
    assert FORMAT.recognises(data)
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert anatomy.checked > len(data) * 0.9 - 100


@pytest.mark.parametrize("name", SAMPLES)
def test_a_hit_stream(name: str) -> None:
    data = SAMPLES[name][1]
    middle = len(data) // 2
    hit = data[:middle] + random.Random(1).randbytes(2000) + data[middle + 2000 :]
    flaws = dissect(Bytes(hit)).flaws
    assert flaws
    assert flaws[0].start < middle + 2000
    assert flaws[0].end > middle


def test_without_sizes_of_the_files() -> None:
    anatomy = dissect(Bytes(archive(sub=False)))
    assert anatomy.flaws == ()
    assert anatomy.checked > 10_000


def test_passwords_and_methods_that_are_not_known() -> None:
    locked = dissect(Bytes(archive("aes")))
    assert (locked.flaws, locked.notes) == ((), ("encrypted by password",))
    assert locked.regions[1].kind is Kind.OPAQUE
    assert dissect(Bytes(archive("ppmd"))).notes == ("some packed streams are not tested",)


def test_hidden_names() -> None:
    inner = b"\x17" + streams("aes", 0, 500, (bytes(480),), sub=False)
    start = struct.pack("<QQL", 500, len(inner), zlib.crc32(inner))
    data = b"7z\xbc\xaf\x27\x1c\0\x04" + crc(start) + start + random.Random(1).randbytes(500) + inner
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert "encrypted by password, names too" in anatomy.notes


def test_headers() -> None:
    data = archive()
    (start,) = dissect(Bytes(data[:20] + b"\xff" + data[21:])).flaws
    assert (start.start, start.end, start.checksum) == (0, 32, True)
    (end,) = dissect(Bytes(data[:-1] + b"\xff")).flaws
    assert end.end == len(data)
    (cut,) = dissect(Bytes(data[:100])).flaws
    assert cut.start == cut.end == 100
    for broken in (data[:20], b"x" * 100):
        with pytest.raises(Malformed):
            dissect(Bytes(broken))
    empty = b"7z\xbc\xaf\x27\x1c\0\x04" + crc(bytes(20)) + bytes(20)
    assert dissect(Bytes(empty)).flaws == ()
    assert dissect(Bytes(archive() + b"tail")).notes == ("4 bytes behind the archive",)
    packed = bytearray(archive(encoded=True))
    packed[-60 - len(streams("lzma", 1, 1, (b"",), sub=False))] ^= 0x55
    assert dissect(Bytes(bytes(packed))).flaws
    assert FORMAT.dissect(Bytes(archive()), 20_000).notes[0].startswith("too long")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x02", "neither"),
        (b"\x01\x04\x06", "too early"),
        (b"\x01\x04\x06\x00\xf0\xff\xff\xff\xff", "too many"),
        (b"\x01\x04\x06\x00\x01\x33", "unknown in its pack info"),
        (b"\x01\x04\x07\x0b\x01\x01", "elsewhere"),
        (b"\x01\x04\x07\x0b\x01\x00\x00", "too many coders"),
        (b"\x01\x04\x07\x0b\x01\x00\x01\x80", "unknown kind"),
        (b"\x01\x04\x07\x0b\x01\x00\x01\x10\x00\x00", "gives nothing"),
        (b"\x01\x04\x07\x0b\x01\x00\x01\x10\x00\x01", "without streams"),
        (b"\x01\x04\x07\x0b\x01\x00\x01\x00\x0c\x05\x33", "unknown in its unpack info"),
        (b"\x01\x04\x07\x0b\x01\x00\x01\x00\x0c\x05\x00\x08\x0d\x02\x00", "do not add up"),
        (b"\x01\x04\x07\x0b\x01\x00\x01\x00\x0c\x05\x00\x08\x33", "unknown in its substreams"),
        (b"\x01\x04\x07\x0c", "not in their order"),
        (b"\x01\x04\x33", "not in their order"),
    ],
)
def test_end_headers_that_cannot_be_followed(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_end_header(data)
    start = struct.pack("<QQL", 0, len(data), zlib.crc32(data))
    whole = b"7z\xbc\xaf\x27\x1c\0\x04" + crc(start) + start + data
    anatomy = dissect(Bytes(whole))
    assert anatomy.flaws == ()
    assert message in anatomy.notes[0]


def test_end_headers_with_more_in_them() -> None:
    extra = b"\x02\x11\x02ab\x00" + b"\x03" + streams("copy", 0, 5, (b"12345",))
    encoded, found = read_end_header(b"\x01" + extra + b"\x04" + streams("copy", 7, 5, (b"12345",)) + b"\0")
    assert not encoded
    assert (found.start, found.sizes) == (7, (5,))
    assert read_end_header(b"\x01\x00") == (False, type(found)(0, (), ()))
    # BCJ2 has four streams in and says which; the packed streams may have CRC-32s too.
    coders = b"\x02" + b"\x11\x1b\x04\x01" + b"\x01\x21"
    folder = b"\x07\x0b\x01\x00" + coders + b"\x00\x01" + b"\x00\x01\x02\x03"
    both = b"\x01\x04\x06\x00\x01\x09\x05\x0a\x01abcd\x00" + folder + b"\x0c\x05\x05\x0a\x00\x80abcd\x00\x00"
    _, found = read_end_header(both)
    assert (found.folders[0].packed, found.folders[0].size) == (4, 5)
    assert number(300) == b"\x81\x2c"


def wrapped(end: bytes, packed: bytes = b"", length: int | None = None) -> bytes:
    start = struct.pack("<QQL", len(packed), len(end) if length is None else length, zlib.crc32(end))
    return b"7z\xbc\xaf\x27\x1c\0\x04" + crc(start) + start + packed + end


def test_packed_headers_of_odd_kinds() -> None:
    again = b"\x17" + streams("copy", 0, 5, (b"12345",), sub=False)
    nested = b"\x17" + streams("copy", 0, len(again), (again,), sub=False)
    for end, packed in (
        (b"\x17\0", b""),  # no streams at all
        (b"\x17" + streams("ppmd", 0, 5, (b"12345",), sub=False), b"12345"),
        (nested, again),
    ):
        anatomy = dissect(Bytes(wrapped(end, packed)))
        assert "the packed streams are not tested" in anatomy.notes
    broken = b"\x17" + streams("lzma2", 0, 5, (bytes(50),), sub=False)
    assert (
        dissect(Bytes(wrapped(broken, b"\xff" * 5))).flaws[0].what
        == "the packed end header cannot be unpacked"
    )


def test_dictionaries_that_are_too_large() -> None:
    data = archive()
    end = b"\x01\x04" + streams("lzma2", 0, 5, (b"12345",)).replace(bytes([1, 16]), bytes([1, 39])) + b"\0"
    assert dissect(Bytes(wrapped(end, b"abcde"))).notes == ("some packed streams are not tested",)
    short = b"\x01\x04" + streams("copy", 0, 5, (b"1234567",)) + b"\0"
    assert dissect(Bytes(wrapped(short, b"abcde"))).flaws[0].what == "a packed stream is too short"
    assert FORMAT.recognises(data)


def test_an_end_header_that_begins_and_ends_wrongly_is_lost_and_one_of_another_checksum_is_not() -> None:
    tail = bytes.fromhex("01 04 06 00 01 09 64 00 07 0b 01 00 00")
    packed = bytes(100)
    for stored, lost in ((tail, False), (b"\x41" + tail[1:], False), (b"\x41" * len(tail), True)):
        start = struct.pack("<QQL", len(packed), len(tail), zlib.crc32(tail) ^ 1)
        data = b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<L", zlib.crc32(start)) + start + packed + stored
        anatomy = dissect(Bytes(data))
        (flaw,) = anatomy.flaws
        assert (flaw.start, flaw.end, flaw.checksum, flaw.throughout) == (132, len(data), True, lost)
        structured = [r.what for r in anatomy.regions if r.kind is Kind.STRUCTURED]
        assert structured == ["start header"] + ["end header"] * lost
