"""FHIR resources in JSON, in lines of JSON, and in XML."""

import base64
import json
import random

import pytest

from vigie.formats.contract import Bytes
from vigie.formats.health import attachments
from vigie.formats.health.fhir import FORMAT

CHAOS = random.Random(253)
PATIENT = json.dumps({"resourceType": "Patient", "name": [{"family": "Dupré"}] * 200})
XML = "<Patient xmlns='http://hl7.org/fhir'>" + "<name><family value='Dupré'/></name>" * 200 + "</Patient>"


@pytest.mark.parametrize(
    "data", [PATIENT, PATIENT + "\n" + PATIENT + "\n", XML, "<?xml version='1.0'?>\n" + XML, "\ufeff" + XML]
)
def test_healthy_resources(data: str) -> None:
    raw = data.encode()
    assert FORMAT.recognises(raw[:4096])
    anatomy = FORMAT.dissect(Bytes(raw))
    assert anatomy.format == "fhir"
    assert anatomy.flaws == ()


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{}",
        b'{"resource": "Patient"}',
        b'the "resourceType": "Patient"',
        b"<Patient xmlns='urn:x'/>",
        b'{"resourceType": "patient"}',
    ],
)
def test_other_documents_are_not(head: bytes) -> None:
    assert not FORMAT.recognises(head)


@pytest.mark.parametrize("data", [PATIENT, XML])
def test_truncated_is_a_flaw(data: str) -> None:
    raw = data.encode()
    assert all(FORMAT.dissect(Bytes(raw[:size])).flaws for size in range(60, len(raw), 211))


def attached(content: bytes, form: str) -> bytes:
    data = base64.b64encode(content).decode()
    if form == "xml":
        attachment = f"<contentType value='application/pdf'/><data value='{data}'/>"
        inner = (
            f"<DocumentReference><content><attachment>{attachment}</attachment></content></DocumentReference>"
        )
        return XML.replace("</Patient>", f"<contained>{inner}</contained></Patient>").encode()
    resource = {"resourceType": "Binary", "contentType": "application/pdf", "data": data}
    return json.dumps(resource, indent=1 if form == "json" else None).encode() + b"\n"


@pytest.mark.parametrize("form", ["xml", "json", "ndjson"])
def test_an_attachment_is_what_it_is_said_to_be(form: str) -> None:
    assert FORMAT.dissect(Bytes(attached(b"%PDF-1.4\n" + bytes(300), form))).flaws == ()
    data = attached(CHAOS.randbytes(3000), form)
    (flaw,) = FORMAT.dissect(Bytes(data)).flaws
    assert flaw.what == "a document said to be pdf begins with random bytes"
    assert data[flaw.end : flaw.end + 1] in b"\"'"


def test_many_lines_with_struck_places_are_flawed_there() -> None:
    data = bytearray((PATIENT + "\n").encode() * 20)
    for at in (8192, 20480):
        data[at : at + 512] = CHAOS.randbytes(512)
    flaws = FORMAT.dissect(Bytes(bytes(data))).flaws
    assert flaws
    assert all(any(at - 64 <= flaw.start < at + 576 for at in (8192, 20480)) for flaw in flaws)


def test_a_limit_of_flawed_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "MAX_FLAWS", 2)
    monkeypatch.setattr(attachments, "LONGEST", 100)
    monkeypatch.setattr(attachments, "SLICE", 1000)
    data = attached(CHAOS.randbytes(3000), "json") * 5
    flaws = FORMAT.dissect(Bytes(data)).flaws
    assert len(flaws) == 2
    assert all(flaw.end - flaw.start == 100 for flaw in flaws)


def test_what_is_no_base64_is_left_to_the_text() -> None:
    data = attached(bytes(300), "json").replace(b"AAAA", b"A=A!", 1)
    assert FORMAT.dissect(Bytes(data)).flaws == ()
