"""Delimited text: text, with what its first lines say about columns (RFC 4180, loosely)."""

from vigie.formats.contract import HEAD, Format
from vigie.formats.office import text
from vigie.model import Blob

_DELIMITERS = ";,\t|"


def _recognises(_head: bytes) -> bool:
    # Nothing in the bytes tells delimited text from other text: only the name does.
    return False


def _columns(blob: Blob, found: text.TextSurvey) -> tuple[str, ...]:
    lines = blob.at(0, HEAD).decode(found.codec, "replace").removeprefix("\ufeff").splitlines()
    # The last line of the head may be cut. A ragged table is no flaw: exports have titles and totals.
    whole = [line for line in lines[: -1 if blob.size > HEAD else None] if line]
    if not whole:
        return ()
    delimiter = max(_DELIMITERS, key=whole[0].count)
    columns = {line.count(delimiter) + 1 for line in whole}
    if columns == {1}:
        return ("a single column",)
    return ("lines of unequal numbers of columns",) if len(columns) > 1 else ()


FORMAT = Format(
    name="csv",
    title="Delimited text",
    specification="RFC 4180",
    suffixes=("csv", "tsv"),
    recognises=_recognises,
    dissect=text.plain("csv", "delimited text", _columns),
    textual=True,
)
