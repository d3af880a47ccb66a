"""ISO 9660: descriptors and directories."""

import random
import struct

import pytest

from vigie.formats.archive.iso import FIRST, FORMAT, SECTOR, dissect
from vigie.formats.contract import Bytes, Malformed


def both(value: int) -> bytes:
    return struct.pack("<L", value) + struct.pack(">L", value)


def record(name: bytes, sector: int, length: int, *, folder: bool) -> bytes:
    body = both(sector) + both(length) + bytes(7) + bytes([2 * folder, 0, 0]) + b"\1\0\0\1"
    body += bytes([len(name)]) + name
    body += bytes(len(body) % 2)
    return bytes([len(body) + 2, 0]) + body


def image(folders: int = 5) -> bytes:
    """System area, descriptors in sectors 16 and 17, the root in 18, folders behind it, then files."""
    names = [b"FOLDER%d" % n for n in range(folders)]
    root = record(b"\0", 18, SECTOR, folder=True) + record(b"\1", 18, SECTOR, folder=True)
    root += b"".join(record(name, 19 + n, SECTOR, folder=True) for n, name in enumerate(names))
    body = root.ljust(SECTOR, b"\0")
    data = 19 + folders
    for n in range(folders):
        here = record(b"\0", 19 + n, SECTOR, folder=True) + record(b"\1", 18, SECTOR, folder=True)
        here += record(b"FILE%d.TXT;1" % n, data + 4 * n, 8000, folder=False)
        body += here.ljust(SECTOR, b"\0")
    body += random.Random(1).randbytes(folders * 4 * SECTOR)
    total = data + folders * 4
    primary = bytearray(SECTOR)
    primary[:8] = b"\1CD001\1\0"
    primary[8:72] = b"LINUX".ljust(32) + b"VIGIE".ljust(32)
    primary[80:88] = both(total)
    primary[128:132] = struct.pack("<H", SECTOR) + struct.pack(">H", SECTOR)
    primary[156:190] = record(b"\0", 18, SECTOR, folder=True)
    primary[190:813] = b" " * 623
    last = b"\xffCD001\1".ljust(SECTOR, b"\0")
    return bytes(FIRST) + bytes(primary) + last + body


SAMPLES = {"iso": (FORMAT, image(), "iso")}


def noise(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + random.Random(start).randbytes(length) + data[start + length :]


def test_the_tree_is_walked() -> None:
    anatomy = dissect(Bytes(image()))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert sum(r.what == "directory" for r in anatomy.regions) == 6
    assert not FORMAT.recognises(image()[:4096])


def test_struck_directories_are_flaws_of_their_own() -> None:
    data = image()
    hit = noise(noise(data, 20 * SECTOR, SECTOR), 22 * SECTOR, SECTOR)
    starts = [f.start for f in dissect(Bytes(hit)).flaws]
    assert {s // SECTOR for s in starts} == {20, 22}


def test_struck_descriptors() -> None:
    data = image()
    with pytest.raises(Malformed):
        dissect(Bytes(noise(data, FIRST, SECTOR)))
    (flaw,) = dissect(Bytes(noise(data, FIRST + 156, 34))).flaws
    assert flaw.start == FIRST + 156
    lost = bytearray(data)
    lost[FIRST] = 0  # a boot record alone, and then noise
    assert dissect(Bytes(noise(bytes(lost), FIRST + SECTOR, SECTOR))).flaws


def test_other_kinds() -> None:
    udf = bytearray(image())
    for sector, name in enumerate((b"BEA01", b"NSR02", b"TEA01")):
        udf[FIRST + sector * SECTOR : FIRST + sector * SECTOR + 7] = b"\0" + name + b"\1"
    udf[FIRST + 3 * SECTOR : FIRST + 3 * SECTOR + 8] = bytes(8)
    assert dissect(Bytes(bytes(udf))).flaws == ()
    raw = b"\0" + b"\xff" * 10 + b"\0" + bytes(5000)
    assert "raw sectors" in dissect(Bytes(raw)).notes[0]


def test_cut_images_and_efforts_that_end() -> None:
    data = bytearray(image())
    data[FIRST + 80 : FIRST + 84] = struct.pack("<L", 5000)
    assert "ends before its" in dissect(Bytes(bytes(data))).flaws[0].what
    assert dissect(Bytes(image()[: 20 * SECTOR])).flaws == ()  # a run-out of 150 sectors may be missing
    assert FORMAT.dissect(Bytes(image()), 3 * SECTOR).notes == ("not all directories are tested",)
    loop = bytearray(image())
    loop[19 * SECTOR + 200 :][:1] = b""
    assert dissect(Bytes(bytes(loop))).flaws == ()
    disagree = bytearray(image())
    disagree[19 * SECTOR + 2] ^= 1
    assert "disagree" in dissect(Bytes(bytes(disagree))).flaws[0].what
