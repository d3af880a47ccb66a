"""An invented French medical practice, written to a folder as such practices keep their share.

Everything follows from the seed and the day, byte for byte (for one version of the libraries). No person,
number or image in it is real: see `people.ins` and `names.FICTION` for why none can be.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path, PurePosixPath
from random import Random

from vigie.drill.practice import (
    agenda,
    database,
    exchange,
    hl7v2,
    hprim,
    imaging,
    letters,
    notes,
    pdf,
    photos,
)
from vigie.drill.practice.draft import Draft
from vigie.drill.practice.people import Doctor, Patient, correspondents, doctors, patients
from vigie.errors import VigieError

LEAST = 40
"""Files below which not every kind of document would be there."""


@dataclass(frozen=True, slots=True)
class Made:
    """One file of the practice, as it was written."""

    path: str
    """Relative to the practice, with `/`."""
    kind: str
    sha256: str


@dataclass(frozen=True, slots=True)
class People:
    """Everybody the documents are about."""

    patients: tuple[Patient, ...]
    doctors: tuple[Doctor, ...]
    correspondents: tuple[Doctor, ...]


@dataclass(frozen=True, slots=True)
class Practice:
    """The practice that was built."""

    folder: Path
    patients: tuple[Patient, ...]
    files: tuple[Made, ...]


Maker = Callable[[People, datetime, Random], Draft]


def _of_patient(maker: Callable[[Patient, datetime, Random], Draft]) -> Maker:
    return lambda people, when, rng: maker(rng.choice(people.patients), when, rng)


def _letter(people: People, when: datetime, rng: Random) -> Draft:
    return letters.document(rng.choice(people.patients), rng.choice(people.correspondents), when, rng)


def _agenda(people: People, when: datetime, rng: Random) -> Draft:
    return agenda.document(people.patients, when, rng)


KINDS: tuple[tuple[str, int, Maker], ...] = (
    ("hprim", 15, _of_patient(hprim.document)),
    ("hl7v2", 11, _of_patient(hl7v2.document)),
    ("note", 11, _of_patient(notes.document)),
    ("pdf", 19, _of_patient(pdf.document)),
    ("letter", 13, _letter),
    ("photo", 14, _of_patient(photos.document)),
    ("dicom", 9, _of_patient(imaging.document)),
    ("agenda", 3, _agenda),
    ("fhir", 3, _of_patient(exchange.fhir_document)),
    ("cda", 2, _of_patient(exchange.cda_document)),
)
"""(kind, percent of the files, maker); the database is one file more."""


def people(seed: int, files: int, today: date) -> People:
    """The same people that `build` invents for these arguments."""
    rng = Random(f"people {seed}")
    staff = doctors(rng)
    return People(patients(rng, max(12, files // 8), staff, today), staff, correspondents(rng))


def _shares(files: int) -> Iterator[tuple[str, Maker]]:
    """`files` kinds in turn, each kind's share exact to one file, and every kind at least once.

    Spread rather than drawn, so that any prefix of the list has the mix too.
    """
    owed = {kind: 0 for kind, _, _ in KINDS}
    for index in range(files):
        if index < len(KINDS):
            kind, _, maker = KINDS[index]
        else:
            kind, _, maker = max(KINDS, key=lambda k: k[1] * (index + 1) - 100 * owed[k[0]])
        owed[kind] += 1
        yield kind, maker


def moment(rng: Random, today: date) -> datetime:
    """When a document was written: working hours, three years back at most, more of them recent."""
    day = today - timedelta(days=1 + int(1000 * rng.random() ** 2))
    day -= timedelta(days=max(0, day.weekday() - 4))
    return datetime.combine(day, time(rng.randint(8, 17), rng.randrange(60), rng.randrange(60)))


def free(path: str, taken: set[str]) -> str:
    """`path`, or with " (2)", " (3)"… before the suffix if it is taken; adds it to `taken`."""
    wanted, number = PurePosixPath(path), 1
    candidate = wanted
    while str(candidate) in taken:
        number += 1
        candidate = wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}")
    taken.add(str(candidate))
    return str(candidate)


def write(folder: Path, draft: Draft) -> None:
    """Write a draft as a new file, with its time.

    Raises:
        FileExistsError: something is there; nothing is ever overwritten.
    """
    target = folder / draft.path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        file.write(draft.data)
    seconds = draft.when.timestamp()
    os.utime(target, (seconds, seconds))


def _drafts(everybody: People, files: int, seed: int, today: date) -> Iterator[tuple[str, Draft]]:
    rng = Random(f"documents {seed}")
    last_night = datetime.combine(today, time()) - timedelta(hours=3)
    yield "database", Draft(database.PATH, database.database(everybody.patients, today, rng), last_night)
    taken = {database.PATH}
    for kind, maker in _shares(files - 1):
        draft = maker(everybody, moment(rng, today), rng)
        yield kind, replace(draft, path=free(draft.path, taken))


def build(
    folder: Path,
    *,
    files: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    today: date | None = None,
) -> Practice:
    """Write exactly `files` files (`LEAST` or more) into `folder`, which must be new or hold dot files only.

    `progress` is told (files written, files in all) after each one. `today` is the day the practice stands
    at; by default, the clock's.

    Raises:
        VigieError: too few files, or the folder holds something.
        MissingProgram: a library of the `drill` extra is missing.
    """
    if files < LEAST:
        raise VigieError(f"{files} files", "too few for an invented practice", f"ask for {LEAST} or more")
    if folder.exists() and any(not name.startswith(".") for name in os.listdir(folder)):
        raise VigieError(str(folder), "is not empty", "give a new folder")
    day = today or date.today()  # noqa: DTZ011 -- the practice lives in the machine's own time
    everybody = people(seed, files, day)
    made = []
    for kind, draft in _drafts(everybody, files, seed, day):
        write(folder, draft)
        made.append(Made(draft.path, kind, hashlib.sha256(draft.data).hexdigest()))
        if progress is not None:
            progress(len(made), files)
    return Practice(folder, everybody.patients, tuple(made))
