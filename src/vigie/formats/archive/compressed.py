"""Compressed files other than ZIP and gzip: what a library here can decode is, the rest is only named."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import zstandard

from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

DECODED = 64 * 1024 * 1024
"""Bytes decoded of one file: less than `contract.EFFORT`, for bzip2 and LZMA run at 20 to 100 MB/s."""
MEMORY = 128 * 1024 * 1024
"""What a decoder may ask for; a file that needs more is named and not tested."""
STREAMS = 10_000
"""Concatenated streams followed."""
_PRODUCE = 1024 * 1024


class Engine(Protocol):
    """A decoder of one stream."""

    @property
    def eof(self) -> bool:
        """Whether the stream ended."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was fed behind that end."""
        ...


class _Bounded(Engine, Protocol):
    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Codec:
    """How one kind of stream is decoded."""

    engine: Callable[[], Engine]
    pump: Callable[[Engine, bytes, Effort], None]
    """Feed bytes and drop what comes out, within the effort."""
    errors: tuple[type[Exception], ...]
    feed: int
    """Bytes fed at a time."""
    late: int
    """How far behind the first wrong byte the decoder may notice: a block, as it is stored."""
    magic: tuple[bytes, ...]
    """What each further stream must begin with."""


def _pump_bounded(engine: Engine, data: bytes, effort: Effort) -> None:
    bounded: _Bounded = engine  # type: ignore[assignment]  # bz2 and lzma, as CODECS pairs them
    effort.spend(len(bounded.decompress(data, _PRODUCE)))
    while not (bounded.eof or bounded.needs_input or effort.left <= 0):
        effort.spend(len(bounded.decompress(b"", _PRODUCE)))


def _pump_zstd(engine: Engine, data: bytes, effort: Effort) -> None:
    # No output limit here, but a block of 128 KiB takes at least 4 bytes: 1 KiB fed makes 32 MiB at most.
    effort.spend(len(engine.decompress(data)))  # type: ignore[attr-defined]  # zstandard, as CODECS pairs it


_BZIP2 = Codec(bz2.BZ2Decompressor, _pump_bounded, (OSError,), 4096, 1 << 20, (b"BZh",))
_XZ = Codec(
    lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY),
    _pump_bounded,
    (lzma.LZMAError,),
    4096,
    1 << 17,
    (b"\xfd7zXZ\0",),
)
_ZSTD = Codec(
    lambda: zstandard.ZstdDecompressor(max_window_size=MEMORY).decompressobj(),
    _pump_zstd,
    (zstandard.ZstdError,),
    1024,
    1 << 18,
    (b"\x28\xb5\x2f\xfd",),
)


def _decode(name: str, blob: Blob, codec: Codec) -> Anatomy:
    """Follow the streams of a file, one behind the other."""
    effort = Effort(DECODED)
    flaws: list[Flaw] = []
    notes: list[str] = []
    regions = [Region(0, blob.size, Kind.CODED, f"{name} stream")]
    position = checked = 0
    for _ in range(STREAMS):
        start = position
        engine = codec.engine()
        try:
            while position < blob.size and not engine.eof and effort.left > 0:
                data = blob.at(position, codec.feed)
                effort.spend(len(data))
                codec.pump(engine, data, effort)
                position += len(data) - len(engine.unused_data)
        except codec.errors as error:
            if "emory" in str(error):
                notes.append("needs too much memory to be tested")
            else:
                where = max(start, position - codec.late)
                flaws.append(Flaw(where, blob.size, f"the {name} stream breaks near byte {position}"))
            break
        if not engine.eof:
            if effort.left <= 0:
                notes.append(f"too long to test all of it: untested from byte {position}")
            else:
                flaws.append(Flaw(blob.size, blob.size, f"the file ends inside a {name} stream"))
            break
        checked = position
        position = _padding(blob, position)
        if position >= blob.size:
            break
        if not blob.at(position, 6).startswith(codec.magic):
            regions = [
                Region(0, checked, Kind.CODED, f"{name} stream"),
                Region(checked, blob.size, Kind.OPAQUE, "bytes behind the last stream"),
            ]
            notes.append(f"{blob.size - checked} bytes behind the last stream")
            break
    return Anatomy(name, tuple(regions), tuple(flaws), checked, tuple(notes))


def _padding(blob: Blob, position: int) -> int:
    """Behind the zeros at `position` (xz stream padding, tape blocks), 1 MiB of them at most."""
    window = blob.at(position, 1 << 20)
    return position + len(window) - len(window.lstrip(b"\0"))


def _xz_head(head: bytes) -> bool:
    """Stream header with its CRC-32 (The .xz File Format 1.2.1, section 2.1.1)."""
    return head.startswith(b"\xfd7zXZ\0") and zlib.crc32(head[6:8]) == int.from_bytes(head[8:12], "little")


def _bzip2_head(head: bytes) -> bool:
    """BZh, block size 1 to 9, then the magic of a block or of the end."""
    return head[:3] == b"BZh" and head[3:4] in b"123456789" and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90")


def _zstd_head(head: bytes) -> bool:
    """Frame magic, and a descriptor whose reserved bit is clear (RFC 8878, section 3.1.1)."""
    return head.startswith(b"\x28\xb5\x2f\xfd") and len(head) > 5 and not head[4] & 0x08


def _sevenzip(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Start header and next header with their CRC-32 (7zFormat.txt); the streams between are not decoded."""
    head = blob.at(0, 32)
    if not head.startswith(b"7z\xbc\xaf\x27\x1c") or len(head) < 32:
        raise Malformed(0, "no 7z signature header")
    flaws: list[Flaw] = []
    checked = 0
    offset, length = int.from_bytes(head[12:20], "little"), int.from_bytes(head[20:28], "little")
    start, end = 32 + offset, 32 + offset + length
    if zlib.crc32(head[12:32]) != int.from_bytes(head[8:12], "little"):
        flaws.append(Flaw(0, 32, "the CRC-32 of the start header does not match", checksum=True))
    elif end > blob.size:
        flaws.append(Flaw(blob.size, blob.size, "the file ends before its end header"))
    elif length <= DECODED:
        checked = length
        if zlib.crc32(blob.at(start, length)) != int.from_bytes(head[28:32], "little"):
            flaws.append(Flaw(start, end, "the CRC-32 of the end header does not match", checksum=True))
    regions = [Region(0, 32, Kind.STRUCTURED, "start header")]
    if blob.size > 32:
        regions.append(Region(32, blob.size, Kind.CODED, "packed streams"))
    return Anatomy("7z", tuple(regions), tuple(flaws), checked, ("the packed streams are not tested",))


def _tested(name: str, title: str, where: str, suffixes: tuple[str, ...], codec: Codec) -> Format:
    recognises = {"xz": _xz_head, "bzip2": _bzip2_head, "zstd": _zstd_head}[name]

    def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
        if not recognises(blob.at(0, 16)):
            raise Malformed(0, f"no {name} header")
        return _decode(name, blob, codec)

    return Format(name, title, where, suffixes, recognises, dissect)


def _named(name: str, title: str, where: str, suffixes: tuple[str, ...], *magic: bytes) -> Format:
    """A format that is told by its magic, and not tested; one without magic only by its name."""

    def recognises(head: bytes) -> bool:
        return bool(magic) and head.startswith(magic)

    def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
        if magic and not blob.at(0, 16).startswith(magic):
            raise Malformed(0, f"no {name} signature")
        regions = (Region(0, blob.size, Kind.CODED, f"{name} data"),) if blob.size else ()
        return Anatomy(name, regions, notes=(f"{title}: known by its signature, not tested",))

    return Format(name, title, where, suffixes, recognises, dissect)


FORMATS = (
    _tested("xz", "xz file", "The .xz File Format 1.2.1", ("xz", "txz"), _XZ),
    _tested("bzip2", "bzip2 file", "bzip2 manual", ("bz2", "tbz", "tbz2"), _BZIP2),
    _tested("zstd", "Zstandard file", "RFC 8878, 3.1", ("zst", "tzst"), _ZSTD),
    Format(
        name="7z",
        title="7z archive",
        specification="7zFormat.txt",
        suffixes=("7z",),
        recognises=lambda head: head.startswith(b"7z\xbc\xaf\x27\x1c"),
        dissect=_sevenzip,
    ),
    _named("lz4", "LZ4 frame", "lz4_Frame_format 1.6", ("lz4",), b"\x04\x22\x4d\x18"),
    _named("rar", "RAR archive", "RAR 5.0 technote", ("rar",), b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00"),
    _named("cab", "Microsoft cabinet", "MS-CAB 2.1", ("cab",), b"MSCF\0\0\0\0"),
    _named("lzip", "lzip file", "lzip manual, file format", ("lz", "tlz"), b"LZIP\x01"),
    _named("lzop", "lzop file", "lzop source, conf.h", ("lzo",), b"\x89LZO\0\r\n\x1a\n"),
    _named(
        "compress", "compress (.Z) file", "compress(1)", (), b"\x1f\x9d\x90", b"\x1f\x9d\x8c", b"\x1f\x9d\x8f"
    ),
    _named("brotli", "Brotli file", "RFC 7932", ("br",)),
)
