"""FHIR resources: JSON with a resourceType, lines of such, or XML in FHIR's namespace (R4 §2.6)."""

import re

from vigie.formats.contract import EFFORT, HEAD, Format
from vigie.formats.health import attachments
from vigie.formats.office import json, text, xml
from vigie.model import Anatomy, Blob

_RESOURCE = re.compile(r'"resourceType"\s*:\s*"[A-Z][A-Za-z]{2,63}"')
_NAMESPACE = re.compile(r"""xmlns(?::[\w.-]+)?\s*=\s*["']http://hl7\.org/fhir["']""")


def _is_xml(head: bytes) -> bool:
    found = xml.root(head)
    return found is not None and _NAMESPACE.search(found[1]) is not None


def _recognises(head: bytes) -> bool:
    if _is_xml(head):
        return True
    return _RESOURCE.search(text.read_head(head)) is not None and json.starts(head)


def _dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    is_xml = text.read_head(blob.at(0, HEAD)).lstrip().startswith("<")
    anatomy = xml.read(blob, "fhir", effort) if is_xml else json.read(blob, "fhir", effort)
    return attachments.added(anatomy, blob, attachments.FHIR, effort)


FORMAT = Format(
    name="fhir",
    title="FHIR resource",
    specification="HL7 FHIR R4 §2.6.1, §2.6.2",
    suffixes=("fhir",),
    recognises=_recognises,
    dissect=_dissect,
    textual=True,
)
