"""Java class files: constants of every tag, fields, methods, attributes."""

import struct

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.program.javaclass import FORMAT, dissect


def utf8(text: bytes) -> bytes:
    return b"\1" + struct.pack(">H", len(text)) + text


def attribute(content: bytes) -> bytes:
    return struct.pack(">HL", 1, len(content)) + content


def compiled(strings: int = 200, long: bytes = b"") -> bytes:
    texts = [utf8(b"org/vigie/practice/Patient%d" % n) for n in range(strings)]
    others = [
        b"\3" + bytes(4), b"\4" + bytes(4), b"\7\0\1", b"\x08\0\1", b"\x09\0\1\0\2", b"\x0c\0\1\0\2",
        b"\x0f\1\0\1", b"\x10\0\1", b"\x12\0\0\0\1", b"\x13\0\1",
    ]  # fmt: skip
    wide = [b"\5" + bytes(8), b"\6" + bytes(8)] * 40
    pool = [*texts, *others, *wide, *([utf8(long)] if long else [])]
    data = b"\xca\xfe\xba\xbe\0\0\0\x41" + struct.pack(">H", 1 + len(pool) + len(wide)) + b"".join(pool)
    data += struct.pack(">3H", 0x21, 1, 1) + b"\0\1\0\1"
    member = struct.pack(">3H", 1, 1, 1)
    data += b"\0\1" + member + b"\0\1" + attribute(b"\0\7")
    data += b"\0\2" + 2 * (member + b"\0\1" + attribute(bytes(range(256)) * 8))
    return data + b"\0\1" + attribute(b"\0\1")


def healthy() -> bytes:
    return compiled()


def test_healthy_classes() -> None:
    for data in (healthy(), compiled(1), compiled(3, bytes(range(1, 200)) * 3)):
        assert FORMAT.recognises(data[:4096])
        anatomy = dissect(Bytes(data))
        assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert len(anatomy.regions) == 3, "a long string and the numbers are not claimed"
    assert dissect(Bytes(healthy() + b"more")).notes == ("4 bytes behind the class",)


def test_cut_and_broken_classes() -> None:
    data = healthy()
    (flaw,) = dissect(Bytes(data[:-3])).flaws
    assert flaw.what == "the file ends inside an attribute"
    (flaw,) = dissect(Bytes(data[:-2000])).flaws
    assert "is said to be 2048 bytes long" in flaw.what
    with pytest.raises(Malformed, match="constant 2 has tag 255"):
        dissect(Bytes(data[:10] + utf8(b"a") + b"\xff" + data[15:]))
    with pytest.raises(Malformed):
        dissect(Bytes(data[:1000]))


def test_what_is_no_class() -> None:
    fat = b"\xca\xfe\xba\xbe\0\0\0\2\1\0\0\7" + bytes(20)
    for bad in (b"", healthy()[:10], fat, healthy()[:8] + b"\0\0" + healthy()[10:]):
        assert not FORMAT.recognises(bad)
        with pytest.raises(Malformed):
            dissect(Bytes(bad))
