"""HL7 v2.5 laboratory messages, ORU^R01, as an interface engine files them: CR between segments."""

from datetime import datetime
from random import Random

from vigie.drill.practice.draft import Draft
from vigie.drill.practice.hprim import latin1
from vigie.drill.practice.people import TEST_OID, Patient
from vigie.drill.practice.results import Report, Result, sample

CHARSETS = ("UNICODE UTF-8", "8859/1")
"""MSH-18, HL7 table 0211."""

_ESCAPES = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\"})


def escaped(text: str) -> str:
    """Text with the delimiters written as HL7 v2.5 §2.7 says."""
    return text.translate(_ESCAPES)


def _result(index: int, result: Result, taken: datetime) -> str:
    low = "" if result.low is None else result.text(result.low)
    high = "" if result.high is None else result.text(result.high)
    usual = f"{low}-{high}" if low and high else (f"<{high}" if high else f">{low}" if low else "")
    analyte = result.analyte
    return (
        f"OBX|{index}|NM|{analyte.loinc}^{escaped(analyte.label)}^LN^{analyte.short}^{escaped(analyte.label)}^L||"
        f"{result.text()}|{escaped(analyte.unit)}|{usual}|{result.flag or 'N'}|||F|||{taken:%Y%m%d%H%M}"
    )


def message(report: Report, charset: str) -> bytes:
    """The message, encoded as `charset` (one of `CHARSETS`) announces."""
    patient, when = report.patient, report.validated
    doctor = f"{patient.doctor.code}^{escaped(patient.doctor.name.upper())}^{escaped(patient.doctor.given)}"
    name = f"{escaped(patient.name.upper())}^{escaped(patient.given)}"
    birth_name = f"{escaped(patient.birth_name.upper())}^{escaped(patient.given)}"
    header = (
        f"MSH|^~\\&|SIL|LABO_INVENTE|CABINET|CABINET_INVENTE|{when:%Y%m%d%H%M%S}||ORU^R01^ORU_R01|"
        f"{report.number}|P|2.5|||||FRA|{charset}|FR"
    )
    identity = (
        f"PID|1||{patient.ipp}^^^CABINET^PI~{patient.ins}^^^ASIP-SANTE-INS-NIR&{TEST_OID}&ISO^INS||"
        f"{name}^^^^^D~{birth_name}^^^^^L||{patient.birth:%Y%m%d}|{patient.sex}|||"
        f"{escaped(patient.street)}^^{escaped(patient.town)}^^{patient.postcode}^FRA^H||{patient.phone}^PRN^CP"
    )
    segments = [header, identity, f"PV1|1|O|||||{doctor}|||||||||||{report.number}^^^LABO^VN"]
    for order, (panel, results) in enumerate(report.panels, 1):
        segments.append(
            f"OBR|{order}|{report.number}-{order}^CABINET|{report.number}-{order}^SIL|"
            f"{panel.code}^{escaped(panel.title)}^L|||{report.taken:%Y%m%d%H%M}|||||||||{doctor}||||||{when:%Y%m%d%H%M}||LAB|F"
        )
        segments += [_result(index, result, report.taken) for index, result in enumerate(results, 1)]
    text = "\r".join(segments) + "\r"
    return text.encode() if charset == CHARSETS[0] else latin1(text)


def document(patient: Patient, when: datetime, rng: Random) -> Draft:
    """One message in one file."""
    made = sample(patient, when, rng)
    data = message(made, rng.choice(CHARSETS))
    return Draft(f"Biologie/{when:%Y/%m}/HL7/ORU_{made.number}_{patient.ipp}.hl7", data, made.validated)
