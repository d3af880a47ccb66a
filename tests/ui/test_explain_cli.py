import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from vigie.errors import DiskFull, ExitCode, MissingProgram, NotPermitted, Unreadable, VigieError
from vigie.formats.contract import Bytes
from vigie.judge import Explanation, Stretch, examine
from vigie.judge import explain as explained
from vigie.model import Entry, Kind, OpenBlob, Skipped, State, Verdict
from vigie.ui.cli import explain
from vigie.ui.report.strip_words import WORDS

NOISE = random.Random(5).randbytes(20_000)
LETTER = b"La patiente revient pour un controle de sa tension.\n" * 400
STRUCK = NOISE[:4096] + LETTER[4096:]
ENGLISH = WORDS["en"]


def vigie(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vigie", "check", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    place = tmp_path / "letter.txt"
    place.write_bytes(STRUCK)
    return place


def drawn(explanation: Explanation, width: int, path: str = "letter.txt", encoding: str = "utf-8") -> str:
    out = TextIOWrapper(BytesIO(), encoding=encoding)
    console = Console(file=out, width=width, highlight=False)
    explain.show(console, path, explanation, ENGLISH)
    out.seek(0)
    return out.read()


@pytest.mark.parametrize("width", [40, 80, 200, 500])
def test_the_strip_fits_the_terminal_and_reads_without_colour(width: int) -> None:
    text = drawn(explained(examine(Bytes(STRUCK), "letter.bin.txt")), width)
    assert "\x1b" not in text
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    rows = {line.split()[0]: line[12:] for line in lines if line.startswith("  ") and line[2:3].isalpha()}
    columns = min(256, width - 14)
    share = 4096 / len(STRUCK)
    assert rows["Struck"].count("▲") == pytest.approx(columns * share, abs=2)
    assert rows["Struck"].lstrip("▲").strip() == ""
    assert rows["Random"].startswith("█" * int(columns * share - 1))
    assert "Bytes 0 to 4,096: no text could be made out;" in " ".join(text.split())


def test_what_a_healthy_file_expects_has_a_row_of_its_own() -> None:
    text = drawn(explained(examine(Bytes(LETTER), "letter.txt")), 80)
    assert "▁" * 60 in text
    assert "▲" not in text
    assert "intact  letter.txt" in text


def test_an_ascii_terminal_gets_ascii() -> None:
    text = drawn(explained(examine(Bytes(STRUCK), "letter.txt")), 80, encoding="ascii")
    assert text.isascii()
    assert "^^^^" in text
    assert "####" in text


def test_what_was_not_read_and_what_is_broken_shows() -> None:
    stretches = tuple(
        Stretch(n * 10, n * 10 + 10, Kind.OPAQUE, None if n else 0.3, None, struck=False, flawed=n == 3)
        for n in range(4)
    )
    verdict = Verdict(State.DAMAGED, "zip", evidence=tuple(f"reason {n}" for n in range(11)))
    text = drawn(Explanation(40, verdict, stretches, (), (), ()), 80)
    for words in ("Broken", "· not read", "× breaks its format", "█ opaque", "… and 3 more."):
        assert words in text


def test_nothing_to_draw_is_said() -> None:
    assert "An empty file" in drawn(explained(examine(Bytes(b""), "a.txt")), 80)
    gone = Explanation(7, Verdict.skipped("no permission"), (), (), (), ())
    assert "Nothing could be measured" in drawn(gone, 80)
    assert explain.exit_code(gone) is ExitCode.PARTIAL


def test_names_and_evidence_are_never_printed_raw() -> None:
    hostile = "a\x1b[31m\u202e\nintact  b\udce9"
    verdict = Verdict(State.UNKNOWN, evidence=(hostile,))
    text = drawn(Explanation(1, verdict, (), (), (), ()), 80, hostile)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\nintact" not in text
    assert "[31m" in text  # not taken for markup either


def test_the_command_draws_and_ends_as_check_does(letter: Path, tmp_path: Path) -> None:
    picture = tmp_path / "strip.svg"
    done = vigie("--explain", "--lang", "fr", "--picture", str(picture), str(letter))
    assert done.returncode == 1
    assert done.stderr == ""
    assert "chiffré" in done.stdout
    assert "Où regarder" in done.stdout
    assert 'lang="fr"' in picture.read_text("utf-8")
    again = vigie("--explain", "--picture", str(picture), str(letter))
    assert again.returncode == 2
    assert "something stands there already" in again.stderr
    assert "another name" in again.stderr


def test_json_is_one_object_with_all_of_it(letter: Path) -> None:
    done = vigie("--explain", "--json", "--full", str(letter))
    assert done.returncode == 1
    [line] = done.stdout.splitlines()
    row = json.loads(line)
    assert row["path"] == str(letter)
    assert row["size"] == len(STRUCK)
    assert row["verdict"] == "encrypted"
    assert list(row)[-4:] == ["stretches", "regions", "flaws", "notes"]
    assert row["stretches"][0] == {
        "start": 0, "end": len(STRUCK) // 256, "expected": None, "random": 1.0,
        "chi2": pytest.approx(255, abs=100), "struck": True, "flawed": False,
    }  # fmt: skip
    assert row["stretches"][-1]["end"] == len(STRUCK)


@pytest.mark.parametrize(
    "words",
    [
        ("--explain", "FILE", "FILE"),
        ("--explain", "FOLDER"),
        ("--explain", "restic:x"),
        ("--picture", "a.svg", "FILE"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_the_remedy(words: tuple[str, ...], letter: Path) -> None:
    places = {"FILE": str(letter), "FOLDER": str(letter.parent)}
    done = vigie(*(places.get(word, word) for word in words))
    assert done.returncode == 2
    assert "name it alone" in done.stderr or "add --explain" in done.stderr


def test_a_file_that_is_missing_or_no_file(tmp_path: Path) -> None:
    assert vigie("--explain", str(tmp_path / "none")).returncode == 2
    os.mkfifo(tmp_path / "pipe")
    done = vigie("--explain", str(tmp_path / "pipe"))
    assert done.returncode == 3
    assert "skipped" in done.stdout


def test_a_picture_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VigieError, match=r"\.svg or \.png"):
        explain.refuse(str(tmp_path / "a.gif"))
    with pytest.raises(NotPermitted, match="does not exist"):
        explain.refuse(str(tmp_path / "none" / "a.svg"))
    (tmp_path / "link.svg").symlink_to("nowhere")
    with pytest.raises(VigieError, match="already"):
        explain.refuse(str(tmp_path / "link.svg"))
    explain.refuse(str(tmp_path / "a.png"))
    monkeypatch.delitem(sys.modules, "vigie.ui.report.drawing_png", raising=False)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingProgram) as error:
        explain.refuse(str(tmp_path / "a.png"))
    assert ".svg" in error.value.remedy


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explanation = explained(examine(Bytes(STRUCK), "a.txt"))
    picture = tmp_path / "a.png"
    explain.draw(str(picture), "a.txt", explanation, ENGLISH)
    assert picture.read_bytes().startswith(b"\x89PNG")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        with pytest.raises(NotPermitted, match=r"big\.svg"):
            explain.draw(str(tmp_path / "big.svg"), "a.txt", explanation, ENGLISH)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert not (tmp_path / "big.svg").exists()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("builtins.open", full)
    with pytest.raises(DiskFull):
        explain.draw(str(tmp_path / "full.svg"), "a.txt", explanation, ENGLISH)


class _Broken:
    """Workers that are never asked."""

    def explain(self, blob: OpenBlob, name: str) -> Explanation:
        raise AssertionError((blob, name))


def test_one_file_exactly_and_one_that_opens(capsys: pytest.CaptureFixture[str]) -> None:
    workers: Any = _Broken()

    def gone() -> OpenBlob:
        raise Unreadable("no permission")

    assert explain.run(workers, [Entry("a.txt", 3, 0, gone)], "en", None, as_json=True) is ExitCode.PARTIAL
    assert json.loads(capsys.readouterr().out)["evidence"] == ["no permission"]
    for items in ([], [Skipped("a", "b")] * 2):
        with pytest.raises(VigieError, match="one file"):
            explain.run(workers, items, "en", None, as_json=False)
