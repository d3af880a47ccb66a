"""A repository as a whole: made, listed, verified, restored."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vigie.errors import DiskFull, NoSuchTarget, NotPermitted, RepositoryDamaged, VigieError, WrongPassword
from vigie.vault import Restic, init, restore, snapshots, verify
from vigie.vault.repository import Listed

Fake = Callable[..., str]


def back_up(restic: Restic, folder: Path, *tags: str) -> None:
    restic.run("backup", *(f"--tag={tag}" for tag in tags), "--", str(folder))


@pytest.mark.parametrize("version", [1, 2])
def test_init(state: Path, tmp_path: Path, version: int) -> None:
    restic = Restic.at("restic", str(tmp_path / "new"), state).with_password("pw")
    init(restic, version)
    assert json.loads(restic.run("cat", "config").text)["version"] == version
    with pytest.raises(VigieError, match="already exists") as error:
        init(restic)
    assert "vigie vault keep" in error.value.remedy


def test_list(restic: Restic, share: Path) -> None:
    assert snapshots(restic) == ()
    back_up(restic, share)
    back_up(restic, share, "vigie", "vigie-files=7", "vigie-encrypted=x", "vigie-encrypted")
    plain, tagged = snapshots(restic)
    assert (plain.files, plain.encrypted) == (None, None)
    assert (tagged.files, tagged.encrypted) == (7, None)
    assert tagged.paths == (str(share),)
    assert plain.time < tagged.time


@pytest.mark.parametrize(
    ("tags", "files", "encrypted"),
    [
        (("vigie-files=3",), 3, 0),
        (("vigie-files=3", "vigie-encrypted", "vigie-encrypted=2"), 3, 2),
        (("vigie-files=" + "9" * 5000,), None, None),
        (("vigie-files=-1",), None, None),
        ((), None, None),
    ],
)
def test_counts_in_tags(tags: tuple[str, ...], files: int | None, encrypted: int | None) -> None:
    listed = Listed("id", "time", "host", (), tags)
    assert (listed.files, listed.encrypted) == (files, encrypted)


@pytest.mark.parametrize("answer", ["nonsense", "{}", ""])
def test_a_list_that_is_none(fake_restic: Fake, state: Path, answer: str) -> None:
    with pytest.raises(RepositoryDamaged):
        snapshots(Restic.at(fake_restic(f"printf '{answer}'"), "r", state))


def test_odd_entries_in_the_list(fake_restic: Fake, state: Path) -> None:
    program = fake_restic("""echo '[3, {}, {"id": "ab", "paths": 7, "tags": [1]}]'""")
    one, two = snapshots(Restic.at(program, "r", state))
    assert (one.snapshot, two.snapshot, two.paths, two.tags) == ("", "ab", (), ("1",))


def test_verify(restic: Restic, share: Path) -> None:
    back_up(restic, share)
    lines: list[str] = []
    assert verify(restic, read_data=True, on_line=lines.append) == ()
    assert "no errors were found" in lines
    for pack in Path(restic.repository, "data").glob("*/*"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:-40] + bytes(40))
    problems = verify(restic, read_data=True)
    assert problems
    with pytest.raises(WrongPassword):
        verify(restic.with_password("no"))


def test_verify_says_something_at_least(fake_restic: Fake, state: Path) -> None:
    program = fake_restic("echo 'Fatal: repository contains errors' >&2; exit 1")
    assert verify(Restic.at(program, "r", state)) == ("Fatal: repository contains errors",)


def test_restore(restic: Restic, share: Path, tmp_path: Path) -> None:
    back_up(restic, share)
    target = tmp_path / "new" / "folder"
    assert restore(restic, "latest", str(target)) == ()
    there = Path(str(target) + str(share))
    assert (there / "a.txt").read_bytes() == (share / "a.txt").read_bytes()
    assert sorted(os.listdir(os.fsencode(there))) == [b"a.txt", b"b.txt", b"caf\xe9.txt", b"d"]
    with pytest.raises(NotPermitted, match="not empty"):
        restore(restic, "latest", str(target))


def test_restore_refuses(restic: Restic, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(NotPermitted, match="a file stands there"):
        restore(restic, "latest", str(tmp_path / "file"))
    with pytest.raises(NotPermitted, match="cannot be used"):
        restore(restic, "latest", str(tmp_path / "file" / "below"))
    with pytest.raises(NoSuchTarget, match="no matching ID"):
        restore(restic, "abcdef12", str(tmp_path / "new"))
    with pytest.raises(NoSuchTarget, match="no snapshot"):
        restore(restic, "--delete", str(tmp_path / "new"))


def test_restore_in_part(fake_restic: Fake, state: Path, tmp_path: Path) -> None:
    lines = "echo 'ignoring error for /srv/a: permission trouble' >&2; echo 'Fatal: 1 error' >&2; exit 1"
    restic = Restic.at(fake_restic(lines), "r", state)
    (missed,) = restore(restic, "latest", str(tmp_path / "new"))
    assert (missed.path, missed.reason) == ("/srv/a", "permission trouble")
    nothing = Restic.at(fake_restic("echo 'Fatal: odd' >&2; exit 1"), "r", state)
    with pytest.raises(VigieError, match="odd"):
        restore(nothing, "latest", str(tmp_path / "new"))


def test_restore_onto_a_full_disk(restic: Restic, small_disk: Path, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.mkdir()
    (big / "file").write_bytes(os.urandom(6_000_000))
    back_up(restic, big)
    with pytest.raises(DiskFull):
        restore(restic, "latest", str(small_disk / "to"))


def test_verify_says_at_once_what_it_finds_and_that_it_tries_again(fake_restic: Fake, state: Path) -> None:
    program = fake_restic(
        'for after in 1.5 3; do echo "Load(<data/ab>) returned error, retrying after $after" >&2; done\n'
        "echo 'error for tree 12:' >&2; echo 'Fatal: repository contains errors' >&2; exit 1"
    )
    lines: list[str] = []
    problems: list[str] = []
    found = verify(Restic.at(program, "r", state), on_line=lines.append, on_problem=problems.append)
    assert found == tuple(problems) == ("error for tree 12:", "Fatal: repository contains errors")
    beforehand, *tries = lines
    assert "ten times" in beforehand
    assert tries == [f"Load(<data/ab>): tried again after {after}" for after in ("1.5", "3")]


def test_verify_says_once_how_far_it_is(fake_restic: Fake, state: Path) -> None:
    program = fake_restic(
        'for at in 0:00 0:01 1:00:02; do echo "[$at] 50.00%  1 / 2 packs"; done; echo done; echo done'
    )
    lines: list[str] = []
    assert verify(Restic.at(program, "r", state), on_line=lines.append) == ()
    assert lines == ["[0:00] 50.00%  1 / 2 packs", "done", "done"]


def test_verify_has_a_cache_or_does_without(restic: Restic) -> None:
    problems: list[str] = []
    assert verify(restic, on_problem=problems.append) == ()
    assert problems == []
    shutil.rmtree(restic.cache)
    Path(restic.cache).touch()
    assert verify(restic, on_problem=problems.append) == ()
    assert problems == []
