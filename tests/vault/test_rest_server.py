"""A real append-only REST server on the loopback: the vault an attacker on this machine cannot empty."""

import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.errors import NoSuchTarget
from vigie.journal import Journal
from vigie.sources.restic import ResticSource
from vigie.vault import JudgeAll, Restic, keep, snapshots, verify


@pytest.fixture
def server(repository: Path, tmp_path: Path) -> Iterator[str]:
    if shutil.which("rclone") is None:
        pytest.skip("rclone is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    command = [
        "timeout",
        "60",
        "rclone",
        "serve",
        "restic",
        "--append-only",
        "--addr",
        address,
        str(repository),
    ]
    environment = os.environ | {"RCLONE_CONFIG": str(tmp_path / "rclone.conf")}
    child = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 15
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield f"rest:http://{address}/"
    finally:
        child.terminate()
        child.wait()


def test_keep_list_and_verify(
    server: str, restic: Restic, share: Path, judge_all: JudgeAll, journal: Journal, state: Path
) -> None:
    password = restic.environment["RESTIC_PASSWORD"]
    remote = Restic.at("restic", server, state).with_password(password)
    kept = keep(remote, [str(share)], judge_all, journal)
    (listed,) = snapshots(remote)
    assert listed.snapshot.startswith(kept.snapshot)
    assert verify(remote) == ()
    with ResticSource(server, password) as source:
        assert len(list(source.versions(source.snapshots()[0]))) == 4


def test_what_is_kept_cannot_be_taken_away(server: str, restic: Restic, share: Path, state: Path) -> None:
    remote = Restic.at("restic", server, state).with_password(restic.environment["RESTIC_PASSWORD"])
    remote.run("backup", "--", str(share))
    (listed,) = snapshots(remote)
    # What `restic forget` asks for; restic itself would try again for most of a minute.
    connection = http.client.HTTPConnection(server.removeprefix("rest:http://").rstrip("/"), timeout=10)
    connection.request("DELETE", f"/snapshots/{listed.snapshot}")
    assert connection.getresponse().status == 403
    connection.close()
    assert snapshots(remote) == (listed,)


def test_nobody_answers(state: Path) -> None:
    remote = Restic.at("restic", "rest:http://127.0.0.1:9/", state).with_password("x")
    with pytest.raises(NoSuchTarget, match="refused"):
        snapshots(remote)
