"""The benign twins of ransomware, made for real by the programs at hand, in a folder of this run.

Encrypting archives, containers and documents with a password, transcoding images, compacting a database,
importing photos, renaming in bulk, compiling, packing a git repository: all of it writes what looks random,
or many files at once, and none of it may be called *encrypted*. A program that is not here is left out.
"""

import io
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import corpus
import making_documents as documents
import making_images as images
import pyzipper
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

COUNT = 25
"""Files of each kind."""
_PASSWORD = "correct horse"  # of files that are deleted a minute later


def write(folder: Path) -> list[str]:
    """Make them all below `folder`; the names of what could not be made."""
    missing = []
    for make in (
        _zips,
        _pdfs,
        _gpg,
        _openssl,
        _transcoded,
        _database,
        _photos,
        _compiled,
        _git,
        _restic,
        _archives,
    ):
        place = folder / make.__name__.strip("_")
        place.mkdir(parents=True)
        try:
            make(place, Random(f"{corpus.SEED} {make.__name__}"))
        except (OSError, subprocess.SubprocessError):
            missing.append(make.__name__.strip("_"))
    return missing


def _run(*command: str, cwd: Path, given: bytes = b"", **settings: str) -> None:
    environment = {**os.environ, "HOME": str(cwd), **settings}
    subprocess.run(
        command, cwd=cwd, input=given, env=environment, check=True, capture_output=True, timeout=120
    )


def _letters(dice: Random) -> Iterator[tuple[str, bytes]]:
    for number in range(COUNT):
        yield f"lettre{number:02}", documents.text(dice, dice.randrange(2_000, 200_000))


def _zips(folder: Path, dice: Random) -> None:
    """ZIP with a password: AES by pyzipper, the old cipher by Info-ZIP."""
    for name, data in _letters(dice):
        with pyzipper.AESZipFile(
            folder / f"{name}.zip", "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES
        ) as into:
            into.setpassword(_PASSWORD.encode())
            into.writestr(f"{name}.txt", data)
        (folder / f"{name}.txt").write_bytes(data)
        if shutil.which("zip"):
            _run("zip", "-q", "-P", _PASSWORD, f"{name}-old.zip", f"{name}.txt", cwd=folder)


def _pdfs(folder: Path, dice: Random) -> None:
    """PDF with a password: RC4 of 40 and of 128 bits."""
    for number, (name, data) in enumerate(_letters(dice)):
        out = io.BytesIO()
        page = Canvas(out, encrypt=StandardEncryption(_PASSWORD, strength=(40, 128)[number % 2]))
        lines = page.beginText(40, 800)
        lines.textLines(data.decode()[:30_000].splitlines())
        page.drawText(lines)
        page.drawInlineImage(Image.fromarray(images.photograph(dice, 90_000)), 40, 40)
        page.save()
        (folder / f"{name}.pdf").write_bytes(out.getvalue())


def _gpg(folder: Path, dice: Random) -> None:
    (folder / ".gnupg").mkdir(mode=0o700)
    for name, data in _letters(dice):
        common = (
            "gpg",
            "--batch",
            "--homedir",
            ".gnupg",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            _PASSWORD,
            "--symmetric",
        )
        _run(*common, "--output", f"{name}.txt.gpg", cwd=folder, given=data)
        _run(*common, "--armor", "--output", f"{name}.txt.asc", cwd=folder, given=data)
    shutil.rmtree(folder / ".gnupg")


def _openssl(folder: Path, dice: Random) -> None:
    for name, data in _letters(dice):
        _run(
            "openssl",
            "enc",
            "-aes-256-cbc",
            "-pbkdf2",
            "-k",
            _PASSWORD,
            "-out",
            f"{name}.txt.enc",
            cwd=folder,
            given=data,
        )


def _transcoded(folder: Path, dice: Random) -> None:
    """The same images in one transfer syntax after another, as a PACS migration writes them."""
    syntaxes: dict[str, Callable[[Random, int], bytes]] = {
        "native": images.dicom_native,
        "deflated": images.dicom_deflated,
        "rle": images.dicom_rle,
        "jpeg": images.dicom_jpeg,
        "jpeg2000": images.dicom_jpeg2000,
    }
    for number in range(COUNT):
        seed = dice.random()
        for name, make in syntaxes.items():
            (folder / f"IM{number:04}-{name}.dcm").write_bytes(make(Random(seed), 300_000))


def _database(folder: Path, dice: Random) -> None:
    """A database before and after VACUUM, and with its write-ahead log open."""
    for number in range(COUNT):
        path = folder / f"dossier{number}.sqlite"
        path.write_bytes(documents.sqlite(dice, 400_000))
        shutil.copy(path, folder / f"compact{number}.sqlite")
        with sqlite3.connect(folder / f"compact{number}.sqlite") as db:
            db.execute("DELETE FROM resultat WHERE id % 3 = 0")
            db.commit()
            db.execute("VACUUM")


def _photos(folder: Path, dice: Random) -> None:
    """A photo import, and the same files renamed in bulk, as photo programs do."""
    for number in range(COUNT):
        data = images.jpeg(dice, 150_000)
        (folder / f"DSC_{number:04}.JPG").write_bytes(data)
        (folder / f"2026-11-23 14.05.{number:02} (copie).jpg").write_bytes(data)


def _compiled(folder: Path, dice: Random) -> None:
    for number in range(COUNT):
        numbers = ",".join(str(dice.getrandbits(31)) for _ in range(800))
        body = (
            f"static const int table[] = {{{numbers}}};\nint main(void) {{ return table[{number}] & 1; }}\n"
        )
        (folder / f"tool{number}.c").write_text(body)
        _run("gcc", "-O2", "-g", "-o", f"tool{number}", f"tool{number}.c", cwd=folder)
        _run("gcc", "-O2", "-c", "-o", f"tool{number}.o", f"tool{number}.c", cwd=folder)


def _git(folder: Path, dice: Random) -> None:
    """A repository with loose objects, and the same after `git gc`."""
    for repository in ("loose", "packed"):
        place = folder / repository
        place.mkdir()
        _run("git", "init", "-q", cwd=place)
        for name, data in _letters(dice):
            (place / f"{name}.md").write_bytes(data)
        _run("git", "add", ".", cwd=place)
        who = ("-c", "user.name=x", "-c", "user.email=x@exemple.fr")
        _run("git", *who, "commit", "-q", "-m", "lettres", cwd=place)
    _run("git", "gc", "-q", cwd=folder / "packed")


def _restic(folder: Path, dice: Random) -> None:
    """A backup repository: a backup run writes nothing but ciphertext."""
    source = folder / "source"
    source.mkdir()
    for name, data in _letters(dice):
        (source / f"{name}.txt").write_bytes(data)
    for command in (("init",), ("backup", str(source))):
        _run(
            "restic",
            "-q",
            "--no-cache",
            "-r",
            str(folder / "repository"),
            *command,
            cwd=folder,
            RESTIC_PASSWORD=_PASSWORD,
        )


def _archives(folder: Path, dice: Random) -> None:
    """A backup script: the same folder as tar through every compressor that is here."""
    data = documents.tar(dice, 1_500_000)
    (folder / "share.tar").write_bytes(data)
    for ending, program in (("gz", "gzip"), ("bz2", "bzip2"), ("xz", "xz"), ("zst", "zstd"), ("lz4", "lz4")):
        if shutil.which(program):
            with open(folder / f"share.tar.{ending}", "wb") as out:
                subprocess.run(
                    (program, "-c"),
                    input=data,
                    stdout=out,
                    stderr=subprocess.DEVNULL,
                    check=True,
                    timeout=120,
                )
