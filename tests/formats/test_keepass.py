"""KeePass: the header by its digest, the blocks by their lengths."""

import hashlib
import random
import struct

import pytest

from vigie.formats.archive.keepass import FORMAT, dissect
from vigie.formats.contract import Bytes, Malformed
from vigie.model import Kind

NOISE = random.Random(5).randbytes(60_000)


def fields(width: str) -> bytes:
    out = b""
    for kind, value in (
        (2, NOISE[:16]),
        (3, b"\1\0\0\0"),
        (4, NOISE[16:48]),
        (7, NOISE[48:64]),
        (0, b"\r\n\r\n"),
    ):
        out += bytes([kind]) + struct.pack(width, len(value)) + value
    return out


def kdbx4() -> bytes:
    head = b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\1\0\4\0" + fields("<L")
    blocks = b""
    for start in (0, 20_000, 40_000):
        blocks += NOISE[:32] + struct.pack("<L", 20_000) + NOISE[start : start + 20_000]
    return head + hashlib.sha256(head).digest() + NOISE[:32] + blocks + NOISE[:32] + bytes(4)


SAMPLES = {"kdbx4": (FORMAT, kdbx4(), "kdbx")}


def test_version_four() -> None:
    data = kdbx4()
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.checked > 100
    (hit,) = dissect(Bytes(data[:30] + b"\xff" + data[31:])).flaws
    assert (hit.start, hit.checksum) == (12, True)
    assert dissect(Bytes(data[:-300])).flaws[0].what == "the file ends inside a block"
    assert dissect(Bytes(data[:-5])).flaws[0].what == "the file ends before its last block"
    assert "3 bytes behind" in dissect(Bytes(data + b"abc")).notes[-1]


def test_older_versions() -> None:
    three = b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\1\0\3\0" + fields("<H") + NOISE
    one = b"\x03\xd9\xa2\x9a\x65\xfb\x4b\xb5" + NOISE
    for data in (three, one):
        assert FORMAT.recognises(data)
        anatomy = dissect(Bytes(data))
        assert anatomy.flaws == ()
        assert anatomy.regions[-1].kind is Kind.OPAQUE


@pytest.mark.parametrize(
    "data",
    [
        b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5",
        b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\1\0\4\0\xff" + bytes(90),
        b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\1\0\4\0\2\xff\0\0\0abc",
        NOISE,
    ],
)
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(Malformed):
        dissect(Bytes(data))
