"""Real restic repositories, and a judge whose verdict stands in the first byte of the file."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from vigie.errors import Unreadable
from vigie.journal import Journal
from vigie.model import Blob, Entry, Judge, Likeness, Skipped, State, Verdict
from vigie.vault import JudgeAll, Restic

PASSWORD = "pass word\u00e9"
STATES = {b"E": State.ENCRYPTED, b"D": State.DAMAGED, b"U": State.UNKNOWN}


def _judge(blob: Blob, name: str, before: Likeness | None = None) -> Verdict:  # noqa: ARG001 - a Judge
    state = STATES.get(blob.at(0, 1), State.INTACT)
    likeness = Likeness(state, None, blob.size, 0.0, b"")
    return Verdict(state, evidence=(f"its first byte says {state.value}",), likeness=likeness)


def _judge_all(
    entries: Iterable[Entry | Skipped],
    /,
    before: Callable[[str], Likeness | None] | None = None,
) -> Iterator[tuple[Entry | Skipped, Verdict]]:
    for entry in entries:
        if isinstance(entry, Skipped):
            yield entry, Verdict.skipped(entry.reason)
            continue
        try:
            blob = entry.open()
        except Unreadable as error:
            yield entry, Verdict.skipped(error.reason)
            continue
        yield entry, _judge(blob, entry.path, before(entry.path) if before else None)
        blob.close()


@pytest.fixture
def judge() -> Judge:
    return _judge


@pytest.fixture
def judge_all() -> JudgeAll:
    return _judge_all


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, quick_key: Callable[[Path, str], None]) -> Path:
    """An empty repository, made once: deriving its key takes seconds on purpose."""
    if shutil.which("restic") is None:
        pytest.skip("restic is not installed")
    path = tmp_path_factory.mktemp("template") / "repository"
    environment = os.environ | {"RESTIC_PASSWORD": PASSWORD, "RESTIC_CACHE_DIR": str(path.parent / "cache")}
    subprocess.run(["restic", "-r", str(path), "init"], env=environment, check=True, capture_output=True)
    quick_key(path, PASSWORD)
    return path


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "repository"))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def restic(repository: Path, state: Path) -> Restic:
    return Restic.at("restic", str(repository), state).with_password(PASSWORD)


@pytest.fixture
def journal(state: Path) -> Iterator[Journal]:
    with Journal(state) as opened:
        yield opened


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A folder with four healthy files, one of them with a name that is not UTF-8."""
    folder = tmp_path / "share"
    (folder / "d").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "d/c.txt"):
        (folder / name).write_bytes(b"I " + name.encode() * 50)
    with open(os.fsencode(folder) + b"/caf\xe9.txt", "wb") as file:
        file.write(b"I latin" * 20)
    return folder


@pytest.fixture
def fake_restic(tmp_path: Path) -> Callable[[str], str]:
    """Make a program that says it is restic and then does what the given shell lines say."""

    def make(lines: str, version: str = "restic 0.17.3 compiled with go1.22 on linux/amd64") -> str:
        path = tmp_path / "bin" / "restic"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nif [ "$1" = version ]; then echo "{version}"; exit 0; fi\n{lines}\n')
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def small_disk(tmp_path: Path, as_root: None) -> Iterator[Path]:  # noqa: ARG001 - it skips
    """A file system of 4 MiB, in memory."""
    path = tmp_path / "small"
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)
