"""Documents, messages, archives and databases, made by the libraries and programs that make real ones."""

import base64
import bz2
import csv as tables
import gzip as gz
import io
import json as stdlib_json
import lzma
import math
import sqlite3
import struct
import tarfile
import wave
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, datetime
from email.message import EmailMessage
from random import Random
from xml.sax.saxutils import escape

import making_images
import numpy as np
import zstandard
from docx import Document
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from vigie.drill.practice import exchange, hl7v2, hprim
from vigie.drill.practice.draft import Draft
from vigie.drill.practice.people import Patient, doctors, patients

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 14, 5)  # noqa: DTZ001 - the practice lives in local time
ODF = "urn:oasis:names:tc:opendocument:xmlns"
_VOWELS, _CONSONANTS = "aeiouéèêàôi", "bcdfglmnprstvlrnst"


def _lexicon() -> list[str]:
    dice = Random(1)
    return [
        "".join(dice.choice(_CONSONANTS) + dice.choice(_VOWELS) for _ in range(dice.randint(1, 4)))
        for _ in range(3000)
    ]


LEXICON = _lexicon()


def words(dice: Random, count: int) -> list[str]:
    """Invented words that repeat as those of a language do (Zipf), so that text compresses as text does."""
    picks = (np.random.default_rng(dice.getrandbits(32)).zipf(1.3, count) - 1) % len(LEXICON)
    return [LEXICON[pick] for pick in picks]


def prose(dice: Random, size: int) -> str:
    """About `size` bytes of paragraphs."""
    found = words(dice, size // 5 + 8)
    out, at = [], 0
    while at < len(found):
        length = dice.randint(6, 16)
        out.append(
            " ".join(found[at : at + length]).capitalize()
            + dice.choice((". ", ". ", ".\n", " ;\n", " 3,5 µg/l.\n\n"))
        )
        at += length
    return "".join(out)


def text(dice: Random, size: int) -> bytes:
    return prose(dice, size).encode()


def latin1(dice: Random, size: int) -> bytes:
    return prose(dice, size).encode("cp1252")


def utf16(dice: Random, size: int) -> bytes:
    return prose(dice, size // 2).encode("utf-16")


def markdown(dice: Random, size: int) -> bytes:
    return "".join(
        f"# {n}\n\n{prose(dice, 900)}\n\n- un\n- deux\n\n" for n in range(size // 950 + 1)
    ).encode()


def html(dice: Random, size: int) -> bytes:
    body = "".join(f'<h2>{n}</h2>\n<p class="x">{prose(dice, 800)}</p>\n' for n in range(size // 850 + 1))
    return (
        f'<!DOCTYPE html>\n<html lang="fr"><head><title>x</title></head><body>{body}</body></html>\n'.encode()
    )


def rtf(dice: Random, size: int) -> bytes:
    body = prose(dice, size).replace("\n", "\\par\n").encode("cp1252")
    body = b"".join(b"\\'%02x" % byte if byte > 126 else bytes([byte]) for byte in body)
    return b"{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0 Arial;}}\n" + body + b"}"


def source(dice: Random, size: int) -> bytes:
    lines = [
        f'def f{n}(x: int) -> int:\n    """{" ".join(words(dice, 6))}."""\n    return x * {n}\n\n\n'
        for n in range(size // 90 + 1)
    ]
    return "".join(lines).encode()


def _rows(dice: Random, count: int) -> Iterator[tuple[str, ...]]:
    found = words(dice, 2 * count)
    for number in range(count):
        day = f"2026-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"
        yield str(number), found[2 * number], found[2 * number + 1], day, f"{dice.gauss(5, 2):.2f}"


def csv(dice: Random, size: int) -> bytes:
    out = io.StringIO()
    into = tables.writer(out, delimiter=";")
    into.writerow(("id", "nom", "analyse", "date", "valeur"))
    into.writerows(_rows(dice, size // 34 + 1))
    return out.getvalue().encode()


def json(dice: Random, size: int) -> bytes:
    keys = ("id", "nom", "analyse", "date", "valeur")
    return stdlib_json.dumps(
        [dict(zip(keys, row, strict=True)) for row in _rows(dice, size // 100 + 1)],
        ensure_ascii=False,
        indent=1,
    ).encode()


def xml(dice: Random, size: int) -> bytes:
    rows = "".join(
        f"<r i='{i}'><n>{escape(n)}</n><a>{a}</a><d>{d}</d><v>{v}</v></r>\n"
        for i, n, a, d, v in _rows(dice, size // 78 + 1)
    )
    return f"<?xml version='1.0' encoding='UTF-8'?>\n<t xmlns='urn:x'>\n{rows}</t>\n".encode()


def _somebody(dice: Random) -> Patient:
    return dice.choice(patients(dice, 12, doctors(dice), TODAY))


def _gathered(make: Callable[[Patient, datetime, Random], Draft], dice: Random, size: int) -> bytes:
    patient, out = _somebody(dice), b""
    while len(out) < size:
        out += make(patient, NOW, dice).data
    return out


def hl7(dice: Random, size: int) -> bytes:
    return _gathered(hl7v2.document, dice, size)


def hl7_pdf(dice: Random, size: int) -> bytes:
    """A result message that carries its PDF in base64 (OBX-5, ED)."""
    head = hl7v2.document(_somebody(dice), NOW, dice).data.rstrip(b"\r\n")
    return (
        head
        + b"\rOBX|99|ED|11502-2^CR^LN||^AP^^Base64^"
        + base64.b64encode(pdf(dice, size * 3 // 4))
        + b"||||||F\r"
    )


def hprim_letter(dice: Random, size: int) -> bytes:
    made = hprim.document(_somebody(dice), NOW, dice).data
    head, _, tail = made.partition(b"\r\n\r\n")
    filling = "".join(f"{line}\r\n" for line in prose(dice, max(64, size - len(made))).splitlines())
    return head + b"\r\n\r\n" + filling.encode("latin-1") + tail if tail else made


def fhir(dice: Random, size: int) -> bytes:
    entries: list[object] = []
    while len(stdlib_json.dumps(entries)) < size:
        bundle = stdlib_json.loads(exchange.fhir_document(_somebody(dice), NOW, dice).data)
        entries += bundle["entry"]
    return stdlib_json.dumps({**bundle, "entry": entries}, ensure_ascii=False, indent=1).encode()


def cda(dice: Random, size: int) -> bytes:
    made = exchange.cda_document(_somebody(dice), NOW, dice).data
    body = "".join(f"<paragraph>{escape(line)}</paragraph>\n" for line in prose(dice, size).splitlines())
    at = made.rfind(b"</text>")
    return made[:at] + body.encode() + made[at:]


def pdf(dice: Random, size: int) -> bytes:
    out = io.BytesIO()
    page = Canvas(out, pagesize=A4, pageCompression=1, invariant=1)
    for _ in range(max(1, size // 1700)):
        lines = page.beginText(40, 800)
        lines.textLines(prose(dice, 3400).splitlines())
        page.drawText(lines)
        page.showPage()
    page.save()
    return out.getvalue()


def pdf_scanned(dice: Random, size: int) -> bytes:
    out = io.BytesIO()
    page = Canvas(out, pagesize=A4, invariant=1)
    count = max(1, size // 90_000)
    for _ in range(count):
        page.drawImage(ImageReader(io.BytesIO(making_images.jpeg(dice, size // count))), 0, 0, 595, 842)
        page.showPage()
    page.save()
    return out.getvalue()


def docx(dice: Random, size: int) -> bytes:
    made = Document()
    for line in prose(dice, size * 2).splitlines():
        made.add_paragraph(line)
    if size > 40_000:
        made.add_picture(io.BytesIO(making_images.jpeg(dice, size // 2)))
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def _package(parts: dict[str, bytes], stored: tuple[str, ...] = ()) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as into:
        for name, data in parts.items():
            into.writestr(
                zipfile.ZipInfo(name, NOW.timetuple()[:6]),
                data,
                zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED,
            )
    return out.getvalue()


def xlsx(dice: Random, size: int) -> bytes:
    cells = "".join(
        f"<row r='{n + 1}'>"
        + "".join(f"<c t='inlineStr'><is><t>{escape(value)}</t></is></c>" for value in row)
        + "</row>"
        for n, row in enumerate(_rows(dice, size // 22 + 1))
    )
    sheet = f"<?xml version='1.0'?><worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData>{cells}</sheetData></worksheet>"
    types = (
        "<?xml version='1.0'?><Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'>"
        "<Override PartName='/xl/workbook.xml' ContentType='application/vnd.openxmlformats-officedocument"
        ".spreadsheetml.sheet.main+xml'/></Types>"
    )
    return _package(
        {
            "[Content_Types].xml": types.encode(),
            "_rels/.rels": b"<Relationships/>",
            "xl/workbook.xml": b"<workbook/>",
            "xl/worksheets/sheet1.xml": sheet.encode(),
        }
    )


def odt(dice: Random, size: int) -> bytes:
    kind = "application/vnd.oasis.opendocument.text"
    body = "".join(f"<text:p>{escape(line)}</text:p>" for line in prose(dice, size * 2).splitlines())
    content = (
        f"<?xml version='1.0'?><office:document-content xmlns:office='{ODF}:office:1.0' "
        f"xmlns:text='{ODF}:text:1.0'><office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    manifest = (
        f"<?xml version='1.0'?><manifest:manifest xmlns:manifest='{ODF}:manifest:1.0'>"
        f"<manifest:file-entry manifest:full-path='/' manifest:media-type='{kind}'/></manifest:manifest>"
    )
    return _package(
        {
            "mimetype": kind.encode(),
            "content.xml": content.encode(),
            "META-INF/manifest.xml": manifest.encode(),
        },
        stored=("mimetype",),
    )


def eml(dice: Random, size: int) -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "labo@exemple.fr", "cabinet@exemple.fr", "Résultats"
    made["Date"] = "Mon, 23 Nov 2026 14:05:00 +0100"
    made.set_content(prose(dice, size // 3))
    made.add_attachment(pdf(dice, size // 2), maintype="application", subtype="pdf", filename="cr.pdf")
    made.set_boundary("=-exemple-=")
    return made.as_bytes()


def _mixed(dice: Random, size: int) -> Iterator[tuple[str, bytes]]:
    for number in range(max(2, min(12, size // 8000))):
        part = size // max(2, min(12, size // 8000))
        yield f"dossier/lettre{number}.txt", text(dice, part * 2)
        if number % 3 == 2:
            yield f"dossier/photo{number}.jpg", making_images.jpeg(dice, part)


def zipped(dice: Random, size: int) -> bytes:
    return _package(dict(_mixed(dice, size)))


def zip_stored(dice: Random, size: int) -> bytes:
    parts = dict(_mixed(dice, size // 2))
    return _package(parts, stored=tuple(parts))


def tar(dice: Random, size: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as into:
        for name, data in _mixed(dice, size // 2):
            item = tarfile.TarInfo(name)
            item.size, item.mtime = len(data), int(NOW.timestamp())
            into.addfile(item, io.BytesIO(data))
    return out.getvalue()


def gzip(dice: Random, size: int) -> bytes:
    return gz.compress(csv(dice, size * 3), mtime=0)


def bzip2(dice: Random, size: int) -> bytes:
    return bz2.compress(csv(dice, size * 4))


def xz(dice: Random, size: int) -> bytes:
    return lzma.compress(csv(dice, size * 4))


def zstd(dice: Random, size: int) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(csv(dice, size * 3))


def sqlite(dice: Random, size: int) -> bytes:
    with sqlite3.connect(":memory:") as db:
        db.execute(
            "CREATE TABLE resultat (id INTEGER PRIMARY KEY, nom TEXT, analyse TEXT, jour TEXT, valeur REAL)"
        )
        db.executemany("INSERT INTO resultat VALUES (?, ?, ?, ?, ?)", _rows(dice, size // 50 + 1))
        db.execute("CREATE INDEX par_nom ON resultat (nom)")
        db.commit()
        return db.serialize()


def sqlite_blobs(dice: Random, size: int) -> bytes:
    """A viewer's local store: a table whose rows hold JPEG thumbnails."""
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE TABLE vignette (id INTEGER PRIMARY KEY, image BLOB)")
        for number in range(max(2, size // 9000)):
            db.execute("INSERT INTO vignette VALUES (?, ?)", (number, making_images.jpeg(dice, 8000)))
        db.commit()
        return db.serialize()


def dbase(dice: Random, size: int) -> bytes:
    """A dBase III table: header, field descriptors, records of fixed length (no memo)."""
    fields = (("NOM", 24), ("ANALYSE", 24), ("JOUR", 10), ("VALEUR", 8))
    length = 1 + sum(wide for _, wide in fields)
    rows = list(_rows(dice, size // length + 1))
    head = struct.pack("<BBBBIHH20x", 3, 126, 11, 23, len(rows), 32 + 32 * len(fields) + 1, length)
    heads = b"".join(struct.pack("<11sc4xBB14x", name.encode(), b"C", wide, 0) for name, wide in fields)
    body = b"".join(
        b" "
        + b"".join(
            value.encode("cp1252")[:wide].ljust(wide)
            for (_, wide), value in zip(fields, row[1:], strict=True)
        )
        for row in rows
    )
    return head + heads + b"\r" + body + b"\x1a"


def wav(dice: Random, size: int) -> bytes:
    """A dictation: two tones under an envelope, with the hiss of a microphone; 16 bits, mono."""
    count = size // 2
    time = np.arange(count) / 16_000
    voice = np.sin(2 * math.pi * 140 * time) + 0.5 * np.sin(2 * math.pi * 410 * time + np.sin(3 * time))
    hiss = np.random.default_rng(dice.getrandbits(32)).normal(0, 90, count)
    samples = (voice * (1 + np.sin(2 * time)) * 4000 + hiss).astype("<i2")
    out = io.BytesIO()
    with wave.open(out, "wb") as into:
        into.setnchannels(1)
        into.setsampwidth(2)
        into.setframerate(16_000)
        into.writeframes(samples.tobytes())
    return out.getvalue()
