"""The end header of a 7z archive: where the packed streams are, how they are packed, and their CRC-32.

Raises `ValueError` on what it cannot follow: the header's own CRC-32 held, so that is no flaw.
"""

from dataclasses import dataclass

FOLDERS = 1_000_000
"""Folders, streams or files that are believed."""
_HEADER, _MAIN, _PACK, _UNPACK, _SUB, _SIZE, _CRC, _FOLDER, _UNPACK_SIZE, _COUNT = (
    1,
    4,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
)
_ARCHIVE_PROPERTIES, _ADDITIONAL, _ENCODED = 2, 3, 23


@dataclass(frozen=True, slots=True)
class Coder:
    """One step of unpacking."""

    method: bytes
    properties: bytes


@dataclass(frozen=True, slots=True)
class Folder:
    """What is unpacked together."""

    coders: tuple[Coder, ...]
    packed: int
    """Packed streams that go in."""
    size: int
    """Bytes that come out."""
    crc: int | None
    """CRC-32 of them, if it is given."""
    checks: tuple[tuple[int, int | None], ...] = ()
    """Size and CRC-32 of each file in it; empty ones stand elsewhere."""


@dataclass(frozen=True, slots=True)
class Streams:
    """All packed streams of an archive."""

    start: int
    """Of the first one, counted from behind the start header."""
    sizes: tuple[int, ...]
    folders: tuple[Folder, ...]


class _Reader:
    """Reads the header's numbers."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def take(self, length: int) -> bytes:
        if length > len(self.data) - self.place:
            raise ValueError("it ends too early")
        self.place += length
        return self.data[self.place - length : self.place]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """Leading ones of the first byte say how many more there are."""
        first = self.byte()
        more = 8 - (~first & 0xFF).bit_length()
        value = int.from_bytes(self.take(more), "little")
        high = first & (1 << 7 - more) - 1 if more < 8 else 0
        return value | high << 8 * more

    def count(self) -> int:
        """A number of things."""
        value = self.number()
        if value > FOLDERS:
            raise ValueError("it has too many parts")
        return value

    def bits(self, count: int) -> list[bool]:
        data = self.take((count + 7) // 8)
        return [bool(data[i // 8] & 0x80 >> i % 8) for i in range(count)]

    def digests(self, count: int) -> list[int | None]:
        given = [True] * count if self.byte() else self.bits(count)
        return [int.from_bytes(self.take(4), "little") if one else None for one in given]

    def expect(self, wanted: int) -> None:
        if self.byte() != wanted:
            raise ValueError("its parts are not in their order")


def read_end_header(data: bytes) -> tuple[bool, Streams]:
    """The streams that an end header names, and whether they are themselves the packed end header.

    Raises:
        ValueError: it is of a kind that is not known here.
    """
    reader = _Reader(data)
    kind = reader.byte()
    if kind == _ENCODED:
        return True, _streams_info(reader)
    if kind != _HEADER:
        raise ValueError("neither a header nor a packed one")
    kind = reader.byte()
    if kind == _ARCHIVE_PROPERTIES:
        while reader.byte():
            reader.take(reader.number())
        kind = reader.byte()
    if kind == _ADDITIONAL:
        _streams_info(reader)
        kind = reader.byte()
    return False, _streams_info(reader) if kind == _MAIN else Streams(0, (), ())


def _streams_info(reader: _Reader) -> Streams:
    start = 0
    sizes: tuple[int, ...] = ()
    folders: tuple[Folder, ...] = ()
    kind = reader.byte()
    if kind == _PACK:
        start = reader.number()
        sizes = _pack_info(reader)
        kind = reader.byte()
    if kind == _UNPACK:
        folders = _unpack_info(reader)
        kind = reader.byte()
    if kind == _SUB:
        folders = _substreams(reader, folders)
        kind = reader.byte()
    else:
        folders = tuple(_alone(folder) for folder in folders)
    if kind:
        raise ValueError("its parts are not in their order")
    return Streams(start, sizes, folders)


def _alone(folder: Folder) -> Folder:
    return Folder(folder.coders, folder.packed, folder.size, folder.crc, ((folder.size, folder.crc),))


def _pack_info(reader: _Reader) -> tuple[int, ...]:
    count = reader.count()
    sizes: tuple[int, ...] = ()
    while (kind := reader.byte()) != 0:
        if kind == _SIZE:
            sizes = tuple(reader.number() for _ in range(count))
        elif kind == _CRC:
            reader.digests(count)
        else:
            raise ValueError("unknown in its pack info")
    return sizes


def _unpack_info(reader: _Reader) -> tuple[Folder, ...]:
    reader.expect(_FOLDER)
    count = reader.count()
    if reader.byte():
        raise ValueError("its folders are elsewhere")
    shapes = [_folder(reader) for _ in range(count)]
    reader.expect(_UNPACK_SIZE)
    sizes = [[reader.number() for _ in range(outs)][main] for _, _, outs, main in shapes]
    crcs: list[int | None] = [None] * count
    while (kind := reader.byte()) != 0:
        if kind != _CRC:
            raise ValueError("unknown in its unpack info")
        crcs = reader.digests(count)
    return tuple(
        Folder(coders, packed, size, crc)
        for (coders, packed, _, _), size, crc in zip(shapes, sizes, crcs, strict=True)
    )


def _folder(reader: _Reader) -> tuple[tuple[Coder, ...], int, int, int]:
    """Coders, packed streams, streams that come out, and which of these is the last."""
    coders, ins, outs = [], 0, 0
    count = reader.number()
    if not 0 < count <= 32:
        raise ValueError("it has a folder of too many coders")
    for _ in range(count):
        flags = reader.byte()
        method = reader.take(flags & 15)
        takes, gives = (reader.number(), reader.number()) if flags & 0x10 else (1, 1)
        properties = reader.take(reader.number()) if flags & 0x20 else b""
        if flags & 0x80 or takes > 32 or gives > 32:
            raise ValueError("it has a coder of an unknown kind")
        ins, outs = ins + takes, outs + gives
        coders.append(Coder(method, properties))
    if not outs:
        raise ValueError("it has a folder that gives nothing")
    bound = [(reader.number(), reader.number())[1] for _ in range(outs - 1)]
    packed = ins - (outs - 1)
    if packed < 1:
        raise ValueError("it has a folder without streams")
    if packed > 1:
        for _ in range(packed):
            reader.number()
    main = next((out for out in range(outs) if out not in bound), None)
    if main is None:
        raise ValueError("it has a folder that gives nothing")
    return tuple(coders), packed, outs, main


def _substreams(reader: _Reader, folders: tuple[Folder, ...]) -> tuple[Folder, ...]:
    kind = reader.byte()
    counts = [1] * len(folders)
    if kind == _COUNT:
        counts = [reader.count() for _ in folders]
        kind = reader.byte()
    if sum(counts) > FOLDERS:
        raise ValueError("it has too many parts")
    sizes = []
    for folder, count in zip(folders, counts, strict=True):
        given = [reader.number() for _ in range(count - 1)] if kind == _SIZE else []
        if count and (len(given) != count - 1 or sum(given) > folder.size):
            raise ValueError("its sizes do not add up")
        sizes.append([*given, folder.size - sum(given)] if count else [])
    if kind == _SIZE:
        kind = reader.byte()
    unknown = sum(c for folder, c in zip(folders, counts, strict=True) if c != 1 or folder.crc is None)
    crcs: list[int | None] = [None] * unknown
    while kind:
        if kind != _CRC:
            raise ValueError("unknown in its substreams")
        crcs = reader.digests(unknown)
        kind = reader.byte()
    given_crcs = iter(crcs)
    result = []
    for folder, count, parts in zip(folders, counts, sizes, strict=True):
        known = [folder.crc] if count == 1 and folder.crc is not None else [next(given_crcs) for _ in parts]
        # Parts of no bytes cannot be told from their neighbours, and need not be.
        checks = tuple((size, crc) for size, crc in zip(parts, known, strict=True) if size)
        result.append(Folder(folder.coders, folder.packed, folder.size, folder.crc, checks))
    return tuple(result)
