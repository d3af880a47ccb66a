"""CDA documents."""

import base64
import random

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.health.cda import FORMAT

CHAOS = random.Random(252)
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


def with_body(kind: str, content: bytes, *, swapped: bool = False) -> bytes:
    attributes = [f'mediaType="{kind}"', 'representation="B64"']
    words = " ".join(reversed(attributes) if swapped else attributes)
    body = f"<nonXMLBody><text {words}>{base64.encodebytes(content).decode()}</text></nonXMLBody>"
    return PLAIN.replace("</ClinicalDocument>", f"{body}</ClinicalDocument>").encode()


@pytest.mark.parametrize("swapped", [False, True])
def test_a_body_in_base64_is_what_it_is_said_to_be(swapped: bool) -> None:
    pdf = b"%PDF-1.7\n" + CHAOS.randbytes(3000)
    assert FORMAT.dissect(Bytes(with_body("application/pdf", pdf, swapped=swapped))).flaws == ()
    data = with_body("application/pdf", CHAOS.randbytes(3000), swapped=swapped)
    (flaw,) = FORMAT.dissect(Bytes(data)).flaws
    assert flaw.what == "a document said to be pdf begins with random bytes"
    assert data[flaw.end :].startswith(b"</text>")


@pytest.mark.parametrize(
    ("kind", "content", "notes"),
    [
        (
            "image/jpeg",
            b"\x89PNG\r\n\x1a\n" + bytes(200),
            ("a document said to be jpeg does not begin as one",),
        ),
        ("text/plain", b"un compte rendu " * 20, ()),
        ("application/pkcs7-mime", CHAOS.randbytes(300), ()),
        ("application/pdf", b"short", ()),
    ],
)
def test_other_bodies_are_no_flaw(kind: str, content: bytes, notes: tuple[str, ...]) -> None:
    anatomy = FORMAT.dissect(Bytes(with_body(kind, content)))
    assert anatomy.flaws == ()
    assert anatomy.notes == notes
