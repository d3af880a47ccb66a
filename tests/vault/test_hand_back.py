"""A restore with its manifest: resumed, rejected, nearest, dressed, limited, broken in every way."""

import errno
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from vigie.errors import DiskFull, NotPermitted
from vigie.model import Blob, Entry, Judge, Likeness, Skipped, State, Verdict
from vigie.sources.restic import ResticSource
from vigie.timeline import Plan, plan
from vigie.timeline.urgency import Step, ordered
from vigie.vault import Destination, Handed, JudgeAll, Outcome, Recovery, Restic, told
from vigie.vault import destination as destination_module
from vigie.vault.manifest import NAME, Manifest
from vigie.vault.manifest_check import check_manifest
from vigie.vault.manifest_key import signing_key
from vigie.vault.recover import hand_back
from vigie.vault.second_look import one_by_one

Before = Callable[[str], Likeness | None]
Judged = Iterator[tuple[Entry | Skipped, Verdict]]


class Opened(ResticSource):
    """A source that counts what is read of it."""

    reads = 0

    def read(self, version: object) -> Iterator[bytes]:
        self.reads += 1
        return super().read(version)  # type: ignore[arg-type] # a Version


class Bench:
    """A repository and a destination, restored into again and again."""

    def __init__(self, restic: Restic, judge: Judge, judge_all: JudgeAll, tmp_path: Path) -> None:
        self.restic, self.judge, self.judge_all = restic, judge, judge_all
        self.to, self.key = tmp_path / "to", signing_key(tmp_path / "state")
        self.reads = 0
        self.bytes = 0
        self.folders: dict[str, tuple[str, ...]] = {}

    def planned(self, source: ResticSource) -> Plan:
        return plan(told(source, self.judge_all, source.snapshots(), full=True))

    def run(
        self,
        *,
        judge: Judge | None = None,
        nearest: bool = False,
        only: int | None = None,
        limit: int = 0,
    ) -> dict[str, Handed]:
        """What became of each file; `only` so many are waited for, then the reader goes away."""
        self.bytes = 0
        handed: dict[str, Handed] = {}

        def on_bytes(more: int) -> None:
            self.bytes += more

        with Opened(self.restic.repository, self.restic.environment["RESTIC_PASSWORD"]) as source:
            made = self.planned(source)
            steps = ordered(made, nearest=nearest)
            with Destination(str(self.to)) as destination, Manifest(destination, self.key, {}) as manifest:
                judging = one_by_one(judge or self.judge)
                coming = hand_back(
                    steps,
                    made.lost,
                    source,
                    judging,
                    destination,
                    manifest=manifest,
                    nearest=nearest,
                    limit=limit,
                    on_bytes=on_bytes,
                    on_folder=self.folders.__setitem__,
                )
                for item in coming:
                    handed[os.path.basename(item.path)] = item
                    if len(handed) == only:
                        coming.close()  # type: ignore[attr-defined] # a generator
                        break
                else:
                    manifest.end({})
            self.reads = source.reads
        return handed

    def at(self, path: Path) -> Path:
        return Path(f"{self.to}{path}")

    def files(self) -> list[str]:
        found = (path for path in self.to.rglob("*") if path.is_file() and "vigie-manifest" not in path.name)
        return sorted(path.name for path in found)


@pytest.fixture
def bench(restic: Restic, share: Path, judge: Judge, judge_all: JudgeAll, tmp_path: Path) -> Bench:
    os.chmod(share / "d", 0o2750)
    os.utime(share / "d", ns=(1, 1_500_000_000_000_000_007))
    restic.run("backup", "--", str(share))
    return Bench(restic, judge, judge_all, tmp_path)


def outcomes(handed: dict[str, Handed]) -> set[Outcome]:
    return {item.outcome for item in handed.values()}


def test_started_again_nothing_is_read_or_written(bench: Bench, share: Path) -> None:
    first = bench.run()
    assert outcomes(first) == {Outcome.RESTORED}
    assert bench.reads == 4
    inodes = {path: (path.stat().st_ino, path.stat().st_ctime_ns) for path in bench.at(share).rglob("*.txt")}
    total = bench.bytes
    assert total == sum(item.size or 0 for item in first.values())
    again = bench.run()
    assert outcomes(again) == {Outcome.ALREADY}
    assert (bench.reads, bench.bytes) == (0, total)
    assert {name: item.sha256 for name, item in again.items()} == {n: i.sha256 for n, i in first.items()}
    assert inodes == {path: (path.stat().st_ino, path.stat().st_ctime_ns) for path in inodes}
    found = check_manifest(str(bench.to))
    assert (found.files, found.problems, found.ended) == (4, [], True)


def test_what_was_touched_or_changed_since(bench: Bench, share: Path) -> None:
    bench.run()
    bench.at(share / "a.txt").chmod(0o640)
    path = bench.at(share / "b.txt")
    data, status = path.read_bytes(), path.stat()
    path.write_bytes(b"?" + data[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if it had never been touched
    bench.at(share / "d" / "c.txt").unlink()
    again = bench.run()
    assert again["a.txt"].outcome is Outcome.ALREADY
    assert (again["b.txt"].outcome, again["c.txt"].outcome) == (Outcome.EXISTS, Outcome.RESTORED)
    assert "changed since" in again["b.txt"].reason
    assert path.read_bytes() == b"?" + data[1:]
    assert bench.reads == 1


def test_without_a_manifest_the_bytes_are_compared(bench: Bench, share: Path) -> None:
    bench.run()
    (bench.to / NAME).unlink()
    bench.at(share / "a.txt").write_bytes(b"x" * (share / "a.txt").stat().st_size)
    again = bench.run()
    assert again.pop("a.txt").outcome is Outcome.EXISTS
    assert outcomes(again) == {Outcome.ALREADY}
    assert check_manifest(str(bench.to)).files == 3
    assert outcomes(bench.run()) == {Outcome.ALREADY, Outcome.EXISTS}
    assert bench.reads == 1


def test_a_reader_that_goes_away_leaves_no_draft(
    bench: Bench, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigie.vault.batch.FILES", 1)
    for number in range(20):
        (share / f"n{number}.txt").write_bytes(b"I %d" % number)
    bench.restic.run("backup", "--", str(share))
    assert len(bench.run(only=1)) == 1
    assert not list(bench.to.rglob(".vigie-*"))
    there = len(bench.files())
    assert 1 <= there <= 6
    handed = bench.run()
    assert len([item for item in handed.values() if item.outcome is Outcome.ALREADY]) == there
    assert outcomes(handed) == {Outcome.ALREADY, Outcome.RESTORED}


def test_folders_get_their_modes_and_times_back(bench: Bench, share: Path) -> None:
    bench.run()
    status = bench.at(share / "d").stat()
    assert stat.S_IMODE(status.st_mode) == 0o750
    assert status.st_mtime_ns == 1_500_000_000_000_000_007
    assert bench.at(share).stat().st_mtime_ns == share.stat().st_mtime_ns


def test_extended_attributes_come_back(bench: Bench, share: Path) -> None:
    (share / "d" / "n.txt").write_bytes(b"I am new")
    try:
        os.setxattr(share / "d" / "n.txt", "user.origin", b"scanner \xff")
        os.setxattr(share / "d", "user.ward", b"2 north")
    except OSError:
        pytest.skip("the disk takes no extended attributes")
    bench.restic.run("backup", "--", str(share))
    handed = bench.run()
    assert os.getxattr(bench.at(share / "d" / "n.txt"), "user.origin") == b"scanner \xff"
    assert os.getxattr(bench.at(share / "d"), "user.ward") == b"2 north"
    assert os.listxattr(bench.at(share / "b.txt")) == os.listxattr(share / "b.txt")
    assert {item.lacking for item in handed.values()} == {()}
    assert not bench.folders
    assert outcomes(bench.run()) == {Outcome.ALREADY}


def test_a_disk_without_extended_attributes_is_named(
    bench: Bench, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "d" / "n.txt").write_bytes(b"I am new")
    try:
        os.setxattr(share / "d" / "n.txt", "user.origin", b"scanner")
        os.setxattr(share / "d", "user.ward", b"2 north")
    except OSError:
        pytest.skip("the disk takes no extended attributes")
    bench.restic.run("backup", "--", str(share))

    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "setxattr", refuse)
    handed = bench.run()
    assert outcomes(handed) == {Outcome.RESTORED}
    assert handed["n.txt"].record()["lacking"] == ["user.origin"]
    assert "lacking" not in handed["b.txt"].record()
    assert bench.folders == {str(share / "d"): ("user.ward",)}
    tally = Recovery()
    for item in handed.values():
        tally.count(item)
    assert tally.record()["lacking"] == {"user.origin": 1}


def test_nothing_is_reported_before_its_name_is_on_the_disk(
    bench: Bench, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigie.vault.batch.FILES", 3)
    for number in range(20):
        (share / f"n{number}.txt").write_bytes(b"I %d" % number)
    bench.restic.run("backup", "--", str(share))
    begun, ended = 0, 0
    written: dict[bytes, int] = {}
    named: dict[str, int] = {}
    real_sync, real_publish, real_draft = Destination.sync, Destination.publish, Destination.draft

    def sync(self: Destination) -> None:
        nonlocal begun, ended
        begun += 1
        real_sync(self)
        ended += 1

    def draft(self: Destination, place: destination_module.Place) -> int:
        written[place.name] = begun
        return real_draft(self, place)

    def publish(self: Destination, place: destination_module.Place) -> os.stat_result:
        assert ended > written[place.name]
        named[os.fsdecode(place.name)] = begun
        return real_publish(self, place)

    monkeypatch.setattr(Destination, "sync", sync)
    monkeypatch.setattr(Destination, "draft", draft)
    monkeypatch.setattr(Destination, "publish", publish)
    with Opened(bench.restic.repository, bench.restic.environment["RESTIC_PASSWORD"]) as source:
        steps = ordered(bench.planned(source))
        with Destination(str(bench.to)) as destination:
            count = 0
            for item in hand_back(steps, (), source, bench.judge_all, destination):
                assert ended > named[os.path.basename(item.path)]
                count += 1
    assert count == 24


def test_a_slow_source_keeps_nobody_waiting(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigie.vault.batch.AGE", -1.0)
    passes = 0

    def judge(blob: Blob, name: str, before: Likeness | None = None) -> Verdict:
        return bench.judge(blob, name, before)

    real = one_by_one(judge)

    def judge_all(entries: Iterable[Entry | Skipped], /, before: Before | None = None) -> Judged:
        nonlocal passes
        passes += 1
        return real(entries, before)

    with Opened(bench.restic.repository, bench.restic.environment["RESTIC_PASSWORD"]) as source:
        steps = ordered(bench.planned(source))
        with Destination(str(bench.to)) as destination:
            handed = list(hand_back(steps, (), source, judge_all, destination))
    assert passes == len(handed) == 4  # each is judged before the next one is read


def test_a_version_that_is_not_what_it_seemed_gives_way_to_an_older_one(bench: Bench, share: Path) -> None:
    (share / "a.txt").write_bytes(b"I am newer")
    bench.restic.run("backup", "--", str(share))

    def strict(blob: Blob, name: str, before: Likeness | None = None) -> Verdict:
        if blob.at(0, 9) == b"I am newe":
            return Verdict(State.ENCRYPTED, evidence=("it only seemed so",))
        return bench.judge(blob, name, before)

    handed = bench.run(judge=strict)
    assert outcomes(handed) == {Outcome.RESTORED}
    assert "is encrypted (judged again: it only seemed so)" in handed["a.txt"].reason
    assert bench.at(share / "a.txt").read_bytes() == b"I " + b"a.txt" * 50
    again = bench.run(judge=strict)
    assert outcomes(again) == {Outcome.ALREADY}
    assert bench.reads == 0


def test_nothing_older_stands_by(bench: Bench, share: Path) -> None:
    def strict(blob: Blob, name: str, before: Likeness | None = None) -> Verdict:
        del blob, name, before
        return Verdict(State.ENCRYPTED, evidence=("no",))

    handed = bench.run(judge=strict)
    assert outcomes(handed) == {Outcome.LOST}
    assert bench.files() == []
    assert share.exists()


def test_what_turns_out_to_be_damaged_is_handed_back_where_that_is_wanted(bench: Bench, share: Path) -> None:
    def strict(blob: Blob, name: str, before: Likeness | None = None) -> Verdict:
        if name.endswith("a.txt"):
            return Verdict(State.DAMAGED, evidence=("a hole in it",))
        return bench.judge(blob, name, before)

    assert bench.run(judge=strict)["a.txt"].outcome is Outcome.LOST
    assert "a.txt" not in bench.files()
    assert bench.run(judge=strict, nearest=True)["a.txt"].outcome is Outcome.NEAREST
    assert bench.at(share / "a.vigie-unverified.txt").exists()


def test_what_cannot_be_told_any_more_is_handed_back_as_that(bench: Bench) -> None:
    handed = bench.run(judge=lambda *_: Verdict(State.UNKNOWN, evidence=("it took too long",)))
    assert outcomes(handed) == {Outcome.RESTORED}
    assert {item.state for item in handed.values()} == {State.UNKNOWN}
    assert handed["a.txt"].reason == "judged again: it took too long"


def test_the_nearest_thing_under_a_name_that_says_so(bench: Bench, share: Path) -> None:
    (share / "a.txt").write_bytes(b"E random")
    (share / "n.tar.gz").write_bytes(b"D broken")
    (share / "noending").write_bytes(b"D broken")
    (share / ".hidden").write_bytes(b"D broken")
    bench.restic.run("backup", "--", str(share))
    listed = bench.run()
    assert listed["n.tar.gz"].outcome is Outcome.LOST
    assert listed["n.tar.gz"].nearest is not None
    # For JSON, and for people, one line each: the lost one, and what came in its place.
    seen = bench.run(nearest=True)
    assert seen["n.tar.gz"].outcome is Outcome.LOST
    new = {name for name in bench.files() if "unverified" in name}
    assert new == {"n.tar.vigie-unverified.gz", "noending.vigie-unverified", ".hidden.vigie-unverified"}
    assert check_manifest(str(bench.to)).files == 7
    lines = [json.loads(line) for line in (bench.to / NAME).read_text().splitlines()]
    assert {line["outcome"] for line in lines if line.get("step") == "nearest"} == {"nearest"}


def test_the_most_urgent_comes_first(bench: Bench, share: Path) -> None:
    (share / "rdv.txt").write_bytes(b"I agenda")
    (share / "zz").mkdir()
    (share / "zz" / "allergies.txt").write_bytes(b"I allergies")
    bench.restic.run("backup", "--", str(share))
    assert list(bench.run())[:2] == ["allergies.txt", "rdv.txt"]


def test_a_disk_that_fails_as_a_whole_is_asked_file_by_file(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failing = os.fsync, [1]

    def broken(_: Destination) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def fsync(fd: int) -> None:
        if os.readlink(f"/proc/self/fd/{fd}").endswith(".part") and failing:
            failing.pop()
            raise OSError(errno.EIO, "Input/output error")
        real(fd)

    monkeypatch.setattr(Destination, "sync", broken)
    monkeypatch.setattr(os, "fsync", fsync)
    handed: list[Handed] = []
    with pytest.raises(NotPermitted, match="input/output"):
        handed.extend(bench.run().values())
    assert len(bench.files()) == 3
    assert not list(bench.to.rglob(".vigie-*"))


def test_a_limit_is_kept(bench: Bench, share: Path) -> None:
    (share / "big.txt").write_bytes(b"I" + os.urandom(60_000))
    bench.restic.run("backup", "--", str(share))
    began = time.monotonic()
    handed = bench.run(limit=40_000)
    assert outcomes(handed) == {Outcome.RESTORED}
    assert time.monotonic() - began > 0.9


def test_a_large_file_is_compared_by_its_digest(bench: Bench, share: Path) -> None:
    (share / "big.txt").write_bytes(b"I" + os.urandom(9_000_000))
    bench.restic.run("backup", "--", str(share))
    assert bench.run()["big.txt"].outcome is Outcome.RESTORED
    assert bench.at(share / "big.txt").read_bytes() == (share / "big.txt").read_bytes()


def test_drafts_that_cannot_be_made_or_read_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Destination.open

    def broken(self: Destination, place: destination_module.Place, *, draft: bool = False) -> int:
        if draft and place.name == b"b.txt":
            raise OSError(errno.EIO, "Input/output error")
        return real(self, place, draft=draft)

    monkeypatch.setattr(Destination, "open", broken)
    handed = bench.run()
    assert handed.pop("b.txt").outcome in (Outcome.REFUSED, Outcome.REJECTED)
    assert outcomes(handed) == {Outcome.RESTORED}
    assert "b.txt" not in bench.files()


def test_one_file_that_cannot_be_made_or_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real_draft, real_publish = Destination.draft, Destination.publish

    def draft(self: Destination, place: destination_module.Place) -> int:
        if place.name == b"a.txt":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real_draft(self, place)

    def publish(self: Destination, place: destination_module.Place) -> os.stat_result:
        if place.name == b"b.txt":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real_publish(self, place)

    monkeypatch.setattr(Destination, "draft", draft)
    monkeypatch.setattr(Destination, "publish", publish)
    handed = bench.run()
    assert {handed.pop(name).outcome for name in ("a.txt", "b.txt")} == {Outcome.REFUSED}
    assert outcomes(handed) == {Outcome.RESTORED}
    assert not list(bench.to.rglob(".vigie-*"))


def test_what_was_there_and_is_a_folder_when_it_was_judged(bench: Bench, share: Path) -> None:
    bench.run()
    (bench.to / NAME).unlink()

    def slow(blob: Blob, name: str, before: Likeness | None = None) -> Verdict:
        if name.endswith("a.txt"):
            bench.at(share / "a.txt").unlink()
            bench.at(share / "a.txt").mkdir()
        return bench.judge(blob, name, before)

    handed = bench.run(judge=slow)
    assert handed.pop("a.txt").outcome is Outcome.REFUSED
    assert outcomes(handed) == {Outcome.ALREADY}


def test_a_full_disk_with_a_manifest(bench: Bench, share: Path, small_disk: Path) -> None:
    (share / "b.txt").write_bytes(b"I" + os.urandom(2_000_000))
    bench.restic.run("backup", "--", str(share))
    bench.to = small_disk / "to"
    (small_disk / "filler").write_bytes(bytes(3_000_000))
    with pytest.raises(DiskFull):
        bench.run()
    assert set(bench.files()) <= {"a.txt", "caf\udce9.txt", "c.txt"}
    assert not list(bench.to.rglob(".vigie-*"))
    (small_disk / "filler").unlink()
    handed = bench.run()
    assert outcomes(handed) <= {Outcome.RESTORED, Outcome.ALREADY}
    assert len(bench.files()) == 4


def test_steps_of_one_name_are_two_steps(bench: Bench) -> None:
    with Opened(bench.restic.repository, bench.restic.environment["RESTIC_PASSWORD"]) as source:
        choices = bench.planned(source).choices
        steps: Iterable[Step] = (Step("x", choices[:1]), Step("x", ()), Step("y", choices[1:]))
        with Destination(str(bench.to)) as destination:
            handed = list(hand_back(steps, (), source, bench.judge_all, destination))
    assert [item.step for item in handed] == ["x", "y", "y", "y"]
    shutil.rmtree(bench.to)
