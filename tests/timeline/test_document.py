"""Which path a longer name was made of."""

import pytest

from vigie.timeline.document import folder_of, origin

KNOWN = {"/a/r.pdf", "/a/r.pdf.old", "/b/r.pdf", "/a/.profile"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/r.pdf.locked", "/a/r.pdf"),
        ("/a/r.pdf.id-7.[mail@example.org].crypt", "/a/r.pdf"),
        ("/a/r.pdf.old.locked", "/a/r.pdf.old"),
        ("/a/r.pdf", None),
        ("/a/r.pdfx", None),
        ("/a/r", None),
        ("/c/r.pdf.locked", None),
        ("/a/.profile.locked", "/a/.profile"),
        ("/a/.locked", None),
        ("/a/r.pdf/x.locked", None),
        ("", None),
    ],
)
def test_origin(path: str, expected: str | None) -> None:
    assert origin(path, KNOWN) == expected


def test_folder_of() -> None:
    assert folder_of("/a/b.txt") == "/a"
    assert folder_of("/b.txt") == ""
