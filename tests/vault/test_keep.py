"""Every file judged, all of it kept, and what was found said in the repository and in the journal."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vigie.errors import DiskFull, NoSuchTarget, VigieError, WrongPassword
from vigie.journal import Journal
from vigie.model import Entry, Likeness, Skipped, State, Verdict
from vigie.sources.restic import ResticSource
from vigie.vault import JudgeAll, Restic, keep, snapshots
from vigie.vault.keep import record


def stored(restic: Restic) -> set[str]:
    with ResticSource(restic.repository, restic.environment["RESTIC_PASSWORD"]) as source:
        (last, *_) = reversed(source.snapshots())
        return {v.path if isinstance(v, Skipped) else v.entry.path for v in source.versions(last)}


def test_healthy_files(restic: Restic, share: Path, judge_all: JudgeAll, journal: Journal) -> None:
    seen: list[tuple[str, State]] = []
    progress: list[tuple[int, int]] = []
    kept = keep(
        restic,
        [str(share)],
        judge_all,
        journal,
        on_verdict=lambda entry, verdict: seen.append((entry.path, verdict.state)),
        on_progress=lambda done, total: progress.append((done, total)),
    )
    assert (kept.files, kept.verdicts, kept.complete, kept.unread) == (4, {State.INTACT: 4}, True, ())
    assert {path for path, _ in seen} == stored(restic)
    assert len(seen) == 4
    assert all(done <= total or not total for done, total in progress)
    (listed,) = snapshots(restic)
    assert listed.snapshot.startswith(kept.snapshot)
    assert listed.tags == ("vigie", "vigie-files=4")
    assert (listed.files, listed.encrypted, listed.paths) == (4, 0, (str(share),))
    (row,) = journal.rows()
    assert row.kind == "keep"
    assert row.body == record(kept) | {"repository": restic.repository, "paths": [str(share)]}


def test_encrypted_files_are_kept_and_told(
    restic: Restic, share: Path, judge_all: JudgeAll, journal: Journal
) -> None:
    (share / "a.txt").write_bytes(b"E random")
    (share / "b.txt").write_bytes(b"D broken")
    kept = keep(restic, [str(share)], judge_all, journal)
    assert kept.verdicts == {State.INTACT: 2, State.ENCRYPTED: 1, State.DAMAGED: 1}
    (listed,) = snapshots(restic)
    assert listed.tags == ("vigie", "vigie-files=4", "vigie-encrypted", "vigie-encrypted=1")
    assert (listed.files, listed.encrypted) == (4, 1)
    verdict, last = journal.rows()
    assert (verdict.kind, verdict.body["path"], verdict.body["size"]) == ("verdict", str(share / "a.txt"), 8)
    assert (last.kind, last.body["encrypted"]) == ("keep", 1)
    assert str(share / "a.txt") in stored(restic)


def test_what_is_left_out(restic: Restic, share: Path, judge_all: JudgeAll, journal: Journal) -> None:
    (share / "x.iso").write_bytes(b"E")
    (share / "y.tmp").write_bytes(b"E")
    kept = keep(restic, [str(share)], judge_all, journal, exclude=["*.tmp"], unjudged=["*.iso"])
    assert kept.verdicts == {State.INTACT: 4}
    names = {path.rpartition("/")[2] for path in stored(restic)}
    assert "x.iso" in names
    assert "y.tmp" not in names


def test_the_repository_and_the_cache_are_not_kept_in_themselves(
    restic: Restic, share: Path, judge_all: JudgeAll, journal: Journal, tmp_path: Path
) -> None:
    journal.append("something", {})
    keep(restic, [str(tmp_path)], judge_all, journal)
    paths = stored(restic)
    assert not [path for path in paths if "/repository/" in path or "/restic-cache/" in path]
    assert str(share / "a.txt") in paths
    # The journal is: a copy of it elsewhere is what its remedy speaks of.
    assert str(tmp_path / "state" / "journal.sqlite") in paths


def test_a_link_named_as_a_path_is_followed(
    restic: Restic, share: Path, judge_all: JudgeAll, journal: Journal, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(share)
    assert keep(restic, [str(tmp_path / "link")], judge_all, journal).files == 4
    assert str(share / "a.txt") in stored(restic)


def test_what_was_before_reaches_the_judge(
    restic: Restic, share: Path, journal: Journal, judge_all: JudgeAll
) -> None:
    asked: list[str] = []

    def before(path: str) -> Likeness | None:
        asked.append(path)
        return None

    keep(restic, [str(share)], judge_all, journal, before=before)
    assert str(share / "a.txt") in asked
    assert len(asked) == 4


def test_a_path_or_repository_that_is_not_there(
    restic: Restic, share: Path, judge_all: JudgeAll, journal: Journal, state: Path, tmp_path: Path
) -> None:
    judged: list[str] = []

    def on_verdict(entry: Entry | Skipped, _: Verdict) -> None:
        judged.append(entry.path)

    with pytest.raises(NoSuchTarget):
        keep(restic, [str(share), str(tmp_path / "none")], judge_all, journal, on_verdict=on_verdict)
    nowhere = Restic.at("restic", str(tmp_path / "nowhere"), state).with_password("x")
    with pytest.raises(NoSuchTarget):
        keep(nowhere, [str(share)], judge_all, journal, on_verdict=on_verdict)
    with pytest.raises(WrongPassword):
        keep(restic.with_password("no"), [str(share)], judge_all, journal, on_verdict=on_verdict)
    assert judged == []
    assert list(journal.rows()) == []


def test_a_socket_makes_it_a_part(restic: Restic, share: Path, judge_all: JudgeAll, journal: Journal) -> None:
    os.mkfifo(share / "pipe")
    kept = keep(restic, [str(share)], judge_all, journal)
    assert (kept.complete, kept.verdicts[State.SKIPPED]) == (False, 1)


UNREAD = """
[ "$1" = backup ] || exit 0
echo '{"message_type":"error","error":{"Op":"open","Err":13},"during":"archival","item":"/x/a"}' >&2
echo '{"message_type":"error","error":{"message":"vanished"},"during":"archival","item":"/x/b"}' >&2
echo '{"message_type":"error","error":"odd","during":"archival","item":"/x/c"}'
echo 'no json'
echo '{"message_type":"status","total_bytes":"many","bytes_done":null}'
echo '{"message_type":"summary","snapshot_id":"abcdef0123456789","data_added":7}'
exit 3
"""


def test_what_restic_could_not_read_is_named(
    fake_restic: Callable[[str], str], share: Path, judge_all: JudgeAll, journal: Journal, state: Path
) -> None:
    restic = Restic.at(fake_restic(UNREAD), "rest:http://u:secret@host/r", state)
    kept = keep(restic, [str(share)], judge_all, journal, on_progress=lambda *_: None)
    assert (kept.complete, kept.snapshot, kept.added) == (False, "abcdef0123456789", 7)
    assert {item.path: item.reason for item in kept.unread} == {
        "/x/a": "restic could not read it (open)",
        "/x/b": "restic could not read it (vanished)",
        "/x/c": "restic could not read it (odd)",
    }
    assert "secret" not in str([row.body for row in journal.rows()])


def test_restic_that_says_nothing(
    fake_restic: Callable[[str], str], share: Path, judge_all: JudgeAll, journal: Journal, state: Path
) -> None:
    with pytest.raises(VigieError, match="which snapshot"):
        keep(Restic.at(fake_restic("exit 0"), "r", state), [str(share)], judge_all, journal)


def test_no_room_in_the_repository(
    restic: Restic, small_disk: Path, state: Path, judge_all: JudgeAll, journal: Journal, tmp_path: Path
) -> None:
    os.rename(restic.repository, tmp_path / "moved")
    shutil.copytree(tmp_path / "moved", small_disk / "r")
    small = Restic.at("restic", str(small_disk / "r"), state).with_password(
        restic.environment["RESTIC_PASSWORD"]
    )
    big = tmp_path / "big"
    big.mkdir()
    (big / "file").write_bytes(b"I" + os.urandom(6_000_000))
    with pytest.raises(DiskFull, match="no space left"):
        keep(small, [str(big)], judge_all, journal)


def test_the_environment_of_s3_is_passed_on(
    fake_restic: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    program = fake_restic('echo "$RESTIC_REPOSITORY|$AWS_ACCESS_KEY_ID|$AWS_SECRET_ACCESS_KEY|$*"')
    restic = Restic.at(program, "s3:http://127.0.0.1:9000/bucket", state).with_password("pw")
    assert restic.run("snapshots").text == "s3:http://127.0.0.1:9000/bucket|an id|a secret|snapshots\n"
