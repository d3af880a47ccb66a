"""Small drills, for real: the guard, restic, the work and the attack are the processes they are in life."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vigie.drill import evidence, extra, lookout, scenario
from vigie.drill.scenario import PASSWORD_FILE, drill
from vigie.drill.story import Chapter, Step, Story
from vigie.errors import DiskFull, MissingProgram, NotPermitted, VigieError

pytestmark = [pytest.mark.alone, pytest.mark.timeout(90)]

ROOT = os.geteuid() == 0
needs_restic = pytest.mark.skipif(shutil.which("restic") is None, reason="needs restic")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Story, list[Step], list[tuple[Chapter, int]]]:
    """A drill with all that this machine allows, left to look at."""
    if shutil.which("restic") is None:
        pytest.skip("needs restic")
    steps: list[Step] = []
    moved: list[tuple[Chapter, int]] = []
    story = drill(
        files=60,
        seed=3,
        keep_in=tmp_path_factory.mktemp("keep"),
        on_step=steps.append,
        on_progress=lambda chapter, done, _: moved.append((chapter, done)),
    )
    return story, steps, moved


Kept = tuple[Story, list[Step], list[tuple[Chapter, int]]]


def facts(story: Story, chapter: Chapter) -> dict[str, Any]:
    return next(step.facts for step in story.steps if step.chapter is chapter)


def test_every_file_comes_back_and_nothing_ordinary_raises_an_alarm(kept: Kept) -> None:
    story, _, _ = kept
    assert story.passed
    assert story.identical == story.summary.files > 60
    assert story.summary.false_alarms == 0
    assert story.summary.unrecoverable == 0
    assert story.summary.restored == story.summary.verified >= story.summary.files
    assert story.hits
    assert len(story.hits) == story.summary.files_lost
    assert all(hit.came_back for hit in story.hits)


def test_the_chapters_are_told_in_order_and_timed(kept: Kept) -> None:
    story, steps, moved = kept
    assert [step.chapter for step in story.steps] == list(Chapter)
    assert list(story.steps) == steps
    for one, next_one in pairwise(steps):
        assert one.began + one.seconds <= next_one.began + 0.01
    assert steps[-1].began + steps[-1].seconds <= story.summary.duration_s + 0.01
    assert {chapter for chapter, _ in moved} == set(Chapter)
    assert (Chapter.PRACTICE, 60) in moved


def test_the_work_of_a_day_is_all_done_and_quiet(kept: Kept) -> None:
    story, _, _ = kept
    work = facts(story, Chapter.WORK)
    assert work["alarms"] == 0
    assert len(work["work"]) == 10
    assert all(isinstance(step["changed"], int) for step in work["work"])
    assert sum(step["added"] for step in work["work"]) > 0


def test_the_vault_shows_the_attack_in_its_last_column_only(kept: Kept) -> None:
    story, _, _ = kept
    assert [column.encrypted > 0 for column in story.columns] == [False, False, True]
    for column in story.columns:
        assert column.files == sum(files for files, _ in column.folders.values())
        assert column.encrypted == sum(hit for _, hit in column.folders.values())
    assert facts(story, Chapter.TIMELINE)["last_clean"] == story.columns[1].snapshot
    assert facts(story, Chapter.TIMELINE)["first_hit"] == story.columns[2].snapshot


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_the_attack_is_named_frozen_and_ended(kept: Kept) -> None:
    story, _, _ = kept
    assert story.actor is not None
    assert "python" in story.actor["executable"]
    assert "vigie.drill.attack" in story.actor["command"]
    assert os.getpid() in [parent["pid"] for parent in story.actor["parents"]]
    assert not os.path.exists(f"/proc/{story.actor['pid']}")
    assert story.summary.frozen_after_s is not None
    assert 0 <= story.summary.frozen_after_s < scenario.FREEZE_WITHIN
    assert story.summary.files_lost < story.summary.files
    assert story.lost == ()


@needs_restic
def test_what_was_kept_opens_with_restic_alone(kept: Kept) -> None:
    story, _, _ = kept
    assert story.kept is not None
    base = Path(story.kept)
    password = base / PASSWORD_FILE
    assert password.stat().st_mode & 0o777 == 0o600
    command = ("restic", "-r", str(base / "vault"), "--password-file", str(password), "--no-cache")
    done = subprocess.run(
        (*command, "snapshots", "-q"), capture_output=True, text=True, check=True, timeout=60
    )
    assert all(column.snapshot[:8] in done.stdout for column in story.columns)
    assert Path(facts(story, Chapter.PRACTICE)["folder"]).is_dir()
    assert (base / "recovered").is_dir()


@needs_restic
def test_where_nothing_can_be_frozen_everything_still_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    story = drill(files=60, seed=4, sensor="watchfiles")
    assert story.passed
    assert story.summary.frozen_after_s is None
    assert story.actor is None
    assert any("nothing can be frozen" in words for words in story.lost)
    assert story.summary.files_lost > story.summary.files // 2
    assert story.identical == story.summary.files
    assert facts(story, Chapter.ATTACK)["incident"] is not None
    assert story.kept is None
    assert list(tmp_path.glob("vigie-*")) == []


@needs_restic
@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_an_interrupted_drill_leaves_neither_a_process_nor_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    original = scenario._frozen
    frozen: list[int] = []

    def interrupted(ear: lookout.Lookout, pid: int) -> None:
        assert original(ear, pid)
        frozen.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(scenario, "_frozen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        drill(files=45, seed=5)
    assert frozen
    assert list(tmp_path.glob("vigie-*")) == []
    until = time.monotonic() + 10
    while (left := _speaking_of(str(tmp_path))) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == []


def test_without_restic_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(MissingProgram) as told:
        drill(files=60, keep_in=tmp_path, restic="vigie-no-such-program")
    assert told.value.remedy == "apt-get install restic"
    assert list(tmp_path.iterdir()) == []


def test_without_a_library_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyzipper", None)
    with pytest.raises(MissingProgram, match="pyzipper") as told:
        drill(files=60, keep_in=tmp_path)
    assert "vigie[drill]" in told.value.remedy
    assert "pyzipper" in extra.PACKAGES
    assert list(tmp_path.iterdir()) == []


def test_too_few_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VigieError, match="too few"):
        drill(files=39, keep_in=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small_is_said_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000_000))
    with pytest.raises(DiskFull, match="about 26 MB are needed, 10 MB are free"):
        drill(files=60, keep_in=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_is_no_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(scenario, "build", full)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(DiskFull, match="no room left"):
        drill(files=60)
    assert list(tmp_path.iterdir()) == []


def test_another_error_of_the_system_stays_a_bug(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(scenario, "build", broken)
    with pytest.raises(OSError, match="broken"):
        drill(files=60, keep_in=tmp_path)


def test_a_place_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refused(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refused)
    with pytest.raises(NotPermitted, match="Permission denied"):
        drill(files=60, keep_in=tmp_path)


def test_work_that_fails_is_reported_with_its_last_words() -> None:
    code, said, complaints = scenario._python("vigie.drill.work", "/nonexistent")
    assert code == 2
    assert said == ""
    assert "refused" in complaints
    assert scenario._last_line("a\nb: c\n\n") == "b: c"
    assert scenario._last_line("") == "it ended without a word"


def test_work_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario, "WORK_LASTS", 0.5)
    with pytest.raises(VigieError, match=r"not ended after 0\.5 s"):
        scenario._python("http.server", "--bind", "127.0.0.1", "0")


def test_a_freeze_before_the_first_change_counts_as_no_time() -> None:
    iso = "2026-11-23T15:42:46.869Z"
    then = 1_795_448_566_869_000_000
    assert evidence.seconds_between(then - 5_300_000, iso) == 0.0053
    assert evidence.seconds_between(then + 3_000_000, iso) == 0.0


def test_the_first_change_is_the_earliest_of_what_is_new_or_changed(tmp_path: Path) -> None:
    begun = time.time_ns() - 10**9
    for name in ("same", "changed", "new"):
        (tmp_path / name).write_text(name)
    digests = {"same": "1", "changed": "2"}
    after = {"same": "1", "changed": "3", "new": "4"}
    times = [(tmp_path / name).stat().st_ctime_ns for name in ("changed", "new")]
    assert evidence.first_change(tmp_path, digests, after, begun) == min(times)
    assert evidence.first_change(tmp_path, digests, digests, begun) is None


def _speaking_of(words: str) -> list[str]:
    """Command lines of processes that name something."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if words in command and int(pid) != os.getpid():
            found.append(command)
    return found
