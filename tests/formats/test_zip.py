"""ZIP: what writers produce is believed, what is overwritten is named with its range."""

import io
import random
import struct
import time
import zipfile

import pytest
import pyzipper

from vigie.formats.archive.zip import FORMAT, dissect
from vigie.formats.contract import Bytes, Malformed
from vigie.model import Kind

TEXT = " ".join(f"{n * n:x}" for n in range(4000)).encode()


class Pipe(io.RawIOBase):
    """A target that cannot seek, so that zipfile writes data descriptors."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        taken = bytes(piece)  # type: ignore[call-overload]
        self.data += taken
        return len(taken)


def archive(method: int = zipfile.ZIP_DEFLATED, members: int = 3, comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as target:
        for number in range(members):
            target.writestr(f"{number}.txt", TEXT)
        target.comment = comment
    return out.getvalue()


def streamed(method: int) -> bytes:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", method) as target:
        for number in range(3):
            target.writestr(f"{number}.txt", TEXT)
    return bytes(pipe.data)


def noise(data: bytes, start: int, end: int) -> bytes:
    return data[:start] + random.Random(start).randbytes(end - start) + data[end:]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_member_is_checked(method: int) -> None:
    data = archive(method)
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.notes == ()
    assert anatomy.checked == sum(r.end - r.start for r in anatomy.regions if r.kind is Kind.CODED)
    assert anatomy.regions[-1].end == len(data)
    assert next(r for r in anatomy.regions if r.kind is Kind.CODED).what.endswith(" 0.txt")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_data_descriptors(method: int) -> None:
    data = streamed(method)
    assert FORMAT.recognises(data[:4096])
    assert dissect(Bytes(data)).flaws == ()


def test_large_files_by_zip64() -> None:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
        target.open("a", "w", force_zip64=True) as one,
    ):
        one.write(TEXT)
    data = bytearray(out.getvalue())
    place = data.rindex(b"PK\x05\x06")
    entries, length, offset = struct.unpack_from("<HLL", data, place + 10)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, length, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, place, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    whole = bytes(data[:place]) + end64 + locator + end
    anatomy = dissect(Bytes(whole))
    assert anatomy.flaws == ()
    assert anatomy.checked > 0
    behind = dissect(Bytes(b"#!/bin/sh\n" * 7 + whole))
    assert behind.flaws == ()
    assert "70 bytes before the archive (a self-extractor?)" in behind.notes


def test_zip64_sizes_in_the_directory() -> None:
    # APPNOTE 4.5.3: the extra field holds only the values whose 32-bit fields are full.
    data = bytearray(archive(members=1))
    place = data.index(b"PK\x01\x02")
    packed, size = struct.unpack_from("<LL", data, place + 20)
    extra = struct.pack("<HHQQ", 1, 16, size, packed)
    struct.pack_into("<LL", data, place + 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", data, place + 30, len(extra))
    end = data.index(b"PK\x05\x06")
    struct.pack_into("<L", data, end + 12, end - place + len(extra))
    anatomy = dissect(Bytes(bytes(data[:end]) + extra + bytes(data[end:])))
    assert anatomy.flaws == ()
    assert anatomy.checked == packed


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (b"MZ" * 50 + archive(), "100 bytes before the archive (a self-extractor?)"),
        (archive() + b"\0" * 10, "10 bytes behind the archive"),
        (archive(zipfile.ZIP_BZIP2), "compression method 12 is not tested"),
    ],
)
def test_oddities_are_notes(data: bytes, note: str) -> None:
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert note in anatomy.notes


def test_a_comment_and_an_empty_archive() -> None:
    assert dissect(Bytes(archive(comment=b"PK\x05\x06 in a comment" * 9))).flaws == ()
    empty = archive(members=0)
    assert FORMAT.recognises(empty)
    assert dissect(Bytes(empty)).flaws == ()


@pytest.mark.parametrize("aes", [True, False])
def test_a_password_hides_the_members(aes: bool) -> None:
    out = io.BytesIO()
    kind = pyzipper.WZ_AES if aes else None
    with pyzipper.AESZipFile(out, "w", compression=pyzipper.ZIP_DEFLATED, encryption=kind) as target:
        if aes:
            target.setpassword(b"secret")
        target.writestr("a.txt", TEXT)
    data = bytearray(out.getvalue())
    if not aes:
        for magic, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(magic) + flag] |= 1
    anatomy = dissect(Bytes(bytes(data)))
    assert anatomy.flaws == ()
    assert anatomy.notes == ("encrypted by password",)
    assert any(r.kind is Kind.OPAQUE and r.what == "encrypted a.txt" for r in anatomy.regions)


def test_the_flaw_is_the_member_that_was_hit() -> None:
    data = archive(zipfile.ZIP_STORED)
    second = data.index(b"1.txt") + 5
    anatomy = dissect(Bytes(noise(data, second + 100, second + 200)))
    assert [(f.start, f.end, f.checksum) for f in anatomy.flaws] == [(second, second + len(TEXT), True)]


def test_a_false_checksum_of_a_deflated_member() -> None:
    data = bytearray(archive())
    data[data.rindex(b"PK\x01\x02") + 16] ^= 1
    (flaw,) = dissect(Bytes(bytes(data))).flaws
    assert flaw.checksum
    assert "2.txt" in flaw.what


def test_a_lost_local_header() -> None:
    data = archive()
    second = data.index(b"PK\x03\x04", 10)
    third = data.index(b"PK\x03\x04", second + 4)
    anatomy = dissect(Bytes(noise(data, second, second + 30)))
    assert [(f.start, f.end) for f in anatomy.flaws] == [(second, second + 35)]
    assert third > second + 35
    assert any(r.what == "deflate stream of 1.txt" for r in anatomy.regions)
    lost = dissect(Bytes(noise(data, second, third))).flaws
    assert (lost[0].start, lost[-1].end) == (second, third)


def test_a_local_header_of_another_name() -> None:
    data = archive()
    anatomy = dissect(Bytes(data.replace(b"1.txt", b"1.tyt", 1)))
    assert [f.what for f in anatomy.flaws] == ["local header and directory differ on 1.txt"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("make", [archive, streamed])
def test_without_its_directory_an_archive_is_walked(make: object, method: int) -> None:
    data = make(method)  # type: ignore[operator]
    start = data.index(b"PK\x01\x02")
    cut = dissect(Bytes(data[:start]))
    assert [(f.start, f.end) for f in cut.flaws] == [(start, start)]
    assert (
        len([r for r in cut.regions if "of 2.txt" in r.what or "stored 2.txt" in r.what]) >= 1 or method == 0
    )
    hit = dissect(Bytes(noise(data, start, len(data))))
    assert any(f.start < len(data) and f.end == len(data) for f in hit.flaws) or method == 0
    assert hit.flaws


def test_records_that_only_look_like_the_end() -> None:
    data = archive()
    end = data.rindex(b"PK\x05\x06")
    # A locator that leads nowhere is passed over; sizes that point before the file make no end.
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 5, 1)
    assert any(
        "directory breaks off" in f.what for f in dissect(Bytes(data[:end] + locator + data[end:])).flaws
    )
    far = bytearray(data)
    struct.pack_into("<LL", far, end + 12, 0xFFFFFFFF, 0xFFFFFFFF)
    assert dissect(Bytes(bytes(far))).flaws[-1].what == "no end of central directory"
    assert (
        dissect(Bytes(data[:end] + locator + bytes(far[end:]))).flaws[-1].what
        == "no end of central directory"
    )
    long_comment = bytearray(data)
    struct.pack_into("<H", long_comment, end + 20, 500)
    assert dissect(Bytes(bytes(long_comment))).flaws


def test_long_extra_fields_are_nobodys_business() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        one = zipfile.ZipInfo("a.txt")
        one.extra = struct.pack("<HH", 0x7777, 300) + random.Random(1).randbytes(300)
        target.writestr(one, TEXT)
    data = out.getvalue()
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    start = data.rindex(one.extra)
    assert not any(r.start < start + 304 and start < r.end for r in anatomy.regions)


def test_very_many_members_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigie.formats.archive.zip.MEMBERS", 2)
    anatomy = dissect(Bytes(archive(members=5)))
    assert anatomy.flaws == ()
    assert anatomy.notes == ("more than 2 members: the rest is not tested",)


def test_half_a_directory_is_text_still() -> None:
    data = archive()
    anatomy = dissect(Bytes(data[: data.index(b"PK\x05\x06")]))
    assert anatomy.regions[-1].what == "central directory"
    assert [f.what for f in anatomy.flaws] == ["no end of central directory"]


def test_a_directory_hit_in_its_middle() -> None:
    data = archive(members=40)
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    middle = (start + end) // 2
    anatomy = dissect(Bytes(noise(data, middle, middle + 200)))
    assert any(f.start <= middle + 60 and f.end == end for f in anatomy.flaws)
    assert anatomy.checked > dissect(Bytes(archive(members=30))).checked


def test_a_broken_stream_without_directory() -> None:
    data = archive(members=4)
    data = data[: data.index(b"PK\x01\x02")]
    second = data.index(b"PK\x03\x04", 10)
    anatomy = dissect(Bytes(noise(data, second + 200, second + 4200)))
    assert any(f.start < second + 4200 and f.end > second + 200 for f in anatomy.flaws)
    assert any(r.what == "deflate stream of 3.txt" for r in anatomy.regions)


def test_a_lost_first_header_without_directory() -> None:
    data = archive()
    data = data[: data.index(b"PK\x01\x02")]
    second = data.index(b"PK\x03\x04", 10)
    assert dissect(Bytes(noise(data, 0, 40))).flaws[0].end == second


def test_one_volume_of_several() -> None:
    data = bytearray(archive())
    struct.pack_into("<HH", data, data.rindex(b"PK\x05\x06") + 4, 1, 0)
    assert dissect(Bytes(bytes(data))).notes == ("one volume of several: cannot be tested by itself",)


def test_members_that_overlap_are_not_claimed_twice() -> None:
    data = bytearray(archive())
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    anatomy = dissect(Bytes(bytes(data)))
    ends = [0, *(r.end for r in anatomy.regions)]
    assert all(r.start >= end for r, end in zip(anatomy.regions, ends, strict=False))


def test_a_bomb_is_put_down() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for number in range(3):
            with target.open(f"{number}", "w") as one:
                for _ in range(110):
                    one.write(bytes(1 << 20))
    begun = time.monotonic()
    anatomy = dissect(Bytes(out.getvalue()))
    assert time.monotonic() - begun < 4
    assert anatomy.flaws == ()
    assert anatomy.notes == ("too long to test all of it",)


def test_no_archive_at_all() -> None:
    with pytest.raises(Malformed):
        dissect(Bytes(random.Random(1).randbytes(5000)))
    assert not FORMAT.recognises(b"PK\x03\x04" + b"\xff" * 40)


def test_an_effort_is_spent_on_the_ends_and_the_small_ones_first() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("first", TEXT * 3)
        for number in range(9):
            target.writestr(f"large {number}", random.Random(number).randbytes(200_000))
            target.writestr(f"small {number}", TEXT[:300])
        target.writestr("last", TEXT)
    data = out.getvalue()
    assert dissect(Bytes(data)).notes == ()
    anatomy = dissect(Bytes(data), 700_000)
    assert anatomy.flaws == ()
    assert anatomy.notes == ("too long to test all of it",)
    assert 10_000 < anatomy.checked < 900_000
    place = data.index(b"small 8") + 20
    assert dissect(Bytes(data[:place] + bytes(60) + data[place + 60 :]), 700_000).flaws
    assert dissect(Bytes(data), 400).notes == ("too long to test all of it",)


def test_places_far_apart_in_one_member_are_flaws_of_their_own() -> None:
    chooser = random.Random(8)
    text = b" ".join(b"%x" % chooser.getrandbits(chooser.randrange(1, 40)) for _ in range(200_000))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("long", text)
    data = noise(noise(out.getvalue(), 60_000, 92_768), 400_000, 432_768)
    flaws = dissect(Bytes(data)).flaws
    assert len(flaws) == 2
    assert flaws[0].end < 160_000 < flaws[1].start


def test_a_thousand_members_and_more() -> None:
    data = archive(zipfile.ZIP_STORED, members=1)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for number in range(1100):
            target.writestr(f"{number}.txt", TEXT[number : number + 50])
    data = out.getvalue()
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.checked == 1100 * 50
    assert any(r.what == "100 more members" for r in anatomy.regions)
    assert anatomy.regions[-2].what == "central directory"
    place = data.index(b"1050.txt") + 8
    assert [f.start for f in dissect(Bytes(data[:place] + bytes(9) + data[place + 9 :])).flaws] == [place]


def test_streamed_members_without_a_directory() -> None:
    data = streamed(zipfile.ZIP_DEFLATED)
    data = data[: data.index(b"PK\x01\x02")]
    second, third = data.index(b"PK\x03\x04", 10), data.rindex(b"PK\x03\x04")
    flaws = dissect(Bytes(noise(data, second + 60, second + 9000))).flaws
    assert any(f.start < second + 9000 and f.end == third for f in flaws)
    (cut,) = dissect(Bytes(data[: second + 500])).flaws
    assert cut.what == "no end of central directory"
    assert dissect(Bytes(data), 10_000).notes == ("too long to test all of it",)
    far = data[:second] + random.Random(1).randbytes(3 << 20)
    anatomy = dissect(Bytes(far), 60_000)
    assert "too long to test all of it" in anatomy.notes
