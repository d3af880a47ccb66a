"""The restic program: found, driven, ended gently, its complaints understood."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vigie.errors import MissingProgram, NoSuchTarget, RepositoryLocked, VigieError, WrongPassword
from vigie.vault import Restic
from vigie.vault.restic import message

Fake = Callable[..., str]


def test_the_password_is_no_argument_and_is_not_shown(restic: Restic) -> None:
    assert "pass word" not in repr(restic)
    assert restic.environment["RESTIC_PASSWORD"].startswith("pass word")
    assert not {"RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND"} & set(restic.environment)


def test_the_address_is_shown_without_its_password(state: Path) -> None:
    pytest.importorskip("vigie.sources.restic")
    restic = Restic.at("restic", "rest:http://user:secret@host/repo", state)
    assert "secret" not in restic.name
    assert "secret" not in repr(restic)[: repr(restic).index("repository=")]


def test_missing_too_old_or_something_else(
    fake_restic: Fake, monkeypatch: pytest.MonkeyPatch, state: Path, tmp_path: Path
) -> None:
    with pytest.raises(MissingProgram, match="no such program") as error:
        Restic.at("no-such-restic", "repo", state)
    assert error.value.remedy == "apt-get install restic"
    old = fake_restic("exit 0", version="restic 0.12.1 compiled with go1.18")
    monkeypatch.setenv("PATH", f"{Path(old).parent}:{os.environ['PATH']}")
    with pytest.raises(MissingProgram, match=r"version 0\.12 is too old"):
        Restic.at("restic", "repo", state)
    with pytest.raises(MissingProgram, match="this is not restic"):
        Restic.at("true", "repo", state)
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF nothing")
    broken.chmod(0o755)
    with pytest.raises(MissingProgram, match="it does not run"):
        Restic.at(str(broken), "repo", state)


def test_a_version_of_later_is_fine(fake_restic: Fake, state: Path) -> None:
    Restic.at(fake_restic("exit 0", version="restic v1.2.0-dev"), "repo", state)


def test_wrong_password_and_no_repository(restic: Restic, state: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongPassword):
        restic.with_password("another").run("cat", "config")
    with pytest.raises(NoSuchTarget):
        Restic.at("restic", str(tmp_path / "none"), state).with_password("x").run("cat", "config")


def test_what_is_said_is_bounded_and_streamed(fake_restic: Fake, state: Path) -> None:
    program = fake_restic('for i in $(seq 2000); do echo "out $i"; echo "err $i" >&2; done; exit 1')
    restic, out, err = Restic.at(program, "repo", state), list[str](), list[str]()
    with pytest.raises(VigieError, match="err 2000"):
        restic.run("anything", on_line=out.append, on_complaint=err.append)
    assert (len(out), len(err)) == (2000, 2000)
    output = restic.run("anything", fine=(1,))
    assert output.text.endswith("out 2000\n")
    assert len(output.said.splitlines()) == 500


def test_messages() -> None:
    assert message('{"a": 1}') == {"a": 1}
    assert message("[1]") is None
    assert message("{nonsense") is None
    assert message('{"a":' * 100_000) is None


@contextmanager
def held(restic: Restic) -> Iterator[int]:
    """A run that holds the repository exclusively, stopped in the middle; its process id."""
    locks = Path(restic.repository) / "locks"
    command = (restic.program[-1], "prune", "--max-unused=0")
    child = subprocess.Popen(command, env=dict(restic.environment), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        # Its name is final once it is whole; restic then waits 200 ms to see whether others lock as well.
        while not any(len(lock.name) == 64 for lock in locks.iterdir()):
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.001)
        child.send_signal(signal.SIGSTOP)
        assert any(locks.iterdir())
        yield child.pid
    finally:
        child.kill()
        child.wait()


def test_locked_by_a_live_run_and_by_a_dead_one(restic: Restic, share: Path) -> None:
    with held(restic) as pid:
        with pytest.raises(RepositoryLocked, match=f"by PID {pid} on") as error:
            restic.run("backup", "--", str(share))
        assert "Only if it is dead" in error.value.remedy
    # The lock is still there, and whoever held it is dead.
    assert any((Path(restic.repository) / "locks").iterdir())
    restic.run("backup", "--", str(share))


def test_a_lock_that_cannot_be_removed(fake_restic: Fake, state: Path) -> None:
    program = fake_restic("echo 'repository is already locked by PID 1 on x' >&2; exit 11")
    with pytest.raises(RepositoryLocked):
        Restic.at(program, "repo", state).run("backup")
    removes = fake_restic("[ $1 = unlock ] || { echo 'already locked by PID 1' >&2; exit 11; }")
    with pytest.raises(RepositoryLocked):
        Restic.at(removes, "repo", state).run("backup")


GENTLE = """
trap 'echo ended gently > "$OUT"; exit 130' INT
echo ready
while :; do sleep 0.05; done
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_passed_on_and_waited_for(
    fake_restic: Fake, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    monkeypatch.setenv("OUT", str(out))
    restic = Restic.at(fake_restic(GENTLE), "repo", state)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        restic.run("backup", on_line=lambda _: signal.raise_signal(number))
    assert out.read_text() == "ended gently\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_one_that_does_not_end_is_killed(
    fake_restic: Fake, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigie.vault.restic._GRACE", 0.2)
    restic = Restic.at(fake_restic("trap '' INT; echo ready; exec sleep 60"), "repo", state)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        restic.run("backup", on_line=lambda _: signal.raise_signal(signal.SIGINT))
    assert time.monotonic() - start < 10


def test_from_another_thread(fake_restic: Fake, state: Path) -> None:
    restic, texts = Restic.at(fake_restic("echo fine"), "repo", state), list[str]()
    thread = threading.Thread(target=lambda: texts.append(restic.run("anything").text))
    thread.start()
    thread.join()
    assert texts == ["fine\n"]
