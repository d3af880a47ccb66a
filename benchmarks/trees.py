"""Trees of files to measure on: many small ones, some large ones, one wide folder. Always the same bytes."""

import io
import json
import os
import random
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

_SENTENCE = (
    "le patient présente une toux sèche sans fièvre depuis trois jours contrôle demandé bilan sanguin "
    "normal revoir dans deux semaines avec radiographie du thorax face et profil"
)
WORDS = _SENTENCE.split()
FOLDER = 1000
"""Files in one folder."""
MIB = 1 << 20

Made = Callable[[random.Random, int], bytes]


def _lines(dice: random.Random, size: int, head: str, line: Callable[[random.Random, int], str]) -> bytes:
    pieces, length = [head], len(head)
    while length < size:
        pieces.append(line(dice, len(pieces)))
        length += len(pieces[-1])
    return "".join(pieces).encode()


def text(dice: random.Random, size: int) -> bytes:
    return _lines(dice, size, "", lambda d, _: " ".join(d.choices(WORDS, k=12)).capitalize() + ".\n")


def log(dice: random.Random, size: int) -> bytes:
    def line(d: random.Random, n: int) -> str:
        when = f"2026-11-{1 + n // 86400 % 28:02} {n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}"
        return f"{when} pacs[{d.randrange(9999)}]: {' '.join(d.choices(WORDS, k=6))} {d.random():.6f}\n"

    return _lines(dice, size, "", line)


def csv(dice: random.Random, size: int) -> bytes:
    def line(d: random.Random, n: int) -> str:
        return (
            f"{n};{d.choice(WORDS)};2026-{d.randrange(1, 13):02}-{d.randrange(1, 29):02};{d.random():.3f}\n"
        )

    return _lines(dice, size, "id;nom;date;valeur\n", line)


def hl7(dice: random.Random, size: int) -> bytes:
    head = "MSH|^~\\&|LAB|HOP|DPI|HOP|20261123140500||ORU^R01|1|P|2.5\rPID|1||123^^^HOP||DUPONT^JEAN\r"

    def line(d: random.Random, n: int) -> str:
        return (
            f"OBX|{n}|NM|{d.randrange(99999)}-1^{d.choice(WORDS)}^LN||{d.random() * 10:.2f}|g/L|1-9|N|||F\r"
        )

    return _lines(dice, size, head, line)


def records(dice: random.Random, size: int) -> bytes:
    made = [{"id": dice.randrange(10**6), "mot": dice.choice(WORDS), "valeur": dice.random()}]
    length = len(json.dumps(made[0]))
    made += [
        {"id": dice.randrange(10**6), "mot": dice.choice(WORDS), "valeur": dice.random()}
        for _ in range(size // length)
    ]
    return json.dumps(made).encode()


def png(dice: random.Random, size: int) -> bytes:
    side = int((size / 3) ** 0.5) + 2
    made = io.BytesIO()
    Image.frombytes("RGB", (side, side), dice.randbytes(side * side * 3)).save(made, "PNG")
    return made.getvalue()


def database(dice: random.Random, size: int) -> bytes:
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE TABLE result (id INTEGER PRIMARY KEY, name TEXT, value REAL)")
        rows = ((" ".join(dice.choices(WORDS, k=8)), dice.random()) for _ in range(size // 70))
        db.executemany("INSERT INTO result (name, value) VALUES (?, ?)", rows)
        db.commit()
        return db.serialize()


def archive(dice: random.Random, size: int) -> bytes:
    made, number = io.BytesIO(), 0
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as into:
        while made.tell() < size:
            into.writestr(f"letter{number:04}.txt", text(dice, 200_000))
            number += 1
    return made.getvalue()


def _dicom(dataset: FileDataset, syntax: str) -> bytes:
    dataset.file_meta.TransferSyntaxUID = syntax
    made = io.BytesIO()
    dataset.save_as(made, enforce_file_format=True)
    return made.getvalue()


def _image(dice: random.Random, side: int, frames: int, bits: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = f"2.25.{dice.getrandbits(100)}"
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    made.PatientName, made.Modality = "PHANTOM", "CT"
    made.Rows = made.Columns = side
    made.NumberOfFrames = frames
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits - 4 * (bits > 8), bits - 1 - 4 * (bits > 8)
    made.SamplesPerPixel, made.PixelRepresentation, made.PhotometricInterpretation = 1, 0, "MONOCHROME2"
    return made


def _phantom(dice: random.Random, side: int) -> np.ndarray:
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    noise = np.random.default_rng(dice.getrandbits(32)).normal(0, 14, (side, side))
    return np.clip(np.where(rows**2 + columns**2 < 0.7, 1064, 24) + noise, 0, 4095)


def scan(dice: random.Random, size: int) -> bytes:
    """DICOM, native pixels of 12 bits."""
    frames = max(1, size // (512 * 512 * 2))
    made = _image(dice, 512, frames, 16)
    made.PixelData = b"".join(_phantom(dice, 512).astype("<u2").tobytes() for _ in range(frames))
    return _dicom(made, ExplicitVRLittleEndian)


def pictures(dice: random.Random, size: int) -> bytes:
    """DICOM, a JPEG each frame."""
    frames: list[bytes] = []
    while sum(map(len, frames)) < size:
        frame = io.BytesIO()
        Image.fromarray((_phantom(dice, 512) / 16).astype(np.uint8)).save(frame, "JPEG", quality=92)
        frames.append(frame.getvalue())
    made = _image(dice, 512, len(frames), 8)
    made.PixelData = encapsulate(frames)
    made["PixelData"].is_undefined_length = True
    return _dicom(made, JPEGBaseline8Bit)


SMALL: dict[str, Made] = {"txt": text, "csv": csv, "hl7": hl7, "json": records, "png": png}
LARGE: dict[str, Made] = {
    "scan.dcm": scan,
    "jpeg.dcm": pictures,
    "log": log,
    "csv": csv,
    "sqlite": database,
    "zip": archive,
}


def small(top: Path, count: int, least: int = 512, most: int = 8192) -> None:
    """`count` files of 0.5 to 8 KiB, 1,000 a folder; each of 300 contents comes many times."""
    dice = random.Random(1)
    made = [(end, make(dice, dice.randrange(least, most))) for end, make in SMALL.items() for _ in range(60)]
    for number in range(count):
        place = top / f"{number // FOLDER:04}"
        if number % FOLDER == 0:
            place.mkdir(parents=True)
        end, data = dice.choice(made)
        with open(os.path.join(place, f"{number:07}.{end}"), "wb", buffering=0) as file:
            file.write(data)


def wide(top: Path, count: int) -> None:
    """`count` files in one folder."""
    top.mkdir(parents=True)
    for number in range(count):
        with open(os.path.join(top, f"{number:07}.txt"), "wb", buffering=0) as file:
            file.write(b"un fichier parmi beaucoup\n" * 20)


def large(top: Path, total: int) -> None:
    """Files of 1.5 to 12 MiB of each kind, in turn, until `total` bytes are there."""
    dice = random.Random(2)
    top.mkdir(parents=True)
    for number, (end, make) in enumerate(_in_turn()):
        (top / f"{number:04}.{end}").write_bytes(make(dice, dice.randrange(3 * MIB // 2, 12 * MIB)))
        if sum(path.stat().st_size for path in top.iterdir()) >= total:
            return


def _in_turn() -> Iterator[tuple[str, Made]]:
    while True:
        yield from LARGE.items()


def sparse(path: Path, size: int) -> None:
    """A file that is as long as that, and takes no room."""
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(size)
