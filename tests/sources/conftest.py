"""Repositories made by the stock restic and borg, once a session; some served by the stock rclone."""

import importlib.util
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

PASSWORD = "correct horse battery staple"

FIRST = {
    b"archive/2024/old.txt": b"kept as it is\n",
    b"archive/copy.txt": b"same bytes\n",
    b"empty.txt": b"",
    b"latin-\xe9t\xe9.txt": b"a name in Latin-1\n",
    'accentué "quoted"\\\n\u2028.txt'.encode(): b"a name that needs quoting\n",
    b"changing.txt": b"before\n" * 2000,
    b"gone.txt": b"only in the first snapshot\n",
    b"imaging/large.bin": os.urandom(3_000_000),
    b"same.txt": b"same bytes\n",
}
SECOND = {key: value for key, value in FIRST.items() if key != b"gone.txt"} | {
    b"changing.txt": b"after\n" * 3000,
    b"new.txt": b"only in the second snapshot\n",
}


def restic(repository: Path, *arguments: str, cwd: Path | None = None) -> None:
    subprocess.run(
        ["restic", "-r", str(repository), "--no-cache", "-q", *arguments],
        check=True,
        capture_output=True,
        cwd=cwd,
        env=os.environ | {"RESTIC_PASSWORD": PASSWORD},
    )


def borg(home: Path, *arguments: str, cwd: Path | None = None) -> None:
    subprocess.run(
        ["borg", *arguments],
        check=True,
        capture_output=True,
        cwd=cwd,
        env=os.environ
        | {"BORG_PASSPHRASE": PASSWORD, "BORG_BASE_DIR": str(home), "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    )


def write(folder: Path, files: dict[bytes, bytes]) -> None:
    for name, data in files.items():
        path = os.path.join(os.fsencode(folder), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        os.utime(path, ns=(1_600_000_000_000_000_001, 1_600_000_000_123_456_789))


@pytest.fixture(scope="session")
def password() -> str:
    return PASSWORD


@pytest.fixture(scope="session")
def truth() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What the two snapshots hold, by path."""
    return tuple({os.fsdecode(b"/" + k): v for k, v in files.items()} for files in (FIRST, SECOND))  # type: ignore[return-value] # a tuple of two


@pytest.fixture(scope="session")
def repository(
    tmp_path_factory: pytest.TempPathFactory, quick_key: Callable[[Path, str], None]
) -> Callable[[int, str], Path]:
    """A repository of that format and compression: two snapshots of one folder, made once a session."""
    if not shutil.which("restic"):
        pytest.skip("restic is not installed")
    made: dict[tuple[int, str], Path] = {}

    def make(version: int, compression: str) -> Path:
        if (version, compression) in made:
            return made[version, compression]
        top = tmp_path_factory.mktemp(f"restic{version}{compression}")
        data, place = top / "data", top / "repository"
        data.mkdir()
        write(data, FIRST)
        os.symlink("same.txt", data / "link.txt")
        os.mkfifo(data / "pipe")
        os.chmod(data / "same.txt", 0o2640)
        restic(place, "init", "--repository-version", str(version))
        quick_key(place, PASSWORD)
        options = () if version == 1 else ("--compression", compression)
        restic(place, *options, "backup", ".", "--host", "cabinet", "--tag", "nightly", cwd=data)
        os.unlink(data / "gone.txt")
        write(data, SECOND)
        restic(place, *options, "backup", ".", "--host", "cabinet", cwd=data)
        made[version, compression] = place
        return place

    return make


@pytest.fixture(scope="session")
def borg_repository(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """A borg repository of that encryption and compression: two archives of one folder."""
    if not shutil.which("borg"):
        pytest.skip("borg is not installed")
    made: dict[tuple[str, str], Path] = {}

    def make(encryption: str, compression: str) -> Path:
        if (encryption, compression) in made:
            return made[encryption, compression]
        top = tmp_path_factory.mktemp(f"borg{encryption}{compression}")
        data, place = top / "data", top / "repository"
        data.mkdir()
        write(data, FIRST)
        os.symlink("same.txt", data / "link.txt")
        os.mkfifo(data / "pipe")
        borg(top, "init", "-e", encryption, str(place))
        options = ("create", "-C", compression, "--timestamp")
        borg(top, *options, "2026-11-03T08:00:00", f"{place}::first", ".", cwd=data)
        os.unlink(data / "gone.txt")
        write(data, SECOND)
        borg(top, *options, "2026-11-04T08:00:00", f"{place}::second", ".", cwd=data)
        made[encryption, compression] = place
        return place

    return make


@pytest.fixture(scope="session")
def snapshots_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """Two moments of one folder: rotated ones with hard links (`cp -al`), or full copies named by date."""

    def make(linked: bool) -> Path:
        top = tmp_path_factory.mktemp("snapshots")
        old, new = (
            top / name for name in (("daily.1", "daily.0") if linked else ("2026-11-03", "2026-11-04"))
        )
        old.mkdir()
        write(old, FIRST)
        os.symlink("same.txt", old / "link.txt")
        if linked:
            shutil.copytree(old, new, symlinks=True, copy_function=os.link)
        else:
            shutil.copytree(old, new, symlinks=True)
        for name, data in SECOND.items():
            if FIRST.get(name) != data:
                (new / os.fsdecode(name)).unlink(missing_ok=True)
                write(new, {name: data})
        (new / "gone.txt").unlink()
        # hourly.0 and its like are dated by their folder
        os.utime(old, (1_700_000_000, 1_700_000_000))
        os.utime(new, (1_700_086_400, 1_700_086_400))
        os.symlink(new.name, top / "latest")
        return top

    return make


@pytest.fixture(scope="session")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], tuple[str, Path]]]:
    """Serve a folder by `rclone serve sftp`: gives user, host and port, and a home whose key opens it."""
    if not shutil.which("rclone"):
        pytest.skip("rclone is not installed")
    children: list[subprocess.Popen[bytes]] = []

    def start(place: Path) -> tuple[str, Path]:
        top = tmp_path_factory.mktemp("sftp")
        ssh = top / "home" / ".ssh"
        ssh.mkdir(parents=True)
        host, user = _ssh_key(top / "host"), _ssh_key(ssh / "id_ed25519")
        (top / "authorized").write_text(f"{user}\n")
        keys = ["--key", str(top / "host"), "--authorized-keys", str(top / "authorized")]
        with (top / "log").open("wb") as stderr:
            child = subprocess.Popen(
                ["rclone", "serve", "sftp", "--addr", "127.0.0.1:0", "--read-only", *keys, str(place)],
                stderr=stderr,
            )
        children.append(child)
        for _ in range(500):
            if found := re.search(r"listening on (127\.0\.0\.1):(\d+)", (top / "log").read_text()):
                (ssh / "known_hosts").write_text(f"[{found[1]}]:{found[2]} {host}\n")
                return f"vigie@{found[1]}:{found[2]}", top / "home"
            time.sleep(0.02)
        raise AssertionError((top / "log").read_text())

    yield start
    for child in children:
        child.terminate()
        child.wait(10)


@pytest.fixture(scope="session")
def s3() -> Iterator[Callable[[Path], str]]:
    """Serve a folder as S3 does, for the access key id "vigie-id"; gives restic's location of it."""
    path = Path(__file__).with_name("object_store.py")
    spec = importlib.util.spec_from_file_location("object_store", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stores: list[Any] = []

    def start(place: Path) -> str:
        stores.append(module.ObjectStore(place))
        return str(stores[-1].location)

    yield start
    for store in stores:
        store.shutdown()
        store.server_close()


def _ssh_key(path: Path) -> str:
    """A new key in that file, for its owner only; gives its public half."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], str]]:
    """Serve a repository by `rclone serve restic`, user "vigie", password "p w"; gives host and port."""
    if not shutil.which("rclone"):
        pytest.skip("rclone is not installed")
    children: list[subprocess.Popen[bytes]] = []
    logs = tmp_path_factory.mktemp("rclone")

    def start(place: Path) -> str:
        log = logs / f"rclone{len(children)}.log"
        with log.open("wb") as stderr:
            child = subprocess.Popen(
                ["rclone", "serve", "restic", "--append-only", "--addr", "127.0.0.1:0", str(place)],
                stderr=stderr,
                env=os.environ | {"RCLONE_USER": "vigie", "RCLONE_PASS": "p w"},
            )
        children.append(child)
        for _ in range(500):
            if found := re.search(r"on \[?http://([0-9.:]+)/", log.read_text()):
                return found[1]
            time.sleep(0.02)
        raise AssertionError(log.read_text())

    yield start
    for child in children:
        child.terminate()
        child.wait(10)
