"""FHIR resources in JSON, in lines of JSON, and in XML."""

import json

import pytest

from vigie.formats.contract import Bytes
from vigie.formats.health.fhir import FORMAT

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
