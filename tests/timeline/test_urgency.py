"""What comes back first."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.errors import Unreadable
from vigie.model import Entry, OpenBlob, Snapshot, State, Verdict, Version
from vigie.timeline import Choice, Lost, Plan, Why
from vigie.timeline.urgency import DEFAULT, NEAREST, REST, Rule, Step, ordered

DAY = 86_400 * 10**9
NOW = 20_000 * DAY


def closed() -> OpenBlob:
    raise Unreadable("nothing in this room opens a file")


def choice(path: str, form: str | None = None, age: float = 0, size: int = 10) -> Choice:
    entry = Entry(path, size, NOW - int(age * DAY), closed)
    return Choice(Version(Snapshot("s", NOW), entry, path), Verdict(State.INTACT, form), Why.NEWEST)


def steps(*choices: Choice, rules: Sequence[Rule] = DEFAULT) -> dict[str, list[str]]:
    made = ordered(Plan(tuple(sorted(choices, key=lambda c: c.path)), ()), rules)
    return {step.name: [c.path for c in step.choices] for step in made}


@pytest.mark.parametrize(
    ("path", "form", "step"),
    [
        ("/srv/IDENTITES/base.db", "sqlite", 0),
        ("/srv/séjours/2026.csv", "csv", 0),
        ("/srv/Patients/list.csv", "csv", 0),
        ("/srv/Patients/DUPONT/ordonnance_12.pdf", "pdf", 1),
        ("/srv/Patients/DUPONT/Allergies.txt", "text", 1),
        ("/srv/Médicaments/x.bin", None, 1),
        ("/srv/Labo/r.hpr", "hprim", 2),
        ("/srv/x/scan.dcm", "dicom", 2),
        ("/srv/resultats-biologie/a.pdf", "pdf", 2),
        ("/srv/Agenda/semaine.ics", None, 3),
        ("/srv/planning_garde.xlsx", "xlsx", 3),
        ("/srv/secretariat/RDV.txt", "text", 3),
        ("/srv/x/lettre.docx", "docx", 4),
        ("/srv/x/y.pdf", "pdf", 4),
        ("/srv/x/program.exe", "pe", 5),
        ("/srv/labourage/x.bin", None, 2),
        ("/srv/collaboration/x.bin", None, 5),
    ],
)
def test_the_order_that_is_built_in(path: str, form: str | None, step: int) -> None:
    names = [rule.name for rule in DEFAULT] + [REST]
    found = steps(choice(path, form), choice("/other/file.bin"))
    assert path in found[names[step]]


def test_results_of_long_ago_are_documents() -> None:
    found = steps(choice("/a/labo/new.pdf", "pdf", 1), choice("/a/labo/old.pdf", "pdf", 30), choice("/b/x"))
    assert found["newest laboratory and imaging"] == ["/a/labo/new.pdf"]
    assert found["documents, newest first"] == ["/a/labo/old.pdf"]


def test_documents_come_newest_first_and_the_rest_in_path_order() -> None:
    ages = [choice(f"/x/{n}.pdf", "pdf", age) for n, age in enumerate((3, 1, 2))]
    rest = [choice("/x/b.exe", "pe", 1), choice("/x/a.exe", "pe", 9)]
    found = steps(*ages, *rest)
    assert found["documents, newest first"] == ["/x/1.pdf", "/x/2.pdf", "/x/0.pdf"]
    assert found[REST] == ["/x/a.exe", "/x/b.exe"]


def test_folders_that_all_files_share_say_nothing() -> None:
    found = steps(choice("/srv/patients/a.exe"), choice("/srv/patients/b/rdv.txt"))
    assert found == {"schedules": ["/srv/patients/b/rdv.txt"], REST: ["/srv/patients/a.exe"]}


def test_paths_come_before_words_and_words_before_formats() -> None:
    rules = (
        Rule("formats", formats=("pdf",)),
        Rule("words", words=("urgent*",)),
        Rule("paths", paths=("*/first/*",)),
    )
    found = steps(
        choice("/a/first/urgent.pdf", "pdf"),
        choice("/a/urgently.pdf", "pdf"),
        choice("/b.pdf", "pdf"),
        rules=rules,
    )
    assert found == {"formats": ["/b.pdf"], "words": ["/a/urgently.pdf"], "paths": ["/a/first/urgent.pdf"]}


def test_in_one_name_the_first_rule_wins() -> None:
    rules = (Rule("one", words=("b?",)), Rule("two", words=("a",)))
    assert list(steps(choice("/a bc"), choice("/a"), rules=rules).items()) == [
        ("one", ["/a bc"]),
        ("two", ["/a"]),
    ]


def test_nearest_comes_last_and_only_when_asked_for() -> None:
    near = choice("/n")
    plan = Plan((choice("/a"),), (Lost("/n", State.DAMAGED, "why", near), Lost("/m", State.ENCRYPTED, "why")))
    assert [step.name for step in ordered(plan)] == [REST]
    assert ordered(plan, nearest=True)[-1] == Step(NEAREST, (near,))
    assert ordered(Plan((), ())) == ()


def test_sizes_are_added() -> None:
    assert ordered(Plan((choice("/a", size=3), choice("/b", size=4)), ()))[0].size == 7


RULES = st.builds(
    Rule,
    st.text(max_size=3),
    st.lists(st.text(max_size=4), max_size=3).map(tuple),
    st.lists(st.text(max_size=4), max_size=3).map(tuple),
    st.lists(st.sampled_from(["pdf", "x"]), max_size=2).map(tuple),
    st.integers(0, 3),
    st.booleans(),
)
PATHS = st.lists(st.text(st.characters(exclude_characters="\0"), max_size=12), max_size=8, unique=True)


@settings(max_examples=150, deadline=None)
@given(PATHS, st.lists(RULES, max_size=4))
def test_whatever_paths_and_rules_there_are_each_file_comes_once(paths: list[str], rules: list[Rule]) -> None:
    choices = tuple(choice(path, "pdf", number) for number, path in enumerate(sorted(paths)))
    made = ordered(Plan(choices, ()), rules)
    assert sorted(c.path for step in made for c in step.choices) == sorted(paths)
