"""ISO base media: boxes, tables, and what the samples hold that they point to."""

import io
import random
import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from vigie.formats import Format
from vigie.formats.contract import Bytes, Malformed
from vigie.formats.media.isobmff import FORMATS
from vigie.formats.media.isobmff_fragments import Fragments
from vigie.formats.media.isobmff_items import extents, item_types, nal_width
from vigie.formats.media.nal import broken_obus, broken_scan, broken_units
from vigie.model import State, Verdict

MOV, THREE_GP, HEIF, AVIF, MP4 = FORMATS
SKEW = bytes(value & 0xEF for value in range(256))


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">L4s", 8 + len(body), name) + body


def table(name: bytes, *numbers: int) -> bytes:
    return box(name, bytes(4), struct.pack(f">{len(numbers)}L", *numbers))


def nal(seed: int, size: int, *, skew: bool = True) -> bytes:
    body = random.Random(seed).randbytes(size)
    return struct.pack(">L", size + 1) + b"\x41" + (body.translate(SKEW) if skew else body)


def avc(index: int) -> bytes:
    return nal(index, 900 + index % 7 * 300) + nal(index + 1000, 700)


def jpeg(index: int) -> bytes:
    scan = random.Random(index).randbytes(3000).translate(SKEW).replace(b"\xff", b"\xff\0")
    return b"\xff\xd8\xff\xe0\0\4ab\xff\xda\0\4\1\1" + scan + b"\xff\xd9"


def obus(index: int) -> bytes:
    body = random.Random(index).randbytes(2000)
    return b"\x12\0" + b"\x32\xd0\x0f" + body + b"\x36\0\4abcd"


def trak(codec: bytes, sizes: list[int], start: int, *, config: bytes = b"", wide: bool = False) -> bytes:
    """A track whose samples lie in chunks of five, one behind the other."""
    chunks = [start + sum(sizes[:index]) for index in range(0, len(sizes), 5)]
    entry = box(codec, bytes(6), b"\0\1", bytes(70), config)
    runs = (1, 1, 5, 1) if len(sizes) % 5 == 0 else (2, 1, 5, 1, len(chunks), len(sizes) % 5, 1)
    places = (
        box(b"co64", bytes(4), struct.pack(f">L{len(chunks)}Q", len(chunks), *chunks))
        if wide
        else table(b"stco", len(chunks), *chunks)
    )
    stbl = box(
        b"stbl",
        box(b"stsd", bytes(4), b"\0\0\0\1", entry),
        table(b"stts", 1, len(sizes), 512),
        table(b"stsz", 0, len(sizes), *sizes),
        table(b"stsc", *runs),
        places,
    )
    dinf = box(b"dinf", box(b"dref", bytes(4), b"\0\0\0\1", box(b"url ", b"\0\0\0\1")))
    return box(b"trak", box(b"tkhd", bytes(84)), box(b"mdia", box(b"minf", dinf, stbl)))


AVCC = box(b"avcC", b"\1\x64\0\x1f\xff\xe1\0\0")


def film(
    sample: Callable[[int], bytes] = avc,
    codec: bytes = b"avc1",
    config: bytes = AVCC,
    brand: bytes = b"isom",
    *,
    count: int = 200,
    wide: bool = False,
    more: bytes = b"",
) -> bytes:
    samples = [sample(index) for index in range(count)]
    head = box(b"ftyp", brand, bytes(4), b"isommp42") + box(b"free")
    body = b"".join(samples)
    mdat = struct.pack(">L4sQ", 1, b"mdat", 16 + len(body)) + body
    track = trak(codec, [len(one) for one in samples], len(head) + 16, config=config, wide=wide)
    return head + mdat + box(b"moov", box(b"mvhd", bytes(100)), track, more)


def fragmented(count: int = 60, *, sized: bool = True) -> bytes:
    """A film in fragments of ten samples, with their sizes in each run or for all of them at once."""
    track = trak(b"avc1", [], 0, config=AVCC).replace(bytes(84), bytes(12) + b"\0\0\0\7" + bytes(68))
    trex = box(b"mvex", table(b"trex", 7, 1, 0, 1000, 0))
    out = box(b"ftyp", b"iso5", bytes(4)) + box(b"moov", box(b"mvhd", bytes(100)), track, trex)
    for first in range(0, count, 10):
        samples = [avc(index) if sized else nal(index, 995) for index in range(first, first + 10)]
        sizes = struct.pack(">10L", *map(len, samples)) if sized else b""
        for offset in (0, 8 + 16 + 8 + 16 + 20 + len(sizes) + 8):
            tfhd = box(b"tfhd", b"\0\2\0\0\0\0\0\7")
            flags = b"\0\0\2\1" if sized else b"\0\0\0\1"
            trun = box(b"trun", flags, struct.pack(">LL", 10, offset), sizes)
            moof = box(b"moof", box(b"mfhd", bytes(8)), box(b"traf", tfhd, trun))
        out += moof + box(b"mdat", *samples)
    return out


def picture(kind: bytes = b"hvc1", body: bytes | None = None, brand: bytes = b"heic") -> bytes:
    item = b"".join(nal(index, 5000, skew=False) for index in range(8)) if body is None else body
    infe = box(b"infe", b"\2\0\0\0", b"\0\1", b"\0\0", kind, b"\0")
    config = box(b"hvcC", bytes(21) + b"\xff" + b"\0")

    def meta(offset: int) -> bytes:
        iloc = box(
            b"iloc",
            b"\1\0\0\0",
            b"\x44\0",
            b"\0\1",
            b"\0\1\0\0\0\0\0\1",
            struct.pack(">LL", offset, len(item)),
        )
        iinf = box(b"iinf", bytes(4), b"\0\1", infe)
        iprp = box(b"iprp", box(b"ipco", config, box(b"ispe", bytes(12))), box(b"ipma", bytes(12)))
        return box(b"meta", bytes(4), box(b"hdlr", bytes(4), bytes(4), b"pict", bytes(13)), iinf, iloc, iprp)

    head = box(b"ftyp", brand, bytes(4), b"mif1" + brand)
    offset = len(head) + len(meta(0)) + 8
    return head + meta(offset) + box(b"mdat", item)


HEALTHY = {
    "h264": (MP4, film()),
    "co64": (MP4, film(wide=True, count=203)),
    "quicktime": (MOV, film(brand=b"qt  ", more=bytes(4))),
    "3gp": (THREE_GP, film(brand=b"3gp4")),
    "motion jpeg": (MOV, film(jpeg, b"jpeg", b"", b"qt  ")),
    "prores": (MOV, film(lambda n: b"\0\0\1\0icpf" + bytes(300 + n), b"apcn", b"", b"qt  ")),
    "av1": (MP4, film(obus, b"av01", b"")),
    "sound": (MP4, film(lambda n: random.Random(n).randbytes(300), b"mp4a", b"", b"M4A ")),
    "fragments": (MP4, fragmented()),
    "fragments of one size": (MP4, fragmented(sized=False)),
    "heic": (HEIF, picture()),
    "avif": (AVIF, picture(b"av01", obus(3), b"avif")),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_files(name: str, judged: Callable[[Format, bytes], Verdict]) -> None:
    form, data = HEALTHY[name]
    assert [one for one in FORMATS if one.recognises(data[:4096])] == [form]
    anatomy = form.dissect(Bytes(data))
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert judged(form, data).state is State.INTACT


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_pictures_of_pillow(judged: Callable[[Format, bytes], Verdict]) -> None:
    out = io.BytesIO()
    frames = [Image.effect_noise((120, 90), spread) for spread in (20, 60)]
    frames[0].save(out, "AVIF", save_all=True, append_images=frames[1:])
    assert AVIF.recognises(out.getvalue()[:4096])
    assert judged(AVIF, out.getvalue()).state is State.INTACT


@pytest.mark.parametrize("name", HEALTHY)
def test_every_way_of_overwriting_it(
    name: str, judged: Callable[[Format, bytes], Verdict], attacks: Callable[[bytes], dict[str, bytes]]
) -> None:
    form, data = HEALTHY[name]
    for way, struck in attacks(data).items():
        if way != "64 KiB of 256" or len(data) > 65536:
            assert judged(form, struck).state is State.ENCRYPTED, way


@pytest.mark.parametrize("name", ["h264", "co64", "motion jpeg", "fragments"])
def test_one_block_amid_the_samples(
    name: str, judged: Callable[[Format, bytes], Verdict], block_struck: Callable[[bytes, int], bytes]
) -> None:
    form, data = HEALTHY[name]
    verdict = judged(form, block_struck(block_struck(data, 60_000), 120_000))
    assert verdict.state is State.ENCRYPTED
    flaws = form.dissect(Bytes(block_struck(block_struck(data, 60_000), 120_000))).flaws
    assert [flaw.start // 4096 for flaw in flaws] == [14, 29]
    assert all(flaw.end - flaw.start <= 2 * 4096 for flaw in flaws)


def test_one_block_in_a_picture(
    judged: Callable[[Format, bytes], Verdict], block_struck: Callable[[bytes, int], bytes]
) -> None:
    assert judged(HEIF, block_struck(picture(), 16_000)).state is State.ENCRYPTED
    # Inside one unit the bytes may be anything: only a decoder could tell.
    assert judged(HEIF, picture(body=nal(1, 40_000))).state is State.INTACT


def test_a_cut_is_damage(judged: Callable[[Format, bytes], Verdict]) -> None:
    for form, data in HEALTHY.values():
        for end in (len(data) - 1, len(data) * 2 // 3):
            assert judged(form, data[:end]).state is State.DAMAGED


def test_lost_boxes_are_stepped_over() -> None:
    data = film()
    gap = b"\xff" * 5000
    place = data.index(b"moov") - 4
    (flaw,) = MP4.dissect(Bytes(data[:place] + gap + data[place:])).flaws
    assert flaw.start == place
    assert flaw.end <= place + 5000
    zeros = MP4.dissect(Bytes(data[:place] + bytes(5000) + data[place:]))
    assert zeros.flaws == ()
    behind = MP4.dissect(Bytes(data + gap))
    assert behind.flaws == ()
    assert behind.notes == ("5000 bytes behind the last box",)
    inner = data.replace(b"mdia", b"\xff\xff\xff\xff")
    assert [one.what for one in MP4.dissect(Bytes(inner)).flaws] == ["no box where one must begin"]
    assert MP4.dissect(Bytes(data[:place])).flaws[0].what == "no table of what it holds"


def test_tables_that_do_not_fit() -> None:
    data = film()
    where = data.index(b"stsc") + 12
    wrong = data[:where] + b"\0\0\0\7" + data[where + 4 :]
    assert MP4.dissect(Bytes(wrong)).notes == ("the tables of a track do not fit together",)
    two = data.replace(b"stsd" + bytes(4) + b"\0\0\0\1", b"stsd" + bytes(4) + b"\0\0\0\2")
    assert MP4.dissect(Bytes(two)).flaws == ()


def test_samples_in_another_file_are_not_looked_for() -> None:
    data = film().replace(b"url \0\0\0\1", b"url \0\0\0\0")
    data = data.replace(nal(5, 900 + 1500), b"\xff" * 2405)
    assert MP4.dissect(Bytes(data)).flaws == ()


def test_a_long_film_is_sampled() -> None:
    one = nal(1, 200)
    data = film(lambda _: one, count=30_000)
    begun = time.monotonic()
    anatomy = MP4.dissect(Bytes(data), 1 << 20)
    assert time.monotonic() - begun < 1
    assert anatomy.notes == ("long: not every sample is tested",)
    assert anatomy.flaws == ()


def test_units() -> None:
    assert broken_units(Bytes(nal(1, 9) + nal(2, 9)), 0, 28, 4) is None
    assert broken_units(Bytes(nal(1, 9) + nal(2, 9)), 0, 27, 4) == 14
    assert broken_units(Bytes(b"\0\0\0\1\x81"), 0, 5, 4) == 0
    assert broken_units(Bytes(b"\0\0\0\1"), 0, 4, 4) is None
    assert broken_obus(Bytes(obus(1)), 0, len(obus(1))) is None
    assert broken_obus(Bytes(b"\x10anything"), 0, 9) is None
    assert broken_obus(Bytes(b"\x92\0"), 0, 2) == 0
    assert broken_obus(Bytes(b"\x12\x7f"), 0, 2) == 0
    assert broken_obus(Bytes(b"\x12" + b"\xff" * 9), 0, 10) == 0
    assert broken_scan(Bytes(jpeg(1)), 0, len(jpeg(1))) is None
    assert broken_scan(Bytes(b"no image"), 0, 8) == 0
    assert broken_scan(Bytes(b"\xff\xd8\xff\xda\0\2" + bytes(300_000) + b"\xff\x30"), 0, 300_008) == 300_006
    assert broken_scan(Bytes(b"\xff\xd8\x11\x22\x33\x44"), 0, 6) == 2


def test_items() -> None:
    assert nal_width(b"") == 0
    assert nal_width(b"avcC\1\0\0\0\xff") == 4
    assert item_types(b"\1\0\0\0\0\0\0\1" + box(b"infe", b"\3\0\0\0\0\0\0\7\0\0av01")) == {7: b"av01"}
    assert item_types(bytes(30)) == {}
    assert list(extents(b"\3" + bytes(20))) == []
    assert list(extents(b"\0\0\0\0\x44\0\xff\xff")) == []
    endless = b"\0\0\0\0\0\0\xff\xff" + b"\0\1\0\0\xff\xff" * 60_000
    assert len(list(extents(endless))) <= 65_536
    version_2 = b"\2\0\0\0\x44\0\0\0\0\1\0\0\0\5\0\0\0\0\0\1\0\0\0\x64\0\0\0\x0a"
    assert list(extents(version_2)) == [(5, 100, 10)]
    beyond = picture()[:-100]
    assert "an item lies beyond the end of the file" in [
        one.what for one in HEIF.dissect(Bytes(beyond)).flaws
    ]


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (struct.pack(">L4sL4s", 500, b"moov", 108, b"mvhd"), MOV),
        (struct.pack(">L4sL4s", 8, b"wide", 108, b"mdat"), MOV),
        (struct.pack(">L4sL4s", 1, b"mdat", 0, b"...."), MOV),
        (box(b"styp", b"msdh", bytes(4), b"msdh"), MP4),
        (box(b"ftyp", b"mif1", bytes(4), b"mif1avif"), AVIF),
        (box(b"ftyp", b"\0\0\0\0", bytes(4)), None),
        (struct.pack(">L4sL4s", 8, b"free", 108, b"none"), None),
        (b"", None),
    ],
)
def test_heads(head: bytes, form: Format | None) -> None:
    assert [one for one in FORMATS if one.recognises(head)] == ([form] if form else [])
    if form is None:
        with pytest.raises(Malformed):
            MP4.dissect(Bytes(head))


@given(st.binary(max_size=2000), st.integers(0, 30_000), st.integers(-800, -1))
@settings(max_examples=80, deadline=None)
def test_anything_goes(noise: bytes, place: int, table: int) -> None:
    for data in (SHORT, SHORT_PICTURE):
        for mutated in (
            noise,
            data[:place] + noise + data[place:],
            data[:table] + noise[:40] + data[table + 40 :],
            data[:32] + noise,
            data[:place],
        ):
            try:
                anatomy = MP4.dissect(Bytes(mutated))
            except Malformed:
                continue
            assert all(0 <= flaw.start <= flaw.end <= len(mutated) for flaw in anatomy.flaws)
            edges = [edge for region in anatomy.regions for edge in (region.start, region.end)]
            assert edges == sorted(edges)


SHORT, SHORT_PICTURE = film(count=12), picture()


def test_runs_of_fragments() -> None:
    base = b"\0\0\0\x1b\0\0\0\7" + (5000).to_bytes(8, "big") + bytes(8) + (100).to_bytes(4, "big")
    first = b"\0\0\7\5\0\0\0\2\0\0\0\x64\0\0\0\0" + struct.pack(">6L", 1, 30, 0, 1, 40, 0)
    blob = Bytes(base + first + b"\0\0\0\0\0\0\0\3")
    fragments = Fragments(blob)
    fragments.begin(900)
    fragments.header(0, {7: 55})
    fragments.run(len(base), len(base) + len(first))
    fragments.run(len(base) + len(first), blob.size)
    assert fragments.samples == {7: [(5100, 30), (5130, 40), (5170, 100), (5270, 100), (5370, 100)]}
    old = Bytes(b"\0\0\0\0\0\0\0\7" + b"\0\0\0\0\0\0\0\1")
    fragments = Fragments(old)
    fragments.header(0, {7: 55})
    fragments.run(8, 16)
    fragments.header(0, {})  # its second track begins where the first one ends: not followed
    fragments.run(8, 16)
    fragments.run(8, 10)
    assert fragments.samples == {7: [(0, 55)]}
    fragments.left = 0
    fragments.begin(0)
    fragments.header(0, {})
    fragments.run(8, 16)
    assert len(fragments.samples[7]) == 1


def test_a_long_fragmented_film_is_sampled() -> None:
    anatomy = MP4.dissect(Bytes(fragmented(300)), 1)
    assert anatomy.flaws == ()
    assert anatomy.notes == ("long: not every sample is tested",)
