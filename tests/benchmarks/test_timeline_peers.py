import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console


@pytest.fixture
def truth(bench: Any) -> Any:
    return bench.ledger.Truth("/share", 1, [f"{n:08x}" for n in range(60)], list(range(60)))


@pytest.fixture
def timed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands are noted, not run: a restore takes 40 s, everything else 10."""
    seen: list[list[str]] = []

    def measured(command: list[str], _out: Path, **_: object) -> Any:
        seen.append(list(command))
        if "restore" in command:
            Path(command[command.index("--target") + 1]).mkdir()
        return bench.bill.Bill(40.0 if "restore" in command else 10.0, 0.0, 0, 0)

    monkeypatch.setattr(bench.rivals, "measured", measured)
    return seen


def found(bench: Any, truth: Any, work: Path) -> dict[str, Any]:
    built = bench.building.Built(work)
    return {one.name: one for one in bench.rivals.rivals(built, truth, work, lambda _: None)}


def test_samples_are_multiplied(bench: Any, truth: Any, timed: list[list[str]], tmp_path: Path) -> None:
    ways = found(bench, truth, tmp_path)
    assert ways["restic restore of each snapshot"].seconds == 60 * 40
    assert ways["restore and check, each snapshot"].seconds == 60 * 50
    assert ways["restore and check, by halves"].seconds == 6 * 50
    assert ways["restic diff between neighbours"].seconds == 59 * 10
    assert ways["restic check --read-data"].seconds == 10
    restored = [words[words.index("restore") + 1] for words in timed if "restore" in words]
    assert restored == [truth.snapshots[0], truth.snapshots[30], truth.snapshots[59]]
    assert not (tmp_path / "restored").exists()


def test_no_further_sample_is_begun_when_patience_ends(
    bench: Any, truth: Any, timed: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.rivals, "PATIENCE", 15.0)
    ways = found(bench, truth, tmp_path)
    assert ways["restic restore of each snapshot"].measured == 1
    assert ways["restic diff between neighbours"].measured == 2
    assert sum("restore" in words for words in timed) == 1


@pytest.mark.usefixtures("timed")
@pytest.mark.parametrize(
    ("error", "note"),
    [
        (subprocess.CalledProcessError(1, "restic"), "failed: exit code 1"),
        (subprocess.TimeoutExpired("restic", 600), "ended after 600 s: at least"),
    ],
)
def test_a_check_that_fails_or_takes_too_long_says_so(
    bench: Any, truth: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, note: str
) -> None:
    measured = bench.rivals.measured

    def failing(command: list[str], out: Path, **more: object) -> Any:
        if "--read-data" in command:
            raise error
        return measured(command, out, **more)

    monkeypatch.setattr(bench.rivals, "measured", failing)
    way = found(bench, truth, tmp_path)["restic check --read-data"]
    assert (way.measured, way.note) == (0, note)


def test_a_command_has_its_limit(bench: Any, tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        bench.bill.measured(
            [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "said", limit=0.2
        )


def test_figures_are_told_as_a_table_and_as_json(bench: Any) -> None:
    bill = bench.bill.Bill(2.0, 3.0, 1 << 30, 1)
    marks = bench.marks.Marks(onset_right=True)
    marks.clean.update(right=999, missed=1)
    trial = bench.trial.Trial("life-5x5", 5, 5, 1000, marks, bill, {"read": 7}, detailed=True, plan=bill)
    trial.rivals = (bench.rivals.Rival("restore", 3, 60, 40.0, "sampled"),)
    trial.further = bill, bill
    told = json.loads(bench.figures.line(trial))
    assert told["last_clean"] == {"right": 999, "missed": 1}
    assert told["right"] == 0.999
    assert told["timeline"] == {"seconds": 2.0, "processor": 3.0, "mib": 1024.0}
    assert told["peers"][0]["seconds"] == 2400
    assert "reads" not in told
    out = Console(record=True, width=200)
    bench.showing.show(trial, out)
    text = out.export_text()
    assert "1,200.0×" in text
    assert "sampled" in text


def test_only_what_is_known_can_be_asked_for(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["--parts", "plan,other"], ["--build"], ["--source", "tape"], ["--sizes", "huge"]):
        monkeypatch.setattr(sys, "argv", ["timeline", *words])
        with pytest.raises(SystemExit, match="2"):
            bench.command.main()
