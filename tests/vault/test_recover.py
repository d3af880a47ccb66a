"""Files handed back: written aside, read back, judged again, never over what is there."""

import os
import shutil
from pathlib import Path

import pytest

from vigie.errors import DiskFull, ExitCode
from vigie.model import Blob, Judge, Likeness, State, Verdict
from vigie.sources.restic import ResticSource
from vigie.timeline import Plan, plan
from vigie.vault import Destination, Handed, JudgeAll, Outcome, Recovery, Restic, recover, told

Recovered = tuple[dict[str, Handed], Recovery]


@pytest.fixture
def attacked(restic: Restic, share: Path) -> Path:
    """Two snapshots: four healthy files, then one in place and one under a longer name, and one changed."""
    os.chmod(share / "a.txt", 0o4750)
    os.utime(share / "a.txt", ns=(1, 1_600_000_000_000_000_001))
    restic.run("backup", "--", str(share))
    (share / "a.txt").write_bytes(b"E random")
    (share / "b.txt").unlink()
    (share / "b.txt.locked").write_bytes(b"E random")
    (share / "d" / "c.txt").write_bytes(b"I am newer")
    restic.run("backup", "--", str(share))
    return share


def planned(source: ResticSource, judge_all: JudgeAll) -> Plan:
    return plan(told(source, judge_all, source.snapshots(), full=True))


def hand_over(restic: Restic, judge_all: JudgeAll, judge: Judge, to: Path) -> Recovered:
    tally, handed = Recovery(), {}
    with ResticSource(restic.repository, restic.environment["RESTIC_PASSWORD"]) as source:
        made = planned(source, judge_all)
        with Destination(str(to)) as destination:
            for item in recover(made, source, judge, destination):
                tally.count(item)
                handed[os.path.basename(item.path)] = item
    return handed, tally


def test_the_last_clean_version_of_each(
    restic: Restic, attacked: Path, judge_all: JudgeAll, judge: Judge, tmp_path: Path
) -> None:
    to = tmp_path / "to"
    handed, tally = hand_over(restic, judge_all, judge, to)
    there = Path(str(to) + str(attacked))
    assert sorted(os.listdir(os.fsencode(there))) == [b"a.txt", b"b.txt", b"caf\xe9.txt", b"d"]
    assert (there / "a.txt").read_bytes() == b"I " + b"a.txt" * 50
    assert (there / "d" / "c.txt").read_bytes() == b"I am newer"
    status = (there / "a.txt").stat()
    assert (status.st_mode & 0o7777, status.st_mtime_ns) == (0o750, 1_600_000_000_000_000_001)
    assert handed["a.txt"].reason.startswith("newer ones: encrypted")
    assert handed["b.txt"].reason == "gone since the attack began"
    assert {item.outcome for item in handed.values()} == {Outcome.RESTORED}
    assert handed["c.txt"].size == 10
    assert (tally.restored, tally.verified, tally.exit_code) == (4, 4, ExitCode.CLEAN)
    assert sorted(tally.by_snapshot.values()) == [1, 3]
    assert tally.record()["by_snapshot"] == dict(tally.by_snapshot)


def test_started_again(
    restic: Restic, attacked: Path, judge_all: JudgeAll, judge: Judge, tmp_path: Path
) -> None:
    to = tmp_path / "to"
    hand_over(restic, judge_all, judge, to)
    os.unlink(str(to) + str(attacked / "a.txt"))
    Path(str(to) + str(attacked / "b.txt")).write_bytes(b"somebody else's")
    handed, tally = hand_over(restic, judge_all, judge, to)
    outcomes = {name: item.outcome for name, item in handed.items()}
    assert outcomes == {
        "a.txt": Outcome.RESTORED,
        "b.txt": Outcome.EXISTS,
        "c.txt": Outcome.ALREADY,
        "caf\udce9.txt": Outcome.ALREADY,
    }
    assert Path(str(to) + str(attacked / "b.txt")).read_bytes() == b"somebody else's"
    assert (tally.restored, tally.exit_code) == (3, ExitCode.PARTIAL)
    assert len(handed["a.txt"].sha256) == 64


def test_a_folder_or_a_link_where_a_file_or_folder_should_go(
    restic: Restic, attacked: Path, judge_all: JudgeAll, judge: Judge, tmp_path: Path
) -> None:
    there = Path(str(tmp_path / "to") + str(attacked))
    (there / "a.txt").mkdir(parents=True)
    (there / "d").symlink_to(tmp_path)
    handed, tally = hand_over(restic, judge_all, judge, tmp_path / "to")
    assert handed["a.txt"].outcome is Outcome.REFUSED
    assert handed["a.txt"].reason == "a folder stands there already"
    assert handed["c.txt"].outcome is Outcome.REFUSED
    assert handed["b.txt"].outcome is Outcome.RESTORED
    assert not (tmp_path / "c.txt").exists()
    assert tally.exit_code is ExitCode.PARTIAL


def test_judged_again_and_rejected(
    restic: Restic, attacked: Path, judge_all: JudgeAll, judge: Judge, tmp_path: Path
) -> None:
    def other(blob: Blob, name: str, before: Likeness | None = None) -> Verdict:
        assert before is not None
        if name.endswith("a.txt"):
            return Verdict(State.ENCRYPTED, evidence=("it is not what it was",))
        return judge(blob, name, before)

    handed, tally = hand_over(restic, judge_all, other, tmp_path / "to")
    assert (handed["a.txt"].outcome, handed["a.txt"].state) == (Outcome.LOST, State.ENCRYPTED)
    assert "it is not what it was" in handed["a.txt"].reason
    assert not Path(str(tmp_path / "to") + str(attacked / "a.txt")).exists()
    assert (tally.restored, tally.exit_code) == (3, ExitCode.FOUND)


def test_the_judge_cannot_write_what_it_judges(
    restic: Restic, attacked: Path, judge_all: JudgeAll, judge: Judge, tmp_path: Path
) -> None:
    def hostile(blob: Blob, name: str, before: Likeness | None = None) -> Verdict:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.pwrite(blob.fileno(), b"x", 0)  # type: ignore[attr-defined] # recover hands over an OpenBlob
        return judge(blob, name, before)

    assert hand_over(restic, judge_all, hostile, tmp_path / "to")[1].restored == 4
    assert attacked.exists()


def test_a_disk_that_gives_back_something_else(
    restic: Restic,
    attacked: Path,
    judge_all: JudgeAll,
    judge: Judge,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Destination.sync

    def spoil(self: Destination) -> None:
        real(self)
        for path in (tmp_path / "to").rglob(".vigie-*"):
            path.write_bytes(b"?" + path.read_bytes()[1:])

    monkeypatch.setattr(Destination, "sync", spoil)
    handed, _ = hand_over(restic, judge_all, judge, tmp_path / "to")
    assert {item.outcome for item in handed.values()} == {Outcome.REJECTED}
    assert [path for path in (tmp_path / "to").rglob("*") if not path.is_dir()] == []
    assert attacked.exists()


def test_taken_meanwhile(
    restic: Restic, attacked: Path, judge_all: JudgeAll, judge: Judge, tmp_path: Path
) -> None:
    def slow(blob: Blob, name: str, before: Likeness | None = None) -> Verdict:
        if name.endswith("a.txt"):
            Path(str(tmp_path / "to") + name).write_bytes(b"mine")
        return judge(blob, name, before)

    handed, _ = hand_over(restic, judge_all, slow, tmp_path / "to")
    assert handed["a.txt"].outcome is Outcome.EXISTS
    assert Path(str(tmp_path / "to") + str(attacked / "a.txt")).read_bytes() == b"mine"


def test_a_backup_that_loses_a_pack_meanwhile(
    restic: Restic, attacked: Path, judge_all: JudgeAll, judge: Judge, tmp_path: Path
) -> None:
    with ResticSource(restic.repository, restic.environment["RESTIC_PASSWORD"]) as source:
        made = planned(source, judge_all)
        shutil.rmtree(Path(restic.repository) / "data")
        with Destination(str(tmp_path / "to")) as destination:
            handed = list(recover(made, source, judge, destination))
    assert {item.outcome for item in handed} == {Outcome.UNREADABLE}
    assert attacked.exists()


def test_unverified_and_lost(
    restic: Restic, share: Path, judge_all: JudgeAll, judge: Judge, tmp_path: Path
) -> None:
    (share / "a.txt").write_bytes(b"U private")
    restic.run("backup", "--", str(share))
    handed, tally = hand_over(restic, judge_all, judge, tmp_path / "to")
    assert (handed["a.txt"].outcome, handed["a.txt"].state) == (Outcome.RESTORED, State.UNKNOWN)
    assert (tally.restored, tally.verified, tally.exit_code) == (4, 3, ExitCode.PARTIAL)
    (share / "b.txt").write_bytes(b"D broken")
    (share / "n.txt").write_bytes(b"D broken")
    (share / "z.txt").write_bytes(b"E random")
    restic.run("backup", "--", str(share))
    handed, tally = hand_over(restic, judge_all, judge, tmp_path / "again")
    assert handed["n.txt"].outcome is Outcome.LOST
    assert handed["b.txt"].outcome is Outcome.RESTORED
    assert tally.exit_code is ExitCode.FOUND
    assert handed["n.txt"].record() == {
        "path": str(share / "n.txt"),
        "snapshot": None,
        "size": None,
        "sha256": None,
        "verdict": "damaged",
        "outcome": "unrecoverable",
        "reason": "damaged in all versions, all since the attack began: its first byte says damaged",
        "step": "",
        "nearest": {
            "snapshot": handed["n.txt"].nearest and handed["n.txt"].nearest.version.snapshot.id,
            "size": 8,
            "verdict": "damaged",
            "reason": "not known to be healthy (its first byte says damaged)",
        },
    }


def test_no_room_and_again_with_room(
    restic: Restic,
    share: Path,
    judge_all: JudgeAll,
    judge: Judge,
    small_disk: Path,
) -> None:
    (share / "b.txt").write_bytes(b"I" + os.urandom(2_000_000))
    restic.run("backup", "--", str(share))
    (small_disk / "filler").write_bytes(bytes(3_000_000))
    with pytest.raises(DiskFull):
        hand_over(restic, judge_all, judge, small_disk / "to")
    there = Path(str(small_disk / "to") + str(share))
    assert [path for path in there.rglob("*") if not path.is_dir()] == [there / "a.txt"]
    (small_disk / "filler").unlink()
    handed, tally = hand_over(restic, judge_all, judge, small_disk / "to")
    assert handed["a.txt"].outcome is Outcome.ALREADY
    assert (tally.restored, tally.exit_code) == (4, ExitCode.CLEAN)
