"""Files lost to a client of a real Samba share; whether the right one is cut, and what the others feel."""

import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from attacker import name, text
from samba_server import Client, Server, commands, samba
from watching import VIGIE, Watching

COUNT = 400
RATES = (400, 0)


def measured(runs: int) -> Iterator[dict[str, Any]]:
    """A row a speed."""
    for rate in RATES:
        with tempfile.TemporaryDirectory(prefix="vigie-guard-") as folder, samba(Path(folder), 4) as server:
            yield _cell(server, rate, runs or 50)


class Colleague(threading.Thread):
    """Somebody else who works on the share all the while."""

    def __init__(self, client: Client, place: Path) -> None:
        super().__init__(daemon=True)
        self._client, self._letter = client, place / f"{client.user}.txt"
        self._letter.write_text("Dear colleague, thank you for seeing Mrs Martin.\n" * 50)
        self.waits: list[float] = []
        self.errors: list[str] = []
        self._over = threading.Event()

    def run(self) -> None:
        """Save a letter fifty times a second."""
        process = self._client.start()
        assert process.stdin is not None
        assert process.stdout is not None
        number = 0
        while not self._over.wait(0.02):
            began = time.monotonic()
            number = (number + 1) % 100
            process.stdin.write(f'put "{self._letter}" "{self._client.user}-{number}.txt"\n')
            process.stdin.flush()
            line = ""
            while "putting" not in line and "NT_STATUS" not in line:
                if not (line := process.stdout.readline()):
                    self.errors.append("cut off")
                    return
            if "NT_STATUS" in line:
                self.errors.append(line)
            self.waits.append(time.monotonic() - began)
        process.stdin.close()
        process.wait()
        process.stdout.close()

    def end(self) -> None:
        """No more letters."""
        self._over.set()
        self.join(10)


def _cell(server: Server, rate: int, runs: int) -> dict[str, Any]:
    settings, state = server.place / "vigie.toml", server.place / "state-of-vigie"
    settings.write_text(f'[guard.samba]\nconfig = "{server.config}"\n')
    junk = server.place / "junk"
    junk.write_bytes(os.urandom(12 * 1024))
    lost, cut, speeds = list[int](), list[float](), list[float]()
    right = 0
    evil, *others = server.clients
    colleagues = [Colleague(client, server.place) for client in others]
    watching = Watching([server.folder], state, "--contain", "--settings", settings, before=server.words())
    with watching as guard:
        for colleague in colleagues:
            colleague.start()
        for _ in range(runs):
            _fill(server.folder)
            _calm(guard)
            mark = len(guard.events)
            speeds.append(_attack(evil, junk, rate))
            guard.until(lambda mark=mark: _is_cut(guard, mark), 5)  # type: ignore[misc]
            time.sleep(0.3)
            lost.append(sum((server.folder / name(n)).read_bytes() != text(n) for n in range(COUNT)))
            incidents = guard.since(mark, "incident")
            denied = [a for a in guard.since(mark, "action") if a["kind"] == "deny-address"]
            client = incidents[0]["actor"]["client"] if incidents else None
            right += bool(
                len(incidents) == 1
                and client
                and denied
                and client["address"] == evil.address == denied[0]["address"]
            )
            if incidents and denied:
                third = guard.since(mark, "verdict")[2]["at"] if len(guard.since(mark, "verdict")) > 2 else 0
                cut.append(denied[0]["at"] - (third or incidents[0]["at"]))
            for incident in incidents:
                words = (
                    *VIGIE,
                    "release",
                    incident["id"],
                    "--state",
                    str(state),
                    "--settings",
                    str(settings),
                )
                subprocess.run(server.words(*words), capture_output=True, check=True)
        for colleague in colleagues:
            colleague.end()
    waits = [wait for colleague in colleagues for wait in colleague.waits]
    return {
        "files/s asked": rate or "all it can",
        "reached": round(statistics.median(speeds)) if any(speeds) else None,
        "runs": runs,
        "median lost": statistics.median(lost),
        "worst": max(lost),
        "right client cut": f"{right} of {runs}",
        "ms to the cut": round(1000 * statistics.median(cut)) if cut else None,
        "worst ms": round(1000 * max(cut)) if cut else None,
        "others": f"{len(waits)} letters",
        "their errors": sum(len(colleague.errors) for colleague in colleagues),
        "longest wait ms": round(1000 * max(waits)),
    }


def _fill(folder: Path) -> None:
    for number in range(COUNT):
        (folder / name(number)).write_bytes(text(number))


def _calm(guard: Watching) -> None:
    """Until the guard has noticed the release, and judged all that was written."""
    time.sleep(1.5)
    count = -1
    while count != len(guard.events):
        count = len(guard.events)
        time.sleep(0.5)


def _is_cut(guard: Watching, mark: int) -> bool:
    return any(action["kind"] == "kill-client" for action in guard.since(mark, "action"))


def _attack(client: Client, junk: Path, rate: int) -> float:
    """Put random bytes over the files that this run made; the speed reached until it was cut off."""
    process = client.start()
    assert process.stdin is not None
    began, done = time.monotonic(), 0
    try:
        if not rate:
            process.communicate(commands([(junk, name(n)) for n in range(COUNT)]), timeout=3)
        else:
            for number in range(COUNT):
                if (wait := began + number / rate - time.monotonic()) > 0:
                    time.sleep(wait)
                process.stdin.write(commands([(junk, name(number))]))
                process.stdin.flush()
                done = number
                if process.poll() is not None or time.monotonic() - began > 3:
                    break
    except (BrokenPipeError, subprocess.TimeoutExpired):
        pass  # cut off
    speed = done / (time.monotonic() - began)
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None and not pipe.closed:
            with suppress(BrokenPipeError):
                pipe.close()
    return speed
