import threading
import time
from collections.abc import Callable
from pathlib import Path

from vigie.errors import VigieError
from vigie.watch.kept_close import KeptClose


class Vault:
    def __init__(self, fails: int = 0) -> None:
        self.batches: list[tuple[str, ...]] = []
        self.fails = fails
        self.troubles: list[str] = []
        self.asked: list[int] = []
        self.busy = threading.Lock()

    def keep(self, paths: tuple[str, ...]) -> None:
        assert self.busy.acquire(blocking=False)  # never two at once
        self.busy.release()
        if self.fails:
            self.fails -= 1
            raise VigieError("repo", "it is locked", "Wait.")
        self.batches.append(paths)

    def trouble(self, error: VigieError | None) -> None:
        self.troubles.append("" if error is None else str(error))

    def younger(self, moment_ns: int) -> list[str]:
        self.asked.append(moment_ns)
        return ["/left"]


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.005)


def start(vault: Vault, state: Path, seconds: float = 0.02) -> KeptClose:
    return KeptClose(vault.keep, seconds, state, vault.younger, vault.trouble)


def test_files_are_kept_in_batches_each_once(tmp_path: Path) -> None:
    vault = Vault()
    kept = start(vault, tmp_path, 0.2)
    for name in ("/a", "/b", "/a"):
        kept.saved(name)
    eventually(lambda: bool(vault.batches))
    kept.saved("/c")
    kept.close()
    assert vault.batches == [("/a", "/b"), ("/c",)]
    assert vault.asked == []  # nothing was left by anybody


def test_what_could_not_be_kept_waits(tmp_path: Path) -> None:
    vault = Vault(fails=2)
    kept = start(vault, tmp_path)
    kept.saved("/a")
    eventually(lambda: len(vault.troubles) >= 1)
    kept.saved("/b")
    eventually(lambda: bool(vault.batches))
    kept.close()
    assert sorted(path for batch in vault.batches for path in batch) == ["/a", "/b"]
    assert vault.troubles[0] == vault.troubles[1] == "repo: it is locked"
    assert vault.troubles[-1] == ""


def test_what_a_killed_guard_left_is_kept_at_the_next_start(tmp_path: Path) -> None:
    first = start(Vault(), tmp_path)
    first.close()
    moment = int((tmp_path / "kept-close").read_text())
    failing = Vault(fails=10**6)
    killed = start(failing, tmp_path)
    killed.saved("/b")
    eventually(lambda: len(failing.troubles) >= 1)
    killed.close()
    assert int((tmp_path / "kept-close").read_text()) == moment
    vault = Vault()
    again = start(vault, tmp_path)
    eventually(lambda: vault.batches == [("/left",)])
    again.close()
    assert vault.asked == [moment]
    assert int((tmp_path / "kept-close").read_text()) > moment


def test_a_note_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "kept-close").write_text("yesterday")
    vault = Vault()
    kept = start(vault, tmp_path)
    kept.saved("/a")
    kept.close()
    assert vault.batches == [("/a",)]
