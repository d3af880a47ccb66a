"""What other systems exchange: FHIR R4 bundles in JSON, and small CDA R2 documents in XML."""

import json
from datetime import datetime
from random import Random
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

from vigie.drill.practice.draft import Draft
from vigie.drill.practice.people import TEST_OID, Patient
from vigie.drill.practice.results import Report, sample


def _urn(rng: Random) -> str:
    return f"urn:uuid:{UUID(int=rng.getrandbits(128), version=4)}"


def bundle(report: Report, rng: Random) -> bytes:
    """A FHIR R4 collection: the patient, an observation a value, the conditions."""
    patient = report.patient
    subject = _urn(rng)
    entries: list[tuple[str, dict[str, object]]] = [
        (
            subject,
            {
                "resourceType": "Patient",
                "identifier": [{"system": f"urn:oid:{TEST_OID}", "value": patient.ins}],
                "name": [{"use": "usual", "family": patient.name.upper(), "given": [patient.given]}],
                "gender": "male" if patient.sex == "M" else "female",
                "birthDate": patient.birth.isoformat(),
                "address": [{"line": [patient.street], "postalCode": patient.postcode, "city": patient.town}],
                "telecom": [{"system": "phone", "value": patient.phone}],
            },
        )
    ]
    for condition in patient.conditions:
        code = {
            "coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": condition.icd10}],
            "text": condition.name,
        }
        entries.append(
            (_urn(rng), {"resourceType": "Condition", "subject": {"reference": subject}, "code": code})
        )
    for result in (result for _, results in report.panels for result in results):
        analyte = result.analyte
        observation: dict[str, object] = {
            "resourceType": "Observation",
            "status": "final",
            "code": {
                "coding": [{"system": "http://loinc.org", "code": analyte.loinc}],
                "text": analyte.label,
            },
            "subject": {"reference": subject},
            "effectiveDateTime": f"{report.taken.isoformat()}Z",
            "valueQuantity": {"value": result.value, "unit": analyte.unit},
        }
        if result.usual:
            observation["referenceRange"] = [{"text": result.usual}]
        entries.append((_urn(rng), observation))
    made = {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": f"{report.validated.isoformat()}Z",
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in entries],
    }
    return json.dumps(made, ensure_ascii=False, indent=2).encode()


def cda(report: Report, rng: Random) -> bytes:
    """A small CDA R2 laboratory report: header, one section a panel with a table."""
    patient = report.patient
    sections = []
    for panel, results in report.panels:
        table = "".join(
            f"<tr><td>{escape(r.analyte.label)}</td><td>{r.text()}</td><td>{escape(r.analyte.unit)}</td>"
            f"<td>{escape(r.usual)}</td><td>{r.flag}</td></tr>\n"
            for r in results
        )
        sections.append(
            f"<component><section><code code={quoteattr(panel.code)} displayName={quoteattr(panel.title)}/>"
            f"<title>{escape(panel.title)}</title>\n<text><table><tbody>\n{table}</tbody></table></text>"
            "</section></component>\n"
        )
    gender = patient.sex
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3">\n'
        '<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>\n'
        f'<id root="2.25.{rng.getrandbits(128)}"/>\n'
        '<code code="11502-2" codeSystem="2.16.840.1.113883.6.1" displayName="CR d\'examens biologiques"/>\n'
        f"<title>Compte rendu {escape(report.number)}</title>\n"
        f'<effectiveTime value="{report.validated:%Y%m%d%H%M%S}+0100"/>\n'
        '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="fr-FR"/>\n'
        f'<recordTarget><patientRole><id extension="{patient.ins}" root="{TEST_OID}"/>\n'
        f"<addr><streetAddressLine>{escape(patient.street)}</streetAddressLine>"
        f"<postalCode>{patient.postcode}</postalCode><city>{escape(patient.town)}</city></addr>\n"
        f"<patient><name><given>{escape(patient.given)}</given><family>{escape(patient.name.upper())}</family></name>"
        f'<administrativeGenderCode code="{gender}" codeSystem="2.16.840.1.113883.5.1"/>'
        f'<birthTime value="{patient.birth:%Y%m%d}"/></patient></patientRole></recordTarget>\n'
        f"<component><structuredBody>\n{''.join(sections)}</structuredBody></component>\n</ClinicalDocument>\n"
    ).encode()


def fhir_document(patient: Patient, when: datetime, rng: Random) -> Draft:
    """A bundle as an export leaves it."""
    report = sample(patient, when, rng)
    return Draft(
        f"Echanges/FHIR/{when:%Y}/bundle_{report.number}.json", bundle(report, rng), report.validated
    )


def cda_document(patient: Patient, when: datetime, rng: Random) -> Draft:
    """A document as the national record or secure mail delivers it."""
    report = sample(patient, when, rng)
    return Draft(
        f"Echanges/CDA/{when:%Y}/{report.number}_{patient.ipp}.xml", cda(report, rng), report.validated
    )
