"""OpenDocument: a ZIP that names its kind first; under a password, too."""

import io
import random
import zipfile

import pytest

from vigie.formats.contract import Bytes, Malformed
from vigie.formats.office.odf import FORMAT, dissect
from vigie.model import Kind

TEXT = "application/vnd.oasis.opendocument.text"
PLAIN = "<manifest:manifest><manifest:file-entry manifest:full-path='/'/></manifest:manifest>"
LOCKED = PLAIN.replace("/>", "><manifest:encryption-data manifest:checksum='x'/></manifest:file-entry>")


def package(kind: str = TEXT, manifest: str = PLAIN, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    dice = random.Random(2)
    words = " ".join(f"mot{dice.randrange(5000)}" for _ in range(9000))
    with zipfile.ZipFile(out, "w", method) as target:
        target.writestr("mimetype", kind, zipfile.ZIP_STORED)
        target.writestr("content.xml", f"<office:document-content>{words}</office:document-content>")
        target.writestr("Thumbnails/thumbnail.png", dice.randbytes(3000))
        target.writestr("META-INF/manifest.xml", manifest)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["text", "spreadsheet", "presentation", "graphics-template", "base"])
def test_every_kind_is_known_by_its_first_member(kind: str) -> None:
    data = package(f"application/vnd.oasis.opendocument.{kind}")
    assert FORMAT.recognises(data[:4096])
    anatomy = dissect(Bytes(data))
    assert anatomy.format == "odf"
    assert (anatomy.flaws, anatomy.notes) == ((), ())
    assert anatomy.checked > 3000


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_password_is_a_note_and_checksums_still_hold(method: int) -> None:
    anatomy = dissect(Bytes(package(manifest=LOCKED, method=method)))
    assert anatomy.flaws == ()
    assert anatomy.notes[0].startswith("encrypted on purpose")
    assert anatomy.checked > 3000


def test_other_archives_are_none() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        target.writestr("mimetype", "application/epub+zip")
    data = out.getvalue()
    assert not FORMAT.recognises(data)
    assert dissect(Bytes(data)).notes == ("no META-INF/manifest.xml", "its type does not stand first")
    for none in (b"", b"PK", random.Random(1).randbytes(9000)):
        assert not FORMAT.recognises(none)
        with pytest.raises(Malformed):
            dissect(Bytes(none))


def test_a_struck_member_is_a_flaw_where_it_was_struck() -> None:
    data = package()
    start = len(data) // 4 // 4096 * 4096
    hit = data[:start] + random.Random(3).randbytes(4096) + data[start + 4096 :]
    flaws = dissect(Bytes(hit)).flaws
    assert flaws
    assert any(flaw.start < start + 4096 and flaw.end > start for flaw in flaws)


def test_cut_anywhere_it_is_flawed_or_malformed() -> None:
    data = package()
    for size in range(0, len(data) - 30, 997):
        try:
            anatomy = dissect(Bytes(data[:size]))
        except Malformed:
            continue
        assert anatomy.flaws
        assert all(region.kind in Kind for region in anatomy.regions)
