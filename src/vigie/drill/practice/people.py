"""The invented people: patients, their doctors, and identifiers that cannot belong to anyone."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from vigie.drill.practice.clinic import ALLERGIES, CONDITIONS, Condition
from vigie.drill.practice.names import AREA, FICTION, GIVEN, STREETS, SURNAMES, TOWNS


@dataclass(frozen=True, slots=True)
class Doctor:
    """A member of the practice, or a correspondent. No RPPS number: a code of the practice's own."""

    code: str
    name: str
    given: str
    speciality: str
    town: str
    phone: str

    @property
    def title(self) -> str:
        """As letters are signed."""
        return f"Dr {self.given} {self.name.upper()}"


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient who does not exist."""

    ipp: str
    """The practice's own number of the patient, eight digits."""
    sex: str
    """M or F."""
    name: str
    """Name used."""
    birth_name: str
    given: str
    birth: date
    street: str
    postcode: str
    town: str
    phone: str
    ins: str
    """Fifteen digits: see `ins`."""
    doctor: Doctor
    conditions: tuple[Condition, ...]
    allergies: tuple[str, ...]

    @property
    def title(self) -> str:
        """Mme DURAND Monique, as French administration writes it."""
        return f"{'Mme' if self.sex == 'F' else 'M.'} {self.name.upper()} {self.given}"

    @property
    def folder(self) -> str:
        """The patient's folder on the share."""
        return f"Patients/{self.name.upper()} {self.given} ({self.ipp})"

    def age(self, day: date) -> int:
        """In completed years."""
        return day.year - self.birth.year - ((day.month, day.day) < (self.birth.month, self.birth.day))


def ins(sex: str, birth: date, order: int) -> str:
    """An identifier shaped like the French national one (NIR), key included, that no person can have.

    The place of birth is `00000`. Real ones carry a department (01 to 95, 2A, 2B, 96 for pre-1956 Tunisia,
    97x and 98x overseas, 99 abroad) and a commune numbered from 001: department 00 is never issued. The key
    is right (97 − number mod 97) so that software which checks it accepts the identifier. Where a message
    names the assigning authority, it is `TEST_OID`, the one for test identities.
    """
    number = int(f"{1 if sex == 'M' else 2}{birth:%y%m}00000{order:03}")
    return f"{number:013}{97 - number % 97:02}"


TEST_OID = "1.2.250.1.213.1.4.10"
"""Assigning authority of *test* national identifiers (the real ones are under .8)."""


def phone(rng: Random, area: str) -> str:
    """Ten digits in pairs, from the block reserved for fiction; `area` is "1" to "5", or "6" for a mobile."""
    digits = f"{FICTION[area]}{rng.randrange(10_000):04}"
    return " ".join(digits[i : i + 2] for i in range(0, 10, 2))


def given_name(rng: Random, sex: str, year: int) -> str:
    """A name that people of that sex born in that year do have."""
    men, women = next((men, women) for before, men, women in GIVEN if year < before)
    return rng.choice(men if sex == "M" else women)


def _doctor(rng: Random, code: str, speciality: str, town: str) -> Doctor:
    sex = rng.choice("MF")
    name = given_name(rng, sex, rng.randint(1962, 1988))
    return Doctor(code, rng.choice(SURNAMES), name, speciality, town, phone(rng, "6"))


def doctors(rng: Random) -> tuple[Doctor, ...]:
    """The four doctors of the practice."""
    specialities = ("Médecine générale", "Médecine générale", "Pédiatrie", "Gynécologie médicale")
    return tuple(
        _doctor(rng, f"MED{n:02}", what, "Corbeil-Essonnes") for n, what in enumerate(specialities, 1)
    )


def correspondents(rng: Random) -> tuple[Doctor, ...]:
    """The specialists that letters go to."""
    specialities = (
        "Cardiologie", "Endocrinologie", "Pneumologie", "Néphrologie", "Ophtalmologie", "Rhumatologie",
        "Gastro-entérologie", "Dermatologie",
    )  # fmt: skip
    return tuple(
        _doctor(rng, f"COR{n:02}", what, rng.choice(TOWNS).name) for n, what in enumerate(specialities, 1)
    )


def patients(rng: Random, count: int, staff: tuple[Doctor, ...], today: date) -> tuple[Patient, ...]:
    """`count` patients, all different: no two share an IPP or an INS."""
    made: list[Patient] = []
    taken: set[str] = set()
    for index in range(count):
        sex = rng.choice("MF")
        # From four on, so that no document (three years back, with the values before) precedes its patient.
        age = rng.choices((rng.randint(4, 17), rng.randint(18, 49), rng.randint(50, 97)), (22, 33, 45))[0]
        birth = today - timedelta(days=age * 365 + rng.randrange(365))
        order = rng.randint(1, 999)
        while (identity := ins(sex, birth, order)) in taken:
            order = order % 999 + 1
            birth -= timedelta(days=1)
        taken.add(identity)
        birth_name = rng.choice(SURNAMES)
        name = birth_name
        if sex == "F" and age >= 25 and rng.random() < 0.5:
            name = rng.choice(SURNAMES) if rng.random() < 0.8 else f"{birth_name}-{rng.choice(SURNAMES)}"
        town = rng.choice(TOWNS)
        area = next(digit for digit, departments in AREA.items() if town.postcode[:2] in departments)
        old = age >= 50
        made.append(
            Patient(
                ipp=f"{26_000_000 + index * 37 + rng.randrange(37):08}",
                sex=sex,
                name=name,
                birth_name=birth_name,
                given=given_name(rng, sex, birth.year),
                birth=birth,
                street=f"{rng.randint(1, 148)} {rng.choice(STREETS)}",
                postcode=town.postcode,
                town=town.name,
                phone=phone(rng, "6" if rng.random() < 0.6 else area),
                ins=identity,
                doctor=rng.choice(staff),
                conditions=tuple(c for c in CONDITIONS if age >= 16 and rng.random() < c.likely[old]),
                allergies=tuple(rng.sample(ALLERGIES, rng.choices((0, 1, 2), (80, 16, 4))[0])),
            )
        )
    return tuple(made)
