"""7z (7zFormat.txt): both headers with their CRC-32, and the streams that a library here can decode.

The end header is packed by LZMA as a rule; liblzma unpacks it raw, and then each folder packed by LZMA,
LZMA2, bzip2, deflate or nothing is decoded and its CRC-32 compared. Chains of several coders are not tested.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vigie.formats.archive.draft import Draft
from vigie.formats.archive.sevenzip_header import Folder, Streams, read_end_header
from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind

MAGIC = b"7z\xbc\xaf\x27\x1c"
HEADER = 32
LONGEST = 64 * 1024 * 1024
"""Bytes of an end header that are read or unpacked."""
MEMORY = 128 * 1024 * 1024
_PRICE = 4
_FEED = 16 * 1024
_PRODUCE = 1024 * 1024
_BEGINS = (b"\x01", b"\x17")
"""An end header as it is, or packed; either ends with a zero (7zFormat.txt, "Property IDs")."""
_COPY, _LZMA, _LZMA2 = b"\x00", b"\x03\x01\x01", b"\x21"
_DEFLATE, _BZIP2, _AES = b"\x04\x01\x08", b"\x04\x02\x02", b"\x06\xf1\x07\x01"


class Engine(Protocol):
    """A decoder with bounded output."""

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes:
        """Decode some more."""
        ...


def recognises(head: bytes) -> bool:
    """The signature, and the major version."""
    return head.startswith(MAGIC) and head[6:7] == b"\0"


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Start header, end header, packed streams.

    Raises:
        Malformed: there is no signature header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, HEADER)
    if len(head) < HEADER or not head.startswith(MAGIC):
        raise Malformed(0, "no 7z signature header")
    found = Draft(blob.size, effort)
    found.claim(0, HEADER, Kind.STRUCTURED, "start header")
    offset, length = int.from_bytes(head[12:20], "little"), int.from_bytes(head[20:28], "little")
    start, end = HEADER + offset, HEADER + offset + length
    streams: Streams | None = None
    if zlib.crc32(head[12:32]) != int.from_bytes(head[8:12], "little"):
        found.flaw(0, HEADER, "the CRC-32 of the start header does not match", checksum=True)
    elif end > blob.size:
        found.flaw(blob.size, blob.size, "the file ends before its end header")
    elif length > LONGEST:
        found.note("the end header is too long to be tested")
    else:
        data = found.take(blob, start, length)
        if zlib.crc32(data) != int.from_bytes(head[28:32], "little"):
            what = "the CRC-32 of the end header does not match"
            lost = data[:1] not in _BEGINS and not data.endswith(b"\0")
            if lost:
                found.claim(HEADER, start, Kind.CODED, "packed streams")
                found.claim(start, end, Kind.STRUCTURED, "end header")
            found.flaws.append(Flaw(start, end, what, checksum=True, throughout=lost))
        else:
            found.checked += length
            streams = _streams(blob, data, found)
    if streams is None:
        found.claim(HEADER, blob.size, Kind.CODED, "packed streams")
        found.note("the packed streams are not tested")
    else:
        _test(blob, streams, found)
        found.claim(max(start, HEADER), end, Kind.CODED, "end header")
        if end < blob.size:
            found.note(f"{blob.size - end} bytes behind the archive")
    found.flaws.sort(key=lambda flaw: (flaw.start, flaw.end))
    return found.anatomy("7z")


def _streams(blob: Blob, data: bytes, found: Draft) -> Streams | None:
    """What the end header says of the packed streams; it may itself be packed, several times over."""
    for _ in range(4):
        if not data:
            return Streams(0, (), ())
        try:
            packed, streams = read_end_header(data)
        except ValueError as error:
            found.note(f"an end header of an unusual kind: {error}")
            return None
        if not packed:
            return streams
        if not streams.folders or not streams.sizes:
            return None
        folder = streams.folders[0]
        if _locked(folder):
            found.claim(HEADER, HEADER + streams.start, Kind.OPAQUE, "packed streams")
            found.note("encrypted by password, names too")
            return None
        begin = HEADER + streams.start
        engine = _engine(folder)
        if engine is None or folder.size > LONGEST:
            return None
        raw = found.take(blob, begin, streams.sizes[0])
        try:
            data = engine.decompress(raw, folder.size)
        except (lzma.LZMAError, zlib.error, OSError):
            data = b""
        found.effort.spend(_PRICE * len(data))
        if len(data) != folder.size or (folder.crc is not None and zlib.crc32(data) != folder.crc):
            what = "the packed end header cannot be unpacked"
            found.flaw(begin, begin + streams.sizes[0], what, checksum=True)
            return None
    return None


def _locked(folder: Folder) -> bool:
    return any(coder.method == _AES for coder in folder.coders)


@dataclass(slots=True)
class _Stored:
    """A decoder that has nothing to do."""

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:  # noqa: ARG002 - the others need it
        return data


def _engine(folder: Folder) -> Engine | None:
    """A decoder for a folder of one coder; none where it cannot be had."""
    if len(folder.coders) != 1:
        return None
    coder = folder.coders[0]
    makers: dict[bytes, Callable[[], Engine]] = {
        _COPY: _Stored,
        _DEFLATE: lambda: zlib.decompressobj(-zlib.MAX_WBITS),
        _BZIP2: bz2.BZ2Decompressor,
        _LZMA: lambda: _lzma(lzma.FILTER_LZMA1, coder.properties),
        _LZMA2: lambda: _lzma(lzma.FILTER_LZMA2, coder.properties),
    }
    try:
        return makers[coder.method]()
    except (KeyError, ValueError, IndexError, lzma.LZMAError):
        return None


def _lzma(kind: int, properties: bytes) -> Engine:
    """A raw decoder: one byte of dictionary size for LZMA2, five bytes of properties for LZMA."""
    if kind == lzma.FILTER_LZMA2:
        bits = properties[0]
        size = (2 | bits & 1) << bits // 2 + 11
        options = {"id": kind, "dict_size": size}
    else:
        mixed, size = properties[0], int.from_bytes(properties[1:5], "little")
        options = {"id": kind, "lc": mixed % 9, "lp": mixed // 9 % 5, "pb": mixed // 45, "dict_size": size}
    if size > MEMORY:
        raise ValueError("needs too much memory")
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options])


def _test(blob: Blob, streams: Streams, found: Draft) -> None:
    """Decode every folder of one coder and one stream; claim the streams in order."""
    position, index = HEADER + streams.start, 0
    for folder in streams.folders:
        sizes = streams.sizes[index : index + folder.packed]
        index += folder.packed
        begin, position = position, position + sum(sizes)
        if _locked(folder):
            found.claim(begin, position, Kind.OPAQUE, "encrypted streams")
            found.note("encrypted by password")
            continue
        found.claim(begin, position, Kind.CODED, "packed streams")
        engine = _engine(folder) if folder.packed == 1 and folder.checks else None
        if engine is None:
            found.note("some packed streams are not tested")
        elif position <= blob.size:
            _decode(blob, begin, position, engine, folder, found)


def _decode(blob: Blob, begin: int, end: int, engine: Engine, folder: Folder, found: Draft) -> None:
    """Decode one stream and compare the CRC-32 of the files in it, one behind the other."""
    checks = list(folder.checks)
    size, crc = checks.pop(0)
    value = 0
    place = begin
    for position in range(begin, end, _FEED):
        if found.effort.left <= 0:
            found.untested(position)
            return
        data = found.take(blob, position, min(_FEED, end - position))
        while True:
            try:
                out = engine.decompress(data, _PRODUCE)
            except (lzma.LZMAError, zlib.error, OSError, EOFError):
                found.flaw(max(begin, position - _FEED), end, "a packed stream cannot be unpacked")
                return
            found.effort.spend(_PRICE * len(out))
            more = len(out) == _PRODUCE and not isinstance(engine, _Stored)
            data = getattr(engine, "unconsumed_tail", b"")
            while out:
                piece, out = out[:size], out[size:]
                value, size = zlib.crc32(piece, value), size - len(piece)
                if size:
                    break
                if crc is not None and crc != value:
                    what = "the CRC-32 of a file in a packed stream does not match"
                    found.flaw(max(begin, place - _FEED), min(end, position + _FEED), what, checksum=True)
                    if not isinstance(engine, _Stored):
                        return  # behind a fault all is wrong
                place, value = position, 0
                if not checks:
                    found.checked += end - begin if not found.flaws else 0
                    return
                size, crc = checks.pop(0)
            if not more or found.effort.left <= 0:
                break
    found.flaw(begin, end, "a packed stream is too short")


FORMAT = Format(
    name="7z",
    title="7z archive",
    specification="7zFormat.txt (LZMA SDK)",
    suffixes=("7z",),
    recognises=recognises,
    dissect=dissect,
)
