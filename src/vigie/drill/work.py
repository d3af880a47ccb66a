"""An ordinary day at the invented practice: what looks a little like an attack, and must stay quiet.

Each step does what a real program does (temporary file and rename, VACUUM, AES archive, mass rename…) and
says which paths it touched, and the process keeps the marker's list of the run's files up to date. Steps run
only in a folder that the drill marked, and change, rename or delete only files on that list.

`python -m vigie.drill.work FOLDER --seed N`: one JSON line a step.
"""

import argparse
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from random import Random

from vigie.drill import extra
from vigie.drill.desk import Desk, Touched, sit_down
from vigie.drill.playground import NotAPlayground, record
from vigie.drill.practice import agenda, database, hl7v2, hprim, letters, pdf, photos, sentences
from vigie.drill.practice.draft import Draft

_PASSWORD = b"exercice"
"""Of the archives made here; nothing in them is secret."""


@dataclass(frozen=True, slots=True)
class Work:
    """A step: its name in both languages, and what does it."""

    english: str
    french: str
    run: Callable[[Desk], Touched]


def edit_letters(desk: Desk) -> Touched:
    """Ten letters get a paragraph; the word processor writes a temporary file and renames it."""
    changed = desk.find("**/*.docx", 10)
    for path in changed:
        target = desk.folder / path
        document = extra.load("docx").Document(target)
        document.add_paragraph(f"Complément du {desk.today:%d/%m/%Y} : {' '.join(sentences.plan(desk.rng))}")
        temporary = target.with_name(f"~WRD{desk.rng.randrange(10_000):04}.tmp")
        with temporary.open("xb") as file:
            file.write(letters.save(document, desk.today))
        os.replace(temporary, target)
    return Touched(changed=tuple(changed))


def append_agenda(desk: Desk) -> Touched:
    """New appointments at the end of the lists."""
    changed = desk.find("Agenda/*/*.csv", 5)
    for path in changed:
        with (desk.folder / path).open("ab") as file:
            for line in agenda.rows(desk.patients, desk.today, desk.rng, 6):
                file.write(hprim.latin1(line + "\r\n"))
    return Touched(changed=tuple(changed))


def update_database(desk: Desk) -> Touched:
    """A day's consultations, then VACUUM: every page of the file is written again."""
    changed = desk.find(database.PATH)
    for path in changed:
        with closing(sqlite3.connect(desk.folder / path)) as connection:
            database.fill(connection, desk.patients, 200, desk.today.date(), desk.rng)
            connection.commit()
            connection.execute("VACUUM")
    return Touched(changed=tuple(changed))


def protect_results(desk: Desk) -> Touched:
    """A dozen results in a ZIP with a password (AES), to send to a colleague; the originals stay."""
    pyzipper = extra.load("pyzipper")
    path = f"Envois/Resultats {desk.today:%Y-%m-%d} {desk.rng.randrange(1000):03}.zip"
    method = {"compression": pyzipper.ZIP_DEFLATED, "encryption": pyzipper.WZ_AES}
    if os.path.lexists(desk.folder / path):
        return Touched(skipped=f"{path} is there already")
    with pyzipper.AESZipFile(desk.new(path), "x", **method) as archive:
        archive.setpassword(_PASSWORD)
        for result in desk.find("**/*.pdf", 12):
            archive.write(desk.folder / result, Path(result).name)
    return Touched(added=(path,))


def rename_photos(desk: Desk) -> Touched:
    """Every photograph of the camera's folder is given the date as its name."""
    renamed = []
    for number, path in enumerate(desk.find("Photos/**/IMG_*.jpg")):
        source = desk.folder / path
        taken = datetime.fromtimestamp(source.stat().st_mtime)  # noqa: DTZ006 -- the practice's own time
        target = source.with_name(f"{taken:%Y-%m-%d_%Hh%M}_{number:04}.jpg")
        if not os.path.lexists(target):
            source.rename(target)
            renamed.append((path, target.relative_to(desk.folder).as_posix()))
    return Touched(renamed=tuple(renamed))


def import_photos(desk: Desk) -> Touched:
    """Fifteen photographs from a camera's card."""
    added: list[str] = []
    for number in range(15):
        data = photos.photo(desk.today, desk.rng)
        added += desk.put(Draft(f"Photos/{desk.today:%Y-%m}/DSC_{number:04}.jpg", data, desk.today))
    return Touched(added=tuple(added))


def receive_results(desk: Desk) -> Touched:
    """The laboratory's evening delivery: HPRIM, HL7 and PDF."""
    added: list[str] = []
    for number in range(18):
        maker = (hprim.document, hl7v2.document, pdf.document)[number % 3]
        added += desk.put(maker(desk.rng.choice(desk.patients), desk.today, desk.rng))
    return Touched(added=tuple(added))


def delete_old(desk: Desk) -> Touched:
    """The oldest appointment lists and exports are thrown away: a third of them, eight at most."""
    files = [*desk.find("Agenda/*/*.csv"), *desk.find("Echanges/**/*.json")]
    oldest = sorted(files, key=lambda path: ((desk.folder / path).stat().st_mtime_ns, path))
    oldest = oldest[: min(8, len(oldest) // 3)]
    for path in oldest:
        (desk.folder / path).unlink()
    return Touched(removed=tuple(oldest))


def compress_exports(desk: Desk) -> Touched:
    """Old exports are compressed, and gzip deletes what it compressed."""
    added, removed = [], []
    for path in [*desk.find("Agenda/Export*.txt", 6), *desk.find("Echanges/**/*.json", 6)]:
        source = desk.folder / path
        with source.open("rb") as plain, gzip.open(f"{source}.gz", "xb") as packed:
            shutil.copyfileobj(plain, packed)
        source.unlink()
        added.append(f"{path}.gz")
        removed.append(path)
    return Touched(added=tuple(added), removed=tuple(removed))


def encrypt_export(desk: Desk) -> Touched:
    """One export encrypted with GnuPG for the accountant; the original stays."""
    if shutil.which("gpg") is None:
        return Touched(skipped="gpg is not installed")
    made = []
    with tempfile.TemporaryDirectory(prefix="vigie-gpg-") as home:
        options = (
            "--homedir",
            home,
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase-fd",
            "0",
        )
        for path in desk.find("Agenda/**/*.csv", 1):
            target = f"{path}.gpg"
            command = ("gpg", *options, "--output", desk.folder / target, "--symmetric", desk.folder / path)
            done = subprocess.run(command, input=_PASSWORD, capture_output=True, timeout=60, check=False)
            if done.returncode != 0:
                return Touched(skipped=f"gpg failed: {done.stderr.decode(errors='replace').strip()}")
            made.append(target)
        # gpg left an agent behind for this home folder.
        subprocess.run(
            ("gpgconf", "--homedir", home, "--kill", "all"), capture_output=True, timeout=60, check=False
        )
    return Touched(added=tuple(made))


ORDINARY: tuple[Work, ...] = (
    Work("letters edited and saved", "courriers modifiés et enregistrés", edit_letters),
    Work("appointments added", "rendez-vous ajoutés", append_agenda),
    Work("database filled and compacted", "base complétée et compactée", update_database),
    Work(
        "results put in an archive with a password",
        "résultats mis dans une archive à mot de passe",
        protect_results,
    ),
    Work("photographs renamed by date", "photographies renommées par date", rename_photos),
    Work("photographs imported", "photographies importées", import_photos),
    Work("laboratory results received", "résultats de laboratoire reçus", receive_results),
    Work("old files deleted", "anciens fichiers supprimés", delete_old),
    Work("old exports compressed", "anciens exports compressés", compress_exports),
    Work("export encrypted with GnuPG", "export chiffré avec GnuPG", encrypt_export),
)


def line(work: Work, seconds: float, touched: Touched) -> str:
    """A step as the process prints it, without the end of the line."""
    return json.dumps(
        {"work": work.english, "travail": work.french, "seconds": round(seconds, 3), **asdict(touched)}
    )


def main(arguments: list[str] | None = None) -> int:
    """The process: every step in turn, one JSON line each; 2 when refused."""
    parser = argparse.ArgumentParser(
        prog="python -m vigie.drill.work", description="Ordinary work, for drills."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--today", type=date.fromisoformat)
    options = parser.parse_args(arguments)
    try:
        here = sit_down(options.folder, options.seed, options.today)
    except NotAPlayground as refusal:
        sys.stderr.write(f"refused: {refusal}\n{refusal.remedy}\n")
        return int(refusal.exit_code)
    for number, work in enumerate(ORDINARY):
        start = time.monotonic()
        # Each step draws from its own numbers: leaving one out changes no other.
        touched = work.run(replace(here, rng=Random(f"{options.seed} {number}")))
        here = replace(here, ground=record(here.ground, touched.made, touched.gone))
        sys.stdout.write(line(work, time.monotonic() - start, touched) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
