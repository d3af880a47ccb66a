"""What a healthy file of each kind looks like: `Blob -> Anatomy`. Pure.

A format is recognised by content first and by name second. The order of `CATALOGUE` matters: the first
format that recognises a head wins, so the special ones stand before the general ones they are made of
(DOCX before ZIP, CDA before XML, HL7 v2 before text).
"""

from vigie.formats.contract import HEAD, Format, Malformed

__all__ = ["CATALOGUE", "HEAD", "Format", "Malformed", "by_content", "by_name"]

CATALOGUE: tuple[Format, ...] = ()

_PROMISED: dict[str, Format] = {s: f for f in reversed(CATALOGUE) for s in f.suffixes}
_HINTED: dict[str, Format] = {s: f for f in reversed(CATALOGUE) for s in f.weak_suffixes}


def by_content(head: bytes) -> Format | None:
    """The first format of the catalogue that recognises the head of a file (at most `HEAD` bytes)."""
    return next((f for f in CATALOGUE if f.recognises(head)), None)


def by_name(name: str) -> tuple[Format, bool] | None:
    """The format a file's name promises, and whether firmly (`.pdf`) or as a hint (`.db`).

    Endings that no format knows are looked through, from the right: `report.pdf.id-7.locked` claims PDF.
    """
    parts = name.rpartition("/")[2].lower().split(".")[1:]
    for part in reversed(parts):
        if part in _PROMISED:
            return _PROMISED[part], True
        if part in _HINTED:
            return _HINTED[part], False
    return None
