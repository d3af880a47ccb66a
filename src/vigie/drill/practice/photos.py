"""Photographs of lesions and wounds: skin-like gradients, a mark, camera noise, Exif; JPEG, no real image."""

import io
from datetime import datetime
from random import Random

import numpy as np

from vigie.drill import extra
from vigie.drill.practice.draft import Draft
from vigie.drill.practice.noise import noise
from vigie.drill.practice.people import Patient

WIDTH, HEIGHT = 640, 480
_DATE_TIME, _MAKE, _MODEL, _ORIGINAL = 0x0132, 0x010F, 0x0110, 0x9003
"""Exif 2.3 §4.6.4 and §4.6.5 tags."""
_EXIF_IFD = 0x8769


def photo(when: datetime, rng: Random) -> bytes:
    """A JPEG of 640 by 480, some 30 to 80 KB."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    angle = rng.uniform(0, 6.283)
    light = (np.cos(angle) * columns / WIDTH + np.sin(angle) * rows / HEIGHT) * rng.uniform(25, 60)
    x, y = rng.uniform(180, 460), rng.uniform(140, 340)
    wide, tall = rng.uniform(40, 130), rng.uniform(30, 100)
    mark = np.exp(-((((columns - x) / wide) ** 2 + ((rows - y) / tall) ** 2) ** 2))
    ripple = 3 * np.sin(columns / rng.uniform(3, 9) + rows / rng.uniform(4, 12))
    skin = rng.uniform(0.55, 1.0)
    grain = noise(rng, HEIGHT, WIDTH) * rng.uniform(5, 10)
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for channel, (base, pull) in enumerate(((214, 70), (170, 110), (148, 95))):
        plane = base * skin + light - mark * pull * rng.uniform(0.6, 1.0) + ripple + grain
        image[..., channel] = np.clip(plane, 0, 255)
    pillow = extra.load("PIL.Image")
    exif = pillow.Exif()
    stamp = f"{when:%Y:%m:%d %H:%M:%S}"
    exif[_DATE_TIME], exif[_MAKE], exif[_MODEL] = stamp, "Vigie", "Appareil inventé"
    exif.get_ifd(_EXIF_IFD)[_ORIGINAL] = stamp
    out = io.BytesIO()
    pillow.fromarray(image).save(out, "JPEG", quality=rng.randint(80, 88), exif=exif)
    return out.getvalue()


def document(patient: Patient, when: datetime, rng: Random) -> Draft:
    """A photograph as the camera named it, or filed with the patient."""
    number = rng.randrange(10_000)
    if rng.random() < 0.3:
        path = f"{patient.folder}/Photo {when:%Y-%m-%d} {number:04}.jpg"
    else:
        path = f"Photos/{when:%Y-%m}/IMG_{number:04}.jpg"
    return Draft(path, photo(when, rng), when)
