"""Consultation notes: small text files, some of an older program in ISO-8859-1 with CR LF."""

from datetime import datetime
from random import Random

from vigie.drill.practice import sentences
from vigie.drill.practice.draft import Draft
from vigie.drill.practice.hprim import latin1
from vigie.drill.practice.people import Patient


def text(patient: Patient, when: datetime, rng: Random) -> str:
    """One note."""
    lines = [
        f"CONSULTATION DU {when:%d/%m/%Y %H:%M}",
        f"Patient : {patient.title} ({patient.ipp})",
        f"Médecin : {patient.doctor.title}",
        "",
        sentences.introduction(patient, when, rng),
        "",
        *sentences.history(patient, when),
        "",
        *sentences.examination(patient, when, rng),
        "",
        *(f"- {step}" for step in sentences.plan(rng)),
        "",
    ]
    return "\n".join(lines)


def document(patient: Patient, when: datetime, rng: Random) -> Draft:
    """A note in the patient's folder."""
    body = text(patient, when, rng)
    data = body.encode() if rng.random() < 0.6 else latin1(body.replace("\n", "\r\n"))
    return Draft(
        f"{patient.folder}/Consultation {when:%Y-%m-%d %Hh%M} {rng.randrange(100):02}.txt", data, when
    )
