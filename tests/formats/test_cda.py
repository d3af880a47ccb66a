"""CDA documents."""

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.health.cda import FORMAT

BODY = "<typeId root='2.16.840.1.113883.1.3'/><title>Compte rendu de biologie à relire</title>" * 30
PLAIN = f"<ClinicalDocument xmlns='urn:hl7-org:v3'>{BODY}</ClinicalDocument>"
PREFIXED = f"<cda:ClinicalDocument a='b' xmlns:cda='urn:hl7-org:v3'>{BODY}</cda:ClinicalDocument>"


@pytest.mark.parametrize(
    "prolog",
    [
        "",
        "\ufeff",
        "<?xml version='1.0' encoding='UTF-8'?>\n<?xml-stylesheet href='../a.xsl'?>\n<?oxygen x='y'?>\n",
        "<?xml version='1.0'?><!-- a comment with <tags> and ?> -->\n\n",
    ],
)
@pytest.mark.parametrize("document", [PLAIN, PREFIXED])
def test_healthy_documents(prolog: str, document: str) -> None:
    data = (prolog + document).encode()
    assert FORMAT.recognises(data[:4096])
    anatomy = FORMAT.dissect(Bytes(data))
    assert anatomy.format == "cda"
    assert anatomy.flaws == ()


def test_utf16_is_recognised() -> None:
    assert FORMAT.recognises(PLAIN.encode("utf-16")[:4096])


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"<ClinicalDocument>",
        b"<a xmlns='urn:hl7-org:v3'/>",
        b"<ClinicalDocuments xmlns='urn:hl7-org:v3'>",
        b"<?xml ",
    ],
)
def test_other_documents_are_not(head: bytes) -> None:
    assert not FORMAT.recognises(head)


def test_truncated_is_a_flaw_and_an_overwritten_head_malformed() -> None:
    data = PLAIN.encode()
    assert FORMAT.dissect(Bytes(data[:2000])).flaws
    assert FORMAT.dissect(Bytes(bytes(range(64)) + data[64:])).flaws[0].start == 0
    with pytest.raises(Malformed):
        FORMAT.dissect(Bytes(bytes(4096) + data))
