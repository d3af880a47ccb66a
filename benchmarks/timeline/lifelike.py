"""Files as large as those of a hospital's share: `--sizes life`, 160 KiB on average.

The sizes are chosen, after what is published: a CT slice of 512 x 512 pixels in 16 bits is 512 KiB, an MR
slice of 256 x 256 is 128 KiB, a radiograph some 8 MB (PACSnet's storage calculator); documents of public
administrations are 426 KB on average (GovDocs1, its sample t5: 1.9 GB in 4,457 files); files of 60,000 office
PCs were 189 KB, half of them below 4 KB (Agrawal et al., FAST 2007). Here most files are messages
of 1 to 4 KiB and short letters, and most bytes are pictures.

restic cuts files of more than half a MiB into pieces and keeps equal pieces once, so that large files made
from one template must not have stretches in common. Raw pixels get a grain of their own. JPEGs (photos,
scans, frames of DICOM) are coded with a restart marker each row of blocks (T.81 E.1.4), which makes rows
independent: each file has its template's rows in an order of its own.
"""

import io
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from random import Random
from typing import Any

import making_documents as documents
import making_images as images
import numpy as np
import pydicom
import stock
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit
from reportlab import rl_config
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from stock import Kind, Make, Stock, identified

KIB, MIB = 1 << 10, 1 << 20
_JPEG = b"\xff\xd8\xff\xe0"
"""SOI, and APP0 behind it (T.81 B.1.1.3)."""
_SOS, _EOI = 0xDA, b"\xff\xd9"
_RST = re.compile(rb"\xff[\xd0-\xd7]")
_OW = b"\xe0\x7f\x10\x00OW"
"""PixelData, explicit VR little endian (PS3.5 7.1.2); two bytes are left free, four are its length."""
_GRAIN = 6 * MIB
"""Samples of noise, of which a picture takes a stretch."""


def shuffled(data: bytes, dice: Random) -> bytes:
    """The file with the rows of each JPEG in it in another order; as long as before."""
    out, at = [], 0
    while (start := data.find(_JPEG, at)) >= 0:
        head = start + 2
        while data[head + 1] != _SOS:
            head += 2 + int.from_bytes(data[head + 2 : head + 4])
        head += 2 + int.from_bytes(data[head + 2 : head + 4])
        end = data.index(_EOI, head)  # coded data has no marker but RST (T.81 B.1.1.5)
        rows = _RST.split(data[head:end])
        dice.shuffle(rows)
        out.append(data[at:head])
        for number, row in enumerate(rows):
            out += (bytes((0xFF, 0xD0 + (number - 1) % 8)), row) if number else (row,)
        at = end
    return b"".join(out) + data[at:]


def _coded(pixels: NDArray[Any], quality: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality, restart_marker_rows=1)
    return out.getvalue()


def _photo(dice: Random, size: int) -> bytes:
    return _coded(images.photograph(dice, size * 3), 95)


def _jpeg(low: int, high: int) -> Make:
    return lambda stock, dice: shuffled(stock.template("jpeg", _photo, low, high, dice), dice)


def _cine(dice: Random, size: int) -> bytes:
    """Frames of an ultrasound, a JPEG each, 60 KB or so."""
    count = max(1, size // 60_000)
    side = int((size / count * 21) ** 0.5)
    frames = [_coded((images.phantom(dice, side) >> 4).astype("u1"), 90) for _ in range(count)]
    made = pydicom.dcmread(io.BytesIO(images.dicom_native(dice, 2 * side * side + 1)))
    made.Rows, made.Columns, made.NumberOfFrames = side, side, count
    made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.add_new(0x7FE00010, "OB", encapsulate(frames))
    made["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _dicom_jpeg(stock: Stock, dice: Random) -> bytes:
    data = stock.template("dicom, JPEG", _cine, 100 * KIB, 2 * MIB, dice)
    return shuffled(identified(data, dice), dice)


@lru_cache
def _grain() -> NDArray[np.uint16]:
    """Noise of a sensor, 0 to 63."""
    noise = np.random.default_rng(1).standard_normal(_GRAIN, np.float32)
    return np.clip(7 * noise + 24, 0, 63).astype("<u2")


def _stretch(dice: Random, count: int) -> NDArray[np.uint16]:
    start = dice.randrange(_GRAIN - count)
    return _grain()[start : start + count]


def _native(name: str, low: int, high: int) -> Make:
    """An image of 12 bits in 16, with grain of its own; what a scanner gives stays far below 4,095."""

    def made(stock: Stock, dice: Random) -> bytes:
        data = identified(stock.template(name, images.dicom_native, low, high, dice), dice)
        at = data.index(_OW) + 12
        pixels = np.frombuffer(data, "<u2", offset=at)
        return data[:at] + (pixels + _stretch(dice, len(pixels))).tobytes()

    return made


def _tiff(kinds: Stock, dice: Random) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(kinds.template("tiff", images.tiff, 500 * KIB, 3 * MIB, dice))) as old:
        pixels = np.minimum(np.asarray(old), 191)
    pixels = pixels + _stretch(dice, pixels.size).astype("u1").reshape(pixels.shape)
    Image.fromarray(pixels).save(out, "TIFF", description=stock.own(dice))
    return out.getvalue()


@contextmanager
def _binary() -> Iterator[None]:
    """PDF as nearly all programs write it: reportlab alone puts its streams into printable characters."""
    before, rl_config.useA85 = rl_config.useA85, 0
    try:
        yield
    finally:
        rl_config.useA85 = before


def _letter(dice: Random, size: int) -> bytes:
    """Pages of text and the picture of a letterhead, which is nearly all of its bytes."""
    coded = dice.random() < 0.5
    head = io.BytesIO(_photo(dice, size)) if coded else Image.fromarray(images.photograph(dice, size // 2))
    out = io.BytesIO()
    with _binary():
        page = Canvas(out, pagesize=A4, pageCompression=1, invariant=1)
        for number in range(dice.randint(1, 3)):
            if not number:
                page.drawImage(ImageReader(head), 40, 720, 515, 100)
            lines = page.beginText(40, 700)
            lines.textLines(documents.prose(dice, 2_600).splitlines())
            page.drawText(lines)
            page.showPage()
        page.save()
    return out.getvalue()


def _pages(dice: Random, size: int) -> bytes:
    """What a scanner writes: a JPEG a page."""
    count = max(1, size // (250 * KIB))
    out = io.BytesIO()
    with _binary():
        page = Canvas(out, pagesize=A4, invariant=1)
        for _ in range(count):
            page.drawImage(ImageReader(io.BytesIO(_photo(dice, size // count))), 0, 0, *A4)
            page.showPage()
        page.save()
    return out.getvalue()


def _scan(stock: Stock, dice: Random) -> bytes:
    return shuffled(stock.template("scan", _pages, 300 * KIB, 2 * MIB, dice), dice)


def _journal(low: int, high: int) -> Make:
    """A log of which no line comes twice."""

    def made(stock: Stock, dice: Random) -> bytes:
        lines, own, size = stock.lines["log"], dice.getrandbits(32), int(low * (high / low) ** dice.random())
        count, at = size // 120, dice.randrange(len(lines))
        return "".join(f"{own + 7 * n} {lines[(at + n * 31) % len(lines)]}\n" for n in range(count)).encode()

    return made


def _database(low: int, high: int) -> Make:
    return lambda _stock, dice: documents.sqlite(dice, int(low * (high / low) ** dice.random()))


def worked_in(data: bytes, dice: Random) -> bytes:
    """A database after a day of work: some hundred rows changed and new, most of its pages as they were."""
    db = sqlite3.connect(":memory:")
    try:
        db.deserialize(data)
        (last,) = db.execute("SELECT max(id) FROM resultat").fetchone()
        changed = [(dice.gauss(5, 2), dice.randrange(last)) for _ in range(100)]
        db.executemany("UPDATE resultat SET valeur = ? WHERE id = ?", changed)
        new = [(stock.own(dice), "NFS", "2026-11-23", dice.gauss(5, 2)) for _ in range(200)]
        db.executemany("INSERT INTO resultat (nom, analyse, jour, valeur) VALUES (?, ?, ?, ?)", new)
        db.commit()
        return db.serialize()
    finally:
        db.close()


_TEXT, _CSV = stock.text(KIB, 16 * KIB), stock.csv(2 * KIB, 200 * KIB)
_PHOTO = _jpeg(200 * KIB, 2 * MIB)
KINDS: tuple[Kind, ...] = (
    Kind("text", "txt", "Courriers", 15, _TEXT, grows=True),
    Kind("hl7v2", "hl7", "Laboratoire", 18, stock.hl7(600, 3 * KIB)),
    Kind("csv", "csv", "Laboratoire", 7, _CSV, grows=True),
    Kind("xml", "xml", "Laboratoire", 4, stock.xml(2 * KIB, 60 * KIB)),
    Kind("cda", "xml", "Comptes rendus", 6, stock.cda(10 * KIB, 60 * KIB)),
    Kind("rtf", "rtf", "Courriers", 6, stock.rtf(10 * KIB, 120 * KIB)),
    Kind("html", "html", "Comptes rendus", 3, stock.html(5 * KIB, 60 * KIB)),
    Kind("log", "log", "Bureau", 4, stock.log(10 * KIB, 480 * KIB), grows=True),
    Kind("log, large", "log", "Bureau", 0.03, _journal(5 * MIB, 20 * MIB), grows=True),
    Kind("eml", "eml", "Courriers", 4, stock.eml(11 * KIB, 220 * KIB)),
    Kind("docx", "docx", "Courriers", 2, stock.package("docx", 18 * KIB, 65 * KIB)),
    Kind("xlsx", "xlsx", "Bureau", 4, stock.package("xlsx", 10 * KIB, 100 * KIB)),
    Kind("odt", "odt", "Courriers", 3, stock.package("odt", 20 * KIB, 80 * KIB)),
    Kind("pdf", "pdf", "Comptes rendus", 9, stock.pdf("letter", _letter, 100 * KIB, 300 * KIB)),
    Kind("pdf, scanned", "pdf", "Comptes rendus", 1, _scan),
    Kind("dicom, native", "dcm", "Imagerie", 4, _native("dicom", 128 * KIB, MIB)),
    Kind("dicom, large", "dcm", "Imagerie", 0.3, _native("dicom, large", 2 * MIB, 8 * MIB)),
    Kind("dicom, JPEG", "dcm", "Imagerie", 2, _dicom_jpeg),
    Kind("jpeg", "jpg", "Photos", 4.5, _PHOTO),
    Kind("png", "png", "Photos", 1.5, stock.png(images.png, 50 * KIB, 400 * KIB)),
    Kind("tiff", "tif", "Photos", 0.7, _tiff),
    Kind("sqlite", "sqlite", "Bureau", 0.2, _database(100 * KIB, 2 * MIB), edit=worked_in),
    Kind("sqlite, large", "sqlite", "Bureau", 0.05, _database(8 * MIB, 32 * MIB), edit=worked_in),
    Kind("zip", "zip", "Bureau", 1, stock.zipped(_TEXT, _PHOTO)),
    Kind("zip, password", "zip", "Bureau", 0.4, stock.locked_zip(_TEXT, _CSV)),
)
