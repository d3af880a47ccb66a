"""What the judge makes of every office format: whole, overwritten in the patterns of attackers, and cut."""

import io
import random
import zipfile

import docx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfgen import canvas

from vigie import formats
from vigie.formats.contract import Bytes, Malformed
from vigie.judge import judge
from vigie.model import Pattern, State

LINE = "Le patient présente une fièvre à 39°, un œdème léger ; traité le 12/03.\n"
WORDS = [f"mot{number}" for number in range(4000)]


def prose(seed: int, words: int = 9000) -> str:
    dice = random.Random(seed)
    return " ".join(dice.choice(WORDS) for _ in range(words))


def opendocument() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("mimetype", "application/vnd.oasis.opendocument.text", zipfile.ZIP_STORED)
        target.writestr("content.xml", prose(1))
        target.writestr("styles.xml", prose(2, 2000))
        target.writestr("META-INF/manifest.xml", "<manifest/>")
    return out.getvalue()


def word() -> bytes:
    document = docx.Document()
    for number in range(60):
        document.add_paragraph(prose(number, 200))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def report() -> bytes:
    out = io.BytesIO()
    page = canvas.Canvas(out)
    for number in range(12):
        text = page.beginText(40, 800)
        text.textLines([prose(number * 60 + line, 12) for line in range(60)])
        page.drawText(text)
        page.showPage()
    page.save()
    return out.getvalue()


def mail() -> bytes:
    head = "From: a@b.fr\nTo: c@d.fr\nSubject: résultats\nDate: Mon, 2 Mar 2026 08:00:00 +0100\n\n"
    return (head + LINE * 300).encode()


MADE: dict[str, bytes] = {
    "letter.odt": opendocument(),
    "letter.docx": word(),
    "report.pdf": report(),
    "letter.rtf": b"{\\rtf1\\ansi " + LINE.encode("cp1252") * 300 + b"}",
    "letter.eml": mail(),
    "page.html": f"<!DOCTYPE html><html>{f'<p>{LINE}' * 300}</html>".encode(),
    "tool.py": f"# {LINE}".encode() * 300,
    "table.csv": b"nom;ville\nDupont;Lyon\n" * 1000,
    "notes.txt": (LINE * 300).encode("cp1252"),
    "notes.xml": f"<a>{f'<b>{LINE}</b>' * 300}</a>".encode(),
    "notes.json": ("[" + ", ".join(['"' + LINE.strip() + '"'] * 300) + "]").encode(),
}
PACKED = ("letter.odt", "letter.docx", "report.pdf")


def struck(data: bytes, on: int, period: int, start: int = 0, end: int | None = None) -> bytes:
    hit, dice = bytearray(data), random.Random(on * period + start)
    for at in range(start, len(data) if end is None else end, period):
        stop = min(at + on, len(data))
        hit[at:stop] = dice.randbytes(stop - at)
    return bytes(hit)


@pytest.mark.parametrize("name", MADE)
def test_whole_they_are_intact(name: str) -> None:
    data = MADE[name]
    assert len(data) > 9000
    verdict = judge(Bytes(data), name)
    assert verdict.state is State.INTACT
    promise = formats.by_name(name)
    assert promise is not None
    assert verdict.format == promise.format.name


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(
    ("on", "period", "start", "end"),
    [
        (1 << 30, 1 << 30, 0, 1),
        (4096, 1 << 30, 0, 1),
        (64, 192, 0, None),
        (16, 32, 0, None),
    ],
    ids=["whole", "head", "64 on 128 off", "16 on 16 off"],
)
def test_overwritten_they_are_encrypted(name: str, on: int, period: int, start: int, end: int | None) -> None:
    verdict = judge(Bytes(struck(MADE[name], on, period, start, end)), name)
    assert verdict.state is State.ENCRYPTED
    if on > 1 << 20:
        assert verdict.pattern is Pattern.FULL


@pytest.mark.parametrize("name", MADE)
def test_one_block_in_the_middle_is_found(name: str) -> None:
    data = MADE[name]
    at = len(data) // 2 // 4096 * 4096
    verdict = judge(Bytes(struck(data, 4096, 1 << 30, at, at + 1)), name)
    if name in PACKED:
        # Inside one deflate stream zlib may fall into step again: then only the checksum of all of it tells,
        # and not where.
        assert verdict.state in (State.ENCRYPTED, State.DAMAGED)
        return
    assert verdict.state is State.ENCRYPTED
    assert all(at - 64 <= r.start < r.end <= at + 4096 + 64 for r in verdict.ranges)


@given(st.sampled_from(sorted(MADE)), st.integers(0, 40_000), st.binary(max_size=60))
@settings(max_examples=120, deadline=None)
def test_cut_and_scratched_they_never_crash(name: str, size: int, scratch: bytes) -> None:
    data = MADE[name][:size]
    data = data[: size // 2] + scratch + data[size // 2 + len(scratch) :]
    promise = formats.by_name(name)
    assert promise is not None
    for effort in (4096, 1 << 20):
        try:
            anatomy = promise.format.dissect(Bytes(data), effort)
        except Malformed as broken:
            assert 0 <= broken.offset <= len(data)  # noqa: PT017  either is right
            continue
        edges = [edge for region in anatomy.regions for edge in (region.start, region.end)]
        assert edges == sorted(edges)
        assert all(0 <= edge <= len(data) for edge in edges)
        assert all(0 <= flaw.start <= flaw.end <= len(data) for flaw in anatomy.flaws)
