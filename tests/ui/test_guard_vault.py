"""A real guard with a real vault: versions kept close, the seal from the incident to its release, a decoy."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.root,
    pytest.mark.alone,
    pytest.mark.usefixtures("as_root"),
    pytest.mark.skipif(shutil.which("restic") is None, reason="restic is not installed"),
]

VIGIE = (sys.executable, "-m", "vigie")
TEXT = "Haemoglobin 13.2 g/dl, all is well.\n" * 200
SPOIL = """if True:
    import os, sys
    for path in sys.argv[1:]:
        size = os.path.getsize(path)
        with open(path, "r+b") as file:
            file.write(os.urandom(size))
"""


def restic(place: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    secret = {"RESTIC_REPOSITORY": str(place / "vault"), "RESTIC_PASSWORD_FILE": str(place / "password")}
    cache = {"RESTIC_CACHE_DIR": str(place / "cache")}
    return subprocess.run(
        ["restic", *words], env=os.environ | secret | cache, capture_output=True, text=True, check=False
    )


@pytest.fixture
def place(tmp_path: Path, quick_key: Callable[[Path, str], None]) -> Path:
    (tmp_path / "share").mkdir()
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o600)
    assert restic(tmp_path, "init").returncode == 0
    quick_key(tmp_path / "vault", "secret")
    (tmp_path / "vigie.toml").write_text(
        f"""[vault]
repository = "{tmp_path}/vault"
password_file = "{tmp_path}/password"
[guard]
keep_close = 0.5
"""
    )
    return tmp_path


def vigie(place: Path, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    common = ("--state", place / "state", "--settings", place / "vigie.toml")
    command = [*map(str, (*VIGIE, *words, *common))]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_kept_close_and_sealed(place: Path) -> None:
    share = place / "share"
    for number in range(20):
        (share / f"{number:02}.txt").write_text(TEXT)
    placed = vigie(place, "guard", "decoys", "place", share)
    assert placed.returncode == 0, placed.stderr
    words = [*VIGIE, "guard", str(share), "--contain", "--json", "--state", str(place / "state")]
    guard = subprocess.Popen(
        [*words, "--settings", str(place / "vigie.toml")], stdout=subprocess.PIPE, text=True
    )
    assert guard.stdout is not None
    events: list[dict[str, Any]] = []

    def until(**fields: object) -> dict[str, Any]:
        assert guard.stdout is not None
        for line in guard.stdout:
            events.append(json.loads(line))
            if fields.items() <= events[-1].items():
                return events[-1]
        raise AssertionError(f"no {fields} among {events}")

    try:
        until(event="baseline")
        (share / "saved a minute before.txt").write_text(TEXT + "and new")
        end = time.monotonic() + 20
        while "saved a minute before.txt" not in restic(place, "ls", "latest").stdout:
            assert time.monotonic() < end
            time.sleep(0.2)
        tags = restic(place, "snapshots", "--json").stdout
        assert "vigie-close" in tags

        paths = [str(share / f"{number:02}.txt") for number in range(3)]
        attack = subprocess.Popen([sys.executable, "-c", SPOIL, *paths], start_new_session=True)
        try:
            incident = until(event="incident", acts=True)
            until(kind="freeze", outcome="frozen")
            until(kind="seal-vault", in_force=True)
            forget = restic(place, "forget", "--keep-last=1", "--prune")
            assert forget.returncode != 0
            assert "already locked" in forget.stderr
            assert vigie(place, "guard", "status").returncode == 1
            attack.kill()  # or it would go on
            attack.wait()
            done = vigie(place, "release", incident["id"])
            assert done.returncode == 0, done.stderr
            assert "the seal is off" in done.stdout
        finally:
            attack.kill()
            attack.wait()
        assert restic(place, "forget", "--keep-last=1", "--prune").returncode == 0
        assert restic(place, "check").returncode == 0

        decoy = json.loads(vigie(place, "guard", "decoys", "list", "--json").stdout.splitlines()[0])["path"]
        with open(decoy, "ab") as file:
            file.write(b" ")
        told = until(event="incident")  # told only, unless something that was spoilt is judged late
        assert "decoy was touched" in told["reason"]
    finally:
        guard.terminate()
        guard.communicate(timeout=60)
    again = vigie(place, "guard", "--replay", "--json").stdout.splitlines()
    reasons = [json.loads(line).get("reason", "") for line in again]
    assert incident["reason"] in reasons
    assert told["reason"] in reasons
