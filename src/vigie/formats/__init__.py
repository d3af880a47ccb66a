"""What a healthy file of each kind looks like: `Blob -> Anatomy`. Pure.

A format is recognised by content first and by name second; `catalogue` lists them.
"""

from dataclasses import dataclass

from vigie.formats.catalogue import CATALOGUE
from vigie.formats.contract import HEAD, Format, Malformed
from vigie.formats.office.text import clean

__all__ = ["CATALOGUE", "HEAD", "Format", "Malformed", "Promise", "by_content", "by_name"]

_PROMISED: dict[str, Format] = {s: f for f in reversed(CATALOGUE) for s in f.suffixes}
_PLAIN = tuple(f for f in CATALOGUE if f.textual or f.plain)
_HINTED: dict[str, Format] = {s: f for f in reversed(CATALOGUE) for s in f.weak_suffixes}


def by_content(head: bytes) -> Format | None:
    """The first format of the catalogue that recognises the head of a file (at most `HEAD` bytes)."""
    return next((f for f in (_PLAIN if clean(head) else CATALOGUE) if f.recognises(head)), None)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a file's name says of its content."""

    format: Format
    firm: bool
    """The ending belongs to this format alone (`.pdf`, not `.db`) and stands last: a promise, not a hint."""


def by_name(name: str) -> Promise | None:
    """What a file's name promises or hints at.

    Endings that no format knows are looked through, from the right: `report.pdf.id-7.locked` hints at PDF.
    """
    parts = name.rpartition("/")[2].lower().split(".")[1:]
    for depth, part in enumerate(reversed(parts)):
        if part in _PROMISED:
            return Promise(_PROMISED[part], firm=depth == 0)
        if part in _HINTED:
            return Promise(_HINTED[part], firm=False)
    return None
