"""Processes to watch, and a promise: no test leaves a stopped process behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start programs; whatever still runs afterwards is killed (which works on stopped ones too)."""
    running: list[subprocess.Popen[str]] = []

    def begin(*words: str | Path, **options: object) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = subprocess.Popen(  # type: ignore[call-overload]
            [str(w) for w in words],
            **{
                "stdin": subprocess.PIPE,
                "stdout": subprocess.PIPE,
                "text": True,
                "start_new_session": True,
                **options,
            },
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def sleeper(start: Start) -> subprocess.Popen[str]:
    """A process that does nothing."""
    return start(sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()")
