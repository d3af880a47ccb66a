"""CDA R2 documents: XML whose root is ClinicalDocument in urn:hl7-org:v3 (HL7 CDA R2 §4.1)."""

import re

from vigie.formats.contract import EFFORT, Format
from vigie.formats.health import attachments
from vigie.formats.office import xml
from vigie.model import Anatomy, Blob

_NAMESPACE = re.compile(r"""xmlns(?::[\w.-]+)?\s*=\s*["']urn:hl7-org:v3["']""")


def _recognises(head: bytes) -> bool:
    found = xml.root(head)
    return found is not None and found[0] == "ClinicalDocument" and _NAMESPACE.search(found[1]) is not None


def _dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    return attachments.added(xml.read(blob, "cda", effort), blob, attachments.CDA, effort)


FORMAT = Format(
    name="cda",
    title="CDA R2 clinical document",
    specification="HL7 CDA R2 §4.1; CI-SIS structuration minimale",
    suffixes=("cda",),
    recognises=_recognises,
    dissect=_dissect,
    textual=True,
)
