"""A real guard, a real Samba, real clients: who destroys files is named and cut off, the others go on."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from samba_server import Server, commands, missing, samba

pytestmark = [
    pytest.mark.root,
    pytest.mark.alone,
    pytest.mark.skipif(bool(missing()), reason=f"not here: {missing()}"),
]

SIZE = 12 * 1024
FILES = 200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with samba(tmp_path_factory.mktemp("samba"), clients=3) as server:
        yield server


@pytest.fixture
def settings(server: Server, tmp_path: Path) -> Callable[..., Path]:
    def write(more: str = "") -> Path:
        path = tmp_path / "vigie.toml"
        path.write_text(f'[guard.samba]\nconfig = "{server.config}"\n{more}')
        return path

    return write


def fill(folder: Path) -> dict[str, bytes]:
    """Texts of this run, in a folder of this run."""
    for old in folder.iterdir():
        old.unlink()
    for number in range(FILES):
        line = f"Patient {number}: haemoglobin 13.{number % 10} g/dl, all is well.\n"
        (folder / f"report-{number:05}.txt").write_text(line * (SIZE // len(line)))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Watching:
    """`vigie guard --contain` in the network of the server."""

    def __init__(self, server: Server, settings: Path, state: Path) -> None:
        words = (sys.executable, "-m", "vigie", "guard", server.folder, "--contain", "--json")
        self.process = subprocess.Popen(
            server.words(*words, "--state", state, "--settings", settings), stdout=subprocess.PIPE, text=True
        )
        self.events: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.events.append(json.loads(line))
                self._news.notify_all()

    def until(self, seconds: float = 30, **fields: object) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next((e for e in self.events if fields.items() <= e.items()), None)

        with self._news:
            assert self._news.wait_for(found, seconds), (fields, self.events)
            event = found()
        assert event is not None
        return event

    def end(self) -> int:
        self.process.terminate()
        code = self.process.wait(15)
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@pytest.fixture
def watch(server: Server, tmp_path: Path) -> Iterator[Callable[[Path], Watching]]:
    running: list[Watching] = []

    def begin(settings: Path) -> Watching:
        running.append(Watching(server, settings, tmp_path / "state"))
        running[-1].until(event="baseline")
        return running[-1]

    yield begin
    for one in running:
        if one.process.poll() is None:
            one.end()


def spoil(server: Server, junk: Path, number: int = 0) -> None:
    """A client puts random bytes over the files that this run made on this run's share."""
    junk.write_bytes(os.urandom(SIZE))
    names = [(junk, f"report-{n:05}.txt") for n in range(FILES)]
    process = server.clients[number].start()
    try:
        process.communicate(commands(names), timeout=4)
    except (BrokenPipeError, subprocess.TimeoutExpired):
        pass  # cut off
    finally:
        process.kill()
        process.communicate()


def test_who_destroys_files_is_named_and_cut_and_the_others_go_on(
    server: Server,
    watch: Callable[[Path], Watching],
    settings: Callable[..., Path],
    tmp_path: Path,
) -> None:
    before = fill(server.folder)
    chosen = settings()
    guard = watch(chosen)
    evil, nurse, doctor = server.clients
    at_work = [nurse.start(), doctor.start()]
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear colleague, thank you for seeing Mrs Martin.\n" * 50)
    spoil(server, tmp_path / "junk")

    incident = guard.until(event="incident")
    client = incident["actor"]["client"]
    assert client["address"] == evil.address
    guard.until(kind="deny-address", address=evil.address, outcome="denied")
    named = guard.until(kind="identify")
    assert f"user {evil.user}" in named["outcome"]
    assert f"share {server.share}" in named["outcome"]
    guard.until(kind="kill-client", address=evil.address)
    guard.until(kind="release", of="freeze", outcome="released")
    lost = [name for name, data in before.items() if (server.folder / name).read_bytes() != data]
    assert 3 <= len(lost) <= 20

    for number, process in enumerate(at_work):  # over connections that were open all the while
        said, _ = process.communicate(f'put "{letter}" letter-{number}.txt\n', timeout=15)
        assert "NT_STATUS" not in said
        assert (server.folder / f"letter-{number}.txt").read_bytes() == letter.read_bytes()

    state = tmp_path / "state"
    release = (sys.executable, "-m", "vigie", "release", incident["id"], "--state", state)
    done = subprocess.run(
        server.words(*release, "--settings", chosen), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "let in again" in done.stdout
    assert evil.do("ls").returncode == 0
    assert guard.end() == 1


def test_a_machine_that_is_never_cut_is_only_told_of(
    server: Server,
    watch: Callable[[Path], Watching],
    settings: Callable[..., Path],
    tmp_path: Path,
) -> None:
    fill(server.folder)
    guard = watch(settings('never_cut = ["10.77.0.0/30"]\n'))
    spoil(server, tmp_path / "junk")
    guard.until(event="incident")
    guard.until(kind="identify")
    time.sleep(0.3)
    assert guard.end() == 1
    kinds = {event["kind"] for event in guard.events if event["event"] == "action"}
    assert kinds == {"identify"}
    assert server.clients[0].do("ls").returncode == 0
