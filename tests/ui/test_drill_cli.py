import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from vigie.drill import scenario
from vigie.drill.story import Chapter, Step, Story
from vigie.errors import DiskFull, NotPermitted, VigieError
from vigie.ui.cli.drill import _ended_gently, command
from vigie.ui.cli.drill_tale import clock, span

pytestmark = pytest.mark.alone

VIGIE = (sys.executable, "-m", "vigie")
PROMISED = {
    "files",
    "files_lost",
    "frozen_after_s",
    "false_alarms",
    "restored",
    "verified",
    "unrecoverable",
    "duration_s",
}


def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*VIGIE, "drill", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
        env={**os.environ, **environment},
    )


def played(story: Story, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    """The command, with a drill that only tells `story`."""

    def tell(**given: Any) -> Story:
        for step in story.steps:
            given["on_progress"](step.chapter, 1, 2)
            given["on_step"](step)
        return story

    monkeypatch.setattr(scenario, "drill", tell)
    return CliRunner().invoke(command, list(words), standalone_mode=False)


@pytest.mark.timeout(90)
@pytest.mark.skipif(shutil.which("restic") is None, reason="needs restic")
def test_a_real_drill_keeps_its_promises(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    done = run("--json", "--files", "60", "--seed", "1", "--report", report, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line.get("chapter") for line in lines[:-1]] == [chapter.value for chapter in Chapter]
    assert all({"began", "seconds"} <= line.keys() for line in lines[:-1])
    summary = lines[-1]["summary"]
    assert summary.keys() == PROMISED
    assert summary["restored"] >= summary["files"] >= 60
    assert summary["unrecoverable"] == summary["false_alarms"] == 0
    assert "Exercice réussi" in report.read_text("utf-8")
    assert list(tmp_path.iterdir()) == [report]


def test_the_story_is_told_to_people(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    done = played(story, monkeypatch, "--files", "1200")
    assert done.return_value == 0
    for words in (
        "An invented practice of 1,200 files",
        "00:37.5   The attack",
        "named: /usr/bin/python3.11 (pid 4242, user root)",
        "started by: init (1)",
        "frozen 6 ms after its first file; files overwritten: 3",
        "left out: export encrypted (no gpg)",
        "1,232 intact, 3 encrypted",
        "1,234 of 1,234 files came back identical",
        "✓ Passed",
        "1 min 14 s",
    ):
        assert words in done.output
    assert "Report:" not in done.output


def test_a_drill_without_a_freeze_says_why(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    facts: dict[Chapter, dict[str, Any]] = {
        Chapter.GUARD: {"sensor": "watchfiles", "lost": ["no pid"], "files": 9},
        Chapter.ATTACK: {"lost": 1234, "frozen_after_s": None, "incident": {"actor": None}},
        Chapter.TIMELINE: {"snapshots": 3, "last_clean": None, "first_hit": None, "affected": 0},
    }
    steps = tuple(replace(s, facts=facts.get(s.chapter, s.facts)) for s in story.steps)
    summary = replace(story.summary, frozen_after_s=None, files_lost=1234)
    done = played(replace(story, steps=steps, summary=summary, actor=None), monkeypatch)
    for words in (
        "not here: no pid",
        "nobody could be named",
        "not frozen",
        "could not be frozen; it overwrote 1,234",
        "last clean backup: none",
    ):
        assert words in done.output


def test_a_guard_that_saw_nothing_is_no_crash(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"lost": 12, "frozen_after_s": None, "incident": None}
    steps = tuple(replace(s, facts=facts) if s.chapter is Chapter.ATTACK else s for s in story.steps)
    done = played(replace(story, steps=steps, actor=None), monkeypatch)
    assert done.exception is None
    assert "files overwritten: 12" in done.output


@pytest.mark.parametrize(("identical", "alarms"), [(1233, 0), (1234, 1)])
def test_a_drill_that_failed_ends_with_one(
    story: Story, monkeypatch: pytest.MonkeyPatch, identical: int, alarms: int
) -> None:
    failed = replace(story, identical=identical, summary=replace(story.summary, false_alarms=alarms))
    done = played(failed, monkeypatch)
    assert done.return_value == 1
    assert "✗ Not passed" in done.output


def test_what_is_kept_is_said_with_how_to_open_it(
    story: Story, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = tmp_path / "new place" / "vigie-drill-x"
    base.mkdir(parents=True)
    practice = replace(story.steps[0], facts={**story.steps[0].facts, "kept": str(base)})
    kept = replace(story, kept=str(base), steps=(practice, *story.steps[1:]))
    done = played(kept, monkeypatch, "--keep", str(base.parent))
    assert f"restic -r '{base}/vault' --password-file '{base}/vault-password' snapshots" in done.output
    assert f"Left to look at: {base}" in done.output
    assert "in /tmp/d/p" in done.output
    assert (base / "report.html").is_file()


def test_names_are_shown_harmless(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = {"pid": 1, "executable": "/x\x1b[31m\udcff[bold]", "user": "", "parents": []}
    facts = {"lost": 3, "frozen_after_s": 0.5, "incident": {"actor": actor}}
    done = played(replace(story, steps=(Step(Chapter.ATTACK, 0.0, 1.0, facts),)), monkeypatch)
    assert "/x\\x1b[31m\\xff[bold] (pid 1, user unknown)" in done.output


@pytest.mark.parametrize("words", [("--files", "39"), ("--json", "--files", "39")])
def test_a_refusal_says_what_to_do_and_makes_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(*words, "--keep", tmp_path / "new")
    assert done.returncode == 2
    assert "too few" in done.stderr
    assert "40 or more" in done.stderr
    assert done.stdout == ""
    assert list((tmp_path / "new").iterdir()) == []


def test_places_that_do_not_do_are_refused_before_the_work(tmp_path: Path) -> None:
    letter = tmp_path / "letter"
    letter.write_text("dear")
    runner = CliRunner()
    for words, error in (
        (("--keep", letter), NotPermitted),
        (("--keep", letter / "below"), NotPermitted),
        (("--report", letter), VigieError),
        (("--report", tmp_path / "none" / "x.html"), NotPermitted),
    ):
        done = runner.invoke(command, [str(word) for word in words], standalone_mode=False)
        assert isinstance(done.exception, error), done.exception
    assert letter.read_text() == "dear"


def test_errors_of_the_drill_reach_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: Any) -> Story:
        raise DiskFull("/tmp", "there is no room left", "Make room.")

    monkeypatch.setattr(scenario, "drill", full)
    assert isinstance(CliRunner().invoke(command, [], standalone_mode=False).exception, DiskFull)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_end_is_asked_for_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    cleaned = []

    def work() -> None:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # impatience does not cut the cleaning up short
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt), _ended_gently():
        work()
    assert cleaned
    assert signal.getsignal(number) == before


def test_times_are_short() -> None:
    assert [clock(s) for s in (0, 9.96, 61.25, 3600)] == ["00:00.0", "00:09.9", "01:01.2", "60:00.0"]
    assert [span(s) for s in (0.0057, 3.14, 74.5)] == ["6 ms", "3.1 s", "1 min 14 s"]
