"""What `vigie timeline` tells people, sentence by sentence, of stories that no repository is needed for."""

import pytest
from rich.console import Console

from vigie.errors import Unreadable
from vigie.model import Entry, OpenBlob, Skipped, Snapshot, State, Verdict, Version
from vigie.timeline import Caution, Change, Oddity, Story, Timeline, affected, attack, plan
from vigie.ui.cli import timeline_tale as tale
from vigie.ui.cli.timeline_record import Findings
from vigie.vault import Effort

STATES = {"i": State.INTACT, "e": State.ENCRYPTED, "d": State.DAMAGED, "r": State.UNKNOWN}


def closed() -> OpenBlob:
    raise Unreadable("nothing is opened here")


def tell(*moments: dict[str, str], step: int = 10**15, name: str = "2026-11-{:02}") -> Timeline:
    """Each moment as a dictionary of path to what it is; the first letter counts."""
    story = Story()
    for number, files in enumerate(moments):
        at = Snapshot(name.format(number + 1), 10**18 + number * step)
        changes: list[Change] = []
        for path, content in files.items():
            if content == "s":
                changes.append((Skipped(path, "no permission"), Verdict.skipped("no permission")))
            else:
                entry = Entry(path, 100, at.time_ns - 1, closed)
                changes.append((Version(at, entry, content), Verdict(STATES[content[0]])))
        story.add(at, changes)
    return story.end()


def told(
    timeline: Timeline,
    capsys: pytest.CaptureFixture[str],
    cautions: tuple[Caution, ...] = (),
    damage: tuple[Skipped, ...] = (),
    width: int = 150,
) -> str:
    found = Findings(timeline, attack(timeline), cautions, len(plan(timeline).lost), Effort(), damage)
    tale.show(Console(width=width), found, "snapshots:/srv")
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("moments", "sentence"),
    [
        (({"/a": "i"}, {}), "Nothing is encrypted in any snapshot."),
        (({"/a": "i"}, {"/a": "s"}), "Nothing that could be read is encrypted, but 1 snapshot could not be"),
        (
            ({"/a": "i", "/b": "i"}, {"/a": "e"}),
            "(2026-11-01, clean) and 2001-09-20T15:33:20+00:00 (2026-11-02",
        ),
        (({"/a": "e"},), "(2026-11-01), is hit already: it began before."),
        (({"/a": "i", "/b": "s"}, {"/a": "e"}), "(2026-11-02) on; what is older could not be read in full."),
    ],
)
def test_when_it_began(
    moments: tuple[dict[str, str], ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in told(tell(*moments), capsys)


def test_what_came_encrypted_is_not_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(tell({"/a": "i", "/old": "e"}, {"/a": "e"}), capsys)
    assert "clean) and" in out
    assert "1 file in the former came encrypted" in out


def test_snapshots_are_told_apart_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    """Folders of days begin alike: eight characters of them are no name."""
    table = told(tell({"/a": "i"}, {"/a": "e"}, {"/b": "s"}), capsys).splitlines()
    assert [line.split()[0] for line in table[1:4]] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    for line, end in zip(table[1:4], ("clean", "hit", "not read"), strict=True):
        assert line.rstrip().endswith(end)


def test_a_long_name_gives_way_and_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    timeline = tell({"/a": "i"}, {"/a": "e"}, name="home_2026-11-{:02}_22-00-00")
    head, *rows = told(timeline, capsys, width=80).splitlines()[:5]
    assert "encrypted suspect" in head
    assert all(len(line) <= 80 for line in rows)
    assert rows[0].partition(" ")[0] + rows[1].strip() == "home_2026-11-01_22-00-00"
    assert rows[2].partition(" ")[0] + rows[3].strip() == "home_2026-11-02_22-00-00"


def test_two_waves_and_what_they_left(capsys: pytest.CaptureFixture[str]) -> None:
    notes = {f"/{n}/LISEZ.txt": "i-note" for n in range(3)}
    out = told(tell({"/a": "i", "/b": "i"}, {"/a": "e", **notes}, {}, {"/b": "e"}), capsys)
    assert "wave 1: 1 file in 1 folders, 2026-11-02, a few at a time; first by its time stamp: /a, " in out
    assert "wave 2: 1 file in 1 folders, 2026-11-04" in out
    assert "left behind: LISEZ.txt in 3 folders (/0/LISEZ.txt)" in out
    assert "Bring them back: vigie recover snapshots:/srv --to DIR" in out


def test_odd_clocks_damage_and_cautions(capsys: pytest.CaptureFixture[str]) -> None:
    timeline = tell({"/a": "i"}, {}, step=0)
    many = tuple(Snapshot(f"{n:064x}", n) for n in range(7))
    cautions = tuple(Caution(oddity, many, 3) for oddity in Oddity)
    out = told(timeline, capsys, cautions, (Skipped("data/ab", "a pack is missing"),))
    assert "note: snapshot 2026-11-02 is dated no later than 2026-11-01" in out
    assert out.count("before you forget any snapshot: 00000000, 00000000") == len(Oddity)
    assert "and 2 more would go, with the last clean version of 3 documents" in out
    assert "the source itself: data/ab: a pack is missing" in out


@pytest.mark.parametrize(
    ("moments", "line"),
    [
        (({"/a": "i"}, {"/a": "e"}), "/a: hit in 2026-11-02, clean in 2026-11-01"),
        (({"/a": "e"},), "/a: hit in 2026-11-01, no clean version"),
        (({"/a": "i"}, {"/a": "d"}), "/a: hit in 2026-11-02, clean in 2026-11-01 (not seen encrypted)"),
    ],
)
def test_a_document_in_one_line(moments: tuple[dict[str, str], ...], line: str) -> None:
    assert [tale.line(item) for item in affected(tell(*moments))] == [line]
