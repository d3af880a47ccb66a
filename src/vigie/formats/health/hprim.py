"""HPRIM, what French laboratories send: Médecin (a header of lines, text, results) and Santé (segments).

HPRIM Médecin 3.0 (1997) is text: twelve or thirteen header lines, a letter, then perhaps `****LAB****` and
`RES|` lines, `****FIN****` and `****FINFICHIER****`. HPRIM Santé 2.x is the French sister of ASTM E1238:
segments H, P, OBR, OBX, A, C and L. Writers vary in all of it (character sets, missing ends, stray control
bytes of old modems), so only bytes that no text has, and a file cut inside a line, are flaws.
"""

import re

from vigie.formats.contract import EFFORT, HEAD, Format, Malformed
from vigie.formats.office import text
from vigie.model import Anatomy, Blob, Charset, Flaw, Kind, Region

TAIL = 4096
"""Bytes at the end in which the end marks are looked for."""

_DAY = r"(?:\d{2}[/.-]?\d{2}[/.-]?(?:\d{2}){1,2}|\d{4}-\d{2}-\d{2})"
_MARK = re.compile(r"^\*{4}(?:LAB|FIN|FINFICHIER)\*{4}[ \t]*$", re.MULTILINE)
_RESULT = re.compile(r"^RES\|[^|\n]{0,200}\|[^|\n]{0,80}\|[A-Z]?\|", re.MULTILINE)
# Médecin §3: line 7 is the date of birth, line 10 that of the report, both alone on their lines.
_HEADER = re.compile(
    rf"(?:.{{0,120}}\n){{6}}[ \t]*{_DAY}[ \t]*\n(?:.{{0,120}}\n){{2}}[ \t]*{_DAY}[^\n]{{0,20}}\n"
)
_HINTS = (b"****", b"RES|", b"*\0*\0*\0*", b"R\0E\0S\0|")
_DAY_LINE = re.compile(rb"[\r\n]\0?[ \t]{0,9}+\d\0?\d\0?[\d/.-]")
# Santé §4: H, the field separator, then those of components, repetitions, escape, subcomponents.
_SEGMENT_H = re.compile(
    r"[\s\x0b]{0,8}H([|!;#])([!-/:-@\[-`{-~]{2,5})\1[^\r\n\x00-\x08\x0e-\x1f]{0,400}[\r\n]"
)


def _lines(head: bytes) -> str:
    words = text.read_head(head)
    return words.replace("\r\n", "\n").replace("\r", "\n")


def _recognises(head: bytes) -> bool:
    # Every file comes by here, and nearly none goes on.
    if not any(hint in head for hint in _HINTS) and not _DAY_LINE.search(head):
        return False
    words = _lines(head)
    marked = _MARK.search(words) or _RESULT.search(words) or _HEADER.match(words)
    return marked is not None and text.clean(head)


def _recognises_sante(head: bytes) -> bool:
    return b"H" in head[:16] and _SEGMENT_H.match(text.read_head(head[:1024])) is not None


def _surveyed(blob: Blob, name: str, what: str, effort: int) -> tuple[Anatomy, str, bool]:
    """The anatomy as far as text goes, the last lines, and whether the file ends with a line."""
    found = text.survey(blob, effort)
    flaws, notes = text.damage(blob, found)
    region = Region(0, blob.size, Kind.STRUCTURED, what, found.charset)
    tail = blob.at(max(0, blob.size - TAIL) & ~1, TAIL + 1)
    codec = found.codec if found.charset is Charset.UTF16 else "latin-1"
    end = tail.decode(codec, "replace").rstrip(" \0\x1a\x1c")
    return Anatomy(name, (region,), flaws, notes=notes), end, end.endswith(("\r", "\n"))


def _ended(anatomy: Anatomy, size: int, what: str, *, cut: bool) -> Anatomy:
    """With what is missing at the end: a flaw if the file stops inside a line, else a writer's habit."""
    flaws = (
        (*anatomy.flaws, Flaw(size, size, f"{what}, and it stops inside a line")) if cut else anatomy.flaws
    )
    notes = anatomy.notes if cut else (*anatomy.notes, what)
    return Anatomy(anatomy.format, anatomy.regions, flaws, notes=notes)


def _dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    anatomy, end, whole = _surveyed(blob, "hprim", "HPRIM Médecin text", effort)
    if _MARK.search(end.replace("\r", "\n")) and "****FIN" in end:
        return anatomy
    # Without results the marks are often left out, and the letter ends as its author ended it.
    marked = "\nRES|" in end or _MARK.search(_lines(blob.at(0, HEAD))) is not None
    return _ended(anatomy, blob.size, "no ****FIN**** at the end", cut=marked and not whole)


def _dissect_sante(blob: Blob, effort: int = EFFORT) -> Anatomy:
    anatomy, end, whole = _surveyed(blob, "hprim-sante", "HPRIM Santé segments", effort)
    if not _recognises_sante(blob.at(0, HEAD)) and not anatomy.flaws:
        raise Malformed(0, "no H segment at the start")
    last = re.split(r"[\r\n]+", end.strip())[-1]
    if last[:1] == "L" and last[1:2] in ("", "|", "!", ";", "#"):
        return anatomy
    return _ended(anatomy, blob.size, "no L segment at the end", cut=not whole)


MEDECIN = Format(
    name="hprim",
    title="HPRIM Médecin report",
    specification="HPRIM Médecin 3.0 (1997)",
    suffixes=("hpr", "hprim", "hpm", "hpm1", "hpm2", "hpm3"),
    recognises=_recognises,
    dissect=_dissect,
    textual=True,
)
SANTE = Format(
    name="hprim-sante",
    title="HPRIM Santé message",
    specification="HPRIM Santé 2.2 (ASTM E1238)",
    suffixes=("hps",),
    recognises=_recognises_sante,
    dissect=_dissect_sante,
    textual=True,
)
FORMATS = (SANTE, MEDECIN)
