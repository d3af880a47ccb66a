"""Disks of virtual machines: headers and tables."""

import random
import struct

import pytest

from vigie.formats.archive.disk import FORMATS, vhd_checksum
from vigie.formats.contract import Bytes, Malformed
from vigie.model import Charset

BY_NAME = {one.name: one for one in FORMATS}
DATA = random.Random(3).randbytes(40_000)


def qcow2(crypt: int = 0) -> bytes:
    bits, cluster = 12, 4096
    head = struct.pack(
        ">4sLQLLQLLQQLLQ", b"QFI\xfb", 3, 0, 0, bits, 1 << 24, crypt, 512, 2 * cluster, cluster, 1, 0, 0
    )
    head += struct.pack(">QQQLL", 0, 0, 0, 4, 104)
    counts = struct.pack(">Q", 3 * cluster)
    l1 = struct.pack(">Q", 4 * cluster | 1 << 63)
    return (head.ljust(cluster, b"\0") + counts.ljust(cluster, b"\0") + l1.ljust(cluster, b"\0")).ljust(
        5 * cluster, b"\0"
    ) + DATA


def signed(block: bytes, place: int) -> bytes:
    value = ~sum(block) & 0xFFFFFFFF
    return block[:place] + struct.pack(">L", value) + block[place + 4 :]


def footer(kind: int, offset: int) -> bytes:
    head = struct.pack(
        ">8sLLQL4sL4sQQLL", b"conectix", 2, 65536, offset, 1, b"vbox", 1, b"Wi2k", 40000, 40000, 1, kind
    )
    return signed(head.ljust(512, b"\0"), 64)


def vhd(kind: int = 3) -> bytes:
    if kind == 2:
        return DATA[:39936] + footer(2, 0xFFFFFFFFFFFFFFFF)
    head = struct.pack(">8sQQLLL", b"cxsparse", 0xFFFFFFFFFFFFFFFF, 1536, 65536, 64, 1 << 21)
    table = struct.pack(">L", 5).ljust(512, b"\xff")
    return footer(3, 512) + signed(head.ljust(1024, b"\0"), 36) + table + DATA + footer(3, 512)


def vhdx() -> bytes:
    out = bytearray(5 * 65536)
    for start, magic in (
        (0, b"vhdxfile"),
        (65536, b"head"),
        (131072, b"head"),
        (196608, b"regi"),
        (262144, b"regi"),
    ):
        out[start : start + len(magic)] = magic
    return bytes(out) + DATA


def vdi(blocks: int = 64) -> bytes:
    head = bytearray(512)
    head[:40] = b"<<< Oracle VM VirtualBox Disk Image >>>\n"
    head[64:72] = b"\x7f\x10\xda\xbe\1\0\1\0"
    struct.pack_into("<LL", head, 340, 512, 1024)
    struct.pack_into("<LL", head, 384, blocks, 2)
    table = struct.pack("<LL", 0, 1).ljust(4 * blocks, b"\xff")
    return (bytes(head) + table).ljust(1024, b"\0") + DATA


DESCRIPTOR = b'# Disk DescriptorFile\nversion=1\nCID=fffffffe\ncreateType="monolithicSparse"\n'


def vmdk() -> bytes:
    head = struct.pack("<4sLLQQQQLQQQB4s", b"KDMV", 1, 3, 80, 128, 1, 20, 512, 21, 26, 128, 0, b"\n \r\n")
    return head.ljust(512, b"\0") + DESCRIPTOR.ljust(10240, b"\0") + DATA


SAMPLES = {
    "qcow2": (BY_NAME["qcow2"], qcow2(), "qcow2"),
    "vhd": (BY_NAME["vhd"], vhd(), "vhd"),
    "vhdx": (BY_NAME["vhdx"], vhdx(), "vhdx"),
    "vdi": (BY_NAME["vdi"], vdi(), "vdi"),
    "vmdk": (BY_NAME["vmdk"], vmdk(), "vmdk"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_each_kind_is_known(name: str) -> None:
    form, data, _ = SAMPLES[name]
    assert [one.name for one in FORMATS if one.recognises(data[:4096])] == [name]
    anatomy = form.dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert anatomy.regions[0].start == 0
    with pytest.raises(Malformed):
        form.dissect(Bytes(DATA))


def struck(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + random.Random(start).randbytes(length) + data[start + length :]


@pytest.mark.parametrize(
    ("name", "start", "length", "words"),
    [
        ("qcow2", 4096, 64, "an entry of the reference count table leads nowhere"),
        ("qcow2", 8192, 64, "an entry of the L1 table leads nowhere"),
        ("vhd", 520, 500, "the checksum of the dynamic disk header does not match"),
        ("vhd", 100, 200, "the copy of the footer does not match"),
        ("vhdx", 65536, 4096, "no header where one should be"),
        ("vhdx", 196608, 4096, "no region table where one should be"),
        ("vdi", 600, 60, "an entry of the block map leads nowhere"),
        ("vmdk", 512, 64, "no descriptor where one should be"),
        ("vmdk", 73, 4, "the line ends were changed: it was sent as text"),
    ],
)
def test_a_struck_table(name: str, start: int, length: int, words: str) -> None:
    form, data, _ = SAMPLES[name]
    flaws = form.dissect(Bytes(struck(data, start, length))).flaws
    assert [f.what for f in flaws] == [words]
    assert start - 512 <= flaws[0].start <= start + length


def test_footers() -> None:
    form = BY_NAME["vhd"]
    assert vhd_checksum(footer(2, 0), 64)
    fixed = vhd(2)
    assert not form.recognises(fixed[:4096])
    assert [r.what for r in form.dissect(Bytes(fixed)).regions] == ["footer"]
    data = vhd()
    (flaw,) = form.dissect(Bytes(struck(data, len(data) - 512, 512))).flaws
    assert (flaw.start, flaw.what) == (len(data), "no footer at the end")
    (flaw,) = form.dissect(Bytes(struck(data, len(data) - 400, 400))).flaws
    assert (flaw.start, flaw.end, flaw.checksum) == (len(data) - 512, len(data), True)


def test_odd_disks() -> None:
    assert "encrypted on purpose" in BY_NAME["qcow2"].dissect(Bytes(qcow2(1))).notes[0]
    wide = bytearray(qcow2())
    wide[20:24] = struct.pack(">L", 40)
    with pytest.raises(Malformed):
        BY_NAME["qcow2"].dissect(Bytes(bytes(wide)))
    assert "ends before its" in BY_NAME["qcow2"].dissect(Bytes(qcow2()[:6000])).flaws[0].what
    assert "ends before its" in BY_NAME["vhdx"].dissect(Bytes(vhdx()[:100_000])).flaws[0].what
    nowhere = bytearray(vdi())
    struct.pack_into("<L", nowhere, 340, 7)
    with pytest.raises(Malformed):
        BY_NAME["vdi"].dissect(Bytes(bytes(nowhere)))
    text = BY_NAME["vmdk"].dissect(Bytes(DESCRIPTOR))
    assert text.regions[0].charset is Charset.UTF8
    assert BY_NAME["vmdk"].dissect(Bytes(b"COWD\1\0\0\0" + bytes(2000))).flaws == ()
