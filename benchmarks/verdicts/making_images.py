"""Pictures that look like the ones of care, made by numpy, in every coding that Pillow and pydicom write."""

import io
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

Pixels = NDArray[np.uint8]
SENTENCE = "Pas d'anomalie décelable ; contrôle à trois mois, sauf fièvre à plus de 38,5 °C."


def photograph(dice: Random, pixels: int) -> Pixels:
    """A gradient with marks and the grain of a camera: about `pixels` in all, shape (rows, columns, 3)."""
    side = max(16, int(pixels**0.5))
    noise = np.random.default_rng(dice.getrandbits(32))
    rows, columns = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    image = np.empty((side, side, 3))
    for channel in range(3):
        plane = 90 + 90 * rows * dice.random() + 40 * columns
        for _ in range(5):
            x, y, wide = dice.random(), dice.random(), 0.03 + 0.2 * dice.random()
            plane += dice.uniform(-60, 60) * np.exp(-(((rows - y) ** 2 + (columns - x) ** 2) / wide**2))
        image[..., channel] = plane
    return np.clip(image + noise.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


def drawing(dice: Random, pixels: int) -> Pixels:
    """Flat areas and lines, as a screenshot or a chart has them: shape (rows, columns, 3)."""
    side = max(16, int(pixels**0.5))
    image = np.full((side, side, 3), 250, np.uint8)
    for _ in range(max(12, side // 6)):
        top, left = dice.randrange(side), dice.randrange(side)
        tall, wide = 1 + dice.randrange(max(1, side // 8)), 1 + dice.randrange(max(1, side // 3))
        image[top : top + tall, left : left + wide] = [dice.randrange(256) for _ in range(3)]
    return image


def _saved(pixels: NDArray[Any], form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **options)
    return out.getvalue()


def jpeg(dice: Random, size: int) -> bytes:
    return _saved(photograph(dice, size * 3), "JPEG", quality=dice.choice((75, 85, 92)))


def progressive(dice: Random, size: int) -> bytes:
    return _saved(photograph(dice, size * 3), "JPEG", quality=85, progressive=True, optimize=True)


def png(dice: Random, size: int) -> bytes:
    return _saved(photograph(dice, size // 2), "PNG")


def screenshot(dice: Random, size: int) -> bytes:
    return _saved(drawing(dice, size * 12), "PNG")


def gif(dice: Random, size: int) -> bytes:
    return _saved(photograph(dice, int(size * 1.2)), "GIF")


def bmp(dice: Random, size: int) -> bytes:
    return _saved(photograph(dice, size // 3), "BMP")


def ico(dice: Random, size: int) -> bytes:
    return _saved(photograph(dice, min(65536, size)), "ICO")


def webp(dice: Random, size: int) -> bytes:
    return _saved(photograph(dice, size * 4), "WEBP", quality=80)


def webp_lossless(dice: Random, size: int) -> bytes:
    return _saved(photograph(dice, size // 2), "WEBP", lossless=True)


def jpeg2000(dice: Random, size: int) -> bytes:
    return _saved(
        photograph(dice, size), "JPEG2000", quality_mode="rates", quality_layers=[dice.choice((4, 12))]
    )


def tiff(dice: Random, size: int) -> bytes:
    return _saved(photograph(dice, size // 3), "TIFF")


def tiff_lzw(dice: Random, size: int) -> bytes:
    return _saved(photograph(dice, size // 3), "TIFF", compression="tiff_lzw")


def tiff_deflate(dice: Random, size: int) -> bytes:
    return _saved(photograph(dice, size // 2), "TIFF", compression="tiff_adobe_deflate")


def tiff_jpeg(dice: Random, size: int) -> bytes:
    return _saved(photograph(dice, size * 3), "TIFF", compression="jpeg")


def _heading(dice: Random, syntax: str, storage: str, modality: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = storage, syntax
    meta.MediaStorageSOPInstanceUID = f"2.25.{dice.getrandbits(100)}"
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID, made.SOPInstanceUID = storage, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.SeriesInstanceUID = (
        f"2.25.{dice.getrandbits(100)}",
        f"2.25.{dice.getrandbits(100)}",
    )
    made.PatientName, made.PatientID, made.Modality = "ESSAI^Éloïse", f"{dice.randrange(10**8):08}", modality
    made.StudyDate, made.StudyTime, made.StudyDescription = "20261123", "140500", SENTENCE[:60]
    return made


def _image_module(made: FileDataset, rows: int, columns: int, frames: int, bits: int) -> None:
    made.Rows, made.Columns, made.NumberOfFrames = rows, columns, frames
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits - 4 * (bits > 8), bits - 1 - 4 * (bits > 8)
    made.SamplesPerPixel, made.PixelRepresentation, made.PhotometricInterpretation = 1, 0, "MONOCHROME2"


def _written(made: FileDataset) -> bytes:
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def phantom(dice: Random, side: int) -> NDArray[np.uint16]:
    """A slice of 12 bits: an ellipse of tissue with the noise of a scanner."""
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    noise = np.random.default_rng(dice.getrandbits(32)).normal(0, 14, (side, side))
    body = rows**2 / dice.uniform(0.5, 0.9) + columns**2 / dice.uniform(0.6, 0.9) < 0.8
    bone = (rows - 0.3) ** 2 + columns**2 < 0.03
    return np.clip(np.where(bone, 2100, np.where(body, 1064, 24)) + noise, 0, 4095).astype(np.uint16)


CT, US, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.88.33"


def _native(dice: Random, size: int, syntax: str, *, frames: int = 1) -> bytes:
    side = max(32, int((size / 2 / frames) ** 0.5))
    made = _heading(dice, syntax, CT, "CT")
    _image_module(made, side, side, frames, 16)
    made.add_new(0x7FE00010, "OW", b"".join(phantom(dice, side).tobytes() for _ in range(frames)))
    return _written(made)


def dicom_native(dice: Random, size: int) -> bytes:
    return _native(dice, size, ExplicitVRLittleEndian)


def dicom_implicit(dice: Random, size: int) -> bytes:
    return _native(dice, size, ImplicitVRLittleEndian)


def dicom_deflated(dice: Random, size: int) -> bytes:
    return _native(dice, size * 2, DeflatedExplicitVRLittleEndian)


def dicom_frames(dice: Random, size: int) -> bytes:
    return _native(dice, size, ExplicitVRLittleEndian, frames=max(2, size // 60_000))


def _encapsulated(dice: Random, syntax: str, frames: list[bytes], side: int, bits: int) -> bytes:
    made = _heading(dice, syntax, US, "US")
    _image_module(made, side, side, len(frames), bits)
    made.add_new(0x7FE00010, "OB", encapsulate(frames))
    made["PixelData"].is_undefined_length = True
    return _written(made)


def dicom_jpeg(dice: Random, size: int) -> bytes:
    count = max(1, size // 40_000)
    side = max(32, int((size / count * 2.5) ** 0.5))
    frames = [_saved((phantom(dice, side) >> 4).astype(np.uint8), "JPEG", quality=90) for _ in range(count)]
    return _encapsulated(dice, JPEGBaseline8Bit, frames, side, 8)


def dicom_jpeg2000(dice: Random, size: int) -> bytes:
    side = max(32, int((size * 1.4) ** 0.5))
    frame = _saved((phantom(dice, side) >> 4).astype(np.uint8), "JPEG2000", no_jp2=True)
    return _encapsulated(dice, JPEG2000Lossless, [frame], side, 8)


def dicom_rle(dice: Random, size: int) -> bytes:
    side = max(32, int(min(size, 120_000) ** 0.5))
    pixels = phantom(dice, side)
    frame = RLELosslessEncoder.encode(
        pixels.tobytes(), encoding_plugin="pydicom", rows=side, columns=side, number_of_frames=1,
        samples_per_pixel=1, bits_allocated=16, bits_stored=12, pixel_representation=0,
        photometric_interpretation="MONOCHROME2", transfer_syntax_uid=ExplicitVRLittleEndian,
    )  # fmt: skip
    return _encapsulated(dice, RLELossless, [frame], side, 16)


def dicom_report(dice: Random, size: int) -> bytes:
    """A structured report: text in nested sequences, no pixels."""
    made = _heading(dice, ExplicitVRLittleEndian, SR, "SR")
    items = []
    for number in range(max(4, size // 170)):
        item = FileDataset("", {})
        item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
        item.TextValue = f"{number} : {dice.choice(SENTENCE.split())} {SENTENCE}"
        items.append(item)
    made.ContentSequence = Sequence(items)
    return _written(made)
