"""Small, healthy files of each database format, made by hand after its specification."""

import random
import struct
import zlib
from collections.abc import Callable

import numpy as np

from vigie.formats.data import crc32c, postgres
from vigie.formats.data.lookup3 import lookup3

COUNT = 24
"""Pages of most files."""


def words(length: int, seed: int = 0) -> bytes:
    """Text that no kernel takes for random."""
    dice = random.Random(seed)
    text = b" ".join(
        dice.choice((b"fievre", b"toux", b"Dr. Martin", b"12/03", b"patient")) for _ in range(length // 4)
    )
    return text[:length].ljust(length)


def postgres_heap(*, count: int = COUNT, checksums: bool = True, segment: int = 0) -> bytes:
    """Pages with rows that grow from their ends."""
    pages = []
    for number in range(count):
        rows = [
            struct.pack("<18xHHB", 3, 0x0802, 24).ljust(24, b"\0") + words(360, number * 20 + n)
            for n in range(20)
        ]
        body, items = bytearray(8192), b""
        place = 8192
        for row in rows:
            place -= len(row)
            body[place : place + len(row)] = row
            items += struct.pack("<L", place | 1 << 15 | len(row) << 17)
        body[24 : 24 + len(items)] = items
        struct.pack_into(
            "<QHHHHHHL", body, 0, 0x1234567 + number, 0, 4, 24 + len(items), place, 8192, 0x2004, 0
        )
        if checksums:
            page = np.frombuffer(bytes(body), np.uint8).reshape(1, 8192)
            value = postgres.checksums(page, np.array([segment * 131072 + number]))
            body[8:10] = struct.pack("<H", int(value[0]))
        pages.append(bytes(body))
    return b"".join(pages)


def postgres_btree() -> bytes:
    """A meta page, and leaves."""
    meta = bytearray(8192)
    struct.pack_into("<QHHHHHHL", meta, 0, 99, 0, 0, 72, 8176, 8176, 0x2004, 0)
    meta[24:28] = struct.pack("<L", 0x053162)
    struct.pack_into("<H", meta, 8188, 8)
    leaf = bytearray(meta)
    leaf[24:28] = bytes(4)
    leaf[4000:8000] = words(4000)
    struct.pack_into("<H", leaf, 8188, 1)
    return bytes(meta) + bytes(leaf) * (COUNT - 1)


def postgres_wal() -> bytes:
    """A segment of 1 MiB, of which the second half is empty."""
    head = struct.pack("<HHLQL4xQLL", 0xD110, 2, 1, 5 << 20, 0, 77, 1 << 20, 8192)
    first = (head + words(8192 - len(head))).ljust(8192)
    rest = [
        struct.pack("<HHLQL4x", 0xD110, 1, 1, (5 << 20) + n * 8192, 0) + words(8192 - 24, n)
        for n in range(1, 64)
    ]
    return first + b"".join(rest) + bytes(64 * 8192)


def postgres_control() -> bytes:
    """The control file of PostgreSQL 15, whose checksum stands at 288."""
    data = struct.pack("<QLL", 7711428252037637607, 1300, 202209061).ljust(240, b"\1") + random.Random(
        1
    ).randbytes(48)
    return (data + struct.pack("<L", crc32c.prefixes(data, range(288, 289))[0])).ljust(8192, b"\0")


def number(value: int) -> bytes:
    """As pg_dump writes it."""
    return bytes([value < 0]) + abs(value).to_bytes(4, "little")


def text(value: bytes | None) -> bytes:
    """The same."""
    return number(-1) if value is None else number(len(value)) + value


def pgdump(*, minor: int = 14, compression: int = 1, entries: int = 3, kind: int = 1) -> bytes:
    """A custom archive: tables, and one set of large objects."""
    head = b"PGDMP" + bytes([1, minor, 0, 4, 8, kind])
    head += bytes([compression]) if minor >= 15 else number(compression)
    head += (
        b"".join(number(n) for n in (1, 2, 3, 4, 5, 126, 0))
        + text(b"practice")
        + text(b"15.18")
        + text(b"15.18")
    )
    head += number(entries + 1)

    def entry(index: int, offset: int, state: int) -> bytes:
        found = number(index) + number(1) + text(b"0") + text(b"0") + text(b"patient") + text(b"TABLE DATA")
        found += number(3) if minor >= 11 else b""
        found += text(b"") + text(b"") + text(b"COPY patient FROM stdin;") + text(b"public") + text(b"")
        found += text(b"heap") if minor >= 14 else b""
        found += number(0x72) if minor >= 16 else b""
        found += text(b"postgres") + text(b"false") + text(b"7") + text(None)
        return found + (bytes([state]) + offset.to_bytes(8, "little") if kind == 1 else text(b"1.dat.gz"))

    def chunks(data: bytes) -> bytes:
        data = zlib.compress(data) if compression else data
        return b"".join(
            number(len(data[at : at + 4096])) + data[at : at + 4096] for at in range(0, len(data), 4096)
        ) + number(0)

    size = len(head) + sum(len(entry(n, 0, 2)) for n in range(entries + 1))
    blocks: list[bytes] = []
    toc = b""
    for index in range(entries):
        toc += entry(index, size + sum(map(len, blocks)), 2)
        lines = b"".join(b"%d\t%s\n" % (n, random.Random(n).randbytes(8).hex().encode()) for n in range(6000))
        blocks.append(b"\1" + number(index) + chunks(lines))
    toc += entry(entries, size + sum(map(len, blocks)), 2)
    blocks.append(b"\3" + number(entries) + number(16400) + chunks(words(9000)) + number(0))
    return head + toc + (b"".join(blocks) if kind == 1 else b"")


def innodb(*, kind: str = "crc32", space: int = 7, count: int = COUNT) -> bytes:
    """A tablespace with 16 KiB pages; `kind` is its checksum: crc32, full, none, or packed (4 KiB pages)."""
    size = 4096 if kind == "packed" else 16384
    flags = {"full": 0x15, "packed": 3 << 1 | 1 | 1 << 5}.get(kind, 0x21)
    pages = []
    for index in range(count):
        lsn = 5_000_000 + index
        page = bytearray(struct.pack(">LLLLQHQL", 0, index, 0xFFFFFFFF, 0xFFFFFFFF, lsn, 17855, 0, space))
        page += words(size - 38, index)
        if not index:
            page[24:26] = b"\0\x08"
            page[38:62] = struct.pack(">LLLLLL", space, 0, count, count, flags, 0)
        if index == 5 and space:
            page = bytearray(size)
        elif kind != "packed":
            page[-4:] = page[-8:-4] = struct.pack(">L", lsn)
            row = np.frombuffer(bytes(page), np.uint8).reshape(1, size)
            if kind == "crc32":
                value = int((crc32c.rows(row[:, 4:26]) ^ crc32c.rows(row[:, 38 : size - 8]))[0])
                page[0:4] = struct.pack(">L", value)
            elif kind == "full":
                page[-4:] = struct.pack(">L", int(crc32c.rows(row[:, :-4])[0]))
        pages.append(bytes(page))
    return b"".join(pages)


def redo() -> bytes:
    """A redo log of MySQL 8."""
    head = struct.pack(">LLQ", 6, 0, 8192) + b"MySQL 8.0.36".ljust(32, b"\0")
    blocks = [head.ljust(508, b"\0"), bytes(508), bytes(508), bytes(508)]
    blocks += [struct.pack(">LHHL", n | 1 << 31, 512, 12, 1) + words(496, n) for n in range(1, 200)]
    sealed = [b + struct.pack(">L", crc32c.prefixes(b, range(508, 509))[0] if any(b) else 0) for b in blocks]
    return b"".join(sealed) + bytes(512 * 50)


def firebird(*, sealed: bool = False) -> bytes:
    """Structure 13, or with a constant for a checksum, 11."""
    pages = []
    for index in range(COUNT):
        kind = (1, 2, 4, 5, 7, 8)[min(index, 5)]
        head = struct.pack("<BBHLLL", kind, 0, 12345 if sealed else 0, index, 0, 0 if sealed else index)
        if not index:
            head += struct.pack("<HH", 8192, 0x8000 | (11 if sealed else 13))
        pages.append(head + words(8192 - len(head), index))
    return b"".join(pages)


def access(*, jet3: bool = False, key: bytes | None = None) -> bytes:
    """A header, definitions, indexes and data."""
    from vigie.formats.data.access import _NO_KEY  # noqa: PLC0415 - a constant of the layout, not of the test

    size = 2048 if jet3 else 4096
    head = b"\0\1\0\0Standard Jet DB\0" + bytes([0 if jet3 else 1, 0, 0, 0]) + words(38) + (key or _NO_KEY)
    pages = [head + words(size - len(head))]
    for index in range(1, COUNT * 2):
        start = struct.pack("<BBHL", 1 + index % 5, 1, 900, 2) + bytes(6)
        start = start[: 8 if jet3 else 12] + struct.pack("<H", 30)
        pages.append(start + words(size - len(start), index))
    return b"".join(pages)


def sqlserver(*, log: bool = False) -> bytes:
    """A file header, maps, and data; the last two pages are not in use, and hold whatever there was."""
    pages = []
    for index in range(COUNT):
        kind = (15, 11, 8, 9)[index] if index < 4 else 1
        head = struct.pack("<BBBB", 1, kind, 0, 0) + bytes(18) + struct.pack("<H", 3) + bytes(6)
        head += struct.pack("<HLH", 8000, index, 1)
        page = bytearray(head.ljust(96, b"\0") + words(8096, index))
        if index == 1:
            page[100 : 100 + 8088] = (b"\x40" * (COUNT - 2)).ljust(8088, b"\0")
        pages.append(bytes(page))
    pages[-2:] = [random.Random(4).randbytes(8192), words(8192, 9)]
    return pages[0] + words(100_000) if log else b"".join(pages)


def dbase(*, records: int = 900) -> bytes:
    """Names, dates and amounts."""
    fields = [("NAME", "C", 40), ("BORN", "D", 8), ("AMOUNT", "N", 12), ("NOTE", "C", 60)]
    record = 1 + sum(length for _, _, length in fields)
    head = struct.pack("<BBBBLHH20x", 3, 126, 3, 12, records, 32 + 32 * len(fields) + 1, record)
    for name, kind, length in fields:
        head += struct.pack("<11scLBB14x", name.encode(), kind.encode(), 0, length, 2 if kind == "N" else 0)
    rows = b"".join(
        b" " + words(40, n) + b"19700312" + b"%12.2f" % (n * 1.5) + words(60, n + 1) for n in range(records)
    )
    return head + b"\x0d" + rows + b"\x1a"


def ese() -> bytes:
    """Two headers and pages of 8 KiB."""
    head = (struct.pack("<LLLL", 1, 0x89ABCDEF, 0x620, 0).ljust(236, b"\0") + struct.pack("<L", 8192)).ljust(
        8192, b"\0"
    )
    pages = [
        struct.pack("<QQLLLHHHHL", n, n, n, n + 1, 3, 900, 0, 7000, 12, 0x2802) + words(8192 - 40, n)
        for n in range(COUNT)
    ]
    return head * 2 + b"".join(pages) + bytes(8192)


def registry(*, bins: int = 40) -> bytes:
    """A hive of bins of one or two pages."""
    place, body = 0, b""
    for index in range(bins):
        size = 8192 if index % 5 == 4 else 4096
        body += struct.pack("<4sLL20x", b"hbin", place, size) + words(size - 32, index)
        place += size
    head = struct.pack("<4sLLQLLLLLL", b"regf", 3, 3, 1, 1, 5, 0, 1, 32, place).ljust(508, b"\0")
    seal = int(np.bitwise_xor.reduce(np.frombuffer(head, "<u4")))
    return (head + struct.pack("<L", seal)).ljust(4096, b"\0") + body


def evtx(*, chunks: int = 4, stale: bool = False) -> bytes:
    """A log of so many chunks, the last one half full, and an empty one."""
    body = b""
    for number_ in range(chunks):
        records = b""
        for index in range(30 if number_ == chunks - 1 else 69):
            data = words(900, index)
            size = len(data) + 28
            records += struct.pack("<LLQQ", 0x2A2A, size, index, 1) + data + struct.pack("<L", size)
        end = 512 + len(records)
        head = struct.pack(
            "<8sQQQQLLLL", b"ElfChnk\0", 1, 60, 1, 60, 128, 512, end, 0 if stale else zlib.crc32(records)
        )
        head = head.ljust(120, b"\0")
        rest = bytes(384)
        head += struct.pack("<LL", 0, zlib.crc32(head + rest)) + rest
        body += (head + records).ljust(65536, b"\0")
    head = struct.pack("<8sQQQLHHHH", b"ElfFile\0", 0, chunks, 1, 128, 1, 3, 4096, chunks).ljust(120, b"\0")
    return (head + struct.pack("<LL", 0, zlib.crc32(head))).ljust(4096, b"\0") + body + bytes(65536)


def weak_crc(data: bytes) -> int:
    """[MS-PST] 5.3."""
    return zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def pst(*, version: int = 23, blocks: int = 50) -> bytes:
    """A Unicode file: allocation map, blocks, and a block tree of two levels."""
    size = 0x4400 + 512

    def page(kind: int, body: bytes) -> bytes:
        body = body.ljust(496, b"\0")
        return body + struct.pack("<BBHLQ", kind, kind, 0, weak_crc(body), 9)

    data, entries = b"", []
    for index in range(blocks):
        content = words(4000 + index * 8, index)
        entries.append(struct.pack("<QQHHL", 4 * index + 4, size + len(data), len(content), 2, 0))
        whole = (len(content) + 16 + 63) // 64 * 64
        trailer = struct.pack("<HHLQ", len(content), 0, weak_crc(content), 4 * index + 4)
        data += content.ljust(whole - 16, b"\0") + trailer
    leaves = [entries[at : at + 20] for at in range(0, len(entries), 20)]
    tree = b"".join(
        page(0x80, b"".join(leaf).ljust(488, b"\0") + bytes([len(leaf), 20, 24, 0])) for leaf in leaves
    )
    data += bytes(-(size + len(data)) % 512)
    first = size + len(data)
    keys = b"".join(struct.pack("<QQQ", n, n, first + 512 * n) for n in range(len(leaves)))
    root = page(0x80, keys.ljust(488, b"\0") + bytes([len(leaves), 20, 24, 1]))
    end = first + len(tree) + 512
    head = bytearray(564)
    head[:16] = struct.pack("<4sL2sHHBB", b"!BDN", 0, b"SM", version, 19, 1, 1)
    head[184:192] = struct.pack("<Q", end)
    head[240:248] = struct.pack("<Q", first + len(tree))
    head[248] = 2
    head[4:8] = struct.pack("<L", weak_crc(bytes(head[8:479])))
    return bytes(head).ljust(0x4400, b"\0") + page(0x84, b"\xff" * 400) + data + tree + root


def varint(value: int) -> bytes:
    """Of Thrift."""
    found = b""
    while value >= 0x80:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def thrift(fields: dict[int, object]) -> bytes:
    """A structure of numbers, bytes, structures, and lists of structures."""
    found, last = b"", 0
    for key, value in fields.items():
        step, last = key - last, key
        if isinstance(value, bool):
            found += bytes([step << 4 | (1 if value else 2)])
        elif isinstance(value, int):
            found += bytes([step << 4 | 5]) + varint(value << 1 ^ value >> 63)
        elif isinstance(value, bytes):
            found += bytes([step << 4 | 8]) + varint(len(value)) + value
        elif isinstance(value, dict):
            found += bytes([step << 4 | 12]) + thrift(value)
        elif isinstance(value, list):
            found += bytes([step << 4 | 9, 0xF0 | 12]) + varint(len(value)) + b"".join(map(thrift, value))
    return found + b"\0"


def parquet(*, crc: bool = True, chunks: int = 12) -> bytes:
    """Column chunks of four pages each."""
    data, columns = b"PAR1", []
    for index in range(chunks):
        start, total = len(data), 0
        for turn in range(4):
            values = words(5000, index * 4 + turn)
            head: dict[int, object] = {1: 0, 2: len(values), 3: len(values)}
            head |= {4: zlib.crc32(values) - (1 << 32 if zlib.crc32(values) >> 31 else 0)} if crc else {}
            page = thrift(head | {5: {1: 10, 2: 0, 3: 3, 4: 3}}) + values
            data, total = data + page, total + len(page)
        meta = {1: 6, 4: 0, 5: 40, 6: total, 7: total, 9: start}
        columns.append({2: start, 3: meta})
    footer = thrift({1: 1, 3: 40, 4: [{1: columns, 2: 1, 3: 40}], 6: b"made by hand"})
    return data + footer + struct.pack("<L", len(footer)) + b"PAR1"


def hdf5(*, user: int = 0, sealed: bool = False) -> bytes:
    """A group with two datasets' headers: of version 0, or of version 3 with checksums."""
    none = (1 << 64) - 1
    if sealed:
        body = bytes([1, 10, 0, 0]) + bytes(10)
        header = b"OHDR\x02\x00" + bytes([len(body)]) + body
        header += struct.pack("<L", lookup3(header))
        head = b"\x89HDF\r\n\x1a\n" + bytes([3, 8, 8, 0]) + struct.pack("<QQQQ", 0, none, 2048, 48)
        return (head + struct.pack("<L", lookup3(head)) + header).ljust(2048, b"\0")

    def messages(*found: tuple[int, bytes]) -> bytes:
        data = b"".join(struct.pack("<HHB3x", kind, len(body), 0) + body for kind, body in found)
        return struct.pack("<BBHLL4x", 1, 0, len(found), 1, len(data)) + data

    layout = messages((8, b"\3\2" + struct.pack("<BQ", 2, 1536) + bytes(13)), (0, bytes(8)))
    parts = {
        96: messages((0x11, struct.pack("<QQ", 256, 512))),
        256: struct.pack("<4sBBHQQ", b"TREE", 0, 0, 1, none, none) + struct.pack("<QQQ", 0, 640, 8),
        512: struct.pack("<4sB3xQQQ", b"HEAP", 0, 64, none, 544),
        640: struct.pack("<4sBBH", b"SNOD", 1, 0, 2)
        + struct.pack("<QQLL16x", 8, 1024, 0, 0)
        + struct.pack("<QQLL16x", 16, none, 2, 0),
        1024: layout,
        1536: struct.pack("<4sBBHQQ", b"TREE", 1, 0, 0, none, none),
    }
    data = bytearray(4096)
    head = b"\x89HDF\r\n\x1a\n" + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHL", 4, 16, 0)
    head += struct.pack("<QQQQ", 0, none, 4096, none) + struct.pack("<QQLL16x", 0, 96, 1, 0)
    data[: len(head)] = head[:96]
    for place, part in parts.items():
        data[place : place + len(part)] = part
    return (b"MATLAB 7.3 MAT-file".ljust(user) if user else b"") + bytes(data)


def matlab(*, compressed: bool = True, order: str = "<") -> bytes:
    """Some matrices."""
    head = b"MATLAB 5.0 MAT-file, made by hand".ljust(116) + bytes(8) + struct.pack(f"{order}H", 0x100)
    head += b"IM" if order == "<" else b"MI"
    for index in range(8):
        data = (
            zlib.compress(random.Random(index).randbytes(9000).hex().encode())
            if compressed
            else words(20_001, index)
        )
        head += struct.pack(f"{order}LL", 15 if compressed else 14, len(data)) + data
        head += b"" if compressed else bytes(-len(data) % 8)
    return head


def npy(*, kind: str = "'<f8'", shape: str = "(900, 9)", version: int = 1) -> bytes:
    """An array of zeros."""
    said = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + struct.pack("<H" if version == 1 else "<L", len(said))
        + said
        + bytes(64_800)
    )


def lmdb() -> bytes:
    """Two meta pages, and others."""
    meta = [
        struct.pack("<QHHL LLQQL", n, 0, 8, 0, 0xBEEFC0DE, 1, 0, 1 << 20, 4096).ljust(4096, b"\0")
        for n in (0, 1)
    ]
    return b"".join(meta) + words(40_000)


MADE: dict[str, Callable[[], bytes]] = {
    "postgres": postgres_heap,
    "postgres-wal": postgres_wal,
    "postgres-control": postgres_control,
    "pgdump": pgdump,
    "innodb": innodb,
    "innodb-log": redo,
    "mysql-frm": lambda: (b"\xfe\x01\x0a\x0c\x03\x00\x00\x10" + bytes(4088)) + words(9000),
    "myisam": lambda: (b"\xfe\xfe\x07\x01\x00\x03\x01\xa6\x00\xb0" + bytes(4088)) + words(9000),
    "aria": lambda: (b"\xfe\xfe\x09\x03\x00\x03\x01\xa6\x00\xb0" + bytes(4088)) + words(9000),
    "firebird": firebird,
    "access": access,
    "sqlserver": sqlserver,
    "dbase": dbase,
    "ese": ese,
    "registry": registry,
    "evtx": evtx,
    "pst": pst,
    "parquet": parquet,
    "hdf5": hdf5,
    "matlab": matlab,
    "npy": npy,
    "lmdb": lmdb,
    "redis": lambda: b"REDIS0011" + words(20_000) + b"\xff" + bytes(8),
    "notes": lambda: b"\x1a\0\0\x04\0\0" + words(20_000),
    "sst": lambda: b"\0\5\x10key" + bytes(300) + words(20_000) + (0x88E241B785F4CFF7).to_bytes(8, "little"),
}
"""One healthy file a format, by its name."""
