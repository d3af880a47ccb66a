"""The seal: while it holds, restic forgets and prunes nothing, whoever asks; backups go on.

`restic forget` and `prune` take an exclusive lock, and any running backup holds a shared one, which it renews
every five minutes. The seal is such a backup, of a pipe that nobody writes to or closes: it ends by SIGINT
only, takes its lock away and leaves no snapshot. It needs nobody while it holds, outlives whoever began it,
and is found again by what is written in `seal` in the state folder. A reboot ends it; the guard renews it.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from vigie.errors import VigieError
from vigie.vault.complaint import complaint
from vigie.vault.restic import Restic

_NAME = "vigie-seal"
_SECONDS = 60.0
"""How long restic may take to open the repository, and to end."""
_STEP = 0.05


class Seal:
    """The seal of one repository; `state` is where it is noted."""

    def __init__(self, restic: Restic, state: Path) -> None:
        self._restic = restic
        self._state = state
        self._note = state / "seal"

    @property
    def holds(self) -> bool:
        """Whether it is in force now."""
        return self._process() is not None

    @property
    def noted(self) -> bool:
        """Whether it is meant to be in force: it may have ended with the machine."""
        return self._note.exists()

    def hold(self) -> None:
        """Put it on, if it is not; returns once restic has its lock.

        Raises:
            VigieError: restic cannot; the class says why.
        """
        if self.holds:
            return
        before = self._locks()
        with tempfile.TemporaryDirectory(dir=self._state) as folder, tempfile.TemporaryFile() as said:
            pipe = Path(folder) / "pipe"
            os.mkfifo(pipe, 0o600)
            # Open for both: it waits for a writer that it is itself, for ever.
            end = os.open(pipe, os.O_RDWR | os.O_CLOEXEC)
            try:
                process = subprocess.Popen(
                    [self._restic.program[-1], "backup", "--stdin", f"--stdin-filename={_NAME}"],
                    stdin=end,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    env=dict(self._restic.environment),
                    start_new_session=True,
                )
            finally:
                os.close(end)
            until = time.monotonic() + _SECONDS
            while self._locks() <= before:
                code = process.poll()
                if code is not None or time.monotonic() > until:
                    process.kill()
                    process.wait()
                    said.seek(0)
                    words = said.read(4096).decode(errors="replace")
                    raise complaint(self._restic.name, code or 1, words or "it did not begin in time")
                time.sleep(_STEP)
        self._write(process.pid)
        # Nobody waits for it: it outlives us, and whoever comes next is not its parent.
        process.returncode = 0

    def release(self) -> None:
        """Take it off; nothing happens where it is not on.

        Raises:
            VigieError: it does not end.
        """
        if (pid := self._process()) is not None:
            os.kill(pid, signal.SIGINT)
            until = time.monotonic() + _SECONDS
            while self._process() is not None:
                if time.monotonic() > until:
                    remedy = f"End it by hand: kill -INT {pid}"
                    raise VigieError(self._restic.name, "the seal does not come off", remedy)
                time.sleep(_STEP)
        self._note.unlink(missing_ok=True)

    def _locks(self) -> set[str]:
        return set(self._restic.run("list", "locks", "--no-lock").text.split())

    def _write(self, pid: int) -> None:
        draft = self._note.with_suffix(".new")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump({"pid": pid, "started": _started(pid), "repository": self._restic.name}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._note)

    def _process(self) -> int | None:
        """Its pid, while it runs."""
        try:
            noted = json.loads(self._note.read_text())
            pid, started = int(noted["pid"]), int(noted["started"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pid if started and _started(pid) == started else None


def _started(pid: int) -> int:
    """When it started, in clock ticks after boot (proc(5), field 22 of stat); 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read(1024).rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])
