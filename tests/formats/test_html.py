"""HTML: known by its first tag, and otherwise text."""

import random

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.office import xml
from vigie.formats.office.html import FORMAT
from vigie.model import Charset

PAGE = "<!DOCTYPE html>\n<html><p>température<p>élevée<br></b>" + "<li>un élément\n" * 300


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        (PAGE.encode(), Charset.UTF8),
        (PAGE.encode("cp1252"), Charset.LATIN1),
        (PAGE.encode("utf-16"), Charset.UTF16),
        (("<!-- saved -->\n" + PAGE.replace("<!DOCTYPE html>\n", "")).encode(), Charset.UTF8),
        (PAGE.replace("!DOCTYPE html", "!doctype NETSCAPE-Bookmark-file-1").encode(), Charset.UTF8),
        (b"<head><title>x</title></head>", Charset.UTF8),
    ],
)
def test_pages_need_not_be_well_formed(data: bytes, charset: Charset) -> None:
    assert FORMAT.recognises(data[:4096])
    anatomy = FORMAT.dissect(Bytes(data))
    assert (anatomy.format, anatomy.flaws, anatomy.notes) == ("html", (), ())
    assert [r.charset for r in anatomy.regions] == [charset]


def test_xhtml_is_xml_and_mail_is_mail() -> None:
    for head in (
        b"<?xml version='1.0'?><html>",
        b"text <html>",
        b"",
        b"<htmlish>",
        random.Random(1).randbytes(4096),
    ):
        assert not FORMAT.recognises(head)
    assert not xml.FORMAT.recognises(b"<!doctype NETSCAPE-Bookmark-file-1>")


def test_blows_are_flaws_where_they_fell() -> None:
    data = PAGE.encode()
    hit = data[:2000] + random.Random(2).randbytes(500) + data[2500:]
    (flaw,) = FORMAT.dissect(Bytes(hit)).flaws
    assert 2000 <= flaw.start < flaw.end <= 2500
    with pytest.raises(Malformed):
        FORMAT.dissect(Bytes(random.Random(3).randbytes(5000)))
