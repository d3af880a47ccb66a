"""LUKS: both headers of version 2 by their checksum."""

import hashlib
import json
import random
import struct

import pytest

from vigie.formats.archive.luks import FORMAT, dissect
from vigie.formats.contract import Bytes, Malformed
from vigie.model import Kind

NOISE = random.Random(5).randbytes(40_000)
SIZE = 16384


def header(magic: bytes, checksum: bytes = b"sha256") -> bytes:
    head = struct.pack(">6sHQQ48s32s64s40s", magic, 2, SIZE, 3, b"disk", checksum, NOISE[:64], b"1234-5678")
    area = json.dumps({"keyslots": {"0": {"type": "luks2"}}}).encode()
    data = head.ljust(4096, b"\0") + area.ljust(SIZE - 4096, b"\0")
    return data[:448] + hashlib.sha256(data).digest() + data[480:]


def luks2() -> bytes:
    return header(b"LUKS\xba\xbe") + header(b"SKUL\xba\xbe") + NOISE


SAMPLES = {"luks2": (FORMAT, luks2(), "luks")}


def test_both_headers() -> None:
    data = luks2()
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.checked == 2 * SIZE
    assert anatomy.regions[-1].kind is Kind.OPAQUE
    (first,) = dissect(Bytes(data[:5000] + b"x" + data[5001:])).flaws
    assert (first.start, first.end, first.checksum) == (0, SIZE, True)
    (second,) = dissect(Bytes(data[:SIZE] + NOISE[:200] + data[SIZE + 200 :])).flaws
    assert second.start == SIZE
    assert dissect(Bytes(data[: SIZE + 9])).flaws[0].what == "the file ends inside a header"
    other = header(b"LUKS\xba\xbe", b"whirlpool") + header(b"SKUL\xba\xbe", b"whirlpool")
    assert "is not tested" in dissect(Bytes(other)).notes[-1]


def test_version_one() -> None:
    head = struct.pack(
        ">6sH32s32s32sLL20s", b"LUKS\xba\xbe", 1, b"aes", b"xts-plain64", b"sha256", 4096, 64, b""
    )
    anatomy = dissect(Bytes(head.ljust(592, b"\0") + NOISE))
    assert anatomy.flaws == ()
    assert [r.kind for r in anatomy.regions] == [Kind.STRUCTURED, Kind.OPAQUE]


def test_what_is_none() -> None:
    for data in (NOISE, b"LUKS\xba\xbe\0\2" + NOISE):
        with pytest.raises(Malformed):
            dissect(Bytes(data))
