"""What stands in a decoy: a practice's documents, about people that are invented, never twice the same.

CSV (RFC 4180, with semicolons as French spreadsheets write it), PDF (ISO 32000-1) and Office Open XML
(ECMA-376), written by hand: a server needs no library for them.
"""

import io
import zipfile
import zlib
from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from xml.sax.saxutils import escape

_FAMILIES = (
    "Abadie", "Bessière", "Carlier", "Delmotte", "Estève", "Fabre", "Garrigue",
    "Hamelin", "Izard", "Jaubert", "Kervella", "Lascombes", "Marchand", "Noguès",
    "Ollivier", "Périssé", "Quéméner", "Roussel", "Sabatier", "Tessier", "Urvoy",
    "Vasseur", "Wibaux", "Ybert", "Zeller",
)  # fmt: skip
_GIVEN = (
    "Adèle", "Bastien", "Camille", "Damien", "Élise", "Florent", "Gaëlle",
    "Hugo", "Inès", "Jules", "Karine", "Lucie", "Mathieu", "Nadia",
    "Oscar", "Pauline", "Quentin", "Rose", "Simon", "Tiphaine", "Ulysse",
    "Valérie", "William", "Yann", "Zoé",
)  # fmt: skip
_TOPICS = ("Consultation", "Bilan biologique", "Renouvellement", "Imagerie", "Hospitalisation", "Vaccination")
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "application/vnd.openxmlformats-officedocument"

COLUMNS = ("IPP", "Nom", "Prénom", "Né(e) le", "Téléphone", "Motif", "Date")


def rows(rng: Random, count: int, day: date) -> list[tuple[str, ...]]:
    """Invented people; telephone numbers are of the range kept for fiction (ARCEP, 06 39 98)."""
    return [
        (
            f"{rng.randrange(10**7):07}",
            rng.choice(_FAMILIES).upper(),
            rng.choice(_GIVEN),
            f"{day - timedelta(days=rng.randrange(365, 34_000)):%d/%m/%Y}",
            f"06 39 98 {rng.randrange(100):02} {rng.randrange(100):02}",
            rng.choice(_TOPICS),
            f"{day - timedelta(days=rng.randrange(400)):%d/%m/%Y}",
        )
        for _ in range(count)
    ]


def csv(rng: Random, day: date) -> bytes:
    """A short list: smaller than nearly everything else."""
    table = (COLUMNS, *rows(rng, rng.randint(4, 9), day))
    return "".join(";".join(row) + "\r\n" for row in table).encode("utf-8-sig")


def xlsx(rng: Random, day: date) -> bytes:
    """A long list, in inline strings (ECMA-376 part 1, 18.18.11)."""
    lines = []
    for number, row in enumerate((COLUMNS, *rows(rng, rng.randint(400, 1500), day)), 1):
        cells = "".join(f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>' for cell in row)
        lines.append(f'<row r="{number}">{cells}</row>')
    sheets = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    book = (
        f'{_XML}<workbook xmlns="{sheets}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="Patients" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    sheet = f'{_XML}<worksheet xmlns="{sheets}"><sheetData>{"".join(lines)}</sheetData></worksheet>'
    kind = f"{_MAIN}.spreadsheetml"
    parts = {"/xl/workbook.xml": f"{kind}.sheet.main", "/xl/worksheets/sheet1.xml": f"{kind}.worksheet"}
    return _package(parts, {
        "_rels/.rels": _links("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": _links("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": sheet,
    })  # fmt: skip


def docx(rng: Random, day: date) -> bytes:
    """Some letters in one document."""
    words = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    text = "".join(
        f"<w:p><w:r><w:t>{escape(line)}</w:t></w:r></w:p>"
        for line in _sentences(rng, day, rng.randint(60, 300))
    )
    body = f'{_XML}<w:document xmlns:w="{words}"><w:body>{text}</w:body></w:document>'
    parts = {"/word/document.xml": f"{_MAIN}.wordprocessingml.document.main"}
    links = _links("officeDocument", "word/document.xml")
    return _package(parts, {"_rels/.rels": links, "word/document.xml": body})


def pdf(rng: Random, day: date) -> bytes:
    """A page or some of text (ISO 32000-1, 7.5: objects, cross-reference table, trailer)."""
    pages = [_sentences(rng, day, 40) for _ in range(rng.randint(2, 6))]
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, lines in enumerate(pages):
        shown = "".join(f"({line}) Tj T*\n" for line in lines)
        stream = zlib.compress(f"BT /F1 10 Tf 14 TL 50 790 Td\n{shown}ET".encode("cp1252", "replace"))
        box = "/MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R {box} /Contents {5 + 2 * number} 0 R >>".encode())
        head = f"<< /Length {len(stream)} /Filter /FlateDecode >>\nstream\n".encode()
        objects.append(head + stream + b"\nendstream")
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    end = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return bytes(out) + f"xref\n0 {size}\n0000000000 65535 f \n{table}{end}".encode()


MAKERS: dict[str, Callable[[Random, date], bytes]] = {"csv": csv, "xlsx": xlsx, "docx": docx, "pdf": pdf}
"""By the ending of a name."""


def _sentences(rng: Random, day: date, count: int) -> list[str]:
    return [
        f"{when} - {name} {given}, {born}, dossier {ipp} : {topic.lower()}, suite à donner."
        for ipp, name, given, born, _, topic, when in rows(rng, count, day)
    ]


def _links(kind: str, target: str) -> str:
    link = f'<Relationship Id="rId1" Type="{_OFFICE}/{kind}" Target="{target}"/>'
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{link}</Relationships>'


def _package(types: dict[str, str], parts: dict[str, str]) -> bytes:
    """An Open Packaging Conventions file (ECMA-376 part 2)."""
    overrides = "".join(f'<Override PartName="{n}" ContentType="{t}+xml"/>' for n, t in types.items())
    listed = (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {"[Content_Types].xml": listed, **parts}.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    return out.getvalue()
