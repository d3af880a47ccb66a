"""The vault from end to end, as a person uses it: keep, list, verify, restore, timeline, recover."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TEXT = "Madame, votre bilan sanguin est normal. Merci de revenir dans six mois.\n"


class Practice:
    """A folder, a repository, a state folder, and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.share = folder / "share"
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("RESTIC_", "VIGIE_"))
        } | {
            "RESTIC_PASSWORD": "pw",
            "RESTIC_REPOSITORY": str(folder / "repository"),
            "VIGIE_STATE": str(folder / "state"),
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vigie", *arguments],
            env=self.environment | environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def records(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stderr + done.stdout
        return [json.loads(line) for line in done.stdout.splitlines()]

    def letter(self, name: str, text: str = TEXT) -> None:
        (self.share / name).write_text(f"{name}: " + text * 60)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, quick_key: Callable[[Path, str], None]) -> Practice:
    """Four letters and an empty repository, made once."""
    if shutil.which("restic") is None:
        pytest.skip("restic is not installed")
    practice = Practice(tmp_path_factory.mktemp("practice"))
    practice.share.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        practice.letter(name)
    with open(os.fsencode(practice.share) + b"/caf\xe9.txt", "w", encoding="utf-8") as file:
        file.write(TEXT * 60)
    done = practice.run("vault", "init")
    assert done.returncode == 0, done.stderr
    assert "is ready" in done.stdout
    quick_key(practice.folder / "repository", "pw")
    return practice


@pytest.fixture(scope="module")
def attacked(empty: Practice) -> Practice:
    """Two snapshots: healthy; then a.txt struck in place and b.txt under a longer name."""
    (kept,) = empty.records("vault", "keep", "share")
    assert kept["summary"]["intact"] == 4
    (empty.share / "a.txt").write_bytes(os.urandom(5000))
    (empty.share / "b.txt").unlink()
    (empty.share / "b.txt.locked").write_bytes(os.urandom(5000))
    *verdicts, kept = empty.records("vault", "keep", "share", code=1)
    assert {os.path.basename(record["path"]) for record in verdicts} == {"a.txt", "b.txt.locked"}
    assert all(record["verdict"] == "encrypted" and record["evidence"] for record in verdicts)
    assert (kept["summary"]["files"], kept["summary"]["encrypted"]) == (4, 2)
    return empty


def test_init_twice(empty: Practice) -> None:
    done = empty.run("vault", "init")
    assert done.returncode == 2
    assert "already exists" in done.stderr
    assert "vigie vault keep" in done.stderr


def test_list(attacked: Practice) -> None:
    first, second, last = attacked.records("vault", "list")
    assert [item["encrypted"] for item in (first, second)] == [0, 2]
    assert "vigie-encrypted" in second["tags"]
    assert last == {"summary": {"snapshots": 2, "encrypted": 1}}
    done = attacked.run("vault", "list")
    assert done.returncode == 0
    assert first["snapshot"][:8] in done.stdout


def test_verify(attacked: Practice) -> None:
    (summary,) = attacked.records("vault", "verify", "--read-data")
    assert summary == {"summary": {"problems": 0, "read_data": True}}
    assert "whole" in attacked.run("vault", "verify").stdout


def test_verify_damaged(attacked: Practice, tmp_path: Path) -> None:
    copy = shutil.copytree(attacked.folder / "repository", tmp_path / "damaged")
    for pack in copy.glob("data/*/*"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:-40] + bytes(40))
    *problems, summary = attacked.records("vault", "verify", "--read-data", "-r", str(copy), code=1)
    assert problems
    assert all(record["problem"] for record in problems)
    assert summary["summary"]["problems"] == len(problems)
    assert "damaged" in attacked.run("vault", "verify", "--read-data", "-r", str(copy)).stdout


def test_restore(attacked: Practice, tmp_path: Path) -> None:
    (summary,) = attacked.records("vault", "restore", "latest", "--to", str(tmp_path / "to"))
    assert summary["summary"]["missed"] == 0
    assert Path(f"{tmp_path}/to{attacked.share}/b.txt.locked").exists()
    again = attacked.run("vault", "restore", "latest", "--to", str(tmp_path / "to"))
    assert again.returncode == 2
    assert "not empty" in again.stderr


def test_timeline(attacked: Practice) -> None:
    first, second, last = attacked.records("timeline", f"restic:{attacked.folder / 'repository'}", code=1)
    assert set(first) == {"snapshot", "time", "files", "new", "changed", "encrypted", "suspect", "unread"}
    assert (first["files"], first["encrypted"], second["new"], second["encrypted"]) == (4, 0, 1, 2)
    summary = last["summary"]
    assert (summary["last_clean"], summary["first_hit"]) == (first["snapshot"], second["snapshot"])
    assert (summary["affected"], summary["unrecoverable"]) == (2, 0)
    done = attacked.run("timeline")
    assert done.returncode == 1
    assert "It began between" in done.stdout
    assert "2 documents affected; 2 never hit; 0 without a healthy version." in done.stdout


def test_recover_plan(attacked: Practice, tmp_path: Path) -> None:
    *files, plan = attacked.records("recover", "vault", "--plan")
    assert {os.path.basename(record["path"]): record["why"] for record in files} == {
        "a.txt": "older",
        "b.txt": "vanished",
        "c.txt": "newest",
        "caf\udce9.txt": "newest",
    }
    assert (plan["summary"]["planned"], plan["summary"]["restored"]) == (4, 0)
    assert not (tmp_path / "to").exists()


def test_recover(attacked: Practice, tmp_path: Path) -> None:
    *files, last = attacked.records("recover", "vault", "--to", str(tmp_path / "to"))
    assert all({"path", "snapshot", "size", "sha256", "verdict"} <= set(record) for record in files)
    assert (last["summary"]["restored"], last["summary"]["verified"]) == (4, 4)
    assert sum(last["summary"]["by_snapshot"].values()) == 4
    assert Path(f"{tmp_path}/to{attacked.share}/a.txt").read_text().startswith("a.txt: Madame")
    Path(f"{tmp_path}/to{attacked.share}/a.txt").write_text("mine")
    again = attacked.run("recover", "vault", "--to", str(tmp_path / "to"))
    assert again.returncode == 3
    assert "exists: " in again.stdout
    assert "3 files back, 3 verified healthy, 1 exists." in again.stdout


def test_recover_needs_a_place(attacked: Practice) -> None:
    done = attacked.run("recover", "vault")
    assert done.returncode == 2
    assert "--to DIR" in done.stderr


def test_two_machines(attacked: Practice, tmp_path: Path) -> None:
    copy = shutil.copytree(attacked.folder / "repository", tmp_path / "copy")
    command = ["restic", "-r", str(copy), "backup", "--host", "another", "--", str(attacked.share)]
    environment = attacked.environment | {"RESTIC_CACHE_DIR": str(tmp_path / "cache")}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    done = attacked.run("timeline", f"restic:{copy}")
    assert done.returncode == 2
    assert "--host another|" in done.stderr
    assert len(attacked.records("timeline", f"restic:{copy}", "--host", "another", code=1)) == 2


def test_settings_name_it_all(attacked: Practice, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pw\n")
    (tmp_path / "vigie.toml").write_text(
        f"[vault]\nrepository = {json.dumps(str(attacked.folder / 'repository'))}\n"
        f"password_file = {json.dumps(str(tmp_path / 'password'))}\n"
    )
    done = attacked.run(
        "vault",
        "list",
        "--json",
        "--settings",
        str(tmp_path / "vigie.toml"),
        RESTIC_PASSWORD="",
        RESTIC_REPOSITORY="",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["summary"]["snapshots"] == 2


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("list",), {"RESTIC_PASSWORD": "wrong"}, "wrong password"),
        (("list",), {"RESTIC_PASSWORD": ""}, "no password is given"),
        (("list", "-r", "/no/such/repository"), {}, "vigie vault init"),
        (("list",), {"RESTIC_REPOSITORY": ""}, "no repository is named"),
        (("list",), {"PATH": "/nonexistent"}, "apt-get install restic"),
        (("keep",), {}, "nothing to keep is named"),
        (("keep", "no-such-folder"), {}, "no-such-folder"),
        (("restore", "abcdef12", "--to", "new"), {}, "vigie vault list"),
    ],
)
def test_what_people_get_wrong(
    empty: Practice, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    done = empty.run("vault", *arguments, **environment)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
