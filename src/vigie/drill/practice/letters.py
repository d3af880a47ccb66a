"""Letters between doctors: Word documents with headings, paragraphs and a table of drugs."""

import io
import zipfile
from datetime import datetime
from random import Random
from typing import Any

from vigie.drill import extra
from vigie.drill.practice import sentences
from vigie.drill.practice.draft import Draft
from vigie.drill.practice.people import Doctor, Patient


def save(document: Any, when: datetime) -> bytes:
    """The bytes of a python-docx document, the same for the same content.

    python-docx stamps members with the clock of the machine; they are packed again with `when`.
    """
    document.core_properties.modified = when
    raw, packed = io.BytesIO(), io.BytesIO()
    document.save(raw)
    with (
        zipfile.ZipFile(raw) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as target,
    ):
        for member in source.infolist():
            stamp = zipfile.ZipInfo(member.filename, when.timetuple()[:6])
            stamp.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(stamp, source.read(member))
    return packed.getvalue()


def letter(patient: Patient, to: Doctor, when: datetime, rng: Random) -> bytes:
    """A letter about `patient` to a colleague."""
    document = extra.load("docx").Document()
    properties = document.core_properties
    properties.author, properties.title = patient.doctor.title, f"Courrier {patient.title}"
    properties.created = when
    document.add_heading(f"Cabinet médical inventé — {patient.doctor.speciality}", 1)
    document.add_paragraph(f"{patient.doctor.title}, téléphone {patient.doctor.phone}")
    document.add_paragraph(f"À l'attention du {to.title}, {to.speciality.lower()}, {to.town}")
    document.add_paragraph(f"Corbeil-Essonnes, le {when:%d/%m/%Y}")
    document.add_paragraph("Cher confrère, chère consœur,")
    document.add_paragraph(sentences.introduction(patient, when, rng))
    for title, lines in (
        ("Antécédents", sentences.history(patient, when)),
        ("Examen clinique", sentences.examination(patient, when, rng)),
        ("Conduite à tenir", sentences.plan(rng)),
    ):
        document.add_heading(title, 2)
        document.add_paragraph(" ".join(lines))
    if patient.conditions:
        document.add_heading("Traitement habituel", 2)
        for drug in (drug for condition in patient.conditions for drug in condition.drugs):
            document.add_paragraph(f"{drug.name} {drug.dose} : {drug.posology}", style="List Bullet")
    document.add_paragraph(sentences.closing(rng))
    document.add_paragraph(patient.doctor.title)
    return save(document, when)


def document(patient: Patient, to: Doctor, when: datetime, rng: Random) -> Draft:
    """A letter, filed with the patient or among the outgoing mail."""
    name = f"{when:%Y-%m-%d} {to.speciality} {patient.name.upper()} {rng.randrange(1000):03}.docx"
    folder = patient.folder if rng.random() < 0.5 else f"Courriers/{when:%Y/%m}"
    return Draft(f"{folder}/{name}", letter(patient, to, when, rng), when)
