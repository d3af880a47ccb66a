"""SQLite: databases and logs that the library itself wrote."""

import random
import sqlite3
import struct
import time
from pathlib import Path

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.data import sqlite, sqlite_wal
from vigie.formats.data.sqlite_page import Layout, read, varint
from vigie.model import Kind

WORDS = " ".join(f"{n * n:x}" for n in range(9000))


def database(folder: Path, *pragmas: str, rows: int = 400) -> bytes:
    path = folder / "a.db"
    path.unlink(missing_ok=True)
    base = sqlite3.connect(path, isolation_level=None)
    for pragma in pragmas:
        base.execute(f"pragma {pragma}")
    base.execute("create table patient (id integer primary key, name text, note blob)")
    base.execute("create table code (code text primary key, label text) without rowid")
    base.execute("create index by_name on patient (name, note)")
    base.execute("create view everyone as select name from patient")
    base.execute("begin")
    for n in range(rows):
        note = WORDS[n : n + 30 + (9000 if n % 60 == 0 else 0)]
        base.execute("insert into patient (name, note) values (?, ?)", (WORDS[n * 5 : n * 5 + 12], note))
        base.execute("insert into code values (?, ?)", (str(n), WORDS[n : n + 40 + n % 900]))
    base.execute("commit")
    base.execute("delete from patient where id % 3 = 0")
    base.close()
    return path.read_bytes()


@pytest.mark.parametrize("size", [512, 1024, 4096, 16384, 65536])
@pytest.mark.parametrize("vacuum", ["none", "full", "incremental"])
def test_every_page_is_found_sound(tmp_path: Path, size: int, vacuum: str) -> None:
    data = database(tmp_path, f"page_size={size}", f"auto_vacuum={vacuum}")
    assert sqlite.FORMAT.recognises(data[:4096])
    anatomy = sqlite.dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert len(anatomy.regions) > 5
    assert {r.kind for r in anatomy.regions} == {Kind.STRUCTURED, Kind.CODED}


def test_the_flaw_is_the_page_that_was_hit(tmp_path: Path) -> None:
    data = database(tmp_path, "page_size=4096")
    tables = [r.start for r in sqlite.dissect(Bytes(data)).regions if r.start >= 4096]
    for start in tables[:20]:
        hit = data[:start] + random.Random(start).randbytes(4096) + data[start + 4096 :]
        flaws = sqlite.dissect(Bytes(hit)).flaws
        assert any(f.start <= start and f.end >= start + 4096 for f in flaws)


def test_cut_and_grown_files(tmp_path: Path) -> None:
    data = database(tmp_path)
    for place in (len(data) - 1, len(data) - 4096, 5000, 150):
        assert sqlite.dissect(Bytes(data[:place])).flaws
    grown = sqlite.dissect(Bytes(data + bytes(4096)))
    assert grown.flaws == ()
    assert grown.notes == ("1 pages belong to no table",)


@pytest.mark.parametrize(
    ("offset", "patch"), [(0, b"X"), (16, b"\x00\x03"), (18, b"\x07"), (20, b"\xff"), (21, b"\x41")]
)
def test_impossible_headers(tmp_path: Path, offset: int, patch: bytes) -> None:
    data = bytearray(database(tmp_path, "page_size=512", rows=3))
    data[offset : offset + len(patch)] = patch
    assert not sqlite.FORMAT.recognises(bytes(data[:4096]))
    with pytest.raises(Malformed):
        sqlite.dissect(Bytes(bytes(data)))


def page(
    kind: int = 13, free: int = 0, cells: tuple[int, ...] = (), content: int = 900, tail: bytes = b""
) -> bytes:
    head = struct.pack(">BHHHB", kind, free, len(cells), content, 0)
    head += struct.pack(">L", 2) if kind < 10 else b""
    return (head + struct.pack(f">{len(cells)}H", *cells)).ljust(1024 - len(tail), b"\0") + tail


LAYOUT = Layout(1024, 1024, 50)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (page(kind=7), "no b-tree page"),
        (page(content=2000), "content from"),
        (page(cells=(901, 1022)), "leads out of the page"),
        (page(cells=(899,)), "leads out of the page"),
        (page(cells=(950, 950)), "two cells"),
        (page(free=1022), "a freeblock outside"),
        (page(free=1000), "an impossible freeblock"),
        (page(cells=(1019,), tail=b"\x40\x01\x02\x03\x04"), "a cell reaches out"),
        (page(cells=(1018,), tail=b"\xff\xff\x03\x01\x01\x01"), "a cell reaches out"),
        (page(cells=(900,), tail=b"\xff\xff\xff\x7f\x01" + bytes(119)), "a cell longer than the file"),
        (page()[:500], "cut off"),
    ],
)
def test_impossible_pages(data: bytes, fault: str) -> None:
    found = read(data, 2, LAYOUT)
    assert isinstance(found, str)
    assert fault in found


def test_possible_pages() -> None:
    found = read(page(kind=5, cells=(1016,), tail=struct.pack(">L", 9) + b"\x05\0\0\0"), 2, LAYOUT)
    assert not isinstance(found, str)
    assert found.children == (9, 2)
    assert found.roots() == []
    assert varint(b"\xff" * 9, 0) == ((1 << 64) - 1, 9)
    assert varint(b"\x81\x00", 0) == (128, 2)


def patched(data: bytes, offset: int, value: int) -> bytes:
    return data[:offset] + struct.pack(">L", value) + data[offset + 4 :]


def test_lists_that_lead_nowhere(tmp_path: Path) -> None:
    data = database(tmp_path, "page_size=1024")
    trunk = int.from_bytes(data[32:36], "big")
    assert trunk
    start = (trunk - 1) * 1024
    for broken in (
        patched(data, 32, 999_999),
        patched(data, start, trunk),
        patched(data, start + 4, 0xFFFFFF),
        patched(data, start + 8, 0xFFFFFF),
    ):
        assert sqlite.dissect(Bytes(broken)).flaws


def test_overflow_chains(tmp_path: Path) -> None:
    base = sqlite3.connect(tmp_path / "b.db")
    base.execute("pragma page_size=1024")
    base.execute("create table t (x blob)")
    base.execute("insert into t values (?)", (b"\x01" * 10_000,))
    base.commit()
    base.close()
    data = (tmp_path / "b.db").read_bytes()
    assert sqlite.dissect(Bytes(data)).flaws == ()
    # Page 3 is the first overflow page: its first four bytes are the next one's number.
    for value in (0, 999_999):
        assert sqlite.dissect(Bytes(patched(data, 2048, value))).flaws
    last = next(at for at in range(2048, len(data), 1024) if data[at : at + 4] == bytes(4))
    assert sqlite.dissect(Bytes(patched(data, last, 3))).flaws


def test_a_child_that_is_not_there_and_a_pointer_map_of_noise(tmp_path: Path) -> None:
    data = database(tmp_path, "page_size=1024", "auto_vacuum=full")
    hit = data[:1024] + random.Random(1).randbytes(1024) + data[2048:]
    assert any("pointer map" in f.what for f in sqlite.dissect(Bytes(hit)).flaws)
    interior = next(at for at in range(2048, len(data), 1024) if data[at] == 5)
    assert any(
        "child page" in f.what for f in sqlite.dissect(Bytes(patched(data, interior + 8, 99_999))).flaws
    )


def test_a_large_database_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "DECODED", 20 * 4096)
    anatomy = sqlite.dissect(Bytes(database(tmp_path)))
    assert anatomy.flaws == ()
    assert anatomy.notes == ("too large to look at every page through its table",)


@pytest.mark.parametrize("vacuum", ["none", "full"])
def test_what_no_table_led_to_is_looked_at_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vacuum: str
) -> None:
    monkeypatch.setattr(sqlite, "DECODED", 20 * 4096)
    data = database(tmp_path, "page_size=4096", f"auto_vacuum={vacuum}", rows=2000)
    assert sqlite.dissect(Bytes(data)).flaws == ()
    start = len(data) // 8192 * 4096
    hit = data[:start] + random.Random(1).randbytes(4096) + data[start + 4096 :]
    (flaw,) = sqlite.dissect(Bytes(hit)).flaws
    assert (flaw.start, flaw.end) == (start, start + 4096)
    hurried = sqlite.dissect(Bytes(data * 20), 1 << 20)
    assert hurried.notes[-1].startswith("looked at 128 of")


def test_a_database_of_some_size_is_quick(tmp_path: Path) -> None:
    data = database(tmp_path, rows=9000)
    begun = time.perf_counter()
    sqlite.dissect(Bytes(data))
    assert time.perf_counter() - begun < 1


def log(folder: Path, size: int = 4096) -> bytes:
    base = sqlite3.connect(folder / "w.db", isolation_level=None)
    base.execute(f"pragma page_size={size}")
    base.execute("pragma journal_mode=wal")
    base.execute("pragma wal_autocheckpoint=0")
    base.execute("create table t (x text)")
    for n in range(10):
        base.execute("insert into t values (?)", (WORDS[n : n + 3000],))
    data = (folder / "w.db-wal").read_bytes()
    base.close()
    return data


@pytest.mark.parametrize("size", [512, 4096, 65536])
def test_the_checksum_of_every_frame_holds(tmp_path: Path, size: int) -> None:
    data = log(tmp_path, size)
    assert sqlite_wal.FORMAT.recognises(data[:4096])
    anatomy = sqlite_wal.dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert anatomy.checked == len(data) - 32


def naive(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    """The checksum as section 4.2 writes it."""
    s0, s1 = start
    words = struct.unpack(f"{order}{len(data) // 4}L", data)
    for x0, x1 in zip(words[::2], words[1::2], strict=True):
        s0 = (s0 + x0 + s1) & 0xFFFFFFFF
        s1 = (s1 + x1 + s0) & 0xFFFFFFFF
    return s0, s1


@pytest.mark.parametrize("length", [8, 24, 520, 4104])
@pytest.mark.parametrize(("magic", "order"), [(b"\x37\x7f\x06\x82", "<"), (b"\x37\x7f\x06\x83", ">")])
def test_the_checksum_equals_its_naive_twin(length: int, magic: bytes, order: str) -> None:
    chooser = random.Random(length)
    data = chooser.randbytes(length)
    start = chooser.getrandbits(32), chooser.getrandbits(32)
    assert sqlite_wal.Checksum.of(magic, length)(data, start) == naive(data, start, order)


def test_the_flaw_is_the_frame_that_was_hit(tmp_path: Path) -> None:
    data = log(tmp_path)
    start = 32 + 4 * 4120
    inside = data[: start + 500] + random.Random(1).randbytes(900) + data[start + 1400 :]
    (flaw,) = sqlite_wal.dissect(Bytes(inside)).flaws
    assert (flaw.start, flaw.end, flaw.checksum) == (start, start + 4120, True)
    over = data[:start] + random.Random(1).randbytes(900) + data[start + 900 :]
    assert sqlite_wal.dissect(Bytes(over)).flaws[0].start == start
    header = data[:20] + b"\xff\xff" + data[22:]
    assert sqlite_wal.dissect(Bytes(header)).flaws[0].end == 32


def test_very_many_broken_frames_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_wal, "FLAWS", 2)
    data = bytearray(log(tmp_path))
    for start in range(32, len(data), 4120):
        data[start + 900] ^= 1
    flaws = sqlite_wal.dissect(Bytes(bytes(data))).flaws
    assert len(flaws) == 2
    assert flaws[-1].end == len(data)


def test_random_bytes_behind_kept_frames(tmp_path: Path) -> None:
    data = log(tmp_path)
    start = 32 + 2 * 4120
    hit = data[:start] + random.Random(1).randbytes(len(data) - start)
    # A frame of an earlier round, overwritten, is nobody's any more; which are, the salt of the day decides.
    flawed = sum(f.end - f.start for f in sqlite_wal.dissect(Bytes(hit)).flaws)
    assert 0.8 * (len(data) - start) < flawed <= len(data) - start
    zero = data + bytes(3 * 4120)
    assert sqlite_wal.dissect(Bytes(zero)).flaws == ()


def test_random_bytes_behind_kept_pages(tmp_path: Path) -> None:
    data = database(tmp_path, "page_size=4096")
    hit = data[:8192] + random.Random(1).randbytes(len(data) - 8192)
    flaws = sqlite.dissect(Bytes(hit)).flaws
    assert sum(f.end - f.start for f in flaws) > 0.98 * (len(data) - 8192)


def test_a_stale_tail_is_normal(tmp_path: Path) -> None:
    data = log(tmp_path)
    stale = bytearray(data[32 : 32 + 3 * 4120])
    for start in range(0, len(stale), 4120):
        stale[start + 8] ^= 0xFF
    anatomy = sqlite_wal.dissect(Bytes(data + bytes(stale)))
    assert anatomy.flaws == ()
    assert anatomy.notes == (f"{len(stale)} bytes behind the last frame of this run",)
    assert anatomy.regions[-1].kind is Kind.OPAQUE
    with pytest.raises(Malformed):
        sqlite_wal.dissect(Bytes(b"\x37\x7f\x06\x82" + bytes(40)))


def test_pages_behind_a_header_that_was_spared_are_flawed_by_themselves(tmp_path: Path) -> None:
    data = database(tmp_path)
    struck = data[:512] + random.Random(1).randbytes(len(data) - 512)
    flaws = sqlite.dissect(Bytes(struck)).flaws
    assert [(flaw.start, flaw.end) for flaw in flaws[:1]] == [(0, 4096)]
    assert max(flaw.end - flaw.start for flaw in flaws[1:]) > len(data) / 2
