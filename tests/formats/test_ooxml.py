"""OOXML: a ZIP of known members; under a password an OLE2 file."""

import io
import random
import struct
import zipfile

import docx
import pytest

from vigie.formats.archive.encrypted import OLE2_MAGIC
from vigie.formats.contract import Bytes, Format, Malformed
from vigie.formats.office.ooxml import FORMATS
from vigie.model import Kind

BY_NAME = {one.name: one for one in FORMATS}


def package(folder: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in ("[Content_Types].xml", "_rels/.rels", f"{folder}document.xml", "docProps/app.xml"):
            target.writestr(name, f"<x>{name}</x>" * 20)
    return out.getvalue()


def ole2(stream: str) -> bytes:
    """The frame of a compound file (MS-CFB 2.2) whose directory, in sector 200, names one stream."""
    header = OLE2_MAGIC + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(14)
    header = header.ljust(512, b"\xff")
    header = header[:48] + struct.pack("<L", 200) + header[52:]
    body = random.Random(1).randbytes(512 * 200)
    entries = "Root Entry".encode("utf-16-le").ljust(128, b"\0") + stream.encode("utf-16-le").ljust(
        128, b"\0"
    )
    return header + body + entries.ljust(512, b"\0") + random.Random(2).randbytes(200_000)


@pytest.mark.parametrize(("name", "folder"), [("docx", "word/"), ("xlsx", "xl/"), ("pptx", "ppt/")])
def test_each_application_has_its_folder(name: str, folder: str) -> None:
    data = package(folder)
    assert [one.name for one in FORMATS if one.recognises(data[:4096])] == [name]
    anatomy = BY_NAME[name].dissect(Bytes(data))
    assert anatomy.format == name
    assert (anatomy.flaws, anatomy.notes) == ((), ())


def test_a_document_of_python_docx() -> None:
    out = io.BytesIO()
    docx.Document().save(out)
    data = out.getvalue()
    assert BY_NAME["docx"].recognises(data[:4096])
    assert BY_NAME["docx"].dissect(Bytes(data)).flaws == ()


def test_a_plain_zip_is_none() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        target.writestr("readme/word/a.txt", "x")
    data = out.getvalue()
    assert not any(one.recognises(data) for one in FORMATS)
    anatomy = BY_NAME["docx"].dissect(Bytes(data))
    assert anatomy.flaws == ()
    assert anatomy.notes == ("no [Content_Types].xml", "no word/ part")


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_password_makes_it_opaque(form: Format) -> None:
    data = ole2("EncryptedPackage")
    anatomy = form.dissect(Bytes(data))
    assert anatomy.format == "ooxml-encrypted"
    assert [r.kind for r in anatomy.regions] == [Kind.OPAQUE]
    with pytest.raises(Malformed):
        form.dissect(Bytes(ole2("WordDocument")))
    with pytest.raises(Malformed):
        form.dissect(Bytes(random.Random(4).randbytes(9000)))
