"""Programs of the hospital's own as measures, with a time limit and an undoing where there is one."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

from vigie.watch.actions import Outcome, Target

_SAID = 300
"""Characters of what it said that are kept in the journal."""
_READ = 64 * 1024
"""Bytes of it that are read at all."""


@dataclass(frozen=True, slots=True)
class Own:
    """One such program; `config.CommandSettings` says what each means."""

    name: str
    run: Sequence[str]
    undo: Sequence[str]
    seconds: float


class Commands:
    """Actuator "command".

    Args:
        own: by what people call them.
        incident: tells an incident by its id, for the program's standard input.
    """

    kind = "command"

    def __init__(self, own: Sequence[Own], incident: Callable[[str], dict[str, Any]]) -> None:
        self._own = {one.name: one for one in own}
        self._incident = incident

    def do(self, target: Target) -> Outcome:
        """Run it."""
        own = self._own.get(str(target["command"]))
        if own is None:
            return Outcome(False, "the settings have no such command", False)
        problem, said = self._run(own.run, own.seconds, target)
        if problem:
            return Outcome(False, f"{problem}{said}", False)
        return Outcome(bool(own.undo), f"done{said}")

    def undo(self, target: Target) -> Outcome:
        """Run what undoes it."""
        own = self._own.get(str(target["command"]))
        if own is None or not own.undo:
            return Outcome(True, "the settings do not say how to undo it", False)
        problem, said = self._run(own.undo, own.seconds, target)
        return Outcome(bool(problem), f"{problem or 'undone'}{said}", not problem)

    def _run(self, words: Sequence[str], seconds: float, target: Target) -> tuple[str, str]:
        incident = str(target.get("about", ""))
        # Files, not pipes: a program that leaves something behind cannot keep us waiting for its output.
        with TemporaryFile() as told, TemporaryFile() as said:
            told.write(json.dumps(self._incident(incident)).encode("ascii"))
            told.seek(0)
            try:
                process = subprocess.Popen(
                    list(words),
                    stdin=told,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env={**os.environ, "VIGIE_INCIDENT": incident},
                )
            except OSError as error:
                return f"{words[0]}: {error.strerror}", ""
            problem = ""
            try:
                if code := process.wait(seconds):
                    problem = f"it ended with {code}"
            except subprocess.TimeoutExpired:
                problem = f"killed after {seconds:g} s"
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # what it left in the background as well
            process.wait()
            said.seek(0)
            line = " ".join(said.read(_READ).decode(errors="replace").split())[:_SAID]
            return problem, f": {line}" if line else ""
