"""Laboratory results: panels of real analytes, and values that stay one patient's own as years pass.

LOINC codes and units are the ones French laboratories report with. A value is a pure function of the
patient, the analyte and the day, so two documents about the same sample say the same thing.
"""

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from vigie.drill.practice.people import Patient


@dataclass(frozen=True, slots=True)
class Analyte:
    """Something that is measured; `low` and `high` bound the usual values, None where there is no bound."""

    loinc: str
    short: str
    """The laboratory's mnemonic, as HPRIM carries it."""
    label: str
    unit: str
    low: float | None
    high: float | None
    mean: float
    spread: float
    """Standard deviation between healthy people."""
    decimals: int = 0
    low_women: float | None = None
    """Lower bound for women where it differs."""

    def bounds(self, sex: str) -> tuple[float | None, float | None]:
        """Reference range for that sex."""
        return (self.low_women if sex == "F" and self.low_women is not None else self.low), self.high


@dataclass(frozen=True, slots=True)
class Panel:
    """What is ordered together."""

    code: str
    title: str
    analytes: tuple[Analyte, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """One value in a report."""

    analyte: Analyte
    value: float
    previous: float
    """The value of the sample before."""
    low: float | None
    high: float | None

    @property
    def flag(self) -> str:
        """H or L outside the range, HH or LL far outside (HL7 table 0078), else empty."""
        if self.high is not None and self.value > self.high:
            return "HH" if self.value > self.high * 1.5 else "H"
        if self.low is not None and self.value < self.low:
            return "LL" if self.value < self.low * 0.7 else "L"
        return ""

    def text(self, value: float | None = None) -> str:
        """The value (or another one of the same analyte) with its decimals and a point."""
        return f"{self.value if value is None else value:.{self.analyte.decimals}f}"

    @property
    def usual(self) -> str:
        """The reference range in words, empty where there is none."""
        if self.low is None:
            return "" if self.high is None else f"< {self.text(self.high)}"
        return (
            f"> {self.text(self.low)}"
            if self.high is None
            else f"{self.text(self.low)} - {self.text(self.high)}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """One sample of one patient: panels in order."""

    number: str
    patient: Patient
    taken: datetime
    panels: tuple[tuple[Panel, tuple[Result, ...]], ...]

    @property
    def validated(self) -> datetime:
        """When the biologist signed."""
        return self.taken + timedelta(hours=5, minutes=int(self.number[-2:]))


BLOOD_COUNT = Panel(
    "NFS", "Numération formule sanguine",
    (
        Analyte("789-8", "GR", "Érythrocytes", "T/L", 4.2, 5.8, 4.9, 0.3, 2, 3.8),
        Analyte("718-7", "HB", "Hémoglobine", "g/dL", 13.0, 17.0, 14.4, 0.9, 1, 11.5),
        Analyte("4544-3", "HT", "Hématocrite", "%", 38, 52, 43, 3, 1, 34),
        Analyte("787-2", "VGM", "V.G.M.", "fL", 80, 98, 89, 3.5, 1),
        Analyte("6690-2", "GB", "Leucocytes", "G/L", 4.0, 10.5, 6.8, 1.4, 2),
        Analyte("751-8", "PNN", "Polynucléaires neutrophiles", "G/L", 1.8, 7.5, 3.9, 0.9, 2),
        Analyte("711-2", "PNE", "Polynucléaires éosinophiles", "G/L", None, 0.6, 0.2, 0.1, 2),
        Analyte("731-0", "LYM", "Lymphocytes", "G/L", 1.0, 4.0, 2.1, 0.5, 2),
        Analyte("742-7", "MON", "Monocytes", "G/L", 0.2, 1.0, 0.5, 0.12, 2),
        Analyte("777-3", "PLT", "Plaquettes", "G/L", 150, 400, 255, 45),
    ),
)  # fmt: skip
IONS = Panel(
    "IONO", "Ionogramme et fonction rénale",
    (
        Analyte("2951-2", "NA", "Sodium", "mmol/L", 136, 145, 140.2, 1.8),
        Analyte("2823-3", "K", "Potassium", "mmol/L", 3.5, 5.1, 4.2, 0.3, 1),
        Analyte("2075-0", "CL", "Chlorures", "mmol/L", 98, 107, 103, 2),
        Analyte("22664-7", "UREE", "Urée", "mmol/L", 2.8, 8.1, 5.3, 1.1, 1),
        Analyte("14682-9", "CREA", "Créatinine", "µmol/L", 59, 104, 79, 11, 0, 45),
        Analyte("62238-1", "DFG", "D.F.G. estimé (CKD-EPI)", "mL/min/1,73m²", 60, None, 90, 12),
    ),
)  # fmt: skip
SUGAR = Panel(
    "GLY", "Bilan glycémique",
    (
        Analyte("14771-0", "GLYC", "Glycémie à jeun", "mmol/L", 4.1, 6.1, 5.1, 0.5, 2),
        Analyte("4548-4", "HBA1C", "Hémoglobine glyquée HbA1c", "%", None, 6.0, 5.4, 0.35, 1),
    ),
)  # fmt: skip
LIPIDS = Panel(
    "LIP", "Bilan lipidique",
    (
        Analyte("14647-2", "CHOL", "Cholestérol total", "mmol/L", None, 5.2, 4.5, 0.6, 2),
        Analyte("14646-4", "HDL", "Cholestérol HDL", "mmol/L", 1.0, None, 1.45, 0.22, 2),
        Analyte("14927-8", "TG", "Triglycérides", "mmol/L", None, 1.7, 1.15, 0.35, 2),
        Analyte("39469-2", "LDL", "Cholestérol LDL calculé", "mmol/L", None, 3.4, 2.6, 0.6, 2),
    ),
)  # fmt: skip
LIVER = Panel(
    "HEP", "Bilan hépatique et inflammation",
    (
        Analyte("1920-8", "ASAT", "ASAT (TGO)", "U/L", None, 40, 25, 6),
        Analyte("1742-6", "ALAT", "ALAT (TGP)", "U/L", None, 45, 27, 8),
        Analyte("2324-2", "GGT", "Gamma-GT", "U/L", None, 55, 29, 11),
        Analyte("6768-6", "PAL", "Phosphatases alcalines", "U/L", 40, 129, 74, 16),
        Analyte("14631-6", "BILI", "Bilirubine totale", "µmol/L", None, 21, 10, 3.5, 1),
        Analyte("1988-5", "CRP", "Protéine C réactive", "mg/L", None, 5.0, 2.2, 1.4, 1),
    ),
)  # fmt: skip
THYROID = Panel(
    "THY", "Bilan thyroïdien et martial",
    (
        Analyte("3016-3", "TSH", "TSH", "mUI/L", 0.4, 4.0, 1.9, 0.7, 2),
        Analyte("14920-3", "T4L", "T4 libre", "pmol/L", 12, 22, 16.2, 1.8, 1),
        Analyte("2276-4", "FERR", "Ferritine", "µg/L", 30, 400, 130, 48, 0, 15),
    ),
)  # fmt: skip
PANELS = (BLOOD_COUNT, IONS, SUGAR, LIPIDS, LIVER, THYROID)

_DAYS_A_YEAR = 365.25
_EPOCH = date(2020, 1, 1)


def measured(patient: Patient, analyte: Analyte, day: date) -> float:
    """What the patient's analyte is that day: own level + condition + slow drift + season + noise."""
    own = Random(f"{patient.ipp} {analyte.loinc}")
    level = own.gauss(0, 0.8) + sum(c.shift.get(analyte.loinc, 0.0) for c in patient.conditions)
    if patient.sex == "F" and analyte.low is not None and analyte.low_women is not None:
        level -= (analyte.low - analyte.low_women) / analyte.spread * 0.6
    years = (day - _EPOCH).days / _DAYS_A_YEAR
    level += own.gauss(0, 0.12) * years + 0.15 * math.sin(6.283 * (years + own.random()))
    noise = Random(f"{patient.ipp} {analyte.loinc} {day.toordinal()}").gauss(0, 0.25)
    floor = max(analyte.mean * 0.08, 10.0**-analyte.decimals)
    return float(round(max(analyte.mean + (level + noise) * analyte.spread, floor), analyte.decimals))


def _filtration(creatinine: float, patient: Patient, day: date) -> float:
    """CKD-EPI 2009 estimate, mL/min/1.73 m², from creatinine in µmol/L."""
    kappa, alpha, factor = (62.0, -0.329, 1.018) if patient.sex == "F" else (80.0, -0.411, 1.0)
    ratio = creatinine / kappa
    age = max(patient.age(day), 18)
    estimate = 141 * math.pow(min(ratio, 1), alpha) * math.pow(max(ratio, 1), -1.209) * math.pow(0.993, age)
    return estimate * factor


def values(patient: Patient, panel: Panel, day: date) -> dict[str, float]:
    """LOINC -> value; what laboratories compute is computed, so that the figures of a report agree."""
    found = {a.loinc: measured(patient, a, day) for a in panel.analytes}
    # One sample in twelve is taken during an infection: CRP and neutrophils rise together.
    infected = Random(f"{patient.ipp} infection {day.toordinal()}").random() < 1 / 12
    if panel is LIVER and infected:
        found["1988-5"] = round(found["1988-5"] * 14 + 10, 1)
    elif panel is BLOOD_COUNT:
        if infected:
            found["751-8"] = round(found["751-8"] * 1.9, 2)
        found["4544-3"] = round(found["718-7"] * 2.98, 1)
        found["789-8"] = round(found["4544-3"] * 10 / found["787-2"], 2)
        found["6690-2"] = round(sum(found[c] for c in ("751-8", "711-2", "731-0", "742-7")) + 0.03, 2)
    elif panel is IONS:
        found["62238-1"] = round(_filtration(found["14682-9"], patient, day))
    elif panel is LIPIDS:
        # Friedewald, in mmol/L.
        found["39469-2"] = round(max(found["14647-2"] - found["14646-4"] - found["14927-8"] / 2.2, 0.3), 2)
    return found


def report(patient: Patient, taken: datetime, number: str, panels: tuple[Panel, ...]) -> Report:
    """The report on a sample, each value beside the one of the sample before (some seven months earlier)."""
    day = taken.date()
    before = day - timedelta(days=180 + Random(f"{patient.ipp} {day}").randrange(60))
    done = []
    for panel in panels:
        now, then = values(patient, panel, day), values(patient, panel, before)
        done.append(
            (
                panel,
                tuple(Result(a, now[a.loinc], then[a.loinc], *a.bounds(patient.sex)) for a in panel.analytes),
            )
        )
    return Report(number, patient, taken, tuple(done))


def ordered(patient: Patient, rng: Random) -> tuple[Panel, ...]:
    """The panels a doctor asks for: nearly always a blood count, and what the conditions call for."""
    wanted = {BLOOD_COUNT.code} if rng.random() < 0.9 else {IONS.code}
    shifts = {loinc for condition in patient.conditions for loinc in condition.shift}
    for panel in PANELS:
        if shifts & {a.loinc for a in panel.analytes} or rng.random() < 0.35:
            wanted.add(panel.code)
    return tuple(panel for panel in PANELS if panel.code in wanted)


def sample(patient: Patient, when: datetime, rng: Random) -> Report:
    """A report as the laboratory would number it."""
    number = f"{when:%y%m%d}{rng.randrange(10_000):04}"
    return report(patient, when, number, ordered(patient, rng))
