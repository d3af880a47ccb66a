"""PDF: what writers produce is believed; streams, text and cross-references are tested."""

import io
import random
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image
from reportlab.lib import pdfencrypt
from reportlab.pdfgen import canvas

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.office import pdf, pdf_objects
from vigie.formats.office.pdf import FORMAT, dissect
from vigie.formats.office.pdf_filters import lzw, run_lengths
from vigie.formats.office.pdf_text import BREAKS, survey
from vigie.judge import judge
from vigie.model import Anatomy, Charset, Kind, State

TEXT = b" ".join(b"(%x) Tj" % (n * n) for n in range(3000))


def build(*objects: bytes, trailer: bytes = b"", prefix: bytes = b"", binary: bool = True) -> bytes:
    """A file of these objects, with a true cross-reference table."""
    out = bytearray(prefix + b"%PDF-1.7\n" + (b"%\xe2\xe3\xcf\xd3\n" if binary else b""))
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    out += b"trailer\n<< /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        trailer,
        start,
    )
    return bytes(out)


def stream(data: bytes, extra: bytes = b"/Filter /FlateDecode", length: bytes = b"") -> bytes:
    return b"<< /Length %b %b >>\nstream\n%b\nendstream" % (length or b"%d" % len(data), extra, data)


CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
FLATE = stream(zlib.compress(TEXT))


def healthy(data: bytes) -> Anatomy:
    anatomy = dissect(Bytes(data))
    assert anatomy.flaws == ()
    return anatomy


def noise(data: bytes, start: int, length: int) -> bytes:
    return data[:start] + random.Random(start).randbytes(length) + data[start + length :]


def test_every_deflate_stream_is_checked() -> None:
    data = build(CATALOGUE, FLATE, FLATE)
    assert FORMAT.recognises(data[:4096])
    anatomy = healthy(data)
    assert anatomy.notes == ()
    assert anatomy.checked == 2 * (len(zlib.compress(TEXT)) - 4)
    assert [r.kind for r in anatomy.regions] == [Kind.STRUCTURED, Kind.CODED] * 2 + [Kind.STRUCTURED]
    assert anatomy.regions[0].charset is Charset.LATIN1


@pytest.mark.parametrize("length", [b"4 0 R", b"7", b"999999", b"0"])
def test_a_length_that_is_indirect_or_wrong(length: bytes) -> None:
    data = build(
        CATALOGUE, stream(zlib.compress(TEXT), length=length), FLATE, b"%d" % len(zlib.compress(TEXT))
    )
    anatomy = healthy(data)
    assert anatomy.checked == 2 * (len(zlib.compress(TEXT)) - 4)


def test_a_photograph(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.effect_noise((300, 300), 60).convert("RGB").save(path)
    out = io.BytesIO()
    page = canvas.Canvas(out)
    page.drawImage(str(path), 0, 0)
    page.save()
    data = out.getvalue().replace(b"/ASCII85Decode ", b"")
    picture = path.read_bytes()
    data = build(CATALOGUE, stream(picture, b"/Subtype /Image /Filter [ /DCTDecode ]"))
    anatomy = healthy(data)
    assert any(r.what == "entropy-coded scan" for r in anatomy.regions)
    start = data.index(picture) + len(picture) // 2
    assert dissect(Bytes(noise(data, start, 4096))).flaws[0].what == "byte stuffing is broken in the scan"
    (flaw,) = dissect(Bytes(noise(data, data.index(picture), 2))).flaws
    assert flaw.what.startswith("no JPEG")


@pytest.mark.parametrize(
    ("name", "good"),
    [(b"/ASCII85Decode", b"87cURD]j7BEbo80~>"), (b"/AHx", b"48656C6C6F>"), (b"[/A85 /Fl]", b"z~>")],
)
def test_ascii_filters(name: bytes, good: bytes) -> None:
    data = build(CATALOGUE, stream(good * 900, b"/Filter " + name))
    healthy(data)
    middle = data.index(good) + len(good) * 450
    flaws = dissect(Bytes(noise(data, middle, 900))).flaws
    assert any(f.start < middle + 900 and f.end > middle for f in flaws)


def test_what_cannot_be_tested_is_said() -> None:
    bits = random.Random(1).randbytes(3000)
    data = build(
        CATALOGUE,
        stream(bits, b"/Filter /JBIG2Decode"),
        stream(bits, b"/Filter /Crypt"),
        stream(bits, b""),
        stream(b"<x:xmpmeta/>" * 50, b"/Type /Metadata /Subtype /XML"),
        stream(b"", b"/Filter /FlateDecode"),
        stream(zlib.compress(TEXT)[:-4]),
        stream(zlib.compress(TEXT) + b"\0\0"),
    )
    anatomy = healthy(data)
    assert "streams under JBIG2Decode are not tested" in anatomy.notes
    assert "a deflate stream without its Adler-32" in anatomy.notes
    kinds = {r.what: r.kind for r in anatomy.regions}
    assert kinds["JBIG2Decode stream of object 2"] is Kind.OPAQUE
    assert kinds["Crypt stream of object 3"] is Kind.OPAQUE
    assert kinds["unfiltered stream of object 4"] is Kind.OPAQUE
    assert kinds["XMP stream of object 5"] is Kind.STRUCTURED


def lzw_data(size: int) -> bytes:
    """LZW as TIFF has it, which is how PDF has it, from libtiff."""
    out = io.BytesIO()
    dice = random.Random(9)
    picture = Image.frombytes("L", (256, size // 256), bytes(dice.choice(b"abcdefgh  ") for _ in range(size)))
    picture.save(out, "TIFF", compression="tiff_lzw", tiffinfo={278: size // 256})
    tags = Image.open(io.BytesIO(out.getvalue())).tag_v2  # type: ignore[attr-defined] # TIFF images have it
    (start,), (length,) = tags[273], tags[279]
    return out.getvalue()[start : start + length]


def test_lzw() -> None:
    packed = lzw_data(64 * 1024)
    assert lzw(packed, early=True) in (len(packed), len(packed) - 1)
    data = build(CATALOGUE, stream(packed, b"/Filter /LZWDecode"))
    assert healthy(data).notes == ()
    start = data.index(packed)
    (flaw,) = dissect(Bytes(noise(data, start, 4096))).flaws
    assert start <= flaw.start < start + 4096
    assert lzw(b"\x80\x00\x00", early=False) is None
    assert lzw(b"", early=True) is None


def test_run_lengths() -> None:
    packed = b"\x03abcd\xf0e" * 900 + b"\x80"
    assert run_lengths(packed) == len(packed)
    assert run_lengths(packed[:-1]) is None
    data = build(CATALOGUE, stream(packed, b"/Filter [/RL]"))
    healthy(data)
    start = data.index(packed)
    (flaw,) = dissect(Bytes(noise(data, start + 700, 4096))).flaws
    assert start <= flaw.start < start + 4796


def test_jpeg_2000() -> None:
    out = io.BytesIO()
    Image.effect_noise((200, 200), 60).save(out, "JPEG2000")
    picture = out.getvalue()
    data = build(CATALOGUE, stream(picture, b"/Filter /JPXDecode"))
    healthy(data)
    middle = data.index(picture) + len(picture) // 2
    flaws = dissect(Bytes(noise(data, middle // 4096 * 4096, 4096))).flaws
    assert flaws
    assert all(f.start < middle + 8192 and f.end > middle - 4096 for f in flaws)
    (none,) = dissect(Bytes(build(CATALOGUE, stream(bytes(900), b"/Filter /JPXDecode")))).flaws
    assert none.what.startswith("no JPEG 2000")


def test_blows_in_one_stream_are_flaws_of_their_own() -> None:
    dice = random.Random(4)
    words = [b"word%d " % number for number in range(4000)]
    packed = zlib.compress(b"".join(dice.choice(words) for _ in range(400_000)))
    data = build(CATALOGUE, stream(packed))
    start = data.index(packed)
    blows = [start + len(packed) * part // 4 for part in (1, 2, 3)]
    hit = data
    for blow in blows:
        hit = noise(hit, blow, 4096)
    flaws = dissect(Bytes(hit)).flaws
    # Huffman codes fall into step again by themselves, so that one blow may pass for data.
    assert len(flaws) >= 2
    assert all(any(f.start <= blow + 4096 and f.end > blow for blow in blows) for f in flaws)
    assert sum(f.end - f.start for f in flaws) < len(packed) // 4


def test_a_struck_endstream_does_not_swallow_the_next_object() -> None:
    for length in (b"", b"9 0 R"):
        data = build(CATALOGUE, stream(zlib.compress(TEXT), length=length), FLATE)
        place = data.index(b"endstream")
        hit = data[:place] + b"\x01nds\x02ream" + data[place + 9 :]
        anatomy = dissect(Bytes(hit))
        assert any(r.what == "deflate stream of object 3" for r in anatomy.regions)
        assert anatomy.checked >= len(zlib.compress(TEXT)) - 4
        assert any("no endstream" in flaw.what for flaw in anatomy.flaws)


def test_with_little_effort_both_ends_are_tested_and_the_file_is_not_called_broken() -> None:
    objects = [stream(zlib.compress(TEXT)) for _ in range(60)]
    data = build(CATALOGUE, *objects)
    hurried = dissect(Bytes(data), 1_200_000)
    assert hurried.flaws == ()
    assert "too long to test all streams" in hurried.notes
    assert 0 < hurried.checked < healthy(data).checked
    last = data.rindex(zlib.compress(TEXT))
    assert dissect(Bytes(noise(data, last + 2, 900)), 1_200_000).flaws
    glance = dissect(Bytes(data), 4096)
    assert glance.flaws == ()
    assert "too many objects, or too long: the rest is not tested" in glance.notes


def test_very_many_regions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MOST", 7)
    anatomy = healthy(build(CATALOGUE, *[FLATE] * 9))
    assert len(anatomy.regions) == 7
    assert all(r.kind is Kind.STRUCTURED for r in anatomy.regions)


def test_linearised_files_have_two_tables() -> None:
    first = b"%PDF-1.4\n1 0 obj\n<< /Linearized 1 /L 9 /O 3 >>\nendobj\n"
    table = b"xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 4 /Prev %d >>\nstartxref\n0\n%%%%EOF\n"
    objects = b"2 0 obj\n" + FLATE + b"\nendobj\n"
    later = len(first) + len(table % 99999) + len(objects)
    head = first + (table % later).replace(b"%%%%", b"%%").ljust(len(table % 99999)) + objects
    data = head + b" " * (later - len(head)) + b"xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 4 >>\n"
    assert healthy(data + b"startxref\n%d\n%%%%EOF\n" % len(first)).notes == ()


def test_the_flaw_is_in_the_stream_that_was_hit() -> None:
    data = build(CATALOGUE, FLATE, FLATE)
    start = data.index(zlib.compress(TEXT))
    (flaw,) = dissect(Bytes(noise(data, start + 5000, 2000))).flaws
    assert start <= flaw.start < start + 7000
    assert flaw.end == start + len(zlib.compress(TEXT))
    packed = zlib.compress(TEXT)
    for bad, what in (
        (packed[:-4] + b"abcd", "Adler-32"),
        (b"\xff\xff" + packed[2:], "no zlib header"),
        (packed[:4000], "has no end"),
        (packed + bytes(200), "bytes behind the end"),
    ):
        (flaw,) = dissect(Bytes(build(CATALOGUE, stream(bad)))).flaws
        assert what in flaw.what


@pytest.mark.parametrize("strength", [40, 128])
def test_a_password_hides_the_streams(strength: int) -> None:
    out = io.BytesIO()
    lock = pdfencrypt.StandardEncryption("user", "owner", strength=strength)
    page = canvas.Canvas(out, encrypt=lock)
    page.setTitle("A title that is long enough to be encrypted as a string of its own " * 5)
    page.drawString(9, 9, "hello")
    page.save()
    anatomy = healthy(out.getvalue())
    assert anatomy.notes == ("encrypted by password",)
    assert not any(r.kind is Kind.CODED for r in anatomy.regions)


def test_encrypted_strings_are_left_out_of_what_is_structured() -> None:
    secret = random.Random(1).randbytes(400).translate(None, b"()\\")
    data = build(CATALOGUE, b"<< /Title (" + secret + b") >>", trailer=b"/Encrypt 3 0 R")
    anatomy = healthy(data)
    start = data.index(secret)
    assert not any(r.start < start + len(secret) and start < r.end for r in anatomy.regions)


def test_an_encryption_dictionary_without_its_trailer() -> None:
    bits = random.Random(1).randbytes(900)
    data = build(CATALOGUE, stream(bits), b"<< /Filter /Standard /V 4 >>")
    assert dissect(Bytes(data)).notes == ("encrypted by password",)


def xref_stream(first: bytes, more: bytes = b"") -> bytes:
    head = b"%PDF-1.5\n1 0 obj\n" + CATALOGUE + b"\nendobj\n" + first
    body = stream(zlib.compress(bytes(40)), b"/Type /XRef /W [1 2 1] /Size 4 /Filter /FlateDecode " + more)
    return head + b"9 0 obj\n" + body + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(head)


def test_cross_reference_streams() -> None:
    assert healthy(xref_stream(b"2 0 obj\n" + FLATE + b"\nendobj\n")).notes == ()
    bits = random.Random(1).randbytes(900)
    locked = xref_stream(b"2 0 obj\n" + stream(bits) + b"\nendobj\n", b"/Encrypt 5 0 R")
    anatomy = healthy(locked)
    assert anatomy.notes == ("encrypted by password",)
    assert anatomy.checked > 0


def test_revisions_and_loops() -> None:
    first = build(CATALOGUE, FLATE)
    place = first.rindex(b"startxref\n") + 10
    before = int(first[place:].split()[0])
    second = b"3 0 obj\n" + FLATE + b"\nendobj\n"
    table = len(first) + len(second)
    update = second + b"xref\n3 1\n%010d 00000 n \ntrailer\n<< /Prev %d /XRefStm %d >>\n" % (
        len(first),
        before,
        table,
    )
    data = first + update + b"startxref\n%d\n%%%%EOF\n" % table
    assert healthy(data).notes == ()
    lost = data.replace(b"/Prev %d" % before, b"/Prev 3")
    assert "byte 3 should hold" in healthy(lost).notes[0]


def test_a_table_that_was_hit() -> None:
    data = build(CATALOGUE, *[FLATE] * 9)
    table = data.rindex(b"\nxref") + 1
    flaws = dissect(Bytes(noise(data, table, 100))).flaws
    assert any(f.start < table + 100 and f.end > table for f in flaws)
    place = data.rindex(b"startxref") + 3
    assert any(
        f.what == "no startxref" for f in dissect(Bytes(data[:place] + b"X" + data[place + 1 :])).flaws
    )


def test_bytes_before_the_header() -> None:
    data = b"mail header\r\n" * 5 + build(CATALOGUE, FLATE)
    assert FORMAT.recognises(data[:4096])
    assert healthy(data).notes == ("65 bytes before the header",)
    assert not FORMAT.recognises(b"A page that explains %PDF-1.4 to people")
    for none in (b"", b"%PDF", random.Random(1).randbytes(9000)):
        with pytest.raises(Malformed):
            dissect(Bytes(none))


def test_cut_files() -> None:
    data = build(CATALOGUE, FLATE, FLATE)
    for place in (len(data) - 3, len(data) - 30, len(data) // 2, 200):
        flaws = dissect(Bytes(data[:place])).flaws
        assert flaws[-1].start == place


def test_a_hit_between_streams() -> None:
    filler = b"<< " + b" ".join(b"/K%d (value)" % n for n in range(900)) + b" >>"
    data = build(CATALOGUE, FLATE, filler, FLATE)
    middle = data.index(b"/K500")
    flaws = dissect(Bytes(noise(data, middle, 1000))).flaws
    assert any(f.start < middle + 1000 and f.end > middle for f in flaws)
    assert dissect(Bytes(noise(data, middle, 1000))).checked == healthy(data).checked


def test_a_lost_endobj_does_not_hide_the_next_object() -> None:
    data = build(CATALOGUE, b"<< /A 1 >>", FLATE).replace(b"<< /A 1 >>\nendobj", b"<< /A 1 >>\n      ")
    anatomy = healthy(data)
    assert any(r.what == "deflate stream of object 3" for r in anatomy.regions)


def test_strings_may_hold_anything() -> None:
    text = b"<< /ID (\x01\x02(\\)\x03)\xff) /T (plain) >> % comment \x01 ( \n /A (never closed \x80"
    found = survey(text)
    assert [text[a:b] for a, b in found.strings] == [b"(\x01\x02(\\)\x03)\xff)"]
    assert found.broken == ()
    assert survey(b"plain").strings == ()
    broken = survey(b"<< /A \x01\xff (\xff) \x02 >>").broken
    assert broken == ((6, 14),)
    far = survey(b"<< \x01 " + b"/A 1 " * 99 + b"\x02 >>").broken
    assert far == ((3, 4), (500, 501))
    assert len(survey((b"\x01" + b" " * 300) * 999).broken) == BREAKS


@pytest.mark.parametrize(
    "body",
    [
        b"1 0 obj " * 300_000,
        b"(" * 2_000_000 + b"\xff",
        b"trailer<<" * 200_000 + b"/Encrypt x",
        b"%\xff" * 1_000_000,
    ],
)
def test_hostile_text_takes_no_time(body: bytes) -> None:
    begun = time.monotonic()
    dissect(Bytes(b"%PDF-1.4\n" + body))
    assert time.monotonic() - begun < 4


def test_very_many_objects_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_objects, "OBJECTS", 5)
    anatomy = dissect(Bytes(build(CATALOGUE, *[FLATE] * 9)))
    assert anatomy.notes == ("too many objects, or too long: the rest is not tested",)
    assert anatomy.flaws == ()


def test_a_bomb_is_put_down() -> None:
    data = build(CATALOGUE, *[stream(zlib.compress(bytes(100 << 20)))] * 4)
    begun = time.monotonic()
    anatomy = healthy(data)
    assert time.monotonic() - begun < 4
    assert anatomy.notes == ("too long to test all streams",)


def test_a_random_piece_in_ascii_data_is_told_as_in_a_text() -> None:
    letters = bytes(random.Random(1).choices(range(33, 118), k=3000))
    data = build(stream(letters + b"~>", b"/Filter /ASCII85Decode"))
    start = data.index(letters) + 1200
    (region,) = (r for r in dissect(Bytes(data)).regions if r.what.startswith("ASCII"))
    assert (region.kind, region.charset) == (Kind.STRUCTURED, Charset.LATIN1)
    flipped = data[:start] + bytes([data[start] ^ 0x80]) + data[start + 1 :]
    assert judge(Bytes(flipped), "a.pdf").state is State.DAMAGED
    assert judge(Bytes(noise(data, start, 128)), "a.pdf").state is State.ENCRYPTED
