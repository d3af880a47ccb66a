"""Which path a longer name was made of."""

import pytest

from vigie.timeline.document import ENDINGS, folder_of, origin

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


def test_a_name_of_nothing_but_dots() -> None:
    """Each further dot costs one look, up to a bound: names come from whoever wrote the backup."""
    asked: list[str] = []

    class Known:
        def __contains__(self, path: object) -> bool:
            asked.append(str(path))
            return False

    assert origin("/d/" + "." * 255, Known()) is None
    assert len(asked) == ENDINGS
    assert origin("/d/a" + ".x" * ENDINGS, {"/d/a"}) == "/d/a"
    assert origin("/d/a" + ".x" * (ENDINGS + 1), {"/d/a"}) is None
