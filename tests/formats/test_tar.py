"""tar: headers of every kind are followed, lost ones are found again."""

import io
import random
import tarfile

import pytest

from vigie.formats.archive.tar import BLOCK, FORMAT, dissect, read_header
from vigie.formats.contract import Bytes, Malformed
from vigie.model import Kind

LONG = "folder/" * 30 + "name é.txt"


def archive(form: int = tarfile.GNU_FORMAT, members: int = 12) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as target:
        for number in range(members):
            one = tarfile.TarInfo(LONG if number == 3 and form != tarfile.USTAR_FORMAT else f"{number}.bin")
            data = random.Random(number).randbytes(3000 + 700 * number)
            one.size = len(data)
            one.mtime = 1_700_000_000
            target.addfile(one, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "0.bin"
        target.addfile(link)
    return out.getvalue()


SAMPLES = {
    "gnu": (FORMAT, archive(), "tar"),
    "ustar": (FORMAT, archive(tarfile.USTAR_FORMAT), "tar"),
    "pax": (FORMAT, archive(tarfile.PAX_FORMAT), "tar"),
}


def noise(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + random.Random(start).randbytes(length) + data[start + length :]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_header_is_found(name: str) -> None:
    data = SAMPLES[name][1]
    anatomy = dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert sum(r.what.startswith("header of ") and r.kind is Kind.STRUCTURED for r in anatomy.regions) >= 13
    assert anatomy.regions[-1].what == "padding"


def test_three_lost_headers_are_three_flaws() -> None:
    data = archive()
    starts = [r.start for r in dissect(Bytes(data)).regions if r.what.startswith("header of ")]
    hit = data
    for start in (starts[0], starts[5], starts[9]):
        hit = noise(hit, start, BLOCK)
    flaws = dissect(Bytes(hit)).flaws
    assert [(f.start, f.end) for f in flaws] == [(s, s + BLOCK) for s in (starts[0], starts[5], starts[9])]


def test_nothing_but_noise_is_no_archive() -> None:
    with pytest.raises(Malformed):
        dissect(Bytes(random.Random(1).randbytes(50_000)))
    with pytest.raises(Malformed):
        dissect(Bytes(b""))
    assert not FORMAT.recognises(bytes(BLOCK))


def test_an_empty_archive_and_two_in_a_row() -> None:
    assert dissect(Bytes(bytes(10240))).flaws == ()
    assert dissect(Bytes(archive() + archive())).flaws == ()
    assert len(dissect(Bytes(archive() + archive())).regions) > len(dissect(Bytes(archive())).regions) + 13


def test_what_stands_behind_the_end() -> None:
    foreign = random.Random(2).randbytes(3000)
    anatomy = dissect(Bytes(archive() + foreign))
    assert anatomy.flaws == ()
    assert anatomy.notes == ("3000 bytes behind the end of the archive",)


def test_a_header_behind_the_mark_of_the_end() -> None:
    data = archive()
    mixed = data[: -len(data) % 10240 or None] + random.Random(3).randbytes(700) + bytes(324) + archive()
    assert dissect(Bytes(mixed)).flaws == ()


def test_cut_archives() -> None:
    data = archive()
    start = next(r.start for r in dissect(Bytes(data)).regions if r.what == "data of 4.bin")
    assert [f.what for f in dissect(Bytes(data[: start + 9])).flaws] == ["the file ends inside 4.bin"]
    assert dissect(Bytes(data[: start - 100])).flaws[0].what == "the file ends inside a header"


def test_a_size_in_a_pax_record_counts() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as target:
        one = tarfile.TarInfo("a")
        one.size, one.pax_headers = 2000, {"size": "2000", "SCHILY.xattr.user.x": "abc"}
        target.addfile(one, io.BytesIO(bytes(range(250)) * 8))
    anatomy = dissect(Bytes(out.getvalue()))
    assert anatomy.flaws == ()
    assert any(r.what == "extended header" and r.kind is Kind.OPAQUE for r in anatomy.regions)


def test_numbers_above_eight_gigabytes_and_hard_links_that_have_a_size() -> None:
    large = tarfile.TarInfo("large")
    large.size = 9 << 30
    header = large.tobuf(tarfile.GNU_FORMAT)
    found = read_header(header)
    assert found is not None
    assert found.size == 9 << 30
    link = tarfile.TarInfo("link")
    link.type, link.size = tarfile.LNKTYPE, 4096
    assert dissect(Bytes(link.tobuf() + archive())).flaws == ()


def test_the_sparse_maps_of_old_gnu_archives() -> None:
    one = tarfile.TarInfo("sparse")
    one.size = 100
    header = bytearray(one.tobuf(tarfile.GNU_FORMAT))
    header[156] = ord("S")
    header[482] = 1
    total = sum(header[:148]) + sum(header[156:]) + 256
    header[148:156] = b"%06o\0 " % total
    more, last = bytearray(BLOCK), bytes(BLOCK)
    more[504] = 1
    data = bytes(header) + bytes(more) + last + bytes(range(100)) + bytes(412) + archive()
    assert dissect(Bytes(data)).flaws == ()


def test_sums_of_signed_bytes_and_headers_that_are_none() -> None:
    header = bytearray(tarfile.TarInfo("n\xe9").tobuf(tarfile.USTAR_FORMAT, encoding="latin-1"))
    signed = sum(b - 256 if b > 127 else b for b in header[:148] + header[156:]) + 256
    header[148:156] = b"%06o\0 " % signed
    assert read_header(bytes(header)) is not None
    header[148:156] = b"%06o\0 " % (signed + 1)
    assert read_header(bytes(header)) is None
    header[124:136] = b"not a number"
    assert read_header(bytes(header)) is None
    header[124] = 0x81
    assert read_header(bytes(header)) is None
    assert read_header(b"short") is None


def test_an_effort_that_ends() -> None:
    data = archive(members=40)
    anatomy = FORMAT.dissect(Bytes(data), 5000)
    assert anatomy.flaws == ()
    assert anatomy.notes[0].startswith("too long to test all of it")
    zeros = archive() + bytes(4 << 20)
    assert FORMAT.dissect(Bytes(zeros), 100_000).notes
