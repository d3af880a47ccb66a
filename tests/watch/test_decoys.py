"""Decoys are placed over nobody's file, look healthy, come first, and are taken away only unchanged."""

import os
import stat
import time
from datetime import date
from pathlib import Path
from random import Random

import pytest

from vigie.errors import NoSuchTarget, NotPermitted
from vigie.judge import judge
from vigie.model import State
from vigie.sources.folder import FileBlob
from vigie.watch.decoys import Register, Watched, place, remove, watched
from vigie.watch.decoys.documents import MAKERS
from vigie.watch.decoys.placing import _FIRST, _LAST, _begin


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "share"
    made.mkdir()
    for number, name in enumerate(("10 Lettres.txt", "Bilans.txt", "zebra.txt")):
        (made / name).write_text("All is well.\n" * 200)
        when = time.time() - (number + 2) * 86400
        os.utime(made / name, (when, when))
    return made


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path / "state")


@pytest.mark.parametrize("ending", MAKERS)
@pytest.mark.parametrize("seed", range(5))
def test_documents_are_healthy_and_never_the_same(ending: str, seed: int, tmp_path: Path) -> None:
    data = MAKERS[ending](Random(seed), date(2024, 5, 6))
    path = tmp_path / f"x.{ending}"
    path.write_bytes(data)
    blob = FileBlob.open(str(path))
    verdict = judge(blob, str(path))
    blob.close()
    assert verdict.state is State.INTACT
    assert verdict.likeness is not None
    assert verdict.likeness.format == ending
    assert data != MAKERS[ending](Random(seed + 100), date(2024, 5, 6))


def test_they_come_first_in_every_order_that_can_be_foreseen(folder: Path, register: Register) -> None:
    done = place(str(folder), register, Random(1))
    placed = {decoy.path for decoy in done.decoys}
    assert (len(placed), done.refused) == (4, ())
    entries = list(os.scandir(folder))
    for order in (
        sorted(entries, key=lambda e: e.name),
        sorted(entries, key=lambda e: e.name.casefold()),
        sorted(entries, key=lambda e: e.name, reverse=True),
        sorted(entries, key=lambda e: e.name.casefold(), reverse=True),
        sorted(entries, key=lambda e: e.stat().st_size),
        sorted(entries, key=lambda e: e.stat().st_size, reverse=True),
        sorted(entries, key=lambda e: e.stat().st_mtime),
    ):
        assert order[0].path in placed
    assert all(entry.stat().st_mtime < time.time() for entry in entries)
    assert register.all() == sorted(done.decoys, key=lambda d: os.fsencode(d.path))
    assert stat.S_IMODE(register.path.stat().st_mode) == 0o600


def test_a_folder_is_taken_once_and_its_files_are_never_touched(folder: Path, register: Register) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    first = place(str(folder), register, Random(1))
    again = place(str(folder), register, Random(1))
    assert (again.decoys, len(again.refused)) == ((), 1)
    for decoy in first.decoys:
        register.strike(decoy.path)  # now they are somebody's files
    third = place(str(folder), register, Random(1))
    assert all(path.read_bytes() == data for path, data in before.items())
    assert not {d.path for d in third.decoys} & {d.path for d in first.decoys}


def test_a_name_that_is_taken_is_refused(
    folder: Path, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(*_: object) -> None:
        raise FileExistsError

    monkeypatch.setattr("vigie.watch.decoys.placing._write", taken)
    done = place(str(folder), register)
    assert (done.decoys, len(done.refused)) == ((), 4)


def test_folders_that_cannot_be_used(
    tmp_path: Path, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoSuchTarget):
        place(str(tmp_path / "none"), register)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "utime", full)
    with pytest.raises(NotPermitted, match="No space"):
        place(str(tmp_path), register)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]  # nothing half made stays


def test_only_what_is_unchanged_is_taken_away(folder: Path, register: Register) -> None:
    done = place(str(folder), register, Random(2))
    paths = [Path(decoy.path) for decoy in done.decoys]
    paths[0].write_bytes(b"somebody writes here now")
    paths[1].unlink()
    paths[2].unlink()
    paths[2].symlink_to("/etc/hostname")
    kept = remove(register, [str(folder)])
    assert {item.path for item in kept} == {str(paths[0]), str(paths[2])}
    assert not paths[3].exists()
    assert paths[0].exists()
    assert remove(register, [str(folder / "elsewhere")]) == []
    assert remove(register, force=True) == []
    assert register.all() == []
    assert len(list(folder.iterdir())) == 3
    assert Path("/etc/hostname").exists()


def test_what_cannot_be_taken_away_stays_on_the_list(
    folder: Path, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(str(folder), register, Random(2))

    def refuse(_: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", refuse)
    assert [item.reason for item in remove(register)] == ["Permission denied"] * 4
    assert len(register.all()) == 4


def test_a_strong_beginning_is_taken_where_others_are_there() -> None:
    assert _begin(_FIRST, ["00A.txt", "b"]) == "000_"
    assert _begin(_FIRST, ["!!"]) == _FIRST[-1]
    assert _begin(_LAST, ["zz_a", "Zorro"]) == "zzz_"


def test_the_guard_sees_what_others_place_and_remove(
    folder: Path, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "_EVERY", 0.0)
    other = Register(register.path.parent)
    seen = Watched(other)
    assert "/x" not in seen
    path = place(str(folder), register).decoys[0].path
    assert path in seen
    monkeypatch.setattr(watched, "_EVERY", 1000.0)
    assert path in seen  # asked for the last time for a while
    register.strike(path)
    assert path not in seen
    other.close()
    assert "/y" not in seen
