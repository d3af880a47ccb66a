"""RAR 4 and 5: headers by their checksums, stored members by theirs."""

import random
import struct
import zlib

import pytest

from vigie.formats.archive.rar import FORMAT, MAGIC4, MAGIC5, dissect
from vigie.formats.contract import Bytes, Malformed
from vigie.model import Kind


def vint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def block5(kind: int, fields: bytes, data: bytes = b"", extra: bytes = b"", more: int = 0) -> bytes:
    flags = bool(extra) | 2 * bool(data) | more
    body = (
        vint(kind) + vint(flags) + (vint(len(extra)) if extra else b"") + (vint(len(data)) if data else b"")
    )
    body += fields + extra
    size = vint(len(body))
    return struct.pack("<L", zlib.crc32(size + body)) + size + body + data


def file5(name: bytes, data: bytes, method: int = 0, extra: bytes = b"", crc: int | None = None) -> bytes:
    crc = zlib.crc32(data) if crc is None else crc
    fields = vint(4 | 2) + vint(len(data)) + vint(32) + struct.pack("<LL", 1, crc)
    return block5(2, fields + vint(method << 7) + vint(1) + vint(len(name)) + name, data, extra)


def content(seed: int) -> bytes:
    return random.Random(seed).randbytes(2500 + 400 * seed)


def archive5(method: int = 0) -> bytes:
    files = b"".join(file5(b"file%d.txt" % n, content(n), method) for n in range(10))
    return MAGIC5 + block5(1, vint(0)) + files + block5(5, vint(0))


def block4(kind: int, flags: int, fields: bytes, data: bytes = b"") -> bytes:
    head = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
    return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head + data


def file4(name: bytes, data: bytes, method: int = 0x30, flags: int = 0x8000) -> bytes:
    fields = struct.pack(
        "<LLBLLBBHL", len(data), len(data), 3, zlib.crc32(data), 1, 29, method, len(name), 32
    )
    high = bytes(8) if flags & 0x100 else b""
    return block4(0x74, flags, fields + high + name, data)


def archive4(method: int = 0x30) -> bytes:
    files = b"".join(file4(b"file%d.txt" % n, content(n), method) for n in range(10))
    return MAGIC4 + block4(0x73, 0, bytes(6)) + files + block4(0x7B, 0x4000, b"")


SAMPLES = {"rar5": (FORMAT, archive5(), "rar"), "rar4": (FORMAT, archive4(), "rar")}


def noise(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + random.Random(start).randbytes(length) + data[start + length :]


@pytest.mark.parametrize("data", [archive5(), archive4(), archive5(3), archive4(0x33)])
def test_headers_and_stored_members(data: bytes) -> None:
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert sum(r.what.startswith("block header file") for r in anatomy.regions) == 10
    stored = data in (archive5(), archive4())
    assert anatomy.checked > sum(map(len, map(content, range(10)))) if stored else anatomy.checked < 1000


@pytest.mark.parametrize("data", [archive5(), archive4()])
def test_a_lost_header_is_found_again(data: bytes) -> None:
    starts = [r.start for r in dissect(Bytes(data)).regions if r.what.startswith("block header file")]
    hit = noise(noise(data, starts[2], 40), starts[7], 40)
    flaws = dissect(Bytes(hit)).flaws
    assert [f.start for f in flaws] == [starts[2], starts[7]]
    assert all(f.end - f.start <= 64 for f in flaws)


@pytest.mark.parametrize("data", [archive5(), archive4()])
def test_a_hit_member_is_one_flaw(data: bytes) -> None:
    region = next(r for r in dissect(Bytes(data)).regions if r.what == "data of file6.txt")
    flaws = dissect(Bytes(noise(data, region.start + 100, 1000))).flaws
    assert [(f.start, f.end, f.checksum) for f in flaws] == [(region.start, region.end, True)]
    assert FORMAT.dissect(Bytes(data), 7000).notes[0].startswith("too long to test all of it")


def test_passwords() -> None:
    locked = MAGIC5 + block5(1, vint(0)) + file5(b"a", content(1), 0, vint(3) + vint(1) + b"xx", 5)
    anatomy = dissect(Bytes(locked + block5(5, vint(0))))
    assert anatomy.flaws == ()
    assert "encrypted by password" in anatomy.notes
    assert any(r.kind is Kind.OPAQUE for r in anatomy.regions)
    for hidden in (MAGIC5 + block5(4, bytes(20)), MAGIC4 + block4(0x73, 0x80, bytes(6))):
        anatomy = dissect(Bytes(hidden + content(4)))
        assert anatomy.flaws == ()
        assert anatomy.regions[-1].kind is Kind.OPAQUE
    old = MAGIC4 + block4(0x73, 0, bytes(6)) + file4(b"a", content(2), 0x30, 0x8004) + block4(0x7B, 0, b"")
    assert "encrypted by password" in dissect(Bytes(old)).notes


def test_old_oddities() -> None:
    comment = bytearray(block4(0x73, 2, bytes(6)))
    comment[0] ^= 1  # the checksum of a header with a comment inside covers only a part
    service = block4(0x7A, 0x8000, struct.pack("<LLBLLBBHL", 3, 3, 3, 0, 1, 29, 0x33, 3, 0) + b"CMT", b"abc")
    large = file4(b"big", content(1), 0x33, 0x8100)
    recovery = block4(0x78, 0x8000, struct.pack("<L", 20) + bytes(9), bytes(20))
    data = MAGIC4 + bytes(comment) + service + large + recovery + block4(0x7B, 0, b"") + b"tail"
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert "4 bytes behind the end mark" in anatomy.notes


def test_cut_and_lying_archives() -> None:
    for data in (archive5(), archive4()):
        region = next(r for r in dissect(Bytes(data)).regions if r.what == "data of file6.txt")
        assert "ends inside the data" in dissect(Bytes(data[: region.start + 9])).flaws[-1].what
        assert "before its end mark" in dissect(Bytes(data[: region.end])).flaws[-1].what
        assert dissect(Bytes(noise(data, region.end, len(data) - region.end))).flaws
    endless = b"\x80" * 20
    assert dissect(Bytes(MAGIC5 + bytes(4) + endless)).flaws
    body = b"\x02\x02"  # a file header without fields, and yet with a checksum
    short = struct.pack("<L", zlib.crc32(vint(len(body)) + body)) + vint(len(body)) + body
    assert dissect(Bytes(MAGIC5 + short)).flaws
    with pytest.raises(Malformed):
        dissect(Bytes(b"Rar!"))
    assert FORMAT.dissect(Bytes(MAGIC5 + random.Random(1).randbytes(100_000)), 3000).flaws
