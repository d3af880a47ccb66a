"""Git repositories: packs, indexes and loose objects, made here as Git makes them."""

import hashlib
import random
import zlib

import pytest

from vigie.formats import Malformed
from vigie.formats.contract import Bytes
from vigie.formats.program.gitobjects import FORMATS, dissect_index, dissect_loose, dissect_pack

PACK, INDEX, LOOSE = FORMATS


def sealed(data: bytes) -> bytes:
    return data + hashlib.sha1(data).digest()


def entry(kind: int, content: bytes, base: bytes = b"") -> bytes:
    size, said = len(content) >> 4, [len(content) & 15 | kind << 4]
    while size:
        said[-1] |= 0x80
        said.append(size & 0x7F)
        size >>= 7
    return bytes(said) + base + zlib.compress(content)


def entries() -> list[bytes]:
    dice = random.Random(8)
    blobs = [b"patient %d\n" % n + dice.randbytes(40).hex().encode() * 30 for n in range(60)]
    found = [entry(3, blob) for blob in blobs]
    return [*found, entry(6, b"a delta of bytes", b"\x91\x2e"), entry(7, b"another delta", bytes(range(20)))]


def pack() -> bytes:
    found = entries()
    return sealed(b"PACK\0\0\0\2" + len(found).to_bytes(4, "big") + b"".join(found))


def index(count: int = 400) -> bytes:
    names = sorted(hashlib.sha1(b"%d" % n).digest() for n in range(count))
    fan = b"".join(sum(name[0] <= n for name in names).to_bytes(4, "big") for n in range(256))
    tables = b"".join(zlib.crc32(name).to_bytes(4, "big") for name in names) + bytes(4 * count)
    return sealed(b"\xfftOc\0\0\0\2" + fan + b"".join(names) + tables + bytes(20))


def loose() -> bytes:
    content = random.Random(9).randbytes(9000).hex().encode()
    return zlib.compress(b"blob %d\0" % len(content) + content)


def test_healthy_repositories() -> None:
    for form, data in ((PACK, pack()), (INDEX, index()), (LOOSE, loose())):
        assert [one.name for one in FORMATS if one.recognises(data[:4096])] == [form.name]
        anatomy = form.dissect(Bytes(data))
        assert (anatomy.flaws, anatomy.notes, anatomy.checked) == ((), (), len(data))
        assert form.dissect(Bytes(data), 100).notes == ("too long to test",)


def test_a_broken_object_of_a_pack_is_one_flaw() -> None:
    data = bytearray(pack())
    sizes = [len(one) for one in entries()]
    begin = 12 + sum(sizes[:20])
    data[begin + 30 : begin + 90] = random.Random(3).randbytes(60)
    flaws = dissect_pack(Bytes(bytes(data))).flaws
    assert len(flaws) == 1
    assert flaws[0].start == begin
    assert flaws[0].end <= begin + sizes[20] + sizes[21]


def test_packs_of_which_only_the_checksum_is_wrong_or_nothing_is_left() -> None:
    data = pack()
    (flaw,) = dissect_pack(Bytes(data[:-1] + bytes([data[-1] ^ 1]))).flaws
    assert (flaw.start, flaw.checksum) == (len(data) - 20, True)
    assert dissect_pack(Bytes(data[:20])).flaws[0].what == "the file ends before its checksum"
    assert "the file ends inside object" in dissect_pack(Bytes(data[:3000])).flaws[0].what
    random_tail = data[:2000] + random.Random(1).randbytes(9000)
    (flaw,) = dissect_pack(Bytes(random_tail)).flaws
    assert flaw.end == len(random_tail) - 20
    anatomy = dissect_pack(Bytes(data[:12] + b"\x80" * 4000 + data[4012:]), len(data))
    assert anatomy.flaws


def test_a_pack_that_cannot_be_tested_to_its_end() -> None:
    data = bytearray(sealed(b"PACK\0\0\0\2\0\0\0\1" + entry(3, bytes(1 << 20)) * 3 + b"?"))
    anatomy = dissect_pack(Bytes(bytes(data[:-1])), len(data))
    assert "untested from byte" in anatomy.notes[0]


def test_broken_indexes() -> None:
    data = bytearray(index())
    data[1032 + 2000 : 1032 + 3000] = random.Random(3).randbytes(1000)
    (flaw,) = dissect_index(Bytes(bytes(data))).flaws
    assert 1032 + 1980 <= flaw.start < flaw.end <= 1032 + 3020
    tail = index()[:-10] + bytes(10)
    assert dissect_index(Bytes(tail)).flaws[0].what == "the SHA-1 of the index does not match"
    assert dissect_index(Bytes(index()[:5000])).flaws[0].start == 5000
    for bad in (index()[:900], index()[:20] + b"\xff" * 4 + index()[24:]):
        with pytest.raises(Malformed):
            dissect_index(Bytes(bad))


def test_broken_loose_objects() -> None:
    data = loose()
    assert dissect_loose(Bytes(data + b"tail")).notes == ("4 bytes behind the object",)
    broken = data[:5000] + bytes(200) + data[5200:]
    assert dissect_loose(Bytes(data[:-5])).flaws[0].what == "the file ends inside its stream"
    for bad in (broken, zlib.compress(b"blob 3\0four")):
        assert dissect_loose(Bytes(bad)).flaws[0].what == "its stream breaks, or has another length"
    for bad in (b"", b"x\x9c", zlib.compress(b"not Git's"), b"x\x9c" + b"\xff" * 90, b"\x78\x00abc"):
        assert not LOOSE.recognises(bad)
        with pytest.raises(Malformed):
            dissect_loose(Bytes(bad))
    with pytest.raises(Malformed):
        dissect_pack(Bytes(b"PACK"))
