"""Archives and images that are only named: by strict heads, and nothing in them is judged."""

import random
import struct
import zlib

import pytest

from vigie.formats.archive.named import FORMATS
from vigie.formats.contract import Bytes, Malformed
from vigie.model import Charset, Kind

BY_NAME = {one.name: one for one in FORMATS}
DATA = random.Random(4).randbytes(20_000)


def lha() -> bytes:
    body = b"-lh5-" + struct.pack("<LLL", 100, 200, 0) + b"\x20\0" + b"\5a.txt" + b"\0\0"
    return bytes([len(body), sum(body) & 0xFF]) + body + DATA


def arj() -> bytes:
    body = bytes([30, 11, 1, 0, 0, 0, 2]) + bytes(23) + b"a.arj\0\0"
    return b"\x60\xea" + struct.pack("<H", len(body)) + body + struct.pack("<L", zlib.crc32(body)) + DATA


def squashfs() -> bytes:
    head = struct.pack("<4sLLLLHHHHHHQQ", b"hsqs", 10, 0, 131072, 1, 1, 17, 0, 1, 4, 0, 0, 20_000)
    return head.ljust(96, b"\0") + DATA


def wim() -> bytes:
    xml = "\ufeff<WIM><TOTALBYTES>1</TOTALBYTES></WIM>".encode("utf-16-le")
    head = bytearray(208)
    head[:12] = b"MSWIM\0\0\0\xd0\0\0\0"
    head[72:80] = struct.pack("<Q", len(xml))
    head[80:88] = struct.pack("<Q", 208 + len(DATA))
    return bytes(head) + DATA + xml


def dmg() -> bytes:
    plist = b'<?xml version="1.0"?><plist><dict/></plist>'
    tail = bytearray(b"koly\0\0\0\4\0\0\2\0".ljust(512, b"\0"))
    struct.pack_into(">QQ", tail, 216, len(DATA), len(plist))
    return DATA + plist + bytes(tail)


RPM = b"\xed\xab\xee\xdb\3\0\0\0".ljust(96, b"\0") + b"\x8e\xad\xe8\1\0\0\0\0\0\0\0\1\0\0\0\x10" + DATA
SAMPLES = {
    "lha": (BY_NAME["lha"], lha(), "lzh"),
    "arj": (BY_NAME["arj"], arj(), "arj"),
    "ace": (BY_NAME["ace"], b"\1\2\x31\0\0\0\0**ACE**" + DATA, "ace"),
    "squashfs": (BY_NAME["squashfs"], squashfs(), "squashfs"),
    "wim": (BY_NAME["wim"], wim(), "wim"),
    "rpm": (BY_NAME["rpm"], RPM, "rpm"),
    "dmg": (BY_NAME["dmg"], dmg(), "dmg"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_each_kind_is_known(name: str) -> None:
    form, data, _ = SAMPLES[name]
    assert [one.name for one in FORMATS if one.recognises(data[:4096])] == ([] if name == "dmg" else [name])
    anatomy = form.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert "is not tested" in anatomy.notes[0]
    assert any(r.kind is Kind.OPAQUE for r in anatomy.regions) or name in ("wim", "dmg")
    with pytest.raises(Malformed):
        form.dissect(Bytes(DATA))


def test_later_lha_headers() -> None:
    head = b"\x30\0-lh7-" + bytes(13) + b"\2" + bytes(20)
    assert BY_NAME["lha"].recognises(head)
    assert not BY_NAME["lha"].recognises(head.replace(b"\2" + bytes(20), b"\7" + bytes(20)))


def test_descriptions_at_the_end() -> None:
    image = wim()
    assert BY_NAME["wim"].dissect(Bytes(image)).regions[-1].charset is Charset.UTF16
    (cut,) = BY_NAME["wim"].dissect(Bytes(image[:-5])).flaws
    assert cut.start == cut.end == len(image) - 5
    place = 208 + len(DATA)
    (hit,) = BY_NAME["wim"].dissect(Bytes(image[:place] + b"??" + image[place + 2 :])).flaws
    assert hit.start == place
    assert BY_NAME["wim"].dissect(Bytes(b"MSWIM\0\0\0\xd0\0\0\0".ljust(208, b"\0"))).flaws == ()
    assert BY_NAME["squashfs"].dissect(Bytes(squashfs()[:9000])).flaws[0].what.startswith("the file ends")
    assert BY_NAME["dmg"].dissect(Bytes(dmg())).regions[0].charset is Charset.UTF8
