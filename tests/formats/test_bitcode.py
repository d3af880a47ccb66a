"""LLVM bitcode: the chain of blocks."""

import random
import struct

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.program.bitcode import FORMAT, dissect


def block(number: int, words: int) -> bytes:
    return struct.pack("<2L", 1 | number << 2 | 5 << 10, words) + random.Random(number).randbytes(4 * words)


def healthy() -> bytes:
    return b"BC\xc0\xde" + block(13, 5) + block(8, 3000) + block(23, 40)


def wrapped() -> bytes:
    body = healthy()
    return struct.pack("<5L", 0x0B17C0DE, 0, 20, len(body), 7) + body + bytes(8)


def test_healthy_bitcode() -> None:
    for data in (healthy(), healthy() * 2, healthy() + bytes(8), wrapped()):
        assert FORMAT.recognises(data[:4096])
        assert dissect(Bytes(data)).flaws == ()


def test_a_broken_chain() -> None:
    data = bytearray(healthy())
    data[4 + 28 : 4 + 36] = b"\xff" * 8
    (flaw,) = dissect(Bytes(bytes(data))).flaws
    assert (flaw.start, flaw.end, flaw.what) == (32, 40, "no block where one must begin")
    (flaw,) = dissect(Bytes(healthy()[:-4])).flaws
    assert flaw.what == "the file ends inside a block"


def test_what_is_no_bitcode() -> None:
    for bad in (b"", b"BC\xc0\xde", b"BC\xc0\xde" + b"\xff" * 20, b"\xde\xc0\x17\x0b" + b"\xff" * 20):
        assert not FORMAT.recognises(bad)
        with pytest.raises(Malformed):
            dissect(Bytes(bad))
    with pytest.raises(Malformed, match="said to be at byte 20"):
        dissect(Bytes(wrapped()[:60]))
