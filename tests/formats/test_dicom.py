"""DICOM files: every encoding of a data set, every kind of pixel data, and what breaks them."""

import random
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.health import dicom, dicom_elements, dicom_fragments, dicom_sheet
from vigie.formats.health.dicom import FORMAT
from vigie.model import Anatomy, Kind

CHAOS = random.Random(20_260_302)
IMPLICIT, EXPLICIT, DEFLATED, BIG = dicom.IMPLICIT, dicom.EXPLICIT, dicom.DEFLATED, dicom.BIG_ENDIAN
LONG = {b"OB", b"OW", b"OF", b"OD", b"SQ", b"UN", b"UT"}
UNDEFINED = 0xFFFFFFFF
ENCAPSULATED = "1.2.840.10008.1.2.4."


def element(tag: int, vr: bytes, value: bytes, uid: str = EXPLICIT, length: int | None = None) -> bytes:
    order = ">" if uid == BIG else "<"
    value += b"\0" * (len(value) % 2) if vr in (b"UI", b"OB") else b" " * (len(value) % 2)
    length = len(value) if length is None else length
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if uid == IMPLICIT:
        return head + struct.pack("<I", length) + value
    if vr in LONG:
        return head + vr + b"\0\0" + struct.pack(order + "I", length) + value
    return head + vr + struct.pack(order + "H", length) + value


def item(value: bytes, uid: str = EXPLICIT, length: int | None = None) -> bytes:
    order = ">" if uid == BIG else "<"
    return struct.pack(order + "HHI", 0xFFFE, 0xE000, len(value) if length is None else length) + value


def delimiter(which: int, uid: str = EXPLICIT) -> bytes:
    return struct.pack((">" if uid == BIG else "<") + "HHI", 0xFFFE, which, 0)


def number(tag: int, value: int, uid: str = EXPLICIT) -> bytes:
    return element(tag, b"US", struct.pack((">" if uid == BIG else "<") + "H", value), uid)


def meta(uid: str) -> bytes:
    body = element(0x00020001, b"OB", b"\0\x01") + element(0x00020010, b"UI", uid.encode())
    return bytes(128) + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(body))) + body


def head_of(uid: str = EXPLICIT, *, bits: int = 16, frames: int = 1, rows: int = 64) -> bytes:
    """A data set up to its pixel data, with sequences of both kinds and binary values in it."""
    inner = element(0x00080100, b"SH", b"T-A0100", uid) + element(
        0x00080104, b"LO", "Crâne".encode("latin-1"), uid
    )
    sequence = (
        item(inner, uid) + item(inner + delimiter(0xE00D, uid), uid, UNDEFINED) + delimiter(0xE0DD, uid)
    )
    return b"".join(
        (
            element(0x00080005, b"CS", b"ISO_IR 100", uid),
            element(0x00080018, b"UI", b"1.2.826.0.1.3680043.8.498.1", uid),
            element(0x00080060, b"CS", b"CT", uid),
            element(0x00081140, b"SQ", sequence, uid, UNDEFINED),
            element(0x00100010, b"PN", "Dupré^Hélène".encode("latin-1"), uid),
            element(0x00100020, b"LO", b"12345", uid),
            element(0x00180050, b"DS", b"1.25", uid),
            element(0x00204000, b"LT", b"a comment that is long enough to be hit " * 4, uid),
            number(0x00280002, 1, uid),
            element(0x00280004, b"CS", b"MONOCHROME2", uid),
            element(0x00280008, b"IS", str(frames).encode(), uid),
            number(0x00280010, rows, uid),
            number(0x00280011, 64, uid),
            number(0x00280100, bits, uid),
            element(0x00291010, b"OB", CHAOS.randbytes(400), uid),
            element(0x00400275, b"SQ", item(inner, uid) + item(b"", uid), uid),
        )
    )


def slice_of_ct(rows: int = 64, frames: int = 1) -> bytes:
    return b"".join(struct.pack("<H", 1000 + (n * 7 + n // 64) % 50) for n in range(64 * rows)) * frames


def native(uid: str = EXPLICIT, frames: int = 1) -> bytes:
    return (
        meta(uid) + head_of(uid, frames=frames) + element(0x7FE00010, b"OW", slice_of_ct(frames=frames), uid)
    )


def encapsulated(suffix: str, *frames: bytes, bits: int = 8, cut: int = 1) -> bytes:
    uid = suffix if suffix.startswith("1.") else ENCAPSULATED + suffix
    pieces = b""
    for frame in frames:
        step = -(-len(frame) // cut // 2) * 2
        for at in range(0, len(frame), step):
            part = frame[at : at + step]
            pieces += item(part + b"\0" * (len(part) % 2))
    value = item(b"") + pieces + delimiter(0xE0DD)
    body = head_of(bits=bits, frames=len(frames)) + element(0x7FE00010, b"OB", value, length=UNDEFINED)
    return meta(uid) + body


def noise(size: int, forbidden: bytes = b"\xff") -> bytes:
    return CHAOS.randbytes(size + size // 8).translate(None, forbidden)[:size]


def segment(code: int, body: bytes) -> bytes:
    return bytes((0xFF, code)) + struct.pack(">H", len(body) + 2) + body


def jpeg(*, lossless_ls: bool = False, restarts: bool = False, size: int = 6000) -> bytes:
    scan = noise(size) + (b"\xff\x7f" if lossless_ls else b"\xff\x00") + noise(size)
    if restarts:
        scan += b"\xff\xd0" + noise(200) + b"\xff\xd1" + noise(200)
    return b"".join(
        (
            b"\xff\xd8",
            segment(0xE0, b"JFIF\0"),
            segment(0xDD, b"\0\x04") if restarts else b"",
            b"\xff" + segment(0xF7 if lossless_ls else 0xC3, b"\x08\0@\0@\x01\x01\x11\0"),
            segment(0xDA, b"\x01\x01\0\0\0\0") + scan,
            segment(0xDA, b"\x01\x01\0\0\0\0") + noise(300),
            b"\xff\xd9",
        )
    )


def jpeg2000(*, sop: bool = False, open_ended: bool = False, size: int = 6000) -> bytes:
    packets = [
        noise(size) + b"\xff\x8f" + (b"\xff\x91\0\x04\0\0" if sop else b"") + noise(50) for _ in range(2)
    ]
    tiles = b""
    for index, packet in enumerate(packets):
        length = 0 if open_ended and index == 1 else 14 + len(packet)
        tiles += segment(0x90, struct.pack(">HIBB", index, length, 0, 1)) + b"\xff\x93" + packet
    cod = segment(0x52, bytes((2 if sop else 0, 0, 0, 1, 0, 5, 4, 4, 0, 0)))
    return b"\xff\x4f" + segment(0x51, bytes(36)) + cod + tiles + b"\xff\xd9"


def rle(*, planes: int = 1, plane: int = 64 * 64) -> bytes:
    packed = b""
    while plane:
        literal, run = min(plane, CHAOS.randint(1, 60)), CHAOS.randint(2, 60)
        packed += bytes((literal - 1,)) + CHAOS.randbytes(literal)
        plane -= literal
        if plane >= 2:
            run = min(plane, run)
            packed += bytes((257 - run, 7))
            plane -= run
    packed += b"\0" * (len(packed) % 2)
    offsets = [64 + n * len(packed) for n in range(planes)] + [0] * (15 - planes)
    return struct.pack("<16I", planes, *offsets) + packed * planes


def raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(data) + squeeze.flush()


HEALTHY = {
    "explicit": native(EXPLICIT),
    "implicit": native(IMPLICIT),
    "big endian": native(BIG),
    "three frames": native(EXPLICIT, frames=3),
    "no preamble": native()[132:],
    "no meta, explicit": native()[len(meta(EXPLICIT)) :],
    "no meta, implicit": native(IMPLICIT)[len(meta(IMPLICIT)) :],
    "no meta, big endian": native(BIG)[len(meta(BIG)) :],
    "deflated": meta(DEFLATED) + raw_deflate(head_of() + element(0x7FE00010, b"OW", slice_of_ct())) + b"\0",
    "JPEG": encapsulated("70", jpeg()),
    "JPEG, restarts": encapsulated("50", jpeg(restarts=True), jpeg()),
    "JPEG in pieces": encapsulated("57", jpeg(), cut=3),
    "JPEG frames in pieces": encapsulated("57", jpeg(), jpeg(), cut=3),
    "JPEG-LS": encapsulated("80", jpeg(lossless_ls=True)),
    "JPEG 2000": encapsulated("90", jpeg2000(), jpeg2000(open_ended=True)),
    "JPEG 2000 with SOP": encapsulated("91", jpeg2000(sop=True)),
    "HTJ2K": encapsulated("201", jpeg2000() + b"\xff"),
    "RLE": encapsulated("1.2.840.10008.1.2.5", rle(), rle()),
    "RLE 16 bit": encapsulated("1.2.840.10008.1.2.5", rle(planes=2), bits=16),
    "deflated frames": encapsulated(
        "1.2.840.10008.1.2.8.1", raw_deflate(bytes(4096)), raw_deflate(bytes(range(256)) * 16)
    ),
    "video": encapsulated("102", noise(5000)),
    "no pixels": meta(EXPLICIT) + head_of(),
    "zeros behind": native() + bytes(600),
    "trailing element": native() + element(0xFFFCFFFC, b"OB", bytes(200)),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_files_have_regions_and_no_flaw(name: str) -> None:
    data = HEALTHY[name]
    assert FORMAT.recognises(data[:4096])
    anatomy = FORMAT.dissect(Bytes(data))
    assert anatomy.flaws == ()
    spans = [(r.start, r.end) for r in anatomy.regions]
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]
    assert (spans[0][0], spans[-1][1]) == (0, len(data))
    assert anatomy.format == "dicom"


@pytest.mark.parametrize("name", HEALTHY)
def test_every_truncation_is_a_flaw_or_malformed(name: str) -> None:
    data = HEALTHY[name].rstrip(b"\0") if name in ("zeros behind", "deflated") else HEALTHY[name]
    boundary = 0
    sizes = range(1, len(data) - 1, 211)
    for size in sizes:
        try:
            anatomy = FORMAT.dissect(Bytes(data[:size]))
        except Malformed as broken:
            assert 0 <= broken.offset <= size  # noqa: PT017  either is right
            continue
        boundary += not anatomy.flaws
    # A cut between two elements leaves a shorter, healthy file: nothing in it can say so.
    assert boundary <= len(sizes) // 30 + 1


def kinds(anatomy: Anatomy) -> dict[str, Kind]:
    return {r.what: r.kind for r in anatomy.regions}


@pytest.mark.parametrize(
    ("name", "what", "kind"),
    [
        ("explicit", "pixel data", Kind.STRUCTURED),
        ("implicit", "pixel data", Kind.STRUCTURED),
        ("explicit", "preamble", Kind.OPAQUE),
        ("explicit", "binary value of (0029,1010)", Kind.OPAQUE),
        ("implicit", "binary value of (0029,1010)", Kind.OPAQUE),
        ("deflated", "deflate stream of the data set", Kind.CODED),
        ("JPEG", "JPEG pixel data", Kind.CODED),
        ("RLE", "RLE pixel data", Kind.CODED),
        ("video", "pixel data in 1.2.840.10008.1.2.4.102", Kind.OPAQUE),
    ],
)
def test_regions_are_of_the_right_kind(name: str, what: str, kind: Kind) -> None:
    assert kinds(FORMAT.dissect(Bytes(HEALTHY[name])))[what] is kind


@pytest.mark.parametrize("name", [n for n in HEALTHY if n.startswith(("JPEG", "HTJ2K", "RLE", "deflated"))])
def test_four_random_kilobytes_in_coded_pixels_are_a_flaw(name: str) -> None:
    data = HEALTHY[name]
    region = next(r for r in FORMAT.dissect(Bytes(data)).regions if r.kind is Kind.CODED)
    start = (region.start + region.end) // 2
    size = min(4096, (region.end - start) // 2)
    hit = data[:start] + CHAOS.randbytes(size) + data[start + size :]
    flaws = FORMAT.dissect(Bytes(hit)).flaws
    assert flaws
    assert all(region.start <= f.start < f.end <= region.end for f in flaws)


@pytest.mark.parametrize("uid", [EXPLICIT, IMPLICIT, BIG])
def test_text_that_is_none_is_a_flaw_where_it_stands(uid: str) -> None:
    data = native(uid)
    at = data.index(b"a comment") if uid != IMPLICIT else data.index(b"1.2.826")
    size = 64 if uid != IMPLICIT else 24
    flaws = FORMAT.dissect(Bytes(data[:at] + bytes(range(1, 1 + size)) + data[at + size :])).flaws
    assert any(f.start <= at < f.end for f in flaws) or uid == IMPLICIT


def test_long_text_without_vr_in_the_patient_groups() -> None:
    name = element(0x00100010, b"PN", CHAOS.randbytes(63) + b"\x01", IMPLICIT)
    data = meta(IMPLICIT) + element(0x00080060, b"CS", b"CT", IMPLICIT) + name
    assert "(0010,0010)" in FORMAT.dissect(Bytes(data)).flaws[0].what


def with_elements(*elements: bytes, uid: str = EXPLICIT) -> Anatomy:
    data = meta(uid) + element(0x00080060, b"CS", b"CT", uid) + b"".join(elements)
    return FORMAT.dissect(Bytes(data))


@pytest.mark.parametrize(
    ("elements", "note"),
    [
        ((element(0x00100020, b"LO", b"1"), element(0x00100010, b"PN", b"X")), "tags that do not rise"),
        ((element(0x00100010, b"PN", b"X\0Y"),), "text with NUL inside"),
        ((element(0x0020000D, b"UI", b"ab12"),), "UIDs with letters"),
        ((b"\x10\0\x20\0ZZ\0\0\4\0\0\0abcd",), "unknown VR ZZ"),
        ((b"\x10\0\x20\0\4\0\0\0abcd",), "an element without VR among those with one"),
        ((delimiter(0xE0DD),), "a delimiter that closes nothing"),
        ((element(0x7FE00010, b"OW", bytes(64)),), "pixel data without the size of its image"),
        (
            (head_of(), element(0x7FE00010, b"OW", slice_of_ct() + bytes(64))),
            "64 bytes behind the last frame",
        ),
    ],
)
def test_oddities_of_real_files_are_notes(elements: tuple[bytes, ...], note: str) -> None:
    anatomy = with_elements(*elements)
    assert anatomy.flaws == ()
    assert note in anatomy.notes


@pytest.mark.parametrize(
    ("elements", "what"),
    [
        ((head_of(), element(0x7FE00010, b"OW", slice_of_ct()[:4000])), "pixel data of 4000 bytes"),
        ((element(0x00100010, b"PN", b"X", length=900),), "does not fit"),
        ((element(0x00100010, b"\x01\x02", b"X"),), "has no VR"),
        ((element(0x00081140, b"SQ", b"\x08\0\x18\0UI\4\x001.2 "),), "no item where one is due"),
        ((item(b""),), "an item outside any sequence"),
        ((element(0x00081140, b"SQ", item(b"", length=77)),), "an item of 77 bytes"),
        ((element(0x00420011, b"OD", b"", length=UNDEFINED),), "OD of undefined length"),
        (
            (element(0x00081140, b"SQ", item(b"", length=UNDEFINED), length=UNDEFINED) * 80,),
            "nested too deep",
        ),
        ((element(0x00081140, b"SQ", b"", length=UNDEFINED),), "ends inside a sequence"),
        ((b"\x10\0",), "ends inside an element"),
    ],
)
def test_broken_structure_is_a_flaw(elements: tuple[bytes, ...], what: str) -> None:
    assert any(what in f.what for f in with_elements(*elements).flaws)


def test_after_a_break_the_walk_goes_on_at_the_pixel_data() -> None:
    for uid in (EXPLICIT, IMPLICIT, BIG):
        data = bytearray(native(uid))
        at = data.index(b"12345") - 4
        data[at : at + 4] = b"\xf0\xf1\xf2\xf3"
        anatomy = FORMAT.dissect(Bytes(bytes(data)))
        assert kinds(anatomy)["data elements that cannot be read"] is Kind.CODED
        assert anatomy.regions[-1].what == "pixel data"
        assert any(f.start <= at < f.end for f in anatomy.flaws)


def test_after_a_break_encapsulated_frames_are_still_tested() -> None:
    data = bytearray(HEALTHY["JPEG"])
    at = data.index(b"12345") - 4
    data[at : at + 4] = b"\xf0\xf1\xf2\xf3"
    assert FORMAT.dissect(Bytes(bytes(data))).regions[-1].what == "JPEG pixel data"


def test_a_length_that_leads_astray_makes_both_ends_suspect() -> None:
    data = bytearray(native())
    at = data.index(b"12345") - 2
    data[at : at + 2] = b"\x00\x11"
    flaws = FORMAT.dissect(Bytes(bytes(data))).flaws
    assert flaws[0].start == at - 6
    assert flaws[-1].start == at + 2 + 0x1100


@pytest.mark.parametrize(("vr", "code", "width"), [(b"OF", "f", 4), (b"OD", "d", 8)])
@pytest.mark.parametrize("uid", [EXPLICIT, BIG])
def test_floating_point_is_told_from_random_bytes_by_its_exponents(
    vr: bytes, code: str, width: int, uid: str
) -> None:
    order = ">" if uid == BIG else "<"
    tag = 0x7FE00008 if vr == b"OF" else 0x7FE00009
    values = [CHAOS.gauss(0.001, 3) * 10 ** CHAOS.randint(-6, 6) for _ in range(4096)]
    healthy = struct.pack(f"{order}4096{code}", *values)
    assert with_elements(element(tag, vr, healthy, uid), uid=uid).flaws == ()
    hit = bytearray(healthy)
    for at in range(width * 1024, width * 2048, 128):
        hit[at : at + 64] = CHAOS.randbytes(64)
    flaws = with_elements(element(tag, vr, bytes(hit), uid), uid=uid).flaws
    assert sum(flaw.end - flaw.start for flaw in flaws) > width * 200
    assert width * 800 < flaws[-1].end - flaws[0].start <= width * 1024
    few = with_elements(element(tag, vr, healthy[:400], uid), uid=uid)
    assert few.regions[-1].kind is Kind.OPAQUE


def test_waveforms_and_overlays_are_structured() -> None:
    wave = number(0x54001004, 16) + element(0x54001010, b"OW", bytes(400))
    found = with_elements(element(0x54000100, b"SQ", item(wave)), element(0x60003000, b"OW", bytes(512)))
    assert kinds(found)["waveform"] is Kind.STRUCTURED
    assert kinds(found)["overlay"] is Kind.STRUCTURED


def test_undefined_un_is_an_implicit_sequence() -> None:
    inner = item(element(0x00100010, b"PN", b"X", IMPLICIT)) + delimiter(0xE0DD)
    anatomy = with_elements(
        element(0x00091010, b"UN", inner, length=UNDEFINED), element(0x00100020, b"LO", b"1")
    )
    assert anatomy.flaws == ()


@pytest.mark.parametrize(
    ("frame", "suffix", "what"),
    [
        (b"\0\0" + jpeg()[2:], "70", "no JPEG start of image"),
        (jpeg()[:-2], "70", "before the end of image"),
        (jpeg() + b"abcdefgh", "70", "data behind its end"),
        (jpeg(lossless_ls=True) + b"abcdefgh", "80", "inside a scan"),
        (b"\0\0" + jpeg(lossless_ls=True)[2:], "80", "no start of image"),
        (b"\xff\xd8\xff\xe0\xff\xff" + noise(60), "70", "no segment where one must begin"),
        (jpeg(lossless_ls=True)[:-2], "80", "runs to the end"),
        (b"\xff\xd8" + segment(0xE0, b"JFIF"), "80", "without its end marker"),
        (b"\xff\xd8" + segment(0xE0, b"JFIF") + b"ab", "80", "no marker segment where one is due"),
        (b"\xff\xd8" + segment(0xDA, b"\x01"), "80", "before any frame header"),
        (b"\xff\xd8\xff\xd9" + b"abcd", "80", "behind the end of the image"),
        (jpeg(lossless_ls=True).replace(b"\xff\x7f", b"\xff\xd3"), "80", "code FFD3 inside a scan"),
        (jpeg().replace(b"\xff\x00", b"\xff\xf3"), "70", "byte stuffing is broken"),
        (b"\xff\x4f\0\0", "90", "no start of codestream"),
        (jpeg2000()[:-2], "90", "without its end marker"),
        (jpeg2000() + b"abcdefgh", "90", "data behind its end"),
        (jpeg2000().replace(b"\xff\x8f", b"\xff\x99"), "90", "above FF8F inside a packet"),
        (jpeg2000(sop=True).replace(b"\x52\0\x0c\x02", b"\x52\0\x0c\0"), "90", "above FF8F inside a packet"),
        (jpeg2000().replace(b"\0\x0a\0\0\0\0", b"\0\x0a\0\0\x7f\0"), "90", "without its end marker"),
        (b"\xff\x4f" + segment(0x51, bytes(36)) + b"ab", "90", "no tile-part"),
        (bytes(40), "1.2.840.10008.1.2.5", "too short"),
        (bytes(400), "1.2.840.10008.1.2.5", "not an RLE header"),
        (struct.pack("<16I", 2, 64, 9000, *[0] * 13) + bytes(200), "1.2.840.10008.1.2.5", "behind its frame"),
        (rle(plane=4000), "1.2.840.10008.1.2.5", "unpacks to 4000 bytes"),
        (rle() + b"abcd", "1.2.840.10008.1.2.5", "behind the end of an RLE segment"),
        (rle(plane=4096 - 128) + b"\x7fabcde", "1.2.840.10008.1.2.5", "unpacks to"),
        (raw_deflate(bytes(4096)) + b"abcd", "1.2.840.10008.1.2.8.1", "behind the end of a deflate"),
        (raw_deflate(slice_of_ct())[:-4], "1.2.840.10008.1.2.8.1", "ends early"),
        (b"\xff" * 40, "1.2.840.10008.1.2.8.1", "breaks"),
    ],
)
def test_frames_that_break_their_coding(frame: bytes, suffix: str, what: str) -> None:
    flaws = FORMAT.dissect(Bytes(encapsulated(suffix, frame))).flaws
    assert any(what in f.what for f in flaws), flaws


def test_a_deflate_bomb_in_a_frame_is_not_inflated_to_its_end() -> None:
    data = encapsulated("1.2.840.10008.1.2.8.1", raw_deflate(bytes(1 << 24)))
    assert FORMAT.dissect(Bytes(data)).flaws == ()


def test_a_fragment_with_a_wrong_header_is_a_flaw() -> None:
    data = bytearray(HEALTHY["JPEG in pieces"])
    at = data.index(b"\xfe\xff\x00\xe0", len(data) // 2)
    data[at : at + 8] = b"\x81\x92\xa3\xb4\xc5\xd6\xe7\xf8"
    flaws = FORMAT.dissect(Bytes(bytes(data))).flaws
    assert any(f.start <= at < f.end for f in flaws)


def test_limits_are_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_fragments, "MAX_FRAGMENTS", 2)
    assert "more fragments than are read" in FORMAT.dissect(Bytes(HEALTHY["JPEG in pieces"])).notes
    monkeypatch.setattr(dicom_fragments, "MAX_STREAM", 10)
    assert "too large to be tested in full" in FORMAT.dissect(Bytes(HEALTHY["JPEG-LS"])).notes
    monkeypatch.setattr(dicom_elements, "MAX_ELEMENTS", 3)
    assert "more elements than are read" in FORMAT.dissect(Bytes(HEALTHY["explicit"])).notes


FLOATS = meta(EXPLICIT) + head_of() + element(0x7FE00008, b"OF", bytes(8192))


@pytest.mark.parametrize(
    "data",
    [HEALTHY[name] for name in ("deflated", "JPEG", "JPEG-LS", "JPEG 2000", "RLE", "explicit")] + [FLOATS],
)
def test_without_effort_the_structure_is_read_and_the_rest_is_said_not_to_be(data: bytes) -> None:
    anatomy = FORMAT.dissect(Bytes(data), 10)
    assert anatomy.flaws == ()
    assert "too large to be tested in full" in anatomy.notes
    assert anatomy.regions[-1].end == len(data)


def test_a_sheet_is_bounded() -> None:
    sheet = dicom_sheet.Sheet(0)
    for at in range(0, 100_000, 10):
        sheet.claim(at + 5, at + 10, Kind.OPAQUE, "x")
        sheet.flaw(at, at, "y")
        sheet.note(f"z{at}")
    anatomy = sheet.anatomy(200_000)
    assert len(anatomy.regions) == dicom_sheet.MAX_REGIONS
    assert len(anatomy.flaws) == dicom_sheet.MAX_FLAWS
    assert len(anatomy.notes) == dicom_sheet.MAX_NOTES


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (CHAOS.randbytes(5000), 0),
        (b"", 0),
        (bytes(128) + b"DICM", 131),
        (bytes(128) + b"DICM" + b"\x02\0\0\0XX\4\0\0\0\0\0", 132),
        (bytes(128) + b"DICM" + b"\x02\0\x10\0UI\x50\x00abc", 132),
        (meta(EXPLICIT) + noise(4000), len(meta(EXPLICIT))),
        (meta(IMPLICIT) + b"\x08\0\x05\0\xff\xff\xff\x7f" + noise(4000), len(meta(IMPLICIT))),
    ],
)
def test_what_cannot_be_dicom_is_malformed(data: bytes, offset: int) -> None:
    with pytest.raises(Malformed) as caught:
        FORMAT.dissect(Bytes(data))
    assert caught.value.offset == offset


def test_an_odd_meta_group_is_read() -> None:
    body = b"\x02\0\x10\0\x14\0\0\0" + EXPLICIT.encode() + b"\0"
    wrong = element(0x00020000, b"UL", struct.pack("<I", 9)) + element(0x00020010, b"UI", b"1.2\x03\x04 ")
    rest = head_of()
    assert (
        "file meta information in implicit VR"
        in FORMAT.dissect(Bytes(bytes(128) + b"DICM" + body + rest)).notes
    )
    anatomy = FORMAT.dissect(Bytes(bytes(128) + b"DICM" + wrong + rest))
    assert "file meta information of another length than it says" in anatomy.notes
    assert "is no UID" in anatomy.flaws[0].what
    assert "no file meta information" in FORMAT.dissect(Bytes(bytes(128) + b"DICM" + rest)).notes


@pytest.mark.parametrize(("said", "written"), [(EXPLICIT, IMPLICIT), (IMPLICIT, EXPLICIT)])
def test_a_wrong_transfer_syntax_is_a_note(said: str, written: str) -> None:
    anatomy = FORMAT.dissect(Bytes(meta(said) + head_of(written)))
    assert anatomy.flaws == ()
    assert "value representations contradict the transfer syntax" in anatomy.notes


@pytest.mark.parametrize(
    "data",
    [
        meta(DEFLATED) + b"\xff" * 100,
        HEALTHY["deflated"] + b"abcdefghijkl",
        meta(DEFLATED) + raw_deflate(noise(4000)),
    ],
)
def test_a_broken_deflated_data_set_is_a_flaw(data: bytes) -> None:
    assert FORMAT.dissect(Bytes(data)).flaws


def test_other_files_are_not_recognised() -> None:
    for head in (
        b"",
        b"\x08\0",
        b"\x02\0\0\0UL\4\0",
        bytes(4096),
        b"\x08\0\x05\0\xff\xff\xff\xff" + bytes(90),
        CHAOS.randbytes(4096),
    ):
        assert not FORMAT.recognises(head)


def test_native_pixels_are_never_read_whole() -> None:
    class Watched:
        def __init__(self, data: bytes) -> None:
            self.data, self.size, self.read = data, len(data), 0

        def at(self, offset: int, length: int) -> bytes:
            part = self.data[offset : offset + length]
            self.read += len(part)
            return part

    blob = Watched(meta(EXPLICIT) + head_of(frames=100) + element(0x7FE00010, b"OW", slice_of_ct(frames=100)))
    assert FORMAT.dissect(blob).flaws == ()
    assert blob.read < 600_000 < blob.size


def test_corpus(corpus: Path) -> None:
    files = sorted((corpus / "dicom").glob("*.dcm"))
    assert len(files) >= 79
    for path in files:
        data = path.read_bytes()
        assert FORMAT.recognises(data[:4096]), path.name
        anatomy = FORMAT.dissect(Bytes(data))
        # The only one that is broken: its last fragment is cut.
        assert bool(anatomy.flaws) is path.name.endswith("too_short.dcm"), path.name
        assert anatomy.regions[-1].end == len(data)


def test_a_lost_prefix_is_blamed_and_not_the_preamble() -> None:
    whole = HEALTHY["explicit"]
    for data in (whole[:100] + CHAOS.randbytes(64) + whole[164:], b"II*\0" + CHAOS.randbytes(400)):
        with pytest.raises(Malformed) as caught:
            FORMAT.dissect(Bytes(data))
        assert caught.value.offset == 128


def test_a_wrong_rle_length_is_placed_at_the_row_where_it_began() -> None:
    rows = [bytes((63,)) + CHAOS.randbytes(64) for _ in range(64)]
    rows[40] = bytes((70,)) + CHAOS.randbytes(71)
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + b"".join(rows)
    data = encapsulated("1.2.840.10008.1.2.5", frame)
    (flaw,) = FORMAT.dissect(Bytes(data)).flaws
    torn = data.index(frame) + 64 + 40 * 65
    assert flaw.start == torn - 32


def test_a_flipped_bit_is_a_narrow_flaw_and_many_are_a_block() -> None:
    frame = jpeg(lossless_ls=True)
    flipped = frame.replace(b"\xff\x7f", b"\xff\x9f", 1)
    (flaw,) = FORMAT.dissect(Bytes(encapsulated("80", flipped))).flaws
    assert flaw.end - flaw.start == 2
    data = bytearray(encapsulated("80", frame))
    data[4996:4998], data[5096:5098] = b"\xff\xa0", b"\xff\xa1"
    (flaw,) = FORMAT.dissect(Bytes(bytes(data))).flaws
    assert (flaw.start, flaw.end) == (4096, 8192)


@pytest.mark.parametrize("uid", [EXPLICIT, IMPLICIT, BIG])
def test_three_struck_places_are_three_and_what_is_between_is_read(uid: str) -> None:
    texts = b"".join(element(0x00080020 + n, b"LO", b"a value of the header", uid) for n in range(900))
    image = b"".join(number(tag, n, uid) for tag, n in ((0x00280010, 64), (0x00280011, 64), (0x00280100, 16)))
    data = meta(uid) + texts + image + element(0x7FE00010, b"OW", slice_of_ct(), uid)
    places = (4096, 12288, 20480)
    hit = bytearray(data)
    for at in places:
        hit[at : at + 512] = CHAOS.randbytes(512)
    flaws = FORMAT.dissect(Bytes(bytes(hit))).flaws
    for at in places:
        assert any(flaw.start < at + 512 and flaw.end > at for flaw in flaws)
    assert not any(at + 640 < flaw.start < at + 7600 for at in places for flaw in flaws)


def test_behind_a_lost_fragment_header_the_next_frames_are_tested() -> None:
    frames = [jpeg() for _ in range(6)]
    data = bytearray(encapsulated("70", *frames))
    headers = [at - 8 for at in (data.find(frame) for frame in frames)]
    for at in (headers[1], headers[4]):
        data[at : at + 8] = CHAOS.randbytes(8)
    flaws = FORMAT.dissect(Bytes(bytes(data))).flaws
    assert all(any(f.start <= at < f.end for f in flaws) for at in (headers[1], headers[4]))
    assert not any(headers[2] <= f.start < headers[3] - 64 for f in flaws)
    hit = headers[2] + 5000
    data[hit : hit + 4096] = CHAOS.randbytes(4096)
    flaws = FORMAT.dissect(Bytes(bytes(data))).flaws
    assert any(f.start <= hit + 2048 < f.end for f in flaws)


def test_a_fragment_length_that_leads_astray_costs_that_fragment_only() -> None:
    frames = [jpeg() for _ in range(4)]
    data = bytearray(encapsulated("70", *frames))
    at = data.find(frames[1]) - 4
    data[at : at + 4] = struct.pack("<I", 5000)
    flaws = FORMAT.dissect(Bytes(bytes(data))).flaws
    assert "fragment with a wrong length" in {flaw.what for flaw in flaws}
    assert all(at - 4 <= flaw.start < data.find(frames[2]) for flaw in flaws)


def test_behind_a_torn_row_an_rle_segment_is_read_on() -> None:
    rows = [bytes((31,)) + CHAOS.randbytes(32) + bytes((31,)) + CHAOS.randbytes(32) for _ in range(200)]
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + b"".join(rows)
    for first, last in ((40, 44), (120, 123)):
        at = 64 + first * 66
        frame = frame[:at] + CHAOS.randbytes((last - first) * 66) + frame[64 + last * 66 :]
    value = item(b"") + item(frame) + delimiter(0xE0DD)
    body = head_of(bits=8, rows=200) + element(0x7FE00010, b"OB", value, length=UNDEFINED)
    data = meta("1.2.840.10008.1.2.5") + body
    base = data.index(frame) + 64
    flaws = FORMAT.dissect(Bytes(data)).flaws
    places = sorted((edge - base + 32) // 66 for flaw in flaws for edge in (flaw.start, flaw.end))
    assert places[0] == 40
    assert places[-1] in (123, 124)
    assert not [place for place in places if 46 < place < 120]


def noisy(values: Iterable[int]) -> bytes:
    pixels = b"".join(struct.pack("<h", value) for value in values)
    return meta(EXPLICIT) + head_of(rows=512) + element(0x7FE00010, b"OW", pixels)


def test_the_noise_of_phase_images_is_healthy_and_what_was_struck_in_it_shows() -> None:
    # Signed 13-bit noise looks random to a kernel: 12 bits of chance in 16.
    data = noisy(CHAOS.randint(-3142, 3142) for _ in range(64 * 512))
    anatomy = FORMAT.dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.regions[-1].kind is Kind.CODED
    struck = bytearray(data)
    struck[20480:24576] = CHAOS.randbytes(4096)
    flaws = FORMAT.dissect(Bytes(bytes(struck))).flaws
    assert all(flaw.start >= 20480 - 64 and flaw.end <= 24576 + 64 for flaw in flaws)
    assert sum(flaw.end - flaw.start for flaw in flaws) > 3500


def test_a_lost_head_of_a_frame_costs_its_block() -> None:
    for suffix, frame in (("70", jpeg(size=9000)), ("90", jpeg2000(size=9000))):
        data = bytearray(encapsulated(suffix, frame))
        start = data.find(frame)
        data[start:4096] = CHAOS.randbytes(4096 - start)
        (flaw,) = FORMAT.dissect(Bytes(bytes(data))).flaws
        assert (flaw.start, flaw.end) == (start, start + 4096) or flaw.end == 4096
        data[start : start + len(frame)] = CHAOS.randbytes(len(frame))
        flaws = FORMAT.dissect(Bytes(bytes(data))).flaws
        assert sum(f.end - f.start for f in flaws) > 0.8 * len(frame)
        few = FORMAT.dissect(Bytes(bytes(data)), 1 << 17)
        assert few.flaws


def test_some_writers_leave_boxes_around_and_sums_behind() -> None:
    box = b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 " + b"\0\0\0\0jp2c"
    anatomy = FORMAT.dissect(Bytes(encapsulated("90", box + jpeg2000())))
    assert anatomy.flaws == ()
    assert anatomy.notes == ("JP2 boxes around a frame",)
    trailer = FORMAT.dissect(Bytes(HEALTHY["deflated"].rstrip(b"\0") + b"\x4e\xd0\x58\x45\x1a\x02\x04\0"))
    assert trailer.flaws == ()


def test_a_dicomdir_and_a_segmentation_are_read() -> None:
    record = element(0x00041400, b"UL", bytes(4)) + element(0x00041430, b"CS", b"IMAGE")
    directory = element(0x00041130, b"CS", b"VIGIE") + element(0x00041220, b"SQ", item(record) * 50)
    assert FORMAT.dissect(Bytes(meta(EXPLICIT) + directory)).flaws == ()
    packed = head_of(bits=1, rows=512) + element(0x7FE00010, b"OB", bytes(64 * 64))
    anatomy = FORMAT.dissect(Bytes(meta(EXPLICIT) + packed))
    assert anatomy.flaws == ()
    assert anatomy.regions[-1].kind is Kind.STRUCTURED


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_mutated_files_are_dissected_or_malformed(draw: st.DataObject) -> None:
    data = bytearray(HEALTHY[draw.draw(st.sampled_from(sorted(HEALTHY)))])
    for _ in range(draw.draw(st.integers(1, 6))):
        at = draw.draw(st.integers(0, len(data) - 1))
        data[at : at + 64] = draw.draw(st.binary(max_size=64))
    try:
        anatomy = FORMAT.dissect(Bytes(bytes(data)), draw.draw(st.sampled_from((0, 5000, 1 << 26))))
    except Malformed as broken:
        assert 0 <= broken.offset <= len(data)  # noqa: PT017  either is right
        return
    at = 0
    for region in anatomy.regions:
        assert at <= region.start < region.end <= len(data)
        at = region.end
    assert all(0 <= flaw.start <= flaw.end <= len(data) for flaw in anatomy.flaws)
