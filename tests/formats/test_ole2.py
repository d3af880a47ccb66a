"""Compound files: built here sector by sector, struck, cut, and what else their names promise."""

import random
import struct
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.office.ole2 import FORMAT, dissect
from vigie.formats.office.ole2_sectors import MAGIC
from vigie.formats.office.ole2_streams import alphabetic, compressed_rtf, plain
from vigie.model import Anatomy, Kind

FREE, END, FAT_MARK, DIFAT_MARK = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC
LETTER = "Le patient présente une fièvre à 39°, un œdème léger ; traité le 12/03.\r"


def entry(name: str, kind: int, start: int, size: int, child: int = FREE) -> bytes:
    raw = name.encode("utf-16-le") + b"\0\0"
    head = raw.ljust(64, b"\0") + struct.pack("<HBBIII", len(raw), kind, 1, FREE, FREE, child)
    return head + bytes(16) + bytes(4) + bytes(16) + struct.pack("<IQ", start, size)


def compound(streams: dict[str, bytes], *, shift: int = 9, fragmented: bool = False) -> bytes:
    """A compound file of these streams; of version 4 with sectors of 4096 bytes."""
    sector = 1 << shift
    body: list[bytes] = []
    table: list[int] = []

    def put(data: bytes) -> int:
        """Add a chain; when fragmented, each second sector is a free one."""
        first = len(body)
        parts = [data[at : at + sector].ljust(sector, b"\0") for at in range(0, len(data), sector)]
        for index, part in enumerate(parts):
            body.append(part)
            step = 2 if fragmented else 1
            table.append(END if index == len(parts) - 1 else len(body) - 1 + step)
            if fragmented:
                body.append(bytes(sector))
                table.append(FREE)
        return first if parts else END

    mini, entries = b"", b""
    mini_table: list[int] = []
    for name, data in streams.items():
        if len(data) >= 4096:
            entries += entry(name, 2, put(data), len(data))
        else:
            first = len(mini_table)
            units = -(-len(data) // 64)
            mini_table += [first + index + 1 for index in range(units - 1)] + ([END] if units else [])
            mini += data.ljust(units * 64, b"\0")
            entries += entry(name, 2, first if units else END, len(data))
    root = entry("Root Entry", 5, put(mini), len(mini), child=1)
    directory = put((root + entries).ljust(-(-(len(root + entries)) // sector) * sector, b"\0"))
    mini_fat = put(struct.pack(f"<{len(mini_table)}I", *mini_table)) if mini_table else END
    per = sector // 4
    fats = -(-len(table) // per)
    while True:  # the table describes its own sectors, and those of the DIFAT
        difats = max(0, -(-(fats - 109) // (per - 1)))
        if -(-(len(table) + fats + difats) // per) == fats:
            break
        fats += 1
    first_fat = len(table)
    table += [FAT_MARK] * fats + [DIFAT_MARK] * difats
    table += [FREE] * (fats * per - len(table))
    numbers = list(range(first_fat, first_fat + fats))
    extra = b""
    for index in range(difats):
        part = numbers[109 + index * (per - 1) : 109 + (index + 1) * (per - 1)]
        following = first_fat + fats + index + 1 if index < difats - 1 else END
        extra += struct.pack(f"<{per}I", *part, *[FREE] * (per - 1 - len(part)), following)
    header = (
        MAGIC + bytes(16) + struct.pack("<HHHHH", 0x3E, 3 if shift == 9 else 4, 0xFFFE, shift, 6) + bytes(6)
    )
    header += struct.pack(
        "<IIIIIIIII", 0, fats, directory, 0, 4096, mini_fat, 1, first_fat + fats if difats else END, difats
    )
    header += struct.pack("<109I", *numbers[:109], *[FREE] * (109 - len(numbers[:109])))
    fat = struct.pack(f"<{fats * per}I", *table)
    return header.ljust(sector, b"\0") + b"".join(body) + fat + extra


def biff(records: int, *, locked: bool = False) -> bytes:
    dice = random.Random(7)
    out = struct.pack("<HHHHHHII", 0x809, 16, 0x600, 5, 0, 0, 0, 0)
    if locked:
        out += struct.pack("<HH", 0x2F, 54) + dice.randbytes(54)
    for number in range(records):
        out += struct.pack("<HHHHHd", 0x203, 14, number & 0xFFFF, number % 50, 15, number / 7)
    return out + struct.pack("<HH", 0x0A, 0) + bytes(300)


def slides(pictures: int = 0) -> bytes:
    if pictures:
        dice = random.Random(8)
        return b"".join(
            struct.pack("<HHI", 0x46A0, 0xF01D, 9000) + dice.randbytes(9000) for _ in range(pictures)
        )
    text = struct.pack("<HHI", 0, 0x0FA8, 700) + b"t" * 700
    return struct.pack("<HHI", 15, 1000, 40 * len(text)) + text * 40


def document(text: str, *, wide: bool, locked: bool = False) -> dict[str, bytes]:
    """WordDocument and 1Table with one piece of text (MS-DOC 2.4.1)."""
    data = text.encode("utf-16-le" if wide else "cp1252")
    fib = bytearray(0x800)
    struct.pack_into("<HH", fib, 0, 0xA5EC, 0xC1)
    struct.pack_into("<H", fib, 0x0A, 0x0200 | (0x0100 if locked else 0))
    place = 0x800 if wide else 0x800 * 2 | 0x40000000
    piece = struct.pack("<II", 0, len(text)) + struct.pack("<HIH", 0, place, 0)
    clx = b"\x01\x02\x00ab" + b"\x02" + struct.pack("<I", len(piece)) + piece
    struct.pack_into("<II", fib, 0x1A2, 1000, len(clx))
    return {"WordDocument": bytes(fib) + data, "1Table": (bytes(1000) + clx).ljust(5000, b"\0")}


USER = struct.pack("<HHIIIHHHBBI", 0, 0xFF6, 28, 0x14, 0xE391C05F, 4, 8, 0x3F4, 3, 0, 0)
LOCKED_USER = USER.replace(struct.pack("<I", 0xE391C05F), struct.pack("<I", 0xF3D1C4DF))
RTF = bytes.fromhex(  # the example of MS-OXRTFCP 4.1.1
    "2d0000002b0000004c5a4675f1c5c7a703000a0072637067313235423"
    + "20af32068656c09002062770 5b06c647d0a800fa0".replace(" ", "")
)
MAIL = {
    "__properties_version1.0": bytes(32),
    "__substg1.0_1000001F": (LETTER * 60).encode("utf-16-le"),
    "__substg1.0_0037001E": b"a subject",
    "__substg1.0_10090102": RTF,
}
SAMPLES: dict[str, dict[str, bytes]] = {
    "a Word document": document(LETTER * 200, wide=True),
    "an Excel workbook": {"Workbook": biff(3000), "\x05SummaryInformation": b"\xfe\xff" + bytes(200)},
    "a PowerPoint presentation": {
        "PowerPoint Document": slides(),
        "Current User": USER,
        "Pictures": slides(9),
    },
    "an Outlook message": MAIL,
}


def healthy(data: bytes) -> Anatomy:
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    at = 0
    for region in anatomy.regions:
        assert at <= region.start < region.end <= len(data)
        at = region.end
    return anatomy


def noise(data: bytes, spans: Iterator[tuple[int, int]]) -> bytes:
    hit, dice = bytearray(data), random.Random(3)
    for start, length in spans:
        end = min(start + length, len(data))
        hit[start:end] = dice.randbytes(end - start)
    return bytes(hit)


@pytest.mark.parametrize("fragmented", [False, True])
@pytest.mark.parametrize("shift", [9, 12])
@pytest.mark.parametrize("kind", SAMPLES)
def test_the_kind_is_known_by_its_streams(kind: str, shift: int, *, fragmented: bool) -> None:
    anatomy = healthy(compound(SAMPLES[kind], shift=shift, fragmented=fragmented))
    assert anatomy.notes == (kind,)
    assert anatomy.regions[0].what == "header"


def test_texts_are_structured() -> None:
    for wide in (True, False):
        data = compound(document(LETTER * 200, wide=wide))
        regions = [r for r in healthy(data).regions if r.what == "text"]
        assert sum(r.end - r.start for r in regions) == len(LETTER) * 200 * (2 if wide else 1)
        place = data.index(LETTER.encode("utf-16-le" if wide else "cp1252"))
        assert regions[0].start == place
        assert regions[0].kind is Kind.STRUCTURED
    chinese = document("患者主诉发热三天伴咳嗽入院查体" * 300, wide=True)
    assert not any(r.what == "text" for r in healthy(compound(chinese)).regions)
    assert not alphabetic("患者主诉发热".encode("utf-16-le") * 99)
    assert alphabetic(random.Random(1).randbytes(4096))


@pytest.mark.parametrize("text", [LETTER, "患者主诉发热三天伴咳嗽入院查体"])
def test_the_strings_of_a_workbook_are_structured_unless_they_are_chinese(text: str) -> None:
    packed = b"".join(struct.pack("<HB", len(text), 1) + text.encode("utf-16-le") for _ in range(220))
    parts = [packed[at : at + 8000] for at in range(0, len(packed), 8000)]
    strings = b"".join(
        struct.pack("<HH", 0x3C if n else 0xFC, len(part)) + part for n, part in enumerate(parts)
    )
    data = compound({"Workbook": biff(300)[:-304] + strings + biff(10)})
    regions = [r for r in healthy(data).regions if r.what == "strings of the cells"]
    assert sum(r.end - r.start for r in regions) == (len(strings) if text == LETTER else 0)
    assert not plain(b"")


def test_the_body_of_a_mail_is_checked() -> None:
    assert compressed_rtf(RTF) is True
    assert compressed_rtf(RTF[:-1]) is None
    assert compressed_rtf(b"short") is None
    assert compressed_rtf(RTF[:8] + b"MELA" + RTF[12:]) is None
    assert healthy(compound(MAIL)).checked == len(RTF)
    (flaw,) = dissect(Bytes(compound(MAIL).replace(RTF[20:30], bytes(10)))).flaws
    assert flaw.checksum


@pytest.mark.parametrize(
    ("streams", "note"),
    [
        ({"Workbook": biff(900, locked=True)}, "encrypted by password"),
        ({"Book": biff(900, locked=True)}, "encrypted by password"),
        (document(LETTER * 200, wide=True, locked=True), "encrypted by password"),
        (
            {"PowerPoint Document": random.Random(1).randbytes(9000), "Current User": LOCKED_USER},
            "encrypted by password",
        ),
        ({"EncryptedPackage": random.Random(2).randbytes(9000)}, "encrypted on purpose"),
    ],
)
def test_passwords_are_noted_and_not_held_against_a_file(streams: dict[str, bytes], note: str) -> None:
    anatomy = healthy(compound(streams))
    assert any(words.startswith(note) for words in anatomy.notes)


def test_an_installer_is_known_by_its_class() -> None:
    data = compound({"䡀㬿䏲䐸䖱": bytes(5000)})
    root = data.index("Root Entry".encode("utf-16-le"))
    clsid = bytes.fromhex("84100c0000000000c000000000000046")
    assert healthy(data[: root + 80] + clsid + data[root + 96 :]).notes == ("a Windows installer",)
    assert healthy(data).notes == ()


def test_many_sectors_need_a_difat() -> None:
    data = compound({"Contents": bytes(512 * 128 * 112)})
    anatomy = healthy(data)
    assert any(r.what == "DIFAT sector" for r in anatomy.regions)
    place = next(r for r in anatomy.regions if r.what == "DIFAT sector").start
    assert dissect(Bytes(noise(data, iter([(place, 64)])))).flaws


@pytest.mark.parametrize("name", ["Workbook", "PowerPoint Document", "Pictures"])
def test_three_blows_are_three_flaws(name: str) -> None:
    stream = {"Workbook": biff(40_000), "PowerPoint Document": slides() * 40, "Pictures": slides(90)}[name]
    streams = {name: stream}
    if name != "Workbook":
        streams |= {"PowerPoint Document": streams.get("PowerPoint Document", slides()), "Current User": USER}
    data = compound(streams)
    start = data.index(stream[:600])
    blows = [start + len(stream) * part // 4 // 4096 * 4096 for part in (1, 2, 3)]
    if name == "Pictures":  # a blow inside a picture leaves the records as they are
        blows = [start + 9008 * number - 2000 for number in (20, 40, 60)]
    flaws = dissect(Bytes(noise(data, iter([(blow, 4096) for blow in blows])))).flaws
    assert len(flaws) == 3
    slack = 9008 if name == "Pictures" else 1500
    for flaw, blow in zip(flaws, blows, strict=True):
        assert blow <= flaw.start < blow + 4096
        assert blow < flaw.end <= blow + 4096 + slack


@pytest.mark.parametrize("what", ["FAT sector", "directory sector"])
def test_struck_tables_are_flaws(what: str) -> None:
    data = compound(SAMPLES["an Excel workbook"])
    place = next(r for r in healthy(data).regions if r.what == what)
    flaws = dissect(Bytes(noise(data, iter([(place.start, 512)])))).flaws
    assert any(place.start <= flaw.start and flaw.end <= place.end for flaw in flaws)


def test_a_struck_information_block_is_a_flaw() -> None:
    data = compound(SAMPLES["a Word document"])
    start = data.index(b"\xec\xa5\xc1\0")
    assert any("information block" in f.what for f in dissect(Bytes(noise(data, iter([(start, 512)])))).flaws)


def test_crossed_and_circular_chains_end() -> None:
    data = bytearray(compound({"Workbook": biff(900), "Other": bytes(9000)}))
    table = next(r for r in healthy(bytes(data)).regions if r.what == "FAT sector")
    for number in range(60):
        struct.pack_into("<I", data, table.start + 4 * number, number // 2)
    dissect(Bytes(bytes(data)))


@pytest.mark.parametrize("kind", SAMPLES)
def test_cut_files_are_flawed(kind: str) -> None:
    data = compound(SAMPLES[kind])
    for size in range(513, len(data) - 512, 1009):
        anatomy = dissect(Bytes(data[:size]))
        assert anatomy.flaws
        assert all(0 <= f.start <= f.end <= size for f in anatomy.flaws)


@pytest.mark.parametrize("size", [0, 7, 100, 511])
def test_less_than_a_header_is_malformed(size: int) -> None:
    with pytest.raises(Malformed):
        dissect(Bytes(compound({})[:size]))


@pytest.mark.parametrize("place", [28, 30, 32])
def test_a_header_that_is_none_is_malformed(place: int) -> None:
    data = bytearray(compound({}))
    data[place] ^= 0xFF
    with pytest.raises(Malformed):
        dissect(Bytes(bytes(data)))


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"a;b;c\n" * 100, "text"),
        (b"{\\rtf1 hello}", "rtf"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "html"),
        (b"<?xml version='1.0'?><Workbook/>", "xml"),
    ],
)
def test_what_is_only_named_so_is_what_it_is(data: bytes, form: str) -> None:
    assert dissect(Bytes(data)).format == form


def test_with_little_effort_records_are_walked_in_part() -> None:
    data = compound({"Workbook": biff(9000)})
    anatomy = dissect(Bytes(data), 4096)
    assert anatomy.flaws == ()
    assert "too long to test all streams" in anatomy.notes


@given(
    st.sampled_from(sorted(SAMPLES)),
    st.lists(st.tuples(st.integers(0, 60_000), st.binary(min_size=1, max_size=60)), max_size=8),
    st.integers(0, 80_000),
)
@settings(max_examples=150, deadline=None)
def test_mutations_never_crash(kind: str, edits: list[tuple[int, bytes]], size: int) -> None:
    data = bytearray(_built(kind))
    for at, what in edits:
        data[at % len(data) : at % len(data) + len(what)] = what
    raw = bytes(data)[:size]
    try:
        anatomy = dissect(Bytes(raw), 1 << 20)
    except Malformed as broken:
        assert 0 <= broken.offset <= len(raw)  # noqa: PT017  either is right
        return
    edges = [edge for region in anatomy.regions for edge in (region.start, region.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(raw) for edge in edges)
    assert all(0 <= f.start <= f.end <= len(raw) for f in anatomy.flaws)


def _cached() -> Callable[[str], bytes]:
    built = {kind: compound(streams) for kind, streams in SAMPLES.items()}
    return built.__getitem__


_built = _cached()
