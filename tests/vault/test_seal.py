"""The seal and versions kept close, by real restic."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vigie.errors import VigieError
from vigie.sources.restic import ResticSource
from vigie.timeline import plan
from vigie.vault import JudgeAll, Restic, told
from vigie.vault.close import CLOSE_TAG, keep_close
from vigie.vault.seal import Seal


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path / "state"


def by_hand(restic: Restic, *words: str) -> subprocess.CompletedProcess[str]:
    """What another job would do."""
    return subprocess.run(
        [restic.program[-1], *words],
        env=dict(restic.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_while_it_holds_nothing_is_forgotten(restic: Restic, state: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_text("a")
    restic.run("backup", str(tmp_path / "data"))
    seal = Seal(restic, state)
    seal.hold()
    try:
        seal.hold()  # twice is once
        assert seal.holds
        assert by_hand(restic, "unlock").returncode == 0  # takes no lock away that is alive
        forget = by_hand(restic, "forget", "--keep-last=1", "--prune")
        assert forget.returncode != 0
        assert "already locked" in forget.stderr
        assert by_hand(restic, "backup", str(tmp_path / "data")).returncode == 0
        assert os.stat(state / "seal").st_mode & 0o077 == 0

        other = Seal(restic, state)  # `vigie release` is another process
        assert other.holds
        other.release()
    finally:
        seal.release()
    assert not seal.holds
    assert not seal.noted
    assert by_hand(restic, "forget", "--keep-last=1", "--prune").returncode == 0
    assert by_hand(restic, "check", "--read-data").returncode == 0
    assert by_hand(restic, "list", "snapshots").stdout.count("\n") == 1  # it left none of its own


def test_it_outlives_who_began_it(restic: Restic, state: Path) -> None:
    script = """if True:
        import os, sys
        from pathlib import Path
        from vigie.vault import Restic
        from vigie.vault.seal import Seal

        state = Path(sys.argv[1])
        restic = Restic.at("restic", sys.argv[2], state).with_password(os.environ["RESTIC_PASSWORD"])
        Seal(restic, state).hold()
    """
    words = [sys.executable, "-c", script, str(state), restic.repository]
    subprocess.run(words, env=dict(restic.environment), check=True, timeout=60)
    seal = Seal(restic, state)
    assert seal.holds
    seal.release()
    assert not seal.holds


def test_a_seal_that_ended_with_the_machine_is_noted(restic: Restic, state: Path) -> None:
    (state / "seal").write_text('{"pid": 1, "started": 7}')
    seal = Seal(restic, state)
    assert seal.noted
    assert not seal.holds
    seal.hold()
    assert seal.holds
    seal.release()
    for odd in ("", "[]", '{"pid": "x"}', '{"pid": 4194305, "started": 3}'):
        (state / "seal").write_text(odd)
        assert not seal.holds
        seal.release()
        assert not seal.noted


def test_a_repository_that_is_not_there(tmp_path: Path, state: Path) -> None:
    none = Restic.at("restic", str(tmp_path / "none"), state).with_password("x")
    with pytest.raises(VigieError, match="none"):
        Seal(none, state).hold()
    assert not (state / "seal").exists()


def test_files_are_kept_under_whatever_names(restic: Restic, state: Path, tmp_path: Path) -> None:
    names = [b"plain.txt", b"line\nend.txt", b"latin-\xe9.txt", b"-dash", b" space ", b"*.txt", b"#hash"]
    paths = []
    for number, name in enumerate(names):
        path = os.fsdecode(os.path.join(os.fsencode(tmp_path), name))
        with open(path, "wb") as file:
            file.write(b"%d" % number)
        paths.append(path)
    keep_close(restic, [*paths, str(tmp_path / "gone"), str(tmp_path)], str(state))
    keep_close(restic, [str(tmp_path / "gone")], str(state))  # nothing to keep: no snapshot
    listed = by_hand(restic, "snapshots", "--json").stdout
    assert listed.count('"short_id"') == 1
    assert CLOSE_TAG in listed
    back = tmp_path / "back"
    assert by_hand(restic, "restore", "latest", f"--target={back}").returncode == 0
    for number, path in enumerate(paths):
        with open(str(back) + path, "rb") as file:
            assert file.read() == b"%d" % number
    assert [entry.name for entry in state.iterdir()] == ["restic-cache"]


def test_the_timeline_finds_what_was_saved_a_minute_before(
    restic: Restic, state: Path, tmp_path: Path, judge_all: JudgeAll
) -> None:
    """Close snapshots hold single files: they are no mass deletion, and their versions count."""
    share = tmp_path / "share"
    share.mkdir()
    for number in range(5):
        (share / f"{number}.txt").write_bytes(b"I healthy %d" % number)
    restic.run("backup", "--time=2026-11-01 22:00:00", str(share))
    (share / "1.txt").write_bytes(b"I edited a minute before")
    keep_close(restic, [str(share / "1.txt")], str(state))
    (share / "new.txt").write_bytes(b"I written a minute before")
    keep_close(restic, [str(share / "new.txt")], str(state))
    for path in share.iterdir():
        path.write_bytes(b"E" + os.urandom(50))
    restic.run("backup", str(share))

    with ResticSource(restic.repository, restic.environment["RESTIC_PASSWORD"]) as source:
        listed = source.snapshots()
        timeline = told(source, judge_all, listed, full=True)
    assert timeline.first_hit == listed[-1]
    assert timeline.vanished == frozenset()
    assert timeline.gone == frozenset()
    clean = {
        os.path.basename(choice.path): listed.index(choice.version.snapshot)
        for choice in plan(timeline).choices
    }
    assert clean == {"0.txt": 0, "1.txt": 1, "2.txt": 0, "3.txt": 0, "4.txt": 0, "new.txt": 2}
