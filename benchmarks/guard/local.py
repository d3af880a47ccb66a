"""Files lost to an attack on this machine's own disk, by pattern and speed."""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from attacker import PATTERNS, name, text
from watching import Watching

COUNT = 300
"""Files of one attack."""
RATES = (0, 400)
"""Files a second; 0 is as fast as it can."""


def measured(runs: int) -> Iterator[dict[str, Any]]:
    """A row a pattern and speed."""
    for pattern in PATTERNS:
        for rate in RATES:
            yield _cell(pattern, rate, runs or 10)


def _cell(pattern: str, rate: int, runs: int) -> dict[str, Any]:
    lost: list[int] = []
    stopped: list[float] = []
    for _ in range(runs):
        _run(pattern, rate, lost, stopped)
    return {
        "pattern": PATTERNS[pattern],
        "files/s": rate or "all it can",
        "runs": runs,
        "median lost": statistics.median(lost),
        "worst": max(lost),
        "stopped": len(stopped),
        "ms to the stop": round(1000 * statistics.median(stopped)) if stopped else None,
    }


def _run(pattern: str, rate: int, lost: list[int], stopped: list[float]) -> None:
    """One attack, under a guard that has seen none before."""
    place = Path(tempfile.mkdtemp(prefix="vigie-guard-"))
    share = place / "share"
    share.mkdir()
    attack = _ready(share / "run", pattern, rate)
    try:
        with Watching([share], place / "state", "--contain") as guard:
            mark, began = len(guard.events), time.time()
            assert attack.stdin is not None
            attack.stdin.write("go\n")
            attack.stdin.flush()
            guard.until(lambda: bool(guard.since(mark, "incident")), 5)
            time.sleep(0.6)
            stopped += [event["at"] - began for event in guard.since(mark, "incident")[:1]]
            lost.append(_lost(share / "run"))
    finally:
        _end(attack)
        shutil.rmtree(place)


def _ready(folder: Path, pattern: str, rate: int) -> "subprocess.Popen[str]":
    attacker = Path(__file__).with_name("attacker.py")
    process = subprocess.Popen(
        [sys.executable, str(attacker), str(folder), str(COUNT), pattern, str(rate)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError("the attack could not be prepared")
    return process


def _end(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _lost(folder: Path) -> int:
    """Files that are not what they were."""
    bad = 0
    for number in range(COUNT):
        try:
            bad += (folder / name(number)).read_bytes() != text(number)
        except FileNotFoundError:
            bad += 1
    return bad
