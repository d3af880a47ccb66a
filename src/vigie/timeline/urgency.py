"""What comes back first: the order of a restore by clinical urgency. Pure.

Rules name steps. For each file, in this order:
1. the first rule one of whose `paths` matches (shell patterns of the whole path);
2. the words of its name, then of the folder it lies in, and so on upwards: what is nearest to the file says
   most about it, and `patients/DUPONT/ordonnance.pdf` is a prescription. Folders that all files share say
   nothing. In one name, the first rule wins;
3. the first rule that names its format.
A rule with `days` takes only files that changed within so many days before the newest snapshot of the plan;
others go on. What no rule takes comes last.
"""

import fnmatch
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from vigie.timeline.plan import Choice, Plan

REST = "the rest"
NEAREST = "nearest"
"""The step, after all others, of what is handed back for want of a healthy version."""
_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Rule:
    """One step, and what belongs to it: what any of `words`, `paths` and `formats` matches."""

    name: str
    words: tuple[str, ...] = ()
    """Shell patterns of whole words of names, without accents and capitals: `allerg*`, `rdv`."""
    paths: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    days: int = 0
    """0 for no limit."""
    newest_first: bool = False
    """Whether the newest comes first; in path order otherwise."""


@dataclass(frozen=True, slots=True)
class Step:
    """Some files that come back together, in order."""

    name: str
    choices: tuple[Choice, ...]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(choice.version.entry.size for choice in self.choices)


_RESULTS = (
    *("labo*", "biolog*", "bio", "lab", "labs", "laborator*", "resultat*", "result*", "analyse*", "bilan*"),
    *("hprim", "anapath*", "bacterio*", "hemato*", "patholog*", "imagerie*", "imaging", "radio*", "scanner*"),
    *("irm", "mri", "ct", "echo*", "pacs", "dicom*", "ecg", "xray*", "mammo*"),
)
DEFAULT = (
    Rule(
        "identities and current stays",
        words=(
            *("identit*", "patient", "patients", "sejour*", "stay", "stays", "admission*", "mouvement*"),
            *("adt", "hospitalis*", "hospitaliz*", "inpatient*", "urgences", "emergency", "lits", "beds"),
            *("gam", "dpi", "ehr", "emr", "dossierpatient*"),
        ),
    ),
    Rule(
        "allergies and medication",
        words=(
            *("allerg*", "prescription*", "prescri*", "ordonnance*", "traitement*", "treatment*"),
            *("medicament*", "medication*", "medicine*", "drug*", "pharmac*", "posolog*", "dispensation*"),
            *("chimio*", "chemo*", "perfusion*", "infusion*", "transfusion*"),
        ),
        newest_first=True,
    ),
    Rule(
        "newest laboratory and imaging",
        words=_RESULTS,
        formats=("hprim", "hprim-sante", "hl7v2", "dicom", "fhir", "scpecg", "edf"),
        days=2,
        newest_first=True,
    ),
    Rule(
        "schedules",
        words=(
            *("agenda*", "planning*", "rdv", "rendezvous", "calendrier*", "calendar*", "schedule*"),
            *("appointment*", "consultations", "garde", "gardes", "astreinte*", "roster*", "blocop*"),
        ),
        newest_first=True,
    ),
    Rule(
        "documents, newest first",
        words=(*_RESULTS, "courrier*", "lettre*", "letter*", "compterendu*", "cr", "document*", "report*"),
        formats=(
            *("pdf", "docx", "xlsx", "pptx", "odf", "ole2", "rtf", "email", "html", "text", "csv"),
            *("cda", "fhir", "hl7v2", "hprim", "hprim-sante", "dicom", "nifti", "scpecg", "edf"),
            *("jpeg", "png", "tiff", "jpeg2000"),
        ),
        newest_first=True,
    ),
)
"""For French hospitals and practices, and English ones; `[[recover.order]]` of vigie.toml replaces it."""


def ordered(plan: Plan, rules: Sequence[Rule] = DEFAULT, *, nearest: bool = False) -> tuple[Step, ...]:
    """The files of a plan by urgency; steps without files are left out.

    With `nearest`, a last step has the nearest thing to each document without a healthy version.
    """
    sieve = _Sieve(rules, plan.choices)
    found: list[list[Choice]] = [[] for _ in range(len(rules) + 1)]
    for choice in plan.choices:
        found[sieve.step_of(choice)].append(choice)
    steps: list[Step] = []
    for number, choices in enumerate(found):
        rule = rules[number] if number < len(rules) else Rule(REST)
        if rule.newest_first:
            choices.sort(key=lambda choice: -choice.version.entry.mtime_ns)
        if choices:
            steps.append(Step(rule.name, tuple(choices)))
    if nearest and (left := tuple(lost.nearest for lost in plan.lost if lost.nearest)):
        steps.append(Step(NEAREST, left))
    return tuple(steps)


class _Sieve:
    """Says of each file the number of the step it belongs to."""

    def __init__(self, rules: Sequence[Rule], choices: Sequence[Choice]) -> None:
        self._rules = rules
        self._words = [_words(rule.words) for rule in rules]
        self._paths = [_paths(rule.paths) for rule in rules]
        newest = max((choice.version.snapshot.time_ns for choice in choices), default=0)
        self._since = [newest - rule.days * _DAY_NS if rule.days else None for rule in rules]
        self._shared = _shared(choice.path for choice in choices)
        self._said = lru_cache(maxsize=65_536)(self._of_name)

    def step_of(self, choice: Choice) -> int:
        path, mtime = choice.path, choice.version.entry.mtime_ns
        young = [since is None or mtime >= since for since in self._since]
        for number, pattern in enumerate(self._paths):
            if young[number] and pattern and pattern.match(path):
                return number
        names = path.split("/")[self._shared :]
        for name in reversed(names):
            for number in self._said(name):
                if young[number]:
                    return number
        for number, rule in enumerate(self._rules):
            if young[number] and choice.verdict.format in rule.formats:
                return number
        return len(self._rules)

    def _of_name(self, name: str) -> tuple[int, ...]:
        """The rules that know a word of one name, in their order."""
        plain = unicodedata.normalize("NFKD", name.lower())
        text = " ".join(re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c))))
        return tuple(n for n, words in enumerate(self._words) if words and words.search(f" {text} "))


def _words(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern that finds one of these words in words set apart by single spaces."""
    parts = [re.escape(p.lower()).replace(r"\*", "[^ ]*").replace(r"\?", "[^ ]") for p in patterns]
    return re.compile(f" (?:{'|'.join(parts)}) ") if parts else None


def _paths(patterns: Iterable[str]) -> re.Pattern[str] | None:
    parts = [fnmatch.translate(pattern) for pattern in patterns]
    return re.compile("|".join(parts)) if parts else None


def _shared(paths: Iterable[str]) -> int:
    """How many folders at the start of their paths all files have in common."""
    shared: list[str] | None = None
    for path in paths:
        folders = path.split("/")[:-1]
        if shared is None:
            shared = folders
        while folders[: len(shared)] != shared:
            shared = shared[:-1]
    return len(shared or [])
