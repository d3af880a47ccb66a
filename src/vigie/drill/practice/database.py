"""The practice's own database: patients, appointments, prescriptions and invoices in SQLite."""

import sqlite3
from contextlib import closing
from datetime import date, datetime, time, timedelta
from random import Random

from vigie.drill.practice.clinic import ACUTE, CONDITIONS
from vigie.drill.practice.people import Doctor, Patient

PATH = "Base/cabinet.sqlite"

_SCHEMA = """
CREATE TABLE medecin (code TEXT PRIMARY KEY, nom TEXT NOT NULL, prenom TEXT NOT NULL,
  specialite TEXT NOT NULL, ville TEXT NOT NULL, telephone TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE patient (ipp TEXT PRIMARY KEY, sexe TEXT NOT NULL, nom TEXT NOT NULL,
  nom_naissance TEXT NOT NULL, prenom TEXT NOT NULL, naissance TEXT NOT NULL, rue TEXT, code_postal TEXT,
  ville TEXT, telephone TEXT, ins TEXT,
  medecin TEXT NOT NULL REFERENCES medecin, antecedents TEXT, allergies TEXT) WITHOUT ROWID;
CREATE TABLE rendez_vous (id INTEGER PRIMARY KEY, ipp TEXT NOT NULL REFERENCES patient, debut TEXT NOT NULL,
  minutes INTEGER NOT NULL, medecin TEXT NOT NULL, motif TEXT, etat TEXT NOT NULL);
CREATE TABLE prescription (id INTEGER PRIMARY KEY, ipp TEXT NOT NULL REFERENCES patient, jour TEXT NOT NULL,
  produit TEXT NOT NULL, dose TEXT NOT NULL, posologie TEXT NOT NULL);
CREATE TABLE facture (id INTEGER PRIMARY KEY, rendez_vous INTEGER NOT NULL REFERENCES rendez_vous,
  code TEXT NOT NULL, centimes INTEGER NOT NULL, tiers_payant INTEGER NOT NULL, reglement TEXT);
CREATE INDEX rendez_vous_par_jour ON rendez_vous (debut, medecin);
CREATE INDEX rendez_vous_par_patient ON rendez_vous (ipp);
CREATE INDEX prescription_par_patient ON prescription (ipp, jour);
CREATE INDEX patient_par_nom ON patient (nom, prenom);
"""

_REASONS = ("Consultation", "Renouvellement", "Certificat", "Vaccination", "Suivi", "Urgence", "Résultats")
_FEES = (("G", 3000), ("GS", 3150), ("MEG", 500), ("COD", 5100))


def _visit(rng: Random, patient: Patient, today: date) -> tuple[str, str, int, str, str, str]:
    day = today - timedelta(days=rng.randrange(-30, 900))
    start = datetime.combine(day, time(rng.randint(8, 18), rng.choice((0, 15, 30, 45))))
    state = "prévu" if day > today else rng.choice(("honoré", "honoré", "honoré", "honoré", "absent"))
    return patient.ipp, f"{start:%Y-%m-%d %H:%M}", 15, patient.doctor.code, rng.choice(_REASONS), state


def fill(
    connection: sqlite3.Connection, patients: tuple[Patient, ...], visits: int, today: date, rng: Random
) -> None:
    """Add `visits` appointments with what comes of them: an invoice, prescriptions."""
    for _ in range(visits):
        patient = rng.choice(patients)
        visit = _visit(rng, patient, today)
        row = connection.execute(
            "INSERT INTO rendez_vous (ipp, debut, minutes, medecin, motif, etat) VALUES (?, ?, ?, ?, ?, ?)",
            visit,
        ).lastrowid
        if visit[-1] != "honoré":
            continue
        code, cents = rng.choice(_FEES)
        connection.execute(
            "INSERT INTO facture (rendez_vous, code, centimes, tiers_payant, reglement) VALUES (?,?,?,?,?)",
            (row, code, cents, rng.random() < 0.6, rng.choice(("CB", "chèque", "espèces"))),
        )
        usual = [drug for condition in patient.conditions for drug in condition.drugs]
        for drug in [*usual, rng.choice(ACUTE)][: rng.randint(0, 4)]:
            connection.execute(
                "INSERT INTO prescription (ipp, jour, produit, dose, posologie) VALUES (?, ?, ?, ?, ?)",
                (patient.ipp, visit[1][:10], drug.name, drug.dose, drug.posology),
            )


def database(patients: tuple[Patient, ...], today: date, rng: Random) -> bytes:
    """The file: some eight appointments a patient, two thousand at least."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(_SCHEMA)
        connection.executemany(
            "INSERT INTO medecin VALUES (?, ?, ?, ?, ?, ?)",
            [
                (d.code, d.name, d.given, d.speciality, d.town, d.phone)
                for d in {p.doctor.code: p.doctor for p in patients}.values()
            ],
        )
        connection.executemany(
            f"INSERT INTO patient VALUES ({', '.join('?' * 14)})",  # noqa: S608 -- question marks only
            [
                (
                    *(p.ipp, p.sex, p.name, p.birth_name, p.given, p.birth.isoformat(), p.street, p.postcode),
                    *(p.town, p.phone, p.ins, p.doctor.code),
                    *(" ; ".join(c.name for c in p.conditions), " ; ".join(p.allergies)),
                )
                for p in patients
            ],
        )
        fill(connection, patients, max(2000, 8 * len(patients)), today, rng)
        connection.commit()
        return connection.serialize()


def patients_in(connection: sqlite3.Connection) -> tuple[Patient, ...]:
    """The patients that `database` wrote, as they were."""
    doctors = {row[0]: Doctor(*row) for row in connection.execute("SELECT * FROM medecin")}
    conditions = {condition.name: condition for condition in CONDITIONS}
    found = []
    for row in connection.execute("SELECT * FROM patient ORDER BY ipp"):
        (
            ipp,
            sex,
            name,
            birth_name,
            given,
            birth,
            street,
            postcode,
            town,
            phone,
            ins,
            doctor,
            history,
            allergies,
        ) = row
        found.append(
            Patient(
                ipp, sex, name, birth_name, given, date.fromisoformat(birth), street, postcode, town, phone,
                ins, doctors[doctor], tuple(conditions[c] for c in history.split(" ; ") if c),
                tuple(a for a in allergies.split(" ; ") if a),
            )
        )  # fmt: skip
    return tuple(found)
