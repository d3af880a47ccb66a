"""gzip: members, their checksums, what may follow them."""

import gzip
import io
import random
import struct
import time
import zlib

import pytest

from vigie.formats.archive.gzip import FORMAT, dissect
from vigie.formats.contract import Bytes, Malformed
from vigie.model import Kind

TEXT = " ".join(f"{n * n:x}" for n in range(20000)).encode()


def raw() -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(TEXT) + engine.flush() + struct.pack("<II", zlib.crc32(TEXT), len(TEXT))


def test_members_one_behind_the_other() -> None:
    data = gzip.compress(TEXT) + gzip.compress(b"") + gzip.compress(TEXT)
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert len([r for r in anatomy.regions if r.kind is Kind.CODED]) == 3


def test_every_optional_field_of_the_header() -> None:
    head = b"\x1f\x8b\x08\x1e" + bytes(6) + b"\x04\x00abcd" + b"name\0" + b"comment\0" + b"\x12\x34"
    anatomy = dissect(Bytes(head + raw()))
    assert anatomy.flaws == ()
    assert anatomy.regions[0].end == len(head)


@pytest.mark.parametrize(
    ("tail", "notes"), [(bytes(3000), ()), (b"\0signature", ("10 bytes behind the last member",))]
)
def test_what_follows_the_last_member(tail: bytes, notes: tuple[str, ...]) -> None:
    anatomy = dissect(Bytes(gzip.compress(TEXT) + tail))
    assert anatomy.flaws == ()
    assert anatomy.notes == notes
    assert anatomy.regions[-1].kind is (Kind.OPAQUE if notes else Kind.STRUCTURED)


def test_a_wrong_checksum_is_the_members_flaw() -> None:
    first, second = gzip.compress(TEXT), gzip.compress(TEXT)
    data = first[:-8] + b"\0\0\0\0" + first[-4:] + second
    (flaw,) = dissect(Bytes(data)).flaws
    assert (flaw.start, flaw.end, flaw.checksum) == (10, len(first), True)


def test_a_broken_stream() -> None:
    data = bytearray(gzip.compress(TEXT))
    data[30000:34096] = random.Random(1).randbytes(4096)
    (flaw,) = dissect(Bytes(bytes(data))).flaws
    assert flaw.start < 34096
    assert 34096 <= flaw.end < len(data), "the next block is found"


def test_cut_files() -> None:
    data = gzip.compress(TEXT)
    assert [f.what for f in dissect(Bytes(data[:-3])).flaws] == ["the file ends inside a gzip trailer"]
    assert [f.what for f in dissect(Bytes(data[:900])).flaws] == ["the file ends inside a deflate stream"]
    second = b"\x1f\x8b\x08\x08" + bytes(6) + b"name without end"
    assert [f.what for f in dissect(Bytes(data + second)).flaws] == ["the file name has no end"]
    for short in (b"", data[:9], second, b"\x1f\x8b\x08\x04" + bytes(6) + b"\xff\xff"):
        with pytest.raises(Malformed):
            dissect(Bytes(short))


def test_reserved_flags_are_not_gzip() -> None:
    assert not FORMAT.recognises(b"\x1f\x8b\x08\x20" + bytes(20))
    with pytest.raises(Malformed):
        dissect(Bytes(b"\x1f\x8b\x08\x20" + bytes(20)))


def test_a_bomb_is_put_down() -> None:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as target:
        for _ in range(300):
            target.write(bytes(1 << 20))
    begun = time.monotonic()
    anatomy = dissect(Bytes(out.getvalue()))
    assert time.monotonic() - begun < 4
    assert anatomy.flaws == ()
    assert anatomy.notes[0].startswith("too long to test all of it")


def strike(data: bytes, *spans: tuple[int, int]) -> bytes:
    out = bytearray(data)
    for start, end in spans:
        out[start:end] = random.Random(start).randbytes(end - start)
    return bytes(out)


def test_places_far_apart_are_flaws_of_their_own() -> None:
    chooser = random.Random(8)
    data = gzip.compress(
        b" ".join(b"%x" % chooser.getrandbits(chooser.randrange(1, 40)) for _ in range(200_000))
    )
    spans = ((60_000, 92_768), (400_000, 432_768))
    flaws = dissect(Bytes(strike(data, *spans))).flaws
    assert len(flaws) == 2
    for (start, end), flaw in zip(spans, flaws, strict=True):
        assert flaw.start < end
        assert end <= flaw.end < end + 60_000
        assert flaw.start > start - 20_000


def test_a_stream_that_is_random_to_its_end() -> None:
    data = gzip.compress(TEXT)
    (flaw,) = dissect(Bytes(strike(data, (5000, len(data))))).flaws
    assert flaw.end == len(data)


def test_members_behind_a_broken_one() -> None:
    one = gzip.compress(TEXT)
    size = len(one)
    flaws = dissect(Bytes(strike(one, (100, size)) + one)).flaws
    assert [(f.start, f.end) for f in flaws] in ([(0, size)], [(18, size)], [(10, size)])
    flaws = dissect(Bytes(one + strike(one, (0, size)) + one)).flaws
    assert [(f.start, f.end) for f in flaws] == [(size, 2 * size)]


def bgzf(text: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = packer.compress(text) + packer.flush()
    head = b"\x1f\x8b\x08\x04" + bytes(5) + b"\xff\6\0BC\2\0" + struct.pack("<H", len(body) + 25)
    return head + body + struct.pack("<LL", zlib.crc32(text), len(text))


def test_the_blocks_of_genomics_files() -> None:
    blocks = [bgzf(TEXT[n * 20000 : n * 20000 + 20000]) for n in range(5)]
    data = b"".join(blocks)
    assert dissect(Bytes(data)).flaws == ()
    begin = len(blocks[0])
    end = begin + len(blocks[1])
    flaws = dissect(Bytes(strike(data, (begin + 200, end - 200)))).flaws
    assert [(f.start, f.end) for f in flaws] == [(begin + 18, end)]


def test_an_effort_that_ends() -> None:
    data = gzip.compress(TEXT)
    assert dissect(Bytes(data), 20_000).notes[0].startswith("too long to test all of it")
    tail = dissect(Bytes(data + bytes(4 << 20)), 300_000)
    assert tail.flaws == ()
    assert tail.notes
