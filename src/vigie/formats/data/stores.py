"""Stores of which little is public, or whose pages may be stale: known by header and end, else opaque."""

from collections.abc import Callable

from vigie.formats.contract import EFFORT, Dissect, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_SST = {
    (0xDB4775248B80FB57).to_bytes(8, "little"): "LevelDB",
    (0x88E241B785F4CFF7).to_bytes(8, "little"): "RocksDB",
    (0x8242229663BF9564).to_bytes(8, "little"): "RocksDB, plain",
}


def _lmdb(head: bytes) -> bool:
    """A meta page: its header (flag 8), then magic and version (mdb.c, MDB_meta)."""
    return head[:8] == bytes(8) and head[10:12] == b"\x08\0" and head[16:24] == b"\xde\xc0\xef\xbe\1\0\0\0"


def _redis(head: bytes) -> bool:
    """REDIS or VALKEY, and a version in digits (rdb.c)."""
    return (head[:5] == b"REDIS" and head[5:9].isdigit()) or (head[:6] == b"VALKEY" and head[6:9].isdigit())


def _notes(head: bytes) -> bool:
    """A Notes database: 1A 00, the size of its header (1,024), and a database header behind (libnsfdb)."""
    return head[:6] == b"\x1a\0\0\x04\0\0" and len(head) > 1024


def _tail_of_redis(blob: Blob) -> str:
    """Since version 5: an end mark, and eight bytes of checksum."""
    version = blob.at(5, 4)
    if not version.isdigit() or int(version) < 5:
        return ""
    return "" if blob.at(blob.size - 9, 1) == b"\xff" else "no end mark before the checksum"


def _tail_of_table(blob: Blob) -> str:
    """A sorted table ends in a magic number (table/format.h)."""
    return "" if blob.at(blob.size - 8, 8) in _SST else "no magic number of a sorted table at the end"


def _pages_of_lmdb(blob: Blob) -> str:
    """Page 1 is the other meta page; the size of pages is told by page 0."""
    size = int.from_bytes(blob.at(40, 4), "little")
    if size not in (1024, 2048, 4096, 8192, 16384, 32768, 65536):
        return "an impossible size of pages"
    return "" if blob.at(size + 16, 4) == b"\xde\xc0\xef\xbe" else "no second meta page"


def _dissect(
    name: str, recognises: Callable[[bytes], bool], length: int, fault: Callable[[Blob], str] | None
) -> Dissect:
    def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
        if not recognises(blob.at(0, 4096)):
            raise Malformed(0, f"no header of {name}")
        what = fault(blob) if fault else ""
        flaws = (Flaw(blob.size, blob.size, what),) if what else ()
        header = Region(0, min(length, blob.size), Kind.STRUCTURED, "header")
        return Anatomy(name, (header,), flaws)

    return dissect


def _table(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """A sorted table of LevelDB or RocksDB: it has no header, and its end is known.

    Raises:
        Malformed: it does not end as one.
        Unreadable: the blob cannot be read.
    """
    what = _tail_of_table(blob)
    if what or blob.size < 48:
        raise Malformed(max(0, blob.size - 8), what or "shorter than its footer")
    return Anatomy("sst", (Region(0, blob.size, Kind.OPAQUE, "blocks"),))


FORMATS = (
    Format(
        "lmdb", "LMDB database", "mdb.c, MDB_meta", (), _lmdb, _dissect("lmdb", _lmdb, 64, _pages_of_lmdb)
    ),
    Format(
        name="redis",
        title="Redis snapshot",
        specification="Redis rdb.c",
        suffixes=(),
        recognises=_redis,
        dissect=_dissect("redis", _redis, 9, _tail_of_redis),
        weak_suffixes=("rdb",),
    ),
    Format(
        name="notes",
        title="Notes database",
        specification="libnsfdb, Notes Storage Facility (NSF) database file format",
        suffixes=(),
        recognises=_notes,
        dissect=_dissect("notes", _notes, 64, None),
        weak_suffixes=("nsf", "ntf"),
    ),
    Format(
        name="sst",
        title="sorted table of LevelDB or RocksDB",
        specification="LevelDB table_format.md; RocksDB table/format.cc",
        suffixes=(),
        recognises=lambda _: False,
        dissect=_table,
        weak_suffixes=("ldb", "sst"),
    ),
)
