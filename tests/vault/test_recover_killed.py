"""`vigie recover`, killed at ten random instants: it ends identical, and nothing is written twice."""

import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vigie.vault import Restic
from vigie.vault.batch import FILES
from vigie.vault.manifest_check import check_manifest

TEXT = b"Madame, votre bilan sanguin est normal. Merci de revenir dans six mois.\n"
COUNT = 600
PASSWORD = "pass word\u00e9"  # of the template
IN_FLIGHT = 2 * FILES


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed") / "many"
    for number in range(COUNT):
        path = folder / f"d{number % 7}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d " % number + TEXT * (number % 50 + 1))
        path.chmod(0o600 + number % 7 * 8)
    return folder


@pytest.fixture(scope="module")
def backup(many: Path, template: Path) -> Restic:
    """A backup of them: only read, so one serves all instants."""
    place = Path(shutil.copytree(template, many.parent / "repository"))
    restic = Restic.at("restic", str(place), many.parent / "state").with_password(PASSWORD)
    restic.run("backup", "--", str(many))
    return restic


def recover(restic: Restic, state: Path, to: Path, *, limit: str) -> subprocess.Popen[bytes]:
    environment = dict(restic.environment) | {"VIGIE_STATE": str(state)}
    source = f"restic:{restic.repository}"
    command = (
        sys.executable,
        "-m",
        "vigie",
        "recover",
        source,
        "--to",
        str(to),
        "--json",
        f"--limit={limit}",
    )
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def there(top: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of each file that has its final name."""
    found = (path for path in top.rglob("*") if path.is_file() and not path.name.startswith(".vigie-"))
    return {str(path.relative_to(top)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


@pytest.mark.parametrize("seed", range(10))
def test_killed_at_any_instant(backup: Restic, state: Path, many: Path, tmp_path: Path, seed: int) -> None:
    to = tmp_path / "to"
    child = recover(backup, state, to, limit="1500K")
    deadline = time.monotonic() + 60
    while not (to / "vigie-manifest.jsonl").exists():
        assert child.poll() is None, child.stdout and child.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(random.Random(seed).uniform(0, 0.9))
    os.killpg(child.pid, signal.SIGKILL)
    reported = child.communicate()[0].count(b'"outcome": "restored"')
    top = Path(f"{to}{many}")
    before = there(top)
    assert reported <= len(before)

    out = recover(backup, state, to, limit="0").communicate(timeout=60)[0]
    after = there(top)
    # What had its name kept it: the very same file. What was not finished is written again.
    assert {name: after[name] for name in before} == before
    assert out.count(b'"outcome": "already"') == len(before)
    assert out.count(b'"outcome": "restored"') == COUNT - len(before)
    assert len(before) - reported <= IN_FLIGHT
    # Identical to what an uninterrupted run would have made: to what was backed up.
    originals = [path for path in many.rglob("*") if path.is_file()]
    assert len(originals) == len(after) == COUNT
    for path in originals:
        back = top / path.relative_to(many)
        assert back.read_bytes() == path.read_bytes()
        assert stat.S_IMODE(back.stat().st_mode) == stat.S_IMODE(path.stat().st_mode)
        assert back.stat().st_mtime_ns == path.stat().st_mtime_ns
    assert not list(to.rglob(".vigie-*"))
    found = check_manifest(str(to))
    assert (found.files, found.problems, found.ended) == (COUNT, [], True)
