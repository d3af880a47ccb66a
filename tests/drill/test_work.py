import gzip
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import docx
import pytest
import pyzipper

from vigie.drill import desk, playground, work
from vigie.drill.desk import Desk, Touched
from vigie.drill.practice import build
from vigie.drill.practice.draft import Draft
from vigie.drill.work import ORDINARY, Work

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "practice"
    build(folder, files=140, seed=11, today=TODAY)
    return folder


@pytest.fixture
def ground(tmp_path: Path, model: Path) -> Iterator[playground.Playground]:
    made = playground.create(tmp_path)
    shutil.copytree(model, made.folder, dirs_exist_ok=True)
    paths = [p.relative_to(made.folder).as_posix() for p in made.folder.rglob("*") if p.is_file()]
    yield playground.record(made, [p for p in paths if p != playground.MARKER])
    playground.remove(made)


@pytest.fixture
def here(ground: playground.Playground) -> Desk:
    return desk.sit_down(ground.folder, 5, TODAY)


def state(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file() and p.name != playground.MARKER
    }


@pytest.mark.parametrize("step", ORDINARY, ids=lambda step: step.run.__name__)
def test_a_step_says_exactly_what_it_touched(step: Work, here: Desk) -> None:
    before = state(here.folder)
    touched = step.run(here)
    after = state(here.folder)
    if touched.skipped:
        pytest.skip(touched.skipped)
    assert set(after) - set(before) == set(touched.added) | {new for _, new in touched.renamed}
    assert set(before) - set(after) == set(touched.removed) | {old for old, _ in touched.renamed}
    assert {p for p in set(before) & set(after) if before[p] != after[p]} == set(touched.changed)
    for old, new in touched.renamed:
        assert before[old] == after[new]
    assert touched.made or touched.gone


def test_edited_letters_still_open(here: Desk) -> None:
    touched = work.edit_letters(here)
    assert len(touched.changed) == 10
    for path in touched.changed:
        assert "Complément du 23/11/2026" in docx.Document(str(here.folder / path)).paragraphs[-1].text
    assert not list(here.folder.rglob("*.tmp"))


def test_the_database_stays_sound(here: Desk) -> None:
    work.update_database(here)
    with closing(sqlite3.connect(here.folder / "Base/cabinet.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM rendez_vous").fetchone() == (2200,)


def test_the_archive_needs_its_password(here: Desk) -> None:
    (path,) = work.protect_results(here).added
    with pyzipper.AESZipFile(here.folder / path) as archive:
        assert len(archive.namelist()) == 12
        with pytest.raises(RuntimeError):
            archive.read(archive.namelist()[0])
        archive.setpassword(b"exercice")
        assert archive.read(archive.namelist()[0]).startswith(b"%PDF")


def test_an_archive_is_not_replaced(here: Desk) -> None:
    (path,) = work.protect_results(replace(here, rng=Random(2))).added
    before = (here.folder / path).read_bytes()
    assert "already" in work.protect_results(replace(here, rng=Random(2))).skipped
    assert (here.folder / path).read_bytes() == before


def test_compressed_exports_hold_what_they_replaced(here: Desk) -> None:
    before = state(here.folder)
    touched = work.compress_exports(here)
    assert touched.added
    for packed, plain in zip(touched.added, touched.removed, strict=True):
        with gzip.open(here.folder / packed) as file:
            assert hashlib.sha256(file.read()).hexdigest() == before[plain]


def test_photos_are_renamed_once(here: Desk) -> None:
    assert work.rename_photos(here).renamed
    assert work.rename_photos(here) == Touched()


def test_a_rename_replaces_nothing(here: Desk) -> None:
    twin = replace(here, rng=Random(1))
    for before, after in work.rename_photos(here).renamed:
        (here.folder / after).rename(here.folder / before)
        (here.folder / after).write_text("mine")
    assert work.rename_photos(twin).renamed == ()


def test_a_new_file_replaces_nothing(here: Desk) -> None:
    draft = Draft("Photos/new.jpg", b"one", here.today)
    assert here.put(draft) == ["Photos/new.jpg"]
    assert here.put(replace(draft, data=b"two")) == []
    assert (here.folder / "Photos/new.jpg").read_bytes() == b"one"


def test_gpg_is_optional(here: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert work.encrypt_export(here).skipped == "gpg is not installed"


def test_gpg_that_fails_is_a_reason(here: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "gpg"
    program.write_text("#!/bin/sh\necho no agent >&2\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    touched = work.encrypt_export(here)
    assert touched.skipped == "gpg failed: no agent"
    assert touched.made == ()


def test_the_process_accounts_for_every_file(
    ground: playground.Playground, capsys: pytest.CaptureFixture[str]
) -> None:
    assert work.main([str(ground.folder), "--seed", "3", "--today", "2026-11-23"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["work"] for line in lines] == [step.english for step in ORDINARY]
    with playground.entered(ground.folder, ground.token) as (_, marked):
        assert set(marked.files) == set(state(ground.folder))
    touched = [desk.touched_in(line) for line in lines]
    assert all(t.made or t.gone or t.skipped for t in touched)


def test_files_of_somebody_else_stay(
    ground: playground.Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.csv").write_text("mine")
    (home / "thesis.docx").write_text("mine")
    (home / "old.json").write_text("mine")
    folder = ground.folder
    # Never listed, a link, a hard link, below a linked folder, and swapped for another file.
    (folder / "Agenda/2026").mkdir(exist_ok=True)
    (folder / "Agenda/2026/unlisted.csv").write_text("mine")
    (folder / "Agenda/2026/link.csv").symlink_to(home / "thesis.csv")
    os.link(home / "thesis.docx", folder / "Courriers/hard.docx")
    (folder / "Echanges/way").symlink_to(home)
    swapped = next(path for path in ground.files if path.startswith("Agenda/2"))
    (folder / swapped).unlink()
    (folder / swapped).write_text("mine")
    os.utime(folder / swapped, (1, 1))
    monkeypatch.setenv("PATH", "")
    assert work.main([str(folder), "--today", "2026-11-23"]) == 0
    for path in ("Agenda/2026/unlisted.csv", "Courriers/hard.docx", "Echanges/way/old.json", swapped):
        assert (folder / path).read_text() == "mine"
    assert {p.name: p.read_text() for p in home.iterdir()} == dict.fromkeys(
        ("thesis.csv", "thesis.docx", "old.json"), "mine"
    )


def test_a_linked_folder_is_not_written_into(here: Desk, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (here.folder / "Envois").symlink_to(tmp_path / "home")
    with pytest.raises(playground.NotAPlayground, match="a link stands"):
        work.protect_results(here)
    assert not list((tmp_path / "home").iterdir())


def test_a_line_reads_back() -> None:
    touched = Touched(("é",), ("b",), ("c",), (("d", "e"),), "why")
    assert desk.touched_in(work.line(ORDINARY[0], 1.23456, touched)) == touched


def test_a_folder_the_drill_did_not_make_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Photos").mkdir()
    (tmp_path / "Photos/IMG_0001.jpg").write_bytes(b"mine")
    assert work.main([str(tmp_path)]) == 2
    assert "refused" in capsys.readouterr().err
    assert (tmp_path / "Photos/IMG_0001.jpg").read_bytes() == b"mine"
    with pytest.raises(playground.NotAPlayground):
        desk.sit_down(tmp_path, 1)


def test_names_are_in_both_languages() -> None:
    assert (
        len({step.english for step in ORDINARY}) == len({step.french for step in ORDINARY}) == len(ORDINARY)
    )
