"""What the share is filled with: templates by the libraries that make real files, and copies of their own.

200,000 files cannot each be made by python-docx or pydicom. So some templates of each kind are, and every
file is one of them changed in a way that leaves it valid and that no other file shares: other words, other
identifiers, pixels moved on by some rows, a comment of its own. Makers are those of `benchmarks/verdicts`.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from random import Random

import making_documents as documents
import making_images as images
import pydicom
import pyzipper
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit

Make = Callable[["Stock", Random], bytes]
_NOW = (2026, 11, 23, 14, 5, 0)
"""Time of the parts of an archive, so that the same seed makes the same bytes."""
_UID = re.compile(rb"2\.25\.(\d{20,})")
_CREATOR = b"ReportLab Generated PDF document"
"""Part of the second line of what reportlab writes, a comment: as long as what takes its place."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: how many there are of it, and who keeps it."""

    name: str
    ending: str
    department: str
    weight: float
    """Share of all files, in percent."""
    make: Make
    grows: bool = False
    """Whether an edit adds lines at its end."""
    edit: Callable[[bytes, Random], bytes] | None = None
    """What an edit does to it, if it neither adds lines nor saves all of it anew."""


class Stock:
    """Kinds of files, and their templates, made when first asked for; `each` of a kind."""

    def __init__(self, seed: int, each: int = 24, kinds: tuple[Kind, ...] | None = None) -> None:
        self.kinds = kinds or KINDS
        self.by_name = {kind.name: kind for kind in self.kinds}
        self._seed, self._each = seed, each
        self._made: dict[str, list[bytes]] = {}

    def template(
        self, name: str, make: Callable[[Random, int], bytes], low: int, high: int, dice: Random
    ) -> bytes:
        """One of the templates of `make`, of `low` to `high` bytes or so."""
        if name not in self._made:
            own = Random(f"{self._seed} {name}")
            self._made[name] = [make(own, int(low * (high / low) ** own.random())) for _ in range(self._each)]
        return dice.choice(self._made[name])

    @cached_property
    def lines(self) -> dict[str, list[str]]:
        """Pools of lines, of which a file takes a stretch."""
        dice = Random(f"{self._seed} lines")
        prose = [line for line in documents.prose(dice, 40_000 * self._each).splitlines() if line]
        rows = documents.csv(dice, 4_000 * self._each).decode().splitlines()[1:]
        records = documents.xml(dice, 4_000 * self._each).decode().splitlines()[2:-1]
        return {
            "prose": prose,
            "csv": rows,
            "xml": records,
            "rtf": [_escaped(line) for line in prose],
            "html": [f"<p>{line}</p>" for line in prose],
            "log": [f"pacs[{dice.randrange(9999)}]: {line[:90]} ({dice.random():.6f})" for line in prose],
        }

    def stretch(self, pool: str, dice: Random, low: int, high: int) -> str:
        """Lines of a pool, some `low` to `high` bytes, the smaller the likelier."""
        lines, size = self.lines[pool], int(low * (high / low) ** dice.random())
        out, at = [f"{own(dice)} "], dice.randrange(len(lines))
        while size > 0:
            out.append(lines[at % len(lines)])
            size, at = size - len(out[-1]) - 1, at + 1
        return "\n".join(out) + "\n"

    def edited(self, kind: Kind, old: bytes, dice: Random) -> bytes:
        """The file after somebody worked on it: longer by some lines, changed in places, or saved anew."""
        if kind.edit:
            return kind.edit(old, dice)
        if not kind.grows:
            return kind.make(self, dice)
        pool = {"csv": "csv", "log": "log"}.get(kind.ending, "prose")
        return old + "".join(f"{line}\n" for line in dice.choices(self.lines[pool], k=4)).encode()


def own(dice: Random) -> str:
    """Words that no other file has."""
    return f"dossier {dice.getrandbits(64):016x}"


def _escaped(line: str) -> str:
    return "".join(f"\\'{byte:02x}" if byte > 126 else chr(byte) for byte in line.encode("cp1252")) + "\\par"


def text(low: int, high: int) -> Make:
    """Prose of `low` to `high` bytes or so, as all of these are."""
    return lambda stock, dice: stock.stretch("prose", dice, low, high).encode()


def log(low: int, high: int) -> Make:
    return lambda stock, dice: stock.stretch("log", dice, low, high).encode()


def csv(low: int, high: int) -> Make:
    def made(stock: Stock, dice: Random) -> bytes:
        first, rows = stock.stretch("csv", dice, low, high).split("\n", 1)
        return f"id;nom;analyse;date;valeur\n0;{first};x;2026-01-01;0\n{rows}".encode()

    return made


def xml(low: int, high: int) -> Make:
    def made(stock: Stock, dice: Random) -> bytes:
        first, rows = stock.stretch("xml", dice, low, high).split("\n", 1)
        head = "<?xml version='1.0' encoding='UTF-8'?>\n<t xmlns='urn:x'>\n"
        return f"{head}<!-- {first}-->\n{rows}</t>\n".encode()

    return made


def html(low: int, high: int) -> Make:
    def made(stock: Stock, dice: Random) -> bytes:
        head = '<!DOCTYPE html>\n<html lang="fr"><head><title>x</title></head><body>'
        return f"{head}{stock.stretch('html', dice, low, high)}</body></html>\n".encode()

    return made


def rtf(low: int, high: int) -> Make:
    def made(stock: Stock, dice: Random) -> bytes:
        body = stock.stretch("rtf", dice, low, high)
        return f"{{\\rtf1\\ansi\\ansicpg1252\\deff0{{\\fonttbl{{\\f0 Arial;}}}}\n{body}}}".encode()

    return made


def hl7(low: int, high: int) -> Make:
    def made(stock: Stock, dice: Random) -> bytes:
        message = stock.template("hl7", documents.hl7, low, high, dice).rstrip(b"\r\n")
        return message + f"\rNTE|9|L|{own(dice)}\r".encode()

    return made


def cda(low: int, high: int) -> Make:
    def made(stock: Stock, dice: Random) -> bytes:
        data = stock.template("cda", documents.cda, low, high, dice)
        at = data.rfind(b"</text>")
        return data[:at] + f"<paragraph>{own(dice)}</paragraph>\n".encode() + data[at:]

    return made


def eml(low: int, high: int) -> Make:
    def made(stock: Stock, dice: Random) -> bytes:
        head = f"Message-ID: <{dice.getrandbits(64):x}@exemple.fr>\n".encode()
        return head + stock.template("eml", documents.eml, low, high, dice)

    return made


def pdf(name: str, make: Callable[[Random, int], bytes], low: int, high: int) -> Make:
    def made(stock: Stock, dice: Random) -> bytes:
        template = stock.template(name, make, low, high, dice)
        return template.replace(_CREATOR, f"{dice.getrandbits(128):032x}".encode(), 1)

    return made


@lru_cache(maxsize=256)
def _parted(package: bytes, part: str) -> tuple[bytes, bytes]:
    """A ZIP without one of its parts; and what is in that part."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(out, "w") as rest:
        for item in old.infolist():
            data = old.read(item)
            item.date_time = _NOW
            if item.filename != part:
                rest.writestr(item, data)
        data = old.read(part)
    return out.getvalue(), data


@dataclass(frozen=True, slots=True)
class _Package:
    """A ZIP that is a document: which part of it changes, where words go in there, and between what."""

    make: Callable[[Random, int], bytes]
    part: str
    mark: str
    put: str


_PACKAGES = {
    "docx": _Package(
        documents.docx, "word/document.xml", "<w:body>", "<w:body><w:p><w:r><w:t>{}</w:t></w:r></w:p>"
    ),
    "xlsx": _Package(
        documents.xlsx,
        "xl/worksheets/sheet1.xml",
        "</sheetData>",
        "<row><c t='inlineStr'><is><t>{}</t></is></c></row></sheetData>",
    ),
    "odt": _Package(documents.odt, "content.xml", "<office:text>", "<office:text><text:p>{}</text:p>"),
}


def package(name: str, low: int, high: int) -> Make:
    """A "docx", "xlsx" or "odt" with words of its own in one part, which comes last; the rest stays."""
    kind = _PACKAGES[name]

    def made(stock: Stock, dice: Random) -> bytes:
        words = kind.put.format(f"{own(dice)} {dice.choice(stock.lines['prose'])}").encode()
        rest, data = _parted(stock.template(name, kind.make, low, high, dice), kind.part)
        out = io.BytesIO(rest)
        with zipfile.ZipFile(out, "a") as into:
            _put(into, kind.part, data.replace(kind.mark.encode(), words, 1))
        return out.getvalue()

    return made


def _put(into: zipfile.ZipFile, name: str, data: bytes) -> None:
    into.writestr(zipfile.ZipInfo(name, _NOW), data, zipfile.ZIP_DEFLATED)


def zipped(letter: Make, photo: Make) -> Make:
    """A ZIP of some letters and a photo."""

    def made(stock: Stock, dice: Random) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as into:
            for number in range(dice.randint(2, 5)):
                _put(into, f"lettre{number}.txt", letter(stock, dice))
            _put(into, "photo.jpg", photo(stock, dice))
        return out.getvalue()

    return made


def locked_zip(letter: Make, table: Make) -> Make:
    """A ZIP with a password (AES), as somebody makes it before mailing; its salt comes from no seed."""

    def made(stock: Stock, dice: Random) -> bytes:
        out = io.BytesIO()
        with pyzipper.AESZipFile(out, "w", pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES) as into:
            into.setpassword(b"correct horse")
            into.writestr("lettre.txt", letter(stock, dice))
            into.writestr("resultats.csv", table(stock, dice))
        return out.getvalue()

    return made


def identified(data: bytes, dice: Random) -> bytes:
    """A DICOM file with a SOP instance UID of its own, as long as the old one."""
    found = _UID.search(data)
    if found is None:
        raise ValueError("a DICOM template without an instance UID")
    digits = len(found[1])
    return data.replace(found[0], b"2.25.%d" % dice.randrange(10 ** (digits - 1), 10**digits))


def _native(name: str, low: int, high: int) -> Make:
    def made(stock: Stock, dice: Random) -> bytes:
        data = identified(stock.template(name, images.dicom_native, low, high, dice), dice)
        # The pixels stand at the end, square, 16 bits: moved on by some rows.
        at = data.rindex(b"\xe0\x7f\x10\x00OW") + 12
        row = 2 * round(((len(data) - at) / 2) ** 0.5)
        turn = at + row * dice.randrange(1, (len(data) - at) // row)
        return data[:at] + data[turn:] + data[at:turn]

    return made


def _dicom_jpeg(stock: Stock, dice: Random) -> bytes:
    return identified(stock.template("dicom, JPEG", images.dicom_jpeg, 6_000, 24_000, dice), dice)


def transcoded(data: bytes, dice: Random) -> bytes:
    """A native image as JPEG 2000, or as JPEG of eight bits: what a PACS writes when it makes room."""
    made = pydicom.dcmread(io.BytesIO(data))
    pixels, out = made.pixel_array, io.BytesIO()
    if dice.random() < 0.7:
        syntax = JPEG2000Lossless
        Image.fromarray(pixels.astype("<u2")).save(out, "JPEG2000", no_jp2=True)
    else:
        syntax = JPEGBaseline8Bit
        Image.fromarray((pixels >> 4).astype("u1")).save(out, "JPEG", quality=90)
        made.BitsAllocated = made.BitsStored = 8
        made.HighBit = 7
    made.file_meta.TransferSyntaxUID = syntax
    made.add_new(0x7FE00010, "OB", encapsulate([out.getvalue()]))
    made["PixelData"].is_undefined_length = True
    whole = io.BytesIO()
    made.save_as(whole, enforce_file_format=True)
    return whole.getvalue()


def _jpeg(stock: Stock, dice: Random) -> bytes:
    data = stock.template("jpeg", images.jpeg, 5_000, 50_000, dice)
    words = own(dice).encode()
    # SOI, then APP0 with its length (JFIF); the comment behind it (T.81 B.2.4.5)
    end = 4 + int.from_bytes(data[4:6], "big")
    return data[:end] + struct.pack(">HH", 0xFFFE, 2 + len(words)) + words + data[end:]


def png(make: Callable[[Random, int], bytes], low: int, high: int) -> Make:
    def made(stock: Stock, dice: Random) -> bytes:
        data = stock.template("png", make, low, high, dice)
        body = b"tEXt" + b"Comment\0" + own(dice).encode()
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        return data[:33] + chunk + data[33:]  # behind IHDR

    return made


def _tiff(stock: Stock, dice: Random) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(stock.template("tiff", images.tiff, 4_000, 30_000, dice))) as old:
        old.save(out, "TIFF", description=own(dice))
    return out.getvalue()


def _sqlite(_stock: Stock, dice: Random) -> bytes:
    return documents.sqlite(dice, dice.randrange(20_000, 120_000))


_TEXT, _CSV = text(400, 8_000), csv(600, 16_000)
KINDS: tuple[Kind, ...] = (
    Kind("text", "txt", "Courriers", 15, _TEXT, grows=True),
    Kind("hl7v2", "hl7", "Laboratoire", 18, hl7(600, 4_000)),
    Kind("csv", "csv", "Laboratoire", 7, _CSV, grows=True),
    Kind("xml", "xml", "Laboratoire", 4, xml(600, 12_000)),
    Kind("cda", "xml", "Comptes rendus", 6, cda(500, 6_000)),
    Kind("rtf", "rtf", "Courriers", 6, rtf(600, 10_000)),
    Kind("html", "html", "Comptes rendus", 3, html(600, 10_000)),
    Kind("log", "log", "Bureau", 4, log(1_000, 20_000), grows=True),
    Kind("log, large", "log", "Bureau", 0.03, log(1 << 20, 5 << 20), grows=True),
    Kind("eml", "eml", "Courriers", 4, eml(3_000, 12_000)),
    Kind("docx", "docx", "Courriers", 2, package("docx", 2_000, 12_000)),
    Kind("xlsx", "xlsx", "Bureau", 4, package("xlsx", 2_000, 12_000)),
    Kind("odt", "odt", "Courriers", 3, package("odt", 2_000, 12_000)),
    Kind("pdf", "pdf", "Comptes rendus", 9, pdf("pdf", documents.pdf, 2_000, 12_000)),
    Kind("pdf, scanned", "pdf", "Comptes rendus", 0.05, pdf("scan", documents.pdf_scanned, 200_000, 900_000)),
    Kind("dicom, native", "dcm", "Imagerie", 4, _native("dicom", 8_000, 60_000)),
    Kind("dicom, large", "dcm", "Imagerie", 0.03, _native("dicom, large", 1 << 20, 3 << 20)),
    Kind("dicom, JPEG", "dcm", "Imagerie", 2, _dicom_jpeg),
    Kind("jpeg", "jpg", "Photos", 4.5, _jpeg),
    Kind("png", "png", "Photos", 1.5, png(images.screenshot, 1_500, 8_000)),
    Kind("tiff", "tif", "Photos", 0.7, _tiff),
    Kind("sqlite", "sqlite", "Bureau", 0.2, _sqlite),
    Kind("zip", "zip", "Bureau", 1, zipped(_TEXT, _jpeg)),
    Kind("zip, password", "zip", "Bureau", 0.4, locked_zip(_TEXT, _CSV)),
)
