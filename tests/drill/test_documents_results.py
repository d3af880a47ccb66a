from datetime import date, datetime, timedelta
from random import Random
from statistics import fmean, pstdev

import pytest

from vigie.drill.practice.clinic import CONDITIONS
from vigie.drill.practice.people import Patient, doctors, patients
from vigie.drill.practice.results import (
    BLOOD_COUNT,
    IONS,
    LIPIDS,
    LIVER,
    PANELS,
    SUGAR,
    Analyte,
    Result,
    measured,
    ordered,
    report,
    sample,
    values,
)

TODAY = date(2026, 11, 23)
EVERYBODY = patients(Random(1), 300, doctors(Random(2)), TODAY)
WHEN = datetime(2026, 11, 20, 9, 30)  # noqa: DTZ001 -- the practice's own time


def with_condition(name: str) -> list[Patient]:
    return [p for p in EVERYBODY if any(c.name == name for c in p.conditions)]


def test_codes_are_loinc_and_unique() -> None:
    codes = [a.loinc for panel in PANELS for a in panel.analytes]
    assert len(set(codes)) == len(codes)
    for code in codes:
        digits, check = code.split("-")
        # LOINC's check digit is Luhn's (mod 10).
        doubled = [int(d) * 2 if i % 2 == 0 else int(d) for i, d in enumerate(reversed(digits))]
        assert -sum(n // 10 + n % 10 for n in doubled) % 10 == int(check), code


def test_conditions_shift_analytes_that_exist() -> None:
    known = {a.loinc for panel in PANELS for a in panel.analytes}
    assert {loinc for c in CONDITIONS for loinc in c.shift} <= known


def test_a_value_is_the_patients_own() -> None:
    sodium = IONS.analytes[0]
    potassium = IONS.analytes[1]
    days = [TODAY - timedelta(days=30 * n) for n in range(24)]
    within = fmean(pstdev(measured(p, potassium, day) for day in days) for p in EVERYBODY[:60])
    between = pstdev(measured(p, potassium, TODAY) for p in EVERYBODY)
    assert 0 < within < between
    assert measured(EVERYBODY[0], sodium, TODAY) == measured(EVERYBODY[0], sodium, TODAY)


def test_conditions_show_in_the_figures() -> None:
    hba1c = SUGAR.analytes[1]
    diabetic = fmean(measured(p, hba1c, TODAY) for p in with_condition("Diabète de type 2"))
    assert diabetic > fmean(measured(p, hba1c, TODAY) for p in EVERYBODY) + 0.5
    haemoglobin = BLOOD_COUNT.analytes[1]
    anaemic = fmean(measured(p, haemoglobin, TODAY) for p in with_condition("Anémie ferriprive"))
    assert anaemic < fmean(measured(p, haemoglobin, TODAY) for p in EVERYBODY) - 1


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.code)
def test_values_are_possible_and_mostly_usual(panel: object) -> None:
    chosen = next(p for p in PANELS if p is panel)
    healthy = [p for p in EVERYBODY if not p.conditions]
    results = [r for p in healthy for _, rs in report(p, WHEN, "2611200042", (chosen,)).panels for r in rs]
    assert all(r.value > 0 and r.previous > 0 for r in results)
    assert sum(not r.flag for r in results) / len(results) > 0.85
    everyone = [r for p in EVERYBODY for _, rs in report(p, WHEN, "2611200042", PANELS).panels for r in rs]
    assert {r.flag for r in everyone} == {"", "H", "HH", "L", "LL"}


def test_figures_of_a_panel_agree() -> None:
    for p in EVERYBODY[:80]:
        blood = values(p, BLOOD_COUNT, TODAY)
        assert blood["787-2"] == pytest.approx(blood["4544-3"] * 10 / blood["789-8"], rel=0.01)
        parts = blood["751-8"] + blood["711-2"] + blood["731-0"] + blood["742-7"]
        assert parts <= blood["6690-2"] <= parts + 0.1
        fats = values(p, LIPIDS, TODAY)
        computed = fats["14647-2"] - fats["14646-4"] - fats["14927-8"] / 2.2
        assert fats["39469-2"] == pytest.approx(max(computed, 0.3), abs=0.01)


def test_an_infection_shows_in_both_panels() -> None:
    crp = [values(p, LIVER, TODAY)["1988-5"] for p in EVERYBODY]
    neutrophils = [values(p, BLOOD_COUNT, TODAY)["751-8"] for p in EVERYBODY]
    high = [n for c, n in zip(crp, neutrophils, strict=True) if c > 20]
    low = [n for c, n in zip(crp, neutrophils, strict=True) if c <= 20]
    assert 5 < len(high) < 60
    assert fmean(high) > 1.5 * fmean(low)


def test_filtration_falls_as_creatinine_rises() -> None:
    ill = with_condition("Insuffisance rénale chronique")
    assert fmean(values(p, IONS, TODAY)["62238-1"] for p in ill) < 62
    assert fmean(values(p, IONS, TODAY)["62238-1"] for p in EVERYBODY if not p.conditions) > 80


def result(value: float, low: float | None, high: float | None) -> Result:
    return Result(Analyte("1-1", "X", "X", "u", low, high, 1, 1, 1), value, value, low, high)


@pytest.mark.parametrize(
    ("value", "low", "high", "flag", "usual"),
    [
        (2.0, 1.0, 3.0, "", "1.0 - 3.0"),
        (3.0, 1.0, 3.0, "", "1.0 - 3.0"),
        (3.1, None, 3.0, "H", "< 3.0"),
        (4.6, None, 3.0, "HH", "< 3.0"),
        (0.9, 1.0, None, "L", "> 1.0"),
        (0.6, 1.0, None, "LL", "> 1.0"),
        (5.0, None, None, "", ""),
    ],
)
def test_flags(value: float, low: float | None, high: float | None, flag: str, usual: str) -> None:
    assert result(value, low, high).flag == flag
    assert result(value, low, high).usual == usual


def test_bounds_of_women_differ_where_they_do() -> None:
    haemoglobin = BLOOD_COUNT.analytes[1]
    assert haemoglobin.bounds("M") == (13.0, 17.0)
    assert haemoglobin.bounds("F") == (11.5, 17.0)


def test_a_sample_is_validated_after_it_is_taken_and_asks_what_the_conditions_need() -> None:
    for p in with_condition("Diabète de type 2"):
        assert SUGAR in ordered(p, Random(p.ipp))
    made = sample(EVERYBODY[0], WHEN, Random(3))
    assert made.validated > made.taken
    assert made.number.startswith("261120")
