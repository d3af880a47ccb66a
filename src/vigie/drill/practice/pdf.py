"""Laboratory reports as PDF: typeset by reportlab, or "scanned" (one JPEG), as both arrive in life."""

import io
from datetime import datetime
from random import Random
from typing import Any

import numpy as np

from vigie.drill import extra
from vigie.drill.practice.draft import Draft
from vigie.drill.practice.hprim import LABORATORY
from vigie.drill.practice.noise import noise
from vigie.drill.practice.people import Patient
from vigie.drill.practice.results import Report, sample

_POINTS = 72 / 25.4
"""A millimetre in PDF units."""
_COLUMNS = (18, 84, 106, 134, 160, 176)
"""Where the columns of a report begin, millimetres from the left."""
_SCAN = (496, 702)
"""Width and height of a scanned page: A4 at 60 dots an inch."""


def _canvas() -> Any:
    """The canvas class, writing binary streams as other programs do (reportlab's default is ASCII 85)."""
    # For each document: the switch belongs to the library, and who else uses it may turn it back.
    extra.load("reportlab.rl_config").useA85 = 0
    return extra.load("reportlab.pdfgen.canvas").Canvas


def _page(out: io.BytesIO, title: str) -> Any:
    # invariant=1 takes the clock and the random identifier out of the file.
    canvas = _canvas()(out, pagesize=(210 * _POINTS, 297 * _POINTS), pageCompression=1, invariant=1)
    canvas.setTitle(title)
    canvas.setAuthor(LABORATORY)
    return canvas


def typeset(report: Report) -> bytes:
    """The report on one page: its header, one table a panel with the values before, flags on grey."""
    out = io.BytesIO()
    patient = report.patient
    canvas = _page(out, f"Compte rendu {report.number}")

    def write(row: float, cells: tuple[str, ...], font: str = "Helvetica", size: float = 8.5) -> None:
        canvas.setFont(font, size)
        for column, cell in zip(_COLUMNS, cells, strict=False):
            canvas.drawString(column * _POINTS, row * _POINTS, cell)

    born = f"{'née' if patient.sex == 'F' else 'né'} le {patient.birth:%d/%m/%Y}"
    write(280, (LABORATORY,), "Helvetica-Bold", 14)
    write(273, (f"Dossier {report.number} — prélèvement du {report.taken:%d/%m/%Y à %H:%M}",))
    write(268, (f"{patient.title}, {born}",))
    write(263, (f"{patient.street}, {patient.postcode} {patient.town}",))
    write(258, (f"INS (test) {patient.ins} — prescripteur {patient.doctor.title}",))
    canvas.line(18 * _POINTS, 255 * _POINTS, 192 * _POINTS, 255 * _POINTS)
    row = 247.0
    for panel, results in report.panels:
        titles = (panel.title, "Résultat", "Unité", "Valeurs usuelles", "", "Antérieur")
        write(row, titles, "Helvetica-Bold", 9)
        for result in results:
            row -= 5
            if result.flag:
                canvas.setFillGray(0.9)
                canvas.rect(
                    17 * _POINTS, (row - 1.2) * _POINTS, 175 * _POINTS, 4.8 * _POINTS, stroke=0, fill=1
                )
                canvas.setFillGray(0)
            figures = (
                result.text(),
                result.analyte.unit,
                result.usual,
                result.flag,
                result.text(result.previous),
            )
            cells = (result.analyte.label, *(figure.replace(".", ",") for figure in figures))
            write(row, cells, "Helvetica-Bold" if result.flag else "Helvetica")
        row -= 9
    write(row, (f"Validé le {report.validated:%d/%m/%Y à %H:%M}. Document inventé pour un exercice.",))
    canvas.save()
    return out.getvalue()


def scanned(report: Report, rng: Random) -> bytes:
    """The same report on paper, scanned: grey noise and skew-free text in one JPEG."""
    image_module, draw_module = extra.load("PIL.Image"), extra.load("PIL.ImageDraw")
    width, height = _SCAN
    half = height // 2
    paper = np.empty((height, width), np.float32)
    paper[:half] = noise(rng, half, width)
    paper[half:] = noise(rng, height - half, width)
    grey = np.clip(238 + 4 * paper + np.linspace(-6, 6, height, dtype=np.float32)[:, None], 0, 255).astype(
        np.uint8
    )
    page = image_module.fromarray(grey)
    draw = draw_module.Draw(page)
    lines = [f"Dossier {report.number}", report.patient.title, f"Prelevement {report.taken:%d/%m/%Y}", ""]
    for panel, results in report.panels:
        lines += [panel.title.upper(), *(f"{r.analyte.short:<8}{r.text():>8} {r.flag}" for r in results), ""]
    # Pillow's built-in bitmap font knows Latin-1 only.
    draw.text((40, 40), "\n".join(lines).encode("latin-1", "replace").decode("latin-1"), fill=40)
    image = io.BytesIO()
    page.save(image, "JPEG", quality=80)
    image.seek(0)
    out = io.BytesIO()
    canvas = _page(out, f"Scan {report.number}")
    reader = extra.load("reportlab.lib.utils").ImageReader(image)
    canvas.drawImage(reader, 0, 0, 210 * _POINTS, 297 * _POINTS)
    canvas.save()
    return out.getvalue()


def document(patient: Patient, when: datetime, rng: Random) -> Draft:
    """A report among the laboratory's, or in the patient's folder."""
    report = sample(patient, when, rng)
    scan = rng.random() < 0.3
    data = scanned(report, rng) if scan else typeset(report)
    name = f"{'SCAN' if scan else 'CR'}_{report.number}_{patient.ipp}.pdf"
    folder = patient.folder if rng.random() < 0.5 else f"Biologie/{when:%Y/%m}"
    return Draft(f"{folder}/{name}", data, report.validated)
