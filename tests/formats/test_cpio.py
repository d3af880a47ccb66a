"""cpio: new and old ASCII headers."""

import random

import pytest

from vigie.formats.archive.cpio import FORMAT, dissect
from vigie.formats.contract import Bytes, Malformed


def member(name: bytes, data: bytes, *, odc: bool = False) -> bytes:
    name += b"\0"
    if odc:
        return b"070707" + b"%06o" % 1 * 7 + b"%011o%06o%011o" % (1, len(name), len(data)) + name + data
    fields = [1, 0o100644, 0, 0, 1, 1_700_000_000, len(data), 8, 1, 0, 0, len(name), 0]
    head = b"070701" + b"".join(b"%08X" % value for value in fields) + name
    head += bytes(-len(head) % 4)
    return head + data + bytes(-len(data) % 4)


def archive(*, odc: bool = False) -> bytes:
    body = b"".join(
        member(b"file%d" % n, random.Random(n).randbytes(2000 + n * 301), odc=odc) for n in range(12)
    )
    whole = body + member(b"TRAILER!!!", b"", odc=odc)
    return whole + bytes(-len(whole) % 512)


SAMPLES = {"newc": (FORMAT, archive(), "cpio"), "odc": (FORMAT, archive(odc=True), "cpio")}


@pytest.mark.parametrize("odc", [False, True])
def test_members_to_the_trailer(odc: bool) -> None:
    anatomy = dissect(Bytes(archive(odc=odc)))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert sum(r.what.startswith("header of") for r in anatomy.regions) == 13


def test_a_lost_header_is_one_flaw() -> None:
    data = archive()
    start = [r.start for r in dissect(Bytes(data)).regions if r.what.startswith("header of")][4]
    hit = data[:start] + random.Random(1).randbytes(110) + data[start + 110 :]
    assert [(f.start, f.end) for f in dissect(Bytes(hit)).flaws] == [(start, start + 110)]
    cut = data[:start] + random.Random(1).randbytes(len(data) - start)
    assert [f.start for f in dissect(Bytes(cut)).flaws] == [start]


def test_what_stands_behind_the_trailer() -> None:
    assert dissect(Bytes(archive() + archive())).flaws == ()
    assert dissect(Bytes(archive() + b"\x1f\x8b")).notes == ("2 bytes behind the trailer",)


def test_cut_archives() -> None:
    data = archive()
    regions = dissect(Bytes(data)).regions
    inside = next(r for r in regions if r.what == "data of file5")
    assert "ends inside file5" in dissect(Bytes(data[: inside.start + 5])).flaws[0].what
    assert "before its trailer" in dissect(Bytes(data[: inside.end + -inside.end % 4])).flaws[0].what


def test_limits() -> None:
    with pytest.raises(Malformed):
        dissect(Bytes(b"070701" + b"x" * 200))
    assert FORMAT.dissect(Bytes(archive()), 600).notes[0].startswith("too long")
    broken = archive()[:3000] + random.Random(1).randbytes(4 << 20)
    assert len(FORMAT.dissect(Bytes(broken), 1500).flaws) <= 1
