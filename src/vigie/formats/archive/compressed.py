"""Compressed files other than ZIP and gzip: what a library here can decode is, the rest is only named."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import zstandard

from vigie.formats.archive.compressed_bzip2 import broken_blocks
from vigie.formats.archive.compressed_chain import broken_xz, broken_zstd
from vigie.formats.archive.draft import Draft
from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.model import Anatomy, Blob, Kind, Region

PRICE = 4
"""What a byte out of bzip2 or LZMA costs: they run at 20 to 100 MB/s."""
SEARCH = 64 * 1024 * 1024
"""Bytes looked through for the next stream behind a broken one."""
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
    heads: Callable[[bytes], bool]
    """Whether 16 bytes are the head of a stream."""
    blocks: Callable[[Blob, int, int, int, Effort], list[tuple[int, int]] | None]
    """Which parts are broken of a stream, which could not be decoded beyond a place; nothing where
    that cannot be told."""


def _pump_bounded(engine: Engine, data: bytes, effort: Effort) -> None:
    bounded: _Bounded = engine  # type: ignore[assignment]  # bz2 and lzma, as CODECS pairs them
    effort.spend(PRICE * len(bounded.decompress(data, _PRODUCE)))
    while not (bounded.eof or bounded.needs_input or effort.left <= 0):
        effort.spend(PRICE * len(bounded.decompress(b"", _PRODUCE)))


def _pump_zstd(engine: Engine, data: bytes, effort: Effort) -> None:
    # No output limit here, but a block of 128 KiB takes at least 4 bytes: 1 KiB fed makes 32 MiB at most.
    effort.spend(len(engine.decompress(data)))  # type: ignore[attr-defined]  # zstandard, as CODECS pairs it


def _xz_head(head: bytes) -> bool:
    """Stream header with its CRC-32 (The .xz File Format 1.2.1, section 2.1.1)."""
    return head.startswith(b"\xfd7zXZ\0") and zlib.crc32(head[6:8]) == int.from_bytes(head[8:12], "little")


def _bzip2_head(head: bytes) -> bool:
    """BZh, block size 1 to 9, then the magic of a block or of the end."""
    return head[:3] == b"BZh" and head[3:4] in b"123456789" and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90")


def _zstd_head(head: bytes) -> bool:
    """Frame magic, and a descriptor whose reserved bit is clear (RFC 8878, section 3.1.1)."""
    return head.startswith(b"\x28\xb5\x2f\xfd") and len(head) > 5 and not head[4] & 0x08


_BZIP2 = Codec(
    bz2.BZ2Decompressor, _pump_bounded, (OSError,), 4096, 1 << 20, (b"BZh",), _bzip2_head, broken_blocks
)
_XZ = Codec(
    lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY),
    _pump_bounded,
    (lzma.LZMAError,),
    4096,
    1 << 17,
    (b"\xfd7zXZ\0",),
    _xz_head,
    broken_xz,
)
_ZSTD = Codec(
    lambda: zstandard.ZstdDecompressor(max_window_size=MEMORY).decompressobj(),
    _pump_zstd,
    (zstandard.ZstdError,),
    1024,
    1 << 18,
    (b"\x28\xb5\x2f\xfd",),
    _zstd_head,
    broken_zstd,
)


def _decode(name: str, blob: Blob, codec: Codec, effort: int) -> Anatomy:
    """Follow the streams of a file, one behind the other, and behind a broken one the next."""
    found = Draft(blob.size, effort)
    position = 0
    for _ in range(STREAMS):
        start = position
        engine = codec.engine()
        try:
            while position < blob.size and not engine.eof and found.effort.left > 0:
                data = found.take(blob, position, codec.feed)
                codec.pump(engine, data, found.effort)
                position += len(data) - len(engine.unused_data)
        except codec.errors as error:
            if "emory" in str(error):
                found.note("needs too much memory to be tested")
                break
            position = _broken(name, blob, codec, start, position, found)
            if position >= blob.size:
                break
            continue
        if not engine.eof:
            if found.effort.left <= 0:
                found.untested(position)
            else:
                found.flaw(blob.size, blob.size, f"the file ends inside a {name} stream")
            break
        found.claim(start, position, Kind.CODED, f"{name} stream")
        found.checked += position - start
        position = _padding(blob, position)
        if position >= blob.size:
            break
        if not blob.at(position, 6).startswith(codec.magic):
            following = _following(blob, codec, position, found)
            if following is None:
                found.claim(position, blob.size, Kind.OPAQUE, "bytes behind the last stream")
                found.note(f"{blob.size - position} bytes behind the last stream")
                break
            found.claim(position, following, Kind.CODED, f"place of a {name} stream")
            found.flaw(position, following, f"no {name} stream where one should begin")
            position = following
    found.claim(position, blob.size, Kind.CODED, f"{name} stream")
    return found.anatomy(name)


def _broken(name: str, blob: Blob, codec: Codec, start: int, position: int, found: Draft) -> int:
    """Report the stream at `start`, which broke while the bytes at `position` were fed; where to go on."""
    following = _following(blob, codec, max(position, start + 4), found)
    end = blob.size if following is None else following
    found.claim(start, end, Kind.CODED, f"{name} stream")
    places = codec.blocks(blob, start, end, position, found.effort)
    if places is None:
        where = max(start, position - codec.late)
        places = [(where, end)]
    for begin, stop in places:
        found.flaw(begin, stop, f"the {name} stream is broken in here")
    return end


def _following(blob: Blob, codec: Codec, position: int, found: Draft) -> int | None:
    """Where the next stream begins, `SEARCH` bytes looked through."""
    stop = min(blob.size, position + min(SEARCH, max(found.effort.left, 1 << 20)))
    for base in range(position, stop, 1 << 20):
        window = found.take(blob, base, (1 << 20) + 16)
        place = min((p for m in codec.magic if (p := window.find(m)) >= 0), default=-1)
        while place >= 0:
            if codec.heads(window[place : place + 16]):
                return base + place
            place = min((p for m in codec.magic if (p := window.find(m, place + 1)) >= 0), default=-1)
    return None


def _padding(blob: Blob, position: int) -> int:
    """Behind the zeros at `position` (xz stream padding, tape blocks), 1 MiB of them at most."""
    window = blob.at(position, 1 << 20)
    return position + len(window) - len(window.lstrip(b"\0"))


def _tested(name: str, title: str, where: str, suffixes: tuple[str, ...], codec: Codec) -> Format:
    def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
        if not codec.heads(blob.at(0, 16)):
            raise Malformed(0, f"no {name} header")
        return _decode(name, blob, codec, effort)

    return Format(name, title, where, suffixes, codec.heads, dissect)


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
    _named("lzip", "lzip file", "lzip manual, file format", ("lz", "tlz"), b"LZIP\x01"),
    _named("lzop", "lzop file", "lzop source, conf.h", ("lzo",), b"\x89LZO\0\r\n\x1a\n"),
    _named(
        "compress", "compress (.Z) file", "compress(1)", (), b"\x1f\x9d\x90", b"\x1f\x9d\x8c", b"\x1f\x9d\x8f"
    ),
    _named("brotli", "Brotli file", "RFC 7932", ("br", "brotli")),
)
