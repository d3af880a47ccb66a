"""Tables that name the same bytes a hundred thousand times, and breaks a few bytes apart.

A file of a megabyte asks for gigabytes of reading so, without one length that is a lie. All of them are
judged as `vigie check --full` does, which is allowed the most effort.
"""

import random
import struct
import time
import tracemalloc
from collections.abc import Callable

import pytest

from vigie.formats.contract import Bytes
from vigie.formats.media.ogg import page_crc
from vigie.judge import judge
from vigie.model import State

MEBI = 1 << 20
MOST_MEMORY = 128 * MEBI
"""Bytes that judging any of these may take at its peak."""
MOST_TIME = 6.0
"""Seconds of processor time, with the memory being traced; without, none takes one."""
NOISE = random.Random(1).randbytes(200_000)
NOT_ENCRYPTED = (State.INTACT, State.DAMAGED, State.UNKNOWN)
Bomb = tuple[Callable[[], bytes], str]


# --- films and pictures


def box(name: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">L", 8 + len(inside)) + name + inside


FTYP = b"\0\0\0\x18ftypisom\0\0\2\0isommp41"
MEDIA = len(FTYP) + 8
"""Where the media data of `film` begins."""


def film(codec: bytes, places: list[int], size: int, media: bytes) -> bytes:
    """Samples of one size at any places."""
    config = box(b"avcC", bytes(4) + b"\3" + bytes(30)) if codec == b"avc1" else b""
    stsd = struct.pack(">LLL", 0, 1, 86 + len(config)) + codec + bytes(78) + config
    stco = struct.pack(f">LL{len(places)}L", 0, len(places), *places)
    stbl = (
        box(b"stsd", stsd),
        box(b"stsz", struct.pack(">LLL", 0, size, len(places))),
        box(b"stsc", struct.pack(">5L", 0, 1, 1, 1, 1)),
        box(b"stco", stco),
    )
    tables = box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", *stbl)))))
    return FTYP + box(b"mdat", media) + tables


MOTION_JPEG = b"\xff\xd8\xff\xda\0\2" + b"\xff\0" * 200_000
UNITS = b"\0\0\0\1\1" * 80_000
GOOD_AND_BAD = b"\0\0\0\1\1" * 2 + b"\xff" * 4000 + bytes(300_000)
TIMES = 100_000


def heif(media: bytes, length: int, extents: int = 65_000) -> bytes:
    """One item in many extents, all of which are the same."""
    start = b"\0\0\0\x18ftypheic\0\0\0\0heicmif1"
    iinf = box(b"iinf", struct.pack(">LH", 0, 1), box(b"infe", b"\2\0\0\0\0\1\0\0hvc1\0"))
    extent = struct.pack(">LL", len(start) + 8, length)
    iloc = box(b"iloc", struct.pack(">LBBHHHH", 0, 0x44, 0, 1, 1, 0, extents), extent * extents)
    meta = box(b"meta", bytes(4), iinf, box(b"iprp", b"hvcC" + bytes(21) + b"\3"), iloc)
    return start + box(b"mdat", media) + meta


def icon(count: int = 1024) -> bytes:
    """One bitmap, named by all entries of the directory."""
    image = struct.pack("<LLLHH6L", 40, 512, 512, 1, 32, *[0] * 6) + NOISE * 4
    entry = struct.pack("<BBBBHHLL", 0, 0, 0, 0, 1, 32, len(image), 6 + 16 * count)
    return struct.pack("<HHH", 0, 1, count) + entry * count + image


def collection(fonts: int = 200, tables: int = 250) -> bytes:
    """Fonts whose tables are all nearly the whole file, and none of them another's."""
    lead, length = 12 + 4 * fonts, 12 + 16 * tables
    size = lead + fonts * length + len(NOISE)
    data = b"ttcf\0\1\0\0" + struct.pack(f">L{fonts}L", fonts, *range(lead, lead + fonts * length, length))
    for font in range(fonts):
        places = range(font * tables, (font + 1) * tables)
        rows = (struct.pack(">4sLLL", b"glyf", 0, font, size - font - place % 5000) for place in places)
        data += struct.pack(">LHHHH", 0x10000, tables, 0, 0, 0) + b"".join(rows)
    return data + NOISE


def tiff(directories: int = 1024, strips: int = 30_000) -> bytes:
    """Directories that share their tables, and tables of strips that share their bytes."""
    pixels = bytes(100_000)
    offsets = struct.pack(f"<{strips}L", *[8] * strips)
    counts = struct.pack(f"<{strips}L", *(len(pixels) - n % 50 for n in range(strips)))
    table = 8 + len(pixels)
    place = table + len(offsets) + len(counts)
    data = b"II*\0" + struct.pack("<L", place) + pixels + offsets + counts
    entries = (
        (256, 4, 1, 500),
        (259, 3, 1, 1),
        (273, 4, strips, table),
        (279, 4, strips, table + 4 * strips),
    )
    packed = struct.pack("<H", 4) + b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    return data + b"".join(packed + struct.pack("<L", place + 54 * (n + 1)) for n in range(directories))


def ogg_page(body: bytes, *, sound: bool) -> bytes:
    page = b"OggS\0\2" + bytes(20) + bytes((1, len(body))) + body
    return page[:22] + struct.pack("<L", page_crc(page)) + page[26:] if sound else page


RIFF = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(10)


# --- archives, databases, documents


def both(number: int) -> bytes:
    """As ISO 9660 has numbers, in either order (ECMA-119, 7.3.3)."""
    return struct.pack("<L", number) + struct.pack(">L", number)


def iso(folders: int = 35) -> bytes:
    """Directories that overlap: 19,000 of nearly a megabyte."""

    def record(sector: int, size: int, name: bytes) -> bytes:
        return b"\x22\0" + both(sector) + both(size) + bytes(7) + b"\2" + bytes(6) + b"\1" + name

    size = 490 * 2048
    volume = (b"\1CD001\1".ljust(80, b"\0") + both(512)).ljust(128, b"\0") + b"\0\x08\x08\0"
    volume = (volume.ljust(156, b"\0") + record(18, size, b"\0")).ljust(2048, b"\0")
    data = bytes(16 * 2048) + volume + b"\xffCD001".ljust(2048, b"\0")
    for sector in range(490):
        numbers = range(sector * folders, (sector + 1) * folders)
        data += b"".join(record(18 + n % 20, size - 100_000 + n, b"A") for n in numbers).ljust(2048, b"\0")
    return data + bytes(4 * 2048)


def varint(number: int) -> bytes:
    """As Thrift has numbers, doubled for their sign (compact protocol)."""
    number, data = 2 * number, b""
    while number > 127:
        data, number = data + bytes((number & 127 | 128,)), number >> 7
    return data + bytes((number,))


def parquet(chunks: int = 2_000) -> bytes:
    """Column chunks that are all the same 4,000 empty pages."""
    pages = b"\x15\0\x15\0\x15\0\0" * 4_000
    column = b"\x3c\x76" + varint(len(pages)) + b"\x26" + varint(4) + b"\0\0"
    count = bytes((chunks & 127 | 128, chunks >> 7 & 127 | 128, chunks >> 14))
    footer = b"\x49\x1c\x19\xfc" + count + column * chunks + b"\0\0"
    return b"PAR1" + pages + footer + struct.pack("<L", len(footer)) + b"PAR1"


def ole2(tables: int = 200) -> bytes:
    """A DIFAT of 200 sectors in which every number is that of one sector: a FAT of a quarter of a GiB."""
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<5H", 0x3E, 4, 0xFFFE, 12, 6)
    head += bytes(6) + struct.pack("<9L", 0, 0xFFFFFFF, 1, 0, 4096, 2, 0, 0, tables)
    head = (head + struct.pack("<109L", *[300] * 109)).ljust(4096, b"\0")
    difat = (struct.pack("<1024L", *[250] * 1023, n + 1) for n in range(tables))
    return head + b"".join(difat) + bytes(4096 * 55)


def attributes(declared: int = 20_000, elements: int = 50_000) -> bytes:
    """Attributes that the document type adds to every element."""
    subset = b"".join(b"<!ATTLIST a b%d CDATA 'x'>" % n for n in range(declared))
    return b"<?xml version='1.0'?><!DOCTYPE a [" + subset + b"]><a>" + b"<a/>" * elements + b"</a>"


def dicom(syntax: bytes, frame: bytes) -> bytes:
    """One frame, cut into fragments of two bytes (PS3.5 A.4)."""

    def element(tag: int, kind: bytes, value: bytes) -> bytes:
        value += bytes(len(value) % 2)
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, kind, len(value)) + value

    meta = element(0x0002_0010, b"UI", syntax)
    head = bytes(128) + b"DICM" + element(0x0002_0000, b"UL", struct.pack("<L", len(meta))) + meta
    image = element(0x0028_0008, b"IS", b"1 ") + b"".join(
        element(tag, b"US", struct.pack("<H", value))
        for tag, value in ((0x0028_0010, 500), (0x0028_0011, 500), (0x0028_0100, 8))
    )
    pieces = (frame[at : at + 2] for at in range(0, len(frame), 2))
    items = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(piece)) + piece for piece in (b"", *pieces))
    pixels = struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + items
    return head + image + pixels + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


SEGMENTS = b"\xff\xd8" + b"\xff\xe0\0\2" * 12_000
SIZ = struct.pack(">HH8LH3B", 41, 0, 500, 500, 0, 0, 1, 1, 0, 0, 1, 7, 1, 1)
TILES = b"\xff\x4f\xff\x51" + SIZ + b"\xff\x90\0\x0a\0\0\0\0\0\x0e\0\1\xff\x93" * 7_000

BOMBS: dict[str, Bomb] = {
    "mp4, one picture for all samples": (
        lambda: film(b"jpeg", [MEDIA] * TIMES, len(MOTION_JPEG), MOTION_JPEG),
        "mp4",
    ),
    "mp4, units that are walked for ever": (lambda: film(b"avc1", [MEDIA] * TIMES, 2000, UNITS), "mp4"),
    "mp4, good and bad in turn": (
        lambda: film(b"avc1", [MEDIA, MEDIA + 10] * (TIMES // 2), 10, GOOD_AND_BAD),
        "mp4",
    ),
    "mp4, junk behind every second box": (
        lambda: FTYP + (b"\0\0\0\x08free\0\0\0\x08free\1\2\3\4") * 6_000,
        "mp4",
    ),
    "heif, one extent for all": (lambda: heif(UNITS, 2000), "heic"),
    "heif, one broken extent for all": (lambda: heif(b"\xff" * 400_000, 400_000), "heic"),
    "webp, pictures that are none": (lambda: RIFF + b"VP8 \x04\0\0\0\0\0\0\0" * 20_000, "webp"),
    "ogg, no page is sound": (lambda: ogg_page(b"abcd", sound=False) * 32_000, "ogg"),
    "ogg, junk behind every page": (lambda: (ogg_page(b"abcdefgh", sound=True) + b"xyz") * 12_000, "ogg"),
    "ico": (icon, "ico"),
    "font": (collection, "ttc"),
    "tiff": (tiff, "tif"),
    "iso": (iso, "iso"),
    "parquet": (parquet, "parquet"),
    "ole2": (ole2, "doc"),
    "xml": (attributes, "xml"),
    "dicom, jpeg in crumbs": (lambda: dicom(b"1.2.840.10008.1.2.4.50", SEGMENTS), "dcm"),
    "dicom, jpeg 2000 in crumbs": (lambda: dicom(b"1.2.840.10008.1.2.4.90", TILES), "dcm"),
}
NOISY = {"ico", "font"}
"""What holds random bytes: it may be called encrypted."""


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """The judge's kernels: what compiling them costs counts for no bomb."""
    judge(Bytes(NOISE[:9000]), "x.bin", full=True)


@pytest.mark.parametrize("name", BOMBS)
def test_bytes_are_not_read_for_ever(name: str) -> None:
    make, suffix = BOMBS[name]
    data = make()
    assert len(data) <= 1.25 * MEBI
    tracemalloc.start()
    began = time.process_time()
    try:
        verdict = judge(Bytes(data), f"x.{suffix}", full=True)
        spent, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spent < MOST_TIME
    assert peak < MOST_MEMORY
    assert name in NOISY or verdict.state in NOT_ENCRYPTED
