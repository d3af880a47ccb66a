import errno
import os
import re
import string
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest

from vigie.drill.story import Chapter, Column, Hit, Step, Story
from vigie.errors import DiskFull, NotPermitted, VigieError
from vigie.ui.report import file
from vigie.ui.report.drill import MARK, page
from vigie.ui.report.language import LANGUAGES
from vigie.ui.report.words import ENGLISH, FRENCH, LIMITS
from vigie.watch.folder_events import FolderEvents

VOID = {"meta", "input", "link", "br", "img", "hr"}
HOSTILE = "x\ud800\"'><script>alert(1)</script>&\u202ecod.exe\udcff\x1b[31m\n.pdf"


class Reader(HTMLParser):
    """Walks the page: every tag is closed in turn, and what is shown is gathered by language."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, str]] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.shown: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("lang") or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, key, value or "") for key, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] != "style":
            language = next((lang for _, lang in reversed(self.open) if lang), "")
            self.shown[language] = self.shown.get(language, "") + data


def read(story: Story) -> Reader:
    reader = Reader()
    reader.feed(page(story))
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_is_whole_and_loads_nothing(story: Story) -> None:
    html, reader = page(story), read(story)
    policy = [value for tag, key, value in reader.attributes if (tag, key) == ("meta", "content")]
    assert "default-src 'none'; style-src 'unsafe-inline'" in policy
    assert html.startswith(f"<!DOCTYPE html>\n{MARK}\n")
    assert not reader.tags.keys() & {"script", "link", "img", "iframe", "object", "form", "a"}
    assert not {key for _, key, _ in reader.attributes} & {"src", "href", "action", "onload", "onclick"}
    assert not re.search(r"https?:|//\w|@import|url\(", html)


def test_identifiers_are_unique_and_what_is_referred_to_is_there(story: Story) -> None:
    reader = read(story)
    ids = [value for _, key, value in reader.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    for _, key, value in reader.attributes:
        if key in ("aria-labelledby", "for"):
            assert set(value.split()) <= set(ids)


def test_both_languages_say_the_same(story: Story) -> None:
    shown = read(story).shown
    assert "Exercice réussi" in shown["fr"]
    assert "Drill passed" in shown["en"]
    for words in (
        "1\u202f234",
        "6\u00a0ms",
        "1\u00a0min\u00a014\u00a0s",
        "44,4\u00a0Mo",
        "3\u00a0chiffr",
        "1 sain",
    ):
        assert words.replace("3\u00a0", "3 ") in shown["fr"]
    for words in ("1,234", "6\u00a0ms", "1\u00a0min\u00a014\u00a0s", "44.4\u00a0MB", "3 encrypted of 1,234"):
        assert words in shown["en"]
    for language in ("fr", "en"):
        assert "4242" in shown[language]
        assert "/sbin/init" in shown[language]
        assert "Biologie/2.hpr" in shown[language]


def test_the_date_is_written_as_each_language_does() -> None:
    french, english = LANGUAGES
    first = 1_793_491_200_000_000_000 + 12 * 3600 * 10**9  # around noon, 1 November 2026
    assert re.fullmatch("1er novembre 2026 à \\d+\u00a0h\u00a0\\d\\d|[23]1? .*", french.date(first))
    assert re.fullmatch(r"\d+ (October|November) 2026, \d\d:\d\d", english.date(first))


def test_tables_have_headings_and_pictures_words(story: Story) -> None:
    html, reader = page(story), read(story)
    assert reader.tags["table"] == 4
    assert html.count('<th scope="row">') == 2 * 3
    assert reader.tags["th"] == html.count('<th scope="col">') + html.count('<th scope="row">')
    pictures = html.count('role="img"')
    assert pictures == reader.tags["desc"] == 4
    assert reader.tags["svg"] == pictures + html.count('aria-hidden="true">\n<rect') + html.count(
        'class="share" height="6" aria-hidden="true"'
    )


def test_whatever_comes_from_outside_is_escaped(story: Story) -> None:
    actor = {
        "pid": 1,
        "executable": HOSTILE,
        "command": [HOSTILE],
        "user": HOSTILE,
        "parents": [{"pid": 2, "executable": HOSTILE}],
    }
    columns = tuple(Column(HOSTILE[:8], 0, 5, 1, {HOSTILE: (5, 1)}) for _ in range(3))
    hostile = replace(
        story,
        actor=actor,
        columns=columns,
        hits=(Hit(HOSTILE, came_back=False),),
        lost=(HOSTILE,),
        kept=HOSTILE,
    )
    html, reader = page(hostile), read(hostile)
    assert reader.tags["script"] == 0
    assert "<script" not in html
    assert html.encode()  # nothing is left that is not text
    for raw in ("\u202e", "\x1b", "\udcff", "\ud800"):
        assert raw not in html
    assert "<script>alert(1)</script>" in reader.shown["fr"]
    assert "\\u202ecod.exe\\xff\\x1b[31m\\n.pdf" in reader.shown["fr"]


def test_a_drill_in_which_nothing_could_be_frozen(story: Story) -> None:
    free = replace(
        story,
        actor=None,
        lost=("fanotify: it is for root only", *FolderEvents.lost, "something new"),
        summary=replace(story.summary, frozen_after_s=None, files_lost=1234),
        hits=tuple(Hit(f"{n}", came_back=n != 1200) for n in range(1234)),
        steps=tuple(
            replace(step, facts={**step.facts, "frozen_after_s": None, "lost": 1234})
            if step.chapter is Chapter.ATTACK
            else step
            for step in story.steps
        ),
    )
    shown = read(free).shown
    assert FRENCH["nobody"] in shown["fr"]
    assert FRENCH["f.not_frozen"] in shown["fr"]
    assert FRENCH["free"] in shown["fr"]
    assert ENGLISH["free"] in shown["en"]
    assert "réservé à l’administrateur" in shown["fr"]
    assert "for root only" not in shown["fr"]
    assert "something new" in shown["en"]
    assert shown["fr"].index("✗") < shown["fr"].index("✓ revenu")  # what is missing comes first
    assert "1\u202f184" in shown["fr"]
    assert "1,184 more" in shown["en"]


@pytest.mark.parametrize(("alarms", "french"), [(1, "1 fausse alerte."), (2, "2 fausses alertes.")])
def test_a_drill_that_failed_says_so(story: Story, alarms: int, french: str) -> None:
    failed = replace(
        story, identical=1230, summary=replace(story.summary, false_alarms=alarms, unrecoverable=4)
    )
    shown = read(failed).shown
    assert "Exercice non réussi" in shown["fr"]
    assert french in shown["fr"]
    assert "1\u202f230 fichiers sur 1\u202f234" in shown["fr"]
    assert "1,230 of 1,234" in shown["en"]


def test_a_backup_that_could_not_tell_everything_says_so(story: Story) -> None:
    facts = {"snapshot": "c" * 8, "files": 225, "intact": 72, "encrypted": 152, "damaged": 0, "unknown": 1}
    steps = tuple(replace(s, facts=facts) if s.chapter is Chapter.THIRD_KEEP else s for s in story.steps)
    assert "Neither for certain" not in read(story).shown["en"]
    assert (
        "72 intact, 152 encrypted. Neither for certain: 1." in read(replace(story, steps=steps)).shown["en"]
    )


def test_a_story_without_anything_is_still_a_page(story: Story) -> None:
    empty = replace(story, steps=(), columns=(), hits=(), actor=None)
    assert read(empty).tags["article"] == 2


def test_a_drill_of_hours_has_a_readable_axis(story: Story) -> None:
    steps = tuple(Step(s.chapter, s.began * 400, s.seconds * 400, s.facts) for s in story.steps)
    ticks = re.findall(r'class="tick"[^>]*>(\d+:\d\d)<', page(replace(story, steps=steps)))
    assert 2 * 2 <= len(ticks) <= 2 * 6


def test_the_words_are_the_same_in_both_languages() -> None:
    assert FRENCH.keys() == ENGLISH.keys()
    for key in FRENCH:
        assert fields(FRENCH[key]) == fields(ENGLISH[key]), key
        assert FRENCH[key].count("<strong>") == ENGLISH[key].count("<strong>"), key
    assert all(len(texts["months"].split()) == 12 for texts in (FRENCH, ENGLISH))
    assert {f"c.{chapter}" for chapter in Chapter} <= FRENCH.keys()


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("text", [*FRENCH.values(), *LIMITS.values()])
def test_french_is_set_as_french_is(text: str) -> None:
    plain = re.sub(r"<[^>]+>|\{[^}]*\}|vigie-\S+", "0", text)
    assert not re.search(r"(?<!\u00a0):(?!\d)|(?<!\u202f)[;?!]", plain)
    assert "'" not in plain
    assert not re.search(r"\d,\d{3}|\d\.\d", plain)


def test_all_that_the_guard_cannot_do_is_known_in_french() -> None:
    assert set(FolderEvents.lost) <= LIMITS.keys()


@pytest.mark.parametrize("where", range(3))
def test_colours_are_told_apart_by_everybody(where: int) -> None:
    """WCAG 2.2, success criterion 1.4.3: 4.5 to 1 for text. Light, dark and paper."""
    style = resources.files("vigie.ui.report").joinpath("style.css").read_text("utf-8")
    palettes = re.findall(r":root \{([^}]*)\}", style)
    assert len(palettes) == 3
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", palettes[where]))
    pairs = [(ink, paper) for ink in ("ink", "soft", "accent") for paper in ("paper", "wash", "tint")]
    for ink, paper in [*pairs, ("hit", "hit-tint"), ("hit", "paper")]:
        light, dark = sorted((luminance(colours[ink]), luminance(colours[paper])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_report_is_written_once_and_over_a_former_one(tmp_path: Path, story: Story) -> None:
    path = tmp_path / "drill.html"
    file.write(path, page(story), MARK)
    file.write(path, page(replace(story, identical=0)), MARK)
    assert "Exercice non réussi" in path.read_text("utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_else_is_ever_overwritten(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("x" * 600 + MARK)
    (tmp_path / "folder").mkdir()
    (tmp_path / "report").write_text(MARK)
    (tmp_path / "link").symlink_to("report")
    (tmp_path / "nowhere").symlink_to("missing")
    for name in ("letter", "folder", "link", "nowhere"):
        with pytest.raises(VigieError, match="no report of a drill"):
            file.write(tmp_path / name, "page", MARK)
    assert (tmp_path / "letter").stat().st_size == 600 + len(MARK)


def test_a_report_has_a_folder_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotPermitted, match="does not exist"):
        file.writable(tmp_path / "none" / "drill.html", MARK)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(NotPermitted, match="cannot be written"):
        file.writable(tmp_path / "drill.html", MARK)


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, DiskFull), (errno.EIO, NotPermitted)])
def test_a_report_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[VigieError]
) -> None:
    def full(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(kind):
        file.write(tmp_path / "drill.html", "page", MARK)
    assert list(tmp_path.iterdir()) == []
