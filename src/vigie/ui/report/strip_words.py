"""What a strip says in words, in both languages: its rows, its axis, and each place that matters.

The judge's own evidence and the names of regions are English everywhere: they are what a bug report quotes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from vigie.judge import Explanation, Stretch
from vigie.judge.kernels import BLOCK
from vigie.judge.uniformity import UNIFORM_DEVIATION, UNIFORM_MEAN
from vigie.model import Kind, Range, Region, State
from vigie.ui.report.language import LANGUAGES, Language

_FRENCH: Mapping[str, str] = {
    "state.intact": "sain",
    "state.encrypted": "chiffré",
    "state.damaged": "abîmé",
    "state.unknown": "indécis",
    "state.skipped": "non lu",
    "pattern.full": "en entier",
    "pattern.header": "au début",
    "pattern.intermittent": "par intervalles",
    "pattern.partial": "en un endroit",
    "period": "{on} octets sur {every}",
    "size.one": "{n} octet",
    "size.many": "{n} octets",
    "confidence": "confiance {percent} %",
    "read": "lu à {percent} %",
    "expected": "Attendu",
    "random": "Aléatoire",
    "struck": "Écrasé",
    "broken": "Abîmé",
    "kind.structured": "structuré",
    "kind.coded": "codé",
    "kind.opaque": "opaque",
    "kind.none": "rien d’affirmé",
    "meaning.structured": "structuré : jamais aléatoire",
    "meaning.coded": "codé : semble aléatoire, se vérifie",
    "meaning.opaque": "opaque : tout peut s’y trouver",
    "share": "hauteur : part des cellules de 64 octets qui semblent aléatoires",
    "share.terminal": "part des cellules de 64 octets qui semblent aléatoires",
    "unread": "non lu",
    "hit.struck": "octets écrasés",
    "hit.broken": "octets abîmés",
    "hit.none": "aucun",
    "flawed": "contraire au format",
    "nothing": "Fichier vide : rien à dessiner.",
    "unmeasured": "Rien n’a pu être mesuré.",
    "places": "Où regarder",
    "place": "Octets {start} à {end} : {expected} ; {found}.",
    "expect": "attendu « {what} » ({kind})",
    "expect.more": "attendu « {what} » ({kind}) et d’autres parties : {n}",
    "expect.none": "rien n’est affirmé de ce qui s’y trouve",
    "expect.lost": "aucun {format} n’a pu être reconnu",
    "found.random": "trouvé des octets d’allure aléatoire ({share} % des cellules{chi2})",
    "found.some": "trouvé des octets d’allure aléatoire par endroits ({share} % des cellules)",
    "found.calm": "trouvé aucun octet aléatoire",
    "found.around": "alentour, {share} % des cellules semblent aléatoires",
    "found.unread": "non lu",
    "chi2": " ; chi² {chi2} par bloc, le hasard donne {mean} ± {deviation}",
    "more": "… et d’autres endroits : {n}.",
    "evidence": "Constats du juge (en anglais)",
    "evidence.more": "… et d’autres constats : {n}.",
    "unit": "o",
    "description": "Bande du fichier {name} : {state}.",
}

_ENGLISH: Mapping[str, str] = {
    "state.intact": "intact",
    "state.encrypted": "encrypted",
    "state.damaged": "damaged",
    "state.unknown": "unknown",
    "state.skipped": "skipped",
    "pattern.full": "throughout",
    "pattern.header": "at its head",
    "pattern.intermittent": "at intervals",
    "pattern.partial": "in one place",
    "period": "{on} of every {every} bytes",
    "size.one": "{n} byte",
    "size.many": "{n} bytes",
    "confidence": "confidence {percent} %",
    "read": "{percent} % of it read",
    "expected": "Expected",
    "random": "Random",
    "struck": "Struck",
    "broken": "Broken",
    "kind.structured": "structured",
    "kind.coded": "coded",
    "kind.opaque": "opaque",
    "kind.none": "nothing claimed",
    "meaning.structured": "structured: never random",
    "meaning.coded": "coded: looks random, can be tested",
    "meaning.opaque": "opaque: anything may stand here",
    "share": "height: share of the cells of 64 bytes that look random",
    "share.terminal": "share of the cells of 64 bytes that look random",
    "unread": "not read",
    "hit.struck": "overwritten bytes",
    "hit.broken": "damaged bytes",
    "hit.none": "none",
    "flawed": "breaks its format",
    "nothing": "An empty file: nothing to draw.",
    "unmeasured": "Nothing could be measured.",
    "places": "Where to look",
    "place": "Bytes {start} to {end}: {expected}; {found}.",
    "expect": "expected {what} ({kind})",
    "expect.more": "expected {what} ({kind}) and {n} more parts",
    "expect.none": "nothing is claimed of what stands there",
    "expect.lost": "no {format} could be made out",
    "found.random": "found bytes that look random ({share} % of cells{chi2})",
    "found.some": "found bytes that look random in part ({share} % of cells)",
    "found.calm": "found no random bytes",
    "found.around": "around it, {share} % of cells look random",
    "found.unread": "not read",
    "chi2": "; chi² {chi2} a block, chance gives {mean} ± {deviation}",
    "more": "… and {n} more places.",
    "evidence": "Evidence",
    "evidence.more": "… and {n} more.",
    "unit": "B",
    "description": "Strip of the file {name}: {state}.",
}

WORDS: Mapping[str, Language] = {
    language.code: replace(language, words=_FRENCH if language.code == "fr" else _ENGLISH)
    for language in LANGUAGES
}
"""The language of a strip by its code, "fr" or "en"."""
_MOSTLY, _HARDLY = 0.9, 0.02
"""Shares of random cells from which a place is called random, and below which it is called calm."""


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a file that is worth a sentence: what was expected, and what was found."""

    start: int
    end: int
    region: Region | None
    """The region that fills most of it."""
    others: int
    """Regions that it touches besides."""
    share: float | None
    """Share of its cells that look random; of its surroundings, where it lies inside one stretch."""
    around: bool
    """Whether `share` is that of the surroundings."""
    chi2: float | None
    lost: str
    """The format the file should have, where nothing of it could be made out."""


def places(explanation: Explanation, most: int = 5) -> tuple[tuple[Place, ...], int]:
    """Where to look, in order, and how many places more there are: what was hit, else the largest parts."""
    ranges = explanation.verdict.ranges
    if not ranges:
        longest = sorted(explanation.regions, key=lambda region: region.start - region.end)[:most]
        ranges = tuple(sorted(Range(region.start, region.end) for region in longest))
        beyond = 0  # what is healthy needs no complete list
        if not ranges and explanation.size:
            ranges = (Range(0, explanation.size),)
    else:
        beyond = max(0, len(ranges) - most)
    return tuple(_place(explanation, hit) for hit in ranges[:most]), beyond


def told(place: Place, language: Language) -> str:
    """A place as a sentence."""
    return language.say(
        "place",
        start=place.start,
        end=place.end,
        expected=_expected(place, language),
        found=_found(place, language),
    )


def about(explanation: Explanation, language: Language) -> tuple[str, ...]:
    """What stands beside the verdict: format, size, pattern, confidence, and how much was read."""
    verdict, size = explanation.verdict, explanation.size
    parts = [verdict.format or "", language.count("size", size)]
    if verdict.pattern:
        parts.append(language.say(f"pattern.{verdict.pattern}"))
    if verdict.period:
        parts.append(language.say("period", on=verdict.period.on, every=sum(verdict.period)))
    if verdict.state is not State.SKIPPED:
        parts.append(language.say("confidence", percent=round(verdict.confidence * 100)))
        if verdict.read < size:
            percent = 100 * verdict.read / size
            parts.append(language.say("read", percent=language.decimal(percent, 0 if percent >= 10 else 1)))
    return tuple(part for part in parts if part)


def ticks(size: int, most: int) -> tuple[int, ...]:
    """Round offsets of a file, from 0, at most so many, and its end."""
    step = 1
    while size / step > most - 2:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return (*range(0, size, step), size)


def offset(at: int, size: int, language: Language) -> str:
    """An offset in a file of `size` bytes, in the unit (10³ bytes and so on) that suits all of its axis."""
    power = max(0, min(4, (len(str(size)) - 2) // 3))
    value = at / 1000**power
    digits = 0 if value == int(value) or value >= 1000 else 1
    prefix = ("", "k", "M", "G", "T")[power]
    return f"{language.decimal(value, digits)}\u00a0{prefix}{language.say('unit')}"


def _place(explanation: Explanation, hit: Range) -> Place:
    touched = [r for r in explanation.regions if r.start < hit.end and r.end > hit.start]
    region = max(touched, key=lambda r: min(r.end, hit.end) - max(r.start, hit.start), default=None)
    met = [s for s in explanation.stretches if s.start < hit.end and s.end > hit.start]
    inside = [s for s in met if s.start >= hit.start and s.end <= hit.end]
    measured = inside or met
    long = hit.end - hit.start >= BLOCK
    return Place(
        hit.start,
        hit.end,
        region,
        max(0, len(touched) - 1),
        _mean(measured),
        not inside,
        # The middle one: the blocks at both ends reach beyond what was hit.
        median(chi2) if (chi2 := [s.chi2 for s in inside if s.chi2 is not None]) and long else None,
        "" if explanation.regions else explanation.verdict.format or "",
    )


def _mean(stretches: Sequence[Stretch]) -> float | None:
    known = [(s.random, s.end - s.start) for s in stretches if s.random is not None]
    return sum(share * weight for share, weight in known) / sum(w for _, w in known) if known else None


def _expected(place: Place, language: Language) -> str:
    if place.region is None:
        return language.say("expect.lost" if place.lost else "expect.none", format=place.lost)
    kind = language.say(f"kind.{place.region.kind}")
    key = "expect.more" if place.others else "expect"
    return language.say(key, what=place.region.what, kind=kind, n=place.others)


def _found(place: Place, language: Language) -> str:
    if place.share is None:
        return language.say("found.unread")
    share = round(place.share * 100)
    if place.around:
        return language.say("found.around", share=share)
    if place.share < _HARDLY:
        return language.say("found.calm")
    if place.share < _MOSTLY:
        return language.say("found.some", share=share)
    chi2 = ""
    if place.chi2 is not None:
        mean, deviation = round(UNIFORM_MEAN), round(UNIFORM_DEVIATION)
        chi2 = language.say("chi2", chi2=round(place.chi2), mean=mean, deviation=deviation)
    return language.say("found.random", share=share, chi2=chi2)


def kinds(explanation: Explanation) -> tuple[Kind, ...]:
    """The kinds of region that stand in a strip, for its legend."""
    met = {stretch.expected for stretch in explanation.stretches}
    return tuple(kind for kind in Kind if kind in met)
