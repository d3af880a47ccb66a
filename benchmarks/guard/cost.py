"""What the guard costs others: the same work with and without it, in turns, medians of five; and at rest."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attacker import name, text
from samba_server import Server, commands, samba
from watching import Watching

FILES = 5000
TURNS = 5
REST = 60.0
"""Seconds at rest."""
KNOWN = 1_000_000


def measured(runs: int) -> Iterator[dict[str, Any]]:
    """A row a piece of work, then one at rest."""
    with tempfile.TemporaryDirectory(prefix="vigie-guard-") as folder:
        place = Path(folder)
        share = place / "share"
        share.mkdir()
        for number in range(FILES):
            (share / name(number)).write_bytes(text(number))
        yield _row(f"copying {FILES:,} files", place, share, lambda turn: _copy(share, turn), runs or TURNS)
    with tempfile.TemporaryDirectory(prefix="vigie-guard-") as folder, samba(Path(folder), 1) as server:
        work = _smb(server)
        yield _row("putting 1,000 files through Samba", server.place, server.folder, work, runs or TURNS)
    with tempfile.TemporaryDirectory(prefix="vigie-guard-") as folder:
        yield _rest(Path(folder))


def _row(what: str, place: Path, share: Path, work: Callable[[int], None], turns: int) -> dict[str, Any]:
    times: dict[bool, list[float]] = {False: [], True: []}
    turn = 0
    for number in range(turns):
        for guarded in (False, True) if number % 2 else (True, False):
            with ExitStack() as stack:
                if guarded:
                    stack.enter_context(Watching([share], place / "state", "--contain"))
                turn += 1
                os.sync()
                began = time.perf_counter()
                work(turn)
                times[guarded].append(time.perf_counter() - began)
    without, with_it = statistics.median(times[False]), statistics.median(times[True])
    return {
        "work": what,
        "without s": round(without, 2),
        "with s": round(with_it, 2),
        "slower by %": round(100 * (with_it / without - 1), 1),
    }


def _copy(share: Path, turn: int) -> None:
    target = share / f"copy-{turn}"
    target.mkdir()
    words = ["cp", *(str(share / name(number)) for number in range(FILES)), str(target)]
    subprocess.run(words, check=True)


def _smb(server: Server) -> Callable[[int], None]:
    local = server.place / "letter.txt"
    local.write_bytes(text(1))

    def work(turn: int) -> None:
        process = server.clients[0].start()
        process.communicate(commands([(local, f"{turn}-{n}.txt") for n in range(1000)]), timeout=120)

    return work


def _rest(place: Path) -> dict[str, Any]:
    """Processor time and memory of a guard that knows a million files and has nothing to do."""
    share, state = place / "share", place / "state"
    share.mkdir()
    _know(state, share)
    with Watching([share], state, "--contain") as guard:
        time.sleep(3)
        pid = guard.process.pid
        before = _seconds(pid)
        time.sleep(REST)
        used = _seconds(pid) - before
        memory = _memory(pid)
    return {
        "work": f"at rest, {KNOWN:,} files known",
        "without s": f"{100 * used / REST:.2f} % of a core",
        "with s": f"{memory} MiB",
        "slower by %": "main process",
    }


def _know(state: Path, share: Path) -> None:
    """Put files into a baseline that are not there: the scan at the start finds them gone, one by one."""
    script = """if True:
        import sys
        from pathlib import Path
        from vigie.journal import Baseline, Known
        from vigie.model import Likeness, State
        likeness = Likeness(State.INTACT, "pdf", 1000, 0.5, bytes(64))
        with Baseline(Path(sys.argv[1])) as baseline:
            for start in range(0, int(sys.argv[3]), 10_000):
                baseline.remember([
                    Known(f"/elsewhere/{n % 1000}/report-{n}.pdf", 1, n + 1, 1, 1, likeness)
                    for n in range(start, start + 10_000)
                ])
    """
    state.mkdir()
    subprocess.run([sys.executable, "-c", script, str(state), str(share), str(KNOWN)], check=True)


def _seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) // 1024
    return 0
