import io
import json
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import docx
import pytest
from rich.console import Console

from vigie.drill.playground import NotAPlayground
from vigie.formats.contract import Bytes
from vigie.judge import examine
from vigie.model import State, Version
from vigie.sources.restic import ResticSource

FILES, SNAPSHOTS = 300, 6


@pytest.fixture(scope="module")
def kinds(bench: Any) -> Any:
    return bench.stock.Stock(1, each=1)


@pytest.fixture(scope="module")
def built(
    bench: Any, tmp_path_factory: pytest.TempPathFactory, quick_key: Callable[[Path, str], None]
) -> tuple[Any, Any]:
    """A small repository, and its truth."""
    made = bench.building.build(
        tmp_path_factory.mktemp("timeline") / "built",
        files=FILES,
        snapshots=SNAPSHOTS,
        seed=5,
        said=lambda _: None,
        each=1,
        made=quick_key,
    )
    return made, bench.ledger.load(made.truth)


def hit(truth: Any) -> list[Any]:
    return [one for one in truth.documents if one.hit is not None]


def test_what_every_kind_makes_is_healthy_and_like_no_other(bench: Any, kinds: Any) -> None:
    dice = Random(2)
    for kind in bench.stock.KINDS:
        if "large" in kind.name or "scanned" in kind.name:
            continue
        files = [kind.make(kinds, dice) for _ in range(3)]
        assert len(set(files)) == 3, kind.name
        for data in (*files, kinds.edited(kind, files[0], dice)):
            assert examine(Bytes(data), f"a.{kind.ending}").verdict.state is State.INTACT, kind.name


def test_transcoding_and_compacting_leave_healthy_files(bench: Any, kinds: Any) -> None:
    dice = Random(3)
    native = kinds.by_name["dicom, native"].make(kinds, dice)
    syntaxes = set()
    for _ in range(8):
        data = bench.stock.transcoded(native, dice)
        syntaxes.add(data[:1000].partition(b"1.2.840.10008.1.2.4.")[2][:2])
        assert examine(Bytes(data), "a.dcm").verdict.state is State.INTACT
    assert syntaxes == {b"90", b"50"}
    database = kinds.by_name["sqlite"].make(kinds, dice)
    compacted = bench.life.vacuumed(database)
    assert len(compacted) < len(database)
    assert examine(Bytes(compacted), "a.sqlite").verdict.state is State.INTACT


def test_an_office_file_still_opens(kinds: Any) -> None:
    data = kinds.by_name["docx"].make(kinds, Random(4))
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert package.testzip() is None
    assert docx.Document(io.BytesIO(data)).paragraphs[0].text.startswith("dossier ")


def test_the_truth_is_what_the_repository_holds(bench: Any, built: tuple[Any, Any]) -> None:
    made, truth = built
    with ResticSource(str(made.repository), bench.building.PASSWORD) as source:
        snapshots = sorted(source.snapshots(), key=lambda one: one.time_ns)
        assert [one.id for one in snapshots] == truth.snapshots
        assert [one.time_ns // 10**9 for one in snapshots] == truth.times
        for number, snapshot in enumerate(snapshots):
            versions = [one for one in source.versions(snapshot) if isinstance(one, Version)]
            found = {truth.inside(one.entry.path): one for one in versions}
            expected = {one.path: one.digest for d in truth.documents if (one := d.at(number))}
            assert set(found) - set(truth.notes) == set(expected)
            for path in sorted(expected)[:: 1 if number == SNAPSHOTS - 1 else 50]:
                data = b"".join(source.read(found[path]))
                assert bench.ledger.digest(data) == expected[path], path


def test_the_attack_has_three_parts_and_mixed_ways(bench: Any, built: tuple[Any, Any]) -> None:
    _, truth = built
    plan = bench.raid.planned(SNAPSHOTS)
    assert [name for name, *_ in truth.waves] == ["slow burn", "first night", "second night"]
    assert [number for _, number, _ in truth.waves] == [plan.burn.start, plan.first, plan.second]
    assert truth.onset == plan.burn.start
    assert {one.way for one in hit(truth)} == set(bench.raid.WAYS)
    assert {one.pattern for one in hit(truth)} == {pattern.name for pattern in bench.raid.CHOSEN}
    assert {one.way for one in hit(truth) if one.hit == truth.onset} == {"in place"}
    assert 0.2 * FILES < len(hit(truth)) < 0.5 * FILES
    assert truth.notes
    assert truth.times[truth.onset - 1] < truth.began < truth.times[truth.onset]


def test_attacks_are_planned_for_every_length(bench: Any) -> None:
    assert bench.raid.planned(60) == bench.raid.Plan(range(45, 52), 52, 55)
    for snapshots in range(5, 100):
        plan = bench.raid.planned(snapshots)
        assert 0 < plan.burn.start < plan.burn.stop == plan.first < plan.second < snapshots
    with pytest.raises(ValueError, match="five"):
        bench.raid.planned(4)


def test_the_share_is_gone_after_building(built: tuple[Any, Any]) -> None:
    made, truth = built
    assert not Path(truth.root).exists()
    assert sorted(one.name for one in made.place.iterdir()) == ["repository", "truth.jsonl"]


def test_nothing_but_files_of_this_run_is_written(bench: Any, tmp_path: Path) -> None:
    share = bench.share.Share(tmp_path)
    try:
        with share.entered():
            one, other, third = (share.add(f"a/{n}.txt", "text", b"healthy", 10**18) for n in range(3))
            (share.folder / "a" / "0.txt").write_bytes(b"somebody else's")
            precious = tmp_path / "precious"
            precious.write_bytes(b"precious")
            (share.folder / "a" / "1.txt").unlink()
            (share.folder / "a" / "1.txt").symlink_to(precious)
            for changed, error in ((one, NotAPlayground), (other, OSError)):
                with pytest.raises(error):
                    share.write(changed, b"struck", 10**18, "hit")
            with pytest.raises(FileExistsError):
                share.rename(third, "a/0.txt")
            with pytest.raises(ValueError, match="inside"):
                share.place("../precious", b"struck", 10**18)
            share.write(third, b"struck", 10**18, "hit")
        assert (share.folder / "a" / "0.txt").read_bytes() == b"somebody else's"
        assert precious.read_bytes() == b"precious"
        assert (share.folder / "a" / "2.txt").read_bytes() == b"struck"
    finally:
        share.remove()


def test_a_day_is_seen_as_its_backup_sees_it(bench: Any) -> None:
    content = bench.ledger.Content
    document = bench.ledger.Document("text", [content(0, "a", "1", 1, "first")])
    document.become(content(2, "a", "2", 1, "edited"))
    document.become(content(2, "b", "2", 1, "renamed"))
    assert [one.path for one in document.contents] == ["a", "b"]
    assert document.at(1).digest == "1"
    document.become(content(3, "b", "3", 1, "hit"))
    document.hit = 3
    assert document.clean.path == "b"
    fresh = bench.ledger.Document("text", [content(4, "n", "1", 1, "new")])
    fresh.become(content(4, "n", "2", 1, "hit"))
    fresh.hit = 4
    assert fresh.clean is None
    fresh.gone = 5
    assert (fresh.at(4).how, fresh.at(5)) == ("hit", None)


def perfect(truth: Any) -> list[dict[str, Any]]:
    """What a program that is always right would write."""
    said: list[dict[str, Any]] = [{"snapshot": one, "files": 1} for one in truth.snapshots]
    for one in hit(truth):
        clean = one.clean
        said.append(
            {
                "path": f"{truth.root}/{(clean or one).path}",
                "hit": truth.snapshots[one.hit],
                "last_clean": truth.snapshots[one.hit - 1] if clean else None,
                "sure": True,
                "now": f"{truth.root}/{one.path}",
                "stage": 1,
            }
        )
    onset = truth.onset
    wave = {"earliest": {"mtime": _written(truth.began)}}
    said.append(
        {
            "summary": {
                "last_clean": truth.snapshots[onset - 1],
                "first_hit": truth.snapshots[onset],
                "waves": [wave],
            }
        }
    )
    return said


def _written(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()


def test_a_perfect_program_has_perfect_marks(bench: Any, built: tuple[Any, Any]) -> None:
    _, truth = built
    marking = bench.marks.Marking(truth)
    lines = [json.dumps(row) for row in perfect(truth)]
    marking.timeline(bench.marks.rows(lines))
    marks = marking.marks
    assert marks.onset_right
    assert marks.earliest
    assert marks.share == marks.named == 1.0
    assert marks.clean.total() + marks.unborn.total() == len(hit(truth))
    assert (marks.alarms, marks.doubted, marks.strangers, marks.mistakes) == (0, 0, 0, {})
    assert marks.exact == marks.clean.total()


def test_mistakes_are_told_apart(bench: Any, built: tuple[Any, Any]) -> None:
    _, truth = built
    said = perfect(truth)
    rows = [row for row in said if "path" in row and row["last_clean"]]
    rows[0]["last_clean"] = truth.snapshots[-1]
    rows[1] |= {"last_clean": truth.snapshots[-1], "sure": False}
    rows[2]["sure"] = False
    said.remove(rows[3])
    healthy = next(one for one in truth.documents if one.hit is None)
    said.append({**rows[4], "path": healthy.path, "now": None})
    said.append({**rows[4], "path": healthy.path, "now": None, "sure": False})
    said.append({**rows[4], "path": truth.notes[0], "now": None})
    said.append({**rows[4], "path": "elsewhere", "now": None})
    said[-5:-4] = [{"summary": {"last_clean": None, "first_hit": truth.snapshots[-1][:8]}}]
    marking = bench.marks.Marking(truth)
    marking.timeline(said)
    marks = marking.marks
    assert marks.clean["wrong"] == marks.clean["unsure"] == marks.clean["right, unsure"] == 1
    assert marks.clean["missed"] == 1
    assert (marks.alarms, marks.doubted, marks.notes, marks.strangers) == (1, 1, 1, 1)
    assert marks.onset == (None, SNAPSHOTS - 1)
    assert not marks.onset_right
    assert marks.earliest is None


def test_a_plan_is_marked_by_what_it_hands_back(bench: Any, built: tuple[Any, Any]) -> None:
    _, truth = built
    clean = [one for one in hit(truth) if one.clean]
    healthy = [one for one in truth.documents if one.hit is None and one.gone is None]
    planned = [
        {"path": one.clean.path, "snapshot": truth.snapshots[one.hit - 1], "why": "older"} for one in clean
    ]
    planned += [{"path": one.path, "snapshot": truth.snapshots[-1], "why": "newest"} for one in healthy]
    planned[0]["snapshot"] = truth.snapshots[-1]  # noise would be handed back
    planned[1]["snapshot"] = None
    planned[2]["why"] = "unverified"
    del planned[3]
    del planned[-1]
    marking = bench.marks.Marking(truth)
    marking.recovery(planned)
    plan = marking.marks.plan
    assert (plan["wrong"], plan["lost"], plan["unverified"], plan["absent"]) == (1, 1, 1, 1)
    assert plan["right"] == len(hit(truth)) - 4
    assert marking.marks.healthy == {"newest": len(healthy) - 1, "absent": 1}


def test_bytes_are_booked_where_they_were_read(bench: Any, built: tuple[Any, Any], tmp_path: Path) -> None:
    made, truth = built
    table = bench.bill._Table(made, truth)
    reads = bench.bill.Reads()
    pack = max((made.repository / "data").glob("*/*"), key=lambda one: one.stat().st_size)
    size = pack.stat().st_size
    calls = tmp_path / "calls"
    calls.write_text(
        f'pread64(5<{pack}>, ""..., {size}, 0) = {size}\n'
        f'read(7<{made.repository}/index/x>, ""..., 900) = 700\n'
        f'read(8</etc/passwd>, ""..., 900) = 900\n'
        f"pread64(5<{pack}>, 0x1, 10, 0) = -1 EIO (Input/output error)\n"
        f"mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 5<{made.repository}/keys/x>, 0) = 0x7f0000\n"
    )
    with open(calls, encoding="utf-8") as lines:
        for call in bench.bill._calls(lines):
            bench.bill._book(reads, table, made, *call)
    assert reads.read == {"data": size, "index": 700, "keys": 4096}
    assert reads.of.total() == reads.kinds.total() == size
    assert all(reads.of[part] <= table.stored[part] for part in reads.of if part != "header")
    assert {"tree", "coded", "other"} <= set(table.stored)


def test_a_command_is_watched(bench: Any, tmp_path: Path) -> None:
    held = "import time; x = bytearray(range(256)) * (1 << 16); t = time.process_time() + 0.6"
    busy = f"{held}\nwhile time.process_time() < t: pass"
    bill = bench.bill.measured([sys.executable, "-c", busy], tmp_path / "said")
    assert bill.seconds >= 0.6
    assert bill.processor > 0.2
    assert bill.memory > 1 << 24
    with pytest.raises(bench.bill.subprocess.CalledProcessError):
        bench.bill.measured([sys.executable, "-c", "raise SystemExit(2)"], tmp_path / "said", fine=(0, 1))


def test_a_line_through_the_sizes(bench: Any) -> None:
    def trial(files: int) -> Any:
        bill = bench.bill.Bill(2.0 + files / 1000, 0.0, 1000 * files, 0)
        return bench.trial.Trial("name", files, 60, 2 * files, bench.marks.Marks(), bill, {}, True)

    fitted = bench.projection.projected([trial(n) for n in (25_000, 50_000, 100_000)])
    assert fitted.seconds == pytest.approx(2 + 1_000_000 * 2.5 / 2 / 1000)
    assert fitted.memory == pytest.approx(1000 * 1_250_000)
    assert fitted.residual < 0.01
    with pytest.raises(ValueError, match="two sizes"):
        bench.projection.projected([trial(5)])


@pytest.fixture
def played(bench: Any, built: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """No command is run: a program that is always right has said what it would say; the words are noted."""
    _, truth = built
    seen: list[list[str]] = []
    planned = [
        {
            "path": (one.clean or one).path,
            "snapshot": one.clean and truth.snapshots[one.hit - 1],
            "why": "older",
        }
        for one in hit(truth)
    ]

    def measured(command: list[str], out: Path, **_: Any) -> Any:
        seen.append(command)
        said = planned if "recover" in command else perfect(truth)
        out.write_text("".join(f"{json.dumps(row)}\n" for row in said))
        return bench.bill.Bill(2.0, 1.0, 1 << 20, 1)

    def traced(*_: Any) -> Any:
        reads = bench.bill.Reads()
        reads.stored["data"], reads.read["data"], reads.packs["tree"], reads.of["tree"] = 1000, 10, 100, 10
        return reads

    monkeypatch.setattr(bench.trial, "measured", measured)
    monkeypatch.setattr(bench.trial, "traced", traced)
    monkeypatch.setattr(bench.trial, "_can_list", lambda: True)
    monkeypatch.setattr(bench.trial, "rivals", lambda *_: [bench.rivals.Rival("other", 1, 2, 3.0)])
    return seen


def test_every_part_of_a_trial(
    bench: Any, built: tuple[Any, Any], played: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    made, truth = built
    trial = bench.trial.tried(made, truth, lambda _: None)
    assert trial.marks.plan["right"] == len(hit(truth))
    assert trial.snapshots == SNAPSHOTS
    assert [words[3] for words in played] == ["timeline", "recover", "timeline", "timeline"]
    assert sorted(one.name for one in made.place.iterdir()) == ["repository", "truth.jsonl"]
    told = json.loads(bench.figures.line(trial))
    assert told["reads"]["share_of_packs"] == 0.01
    assert told["with_last"]["seconds"] == told["without_last"]["seconds"] == 2.0
    bench.showing.show(trial, Console(width=200))
    shown = capsys.readouterr().out
    assert "1.00%" in shown
    assert "without the last snapshot" in shown


def test_what_is_built_is_used_again(
    bench: Any, built: tuple[Any, Any], played: list[list[str]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made, _ = built
    for name in (f"{FILES}x{SNAPSHOTS}", f"{2 * FILES}x{SNAPSHOTS}"):
        (tmp_path / name).symlink_to(made.place)
    monkeypatch.setattr(bench.command, "CURVE", (FILES, 2 * FILES))
    monkeypatch.setattr(
        bench.command.projection, "projected", lambda _: bench.projection.Projection(9, 9, 1, 0)
    )
    common = ["timeline", "--place", str(tmp_path), "--snapshots", str(SNAPSHOTS), "--json"]
    for words, runs in (
        (["--files", str(FILES), "--parts", ""], 1),
        (["--files", str(FILES), "--build"], 0),
        (["--curve"], 2),
    ):
        played.clear()
        monkeypatch.setattr(sys, "argv", common + words)
        bench.command.main()
        said = capsys.readouterr()
        assert len(played) == runs
        assert [json.loads(line)["onset_right"] for line in said.out.splitlines()] == [True] * runs
        assert ("projected" in said.err) == (words == ["--curve"])


def test_without_a_place_nothing_stays(
    bench: Any, played: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[Path] = []

    def build(place: Path, **how: Any) -> None:
        places.append(place)
        assert (how["files"], how["snapshots"], how["sizes"]) == (1_000_000, 90, "life")
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.command, "build", build)
    monkeypatch.setattr(bench.command.tempfile, "mkdtemp", lambda **_: str(tmp_path / "made"))
    (tmp_path / "made").mkdir()
    monkeypatch.setattr(sys, "argv", ["timeline", "--million", "--sizes", "life"])
    with pytest.raises(KeyboardInterrupt):
        bench.command.main()
    assert places == [tmp_path / "made" / "life-1000000x90"]
    assert not (tmp_path / "made").exists()
    assert not played
