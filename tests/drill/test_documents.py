import io
import json
import re
import sqlite3
import xml.etree.ElementTree as ET
import zipfile
import zlib
from contextlib import closing
from datetime import date, datetime
from random import Random

import docx
import numpy as np
import pydicom
import pytest
from PIL import Image
from reportlab import rl_config

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
    sentences,
)
from vigie.drill.practice.people import correspondents, doctors, patients
from vigie.drill.practice.results import PANELS, report, sample

TODAY = date(2026, 11, 23)
WHEN = datetime(2026, 11, 20, 9, 30, 5)  # noqa: DTZ001 -- the practice's own time
EVERYBODY = patients(Random(1), 40, doctors(Random(2)), TODAY)
PATIENT = next(p for p in EVERYBODY if p.conditions and p.allergies)
REPORT = report(PATIENT, WHEN, "2611200042", PANELS)


def test_hprim_has_thirteen_header_lines_then_results_then_its_ends() -> None:
    data = hprim.latin1(hprim.text(REPORT))
    lines = data.decode("latin-1").split("\r\n")
    assert lines[0] == PATIENT.ipp
    assert lines[6] == f"{PATIENT.birth:%d/%m/%Y}"
    assert lines[7] == PATIENT.ins
    assert lines[12] == ""
    assert lines[13].startswith("Dossier 2611200042")
    assert lines[-3:] == ["****FIN****", "****FINFICHIER****", ""]
    results = [line.split("|") for line in lines[lines.index("****LAB****") :] if line.startswith("RES|")]
    assert len(results) == sum(len(rs) for _, rs in REPORT.panels)
    assert {len(r) for r in results} == {15}
    assert all(float(r[4]) > 0 for r in results)
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_latin1_writes_what_it_lacks_another_way() -> None:
    assert hprim.latin1("Hœrner, Açıkgöz, l’été, 漢") == "Hoerner, Açikgöz, l'été, ?".encode("latin-1")


@pytest.mark.parametrize("charset", hl7v2.CHARSETS)
def test_hl7_announces_its_charset_and_keeps_the_accents(charset: str) -> None:
    data = hl7v2.message(REPORT, charset)
    text = data.decode("utf-8" if charset == "UNICODE UTF-8" else "latin-1")
    segments = text.split("\r")
    assert segments.pop() == ""
    assert "\n" not in text
    header = segments[0].split("|")
    # MSH-1 is the separator itself: field n stands at n - 1.
    assert header[17] == charset
    assert header[8] == "ORU^R01^ORU_R01"
    names = [s[:3] for s in segments]
    assert names[:4] == ["MSH", "PID", "PV1", "OBR"]
    assert names.count("OBR") == len(PANELS)
    assert names.count("OBX") == sum(len(rs) for _, rs in REPORT.panels)
    person = segments[1].split("|")
    assert person[3].split("~")[1].startswith(PATIENT.ins)
    assert person[8] == PATIENT.sex
    assert "Hémoglobine" in text


def test_hl7_delimiters_in_text_are_escaped() -> None:
    assert hl7v2.escaped(r"a|b^c~d&e\f") == r"a\F\b\S\c\R\d\T\e\E\f"


def test_a_typeset_pdf_is_compressed_and_a_scanned_one_holds_a_jpeg(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pdf.typeset(REPORT)
    monkeypatch.setattr(rl_config, "useA85", 1)  # somebody else uses the library in between
    typeset = pdf.typeset(REPORT)
    assert typeset.startswith(b"%PDF-1.")
    assert typeset.rstrip().endswith(b"%%EOF")
    pages = b"".join(
        zlib.decompress(s) for s in re.findall(rb"\nstream\r?\n(.*?)endstream", typeset, re.DOTALL)
    )
    assert b"2611200042" in pages
    assert PATIENT.ins.encode() in pages
    assert b"Document invent" in pages
    scanned = pdf.scanned(REPORT, Random(3))
    assert b"/DCTDecode" in scanned
    assert b"/ASCII85Decode" not in typeset + scanned
    assert pdf.typeset(REPORT) == typeset
    assert pdf.scanned(REPORT, Random(3)) == scanned


def test_a_letter_opens_and_speaks_of_its_patient() -> None:
    other = correspondents(Random(4))[0]
    data = letters.letter(PATIENT, other, WHEN, Random(5))
    assert letters.letter(PATIENT, other, WHEN, Random(5)) == data
    document = docx.Document(io.BytesIO(data))
    text = "\n".join(p.text for p in document.paragraphs)
    assert PATIENT.title in text
    assert other.title in text
    assert PATIENT.conditions[0].drugs[0].name in text
    assert "{" not in text
    assert [p.text for p in document.paragraphs if p.style.name == "Heading 2"][:2] == [
        "Antécédents",
        "Examen clinique",
    ]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {m.date_time for m in archive.infolist()} == {(2026, 11, 20, 9, 30, 4)}


def test_a_healthy_patient_has_a_letter_too() -> None:
    healthy = next(p for p in EVERYBODY if not p.conditions and not p.allergies)
    assert sentences.history(healthy, WHEN) == [
        "Il n'y a pas d'antécédent médical ou chirurgical notable.",
        "Aucune allergie connue à ce jour.",
    ]
    data = letters.letter(healthy, correspondents(Random(4))[0], WHEN, Random(6))
    titles = [p.text for p in docx.Document(io.BytesIO(data)).paragraphs if p.style.name == "Heading 2"]
    assert "Traitement habituel" not in titles


def test_sentences_have_no_hole() -> None:
    for patient in EVERYBODY:
        note = notes.text(patient, WHEN, Random(patient.ipp))
        assert "{" not in note
        assert patient.title in note


def test_a_photo_is_a_jpeg_with_its_moment() -> None:
    data = photos.photo(WHEN, Random(7))
    assert 30_000 < len(data) < 110_000
    image = Image.open(io.BytesIO(data))
    image.load()
    assert (image.format, image.size) == ("JPEG", (640, 480))
    assert image.getexif()[0x0132] == "2026:11:20 09:30:05"
    assert np.asarray(image).std() > 5
    assert photos.photo(WHEN, Random(7)) == data


@pytest.mark.parametrize(
    ("make", "syntax", "bits"),
    [
        (lambda rng: imaging.computed_tomography(PATIENT, WHEN, rng), imaging.EXPLICIT, 12),
        (lambda rng: imaging.computed_tomography(PATIENT, WHEN, rng, rle=True), imaging.RLE, 12),
        (lambda rng: imaging.radiograph(PATIENT, WHEN, rng), imaging.EXPLICIT, 12),
        (lambda rng: imaging.capture(PATIENT, WHEN, rng), imaging.JPEG, 8),
    ],
    ids=["ct", "ct-rle", "radiograph", "capture"],
)
def test_dicom_images_decode(make: object, syntax: str, bits: int) -> None:
    assert callable(make)
    data = make(Random(8))
    assert data == make(Random(8))
    assert data[128:132] == b"DICM"
    dataset = pydicom.dcmread(io.BytesIO(data))
    assert dataset.file_meta.TransferSyntaxUID == syntax
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert dataset.file_meta.MediaStorageSOPClassUID == dataset.SOPClassUID
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert dataset[name].value.startswith("2.25.")
        assert len(dataset[name].value) <= 64
    assert dataset.PatientID == PATIENT.ipp
    assert dataset.BitsStored == bits
    pixels = dataset.pixel_array
    assert pixels.shape == (dataset.Rows, dataset.Columns)
    assert pixels.max() < 1 << bits
    assert pixels.std() > 10


def test_rle_gives_the_pixels_back() -> None:
    dataset = pydicom.dcmread(io.BytesIO(imaging.computed_tomography(PATIENT, WHEN, Random(9), rle=True)))
    twin = Random(9)
    imaging._heading(PATIENT, WHEN, twin, "CT")
    assert np.array_equal(dataset.pixel_array, imaging.slice_of(twin, 128))


def test_the_database_is_sound_and_gives_its_patients_back() -> None:
    data = database.database(EVERYBODY, TODAY, Random(10))
    assert data.startswith(b"SQLite format 3\0")
    assert data == database.database(EVERYBODY, TODAY, Random(10))
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(data)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("patient", "medecin", "rendez_vous", "prescription", "facture")
        }
        assert counts["patient"] == 40
        assert counts["rendez_vous"] == 2000
        assert counts["prescription"] > 1000
        assert counts["facture"] > 1000
        future = connection.execute(
            "SELECT DISTINCT etat FROM rendez_vous WHERE debut > '2026-11-24'"
        ).fetchall()
        assert future == [("prévu",)]
        assert database.patients_in(connection) == EVERYBODY


def test_agendas_are_semicolons_in_latin1_or_tabs_in_utf16() -> None:
    drafts = [agenda.document(EVERYBODY, WHEN, Random(seed)) for seed in range(12)]
    lists = [d for d in drafts if d.path.endswith(".csv")]
    exports = [d for d in drafts if d.path.endswith(".txt")]
    assert lists
    assert exports
    for draft in lists:
        lines = draft.data.decode("latin-1").split("\r\n")
        assert lines.pop() == ""
        assert lines[0].split(";") == list(agenda.COLUMNS)
        assert {line.count(";") for line in lines} == {8}
    for draft in exports:
        assert draft.data[:2] in {b"\xff\xfe", b"\xfe\xff"}
        assert draft.data.decode("utf-16").splitlines()[0].split("\t") == list(agenda.COLUMNS)


def test_bundles_are_json_and_point_at_their_patient() -> None:
    made = json.loads(exchange.bundle(REPORT, Random(11)))
    resources = [e["resource"] for e in made["entry"]]
    assert made["resourceType"] == "Bundle"
    assert resources[0]["identifier"][0]["value"] == PATIENT.ins
    assert {r["subject"]["reference"] for r in resources[1:]} == {made["entry"][0]["fullUrl"]}
    assert {r["resourceType"] for r in resources} == {"Patient", "Condition", "Observation"}


def test_cda_is_well_formed() -> None:
    root = ET.fromstring(exchange.cda(REPORT, Random(12)))
    space = {"h": "urn:hl7-org:v3"}
    assert root.tag == "{urn:hl7-org:v3}ClinicalDocument"
    found = root.find("h:recordTarget/h:patientRole/h:id", space)
    assert found is not None
    assert found.get("extension") == PATIENT.ins
    assert len(root.findall(".//h:section", space)) == len(PANELS)


def test_documents_of_one_sample_agree() -> None:
    same = sample(PATIENT, WHEN, Random(13))
    value = same.panels[0][1][0].text()
    assert f"|{value}|" in hprim.text(same)
    assert f"|{value}|" in hl7v2.message(same, hl7v2.CHARSETS[0]).decode()
    assert f"<td>{value}</td>" in exchange.cda(same, Random(1)).decode()
