from datetime import date
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.drill.practice.names import AREA, FICTION, GIVEN, TOWNS
from vigie.drill.practice.people import correspondents, doctors, given_name, ins, patients, phone

TODAY = date(2026, 11, 23)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from("MF"), st.dates(date(1925, 1, 1), TODAY), st.integers(1, 999))
def test_an_ins_has_a_right_key_and_a_place_that_does_not_exist(sex: str, birth: date, order: int) -> None:
    identity = ins(sex, birth, order)
    assert len(identity) == 15
    assert identity.isdigit()
    assert identity[0] == {"M": "1", "F": "2"}[sex]
    assert identity[1:5] == f"{birth:%y%m}"
    assert identity[5:10] == "00000"
    assert int(identity[10:13]) == order
    # The number followed by its key is 97 short of a multiple: the published rule, written the other way.
    assert (int(identity[:13]) + int(identity[13:])) % 97 == 0
    assert 1 <= int(identity[13:]) <= 97


def test_patients_are_coherent_and_all_different() -> None:
    made = patients(Random(1), 600, doctors(Random(2)), TODAY)
    assert len({p.ipp for p in made}) == len({p.ins for p in made}) == 600
    assert {p.sex for p in made} == {"M", "F"}
    for p in made:
        assert 3 <= p.age(TODAY) <= 98
        assert p.ins.startswith(("1" if p.sex == "M" else "2") + f"{p.birth:%y%m}")
        men, women = next((m, w) for before, m, w in GIVEN if p.birth.year < before)
        assert p.given in (men if p.sex == "M" else women)
        assert (p.postcode, p.town) in TOWNS
        digits = p.phone.replace(" ", "")
        assert len(digits) == 10
        assert digits.startswith(tuple(FICTION.values()))
        assert digits[1] == "6" or p.postcode[:2] in AREA[digits[1]]
        assert p.name == p.birth_name or p.sex == "F"
        assert "/" not in p.folder.removeprefix("Patients/")
    assert any(p.allergies for p in made)
    assert any("-" in p.name for p in made)
    old = [p for p in made if p.age(TODAY) >= 50]
    young = [p for p in made if 16 <= p.age(TODAY) < 50]
    assert sum(len(p.conditions) for p in old) / len(old) > 2 * sum(len(p.conditions) for p in young) / len(
        young
    )
    assert not any(p.conditions for p in made if p.age(TODAY) < 15)


def test_ins_stay_different_when_a_month_is_full() -> None:
    class Stuck(Random):
        def randint(self, a: int, b: int) -> int:  # noqa: ARG002 -- the signature is Random's
            return a

        def randrange(self, *args: int) -> int:  # type: ignore[override]  # noqa: ARG002 -- fewer names than Random's
            return 0

    made = patients(Stuck(1), 60, doctors(Random(2)), TODAY)
    assert len({p.ins for p in made}) == 60


def test_age_turns_on_the_birthday() -> None:
    patient = patients(Random(3), 1, doctors(Random(4)), TODAY)[0]
    years = patient.age(TODAY)
    day = patient.birth.replace(year=patient.birth.year + years)
    assert patient.age(day) == years
    assert patient.age(date.fromordinal(day.toordinal() - 1)) == years - 1


@pytest.mark.parametrize("area", sorted(FICTION))
def test_phone_numbers_come_from_the_block_set_aside_for_fiction(area: str) -> None:
    number = phone(Random(5), area)
    assert number.replace(" ", "").startswith(FICTION[area])
    assert [len(pair) for pair in number.split()] == [2] * 5


def test_every_town_has_exactly_one_area() -> None:
    for town in TOWNS:
        assert sum(town.postcode[:2] in departments for departments in AREA.values()) == 1


def test_names_follow_the_generation() -> None:
    rng = Random(6)
    assert "Huguette" in {given_name(rng, "F", 1930) for _ in range(200)}
    assert "Huguette" not in {given_name(rng, "F", 2015) for _ in range(200)}


def test_staff_is_the_same_for_a_seed() -> None:
    assert doctors(Random(7)) == doctors(Random(7))
    assert len({d.code for d in (*doctors(Random(7)), *correspondents(Random(7)))}) == 12
    assert doctors(Random(7))[0].title.startswith("Dr ")
