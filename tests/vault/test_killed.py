"""`vigie vault keep`, ended in the middle: the repository is whole, and the next keep works."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.vault import Restic, verify


@pytest.fixture
def big(tmp_path: Path) -> Path:
    folder = tmp_path / "big"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.bin").write_bytes(os.urandom(4_000_000))
    return folder


@pytest.fixture
def keeping(restic: Restic, big: Path, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A keep that is uploading: packs are coming in, no snapshot is there yet."""
    environment = dict(restic.environment) | {"VIGIE_STATE": str(state)}
    command = (sys.executable, "-m", "vigie", "vault", "keep", str(big))
    child = subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    data, locks = Path(restic.repository, "data"), Path(restic.repository, "locks")
    deadline = time.monotonic() + 60
    while not (any(locks.iterdir()) and any(path.is_file() for path in data.rglob("*"))):
        assert child.poll() is None, child.stdout and child.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    try:
        yield child
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()


def _restic_of(keeping: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{keeping.pid}/task/{keeping.pid}/children").read_text().split()
    (found,) = [pid for pid in children if Path(f"/proc/{pid}/comm").read_text() == "restic\n"]
    return int(found)


def _alive(pid: int) -> bool:
    # Until its exit is collected as well: restic takes the lock of a zombie for that of a living process.
    return Path(f"/proc/{pid}").exists()


def test_killed(keeping: subprocess.Popen[bytes], restic: Restic, share: Path) -> None:
    uploading = _restic_of(keeping)
    os.killpg(keeping.pid, signal.SIGKILL)
    keeping.communicate()
    # The kernel told restic: it does not go on alone.
    deadline = time.monotonic() + 20
    while _alive(uploading):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert list(Path(restic.repository, "snapshots").iterdir()) == []
    assert verify(restic) == ()
    restic.run("backup", "--", str(share))


def test_restic_killed_alone(keeping: subprocess.Popen[bytes], restic: Restic, share: Path) -> None:
    os.kill(_restic_of(keeping), signal.SIGKILL)
    out, _ = keeping.communicate(timeout=30)
    assert (keeping.returncode, b"signal 9" in out) == (2, True)
    # Its lock is still there; whoever held it is dead, so it does not stop anybody.
    assert any(Path(restic.repository, "locks").iterdir())
    assert verify(restic) == ()
    restic.run("backup", "--", str(share))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(keeping: subprocess.Popen[bytes], restic: Restic, number: signal.Signals) -> None:
    keeping.send_signal(number)
    out, _ = keeping.communicate(timeout=30)
    assert keeping.returncode == 130
    assert b"interrupted" in out
    # By the time we end, restic has ended.
    assert list(Path(restic.repository, "locks").iterdir()) == []
    assert verify(restic) == ()
