"""Appointment lists, as spreadsheets want them: CSV with semicolons (ISO-8859-1), or UTF-16."""

from datetime import datetime, timedelta
from random import Random

from vigie.drill.practice.draft import Draft
from vigie.drill.practice.hprim import latin1
from vigie.drill.practice.people import Patient

_REASONS = (
    "Consultation",
    "Renouvellement",
    "Vaccin",
    "Résultats d'analyses",
    "Suivi de grossesse",
    "Visite à domicile",
)
COLUMNS = ("Date", "Heure", "IPP", "Nom", "Prénom", "Né(e) le", "Téléphone", "Médecin", "Motif")


def row(patient: Patient, start: datetime, reason: str) -> str:
    """One appointment, without the end of the line."""
    return ";".join(
        (
            *(f"{start:%d/%m/%Y}", f"{start:%H:%M}", patient.ipp, patient.name.upper(), patient.given),
            *(f"{patient.birth:%d/%m/%Y}", patient.phone, patient.doctor.title, f'"{reason}"'),
        )
    )


def rows(patients: tuple[Patient, ...], day: datetime, rng: Random, count: int) -> list[str]:
    """`count` appointments of a day, from eight in the morning."""
    start = day.replace(hour=8, minute=0)
    return [
        row(rng.choice(patients), start + timedelta(minutes=15 * (slot % 44)), rng.choice(_REASONS))
        for slot in range(count)
    ]


def document(patients: tuple[Patient, ...], when: datetime, rng: Random) -> Draft:
    """A day's list, or now and then a long export in UTF-16 ("Unicode text" to a spreadsheet)."""
    head = ";".join(COLUMNS)
    number = rng.randrange(1000)
    if rng.random() < 0.25:
        lines = [head.replace(";", "\t"), *(r.replace(";", "\t") for r in rows(patients, when, rng, 300))]
        data = ("\r\n".join(lines) + "\r\n").encode("utf-16")
        return Draft(f"Agenda/Export {when:%Y-%m} {number:03}.txt", data, when)
    lines = [head, *rows(patients, when, rng, rng.randint(40, 110))]
    return Draft(
        f"Agenda/{when:%Y}/agenda_{when:%Y-%m-%d}_{number:03}.csv", latin1("\r\n".join(lines) + "\r\n"), when
    )
