import hashlib
import subprocess
import sys
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from random import Random

import pytest

from vigie.drill import extra
from vigie.drill.practice import KINDS, LEAST, Practice, build, free, moment, people, write
from vigie.drill.practice.draft import Draft
from vigie.errors import ExitCode, MissingProgram, VigieError

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Practice:
    return build(tmp_path_factory.mktemp("practice"), files=120, seed=7, today=TODAY)


def on_disk(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_the_files_are_exactly_those_listed(built: Practice) -> None:
    assert len(built.files) == 120
    assert on_disk(built.folder) == {made.path for made in built.files}
    for made in built.files:
        assert hashlib.sha256((built.folder / made.path).read_bytes()).hexdigest() == made.sha256


def test_every_kind_is_there_in_its_share(built: Practice) -> None:
    counts = Counter(made.kind for made in built.files)
    assert counts.pop("database") == 1
    assert set(counts) == {kind for kind, _, _ in KINDS}
    assert sum(percent for _, percent, _ in KINDS) == 100
    for kind, percent, _ in KINDS:
        assert abs(counts[kind] - 119 * percent / 100) <= 2


def test_the_folders_are_a_practices(built: Practice) -> None:
    tops = {made.path.split("/")[0] for made in built.files}
    assert tops == {"Patients", "Biologie", "Imagerie", "Courriers", "Photos", "Agenda", "Base", "Echanges"}
    for made in built.files:
        assert ".." not in made.path.split("/")
        if made.path.startswith("Patients/"):
            assert made.path.split("/")[1] in {p.folder.removeprefix("Patients/") for p in built.patients}


def test_files_are_as_old_as_their_documents(built: Practice) -> None:
    times = [(built.folder / made.path).stat().st_mtime for made in built.files]
    latest = datetime(2026, 11, 24).timestamp()  # noqa: DTZ001 -- the practice's own time
    assert max(times) < latest
    assert min(times) < latest - 300 * 86_400


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path, built: Practice) -> None:
    steps: list[tuple[int, int]] = []
    first = build(tmp_path / "a", files=LEAST, seed=3, today=TODAY, progress=lambda *s: steps.append(s))
    again = build(tmp_path / "b", files=LEAST, seed=3, today=TODAY)
    other = build(tmp_path / "c", files=LEAST, seed=4, today=TODAY)
    assert first.files == again.files
    assert first.patients == again.patients == people(3, LEAST, TODAY).patients
    assert not {m.sha256 for m in first.files} & {m.sha256 for m in other.files}
    assert steps == [(n, LEAST) for n in range(1, LEAST + 1)]
    assert {m.kind for m in first.files} == {m.kind for m in built.files}


def test_today_is_the_clocks_by_default(tmp_path: Path) -> None:
    made = build(tmp_path / "p", files=LEAST, seed=5)
    assert len(made.files) == LEAST


def test_too_few_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VigieError, match="too few"):
        build(tmp_path, files=LEAST - 1, seed=1)


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(VigieError, match="not empty"):
        build(tmp_path, files=LEAST, seed=1)
    assert on_disk(tmp_path) == {"thesis.txt"}


def test_a_dot_file_is_no_content(tmp_path: Path) -> None:
    (tmp_path / ".marker").write_text("x")
    assert len(build(tmp_path, files=LEAST, seed=1, today=TODAY).files) == LEAST


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        write(tmp_path, Draft("a.txt", b"other", datetime(2026, 1, 1)))  # noqa: DTZ001 -- local time
    assert (tmp_path / "a.txt").read_text() == "mine"


def test_a_taken_name_gets_a_number() -> None:
    taken = {"a/x.tar.gz", "a/x.tar (2).gz"}
    assert free("a/x.tar.gz", taken) == "a/x.tar (3).gz"
    assert free("a/y", taken) == "a/y"
    assert {"a/x.tar (3).gz", "a/y"} <= taken


def test_documents_are_written_on_working_days_in_the_past() -> None:
    rng = Random(1)
    for _ in range(500):
        when = moment(rng, TODAY)
        assert when.weekday() < 5
        assert 8 <= when.hour < 18
        assert when.date() < TODAY


def test_a_missing_library_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extra.PACKAGES, "no_such_module_at_all", "no-such-package")
    with pytest.raises(MissingProgram) as caught:
        extra.load("no_such_module_at_all.inside")
    assert caught.value.subject == "no-such-package"
    assert caught.value.remedy == "pip install 'vigie[drill]'"
    assert caught.value.exit_code == ExitCode.FAILED


def test_a_broken_library_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed.py").write_text("import something_it_needs\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_it_needs"):
        extra.load("half_installed")


def test_importing_the_practice_loads_no_optional_library() -> None:
    program = (
        "import sys, vigie.drill.practice, vigie.drill.work, vigie.drill.attack\n"
        f"print([m for m in {sorted(extra.PACKAGES)!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
