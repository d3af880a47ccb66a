"""WebAssembly: the chain of sections."""

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.program.wasm import FORMAT, dissect


def section(kind: int, content: bytes) -> bytes:
    length, said = len(content), b""
    while length > 0x7F:
        said, length = said + bytes([length & 0x7F | 0x80]), length >> 7
    return bytes([kind]) + said + bytes([length]) + content


def healthy() -> bytes:
    return (
        b"\0asm\1\0\0\0"
        + section(1, b"\1\x60\0\0")
        + section(10, bytes(range(256)) * 40)
        + section(0, b"\4name")
    )


def test_healthy_modules() -> None:
    for data in (healthy(), healthy()[:8], b"\0asm\x0d\0\1\0" + section(0, b"component")):
        assert FORMAT.recognises(data)
        assert dissect(Bytes(data)).flaws == ()


def test_cut_and_broken_modules() -> None:
    data = healthy()
    assert "said to be 10240 bytes long" in dissect(Bytes(data[:-9])).flaws[0].what
    assert dissect(Bytes(data[:9])).flaws[0].what == "the file ends inside a length"
    (flaw,) = dissect(Bytes(data[:14] + b"\xfe\x02" + data[16:])).flaws
    assert (flaw.start, flaw.end, flaw.what) == (14, 78, "section number 254")
    assert dissect(Bytes(data[:9] + b"\xff" * 40)).flaws
    with pytest.raises(Malformed):
        dissect(Bytes(data[:7]))
