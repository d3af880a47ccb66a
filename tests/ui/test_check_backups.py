"""`vigie check` of snapshots in a backup: which one is meant."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from vigie.config import Settings
from vigie.errors import NoSuchTarget
from vigie.model import Entry
from vigie.ui.cli.targets import opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Snapshots named so that one is how another begins, in a folder with an @ in its name."""
    place = tmp_path / "a@b"
    for number in (0, 1, 10):
        (place / f"daily.{number}").mkdir(parents=True)
        (place / f"daily.{number}" / f"{number}.txt").write_text("x")
        os.utime(place / f"daily.{number}", (1_700_000_000 - number, 1_700_000_000 - number))
    return place


def paths(target: str, *exclude: str) -> list[str]:
    with ExitStack() as stack:
        return [item.path for item in opened([target], Settings(), exclude, stack) if isinstance(item, Entry)]


def test_the_latest_a_whole_name_and_the_start_of_one(folder: Path) -> None:
    assert paths(f"snapshots:{folder}") == ["/0.txt"]
    assert paths(f"snapshots:{folder}@latest") == ["/0.txt"]
    assert paths(f"snapshots:{folder}@daily.1") == ["/1.txt"]
    assert paths(f"snapshots:{folder}@daily.10") == ["/10.txt"]
    assert paths(f"snapshots:{folder}@daily.10", "*.txt") == []


@pytest.mark.parametrize(("wanted", "words"), [("daily", "several"), ("weekly.0", "no such snapshot")])
def test_none_or_several(folder: Path, wanted: str, words: str) -> None:
    with pytest.raises(NoSuchTarget, match=words):
        paths(f"snapshots:{folder}@{wanted}")


@pytest.mark.parametrize("kind", ["restic", "borg", "snapshots"])
def test_no_such_backup(tmp_path: Path, kind: str) -> None:
    with pytest.raises(NoSuchTarget):
        paths(f"{kind}:{tmp_path}/none")
