"""DICOM images of phantoms: CT-like slices and X-ray-like plates, native or encapsulated (RLE, JPEG).

Nothing in them shows a person; the pixels are ellipses, rods and noise. UIDs are under 2.25 (PS3.5 §B.2).
"""

import io
from datetime import datetime
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.drill import extra
from vigie.drill.practice.draft import Draft
from vigie.drill.practice.noise import noise
from vigie.drill.practice.people import Patient

CT, CR, SC = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.7"
"""Storage classes: CT Image, Computed Radiography, Secondary Capture (PS3.4 §B.5)."""
EXPLICIT, RLE, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50"
"""Transfer syntaxes: Explicit VR Little Endian, RLE Lossless, JPEG Baseline (PS3.5 §A)."""


def uid(rng: Random) -> str:
    """A UID from 128 random bits."""
    return f"2.25.{rng.getrandbits(128)}"


def _twelve_bits(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    kept: NDArray[np.uint16] = np.clip(values, 0, 4095).astype(np.uint16)
    return kept


def slice_of(rng: Random, side: int) -> NDArray[np.uint16]:
    """A CT-like slice: body, two lungs, a spine, a lesion; stored values are Hounsfield units + 1024."""
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].astype(np.float32)

    def inside(x: float, y: float, wide: float, tall: float) -> NDArray[np.bool_]:
        disc: NDArray[np.bool_] = ((columns - x) / wide) ** 2 + ((rows - y) / tall) ** 2 < 1
        return disc

    pixels = np.full((side, side), 24, np.float32)
    pixels[inside(0, 0, rng.uniform(0.8, 0.9), rng.uniform(0.6, 0.7))] = 1064
    for x in (-0.38, 0.38):
        pixels[inside(x, -0.05, rng.uniform(0.24, 0.3), rng.uniform(0.35, 0.45))] = 224
    pixels[inside(0, 0.45, 0.12, 0.11)] = 1724
    pixels[inside(rng.uniform(-0.5, 0.5), rng.uniform(-0.2, 0.2), 0.05, 0.05)] = 1110
    return _twelve_bits(pixels + 14 * noise(rng, side, side))


def plate(rng: Random, side: int) -> NDArray[np.uint16]:
    """An X-ray-like plate, 12 bits: a limb with a bone, brighter in the middle."""
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].astype(np.float32)
    axis = columns - rng.uniform(-0.2, 0.2) - 0.1 * np.sin(rows * rng.uniform(1, 3))
    limb = np.sqrt(np.clip(0.25 - axis**2, 0, None))
    bone = np.sqrt(np.clip(rng.uniform(0.02, 0.05) - axis**2, 0, None))
    light = 3400 * np.exp(-1.1 * limb - 3.2 * bone)
    return _twelve_bits(light + 22 * noise(rng, side, side))


def _heading(patient: Patient, when: datetime, rng: Random, modality: str) -> Any:
    dataset = extra.load("pydicom").Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = f"{when:%Y%m%d}"
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = f"{when:%H%M%S}"
    dataset.AccessionNumber = f"{when:%y%m%d}{rng.randrange(1000):03}"
    dataset.Modality = modality
    dataset.Manufacturer = "Vigie"
    dataset.InstitutionName = "Imagerie inventée"
    dataset.ReferringPhysicianName = f"{patient.doctor.name.upper()}^{patient.doctor.given}"
    dataset.StudyDescription = {"CT": "Scanner thoracique", "CR": "Radiographie", "OT": "Capture"}[modality]
    dataset.PatientName = f"{patient.name.upper()}^{patient.given}"
    dataset.PatientID = patient.ipp
    dataset.PatientBirthDate = f"{patient.birth:%Y%m%d}"
    dataset.PatientSex = patient.sex
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid(rng), uid(rng)
    dataset.SOPInstanceUID = uid(rng)
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", 1, rng.randint(1, 60)
    return dataset


def _pixels(dataset: Any, pixels: NDArray[Any]) -> None:
    """The Image Pixel module (PS3.3 §C.7.6.3) around `pixels`, native."""
    bits = pixels.dtype.itemsize * 8
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = bits
    dataset.BitsStored = 12 if bits == 16 else 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    dataset.add_new(0x7FE00010, "OW" if bits == 16 else "OB", pixels.tobytes())


def _written(dataset: Any, storage: str, syntax: str) -> bytes:
    pydicom = extra.load("pydicom")
    dataset.SOPClassUID = storage
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def computed_tomography(patient: Patient, when: datetime, rng: Random, *, rle: bool = False) -> bytes:
    """A slice, 16 bits: native at 512 or 256, or 128 in RLE (the encoder is slow Python)."""
    dataset = _heading(patient, when, rng, "CT")
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.SliceThickness = "-1024", "1", "1.25"
    dataset.PixelSpacing = ["0.7", "0.7"]
    pixels = slice_of(rng, 128 if rle else rng.choice((256, 512)))
    _pixels(dataset, pixels)
    if rle:
        encoder = extra.load("pydicom.pixels.encoders").RLELosslessEncoder
        frame = encoder.encode(
            pixels.tobytes(), encoding_plugin="pydicom", rows=dataset.Rows, columns=dataset.Columns,
            number_of_frames=1, samples_per_pixel=1, bits_allocated=16, bits_stored=12,
            pixel_representation=0, photometric_interpretation="MONOCHROME2", transfer_syntax_uid=EXPLICIT,
        )  # fmt: skip
        _encapsulated(dataset, frame)
    return _written(dataset, CT, RLE if rle else EXPLICIT)


def _encapsulated(dataset: Any, frame: bytes) -> None:
    """One frame as fragments (PS3.5 §A.4)."""
    dataset.add_new(0x7FE00010, "OB", extra.load("pydicom.encaps").encapsulate([frame]))
    dataset["PixelData"].is_undefined_length = True


def radiograph(patient: Patient, when: datetime, rng: Random) -> bytes:
    """A plate, 512 by 512, 16 bits native."""
    dataset = _heading(patient, when, rng, "CR")
    _pixels(dataset, plate(rng, 512))
    return _written(dataset, CR, EXPLICIT)


def capture(patient: Patient, when: datetime, rng: Random) -> bytes:
    """A secondary capture, 8 bits, in one JPEG baseline frame."""
    dataset = _heading(patient, when, rng, "OT")
    pixels = (plate(rng, 512) >> 4).astype(np.uint8)
    _pixels(dataset, pixels)
    dataset.ConversionType, dataset.LossyImageCompression = "WSD", "01"
    jpeg = io.BytesIO()
    extra.load("PIL.Image").fromarray(pixels).save(jpeg, "JPEG", quality=88)
    _encapsulated(dataset, jpeg.getvalue())
    return _written(dataset, SC, JPEG)


def document(patient: Patient, when: datetime, rng: Random) -> Draft:
    """An image as the viewer's local store keeps it."""
    kind = rng.random()
    if kind < 0.5:
        modality, data = "CT", computed_tomography(patient, when, rng, rle=kind < 0.08)
    elif kind < 0.8:
        modality, data = "CR", radiograph(patient, when, rng)
    else:
        modality, data = "OT", capture(patient, when, rng)
    folder = f"Imagerie/{modality}/{patient.name.upper()}_{patient.ipp}/{when:%Y%m%d}"
    return Draft(f"{folder}/IM{rng.randrange(1_000_000):06}.dcm", data, when)
