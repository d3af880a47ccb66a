"""Delimited text: text, with what its first lines say about columns (RFC 4180, loosely)."""

from vigie.formats.contract import EFFORT, HEAD, Format
from vigie.formats.office import text
from vigie.model import Anatomy, Blob, Kind, Region

_DELIMITERS = ";,\t|"


def _recognises(_head: bytes) -> bool:
    # Nothing in the bytes tells delimited text from other text: only the name does.
    return False


def _dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    if not blob.size:
        return Anatomy("csv", ())
    found = text.survey(blob)
    lines = blob.at(0, HEAD).decode(found.codec, "replace").removeprefix("\ufeff").splitlines()
    # The last line of the head may be cut. A ragged table is no flaw: exports have titles and totals.
    whole = [line for line in lines[: -1 if blob.size > HEAD else None] if line]
    flaws, notes = text.damage(blob, found)
    if whole:
        delimiter = max(_DELIMITERS, key=whole[0].count)
        columns = {line.count(delimiter) + 1 for line in whole}
        if columns == {1}:
            notes = (*notes, "a single column")
        elif len(columns) > 1:
            notes = (*notes, "lines of unequal numbers of columns")
    region = Region(0, blob.size, Kind.STRUCTURED, "delimited text", found.charset)
    return Anatomy("csv", (region,), flaws, notes=notes)


FORMAT = Format(
    name="csv",
    title="Delimited text",
    specification="RFC 4180",
    suffixes=("csv", "tsv"),
    recognises=_recognises,
    dissect=_dissect,
    textual=True,
)
