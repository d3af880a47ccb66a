"""The timeline's page: whole, escaped, bounded, and the same in both languages."""

import os
import re
import stat
import string
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from vigie.errors import Unreadable, VigieError
from vigie.model import Entry, Gone, Likeness, OpenBlob, Skipped, Snapshot, State, Verdict, Version
from vigie.timeline import Attack, Caution, Change, Oddity, Story, Timeline, attack
from vigie.ui.report import file, timeline_zoom
from vigie.ui.report.timeline import MARK, page
from vigie.ui.report.timeline_language import LANGUAGES, dated, figure, size, stamp
from vigie.ui.report.timeline_picture import COLUMNS, FOLDERS, NAMED, picture
from vigie.ui.report.words_timeline import ENGLISH, FRENCH

DAY = 86_400 * 10**9
BEGIN = 1_790_000_000 * 10**9
HOSTILE = "x\"'><script>alert(1)</script>&\u202ecod.exe\udcff\x1b[31m\n.pdf"
VOID = {"wbr", "meta", "input", "br"}
WORDS = {"i": State.INTACT, "e": State.ENCRYPTED, "d": State.DAMAGED, "u": State.UNKNOWN, "r": State.UNKNOWN}
Files = Mapping[str, str]


def closed() -> OpenBlob:
    raise Unreadable("nothing opens a file here")


def verdict(content: str) -> Verdict:
    state = WORDS[content[0]]
    random = 1.0 if content[0] in "er" else 0.0
    likeness = Likeness(state, None, 9, random, b"")
    kind = "pdf" if state is State.INTACT else None
    return Verdict(state, kind, evidence=(f"it is {state.value}",), likeness=likeness)


def tell(
    *moments: Files, paths: tuple[tuple[str, ...], ...] = (), times: Mapping[int, int] | None = None
) -> Timeline:
    """Each moment as a dictionary of path to a letter (`WORDS`, or s for skipped) and its content."""
    story = Story()
    before: dict[tuple[str, ...], Files] = {}
    for number, files in enumerate(moments):
        tops = paths[number] if paths else ()
        time_ns = (times or {}).get(number, BEGIN + number * DAY)
        at = Snapshot(f"{number:08x}{'0' * 56}", time_ns, "srv", tops)
        was = before.get(tops, {})
        gone = [path for path in was if path not in files and was[path][0] != "s"] if files is not was else []
        changes: list[Change] = [Gone(path) for path in gone]
        for path, content in files.items() if files is not was else ():
            if content[0] == "s":
                changes.append((Skipped(path, "no permission"), Verdict.skipped("no permission")))
            elif was.get(path) != content:
                entry = Entry(path, 12_345, time_ns - 3600 * 10**9, closed)
                changes.append((Version(at, entry, content), verdict(content)))
        story.add(at, changes)
        before[tops] = files
    return story.end()


def html_of(timeline: Timeline, *cautions: Caution, source: str = "restic:/srv/backup") -> str:
    return page(timeline, attack(timeline), cautions, source=source, made_ns=BEGIN)


class Reader(HTMLParser):
    """Walks the page: every tag is closed in turn, and what is shown is gathered by language."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, str]] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.shown = {"fr": "", "en": "", "": ""}
        self.feed(html)
        self.close()
        assert self.open == []

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
            inside = [language for _, language in self.open[1:] if language]
            self.shown[inside[-1] if inside else ""] += data


CALM: Files = {f"/srv/{folder}/{n}.pdf": f"i{folder}{n}" for folder in ("bio", "letters") for n in range(4)}


def struck() -> Iterator[Files]:
    """Two calm days, then half of a folder, then the rest of it; a note comes along."""
    yield CALM
    yield {**CALM, "/srv/letters/new.pdf": "inew"}
    half: dict[str, str] = {**CALM, "/srv/letters/new.pdf": "inew", "/srv/bio/odd.bin": "u1"}
    for n in range(2):
        del half[f"/srv/bio/{n}.pdf"]
        half[f"/srv/bio/{n}.pdf.locked"] = f"e{n}"
    yield half
    yield {**half, "/srv/bio/2.pdf": "e2", "/srv/bio/3.pdf": "d3"}


@pytest.fixture
def hit() -> Timeline:
    return tell(*struck())


def test_the_page_is_whole_and_loads_nothing(hit: Timeline) -> None:
    html = html_of(hit)
    reader = Reader(html)
    policy = [value for tag, key, value in reader.attributes if (tag, key) == ("meta", "content")]
    assert "default-src 'none'; style-src 'unsafe-inline'" in policy
    assert html.startswith(f"<!DOCTYPE html>\n{MARK}\n")
    assert not reader.tags.keys() & {"script", "link", "img", "iframe", "object", "form", "a"}
    assert not {key for _, key, _ in reader.attributes} & {"src", "href", "action", "onload", "onclick"}
    assert not re.search(r"https?:|//\w|@import|url\(", html)
    ids = [value for _, key, value in reader.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    for _, key, value in reader.attributes:
        if key in ("aria-labelledby", "for"):
            assert set(value.split()) <= set(ids)


def test_the_onset_is_one_sentence(hit: Timeline) -> None:
    shown = Reader(html_of(hit)).shown
    french, english = LANGUAGES
    early, late = hit.rows[1].snapshot.time_ns, hit.rows[2].snapshot.time_ns
    assert (
        f"Elle a commencé entre le {dated(french, early)} (sauvegarde 00000001, saine) et le "
        f"{dated(french, late)} (sauvegarde 00000002, touchée)."
    ) in shown["fr"]
    assert f"It began between {dated(english, early)} (backup 00000001, clean) and" in shown["en"]
    assert "by its time stamp: /srv/bio/0.pdf.locked, on" in shown["en"]
    assert "vigie recover restic:/srv/backup --plan" in shown["en"]
    assert ".locked" in shown["fr"]


def test_the_picture_counts_what_is_encrypted_of_what_is_present(hit: Timeline) -> None:
    image = picture(hit)
    rows = {folder.path: folder for folder in image.folders}
    assert image.columns == (0, 1, 2, 3)
    assert image.onset == 2
    assert [folder.path for folder in image.folders] == ["/srv/bio", "/srv/letters"]
    assert [cell and cell[:2] for cell in rows["/srv/bio"].cells] == [(4, 0), (4, 0), (5, 2), (5, 3)]
    assert [cell and cell[:2] for cell in rows["/srv/letters"].cells] == [(4, 0), (5, 0), (5, 0), (5, 0)]
    assert (rows["/srv/bio"].hit, rows["/srv/bio"].files) == (4, 5)
    assert rows["/srv/letters"].hit == 0


def test_a_folder_opens_to_its_files_and_these_to_their_versions(hit: Timeline) -> None:
    html = html_of(hit)
    folder = html[html.index('<details><summary class="row">') :]
    assert "80\u202f%" in folder
    strip = re.search(r'<path class="h" d="([^"]*)"', folder)
    assert strip
    assert strip[1] == "M2 12H3V20H2zM3 8H4V20H3z"  # 2 of 5, then 3 of 5, of 20 in height
    shown = Reader(html).shown
    for words in ("0.pdf", "0.pdf.locked", "it is encrypted", "it is damaged", "12\u00a0kB"):
        assert words in "".join(shown.values())
    assert stamp(hit.rows[1].snapshot.time_ns) in folder  # the last clean one of 0.pdf
    assert "jamais touchés" in shown["fr"].lower()
    assert "/srv/letters" in shown["en"]


def test_unread_is_not_clean() -> None:
    files = {**CALM, "/srv/bio/0.pdf": "s"}
    unread = tell(CALM, files, CALM, files)
    row = next(folder for folder in picture(unread).folders if folder.path == "/srv/bio")
    assert [cell and (cell.files, cell.unread) for cell in row.cells] == [(4, 0), (3, 1), (4, 0), (3, 1)]
    shown = Reader(html_of(unread)).shown
    assert "but 2 backups could not be read in full" in shown["en"]
    assert "mais 2 sauvegardes n’ont pas pu" in shown["fr"]
    assert "An attack is visible" not in shown["en"]
    assert 'class="q"' in html_of(unread).partition('class="picture"')[2]


def test_a_folder_that_cannot_be_read_is_in_its_own_row() -> None:
    timeline = tell(CALM, {**CALM, "/srv/locked": "s"})
    row = next(folder for folder in picture(timeline).folders if folder.path == "/srv/locked")
    assert [cell and tuple(cell) for cell in row.cells] == [(0, 0, 0), (0, 0, 1)]


@pytest.mark.parametrize(
    ("moments", "english"),
    [
        ([CALM, CALM], "Nothing is encrypted in any backup."),
        ([CALM, {**CALM, "/srv/bio/9": "s"}], "but 1 backup could not be read in full"),
        ([{"/srv/a.pdf": "e1", "/srv/b.pdf": "i1"}], "is hit already: it began before"),
        (
            [{**CALM, "/srv/x": "s"}, {**CALM, "/srv/bio/0.pdf": "e0", "/srv/x": "s"}],
            "what is older could not",
        ),
    ],
)
def test_the_sentence_is_honest(moments: list[Files], english: str) -> None:
    shown = Reader(html_of(tell(*moments))).shown
    assert english in shown["en"]
    assert ("vigie recover" in shown["en"]) == ("Nothing" not in english and "1 backup" not in english)


def test_what_vanished_unseen_is_said_to_be_so() -> None:
    many = {f"/srv/bio/{n}.pdf": f"i{n}" for n in range(8)}
    timeline = tell(many, {"/srv/bio/7.pdf": "e7"})
    assert picture(timeline).unsure == 7
    shown = Reader(html_of(timeline)).shown
    assert "not seen encrypted" in shown["en"]
    assert "pas vu chiffré" in shown["fr"]
    assert "disparu" in shown["fr"]


def test_random_names_count_as_encrypted() -> None:
    files = {f"/srv/bio/{n}.pdf": f"i{n}" for n in range(5)}
    timeline = tell(files, {f"/srv/bio/{n}": f"r{n}" for n in range(5)})
    row = picture(timeline).folders[0]
    assert [cell and cell[:2] for cell in row.cells] == [(5, 0), (5, 5)]


def test_snapshots_of_other_folders_have_no_cell() -> None:
    files = {"/a/1.pdf": "i1"}, {"/b/1.pdf": "i1"}, {"/a/1.pdf": "e1"}
    timeline = tell(*files, paths=(("/a",), ("/b",), ("/a",)))
    rows = {folder.path: folder.cells for folder in picture(timeline).folders}
    assert [cell is None for cell in rows["/a"]] == [False, True, False]
    assert [cell is None for cell in rows["/b"]] == [True, False, True]
    assert Reader(html_of(timeline)).tags["details"]


def test_cautions_come_before_the_picture(hit: Timeline) -> None:
    all_of_them = tuple(row.snapshot for row in hit.rows) * 3
    cautions = [Caution(oddity, all_of_them[:3], 7) for oddity in Oddity]
    html = html_of(
        hit, *cautions, Caution(Oddity.BURST, all_of_them), Caution(Oddity.TINY, all_of_them[:1], 1)
    )
    shown = Reader(html).shown
    assert html.index("Before you delete any backup") < html.index('class="picture"')
    assert "3 dated in the future" in shown["en"]
    assert "12 backups within an hour" in shown["en"]
    assert "and 7 more" in shown["en"]
    assert "1 fichier seulement" in shown["fr"]
    assert "effaceraient la dernière version saine de 7 documents" in shown["fr"]
    assert 'class="warning"' not in html_of(hit)
    assert "and 13 more" in Reader(html_of(hit, *cautions[:1] * 33)).shown["en"]


def test_waves_notes_and_oddities_are_listed() -> None:
    note = {f"/srv/{n}/READ_ME.txt": "inote" for n in range(4)}
    first = {**CALM, "/srv/bio/0.pdf": "e0", **note}
    moments = [CALM, first, {**first, "/srv/bio/8": "i"}, {**first, "/srv/bio/1.pdf": "e1"}]
    timeline = tell(*moments, times={2: BEGIN})
    shown = Reader(html_of(timeline)).shown
    assert "READ_ME.txt" in shown["en"]
    assert "Open no link in it" in shown["en"]
    assert "a few at a time" in shown["en"]
    assert "Nothing was added to the names" in shown["en"]
    assert "dated no later than" in shown["en"]
    assert len(attack(timeline).waves) == 2
    begin = Reader(html_of(tell({"/a.pdf": "e1"}, {"/a.pdf": "e1"}))).shown
    assert "since the first backup" in begin["en"]


def test_many_oddities_are_counted() -> None:
    moments = [{**CALM, "/srv/n": f"i{n}"} for n in range(30)]
    shown = Reader(html_of(tell(*moments, times=dict.fromkeys(range(30), BEGIN)))).shown
    assert "and 9 more" in shown["en"]
    assert "et 9 de plus" in shown["fr"]


def test_whatever_comes_from_a_backup_is_escaped() -> None:
    path = f"/srv/{HOSTILE}/{HOSTILE}"
    note = {f"/srv/{HOSTILE}{n}/{HOSTILE}": "inote" for n in range(4)}
    timeline = tell({path: "i1"}, {f"{path}.{HOSTILE}": "e1", **note})
    html = html_of(timeline, source=f"restic:{HOSTILE}")
    reader = Reader(html)
    assert reader.tags["script"] == 0
    assert "<script" not in html
    assert html.encode()
    for raw in ("\u202e", "\x1b", "\udcff"):
        assert raw not in html
    assert "<script>alert(1)</script>" in reader.shown["en"]


_NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=12)
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join)
_MOMENTS = st.lists(
    st.dictionaries(_PATHS, st.sampled_from(("i1", "i2", "e1", "e2", "d1", "u1", "r1", "s")), max_size=6),
    min_size=1,
    max_size=5,
)


@limits(max_examples=50, deadline=None)
@given(_MOMENTS, st.lists(st.integers(-(10**40), 10**40), min_size=5, max_size=5))
def test_any_backup_makes_a_page(moments: list[dict[str, str]], times: list[int]) -> None:
    timeline = tell(*moments, times=dict(enumerate(times)))
    Reader(html_of(timeline))
    for folder in picture(timeline).folders:
        for cell in filter(None, folder.cells):
            assert 0 <= cell.encrypted <= cell.files
            assert cell.unread >= 0


def test_no_backup_at_all_is_still_a_page() -> None:
    assert "Nothing is encrypted" in Reader(html_of(Story().end())).shown["en"]


def big(folders: int, files: int, snapshots: int) -> Timeline:
    """Every file of the first half encrypted in the last snapshot but one."""
    first = {
        f"/srv/{n % 7}/folder{n:04}/{m:03}{'x' * 60}.pdf": "i" for n in range(folders) for m in range(files)
    }
    hit = {
        f"{path}.lock" if at < len(first) // 2 else path: "e" if at < len(first) // 2 else "i"
        for at, path in enumerate(first)
    }
    return tell(*[first] * (snapshots - 2), hit, hit)


def test_the_page_is_bounded() -> None:
    timeline = big(1000, 20, 70)
    struck = attack(timeline)
    started = time.process_time()
    html = page(timeline, struck, (), source="vault", made_ns=BEGIN)
    assert time.process_time() - started < 4
    assert len(html.encode()) < 3_000_000
    image = picture(timeline)
    assert len(image.columns) <= COLUMNS
    assert {67, 68, 69} <= set(image.columns)
    assert 1 < len(image.folders) <= FOLDERS
    assert sum(folder.hit for folder in image.folders) == 10_000
    assert sum(folder.files for folder in image.folders) == 20_000
    assert max(len(folder.named) for folder in image.folders) == NAMED
    newest = [folder.cells[-1] for folder in image.folders]
    assert sum(cell.encrypted for cell in newest if cell) == 10_000
    assert f"{len(image.columns)} of 70 backups are drawn" in html
    assert f"folders in {len(image.folders)} rows" in html
    assert "more that were hit and are not named here" in html


def test_names_of_any_length_cannot_make_it_large() -> None:
    deep = "/".join(["'" * 200] * 60)
    files = {f"{deep}/{n}{'&' * 4000}{n}": f"i{n}" for n in range(200)}
    html = html_of(tell(files, dict.fromkeys(files, "e")))
    assert len(html.encode()) < 3_000_000
    assert "…" in html


def test_files_for_which_there_is_no_room_are_counted(monkeypatch: pytest.MonkeyPatch, hit: Timeline) -> None:
    monkeypatch.setattr(timeline_zoom, "ROOM", 5000)
    html = html_of(hit)
    more = re.search(r"named here:</span> (\d)</p>", html)
    assert more
    assert 0 < int(more[1]) < 4
    assert html.count('<table class="versions">') == 4 - int(more[1])


def test_folders_within_folders_are_merged_from_below() -> None:
    files = {f"/srv/{n:02}/{sub}{m}/x.pdf": "i" for n in range(30) for m in range(3) for sub in ("", "a/b")}
    image = picture(tell(files))
    assert len(image.folders) <= FOLDERS
    assert sum(folder.files for folder in image.folders) == len(files)
    assert "/srv" not in {folder.path for folder in image.folders}


def test_a_few_folders_too_many_give_up_the_smallest() -> None:
    files = {f"/srv/{n:02}/{m}.pdf": "i" for n in range(60) for m in range(n + 1)}
    image = picture(tell(files, {**files, "/srv/59/0.pdf": "e"}))
    assert len(image.folders) == FOLDERS
    assert image.folders[0].path == "/srv/59"
    above = next(folder for folder in image.folders if folder.path == "/srv")
    assert (above.merged, above.files) == (21, sum(range(1, 22)))


def test_more_versions_than_are_listed_are_counted() -> None:
    days = [{"/srv/a.pdf": f"i{n}", "/b.pdf": "i"} for n in range(12)]
    html = html_of(tell(*days, {"/srv/a.pdf": "e", "/b.pdf": "i"}))
    assert re.search(r"older versions, not shown:</span> 5</p>", html)
    assert 'class="numbers"' not in html  # too narrow for figures


def test_a_handful_is_not_rounded_away() -> None:
    files = {f"/srv/a/{n}.pdf": "i" for n in range(500)}
    html = html_of(tell(files, {**files, "/srv/a/1.pdf": "e"}))
    assert "<i>&lt;1</i>" in html
    almost = {path: "e" for path in files if path != "/srv/a/0.pdf"}
    assert "<i>99</i>" in html_of(tell(files, {**files, **almost}))


def test_words_are_the_same_in_both_languages() -> None:
    assert FRENCH.keys() == ENGLISH.keys()
    for key in FRENCH:
        fields = [
            {name for _, name, _, _ in string.Formatter().parse(words[key]) if name}
            for words in (FRENCH, ENGLISH)
        ]
        assert fields[0] == fields[1] or (key.endswith(".one") and fields[0] ^ fields[1] == {"n"}), key
        assert FRENCH[key].count("<code>") == ENGLISH[key].count("<code>"), key
    assert {f"o.{oddity}.many" for oddity in Oddity} <= FRENCH.keys()
    assert {f"s.{state}" for state in State} <= FRENCH.keys()


@pytest.mark.parametrize("words", FRENCH.values())
def test_french_is_set_as_french_is(words: str) -> None:
    plain = re.sub(r"<[^>]+>|\{[^}]*\}", "0", words)
    assert not re.search(r"(?<!\u00a0):|(?<!\u202f)[;?!]", plain)
    assert "'" not in plain


def test_every_word_is_used() -> None:
    folder = resources.files("vigie.ui.report")
    code = "".join(
        item.read_text("utf-8")
        for item in folder.iterdir()
        if item.name.startswith("timeline") and item.name.endswith(".py")
    )
    made = ("h.", "f.", "o.", "s.", "limits.", "k.")
    for key in FRENCH:
        name = key.removesuffix(".one").removesuffix(".many")
        assert name.startswith(made) or f'"{name}"' in code or f"'{name}'" in code, key


def test_figures_that_both_languages_can_read() -> None:
    assert figure(1_234_567) == "1\u202f234\u202f567"
    assert [size(count) for count in (0, 999, 999_600, 5 * 10**15)] == [
        "0\u00a0B",
        "999\u00a0B",
        "1\u00a0MB",
        "5000\u00a0TB",
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", stamp(10**40))


def test_colours_are_told_apart_by_everybody() -> None:
    """WCAG 2.2, success criterion 1.4.11: 3 to 1 between what is encrypted and what is not."""
    names = ("style.css", "timeline.css")
    plain, more = (resources.files("vigie.ui.report").joinpath(name).read_text("utf-8") for name in names)
    hits = re.findall(r"--hit: (#[0-9a-f]{6})", plain)
    cells = re.findall(r"--cell: (#[0-9a-f]{6})", more)
    assert len(hits) == len(cells) == 3
    for hit, cell in zip(hits, cells, strict=True):
        dark, light = sorted((luminance(hit), luminance(cell)))
        assert (light + 0.05) / (dark + 0.05) >= 3, (hit, cell)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_report_is_for_its_owner_only(tmp_path: Path, hit: Timeline) -> None:
    before = os.umask(0)
    try:
        place = tmp_path / "timeline.html"
        for _ in range(2):
            file.write(place, html_of(hit), MARK, of="a timeline", private=True)
            assert stat.S_IMODE(place.stat().st_mode) == 0o600
    finally:
        os.umask(before)
    (tmp_path / "letter").write_text("a letter")
    with pytest.raises(VigieError, match="no report of a timeline"):
        file.writable(tmp_path / "letter", MARK, of="a timeline")


def test_an_attack_without_anything_is_said_so(hit: Timeline) -> None:
    nothing = Attack((), (), (), 3)
    shown = Reader(page(hit, nothing, (), source="vault", made_ns=0)).shown
    assert "No backup shows newly encrypted files." in shown["en"]
    assert "No such file appeared" in shown["en"]


def test_snapshots_named_by_dates_are_told_apart() -> None:
    days = [Snapshot(f"2026-11-0{n}", BEGIN + n * DAY, paths=("/",)) for n in (1, 2)]
    story = Story()
    for at, content in zip(days, ("i1", "e2"), strict=True):
        entry = Entry("/srv/a.pdf", 12_345, at.time_ns, closed)
        story.add(at, [(Version(at, entry, content), verdict(content))])
    shown = Reader(html_of(story.end())).shown
    assert "(backup 2026-11-01, clean)" in shown["en"]
    assert "(sauvegarde 2026-11-02, touchée)" in shown["fr"]


def test_what_came_under_random_names_is_drawn_as_encrypted() -> None:
    """Nothing says so of its bytes; that it came as a document of its size went does. One was never saved."""
    struck = {path: content for path, content in CALM.items() if not path.startswith("/srv/bio")}
    gone = sorted(CALM.keys() - struck.keys())
    struck |= {f"/srv/bio/{n:016x}": "u" for n in range(len(gone))}
    image = picture(tell(CALM, {**struck, "/srv/new/x.pdf.locked": "e"}))
    rows = {folder.path: folder for folder in image.folders}
    assert [cell and cell.encrypted for cell in rows["/srv/bio"].cells] == [0, len(gone)]
    assert (rows["/srv/bio"].hit, rows["/srv/bio"].files) == (len(gone), len(gone))
    assert (rows["/srv/new"].hit, rows["/srv/new"].files) == (1, 1)
    assert image.unsure == 0
